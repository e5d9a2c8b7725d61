"""
Prune and quantize a network in one training
============================================

Half of the weights become zero and all of them 8 bits wide, in one training, with
the original network as a teacher and without. The goal is a small download.

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
from torch.nn.functional import kl_div, log_softmax

# %%
# Prune, quantize, train, convert
# -------------------------------
#
# :func:`nncf.prune` and :func:`nncf.quantize` both return a module with something
# put in, so one can follow the other. Pruning comes first: the quantizers then see
# the activations of the network that remains.
#
# The teacher is the network before both. Its answers are softer than labels, and
# say which mistakes are near: the loss gets a term for how far the two are apart.


def restrict(
    folder: Path, fold: int, prune=False, quantize=False, teach=False
) -> None:
    module, teacher, digits = build(fold), build(fold), data(fold)
    images = torch.tensor(digits.train_images)
    if prune:
        mode = nncf.PruneMode.UNSTRUCTURED_MAGNITUDE_GLOBAL
        module = nncf.prune(module, mode, ratio=0.5, examples_inputs=images[:1])
    if quantize:
        calibration = nncf.Dataset(images[:300].split(1))
        module = nncf.quantize(module, calibration, subset_size=300)

    def distance(batch: torch.Tensor, logits: torch.Tensor) -> torch.Tensor:
        with torch.no_grad():
            target = log_softmax(teacher(batch) / 3, dim=1)
        answer = log_softmax(logits / 3, dim=1)
        return 9 * kl_div(answer, target, reduction="batchmean", log_target=True)

    train(
        module,
        digits.train_images,
        digits.train_labels,
        epochs=6,
        rate=3e-3,
        seed=fold,
        extra_loss=distance if teach else None,
    )
    stripped = nncf.strip(module, example_input=images[:1])
    model = ov.convert_model(stripped, example_input=images[:1], input=[1, 1, 8, 8])
    ov.save_model(model, folder / "model.xml", compress_to_fp16=False)


# %%
# One restriction alone, both, and both with the teacher, each for several networks
# that hold out other images:

both = {"prune": True, "quantize": True}
ways = {
    "pruned": ("pruned", {"prune": True}),
    "int8": ("quantized", {"quantize": True}),
    "both": ("pruned and quantized", both),
    "taught": ("both, with a teacher", {**both, "teach": True}),
}
folds = 3 if profiles.full() else 1
models = {"fp32": [workloads.digits(fold).ir for fold in range(folds)]}
names = {"fp32": "original"}
for way, (name, options) in ways.items():
    folders = workloads.cross_validated(restrict, folds=folds, **options)
    names[way], models[way] = name, [folder / "model.xml" for folder in folders]
record = Recording("optimize/compression_combined", declares=("combined.*",))

# %%
# Accuracy
# --------

right = {way: answers.digits(names[way], paths) for way, paths in models.items()}
answers.accuracy_figure(record, right, "Pruned: half of the weights are zero.")

# %%
# Size
# ----
#
# A file with zeros is as large as one without. Packed for a download, it shrinks
# with zeros as well as with 8-bit weights.

packed = {}
for way, (path, *_) in models.items():
    weights = path.with_suffix(".bin").read_bytes()
    packed[way] = len(compress(weights, level=9))
    print(f"{names[way]}: {len(weights)} bytes, packed {packed[way]}")

# %%
# Speed
# -----
#
# All pin f32, so that zeros and 8 bits are the only differences.

f32 = OpenVINO(precision="f32")
variants = [Variant(names[way], paths[0], f32) for way, paths in models.items()]
result = measure(variants, profiles.budget(0.5), label="compressed digits")

# %%
# What is recorded:

answers.add_answers(record, "combined", right, also=["size"])
teacher = (right["taught"].loss(right["both"]), "points that the teacher brings")
record.values("combined", {"teacher": teacher})
for way, size in packed.items():
    label = f"{names[way]}: weights, packed by zlib"
    record.values(f"combined.{way}", {"packed": (size, "bytes", label)})
record.session("combined", result, names)
speed = {"speed": (names["int8"], names["both"])}
record.ratios("combined", result, speed)
record.publish()
