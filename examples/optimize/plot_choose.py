"""
Compare every compressed model in speed, size and loss
======================================================

One model of every method in this chapter takes part: latency in one session per
task, size of the weights, and the loss of accuracy that the method's own example
recorded.

Explained in :doc:`/optimize/choose`. Install:
``pip install "optguide[frameworks,models]"``, then run the other examples of this
chapter.
"""

from optguide import OpenVINO, Recording, Variant, measure, plots, records
from optguide.errors import RecordsError
from optguide.guide import profiles
from optguide.records.model import EvaluatedModel
from optguide.stats.estimate import Estimate

# %%
# The models
# ----------
#
# Every example of this chapter wrote down, as evidence beside each accuracy, the
# model that it judged. That is enough to run the model again. Each row here is one
# method.

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
judged = {}
for methods in METHODS.values():
    for _, name in methods.values():
        result = recorded.get(f"{name}.accuracy")
        model = result and EvaluatedModel.of(result)
        if model and model.model.exists():
            judged[name] = model
if not {"ptq.sentences.f32", "ptq.digits.f32"} <= set(judged):
    raise RecordsError(
        "The original models of this chapter are not among the results here.",
        "Run plot_post_training_quantization.py first, or run `nox -s docs`.",
    )

# %%
# Latency, one session per task
# -----------------------------
#
# All models of a task take turns. Everything runs in the precision that the device
# chooses by itself, because that is what an application gets; only the first row
# pins f32. Accuracy is judged in f32 where the method is to be blamed for its own
# loss alone. The table says both.

record = Recording("optimize/choose", declares=("choose.*",))
tokens = ("input_ids", "attention_mask", "token_type_ids")
for task, methods in METHODS.items():
    shapes = dict.fromkeys(tokens, (1, 128)) if task == "sentences" else {}
    default, f32 = OpenVINO(shapes=shapes), OpenVINO(shapes=shapes, precision="f32")
    variants = {
        part: Variant(label, judged[name].model, f32 if part == "f32" else default)
        for part, (label, name) in methods.items()
        if name in judged
    }
    share = 1.0 if task == "sentences" else 0.6
    session = measure(
        list(variants.values()), profiles.budget(share), label=TITLES[task]
    )

    original = methods["default"][0]
    rows, points = [], []
    for part in variants:
        label, name = methods[part]
        latency, model = session.latency(label), judged[name]
        drop, n = recorded.get(f"{name}.drop"), recorded[f"{name}.accuracy"].n
        loss = (
            Estimate(
                drop.value, drop.low, drop.high, drop.unit, drop.n, drop.method
            )
            if drop
            else Estimate(0.0, 0.0, 0.0, "points", n)
        )
        size = float(model.model.with_suffix(".bin").stat().st_size)
        timed = session.series[label].effective["INFERENCE_PRECISION_HINT"]
        weights = Estimate(size, size, size, "bytes", 1)
        rows.append(
            (label, latency, timed, weights, loss, model.precision or timed)
        )
        points.append((label, latency, loss.scaled(-1, "points")))
        entry = {f"{part}.size": (size, "bytes", f"{label}: size of the weights")}
        record.values(f"choose.{task}", entry)
    speeds = {f"{part}.speed": (original, one) for part, one in variants.items()}
    del speeds["default.speed"]
    record.ratios(f"choose.{task}", session, speeds)
    for part in methods.keys() - variants.keys():
        reason = f"{methods[part][1]} was not measured here"
        record.unavailable(f"choose.{task}.{part}.speed", reason)
        record.unavailable(f"choose.{task}.{part}.size", reason)
    record.table(
        task,
        ("Method", "Latency (median)", "Timed in", "Weights", "Loss", "Judged in"),
        sorted(rows, key=lambda row: row[1].value),
        caption=f"{TITLES[task]}, the fastest first. Timed in: precision of layers "
        "that are not in 8 bits.",
    )
    record.figure(
        f"pareto-{task}",
        lambda points=points: plots.pareto(
            points, y_quantity="Accuracy against the original"
        ),
        alt=f"{TITLES[task]}: accuracy gained or lost against latency, by method.",
        caption=f"{TITLES[task]}: accuracy and median latency of the models in the "
        "table. Up and left is better.",
    )
record.publish()
