"""
Quantize with a limit on the loss of accuracy
=============================================

NNCF quantizes, asks a function of ours how accurate the result is, and takes layers
back to floats until no more is lost than allowed.

Explained in :doc:`/optimize/accuracy-control`. Install:
``pip install "optguide[frameworks,models]"``.
"""

from pathlib import Path

import numpy as np

from optguide import OpenVINO, Recording, Variant, measure, plots
from optguide.guide import profiles, workloads
from optguide.guide.workloads import answers, splits

workloads.no_telemetry()

import nncf
import openvino as ov

# %%
# A function that judges, and three sets of samples
# -------------------------------------------------
#
# The function gets a compiled model and samples, and returns the accuracy and what
# each sample contributes. NNCF calls it with all samples, with some of them, and
# with one.


def read_digits(model: ov.CompiledModel, pairs) -> tuple[float, list[float]]:
    right = [float(model(x[None])[0].argmax() == digit) for x, digit in pairs]
    return float(np.mean(right)), right


# %%
# Calibration needs no labels and may use what the network was trained with.
# Validation may not: a network has its training images right, quantized or not. And
# samples by which layers were chosen are no test of the choice.

# %%
# Quantize, judge, save
# ---------------------
#
# ``max_drop`` is a difference of accuracies. Of the digits a tenth of a point may
# be lost, which one wrong answer exceeds. The encoder is quantized without being
# declared a transformer, a mistake that loses a lot, and may lose ten points.
# Finding a text among few is another task than among all: layers are ranked by all
# that validate.


def quantize(folder: Path, fold: int, task: str) -> None:
    judge, source = read_digits, workloads.digits(fold)
    if task == "sentences":
        judge, source = splits.find_texts, workloads.sentences_dynamic()
    calibration, validation, test = (
        splits.digits(fold) if task == "digits" else splits.texts()
    )
    every = nncf.AdvancedAccuracyRestorerParameters(
        ranking_subset_size=len(validation)
    )
    original = ov.Core().read_model(source.ir)
    plain = nncf.quantize(original, nncf.Dataset(calibration), subset_size=300)
    controlled = nncf.quantize_with_accuracy_control(
        original,
        calibration_dataset=nncf.Dataset(calibration),
        validation_dataset=nncf.Dataset(validation),
        validation_fn=judge,
        max_drop=0.001 if task == "digits" else 0.1,
        subset_size=300,
        advanced_accuracy_restorer_parameters=every,
    )
    models = {"fp32": original, "plain": plain, "controlled": controlled}
    for name, model in models.items():
        ov.save_model(model, folder / f"{name}.xml", compress_to_fp16=False)
        exact = {"INFERENCE_PRECISION_HINT": "f32"}
        compiled = ov.Core().compile_model(model, "CPU", exact)
        right = [judge(compiled, pairs)[1] for pairs in (validation, test)]
        np.savez(folder / f"{name}.npz", validation=right[0], test=right[1])


folds = 5 if profiles.full() else 1
folders = {
    "digits": workloads.cross_validated(quantize, folds=folds, task="digits")
}
if profiles.full():
    folders["sentences"] = workloads.cross_validated(
        quantize, folds=1, task="sentences"
    )
record = Recording("optimize/accuracy_control", declares=("control.*",))

# %%
# What was removed, what it kept, what it costs
# ---------------------------------------------
#
# On the validation set NNCF has searched until the drop was small enough. On the
# test set it is an estimate of what further samples will show. The network that
# lost the most quantizers is timed.

NAMES = {"fp32": "FP32", "plain": "INT8, plain", "controlled": "INT8, controlled"}
tokens = ("input_ids", "attention_mask", "token_type_ids")


def quantizers(path: Path) -> int:
    operations = ov.Core().read_model(path).get_ops()
    return sum(op.get_type_name() == "FakeQuantize" for op in operations)


for task, made in folders.items():
    before = [quantizers(folder / "plain.xml") for folder in made]
    after = [quantizers(folder / "controlled.xml") for folder in made]
    removed = np.subtract(before, after)
    timed = made[removed.argmax()]

    shapes = dict.fromkeys(tokens, (1, 128)) if task == "sentences" else {}
    f32, default = OpenVINO(shapes=shapes, precision="f32"), OpenVINO(shapes=shapes)
    variants = [
        Variant(name, timed / f"{part}.xml", f32 if part == "fp32" else default)
        for part, name in NAMES.items()
    ]
    result = measure(variants, profiles.budget(0.5), label=f"control, {task}")

    prefix, right = f"control.{task}", answers.stored(task, NAMES, made, "test")
    validated = answers.stored(task, NAMES, made, "validation")
    answers.add_answers(record, prefix, right, comparable=task == "digits")
    for part in ("plain", "controlled"):
        drop = validated["fp32"].exact_loss(validated[part])
        label = f"{NAMES[part]}: drop on the validation set"
        record.values(f"{prefix}.{part}", {"validation": (drop, "points", label)})
    plain = (sum(before), f"{task}: quantizers in the plain models")
    reverted = (int(removed.sum()), f"{task}: quantizers removed")
    record.values(prefix, {"quantizers": plain, "reverted": reverted})
    record.session(prefix, result, NAMES, title=task)
    record.ratios(prefix, result, {"cost": (NAMES["plain"], NAMES["controlled"])})
    trade = {
        one.name: (result.latency(one.name), one.accuracy) for one in right.values()
    }

record.figure(
    "trade",
    lambda: plots.pareto([(name, *point) for name, point in trade.items()]),
    alt="Accuracy against latency of FP32, plain and controlled INT8.",
    caption=f"Accuracy on the test set, {task}; up and left is better.",
)
profiles.full_only(record, "control.sentences.*")
record.publish()
