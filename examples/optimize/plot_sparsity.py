"""
Prune a network in three ways and train it on
=============================================

NNCF sets weights of a trained network to zero in three ways, and more training
repairs what that breaks. How many of its weights does a classifier of digits need?

Explained in :doc:`/optimize/sparsity`. Install:
``pip install "optguide[frameworks,models]"``.
"""

from pathlib import Path

import numpy as np

from optguide import Recording, plots
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
# the target, and the task decides which weights go. They begin far from the
# threshold at which they hide a weight, and need a rate of their own.

LOCAL = nncf.PruneMode.UNSTRUCTURED_MAGNITUDE_LOCAL
GLOBAL = nncf.PruneMode.UNSTRUCTURED_MAGNITUDE_GLOBAL
TRAINED = nncf.PruneMode.UNSTRUCTURED_REGULARIZATION_BASED
EPOCHS = 12


def prune(folder: Path, fold: int, mode: str, ratio: float, seed: int = 0) -> None:
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
    train(pruned, images, labels, epochs=EPOCHS, rate=1e-2, seed=seed, **options)

    # By default masks stay beside the weights; IN_PLACE writes the zeros into them.
    zeros = nncf.StripFormat.IN_PLACE
    stripped = nncf.strip(pruned, example_input=image, strip_format=zeros)
    model = ov.convert_model(stripped, example_input=image, input=[1, 1, 8, 8])
    ov.save_model(model, folder / "model.xml", compress_to_fp16=False)
    np.save(folder / "reached.npy", nncf.pruning_statistic(pruned).pruning_ratio)


# %%
# Three ways, two ratios
# ----------------------
#
# At 80 % every way is trained from several seeds, so that intervals cover how far
# apart two trainings are.

MODES = {
    "local": ("smallest of each layer", LOCAL),
    "global": ("smallest of all", GLOBAL),
    "trained": ("trained masks", TRAINED),
}
folds = 2 if profiles.full() else 1
models, reached = {}, {}
for part, (_, mode) in MODES.items():
    for ratio, seeds in ((0.5, 1), (0.8, 3 if profiles.full() else 1)):
        made = [
            workloads.cross_validated(
                prune, folds=folds, mode=mode, ratio=ratio, seed=seed
            )
            for seed in range(seeds)
        ]
        key = f"{part}.at{100 * ratio:.0f}"
        models[key] = [[folder / "model.xml" for folder in row] for row in made]
        reached[key] = np.mean([np.load(row[0] / "reached.npy") for row in made])
record = Recording("optimize/sparsity", declares=("sparsity.[!s]*",))

# %%
# Accuracy
# --------

right = {
    "dense": answers.digits("dense", [workloads.digits(f).ir for f in range(folds)])
}
for key, trainings in models.items():
    part, _, percent = key.partition(".at")
    name = f"{MODES[part][0]}, {percent} %"
    right[key] = answers.of_trainings(
        [answers.digits(name, one) for one in trainings]
    )

curves = {
    name: [(share, right[f"{part}.at{share}"].accuracy) for share in (50, 80)]
    for part, (name, _) in MODES.items()
}
record.figure(
    "accuracy",
    lambda: plots.sweep(
        curves,
        x_label="Weights that are zero (%)",
        quantity="Accuracy",
        references={"dense": right["dense"].accuracy},
    ),
    alt="Accuracy over the share of zeros, a line per way of pruning, and dense.",
    caption=f"Accuracy after pruning and {EPOCHS} epochs of training on.",
)

# %%
# What is recorded:

answers.add_answers(record, "sparsity", right)
for key, share in reached.items():
    entry = (float(share), "share", f"{right[key].name}: weights that are zero")
    record.values("sparsity", {f"{key}.reached": entry})
better = right["global.at80"].loss(right["local.at80"])
label = "80 %, smallest of all: points more accurate than of each layer"
record.values("sparsity", {"global_over_local": (better, label)})
record.publish()
