"""
Choose the inference precision, and see what it does to the answers
===================================================================

You learn how to ask for a precision, how to read back which one the device took,
how much faster that is, and how far the output moves.

Explained in :doc:`/deploy/device-tuning`. Install: ``pip install
"optguide[frameworks,models]"``.
"""

# %%
# Ask, and read back
# ------------------
#
# A processor without bf16 takes another type and says nothing, so ask the compiled
# model. The execution mode is the more general way: ``ACCURACY`` converts no layer.

import numpy as np
import openvino as ov

from optguide import OpenVINO, Recording, Variant, measure
from optguide.guide import profiles, workloads
from optguide.guide.workloads import retrieval
from optguide.stats import accuracy

encoder = workloads.sentences_dynamic()
settings = {
    "f32": {"INFERENCE_PRECISION_HINT": "f32"},
    "bf16": {"INFERENCE_PRECISION_HINT": "bf16"},
    "performance": {"EXECUTION_MODE_HINT": "PERFORMANCE"},
    "accuracy": {"EXECUTION_MODE_HINT": "ACCURACY"},
}

core = ov.Core()
compiled = {
    name: core.compile_model(encoder.ir, "CPU", properties)
    for name, properties in settings.items()
}
for name, model in compiled.items():
    print(name, "computes in", model.get_property("INFERENCE_PRECISION_HINT"))

# %%
# The answers
# -----------
#
# Every setting embeds the same texts. The error of an embedding is its distance
# from the one in f32, as a share of its length (relative L2).

texts = [text for _, text in retrieval.pairs(100 if profiles.full() else 24)]
embeddings = {
    name: retrieval.embed(model, texts) for name, model in compiled.items()
}
exact = embeddings["f32"]
lengths = np.linalg.norm(exact, axis=1)
errors = {
    name: np.linalg.norm(embedding - exact, axis=1) / lengths
    for name, embedding in embeddings.items()
}
for name, error in errors.items():
    print(f"{name}: the embedding moves by {error.mean():.2%}")

# %%
# The speed
# ---------
#
# One text of 128 tokens. The settings take turns in one session.

shapes = {port.any_name: (1, 128) for port in core.read_model(encoder.ir).inputs}
text = Variant(
    "f32", encoder.ir, OpenVINO(shapes=shapes), (workloads.sentences().inputs,)
)
variants = {
    name: text.with_(name, properties=properties)
    for name, properties in settings.items()
}
result = measure(variants.values(), profiles.budget(0.6))

# %%
# What it came to
# ---------------

record = Recording("deploy/device_tuning", declares=("tuning.*",))
pairs = {
    "bf16_over_f32": ("f32", "bf16"),
    "accuracy_over_f32": ("f32", "accuracy"),
    "performance_over_accuracy": ("accuracy", "performance"),
}
caption = "A sentence encoder: how much faster the setting named first is."
record.ratios("tuning", result, pairs, caption=caption)
record.session("tuning", result, variants)
for name, error in errors.items():
    mean = accuracy.mean_of_samples(error, "share")
    record.values(f"tuning.{name}", {"distance": (mean, f"{name}: error")})
record.publish()
