"""
Train a network on with its quantizers in place
===============================================

A classifier of handwritten digits is quantized after training, and then trained a
little further with the quantizers in place, so that its weights adapt to 8 bits.

Install: ``pip install "optguide[frameworks,models]"``. Explained in
:doc:`/optimize/quantization-aware-training`.
"""

from pathlib import Path

import numpy as np

from optguide import OpenVINO, Recording, Variant, measure, plots
from optguide.guide import profiles, workloads
from optguide.guide.workloads import answers
from optguide.guide.workloads.digits import build, correct_torch, data
from optguide.stats.accuracy import accuracy

workloads.no_telemetry()

import nncf
import openvino as ov
import torch
from torch.nn.functional import cross_entropy
from torch.optim import AdamW
from torch.optim.lr_scheduler import OneCycleLR

# %%
# Some more training
# ------------------
#
# A loop as in any training, at a low rate. ``fold`` says which fifth of the images
# is held out. After each epoch the network answers those.

EPOCHS, BATCH = 4, 64


def train(module: torch.nn.Module, fold: int) -> list[np.ndarray]:
    torch.manual_seed(fold)
    torch.set_num_threads(1)  # more cost time in a network this small
    images = torch.tensor(data(fold).train_images)
    labels = torch.tensor(data(fold).train_labels)
    optimizer = AdamW(module.parameters())
    steps = EPOCHS * -(-len(images) // BATCH)
    schedule = OneCycleLR(optimizer, max_lr=1e-3, total_steps=steps)
    right = [correct_torch(module, fold)]
    for _ in range(EPOCHS):
        module.train()
        for batch in torch.randperm(len(images)).split(BATCH):
            optimizer.zero_grad()
            cross_entropy(module(images[batch]), labels[batch]).backward()
            optimizer.step()
            schedule.step()
        right.append(correct_torch(module.eval(), fold))
    return right


# %%
# Quantize, train, convert
# ------------------------
#
# :func:`nncf.quantize` takes a PyTorch module too and returns one with quantizers
# inside. Converted at once, that is post-training quantization; converted after
# more training, it is quantization-aware training. :func:`nncf.strip` turns the
# quantizers into plain operations, which OpenVINO can read.


def convert(module: torch.nn.Module, image: torch.Tensor, path: Path) -> None:
    stripped = nncf.strip(module, example_input=image)
    model = ov.convert_model(stripped, example_input=image, input=[1, 1, 8, 8])
    ov.save_model(model, path, compress_to_fp16=False)


def quantize_and_train(folder: Path, fold: int) -> None:
    images = torch.tensor(data(fold).train_images[:300])
    calibration = nncf.Dataset(images.split(1))
    quantized = nncf.quantize(build(fold), calibration, subset_size=300)
    convert(quantized, images[:1], folder / "ptq.xml")
    np.save(folder / "epochs.npy", train(quantized, fold))
    convert(quantized, images[:1], folder / "qat.xml")


# %%
# More training may help without quantizers too, so the original gets it as well.


def train_only(folder: Path, fold: int) -> None:
    np.save(folder / "epochs.npy", train(build(fold), fold))


folds = 5 if profiles.full() else 1
trained = workloads.cross_validated(quantize_and_train, folds=folds)
longer = workloads.cross_validated(train_only, folds=folds)
record = Recording("optimize/quantization_aware_training", declares=("qat.*",))

# %%
# Accuracy
# --------
#
# The converted models answer the held-out images in OpenVINO.

originals = [workloads.digits(fold).ir for fold in range(folds)]
fp32 = answers.digits("FP32", originals)
after, during = (
    [folder / f"{name}.xml" for folder in trained] for name in ("ptq", "qat")
)
ptq = answers.digits("INT8 after training", after)
qat = answers.digits("INT8 in training", during)
final = [np.load(folder / "epochs.npy")[-1] for folder in longer]
control = answers.RightAnswers("FP32, trained longer", np.concatenate(final))

epochs = np.hstack([np.load(folder / "epochs.npy") for folder in trained])
record.figure(
    "epochs",
    lambda: plots.sweep(
        {"INT8 in training": list(enumerate(map(accuracy, epochs)))},
        x_label="Epoch (count)",
        quantity="Accuracy",
        references={"FP32": fp32.accuracy},
    ),
    alt="Accuracy before training and after each epoch, and that of FP32.",
    caption="Accuracy on held-out images; epoch 0 is quantized, not yet trained.",
)

# %%
# Speed: training changes numbers and no layers, so both INT8 models should be
# equally fast.

variants = {
    "fp32": Variant("FP32", originals[0], OpenVINO(precision="f32")),
    "ptq": Variant("INT8 after training", after[0]),
    "int8": Variant("INT8 in training", during[0]),
}
result = measure(variants.values(), profiles.budget(0.5), label="PTQ and QAT")

# %%
# What is recorded:

right = {"fp32": fp32, "ptq": ptq, "int8": qat, "control": control}
answers.add_answers(record, "qat", right)
won_back = (qat.loss(ptq), "INT8: accuracy that training regained")
record.values("qat", {"won_back": won_back})
record.session("qat", result, variants)
record.ratios("qat", result, {"speed": (variants["ptq"], variants["int8"])})
record.publish()
