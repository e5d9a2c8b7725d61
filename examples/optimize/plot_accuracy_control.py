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
from optguide.guide.workloads import answers, retrieval
from optguide.guide.workloads.digits import data

workloads.no_telemetry()

import nncf
import openvino as ov

# %%
# Functions that judge
# --------------------
#
# They get a compiled model and samples, and return the accuracy and what each
# sample contributes. NNCF calls them with all samples, with some of them, and with
# one.


def read_digits(model: ov.CompiledModel, pairs) -> tuple[float, list[float]]:
    right = [
        float(model(image[None])[0].argmax() == label) for image, label in pairs
    ]
    return float(np.mean(right)), right


def find_texts(model: ov.CompiledModel, pairs) -> tuple[float, list[float]]:
    first, text = (
        retrieval.embed(model, side) for side in zip(*pairs, strict=True)
    )
    hits = retrieval.hits(first, text).astype(float)
    return float(hits.mean()), hits.tolist()


# %%
# Three sets of samples
# ---------------------
#
# Calibration needs no labels and may use what the network was trained with.
# Validation may not: a network has its training images right, quantized or not. And
# samples by which layers were chosen are no test of the choice.


def samples(task: str, fold: int) -> tuple[list, list, list]:
    """For calibration, validation and test."""
    if task == "digits":
        digits = data(fold)
        held_out = list(zip(digits.test_images, digits.test_labels, strict=True))
        calibration = [image[None] for image in digits.train_images[:300]]
        return calibration, held_out[::2], held_out[1::2]
    pairs = retrieval.pairs(400)
    test = [pair for index, pair in enumerate(pairs) if index % 4]
    return retrieval.tokens(retrieval.calibration(300)), pairs[::4], test


# %%
# Quantize, judge, save
# ---------------------
#
# ``max_drop`` is a difference of accuracies. Of the digits a tenth of a point may
# be lost, which one wrong answer exceeds. The encoder is quantized without being
# declared a transformer, a mistake that loses a lot, and may lose ten points.
# Finding a text among few is another task than among all: layers are ranked by all
# that validate.


def quantize(folder: Path, fold: int, task: str, source: str) -> None:
    calibration, validation, test = samples(task, fold)
    judge = read_digits if task == "digits" else find_texts
    every = nncf.AdvancedAccuracyRestorerParameters(
        ranking_subset_size=len(validation)
    )
    original = ov.Core().read_model(source)
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


full = profiles.full()
tasks = {"digits": [workloads.digits(fold).ir for fold in range(5 if full else 1)]}
if full:
    tasks["sentences"] = [workloads.sentences_dynamic().ir]
folders = {
    task: [
        workloads.cached_artifact(
            quantize, fold=fold, task=task, source=str(source)
        )
        for fold, source in enumerate(sources)
    ]
    for task, sources in tasks.items()
}
record = Recording("optimize/accuracy_control", declares=("control.*",))

# %%
# What was removed, what it kept, what it costs
# ---------------------------------------------
#
# On the validation set NNCF has searched until the drop was small enough. On the
# test set it is an estimate of what further samples will show.

NAMES = {"fp32": "FP32", "plain": "INT8, plain", "controlled": "INT8, controlled"}
tokens = ("input_ids", "attention_mask", "token_type_ids")
points = []
for task, made in folders.items():
    count = {}
    for part in ("plain", "controlled"):
        models = [ov.Core().read_model(folder / f"{part}.xml") for folder in made]
        kinds = [op.get_type_name() for model in models for op in model.get_ops()]
        count[part] = kinds.count("FakeQuantize")
    removed = count["plain"] - count["controlled"]

    shapes = dict.fromkeys(tokens, (1, 128)) if task == "sentences" else {}
    result = measure(
        [
            Variant(
                name,
                made[0] / f"{part}.xml",
                OpenVINO(
                    shapes=shapes, precision="f32" if part == "fp32" else None
                ),
            )
            for part, name in NAMES.items()
        ],
        profiles.budget(0.5),
        label=f"accuracy control, {task}",
    )

    prefix, right = f"control.{task}", answers.stored(task, NAMES, made, "test")
    validated = answers.stored(task, NAMES, made, "validation")
    answers.add_answers(record, prefix, right, comparable=task == "digits")
    for part in ("plain", "controlled"):
        drop = validated["fp32"].exact_loss(validated[part])
        label = f"{NAMES[part]}: drop on the validation set"
        record.values(f"{prefix}.{part}", {"validation": (drop, "points", label)})
    quantizers = (count["plain"], f"{task}: quantizers in the plain models")
    reverted = (removed, f"{task}: quantizers removed")
    record.values(prefix, {"quantizers": quantizers, "reverted": reverted})
    record.session(prefix, result, NAMES, title=task)
    record.ratios(prefix, result, {"cost": (NAMES["plain"], NAMES["controlled"])})
    points = [
        (one.name, result.latency(one.name), one.accuracy) for one in right.values()
    ]

record.figure(
    "trade",
    lambda: plots.pareto(points),
    alt="Accuracy against latency of FP32, plain and controlled INT8.",
    caption=f"Accuracy on the test set, {task}; up and left is better.",
)
profiles.full_only(record, "control.sentences.*")
record.publish()
