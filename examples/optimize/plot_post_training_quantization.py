"""
Quantize a model after training
===============================

Weights and activations in 8 bits, from a trained model and some samples of what it will see. A sentence
encoder and a classifier of digits are quantized, with few and many samples and with wrong ones, and held
against their originals: accuracy, size, speed, first inference.
"""

# %%
# The call
# --------
#
# ``nncf.quantize`` runs the samples through the model, notes the range of each tensor, and returns the
# model with those ranges in it. It takes wrong samples without a word, so ours are checked first. The
# transformer is declared as one; :doc:`plot_transformer_trap` shows why.

from dataclasses import replace
from pathlib import Path

import numpy as np

from optguide import Recording, Variant, first_inference, measure, plots
from optguide.guide import profiles, workloads
from optguide.guide.workloads import evaluation, retrieval
from optguide.guide.workloads.digits import FOLDS, correct, data
from optguide.guide.workloads.minilm import INPUTS
from optguide.optimize.compression import calibration
from optguide.records.model import EvaluatedModel
from optguide.stats import accuracy

workloads.no_telemetry()

import nncf
import openvino as ov

encoder = workloads.sentences_dynamic()


def quantize_encoder(folder: Path, source: str, count: int) -> None:
    model = ov.Core().read_model(source)
    samples = calibration.checked(model, retrieval.tokens(retrieval.calibration(count)))
    quantized = nncf.quantize(
        model, nncf.Dataset(samples), subset_size=count, model_type=nncf.ModelType.TRANSFORMER
    )
    ov.save_model(quantized, folder / "model.xml", compress_to_fp16=False)


# %%
# ``subset_size`` is how many samples NNCF takes from the data set; 300 without it. Of the digits there is
# one network per fold of a cross-validation, and each is quantized with images that it was trained on.
# Three times they are wrong on purpose: pixels from 0 to 255 where the network expects 0 to 1, random
# pixels, and no digit other than 1.


def images(fold: int, count: int, kind: str) -> list[np.ndarray]:
    digits, random = data(fold), np.random.default_rng(fold)
    if kind == "noise":
        return list(random.random((count, 1, 1, 8, 8), np.float32))
    known = digits.train_images[digits.train_labels == 1] if kind == "ones" else digits.train_images
    chosen = random.permutation(len(known))[:count]
    return [known[index : index + 1] * (255 if kind == "pixels" else 1) for index in chosen]


def quantize_digits(folder: Path, count: int, kind: str = "") -> None:
    for fold in range(FOLDS):
        model = ov.Core().read_model(workloads.digits(fold).ir)
        samples = calibration.checked(model, images(fold, count, kind))
        quantized = nncf.quantize(model, nncf.Dataset(samples), subset_size=count)
        ov.save_model(quantized, folder / f"{fold}.xml", compress_to_fp16=False)


profile = profiles.current()
full = profile.name == "full"
counts = {"sentences": (10, 300, 500), "digits": (1, 3, 10, 30, 100, 300, 1000)}
if not full:
    counts = {"sentences": (300, 500), "digits": (10, 300, 1000)}
originals = [workloads.digits(fold).ir for fold in range(FOLDS)]
encoders = {
    count: workloads.cached_artifact(quantize_encoder, source=str(encoder.ir), count=count) / "model.xml"
    for count in counts["sentences"]
}
readers = {count: workloads.cached_artifact(quantize_digits, count=count) for count in counts["digits"]}
WRONG = {"pixels": "pixels not scaled", "noise": "random pixels", "ones": "one digit only"}
misled = {kind: workloads.cached_artifact(quantize_digits, count=100, kind=kind) for kind in WRONG}

# %%
# Accuracy
# --------
#
# Every model runs as an application would run it: the originals once pinned to 32-bit floats and once in
# the default precision, quantized ones in the default precision, which is what their remaining layers get.
# The same queries and the same images are put to all, so every drop is paired.

core = ov.Core()
F32 = {"INFERENCE_PRECISION_HINT": "f32"}


def found(model: Path, **properties: str) -> np.ndarray:
    return evaluation.evaluate(model, None if full else 100, **properties).hits


def read(folder: Path | None = None, **properties: str) -> np.ndarray:
    models = [folder / f"{fold}.xml" for fold in range(FOLDS)] if folder else originals
    return np.concatenate(
        [correct(core.compile_model(model, "CPU", properties), fold) for fold, model in enumerate(models)]
    )


NAMES = {"f32": "32-bit floats", "default": "default precision", "int8": "INT8"}
by_count = {
    "sentences": {count: found(model) for count, model in encoders.items()},
    "digits": {count: read(folder) for count, folder in readers.items()},
}
answers = {
    "sentences": {"f32": found(encoder.ir, **F32), "default": found(encoder.ir)},
    "digits": {"f32": read(**F32), "default": read()},
}
files = {
    "sentences": {"f32": encoder.ir, "int8": encoders[300]},
    "digits": {"f32": originals[0], "int8": readers[300] / "0.xml"},
}


def drop(task: str, right: np.ndarray, name: str):
    return accuracy.compare_accuracy(NAMES["f32"], answers[task]["f32"], name, right).drop


record = Recording("optimize/post_training_quantization", declares=("ptq.*",))
for task, right in answers.items():
    right["int8"] = by_count[task][300]
    for part, name in NAMES.items():
        label = f"{task}, {name}"
        file = files[task]["int8" if part == "int8" else "f32"]
        judged = EvaluatedModel(
            task, file, precision="f32" if part == "f32" else None, original=part == "f32"
        )
        record.add(
            f"ptq.{task}.{part}.accuracy",
            accuracy.accuracy(right[part]),
            label=f"{label}: accuracy",
            evidence=judged.evidence,
        )
        if part != "f32":
            record.add(
                f"ptq.{task}.{part}.drop", drop(task, right[part], name), label=f"{label}: accuracy drop"
            )
    sizes = {part: path.with_suffix(".bin").stat().st_size for part, path in files[task].items()}
    for part, size in sizes.items():
        record.add_value(f"ptq.{task}.{part}.size", size, "bytes", label=f"{task}, {NAMES[part]}: weights")
    record.add_value(
        f"ptq.{task}.smaller",
        sizes["f32"] / sizes["int8"],
        "ratio",
        label=f"{task}: INT8 weights against 32-bit ones",
        above="smaller",
    )

# %%
# How many samples, and which
# ---------------------------

sweep = {
    task: [(count, drop(task, right, f"{count} samples")) for count, right in each.items()]
    for task, each in by_count.items()
}
record.figure(
    "samples",
    lambda: plots.sweep(sweep, x_label="Calibration samples (count)", quantity="Accuracy drop", log_x=True),
    alt="Accuracy drop of the quantized models against the number of calibration samples, with intervals.",
    caption="Accuracy that quantization costs, by the number of calibration samples; lower is better.",
)
for task, each in by_count.items():
    most = max(each)
    more = accuracy.compare_accuracy(f"{most} samples", each[most], "300 samples", each[300]).drop
    record.add(f"ptq.more.{task}", more, label=f"{task}: drop from {most} samples to 300")
for kind, words in WRONG.items():
    wrong = drop("digits", read(misled[kind]), words)
    record.add(f"ptq.bad.{kind}", wrong, label=f"digits, {words}: accuracy drop")

# %%
# Speed
# -----
#
# One text of 128 tokens after the other, then several in flight, and images through ResNet-50 with random
# weights. The network of the digits is left out: a call to it is hardly more than the call.

shapes = dict.fromkeys(INPUTS, (1, 128))
text, resnet50 = workloads.sentences().inputs, workloads.resnet50()
in_flight = {"properties": {"PERFORMANCE_HINT": "THROUGHPUT"}, "requests": 0}
BUSY = {"default": "default precision, in flight", "int8": "INT8, in flight"}


def variants(original: Path, int8: Path, **more) -> list[Variant]:
    pinned = Variant(NAMES["f32"], model=original).with_(NAMES["f32"], precision="f32", **more)
    return [
        pinned,
        pinned.with_(NAMES["default"], precision=None),
        pinned.with_(NAMES["int8"], precision=None, model=int8),
    ]


texts = variants(encoder.ir, encoders[300], shapes=shapes, inputs=(text,))
busy = [one.with_(name, **in_flight) for one, name in zip(texts[1:], BUSY.values(), strict=True)]
pictures = variants(resnet50.ir, workloads.resnet50_int8().ir, inputs=(resnet50.inputs,))
budget, seconds = profile.budget, profile.budget.seconds
encoding = measure([*texts, *busy], replace(budget, seconds=0.7 * seconds), label="encoder in 8 bits")
classifying = measure(pictures, replace(budget, seconds=0.4 * seconds), label="ResNet-50 in 8 bits")

parts = {name: part for part, name in NAMES.items()}
record.add_session("ptq.sentences", encoding, names=parts, title="sentences")
record.add_session("ptq.busy", encoding, names={name: part for part, name in BUSY.items()}, title="sentences")
record.add_session("ptq.resnet50", classifying, names=parts, title="ResNet-50")
in_flight_gain = encoding.compare(BUSY["default"], BUSY["int8"], "throughput")
gains = {
    "sentences.f32": ("sentences, against f32", encoding.compare(NAMES["f32"], NAMES["int8"])),
    "sentences.default": (
        "sentences, against the default",
        encoding.compare(NAMES["default"], NAMES["int8"]),
    ),
    "busy.default": ("in flight, against the default", in_flight_gain),
    "resnet50.f32": ("ResNet-50, against f32", classifying.compare(NAMES["f32"], NAMES["int8"])),
    "resnet50.default": (
        "ResNet-50, against the default",
        classifying.compare(NAMES["default"], NAMES["int8"]),
    ),
}
for part, (name, gain) in gains.items():
    record.add_comparison(f"ptq.gain.{part}", gain, label=f"INT8, {name}: {gain.quantity}")
record.figure(
    "gains",
    lambda: plots.ratios(
        [(name, gain.ratio) for name, gain in gains.values()], quantity="INT8 against the original"
    ),
    alt="Forest plot: how many times faster INT8 is than 32-bit floats and than the default precision.",
    caption="How many times faster INT8 is: latency of one inference after the other, and throughput with "
    "several texts in flight.",
)

# %%
# From a fresh process to the first result. The file to read is smaller, and there is more to prepare. That
# takes many starts, so the quick profile does without.

if full:
    starts = first_inference(texts, 6, steady=1, label="starts of the encoder")
    for part, name in NAMES.items():
        record.add(f"ptq.start.{part}", starts.estimate(name), label=f"{name}: time to the first result")
    for part in ("f32", "default"):
        ratio = starts.compare(NAMES[part], NAMES["int8"])
        record.add_comparison(
            f"ptq.start.gain.{part}", ratio, label=f"INT8 against {NAMES[part]}: first inference"
        )
else:
    for part in (*NAMES, "gain.f32", "gain.default"):
        record.unavailable(f"ptq.start.{part}", "the quick profile does not time starts")
record.publish()
