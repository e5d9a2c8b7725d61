"""
Quantize with a limit on the loss
=================================

Quantization with a limit: NNCF quantizes, asks a function of ours how accurate the result is, and takes
layers back to floats until no more is lost than allowed. What was restored, what that kept on samples that
NNCF has not seen, and what it costs in speed.
"""

# %%
# A function that judges
# ----------------------
#
# It gets a compiled model and samples, and returns the accuracy and what each sample contributes. NNCF calls
# it with all samples, with some of them, and with a single one.

import json
import time
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from optguide import OpenVINO, Recording, Variant, measure, plots
from optguide.guide import profiles, workloads
from optguide.guide.workloads import retrieval
from optguide.guide.workloads.digits import FOLDS, data
from optguide.guide.workloads.minilm import INPUTS
from optguide.records.model import EvaluatedModel
from optguide.stats import accuracy

workloads.no_telemetry()

import nncf
import openvino as ov


def read_digits(model: ov.CompiledModel, samples) -> tuple[float, list[float]]:
    right = [float(model(image[None])[0].argmax() == label) for image, label in samples]
    return float(np.mean(right)), right


def find_texts(model: ov.CompiledModel, samples) -> tuple[float, list[float]]:
    queries, bodies = zip(*samples, strict=True)
    hits = retrieval.hits(retrieval.embed(model, queries), retrieval.embed(model, bodies))
    return float(hits.mean()), hits.astype(float).tolist()


# %%
# Plain and controlled
# --------------------
#
# The same calibration for both. ``max_drop`` is a difference of accuracies: 0.01 is one percentage point.

SAMPLES = 300


def judge(task: str, model: ov.CompiledModel, samples) -> tuple[float, list[float]]:
    return find_texts(model, samples) if task == "sentences" else read_digits(model, samples)


def quantize_both(folder: Path, model: str, task: str, max_drop: float, fold: int = 0) -> None:
    original = ov.Core().read_model(model)
    calibration, validation, _ = samples(task, fold)
    # Finding a text among a few is another task than finding it among all: rank by all samples.
    ranking = nncf.AdvancedAccuracyRestorerParameters(ranking_subset_size=len(validation))
    makers = {
        "plain": lambda: nncf.quantize(original, nncf.Dataset(calibration), subset_size=SAMPLES),
        "controlled": lambda: nncf.quantize_with_accuracy_control(
            original,
            calibration_dataset=nncf.Dataset(calibration),
            validation_dataset=nncf.Dataset(validation),
            validation_fn=partial(judge, task),
            max_drop=max_drop,
            subset_size=SAMPLES,
            advanced_accuracy_restorer_parameters=ranking,
        ),
    }
    if task == "sentences":
        makers["declared"] = lambda: nncf.quantize(
            original,
            nncf.Dataset(calibration),
            subset_size=SAMPLES,
            model_type=nncf.ModelType.TRANSFORMER,
        )
    seconds = {}
    for part, make in makers.items():
        start = time.process_time()  # models are made side by side, so the clock on the wall means nothing
        quantized = make()
        seconds[part] = time.process_time() - start
        ov.save_model(quantized, folder / f"{part}.xml", compress_to_fp16=False)
    (folder / "seconds.json").write_text(json.dumps(seconds))


# %%
# Three sets of samples
# ---------------------
#
# Calibration needs no labels and may use what the network was trained on. Validation may not: a network has
# its training images right, quantized or not. And samples by which layers were chosen are no test of the
# choice. So what no training has seen is divided in two, for validation and for the test.


def samples(task: str, fold: int) -> tuple[list, list, list]:
    """For calibration, validation and test."""
    if task == "sentences":
        pairs = retrieval.pairs(400)
        texts = retrieval.tokens(retrieval.calibration(SAMPLES))
        return texts, pairs[::4], [pair for index, pair in enumerate(pairs) if index % 4]
    digits = data(fold)
    held_out = list(zip(digits.test_images, digits.test_labels, strict=True))
    return [image[None] for image in digits.train_images[:SAMPLES]], held_out[::2], held_out[1::2]


# %%
# Digits lose little to quantization, so hardly anything is allowed: a tenth of a point, which one wrong
# answer exceeds. The sentence encoder is quantized without being declared a transformer, a mistake that loses
# a lot; :doc:`plot_transformer_trap` explains it. Ten points are allowed, more than one would wish, because a
# stricter limit searches for many minutes. This task is left to the full profile.

LIMITS = {"digits": 0.001, "sentences": 0.1}
full = profiles.current().name == "full"
encoder = workloads.sentences_dynamic()
originals = {"digits": [str(workloads.digits(fold).ir) for fold in range(FOLDS if full else 1)]}
if full:
    originals["sentences"] = [str(encoder.ir)]
folders = {
    task: [
        workloads.cached_artifact(quantize_both, task=task, model=model, max_drop=LIMITS[task], fold=fold)
        for fold, model in enumerate(models)
    ]
    for task, models in originals.items()
}

# %%
# What was restored
# -----------------
#
# Quantizers of the plain model that the controlled one lacks, and layers that the device runs in 8 bits.

core = ov.Core()


def quantizers(path: Path) -> set[str]:
    operations = core.read_model(path).get_ops()
    return {op.get_friendly_name() for op in operations if op.get_type_name() == "FakeQuantize"}


def int8_layers(path: Path) -> int:
    operations = core.compile_model(path, "CPU").get_runtime_model().get_ops()
    kinds = [(op.rt_info["layerType"].value, op.rt_info["runtimePrecision"].value) for op in operations]
    return sum(
        kind in ("Convolution", "FullyConnected", "MatMul") and bits in ("i8", "u8") for kind, bits in kinds
    )


NAMES = {
    "fp32": "FP32",
    "plain": "INT8, plain",
    "controlled": "INT8, controlled",
    "declared": "INT8, declared a transformer",
}
record = Recording("optimize/accuracy_control", declares=("control.*",))
reverted = {
    task: [quantizers(folder / "plain.xml") - quantizers(folder / "controlled.xml") for folder in made]
    for task, made in folders.items()
}
for task, made in folders.items():
    count = sum(map(len, reverted[task]))
    of = sum(len(quantizers(folder / "plain.xml")) for folder in made)
    record.add_value(f"control.{task}.reverted", count, "count", label=f"{task}: quantizers removed")
    record.add_value(
        f"control.{task}.quantizers", of, "count", label=f"{task}: quantizers in the plain models"
    )
    for part in ("plain", "controlled"):
        layers = sum(int8_layers(folder / f"{part}.xml") for folder in made)
        record.add_value(
            f"control.{task}.{part}.layers", layers, "count", label=f"{task}, {NAMES[part]}: INT8 layers"
        )
rows = [
    (task, str(fold), name.removesuffix("/fq_output_0"))
    for task, found in reverted.items()
    for fold, names in enumerate(found)
    for name in sorted(names)
]
record.table(
    "reverted",
    ("Task", "Network", "Quantizer removed"),
    rows or [("none", "", "no limit was exceeded")],
    caption="Quantizers that accuracy control removed.",
)

# %%
# What it kept
# ------------
#
# On the validation set the drop is a plain fact, and NNCF has searched until it was small enough. On the test
# set it is an estimate of what further samples will show.

F32 = {"INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": "THROUGHPUT"}


def answers(task: str, part: str, which: int) -> np.ndarray:
    paths = originals[task] if part == "fp32" else [folder / f"{part}.xml" for folder in folders[task]]
    found = [
        judge(task, core.compile_model(path, "CPU", F32), samples(task, fold)[which])[1]
        for fold, path in enumerate(paths)
    ]
    return np.concatenate(found).astype(bool)


tested = {}
for task, made in folders.items():
    parts = [part for part in NAMES if task == "sentences" or part != "declared"]
    validated = {part: answers(task, part, 1) for part in parts}
    tested[task] = {part: answers(task, part, 2) for part in parts}
    for part in parts:
        label = f"{task}, {NAMES[part]}"
        judged = EvaluatedModel(task, made[0] / f"{part}.xml")
        record.add(
            f"control.{task}.{part}.accuracy",
            accuracy.accuracy(tested[task][part]),
            label=f"{label}: accuracy",
            # Sentences are judged on a part of the texts only, which is an easier task than that of others.
            evidence=judged.evidence if task == "digits" and part == "controlled" else None,
        )
        if part != "fp32":
            drop = round(100 * float(validated["fp32"].mean() - validated[part].mean()), 6)
            record.add_value(
                f"control.{task}.{part}.validation",
                drop,
                "points",
                label=f"{label}: drop on the validation set",
                n=len(validated[part]),
            )
            drop = accuracy.compare_accuracy("FP32", tested[task]["fp32"], label, tested[task][part]).drop
            record.add(f"control.{task}.{part}.drop", drop, label=f"{label}: drop on the test set")
            seconds = sum(json.loads((folder / "seconds.json").read_text())[part] for folder in made)
            record.add_value(
                f"control.{task}.{part}.took", seconds, "s", label=f"{label}: CPU time to quantize"
            )

# %%
# What it costs
# -------------
#
# Of the digits' networks, the one that lost the most quantizers is timed. The encoder gets a text of 128
# tokens.

for task, made in folders.items():
    most = max(range(len(made)), key=lambda fold: len(reverted[task][fold]))
    shapes, inputs = {}, ()
    if task == "sentences":
        inputs = (workloads.sentences().inputs,)
        shapes = dict.fromkeys(INPUTS, (1, 128))
    variants = [
        Variant(
            NAMES["fp32"],
            model=originals[task][most],
            runtime=OpenVINO(precision="f32", shapes=shapes),
            inputs=inputs,
        )
    ]
    variants += [
        Variant(NAMES[part], model=made[most] / f"{part}.xml", runtime=OpenVINO(shapes=shapes), inputs=inputs)
        for part in tested[task]
        if part != "fp32"
    ]
    budget = profiles.current().budget
    result = measure(variants, replace(budget, seconds=budget.seconds / 2), label=f"accuracy control, {task}")
    record.add_session(
        f"control.{task}", result, names={NAMES[part]: part for part in tested[task]}, title=task
    )
    cost = result.compare(NAMES["plain"], NAMES["controlled"])
    record.add_comparison(f"control.{task}.cost", cost, label=f"{task}: controlled against plain INT8")
    gain = result.compare(NAMES["fp32"], NAMES["controlled"])
    record.add_comparison(f"control.{task}.gain", gain, label=f"{task}: controlled INT8 against FP32")
    if "declared" in tested[task]:
        remedy = result.compare(NAMES["controlled"], NAMES["declared"])
        record.add_comparison(f"control.{task}.remedy", remedy, label=f"{task}: declared against controlled")
    points = [
        (NAMES[part], result.latency(NAMES[part]), accuracy.accuracy(right))
        for part, right in tested[task].items()
    ]

record.figure(
    "trade",
    lambda: plots.pareto(points),
    alt=f"Accuracy on the test set against latency, {task}: FP32, plain INT8 and controlled INT8.",
    caption=f"Accuracy on the test set against latency, {task}; up and to the left is better.",
)
if not full:
    for part in NAMES:
        ids = ["accuracy", "latency.p50", "throughput", "cpu_time"]
        ids += [] if part == "fp32" else ["validation", "drop", "took"]
        ids += ["layers"] if part in ("plain", "controlled") else []
        for quantity in ids:
            record.unavailable(f"control.sentences.{part}.{quantity}", "left to the full profile")
    for quantity in ("reverted", "quantizers", "cost", "gain", "remedy"):
        record.unavailable(f"control.sentences.{quantity}", "left to the full profile")
record.publish()
