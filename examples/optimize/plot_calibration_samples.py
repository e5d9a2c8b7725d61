"""
Calibrate INT8 with few, many and wrong samples
===============================================

How many samples ``nncf.quantize`` needs to take the ranges of all tensors from, and
what happens if they are not what the model will see.

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
# How many?
# ---------
#
# A sentence encoder is calibrated with more and more texts.

encoder = workloads.sentences_dynamic().ir


def quantize_encoder(folder: Path, count: int) -> None:
    model = ov.Core().read_model(encoder)
    texts = retrieval.tokens(retrieval.calibration(count))
    quantized = nncf.quantize(
        model,
        nncf.Dataset(texts),
        subset_size=count,
        model_type=nncf.ModelType.TRANSFORMER,
    )
    ov.save_model(quantized, folder / "model.xml", compress_to_fp16=False)


queries = None if profiles.full() else 100
original = answers.texts("32-bit floats", encoder, queries)
texts = {}
for count in (10, 100, 300, 500) if profiles.full() else (10, 300, 500):
    model = workloads.cached_artifact(quantize_encoder, count=count) / "model.xml"
    texts[count] = answers.texts(f"{count} texts", model, queries, {})

# %%
# Which ones?
# -----------
#
# A network reads handwritten digits. It is calibrated with images that it was
# trained on, and with wrong ones: pixels from 0 to 255 where it expects 0 to 1,
# random pixels, and no digit other than 1. NNCF takes all of them without a word.


def quantize_digits(folder: Path, fold: int, kind: str, count: int) -> None:
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


folds = FOLDS if profiles.full() else 1
network = [workloads.digits(fold).ir for fold in range(folds)]
right = {"f32": answers.digits("32-bit floats", network)}
counts = {"right": 300, "more": 1000, "pixels": 100, "noise": 100, "ones": 100}
for kind, count in counts.items():
    folders = workloads.cross_validated(
        quantize_digits, folds=folds, kind=kind, count=count
    )
    models = [folder / "model.xml" for folder in folders]
    right[kind] = answers.digits(f"{count} images, {kind}", models, {})

# %%
# What is recorded:

record = Recording(
    "optimize/calibration_samples", declares=("ptq.more.*", "ptq.bad.*")
)
losses = [(count, original.loss(one)) for count, one in texts.items()]
record.figure(
    "samples",
    lambda: plots.sweep(
        {"encoder": losses}, x_label="Texts (count)", quantity="Loss", log_x=True
    ),
    alt="Loss of accuracy against the number of calibration texts, with intervals.",
    caption="Accuracy that quantization costs the encoder; lower is better.",
)
more = {
    "sentences": (texts[500].loss(texts[300]), "drop from 500 texts to 300"),
    "digits": (right["more"].loss(right["right"]), "drop from 1000 images to 300"),
}
record.values("ptq.more", more)
for kind in ("right", "pixels", "noise", "ones"):
    drop = (right["f32"].loss(right[kind]), f"{right[kind].name}: drop")
    record.values("ptq.bad", {kind: drop})
record.publish()
