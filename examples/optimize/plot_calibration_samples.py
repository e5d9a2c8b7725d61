"""
Calibrate INT8 with few, many and wrong samples
===============================================

``nncf.quantize`` takes the ranges of all tensors from samples. How many does it
need, and what happens if they are not what the model will see?

Explained in :doc:`/optimize/post-training-quantization`. Install:
``pip install "optguide[frameworks,models]"``.
"""

from pathlib import Path

import numpy as np

from optguide import Recording, plots
from optguide.guide import profiles, workloads
from optguide.guide.workloads import answers, retrieval
from optguide.guide.workloads.digits import FOLDS, data

workloads.no_telemetry()

import nncf
import openvino as ov

# %%
# Images
# ------
#
# A network reads handwritten digits. It is calibrated with images that it was
# trained on, and with wrong ones: pixels from 0 to 255 where it expects 0 to 1,
# random pixels, and no digit other than 1. NNCF takes all of them without a word.


def quantize_digits(
    folder: Path, fold: int, count: int, kind: str = "right"
) -> None:
    model = ov.Core().read_model(workloads.digits(fold).ir)
    digits, random = data(fold), np.random.default_rng(fold)
    images = random.permutation(digits.train_images)
    if kind == "pixels":
        images = images * 255
    elif kind == "noise":
        images = random.random(images.shape, np.float32)
    elif kind == "ones":
        images = digits.train_images[digits.train_labels == 1]
    samples = [image[None] for image in images[:count]]
    quantized = nncf.quantize(model, nncf.Dataset(samples), subset_size=count)
    ov.save_model(quantized, folder / "model.xml", compress_to_fp16=False)


# %%
# Texts
# -----


def quantize_encoder(folder: Path, count: int) -> None:
    model = ov.Core().read_model(workloads.sentences_dynamic().ir)
    texts = retrieval.tokens(retrieval.calibration(count))
    quantized = nncf.quantize(
        model,
        nncf.Dataset(texts),
        subset_size=count,
        model_type=nncf.ModelType.TRANSFORMER,
    )
    ov.save_model(quantized, folder / "model.xml", compress_to_fp16=False)


# %%
# Accuracy
# --------
#
# All quantized models run in the device's default precision, the originals in f32.


def digits_int8(count: int, kind: str = "right") -> answers.RightAnswers:
    folders = workloads.cross_validated(
        quantize_digits, folds=FOLDS, count=count, kind=kind
    )
    models = [folder / "model.xml" for folder in folders]
    return answers.digits(f"{count} samples, {kind}", models, {})


def encoder_int8(count: int) -> answers.RightAnswers:
    model = workloads.cached_artifact(quantize_encoder, count=count) / "model.xml"
    return answers.texts(f"{count} texts", model, some, {})


some = None if profiles.full() else 100
texts = {count: encoder_int8(count) for count in (10, 300, 500)}
digits = {count: digits_int8(count) for count in (1, 10, 100, 300, 1000)}
wrong = {kind: digits_int8(100, kind) for kind in ("pixels", "noise", "ones")}
encoder = answers.texts("32-bit floats", workloads.sentences_dynamic().ir, some)
originals = [workloads.digits(fold).ir for fold in range(FOLDS)]
network = answers.digits("32-bit floats", originals)
record = Recording(
    "optimize/calibration_samples", declares=("ptq.more.*", "ptq.bad.*")
)

# %%
# How many samples?
# -----------------

losses = {
    "sentences": [(count, encoder.loss(one)) for count, one in texts.items()],
    "digits": [(count, network.loss(one)) for count, one in digits.items()],
}
record.figure(
    "samples",
    lambda: plots.sweep(
        losses, x_label="Samples (count)", quantity="Accuracy drop", log_x=True
    ),
    alt="Accuracy drop against the number of calibration samples, with intervals.",
    caption="Accuracy that quantization costs; lower is better.",
)

# %%
# What is recorded:

more = {
    "sentences": (
        texts[500].loss(texts[300]),
        "texts: drop from 500 samples to 300",
    ),
    "digits": (digits[1000].loss(digits[300]), "digits: drop from 1000 to 300"),
}
record.values("ptq.more", more)
bad = {
    kind: (network.loss(one), f"{one.name}: drop") for kind, one in wrong.items()
}
record.values("ptq.bad", bad)
record.publish()
