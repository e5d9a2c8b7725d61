"""
Regain accuracy by training with quantizers
===========================================

A classifier of handwritten digits is quantized after training, and then trained a little further with its
quantizers in place. All three models, and a fourth that was trained further without quantizers, answer the
same test images.
"""

# %%
# Quantize, train on, convert
# ---------------------------
#
# :func:`nncf.quantize` takes a PyTorch module too and returns one with quantizers inside. What it gives is
# post-training quantization; training that module for some more epochs is quantization-aware training.
# :func:`nncf.strip` then turns the trained quantizers into plain operations that OpenVINO converts.

from dataclasses import replace
from pathlib import Path

import numpy as np

from optguide import OpenVINO, Recording, Variant, measure, plots
from optguide.guide import profiles, workloads
from optguide.guide.workloads.digits import FOLDS, build, correct, correct_torch, data, train
from optguide.records.model import EvaluatedModel
from optguide.stats import accuracy

workloads.no_telemetry()

import nncf
import openvino as ov
import torch


def export(module: torch.nn.Module, image: torch.Tensor, path: Path) -> None:
    stripped = nncf.strip(module, example_input=image)
    ov.save_model(ov.convert_model(stripped, example_input=image, input=[1, 1, 8, 8]), path)


def quantize_and_train(folder: Path, fold: int, seed: int, epochs: int) -> None:
    """Write the model after quantization and after training, and the answers after each epoch."""
    digits, module = data(fold), build(fold)
    images = torch.tensor(digits.train_images)
    quantized = nncf.quantize(module, nncf.Dataset(images[:300].split(1)), subset_size=300)
    export(quantized, images[:1], folder / "ptq.xml")
    answers = [correct_torch(quantized, fold)]
    train(
        quantized,
        digits.train_images,
        digits.train_labels,
        epochs=epochs,
        rate=1e-3,
        seed=seed,
        after_epoch=lambda epoch: answers.append(correct_torch(quantized, fold)),
    )
    export(quantized, images[:1], folder / "qat.xml")
    np.save(folder / "answers.npy", np.stack(answers))


# %%
# A control: training on improves a model or not, with or without quantizers. So the original is trained on as
# well, for as many epochs at the same rate.


def train_on(folder: Path, fold: int, seed: int, epochs: int) -> None:
    digits, module = data(fold), build(fold)
    train(module, digits.train_images, digits.train_labels, epochs=epochs, rate=1e-3, seed=seed)
    np.save(folder / "answers.npy", correct_torch(module, fold))


# %%
# Folds
# -----
#
# Each fold holds out another part of the images, so that together the folds answer every image once. Each is
# trained from a seed of its own. What was trained before is found again.

full = profiles.current().name == "full"
folds, epochs = (range(FOLDS), 4) if full else (range(1), 3)

torch.set_num_threads(1)  # threads cost more than they bring to a network this small
trained = {
    fold: workloads.cached_artifact(quantize_and_train, fold=fold, seed=fold, epochs=epochs) for fold in folds
}
controls = [workloads.cached_artifact(train_on, fold=fold, seed=fold, epochs=epochs) for fold in folds]

# %%
# The answers that count are those of the converted models in OpenVINO. Training's own answers give the curve
# over epochs.

record = Recording("optimize/quantization_aware_training", declares=("qat.*",))
core = ov.Core()
exact = {"INFERENCE_PRECISION_HINT": "f32"}


def answers(model: Path, fold: int) -> np.ndarray:
    return correct(core.compile_model(model, "CPU", exact), fold)


fp32 = np.concatenate([answers(workloads.digits(fold).ir, fold) for fold in folds])
ptq = np.concatenate([answers(trained[fold] / "ptq.xml", fold) for fold in folds])
qat = np.concatenate([answers(trained[fold] / "qat.xml", fold) for fold in folds])
more = np.concatenate([np.load(folder / "answers.npy") for folder in controls])
by_epoch = np.concatenate([np.load(folder / "answers.npy") for folder in trained.values()], axis=1)

# %%
# Accuracy
# --------
#
# Drops are paired by image, over all folds.

models = {
    "fp32": ("FP32", fp32),
    "ptq": ("INT8 after training", ptq),
    "int8": ("INT8 in training", qat),
    "control": ("FP32, trained longer", more),
}
files = {
    "fp32": workloads.digits(0).ir,
    "ptq": trained[0] / "ptq.xml",
    "int8": trained[0] / "qat.xml",
}
for part, (name, found) in models.items():
    record.add(
        f"qat.{part}.accuracy",
        accuracy.accuracy(found),
        label=f"{name}: accuracy",
        evidence=EvaluatedModel("digits", files[part], original=part == "fp32").evidence
        if part in files
        else None,
    )
    if part != "fp32":
        drop = accuracy.compare_accuracy("FP32", fp32, name, found).drop
        record.add(f"qat.{part}.drop", drop, label=f"{name}: drop from FP32")
won = accuracy.compare_accuracy("INT8 after training", ptq, "INT8 in training", qat).drop
record.add("qat.won_back", won.scaled(-1, "points"), label="INT8: accuracy that training regained")

record.figure(
    "epochs",
    lambda: plots.sweep(
        {"INT8 in training": [(epoch, accuracy.accuracy(right)) for epoch, right in enumerate(by_epoch)]},
        x_label="Epoch (count)",
        quantity="Accuracy",
        references={"FP32": accuracy.accuracy(fp32)},
    ),
    alt="Accuracy before training on and after each epoch, with intervals and FP32 for reference.",
    caption="Accuracy of the quantized network on the held-out images during training; "
    "epoch 0 is post-training quantization.",
)

# %%
# Speed
# -----
#
# Training has changed numbers in the model and not its layers, so it should be as fast as the one that was
# only quantized. For a network of this size most of a call is not computation.

result = measure(
    [
        Variant("FP32", model=files["fp32"], runtime=OpenVINO(precision="f32")),
        Variant("INT8 after training", model=files["ptq"]),
        Variant("INT8 in training", model=files["int8"]),
    ],
    replace(profiles.current().budget, seconds=profiles.current().budget.seconds / 2),
    label="digits, after quantization and after training",
)
record.add_session(
    "qat", result, names={"FP32": "fp32", "INT8 after training": "ptq", "INT8 in training": "int8"}
)
record.add_comparison("qat.speed", result.compare("INT8 after training", "INT8 in training"))
record.publish()
