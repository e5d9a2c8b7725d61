"""
Limit the loss of accuracy with POT and NNCF
============================================

How POT's ``AccuracyAwareQuantization`` translates to NNCF's
``quantize_with_accuracy_control``, and how accurate the models of both are.

Explained in :doc:`/optimize/pot-and-nncf`. Install:
``pip install "optguide[frameworks,models]"`` and, for POT, its environment.
"""

from pathlib import Path

import numpy as np

from optguide import Recording
from optguide.errors import EnvironmentMissing
from optguide.guide import environments, profiles, workloads
from optguide.guide.workloads import answers
from optguide.guide.workloads.digits import data
from optguide.guide.workloads.pot import run_pot
from optguide.paths import repository

workloads.no_telemetry()

import nncf
import openvino as ov

# %%
# POT
# ---
#
# POT runs in an environment of its own, as in :doc:`plot_pot_and_nncf`. Without the
# last two limits its search takes minutes for a network of this size. POT
# calibrates with the images that it validates on, so NNCF does the same. One in six
# of those that are held out is used up for that.

SCRIPT = (repository() / "examples/optimize/pot/quantize.py").read_text()
ALGORITHM = {
    "name": "AccuracyAwareQuantization",
    "params": {
        "target_device": "CPU",
        "preset": "performance",
        "stat_subset_size": 300,
        "maximal_drop": 0.001,
        "max_iter_num": 5,
        "ranking_subset_size": 60,
    },
}


def control_by_pot(folder: Path, fold: int) -> None:
    model, digits = workloads.digits(fold).onnx, data(fold)
    images, labels = digits.test_images[::6], digits.test_labels[::6]
    run_pot(folder, SCRIPT, model, ALGORITHM, images, labels)


# %%
# NNCF
# ----
#
# POT's ``Metric`` becomes a function of the compiled model and the samples.


def validate(model: ov.CompiledModel, samples) -> tuple[float, list[float]]:
    right = [
        float(model(image[None])[0].argmax() == digit) for image, digit in samples
    ]
    return float(np.mean(right)), right


def control_by_nncf(folder: Path, fold: int) -> None:
    model, digits = ov.Core().read_model(workloads.digits(fold).onnx), data(fold)
    images, labels = digits.test_images[::6], digits.test_labels[::6]
    quantized = nncf.quantize_with_accuracy_control(
        model,
        nncf.Dataset([image[None] for image in images]),
        validation_dataset=nncf.Dataset(list(zip(images, labels, strict=True))),
        validation_fn=validate,
        max_drop=0.001,
        target_device=nncf.TargetDevice.CPU,
        preset=nncf.QuantizationPreset.PERFORMANCE,
        subset_size=300,
        advanced_accuracy_restorer_parameters=nncf.AdvancedAccuracyRestorerParameters(
            max_num_iterations=5, ranking_subset_size=60
        ),
    )
    path = folder / "AccuracyAwareQuantization.xml"
    ov.save_model(quantized, path, compress_to_fp16=False)


folds = 3 if profiles.full() else 1
folders = {"nncf": workloads.cross_validated(control_by_nncf, folds=folds)}
missing = ""
try:
    environments.python_of("pot")
    folders["pot"] = workloads.cross_validated(control_by_pot, folds=folds)
except EnvironmentMissing as error:
    missing = str(error)

# %%
# Accuracy on half of the held-out images, none of which has steered the search:

record = Recording("optimize/pot_with_accuracy_control", declares=("pot.aware.*",))
half = slice(1, None, 2)
originals = [workloads.digits(fold).onnx for fold in range(folds)]
right = {"fp32": answers.digits("FP32", originals, images=half)}
for tool, made in folders.items():
    models = [folder / "AccuracyAwareQuantization.xml" for folder in made]
    right[tool] = answers.digits(tool.upper(), models, images=half)
answers.accuracy_figure(record, right, "At a limit of a tenth of a point.")
answers.add_answers(record, "pot.aware", right, title="with accuracy control")
if missing:
    record.unavailable("pot.aware.*", missing)
else:
    loses = (right["pot"].loss(right["nncf"]), "drop from POT to NNCF")
    record.values("pot.aware", {"loses": loses})
record.publish()
