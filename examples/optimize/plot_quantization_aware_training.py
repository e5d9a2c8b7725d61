"""
Train a network on with its quantizers in place
===============================================

How a few more epochs with simulated quantization regain accuracy that INT8 costs:
a classifier of handwritten digits adapts its weights to 8 bits.

Explained in :doc:`/optimize/quantization-aware-training`. Install:
``pip install "optguide[frameworks,models]"``.
"""

from pathlib import Path

from optguide import OpenVINO, Recording, Variant, measure
from optguide.guide import profiles, workloads
from optguide.guide.workloads import answers
from optguide.guide.workloads.digits import build, data

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
# is held out.

EPOCHS, BATCH, RATE = 4, 64, 1e-3


def train(module: torch.nn.Module, fold: int) -> None:
    torch.manual_seed(fold)
    torch.set_num_threads(1)  # more cost time in a network this small
    images = torch.tensor(data(fold).train_images)
    labels = torch.tensor(data(fold).train_labels)
    optimizer = AdamW(module.parameters())
    steps = EPOCHS * -(-len(images) // BATCH)
    schedule = OneCycleLR(optimizer, max_lr=RATE, total_steps=steps)
    module.train()
    for _ in range(EPOCHS):
        for batch in torch.randperm(len(images)).split(BATCH):
            optimizer.zero_grad()
            cross_entropy(module(images[batch]), labels[batch]).backward()
            optimizer.step()
            schedule.step()
    module.eval()


# %%
# Quantize, train, convert
# ------------------------
#
# :func:`nncf.quantize` takes a PyTorch module too and returns one with quantizers
# inside. Converted at once, that is post-training quantization; converted after
# more training, it is quantization-aware training. :func:`nncf.strip` turns the
# quantizers into plain operations, which OpenVINO can read. More training may help
# without quantizers too, so the original gets it as well.


def save(module: torch.nn.Module, path: Path) -> None:
    image = torch.zeros(1, 1, 8, 8)
    model = ov.convert_model(module, example_input=image, input=[1, 1, 8, 8])
    ov.save_model(model, path, compress_to_fp16=False)


def quantize_and_train(folder: Path, fold: int) -> None:
    images = torch.tensor(data(fold).train_images[:300])
    calibration = nncf.Dataset(images.split(1))
    quantized = nncf.quantize(build(fold), calibration, subset_size=300)
    save(nncf.strip(quantized, example_input=images[:1]), folder / "ptq.xml")
    train(quantized, fold)
    save(nncf.strip(quantized, example_input=images[:1]), folder / "int8.xml")

    floats = build(fold)
    train(floats, fold)
    save(floats, folder / "control.xml")


folds = 5 if profiles.full() else 1
folders = workloads.cross_validated(quantize_and_train, folds=folds)
models = {"fp32": [workloads.digits(fold).ir for fold in range(folds)]}
for part in ("ptq", "int8", "control"):
    models[part] = [folder / f"{part}.xml" for folder in folders]

# %%
# Accuracy and speed
# ------------------
#
# The converted models answer the held-out images in OpenVINO. Training changes
# numbers and no layers, so both INT8 models should be equally fast.

NAMES = {
    "fp32": "FP32",
    "ptq": "INT8 after training",
    "int8": "INT8 in training",
    "control": "FP32, trained longer",
}
record = Recording("optimize/quantization_aware_training", declares=("qat.*",))
right = {part: answers.digits(NAMES[part], models[part]) for part in models}
fp32 = Variant(NAMES["fp32"], models["fp32"][0], OpenVINO(precision="f32"))
variants = {"fp32": fp32} | {
    part: Variant(NAMES[part], models[part][0]) for part in ("ptq", "int8")
}
result = measure(variants.values(), profiles.budget(0.5), label="PTQ and QAT")

# %%
# What is recorded:

answers.accuracy_figure(record, right, "Accuracy on held-out images.")
answers.add_answers(record, "qat", right)
won_back = (right["int8"].loss(right["ptq"]), "INT8: accuracy regained by training")
record.values("qat", {"won_back": won_back})
record.session("qat", result, variants)
record.ratios("qat", result, {"speed": (variants["ptq"], variants["int8"])})
record.publish()
