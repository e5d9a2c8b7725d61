"""
Prune a network and look for speed
==================================

NNCF sets weights of a trained network to zero in three ways, and training on repairs what that breaks. Then
the question that matters: does a processor compute faster when most weights are zero?
"""

# %%
# Prune, train on, convert
# ------------------------
#
# :func:`nncf.prune` puts a mask over every weight. *Magnitude* masks hide the smallest weights, of each
# layer (local) or of all layers together (global). *Regularization-based* masks are trained: a penalty on
# the number of weights that remain pulls their number down to the target, and the task decides which ones.

import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np

from optguide import OpenVINO, Recording, Variant, measure, plots
from optguide.guide import profiles, workloads
from optguide.guide.workloads import retrieval
from optguide.guide.workloads.digits import build, correct, correct_torch, data, train
from optguide.guide.workloads.minilm import tokenize
from optguide.machine import Machine
from optguide.records.model import EvaluatedModel
from optguide.stats import accuracy

workloads.no_telemetry()

import nncf
import openvino as ov
import torch
from nncf.torch.function_hook.pruning.rb.losses import RBLoss

EPOCHS, RATE = 12, 1e-2


def prune_and_train(folder: Path, mode: str, ratio: float, fold: int, seed: int) -> None:
    """Write the pruned network after training on, and its answers before that."""
    digits, module = data(fold), build(fold)
    image = torch.tensor(digits.train_images[:1])
    kind = nncf.PruneMode[f"UNSTRUCTURED_{mode}"]
    if kind is nncf.PruneMode.UNSTRUCTURED_REGULARIZATION_BASED:
        pruned = nncf.prune(module, kind, examples_inputs=image)
        penalty = RBLoss(pruned, target_ratio=ratio)
        # Masks start far from the threshold at which they hide a weight, and need a rate of their own.
        options = {"extra_loss": lambda images, logits: penalty(), "factors": {".mask": 100.0}}
    else:
        pruned = nncf.prune(module, kind, ratio=ratio, examples_inputs=image)
        options = {}
    np.save(folder / "before.npy", correct_torch(pruned, fold))
    train(pruned, digits.train_images, digits.train_labels, epochs=EPOCHS, rate=RATE, seed=seed, **options)
    reached = nncf.pruning_statistic(pruned).pruning_ratio
    np.save(folder / "reached.npy", np.array(reached))
    # By default masks stay beside the weights; IN_PLACE writes the zeros into them.
    stripped = nncf.strip(pruned, example_input=image, strip_format=nncf.StripFormat.IN_PLACE)
    model = ov.convert_model(stripped, example_input=image, input=[1, 1, 8, 8])
    ov.save_model(model, folder / "model.xml", compress_to_fp16=False)


# %%
# Three ways, several ratios
# --------------------------

full = profiles.current().name == "full"
modes = {"MAGNITUDE_LOCAL": "local", "MAGNITUDE_GLOBAL": "global", "REGULARIZATION_BASED": "trained"}
words = {"local": "smallest of each layer", "global": "smallest of all", "trained": "trained masks"}
ratios, folds, seeds = ((0.5, 0.8, 0.9), range(2), range(3)) if full else ((0.5, 0.8), range(1), range(1))

torch.set_num_threads(1)  # threads cost more than they bring to a network this small
core, exact = ov.Core(), {"INFERENCE_PRECISION_HINT": "f32"}


def trained(mode: str, ratio: float, seed: int) -> list[Path]:
    return [
        workloads.cached_artifact(prune_and_train, mode=mode, ratio=ratio, fold=fold, seed=seed)
        for fold in folds
    ]


def answers(models: list[Path]) -> np.ndarray:
    compiled = (core.compile_model(model, "CPU", exact) for model in models)
    return np.concatenate([correct(one, fold) for one, fold in zip(compiled, folds, strict=True)])


fp32 = answers([workloads.digits(fold).ir for fold in folds])
folders = {(part, ratio): trained(mode, ratio, 0) for mode, part in modes.items() for ratio in ratios}
after = {key: answers([folder / "model.xml" for folder in found]) for key, found in folders.items()}
before = {
    key: np.concatenate([np.load(folder / "before.npy") for folder in found])
    for key, found in folders.items()
    if key[0] != "trained"  # before training its masks hide nothing
}

# %%
# At 80 % every way is trained from several seeds, so that intervals cover how far apart two trainings are.

for mode, part in modes.items():
    others = [answers([folder / "model.xml" for folder in trained(mode, 0.8, seed)]) for seed in seeds[1:]]
    after[part, 0.8] = np.stack([after[part, 0.8], *others])

# %%
# For speed there is the encoder, which has the matrix multiplications for which the CPU plugin knows a sparse
# path. Nine of ten weights of each are set to zero, the smallest ones; accuracy is not the question there.
# Dense and sparse models are quantized alike.


def zero_and_quantize(folder: Path, ratio: float) -> None:
    model = ov.Core().read_model(workloads.sentences().ir)
    for node in model.get_ops():
        if node.get_type_name() == "MatMul" and node.input_value(1).get_node().get_type_name() == "Constant":
            constant = node.input_value(1).get_node()
            weights = constant.get_data().copy()
            weights[np.abs(weights) < np.quantile(np.abs(weights), ratio)] = 0
            node.input(1).replace_source_output(ov.opset13.constant(weights).output(0))
    ov.save_model(model, folder / "f32.xml", compress_to_fp16=False)
    packed = zlib.compress((folder / "f32.bin").read_bytes(), level=1)
    (folder / "zlib_bytes").write_text(str(len(packed)))
    texts = [tokenize(text, padding="max_length") for text in retrieval.calibration(20)]
    samples = nncf.Dataset([{name: tokens.numpy() for name, tokens in text.items()} for text in texts])
    int8 = nncf.quantize(model, samples, subset_size=20, model_type=nncf.ModelType.TRANSFORMER)
    ov.save_model(int8, folder / "int8.xml")


models = {
    "dense": workloads.cached_artifact(zero_and_quantize, ratio=0.0),
    "sparse": workloads.cached_artifact(zero_and_quantize, ratio=0.9),
}

# %%
# Accuracy
# --------

record = Recording("optimize/sparsity", declares=("sparsity.*",))
record.add("sparsity.dense.accuracy", accuracy.accuracy(fp32), label="dense: accuracy")
for (part, ratio), found in after.items():
    topic, name = f"sparsity.{part}.at{ratio * 100:.0f}", f"{words[part]}, {ratio:.0%}"
    reached = float(np.mean([np.load(folder / "reached.npy") for folder in folders[part, ratio]]))
    record.add_value(f"{topic}.reached", reached, "share", label=f"{name}: weights that are zero")
    model = folders[part, ratio][0] / "model.xml"
    record.add(
        f"{topic}.accuracy",
        accuracy.accuracy(found),
        label=f"{name}: accuracy",
        evidence=EvaluatedModel("digits", model).evidence,
    )
    drop = accuracy.compare_accuracy("dense", fp32, name, found).drop
    record.add(f"{topic}.drop", drop, label=f"{name}: drop from dense")
    if (part, ratio) in before:
        at_once = accuracy.accuracy(before[part, ratio])
        record.add(f"{topic}.before", at_once, label=f"{name}: accuracy before training on")
both = accuracy.compare_accuracy(words["global"], after["global", 0.8], words["local"], after["local", 0.8])
label = f"80 %, {words['global']}: points more accurate than {words['local']}"
record.add("sparsity.global_over_local", both.drop, label=label)

record.figure(
    "accuracy",
    lambda: plots.sweep(
        {
            words[part]: [(100 * ratio, accuracy.accuracy(after[part, ratio])) for ratio in ratios]
            for part in modes.values()
        },
        x_label="Weights that are zero (%)",
        quantity="Accuracy",
        references={"dense": accuracy.accuracy(fp32)},
    ),
    alt="Accuracy over the share of zero weights, one line per way of pruning, with the dense network.",
    caption=f"Accuracy after pruning and {EPOCHS} epochs of training on, by the share of weights that are "
    "zero.",
)

# %%
# Speed
# -----
#
# The property tells the plugin from which share of zeros on it may keep weights packed.

inputs = (workloads.sentences().inputs,)
packed = {"CPU_SPARSE_WEIGHTS_DECOMPRESSION_RATE": "0.8"}
variants = [
    Variant(
        "f32, dense", model=models["dense"] / "f32.xml", runtime=OpenVINO(precision="f32"), inputs=inputs
    ),
    Variant(
        "f32, 90 % zero", model=models["sparse"] / "f32.xml", runtime=OpenVINO(precision="f32"), inputs=inputs
    ),
    Variant("INT8, dense", model=models["dense"] / "int8.xml", inputs=inputs),
    Variant("INT8, 90 % zero", model=models["sparse"] / "int8.xml", inputs=inputs),
    Variant(
        "INT8, 90 % zero, packed",
        model=models["sparse"] / "int8.xml",
        runtime=OpenVINO(properties=packed),
        inputs=inputs,
    ),
]
parts = ("f32", "f32_sparse", "int8", "int8_sparse", "int8_packed")
budget = profiles.current().budget
result = measure(
    variants, replace(budget, seconds=0.8 * budget.seconds), control=True, label="dense and sparse"
)
names = {variant.name: part for variant, part in zip(variants, parts, strict=True)}
record.add_session("sparsity.speed", result, names=names)
pairs = {
    "f32": ("f32, dense", "f32, 90 % zero"),
    "int8": ("INT8, dense", "INT8, 90 % zero"),
    "packed": ("INT8, dense", "INT8, 90 % zero, packed"),
}
packs = Machine.current().supports("cpu:amx_int8")
for part, (dense, sparse) in pairs.items():
    if part == "packed" and not packs:
        record.unavailable("sparsity.speed.gain.packed", "this processor has no AMX, which that path needs")
        continue
    record.add_comparison(f"sparsity.speed.gain.{part}", result.compare(dense, sparse))

# %%
# On disk zeros pay only once the file is packed too, which no runtime reads directly:

for part, label in (("dense", "dense"), ("sparse", "90 % zero")):
    weights, packed_size = models[part] / "f32.bin", int((models[part] / "zlib_bytes").read_text())
    record.add_value(f"sparsity.size.{part}", weights.stat().st_size, "bytes", label=f"{label}: weights")
    record.add_value(f"sparsity.size.{part}_zip", packed_size, "bytes", label=f"{label}: compressed by zlib")

record.figure(
    "speed",
    lambda: plots.bars(
        [(one.name, result.latency(one.name)) for one in (variants if packs else variants[:-1])], "ms"
    ),
    alt="Median latency of the sentence encoder with dense and with sparse weights, in f32 and in INT8.",
    caption="Median latency of the sentence encoder, one text of 128 tokens, with dense weights and with "
    "nine of ten weights zero.",
)
record.publish()
