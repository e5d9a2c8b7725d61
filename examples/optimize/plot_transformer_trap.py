"""
Quantize a transformer with and without its type
================================================

What one argument, ``model_type``, does to the accuracy and the speed of a quantized
sentence encoder, and which tensors are the reason.

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
    tensors = [np.abs(tensor) for tensor in probed(tokens).values()][-len(norms) :]
    rows.append([tensor.max() / np.median(tensor) for tensor in tensors])
peaks = np.array(rows)  # texts x normalisations
widest = norms[peaks.mean(axis=0).argmax()].get_friendly_name()

# %%
# One argument
# ------------
#
# The model type leaves small operations out, smooths activations, and quantizes
# them asymmetrically. An *ignored scope* names operations that keep their
# precision, by name or by type: what repairs the model when it is excluded was
# broken by 8 bits.


def quantize(folder: Path, model_type=None, **ignored) -> None:
    texts = retrieval.tokens(retrieval.calibration(100))
    quantized = nncf.quantize(
        ov.Core().read_model(encoder),
        nncf.Dataset(texts),
        subset_size=len(texts),
        model_type=model_type,
        ignored_scope=nncf.IgnoredScope(**ignored),
    )
    ov.save_model(quantized, folder / "model.xml", compress_to_fp16=False)


schemes = {
    "with": {"model_type": nncf.ModelType.TRANSFORMER},
    "without": {},
    "no_norms": {"types": ["MVN"]},
    "no_widest": {"names": [widest]},
}
models = {"f32": encoder} | {
    part: workloads.cached_artifact(quantize, **arguments) / "model.xml"
    for part, arguments in schemes.items()
}

# %%
# Accuracy
# --------
#
# What is not quantized computes in f32, so that 8 bits are the only difference.

NAMES = {
    "f32": "32-bit floats",
    "with": "with model_type",
    "without": "without",
    "no_norms": "without, normalisations excluded",
    "no_widest": "without, the widest one excluded",
}
count = None if profiles.full() else 100
right = {part: answers.texts(NAMES[part], models[part], count) for part in NAMES}
record = Recording("optimize/transformer_trap", declares=("trap.*",))
answers.accuracy_figure(record, right, "Top-1 retrieval.")

# %%
# Speed, one text of 128 tokens at a time:

shapes = {port.any_name: (1, 128) for port in core.read_model(encoder).inputs}
plain = Variant(NAMES["without"], models["without"], OpenVINO(shapes=shapes))
typed = plain.with_(NAMES["with"], model=models["with"])
result = measure([plain, typed], profiles.budget(0.4), label="transformers")

# %%
# What is recorded:

answers.add_answers(record, "trap", right, also=["similarity"])
for part in ("with", "no_norms", "no_widest"):
    won_back = (right[part].loss(right["without"]), f"{NAMES[part]}: regained")
    record.values("trap.won_back", {part: won_back})
record.session("trap", result, {"without": plain, "with": typed})
record.ratios("trap.speed", result, {"type": (plain, typed)})
places = [norm.get_friendly_name().split("/")[0][17:] for norm in norms]
means = [mean_of_samples(column, "ratio") for column in peaks.T]
record.figure(
    "peaks",
    lambda: plots.ratios(
        list(zip(places, means, strict=True)),
        quantity="Largest against median magnitude",
        above="larger",
    ),
    alt="For each normalisation: the largest input as a multiple of the median.",
    caption="What enters each normalisation: largest against median magnitude.",
)
record.publish()
