"""
Quantize the same network with POT and NNCF
===========================================

The Post-training Optimization Tool (POT) was OpenVINO's quantizer until 2023; NNCF
has taken its place. Both quantize the same networks with the same images here, and
today's runtime executes what they made.

Explained in :doc:`/optimize/pot-and-nncf`. Install:
``pip install "optguide[frameworks,models]"`` and, for POT, its environment.
"""

import time
from collections import Counter
from pathlib import Path

from optguide import OpenVINO, Recording, Variant, measure
from optguide.errors import EnvironmentMissing
from optguide.guide import environments, profiles, workloads
from optguide.guide.workloads import answers
from optguide.guide.workloads.digits import data
from optguide.guide.workloads.pot import run_pot
from optguide.paths import build_dir, repository
from optguide.stats.estimate import median_of_rounds, ratio_of_estimates

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


def quantize_by_pot(folder: Path, fold: int, runs: int = 1) -> list:
    model, digits = workloads.digits(fold).onnx, data(fold)
    images, labels = digits.train_images[:300], digits.train_labels[:300]
    return run_pot(folder, SCRIPT, model, ALGORITHM, images, labels, runs)


# %%
# NNCF
# ----
#
# Every parameter of POT's configuration has its place in the call.


def quantize_by_nncf(folder: Path, fold: int) -> float:
    model = ov.Core().read_model(workloads.digits(fold).onnx)
    images = data(fold).train_images[:300]
    start = time.perf_counter()
    quantized = nncf.quantize(
        model,
        nncf.Dataset([image[None] for image in images]),
        target_device=nncf.TargetDevice.CPU,
        preset=nncf.QuantizationPreset.PERFORMANCE,
        subset_size=300,
    )
    seconds = time.perf_counter() - start
    path = folder / "DefaultQuantization.xml"
    ov.save_model(quantized, path, compress_to_fp16=False)
    return seconds


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
# Accuracy, with drops paired by image:

NAMES = {"fp32": "FP32", "pot": "POT", "nncf": "NNCF"}
models = {"fp32": [workloads.digits(fold).onnx for fold in range(folds)]}
for tool, made in folders.items():
    models[tool] = [folder / "DefaultQuantization.xml" for folder in made]
right = {tool: answers.digits(NAMES[tool], paths) for tool, paths in models.items()}

# %%
# Where are the quantizers? NNCF stores most weights as integers. POT does so only
# if ``compress_model_weights`` is called, which this script does not, so all of its
# weights are floats behind quantizers, and only quantizers of activations compare.
# ``x*HardSigmoid(x)`` is one operation to NNCF. POT knows hard-swish in another
# spelling only, and quantizes both factors.

quantizers = {}
for tool in folders:
    operations = ov.Core().read_model(models[tool][0]).get_ops()
    fakes = [op for op in operations if op.get_type_name() == "FakeQuantize"]
    behind = Counter(op.input_value(0).get_node().get_type_name() for op in fakes)
    quantizers[tool] = len(fakes) - behind["Constant"] - behind["Reshape"]
    print(NAMES[tool], quantizers[tool], "of activations; behind", dict(behind))

# %%
# Time, after one run that does not count, each in a process of its own; then speed:

scratch = build_dir() / "caches" / "pot_and_nncf"
scratch.mkdir(parents=True, exist_ok=True)
seconds = {"nncf": [quantize_by_nncf(scratch, fold=0) for _ in range(7)]}
if not missing:
    runs = quantize_by_pot(scratch, fold=0, runs=7)
    seconds["pot"] = [clock for clock, _ in runs]
times = {tool: median_of_rounds(runs[1:], "s") for tool, runs in seconds.items()}

f32 = Variant("FP32", models["fp32"][0], OpenVINO(precision="f32"))
variants = [f32, *(Variant(NAMES[tool], models[tool][0]) for tool in folders)]
result = measure(variants, profiles.budget(0.5), label="POT and NNCF")

# %%
# What is recorded:

answers.accuracy_figure(record, right, "Networks quantized by both tools.")
answers.add_answers(record, "pot.plain", right, also=["size"])
record.session("pot", result, {tool: NAMES[tool] for tool in models})
for tool, count in quantizers.items():
    label = f"{NAMES[tool]}: quantizers of activations"
    record.values("pot.plain", {f"{tool}.quantizers": (count, label)})
    took = (times[tool], f"{NAMES[tool]}: time to quantize with 300 images")
    record.values("pot", {f"{tool}.seconds": took})
if missing:
    for pattern in ("pot.plain.*", "pot.pot.*", "pot.quicker", "pot.speed"):
        record.unavailable(pattern, missing)
else:
    loses = (right["pot"].loss(right["nncf"]), "drop from POT to NNCF")
    record.values("pot.plain", {"loses": loses})
    quicker = ratio_of_estimates(times["pot"], times["nncf"])
    entry = {"quicker": (quicker, "NNCF against POT: time to quantize")}
    record.values("pot", entry, above="faster")
    record.ratios("pot", result, {"speed": ("POT", "NNCF")})
record.publish()
