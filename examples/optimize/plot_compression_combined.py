"""
Prune and quantize in one training
==================================

Pruned and quantized in one training, with the original network as a teacher and without. Each step of the way
is kept as a model, and all of them answer the same test images.
"""

# %%
# One module, two restrictions
# ----------------------------
#
# :func:`nncf.prune` and :func:`nncf.quantize` both return a module with something put in, so one can
# follow the other. Pruning comes first here: the quantizers then see the activations of the network that
# remains. The teacher is the network before both. Its answers are softer than labels, and say which
# mistakes are near.

from dataclasses import replace
from pathlib import Path
from zlib import compress

import numpy as np

from optguide import OpenVINO, Recording, Variant, measure, plots
from optguide.guide import profiles, workloads
from optguide.guide.workloads.digits import build, correct, data, train
from optguide.records.model import EvaluatedModel
from optguide.stats import accuracy

workloads.no_telemetry()

import nncf
import openvino as ov
import torch
from torch.nn.functional import kl_div, log_softmax

SPARSITY, TEMPERATURE = 0.5, 3.0


def restrict_and_train(
    folder: Path, prune: bool, quantize: bool, distil: bool, fold: int, seed: int, epochs: int
) -> None:
    """Write the network after the chosen restrictions and after training on with them."""
    digits, module, teacher = data(fold), build(fold), build(fold)
    images = torch.tensor(digits.train_images)
    if prune:
        mode = nncf.PruneMode.UNSTRUCTURED_MAGNITUDE_GLOBAL
        module = nncf.prune(module, mode, ratio=SPARSITY, examples_inputs=images[:1])
    if quantize:
        module = nncf.quantize(module, nncf.Dataset(images[:300].split(1)), subset_size=300)

    def disagreement(batch: torch.Tensor, logits: torch.Tensor) -> torch.Tensor:
        with torch.no_grad():
            wanted = log_softmax(teacher(batch) / TEMPERATURE, dim=1)
        given = log_softmax(logits / TEMPERATURE, dim=1)
        return TEMPERATURE**2 * kl_div(given, wanted, reduction="batchmean", log_target=True)

    train(
        module,
        digits.train_images,
        digits.train_labels,
        epochs=epochs,
        rate=3e-3,
        seed=seed,
        extra_loss=disagreement if distil else None,
    )
    stripped = nncf.strip(module, example_input=images[:1])
    model = ov.convert_model(stripped, example_input=images[:1], input=[1, 1, 8, 8])
    ov.save_model(model, folder / "model.xml", compress_to_fp16=False)


# %%
# The combinations
# ----------------
#
# One restriction alone, both, and both with the teacher. All train for the same number of epochs at the
# same rate. Each fold holds out other images and is trained from a seed of its own.

full = profiles.current().name == "full"
folds, epochs = (range(3), 6) if full else (range(1), 4)
ways = {
    "pruned": ("pruned", {"prune": True, "quantize": False, "distil": False}),
    "int8": ("quantized", {"prune": False, "quantize": True, "distil": False}),
    "both": ("pruned and quantized", {"prune": True, "quantize": True, "distil": False}),
    "taught": ("both, with a teacher", {"prune": True, "quantize": True, "distil": True}),
}
torch.set_num_threads(1)  # threads cost more than they bring to a network this small
models = {
    (way, fold): workloads.cached_artifact(restrict_and_train, **options, fold=fold, seed=fold, epochs=epochs)
    / "model.xml"
    for way, (_, options) in ways.items()
    for fold in folds
}

record = Recording("optimize/compression_combined", declares=("combined.*",))
core, exact = ov.Core(), {"INFERENCE_PRECISION_HINT": "f32"}


def answers(model: Path, fold: int) -> np.ndarray:
    return correct(core.compile_model(model, "CPU", exact), fold)


fp32 = np.concatenate([answers(workloads.digits(fold).ir, fold) for fold in folds])
found = {way: np.concatenate([answers(models[way, fold], fold) for fold in folds]) for way in ways}

# %%
# Accuracy and size
# -----------------
#
# A file with zeros is as large as one without. What is sent over a network is packed, and there zeros and
# 8-bit weights both pay.

record.add("combined.fp32.accuracy", accuracy.accuracy(fp32), label="original: accuracy")
for way, (name, _) in ways.items():
    record.add(
        f"combined.{way}.accuracy",
        accuracy.accuracy(found[way]),
        label=f"{name}: accuracy",
        evidence=EvaluatedModel("digits", models[way, 0]).evidence,
    )
    drop = accuracy.compare_accuracy("original", fp32, name, found[way]).drop
    record.add(f"combined.{way}.drop", drop, label=f"{name}: drop from the original")
taught = accuracy.compare_accuracy("both", found["both"], "both, with a teacher", found["taught"]).drop
record.add("combined.teacher", taught.scaled(-1, "points"), label="points that the teacher brings")

files = {"fp32": ("original", workloads.digits(0).ir)} | {
    way: (name, models[way, 0]) for way, (name, _) in ways.items()
}
for way, (name, model) in files.items():
    weights = model.with_suffix(".bin").read_bytes()
    record.add_value(f"combined.{way}.size", len(weights), "bytes", label=f"{name}: weights")
    packed = len(compress(weights, level=9))
    record.add_value(f"combined.{way}.packed", packed, "bytes", label=f"{name}: weights, packed by zlib")

# %%
# Speed
# -----
#
# All of them pin f32, so that zeros and 8 bits are the only differences.

f32 = OpenVINO(precision="f32")
variants = [Variant(name, model=model, runtime=f32) for name, model in files.values()]
budget = profiles.current().budget
result = measure(variants, replace(budget, seconds=budget.seconds / 2), label="compressed digits")
record.add_session("combined", result, names={name: way for way, (name, _) in files.items()})
record.add_comparison("combined.speed", result.compare("quantized", "pruned and quantized"))

record.figure(
    "accuracy",
    lambda: plots.bars(
        [("original", accuracy.accuracy(fp32))]
        + [(name, accuracy.accuracy(found[way])) for way, (name, _) in ways.items()],
        "share",
        quantity="Accuracy",
        reference="original",
    ),
    alt="One bar per combination: accuracy on held-out digits with its interval, the original as reference.",
    caption=f"Accuracy after {epochs} epochs under each restriction; pruned means that half of the weights "
    "are zero.",
)
record.publish()
