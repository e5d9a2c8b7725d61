"""
Quantize the same network with POT and NNCF
===========================================

How the Post-training Optimization Tool (POT), OpenVINO's quantizer until 2023, and
NNCF compare: in accuracy, in today's runtime, and in what becomes 8 bits.

Explained in :doc:`/optimize/pot-and-nncf`. Install:
``pip install "optguide[frameworks,models]"`` and, for POT, its environment.
"""

from collections import Counter
from pathlib import Path

from optguide import OpenVINO, Recording, Variant, measure
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
# POT cannot share a Python with the current release. The script ``pot/quantize.py``
# beside this file runs it in an environment of its own, and
# :doc:`/optimize/pot-and-nncf` shows it in full. It is given a model, images, and
# an algorithm with its parameters.

SCRIPT = (repository() / "examples/optimize/pot/quantize.py").read_text()
ALGORITHM = {
    "name": "DefaultQuantization",
    "params": {
        "target_device": "CPU",
        "preset": "performance",
        "stat_subset_size": 300,
    },
}


def quantize_by_pot(folder: Path, fold: int) -> None:
    digits = data(fold)
    images, labels = digits.train_images[:300], digits.train_labels[:300]
    run_pot(folder, SCRIPT, workloads.digits(fold).onnx, ALGORITHM, images, labels)


# %%
# NNCF
# ----
#
# Every parameter of POT's configuration has its place in the call.


def quantize_by_nncf(folder: Path, fold: int) -> None:
    images = data(fold).train_images[:300]
    quantized = nncf.quantize(
        ov.Core().read_model(workloads.digits(fold).onnx),
        nncf.Dataset([image[None] for image in images]),
        target_device=nncf.TargetDevice.CPU,
        preset=nncf.QuantizationPreset.PERFORMANCE,
        subset_size=300,
    )
    path = folder / "DefaultQuantization.xml"
    ov.save_model(quantized, path, compress_to_fp16=False)


folds = 3 if profiles.full() else 1
folders = {"nncf": workloads.cross_validated(quantize_by_nncf, folds=folds)}
missing = ""
try:
    environments.python_of("pot")
    folders["pot"] = workloads.cross_validated(quantize_by_pot, folds=folds)
except EnvironmentMissing as error:
    missing = str(error)
record = Recording("optimize/pot_and_nncf", declares=("pot.[!a]*",))

# %%
# Where are the quantizers?
# -------------------------
#
# NNCF stores most weights as integers. POT does so only if
# ``compress_model_weights`` is called, which this script does not, so all of its
# weights are floats behind quantizers, and only quantizers of activations compare.

NAMES = {"fp32": "FP32", "pot": "POT", "nncf": "NNCF"}
models = {"fp32": [workloads.digits(fold).onnx for fold in range(folds)]}
for tool, made in folders.items():
    models[tool] = [folder / "DefaultQuantization.xml" for folder in made]
    operations = ov.Core().read_model(models[tool][0]).get_ops()
    fakes = [op for op in operations if op.get_type_name() == "FakeQuantize"]
    behind = Counter(op.input_value(0).get_node().get_type_name() for op in fakes)
    count = len(fakes) - behind["Constant"] - behind["Reshape"]
    print(NAMES[tool], count, "of activations; behind", dict(behind))
    entry = (count, f"{NAMES[tool]}: quantizers of activations")
    record.values("pot.plain", {f"{tool}.quantizers": entry})

# %%
# Accuracy, with losses paired by image, and speed:

right = {tool: answers.digits(NAMES[tool], paths) for tool, paths in models.items()}
f32 = Variant("FP32", models["fp32"][0], OpenVINO(precision="f32"))
variants = [f32, *(Variant(NAMES[tool], models[tool][0]) for tool in folders)]
result = measure(variants, profiles.budget(0.5), label="POT and NNCF")

# %%
# What is recorded:

answers.accuracy_figure(record, right, "Networks quantized by both tools.")
answers.add_answers(record, "pot.plain", right, also=["size"])
record.session("pot", result, {tool: NAMES[tool] for tool in models})
if missing:
    record.unavailable("pot.*", missing)
else:
    loses = (right["pot"].loss(right["nncf"]), "drop from POT to NNCF")
    record.values("pot.plain", {"loses": loses})
    record.ratios("pot", result, {"speed": ("POT", "NNCF")})
record.publish()
