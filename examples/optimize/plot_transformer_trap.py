"""
Quantize a transformer with and without its type
================================================

The same encoder, the same calibration texts, one argument more or less:
``model_type`` decides whether quantization costs next to nothing or a good part of
the accuracy.

Explained in :doc:`/optimize/transformer-trap`. Install:
``pip install "optguide[frameworks,models]"``.
"""

from pathlib import Path

import numpy as np

from optguide import OpenVINO, Recording, Variant, measure, plots
from optguide.guide import profiles, workloads
from optguide.guide.workloads import answers, retrieval
from optguide.stats.accuracy import mean_of_samples

workloads.no_telemetry()

import nncf
import openvino as ov

# %%
# What the tensors look like
# --------------------------
#
# An 8-bit scale has 255 steps for the whole tensor, so its largest value decides
# how fine the steps are. How many times the median one is it, in what enters each
# layer normalisation (MVN)?

core = ov.Core()
encoder = workloads.sentences_dynamic().ir
probe = core.read_model(encoder)
norms = [op for op in probe.get_ordered_ops() if op.get_type_name() == "MVN"]
for norm in norms:
    probe.add_outputs(norm.input_value(0))
probed = core.compile_model(probe, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})

rows = []
for tokens in retrieval.tokens(retrieval.calibration(40)):
    tensors = [np.abs(tensor) for tensor in probed(tokens).values()]
    rows.append(
        [tensor.max() / np.median(tensor) for tensor in tensors[-len(norms) :]]
    )
peaks = np.array(rows)  # texts x normalisations
widest = norms[peaks.mean(axis=0).argmax()].get_friendly_name()

# %%
# One argument
# ------------
#
# An *ignored scope* names operations that keep their precision, by name or by type.
# The model type leaves small operations out, smooths activations, and quantizes
# them asymmetrically.


def quantize(folder: Path, model_type=None, smoothing=0.95, **ignored) -> None:
    texts = retrieval.tokens(retrieval.calibration(100))
    parameters = nncf.AdvancedQuantizationParameters()
    parameters.smooth_quant_alphas.matmul = smoothing
    quantized = nncf.quantize(
        ov.Core().read_model(encoder),
        nncf.Dataset(texts),
        subset_size=len(texts),
        model_type=model_type,
        ignored_scope=nncf.IgnoredScope(**ignored),
        advanced_parameters=parameters,
    )
    ov.save_model(quantized, folder / "model.xml", compress_to_fp16=False)


# %%
# Leave something out: what repairs the model when it is excluded was broken by 8
# bits. ``small`` has the operations of this model that the type leaves out, as
# NNCF's source lists them.

typed = {"model_type": nncf.ModelType.TRANSFORMER}
small = ["Add", "Divide", "Maximum", "Multiply", "MVN", "ReduceL2", "ReduceSum"]
schemes = {
    "with": ("with model_type", typed),
    "without": ("without", {}),
    "no_norms": ("without, normalisations excluded", {"types": ["MVN"]}),
    "no_widest": ("without, the widest one excluded", {"names": [widest]}),
    "no_small": ("without, all that it leaves out", {"types": small}),
    "unsmoothed": ("with, not smoothed", {**typed, "smoothing": -1.0}),
}
names = {"default": "default precision", "f32": "32-bit floats"}
models = {"default": encoder, "f32": encoder}
for part, (name, arguments) in schemes.items():
    names[part] = name
    models[part] = workloads.cached_artifact(quantize, **arguments) / "model.xml"

# %%
# Accuracy, with f32 in what is not quantized, so that 8 bits are the only
# difference:

count, parts = 400 if profiles.full() else 100, ("f32", *schemes)
right = {part: answers.texts(names[part], models[part], count) for part in parts}
record = Recording("optimize/transformer_trap", declares=("trap.*",))
answers.accuracy_figure(record, right, "Top-1 retrieval.")

# %%
# Speed, one text of 128 tokens at a time:

shapes = {port.any_name: (1, 128) for port in core.read_model(encoder).inputs}
runtime, inputs = OpenVINO(shapes=shapes), (workloads.sentences().inputs,)
timed = ("default", "with", "without", "no_norms", "unsmoothed")
variants = [Variant(names[part], models[part], runtime, inputs) for part in timed]
result = measure(variants, profiles.budget(0.7), label="quantized transformers")

# %%
# What is recorded:

answers.add_answers(record, "trap", right, also=["similarity"], comparable=False)
without, f32 = right["without"], right["f32"]
won_back = {
    f"won_back.{part}": (right[part].loss(without), f"{names[part]}: won back")
    for part in ("with", "no_small", "no_norms", "no_widest")
}
closer = f32.cosines(right["with"]) - f32.cosines(right["unsmoothed"])
smoothing = (mean_of_samples(closer, ""), "smooth quantization: gain in cosine")
record.values("trap", {**won_back, "smoothing.similarity": smoothing})
peak = [mean_of_samples(column, "ratio") for column in peaks.T]
ordered = sorted(peak, key=lambda estimate: estimate.value)
for part, one in (("flattest", ordered[0]), ("widest", ordered[-1])):
    label = f"{part} normalisation: largest against median"
    record.values("trap.peak", {part: (one, label)}, above="larger")
record.session("trap", result, {part: names[part] for part in timed})
speeds = {
    "type": (names["without"], names["with"]),
    "smoothing": (names["unsmoothed"], names["with"]),
    "default": (names["default"], names["with"]),
}
record.ratios("trap.speed", result, speeds)
places = [norm.get_friendly_name().split("/")[0][17:] for norm in norms]
record.figure(
    "peaks",
    lambda: plots.ratios(
        list(zip(places, peak, strict=True)),
        quantity="Largest against median magnitude",
        above="larger",
    ),
    alt="For each normalisation: the largest input as a multiple of the median.",
    caption="What enters each normalisation: largest against median magnitude.",
)
record.publish()
