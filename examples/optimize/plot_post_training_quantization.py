"""
Quantize a model to INT8 after training
=======================================

Weights and activations in 8 bits, from a trained model and some hundred samples of
what it will see. A sentence encoder and a classifier of digits are held against
their originals: accuracy, size and speed.

Explained in :doc:`/optimize/post-training-quantization`. Install:
``pip install "optguide[frameworks,models]"``.
"""

from pathlib import Path

from optguide import OpenVINO, Recording, Variant, measure, plots
from optguide.guide import profiles, workloads
from optguide.guide.workloads import answers, retrieval
from optguide.guide.workloads.digits import FOLDS, data

workloads.no_telemetry()

import nncf
import openvino as ov

# %%
# The call
# --------
#
# ``nncf.quantize`` runs the samples through the model, notes the range of each
# tensor, and returns the model with those ranges in it. A sentence encoder is a
# transformer, and has to be declared as one: see :doc:`plot_transformer_trap`.

encoder = workloads.sentences_dynamic().ir


def quantize_encoder(folder: Path) -> None:
    model = ov.Core().read_model(encoder)
    texts = retrieval.tokens(retrieval.calibration(300))
    quantized = nncf.quantize(
        model,
        nncf.Dataset(texts),
        subset_size=300,
        model_type=nncf.ModelType.TRANSFORMER,
    )
    ov.save_model(quantized, folder / "model.xml", compress_to_fp16=False)


encoder_int8 = workloads.cached_artifact(quantize_encoder) / "model.xml"

# %%
# The second model reads handwritten digits, with a network for each fifth of the
# images that is held out. It is calibrated with images that it was trained on.


def quantize_digits(folder: Path, fold: int) -> None:
    model = ov.Core().read_model(workloads.digits(fold).ir)
    samples = [image[None] for image in data(fold).train_images[:300]]
    quantized = nncf.quantize(model, nncf.Dataset(samples), subset_size=300)
    ov.save_model(quantized, folder / "model.xml", compress_to_fp16=False)


folders = workloads.cross_validated(quantize_digits, folds=FOLDS)
digits_int8 = [folder / "model.xml" for folder in folders]

# %%
# Accuracy
# --------
#
# Every model runs as an application would run it: originals pinned to 32-bit floats
# and in the device's default precision, quantized ones in the default, which their
# remaining layers get. Drops are paired by question.

count = None if profiles.full() else 100
originals = [workloads.digits(fold).ir for fold in range(FOLDS)]
names = {"f32": "32-bit floats", "default": "default precision", "int8": "INT8"}
texts = {
    "f32": answers.texts(names["f32"], encoder, count),
    "default": answers.texts(names["default"], encoder, count, {}),
    "int8": answers.texts(names["int8"], encoder_int8, count, {}),
}
digits = {
    "f32": answers.digits(names["f32"], originals),
    "default": answers.digits(names["default"], originals, {}),
    "int8": answers.digits(names["int8"], digits_int8, {}),
}
record = Recording(
    "optimize/post_training_quantization", declares=("ptq.[!bm]*", "ptq.busy.*")
)

# %%
# Speed
# -----
#
# One text of 128 tokens after the other, several texts in flight, and images.

shapes = {port.any_name: (1, 128) for port in ov.Core().read_model(encoder).inputs}
default, f32 = OpenVINO(shapes=shapes), OpenVINO(shapes=shapes, precision="f32")
many = OpenVINO(
    shapes=shapes, properties={"PERFORMANCE_HINT": "THROUGHPUT"}, requests=0
)
text = (workloads.sentences().inputs,)
encoding = measure(
    [
        Variant(names["f32"], encoder, f32, text),
        Variant(names["default"], encoder, default, text),
        Variant(names["int8"], encoder_int8, default, text),
        Variant("default precision, in flight", encoder, many, text),
        Variant("INT8, in flight", encoder_int8, many, text),
    ],
    profiles.budget(0.7),
    label="encoder in 8 bits",
)
resnet50, image = workloads.resnet50(), (workloads.resnet50().inputs,)
classifying = measure(
    [
        Variant(names["f32"], resnet50.ir, OpenVINO(precision="f32"), image),
        Variant(names["default"], resnet50.ir, inputs=image),
        Variant(names["int8"], workloads.resnet50_int8().ir, inputs=image),
    ],
    profiles.budget(0.4),
    label="ResNet-50 in 8 bits",
)

# %%
# What is recorded:

answers.add_answers(
    record, "ptq.sentences", texts, title="sentences", also=["size"]
)
answers.add_answers(record, "ptq.digits", digits, title="digits", also=["size"])
busy = {"default": "default precision, in flight", "int8": "INT8, in flight"}
record.session("ptq.sentences", encoding, names, title="sentences")
record.session("ptq.busy", encoding, busy, title="sentences")
record.session("ptq.resnet50", classifying, names, title="ResNet-50")
pairs = {part: (names[part], names["int8"]) for part in ("f32", "default")}
in_flight = {"default": (busy["default"], busy["int8"])}
gains = record.ratios("ptq.gain.sentences", encoding, pairs, title="sentences")
gains |= record.ratios("ptq.gain.resnet50", classifying, pairs, title="ResNet-50")
gains |= record.ratios("ptq.gain.busy", encoding, in_flight, "throughput")
record.figure(
    "gains",
    lambda: plots.ratios(list(gains.items()), quantity="INT8 against the original"),
    alt="How many times faster INT8 is than 32-bit floats and than the default.",
    caption="How many times faster INT8 is: latency, and throughput in flight.",
)
record.publish()
