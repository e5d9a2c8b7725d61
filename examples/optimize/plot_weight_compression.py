"""
Compress the weights of an encoder to 8 and 4 bits
==================================================

How to make weights smaller without any data, and what three schemes do to the size,
the accuracy and the latency of a sentence encoder.

Explained in :doc:`/optimize/weight-compression`. Install:
``pip install "optguide[frameworks,models]"``.
"""

from pathlib import Path

from optguide import OpenVINO, Recording, Variant, measure
from optguide.guide import profiles, workloads
from optguide.guide.workloads import answers

workloads.no_telemetry()

import nncf
import openvino as ov

# %%
# One call
# --------
#
# The scheme is in the arguments. For 4-bit schemes, ``group_size`` says how many
# weights share a scale; smaller groups follow the weights more closely and store
# more scales. Embeddings and the last layer keep 8 bits, unless ``all_layers`` says
# otherwise.

encoder = workloads.sentences_dynamic().ir


def compress(folder: Path, **scheme) -> None:
    model = ov.Core().read_model(encoder)
    compressed = nncf.compress_weights(model, **scheme)
    ov.save_model(compressed, folder / "model.xml", compress_to_fp16=False)


Mode = nncf.CompressWeightsMode
schemes = {
    "int8": {"mode": Mode.INT8_ASYM},
    "int4_sym": {"mode": Mode.INT4_SYM, "group_size": 128},
    "int4_all": {"mode": Mode.INT4_ASYM, "group_size": 64, "all_layers": True},
}
models = {"f32": encoder} | {
    part: workloads.cached_artifact(compress, **scheme) / "model.xml"
    for part, scheme in schemes.items()
}

# %%
# Accuracy
# --------
#
# Each first sentence of a docstring looks for the rest of its own among all others.
# Layers compute in 32-bit floats and quantize no inputs, so that only weights
# differ.

NAMES = {
    "f32": "32-bit floats",
    "int8": "INT8",
    "int4_sym": "INT4 symmetric, groups of 128",
    "int4_all": "INT4 in all layers",
}
exact = {"INFERENCE_PRECISION_HINT": "f32", "DYNAMIC_QUANTIZATION_GROUP_SIZE": "0"}
count = None if profiles.full() else 100
right = {
    part: answers.texts(NAMES[part], path, count, exact)
    for part, path in models.items()
}
record = Recording("optimize/weight_compression", declares=("weights.*",))
answers.add_answers(record, "weights", right, also=["size", "similarity"])

# %%
# Speed
# -----
#
# Unpacking costs instructions and saves traffic to memory. Which of them wins
# depends on how many tokens share one unpacking: 128 are tried, and 8.

inputs = ("input_ids", "attention_mask", "token_type_ids")
pairs = {f"gain.{part}": (NAMES["f32"], NAMES[part]) for part in schemes}
gains = {}
for topic, tokens in (("long", 128), ("short", 8)):
    title, shapes = f"{tokens} tokens", dict.fromkeys(inputs, (1, tokens))
    original = Variant(NAMES["f32"], encoder, OpenVINO(shapes=shapes))
    variants = {
        part: original.with_(NAMES[part], model=models[part]) for part in NAMES
    }
    result = measure(variants.values(), profiles.budget(0.5), label=title)
    record.session(f"weights.{topic}", result, variants, title=title)
    gains |= record.ratios(f"weights.{topic}", result, pairs, title=title)
answers.gains_figure(
    record,
    gains,
    "Compressed weights against 32-bit ones.",
)
record.publish()
