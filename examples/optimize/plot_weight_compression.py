"""
Compress the weights of an encoder to 8 and 4 bits
==================================================

Only the weights become smaller, without calibration data; layers still compute in
floating point. Four schemes are compared in size and accuracy, three of them in
latency, and two in loading.

Install: ``pip install "optguide[frameworks,models]"``. Explained in
:doc:`/optimize/weight-compression`.
"""

from pathlib import Path

from optguide import OpenVINO, Recording, Variant, first_inference, measure, plots
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
    "int4_asym": {"mode": Mode.INT4_ASYM, "group_size": 64},
    "int4_all": {"mode": Mode.INT4_ASYM, "group_size": 64, "all_layers": True},
}
models = {"f32": encoder} | {
    part: workloads.cached_artifact(compress, **scheme) / "model.xml"
    for part, scheme in schemes.items()
}

# %%
# What the files hold
# -------------------
#
# The weights stay compressed in the file and in memory, and layers unpack them.

for part, path in models.items():
    operations = ov.Core().read_model(path).get_ops()
    constants = [op for op in operations if op.get_type_name() == "Constant"]
    largest = max(constants, key=lambda op: op.get_byte_size())
    megabytes = path.with_suffix(".bin").stat().st_size / 1e6
    print(f"{part}: {megabytes:.1f} MB, embeddings in", largest.get_element_type())

# %%
# Accuracy: find the text that a sentence belongs to
# --------------------------------------------------
#
# Each first sentence of a docstring looks for the rest of its own among all others.
# Layers compute in 32-bit floats and quantize no inputs, so that only weights
# differ.

NAMES = {
    "f32": "32-bit floats",
    "int8": "INT8",
    "int4_sym": "INT4 symmetric, groups of 128",
    "int4_asym": "INT4 asymmetric, groups of 64",
    "int4_all": "INT4 in all layers",
}
exact = {"INFERENCE_PRECISION_HINT": "f32", "DYNAMIC_QUANTIZATION_GROUP_SIZE": "0"}
count = None if profiles.full() else 100
right = {
    part: answers.texts(NAMES[part], path, count, exact)
    for part, path in models.items()
}
record = Recording("optimize/weight_compression", declares=("weights.*",))

# %%
# Speed
# -----
#
# Unpacking costs instructions and saves traffic to memory. Which of them wins
# depends on how many tokens share one unpacking: 128 are tried, and 8. The
# precision is the device's default. A smaller file may also be loaded sooner.


def variants(tokens: int, *parts: str) -> dict[str, Variant]:
    inputs = ("input_ids", "attention_mask", "token_type_ids")
    runtime = OpenVINO(shapes=dict.fromkeys(inputs, (1, tokens)))
    return {part: Variant(NAMES[part], models[part], runtime) for part in parts}


timed = ("f32", "int8", "int4_sym", "int4_all")
long, short = variants(128, *timed), variants(8, *timed)
half = profiles.budget(0.5)
arithmetic = measure(list(long.values()), half, label="compressed, 128 tokens")
memory = measure(list(short.values()), half, label="compressed, 8 tokens")

loading = variants(128, "f32", "int8", "int4_all")
starts = first_inference(
    list(loading.values()), 6, steady=1, label="loading weights"
)

# %%
# What is recorded
# ----------------

answers.add_answers(record, "weights", right, also=("size", "similarity"))
pairs = {f"gain.{part}": (NAMES["f32"], NAMES[part]) for part in timed[1:]}
gains = {}
for topic, result, tokens in (("long", arithmetic, 128), ("short", memory, 8)):
    title = f"{tokens} tokens"
    record.session(f"weights.{topic}", result, long, title=title)
    gains |= record.ratios(f"weights.{topic}", result, pairs, title=title)
for part, one in loading.items():
    label = f"{one.name}: first result"
    record.values("weights.load", {part: (starts.estimate(one.name), label)})
    if part != "f32":
        gain = starts.compare(NAMES["f32"], one.name)
        record.values(
            "weights.load.gain", {part: (gain, f"{label}, against 32-bit")}
        )
record.figure(
    "gains",
    lambda: plots.ratios(list(gains.items()), quantity="Latency"),
    alt="Latency of compressed weights against 32-bit ones, by length.",
    caption="An inference with compressed weights against one with 32-bit weights.",
)
record.publish()
