"""
Prune a network in three ways and train it on
=============================================

How NNCF sets weights of a trained network to zero, how more training repairs what
that breaks, and how many of its weights a classifier of digits needs.

Explained in :doc:`/optimize/sparsity`. Install:
``pip install "optguide[frameworks,models]"``.
"""

from pathlib import Path

import numpy as np

from optguide import Recording
from optguide.guide import profiles, workloads
from optguide.guide.workloads import answers
from optguide.guide.workloads.digits import build, data, train

workloads.no_telemetry()

import nncf
import openvino as ov
import torch
from nncf.torch.function_hook.pruning.rb.losses import RBLoss

# %%
# Prune, train on, convert
# ------------------------
#
# :func:`nncf.prune` puts a mask over every weight. *Magnitude* masks hide the
# smallest weights, of each layer (local) or of all layers together (global).
# *Regularization-based* masks are trained: a penalty pulls the share of zeros to
# the target. They begin far from the threshold at which they hide a weight, and
# need a rate of their own.

LOCAL = nncf.PruneMode.UNSTRUCTURED_MAGNITUDE_LOCAL
GLOBAL = nncf.PruneMode.UNSTRUCTURED_MAGNITUDE_GLOBAL
TRAINED = nncf.PruneMode.UNSTRUCTURED_REGULARIZATION_BASED


def prune(folder: Path, fold: int, mode: str, ratio: float, seed: int) -> None:
    images, labels = data(fold).train_images, data(fold).train_labels
    image, options = torch.tensor(images[:1]), {}
    if mode == TRAINED:
        pruned = nncf.prune(build(fold), TRAINED, examples_inputs=image)
        penalty = RBLoss(pruned, target_ratio=ratio)
        options["extra_loss"] = lambda images, logits: penalty()
        options["factors"] = {".mask": 100.0}
    else:
        mode = nncf.PruneMode(mode)
        pruned = nncf.prune(build(fold), mode, ratio=ratio, examples_inputs=image)
    train(pruned, images, labels, epochs=12, rate=1e-2, seed=seed, **options)

    # By default masks stay beside the weights; IN_PLACE writes the zeros into them.
    zeros = nncf.StripFormat.IN_PLACE
    stripped = nncf.strip(pruned, example_input=image, strip_format=zeros)
    model = ov.convert_model(stripped, example_input=image, input=[1, 1, 8, 8])
    ov.save_model(model, folder / "model.xml", compress_to_fp16=False)
    np.save(folder / "reached.npy", nncf.pruning_statistic(pruned).pruning_ratio)


# %%
# Three ways
# ----------
#
# Two networks that hold out different images, each trained from several seeds, so
# that intervals cover how far apart two trainings are.

WAYS = {
    "global.at50": ("smallest of all, 50 %", GLOBAL, 0.5),
    "global.at80": ("smallest of all, 80 %", GLOBAL, 0.8),
    "local.at80": ("smallest of each layer, 80 %", LOCAL, 0.8),
    "trained.at80": ("trained masks, 80 %", TRAINED, 0.8),
}
folds, seeds = (2, 3) if profiles.full() else (1, 1)
folders = {
    way: [
        workloads.cross_validated(
            prune, folds=folds, mode=mode, ratio=ratio, seed=seed
        )
        for seed in range(seeds)
    ]
    for way, (_, mode, ratio) in WAYS.items()
}
record = Recording("optimize/sparsity", declares=("sparsity.[!s]*",))

# %%
# Accuracy
# --------

dense = [workloads.digits(fold).ir for fold in range(folds)]
right = {"dense": answers.digits("dense", dense)}
for way, trainings in folders.items():
    models = [[folder / "model.xml" for folder in row] for row in trainings]
    right[way] = answers.of_trainings(
        [answers.digits(WAYS[way][0], row) for row in models]
    )

# %%
# What is recorded:

answers.accuracy_figure(record, right, "Accuracy after pruning and more training.")
answers.add_answers(record, "sparsity", right)
for way, ((folder, *_), *_) in folders.items():
    share = float(np.load(folder / "reached.npy"))
    entry = (share, "share", f"{WAYS[way][0]}: weights that are zero")
    record.values("sparsity", {f"{way}.reached": entry})
better = right["global.at80"].loss(right["local.at80"])
label = "80 %, smallest of all: points more accurate than of each layer"
record.values("sparsity", {"global_over_local": (better, label)})
record.publish()
