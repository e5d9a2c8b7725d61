"""
Choose a method: speed, size and loss of all of them
====================================================

One model of every method in this chapter, measured side by side: latency in one session per task and in the
device's own precision, size of the weights, and the loss of accuracy that the method's own example recorded.
"""

# %%
# The models
# ----------
#
# Every example of this chapter wrote down, as evidence beside each accuracy, the model that it judged. That
# is enough to run the model again. Each row here is one method.

from dataclasses import replace

from optguide import OpenVINO, Recording, Variant, measure, plots, records
from optguide.errors import RecordsError
from optguide.guide import profiles
from optguide.guide.workloads.minilm import INPUTS
from optguide.records.model import EvaluatedModel
from optguide.stats.estimate import Estimate

METHODS = {
    "sentences": {
        "f32": ("Original, f32 pinned", "ptq.sentences.f32"),
        "default": ("Original, default precision", "ptq.sentences.default"),
        "int8": ("Quantized after training", "ptq.sentences.int8"),
        "weights8": ("INT8 weights", "weights.int8"),
        "weights4": ("4-bit weights", "weights.int4_all"),
    },
    "digits": {
        "f32": ("Original, f32 pinned", "ptq.digits.f32"),
        "default": ("Original, default precision", "ptq.digits.default"),
        "int8": ("Quantized after training", "ptq.digits.int8"),
        "control": ("Quantized with accuracy control", "control.digits.controlled"),
        "qat": ("Quantized in training", "qat.int8"),
        "combined": ("Pruned and quantized in training", "combined.both"),
        "pot": ("Quantized by POT 2023.3", "pot.plain.pot"),
    },
}
TITLES = {"sentences": "Sentence encoder", "digits": "Handwritten digits"}

recorded = records.load(allow_mixed=True).results
judged = {
    name: model
    for methods in METHODS.values()
    for _, name in methods.values()
    if f"{name}.accuracy" in recorded
    and (model := EvaluatedModel.of(recorded[f"{name}.accuracy"]))
    and model.model.exists()
}
if not {"ptq.sentences.f32", "ptq.digits.f32"} <= set(judged):
    raise RecordsError(
        "The original models of this chapter are not among the results of this build.",
        "Run plot_post_training_quantization.py first, or run `nox -s docs`.",
    )

# %%
# Latency, one session per task
# -----------------------------
#
# All models of a task take turns. Everything runs in the precision that the device chooses by itself, because
# that is what an application gets; only the first row pins f32. Accuracy is judged in f32 where the method is
# to be blamed for its own loss alone. The table says both.

record = Recording("optimize/choose", declares=("choose.*",))
budget = profiles.current().budget
for task, methods in METHODS.items():
    shapes = dict.fromkeys(INPUTS, (1, 128)) if task == "sentences" else {}
    present = {part: label for part, (label, name) in methods.items() if name in judged}
    variants = [
        Variant(
            label,
            model=str(judged[methods[part][1]].model),
            runtime=OpenVINO(precision="f32" if part == "f32" else None, shapes=shapes),
        )
        for part, label in present.items()
    ]
    share = 1.0 if task == "sentences" else 0.6
    session = measure(variants, replace(budget, seconds=share * budget.seconds), label=TITLES[task])

    rows, points = [], []
    for part, (label, name) in methods.items():
        if part not in present:
            for what in ("speed", "size"):
                record.unavailable(f"choose.{task}.{part}.{what}", f"{name} was not measured here")
            continue
        size = float(judged[name].model.with_suffix(".bin").stat().st_size)
        record.add_value(f"choose.{task}.{part}.size", size, "bytes", label=f"{label}: size of the weights")
        if part != "default":
            speed = session.compare(present["default"], label)
            record.add_comparison(f"choose.{task}.{part}.speed", speed)
        loss = Estimate(0.0, 0.0, 0.0, "points", recorded[f"{name}.accuracy"].n)
        if f"{name}.drop" in recorded:
            drop = recorded[f"{name}.drop"]
            loss = Estimate(drop.value, drop.low, drop.high, drop.unit, drop.n, drop.method)
        timed = session.series[label].effective["INFERENCE_PRECISION_HINT"]
        weights = Estimate(size, size, size, "bytes", 1)
        rows.append((label, session.latency(label), timed, weights, loss, judged[name].precision or timed))
        points.append((label, session.latency(label), loss.scaled(-1, "points")))

    record.table(
        task,
        ("Method", "Latency (median)", "Timed in", "Weights", "Loss", "Judged in"),
        sorted(rows, key=lambda row: row[1].value),
        caption=f"{TITLES[task]}, the fastest first. Timed in: the floats of layers that are not in 8 bits.",
    )
    record.figure(
        f"pareto-{task}",
        lambda points=points: plots.pareto(points, y_quantity="Accuracy against the original"),
        alt=f"{TITLES[task]}: accuracy gained or lost against latency, one point per method with intervals.",
        caption=f"{TITLES[task]}: accuracy against the original and median latency of the models in the "
        "table. Up and left is better.",
    )

# %%
# Every result with its interval, published in one step:

record.publish()
