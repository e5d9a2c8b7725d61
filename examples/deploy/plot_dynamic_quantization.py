"""
Quantize the inputs of layers while the model runs
==================================================

You learn how to switch dynamic quantization on, how to find out whether it really
happens on your processor, and what larger groups gain and lose.

Explained in :doc:`/deploy/device-tuning`. Install: ``pip install
"optguide[frameworks,models]"``.
"""

# %%
# Compress the weights
# --------------------
#
# Dynamic quantization needs a model whose weights are compressed. At run time it
# quantizes the inputs of those layers to 8 bits, in groups that share a scale.

from pathlib import Path

import numpy as np

from optguide import OpenVINO, Recording, Variant, measure
from optguide.guide import profiles, workloads
from optguide.guide.workloads import retrieval
from optguide.stats import accuracy

workloads.no_telemetry()

import nncf
import openvino as ov

encoder = workloads.sentences_dynamic()


def compress(folder: Path, source: str) -> None:
    model = nncf.compress_weights(ov.Core().read_model(source))
    ov.save_model(model, folder / "model.xml", compress_to_fp16=False)


folder = workloads.cached_artifact(compress, source=str(encoder.ir))
compressed = folder / "model.xml"
record = Recording(
    "deploy/dynamic_quantization",
    declares=("tuning.*group*", "tuning.unquantized*"),
)

# %%
# Does it happen?
# ---------------
#
# Some kernels cannot quantize dynamically, and nothing says so. If outputs with
# groups and without are equal, it does not happen.

core, texts = ov.Core(), [text for _, text in retrieval.pairs(24)]


def embed(model, properties):
    return retrieval.embed(core.compile_model(model, "CPU", properties), texts)


def distance(a, b):
    """Distance of embeddings as a share of their length (relative L2)."""
    return np.linalg.norm(a - b, axis=1) / np.linalg.norm(b, axis=1)


groups = "DYNAMIC_QUANTIZATION_GROUP_SIZE"
moved = distance(*(embed(compressed, {groups: size}) for size in (32, 0)))
print(f"with groups, embeddings differ by {moved.mean():.2%}")

# %%
# Groups of 32 and of 128
# -----------------------
#
# Layers in f32 can quantize dynamically on all processors, so f32 is pinned here.

f32 = {"INFERENCE_PRECISION_HINT": "f32"}
settings = {"unquantized": 0, "group32": 32, "group128": 128}
settings = {name: f32 | {groups: size} for name, size in settings.items()}
exact = embed(encoder.ir, f32)
errors = {
    name: distance(embed(compressed, properties), exact)
    for name, properties in settings.items()
}

shapes = {port.any_name: (1, 128) for port in core.read_model(compressed).inputs}
text = Variant(
    "text", compressed, OpenVINO(shapes=shapes), (workloads.sentences().inputs,)
)
variants = {
    name: text.with_(name, properties=properties)
    for name, properties in settings.items()
}
result = measure(variants.values(), profiles.budget(0.6))

# %%
# What it came to
# ---------------

pairs = {
    "group32_over_unquantized": ("unquantized", "group32"),
    "group128_over_group32": ("group32", "group128"),
}
caption = (
    "A sentence encoder with 8-bit weights, in f32: groups against each other."
)
record.ratios("tuning", result, pairs, caption=caption)
record.session("tuning", result, variants)
errors["default_groups"] = moved
for name, error in errors.items():
    mean = accuracy.mean_of_samples(error, "share")
    record.values(f"tuning.{name}", {"distance": (mean, f"{name}: error")})
loss = accuracy.mean_of_samples(errors["group128"] - errors["group32"], "share")
record.values("tuning", {"group128_loss": (loss, "groups of 128 beyond 32")})
record.publish()
