"""
Quantize a transformer with and without its type
================================================

The same encoder, the same calibration texts, one argument more or less: ``model_type`` decides whether
quantization costs next to nothing or a good part of the accuracy. This script finds out why, by leaving parts
of the model out of quantization one after the other.
"""

# %%
# One argument
# ------------
#
# The quantized models differ in the arguments of ``nncf.quantize`` only. An *ignored scope* names
# operations that keep their precision, by name or by type.

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np

from optguide import OpenVINO, Recording, Variant, measure, plots
from optguide.guide import profiles, workloads
from optguide.guide.workloads import evaluation, retrieval
from optguide.guide.workloads.minilm import INPUTS
from optguide.optimize.compression import calibration
from optguide.stats import accuracy

workloads.no_telemetry()

import nncf
import openvino as ov

encoder = workloads.sentences_dynamic()
core = ov.Core()


SAMPLES = 100  # ten encoders are quantized below, and only differences between them matter


def quantize(
    folder: Path, source: str, transformer: bool = False, smoothing: float | None = None, **ignored: list[str]
) -> None:
    """Write the encoder quantized; ``ignored`` takes ``names`` or ``types``."""
    model = ov.Core().read_model(source)
    samples = calibration.checked(model, retrieval.tokens(retrieval.calibration(SAMPLES)))
    advanced = nncf.AdvancedQuantizationParameters()
    if smoothing is not None:
        advanced.smooth_quant_alphas.matmul = smoothing
    quantized = nncf.quantize(
        model,
        nncf.Dataset(samples),
        subset_size=SAMPLES,
        model_type=nncf.ModelType.TRANSFORMER if transformer else None,
        ignored_scope=nncf.IgnoredScope(**ignored) if ignored else None,
        advanced_parameters=advanced,
    )
    ov.save_model(quantized, folder / "model.xml", compress_to_fp16=False)


# %%
# What the tensors look like
# --------------------------
#
# An 8-bit scale has 255 steps for the whole tensor, so its largest value decides how fine the steps are.
# How much larger is the largest value than the median one, in what enters each layer normalisation?

probe = core.read_model(encoder.ir)
norms = [op for op in probe.get_ordered_ops() if op.get_type_name() == "MVN"]
for norm in norms:
    probe.add_outputs(norm.input_value(0))
probed = core.compile_model(probe, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})

peaks: dict[str, list[float]] = {norm.get_friendly_name(): [] for norm in norms}
for sample in retrieval.tokens(retrieval.calibration(40)):
    tensors = list(probed(dict(sample)).values())[-len(norms) :]
    for found, tensor in zip(peaks.values(), tensors, strict=True):
        found.append(np.abs(tensor).max() / np.median(np.abs(tensor)))


def place(norm: str) -> str:
    """Where a normalisation stands, such as ``__module.network.encoder.layer.0.output.LayerNorm/...``."""
    parts = norm.partition("/")[0].split(".")
    if "layer" not in parts:
        return "after the embeddings"
    part = "attention" if "attention" in parts else "feed-forward"
    return f"layer {parts[parts.index('layer') + 1]}, after {part}"


widest = max(peaks, key=lambda norm: np.mean(peaks[norm]))
flattest = min(peaks, key=lambda norm: np.mean(peaks[norm]))
print(f"widest: {place(widest)}; flattest: {place(flattest)}")

# %%
# Leave something out
# -------------------
#
# Quantized without the model type, and one kind of operation excluded each time. What repairs the model was
# broken by 8 bits; what does not can stay in them. Where all normalisations are suspects, two are tried
# alone: those with the widest and with the flattest input. And the other way round: with the model type,
# but without the smooth quantization that comes with it.
#
# SMALL has the operations of this model that the model type leaves out, as NNCF's source lists them.

TYPE = {"transformer": True}
SMALL = ["Add", "Divide", "Maximum", "Multiply", "MVN", "ReduceL2", "ReduceSum"]
schemes: dict[str, tuple[str, dict]] = {
    "with": ("with model_type", TYPE),
    "without": ("without", {}),
    "no_norms": ("without, normalisations excluded", {"types": ["MVN"]}),
    "no_widest": ("without, the widest one excluded", {"names": [widest]}),
    "no_small": ("without, all that it leaves out", {"types": SMALL}),
    "unsmoothed": ("with, not smoothed", {**TYPE, "smoothing": -1.0}),
}
full = profiles.current().name == "full"
if full:
    schemes |= {
        "no_flattest": ("without, the flattest one excluded", {"names": [flattest]}),
        "no_sums": ("without, sums excluded", {"types": ["Add"]}),
        "no_products": ("without, matrix products excluded", {"types": ["MatMul"]}),
        "half": ("with, smoothed by 0.5", {**TYPE, "smoothing": 0.5}),
    }
names = {"f32": "32-bit floats", **{part: name for part, (name, _) in schemes.items()}}
models = {"f32": encoder.ir} | {
    part: workloads.cached_artifact(quantize, source=str(encoder.ir), **arguments) / "model.xml"
    for part, (_, arguments) in schemes.items()
}

# %%
# Accuracy
# --------
#
# What is not quantized computes in 32-bit floats here, so that 8 bits are the only difference.

count = 400 if full else 100
answers = {
    part: evaluation.evaluate(model, count, INFERENCE_PRECISION_HINT="f32") for part, model in models.items()
}
found = {part: answer.hits for part, answer in answers.items()}
embedded = {part: answer.bodies for part, answer in answers.items()}
record = Recording("optimize/transformer_trap", declares=("trap.*",))


def lost(a: str, b: str):
    """Percentage points from ``a`` to ``b``."""
    return accuracy.compare_accuracy(names[a], found[a], names[b], found[b]).drop


# Where the last division is quantized too, embeddings are no longer of length 1.
closeness = {
    part: (rows * embedded["f32"]).sum(axis=1) / np.linalg.norm(rows, axis=1)
    for part, rows in embedded.items()
}
for part, name in names.items():
    record.add(f"trap.{part}.accuracy", accuracy.accuracy(found[part]), label=f"{name}: accuracy")
    if part == "f32":
        continue
    similarity = accuracy.mean_of_samples(closeness[part], "")
    record.add(f"trap.{part}.similarity", similarity, label=f"{name}: cosine to the f32 embedding")
    record.add(f"trap.{part}.drop", lost("f32", part), label=f"{name}: accuracy drop")
for part in ("with", "no_small", "no_norms", "no_widest"):
    label = f"{names[part]}: won back against {names['without']}"
    record.add(f"trap.won_back.{part}", lost(part, "without"), label=label)
smoother = accuracy.mean_of_samples(closeness["with"] - closeness["unsmoothed"], "")
record.add("trap.smoothing.similarity", smoother, label="smooth quantization: gain in cosine")
for part, norm in (("widest", widest), ("flattest", flattest)):
    ratio = accuracy.mean_of_samples(peaks[norm], "ratio")
    record.add(
        f"trap.peak.{part}", ratio, label=f"{place(norm)}: largest against median magnitude", above="larger"
    )

record.figure(
    "accuracy",
    lambda: plots.bars(
        [(name, accuracy.accuracy(found[part])) for part, name in names.items()],
        "share",
        quantity="Accuracy",
        reference=names["f32"],
    ),
    alt="Bars: top-1 accuracy of the encoder in 32-bit floats and quantized in different ways.",
    caption="Top-1 retrieval of the original and of all quantized models; the line is the original.",
)
record.figure(
    "peaks",
    lambda: plots.ratios(
        [(place(norm), accuracy.mean_of_samples(values, "ratio")) for norm, values in peaks.items()],
        quantity="Largest against median magnitude",
        above="larger",
    ),
    alt="For each layer normalisation: by how much the largest value of its input exceeds the median one.",
    caption="What enters each layer normalisation, in 32-bit floats: the largest magnitude of a text as a "
    "multiple of the median one, mean over the texts. The smaller, the better it fits into 8 bits.",
)

# %%
# Which layers run in which precision
# -----------------------------------
#
# The runtime graph knows what the device has made of the model. The name of a kernel ends in the type it
# computes in, such as ``brgemm_avx512_i8``.

shapes = dict.fromkeys(INPUTS, (1, 128))
KINDS = {"FullyConnected": "Matrix product", "MVN": "Normalisation", "Subgraph": "Small operations"}


def precisions(path: Path) -> dict[str, Counter]:
    """For every kind of layer, how many compute in which precision."""
    model = core.read_model(path)
    model.reshape(shapes)
    counts: dict[str, Counter] = {"Attention": Counter(), **{kind: Counter() for kind in KINDS.values()}}
    for layer in core.compile_model(model, "CPU").get_runtime_model().get_ordered_ops():
        info = {key: value.value for key, value in layer.get_rt_info().items()}
        if info["layerType"] in KINDS:
            kind = "Attention" if "Softmax" in info["originalLayersNames"] else KINDS[info["layerType"]]
            counts[kind][info["primitiveType"].rpartition("_")[2].lower()] += 1
    return counts


names["default"], models["default"] = "default precision", encoder.ir
timed = ("default", "with", "without", "no_norms", "unsmoothed")
graphs = {part: precisions(models[part]) for part in timed[:3]}
rows = {
    kind: [", ".join(f"{n} in {p}" for p, n in sorted(graph[kind].items())) for graph in graphs.values()]
    for kind in graphs["default"]
}
record.table(
    "precisions",
    ("Layers", *(names[part] for part in graphs)),
    [(kind, *cells) for kind, cells in rows.items()],
    caption="Layers of the compiled encoder, by the type their kernels compute in",
)
for part in ("with", "without"):
    count = graphs[part]["Matrix product"]["i8"]
    record.add_value(f"trap.{part}.products", count, "count", label=f"{names[part]}: products in 8 bits")

# %%
# Speed
# -----

budget = profiles.current().budget
result = measure(
    [
        Variant(
            names[part],
            model=models[part],
            runtime=OpenVINO(shapes=shapes),
            inputs=(workloads.sentences().inputs,),
        )
        for part in timed
    ],
    replace(budget, seconds=0.7 * budget.seconds),
    label="quantized transformers",
)
record.add_session("trap", result, names={names[part]: part for part in timed})
speeds = {
    "type": ("without", "with"),
    "norms": ("without", "no_norms"),
    "smoothing": ("unsmoothed", "with"),
    "default": ("default", "with"),
}
for part, (a, b) in speeds.items():
    gain = result.compare(names[a], names[b])
    record.add_comparison(f"trap.speed.{part}", gain, label=f"{names[b]} against {names[a]}: latency")
record.publish()
