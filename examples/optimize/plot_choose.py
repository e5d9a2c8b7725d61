"""
Compare every way to compress an encoder
========================================

Which way to compress a sentence encoder is the fastest and the most accurate: the
models of this chapter's examples take turns in one session.

Explained in :doc:`/optimize/choose`. Install:
``pip install "optguide[frameworks,models]"``, then run
:doc:`plot_post_training_quantization` and :doc:`plot_weight_compression`.
"""

import openvino as ov

from optguide import OpenVINO, Recording, Variant, measure, plots, records
from optguide.errors import RecordsError
from optguide.guide import profiles
from optguide.records.model import EvaluatedModel

# %%
# The models
# ----------
#
# Beside each accuracy, the examples recorded which file was judged.

METHODS = {
    "f32": ("Original, f32 pinned", "ptq.sentences.f32.accuracy"),
    "default": ("Original, default precision", "ptq.sentences.default.accuracy"),
    "int8": ("Quantized after training", "ptq.sentences.int8.accuracy"),
    "weights8": ("INT8 weights", "weights.int8.accuracy"),
    "weights4": ("4-bit weights", "weights.int4_all.accuracy"),
}
recorded = records.load(allow_mixed=True).results
if not {name for _, name in METHODS.values()} <= recorded.keys():
    raise RecordsError(
        "The models of this chapter are not among the results here.",
        "Run the two examples that this one names first.",
    )
accuracies = {part: recorded[name] for part, (_, name) in METHODS.items()}
files = {part: EvaluatedModel.of(one).model for part, one in accuracies.items()}

# %%
# Latency
# -------
#
# All run in the precision that the device chooses by itself, because that is what
# an application gets; only the first one pins f32.

inputs = ov.Core().read_model(files["f32"]).inputs
shapes = {port.any_name: (1, 128) for port in inputs}
runtimes = dict.fromkeys(METHODS, OpenVINO(shapes=shapes))
runtimes["f32"] = OpenVINO(shapes=shapes, precision="f32")
variants = {
    part: Variant(label, files[part], runtimes[part])
    for part, (label, _) in METHODS.items()
}
result = measure(variants.values(), profiles.budget(), label="ways to compress")

# %%
# What is recorded:

record = Recording("optimize/choose", declares=("choose.*",))
record.session("choose.sentences", result, variants)
for part in ("f32", "int8", "weights8", "weights4"):
    pair = (variants["default"], variants[part])
    record.ratios("choose.sentences", result, {f"{part}.speed": pair})
points = [
    (label, result.latency(label), accuracies[part].estimate)
    for part, (label, _) in METHODS.items()
]
record.figure(
    "pareto-sentences",
    lambda: plots.pareto(points),
    alt="Accuracy against median latency of the encoder, by way of compressing it.",
    caption="Accuracy and median latency of the encoder. Up and left is better.",
)
record.publish()
