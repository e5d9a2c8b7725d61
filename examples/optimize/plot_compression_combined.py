"""
Prune and quantize a network in one training
============================================

How to make half of the weights zero and all of them 8 bits wide in one training,
for a small download, and what either step brings alone.

Explained in :doc:`/optimize/compression-combined`. Install:
``pip install "optguide[frameworks,models]"``.
"""

from pathlib import Path
from zlib import compress

from optguide import OpenVINO, Recording, Variant, measure
from optguide.guide import profiles, workloads
from optguide.guide.workloads import answers
from optguide.guide.workloads.digits import build, data, train

workloads.no_telemetry()

import nncf
import openvino as ov
import torch

# %%
# Prune, quantize, train, convert
# -------------------------------
#
# :func:`nncf.prune` and :func:`nncf.quantize` both return a module with something
# put in, so one can follow the other. Pruning comes first: the quantizers then see
# the activations of the network that remains.


def restrict(folder: Path, fold: int, prune: bool, quantize: bool) -> None:
    images, labels = data(fold).train_images, data(fold).train_labels
    module, image = build(fold), torch.tensor(images[:1])
    if prune:
        mode = nncf.PruneMode.UNSTRUCTURED_MAGNITUDE_GLOBAL
        module = nncf.prune(module, mode, ratio=0.5, examples_inputs=image)
    if quantize:
        calibration = nncf.Dataset(torch.tensor(images[:300]).split(1))
        module = nncf.quantize(module, calibration, subset_size=300)
    train(module, images, labels, epochs=6, rate=3e-3, seed=fold)
    stripped = nncf.strip(module, example_input=image)
    model = ov.convert_model(stripped, example_input=image, input=[1, 1, 8, 8])
    ov.save_model(model, folder / "model.xml", compress_to_fp16=False)


# %%
# One step alone, and both, each for several networks that hold out other images:

NAMES = {
    "fp32": "original",
    "pruned": "pruned",
    "int8": "quantized",
    "both": "pruned and quantized",
}
folds = 3 if profiles.full() else 1
models = {"fp32": [workloads.digits(fold).ir for fold in range(folds)]}
for way in ("pruned", "int8", "both"):
    folders = workloads.cross_validated(
        restrict, folds=folds, prune=way != "int8", quantize=way != "pruned"
    )
    models[way] = [folder / "model.xml" for folder in folders]
record = Recording("optimize/compression_combined", declares=("combined.*",))

# %%
# Accuracy, and speed with f32 pinned, so that zeros and 8 bits are the only
# differences:

right = {way: answers.digits(NAMES[way], paths) for way, paths in models.items()}
f32 = OpenVINO(precision="f32")
variants = {way: Variant(NAMES[way], models[way][0], f32) for way in models}
result = measure(variants.values(), profiles.budget(0.5), label="compressed digits")

# %%
# Size
# ----
#
# A file with zeros is as large as one without. Packed for a download, it shrinks
# with zeros as well as with 8-bit weights.

for way, (path, *_) in models.items():
    packed = len(compress(path.with_suffix(".bin").read_bytes(), level=9))
    entry = (packed, "bytes", f"{NAMES[way]}: weights, packed by zlib")
    record.values(f"combined.{way}", {"packed": entry})

# %%
# What is recorded:

answers.accuracy_figure(record, right, "Pruned: half of the weights are zero.")
answers.add_answers(record, "combined", right, also=["size"])
record.session("combined", result, variants)
record.ratios("combined", result, {"speed": (variants["int8"], variants["both"])})
record.publish()
