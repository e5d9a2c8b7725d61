"""
Take texts of any length: dynamic, padded, or in buckets
========================================================

You learn how to compile a model for any length, for one length, and for a few
lengths, and which of these encodes texts of real lengths fastest.

Explained in :doc:`/deploy/dynamic-shapes`. Install: ``pip install
"optguide[frameworks,models]"``.
"""

# %%
# Three kinds of shape
# --------------------
#
# ``reshape`` takes a number, a range, or -1 for each dimension: static, bounded, or
# dynamic.

import numpy as np
import openvino as ov

from optguide import Recording, Variant, measure
from optguide.guide import profiles, workloads
from optguide.guide.workloads import retrieval

encoder = str(workloads.sentences_dynamic().ir)


def compiled(length, **settings):
    core = ov.Core()
    model = core.read_model(encoder)
    model.reshape({port: [1, length] for port in model.inputs})
    return core.compile_model(model, "CPU", settings)


for length in (128, (1, 128), -1):
    print(length, "->", compiled(length).input(0).partial_shape)

# %%
# Padding
# -------
#
# The texts are docstrings, chosen evenly from the sorted lengths. Padding changes
# no answer, since the attention mask says which tokens are real.

docstrings = [text for pair in retrieval.pairs(100) for text in pair]
tokens = sorted(
    retrieval.tokens(docstrings), key=lambda text: text["input_ids"].size
)
parts = 8 if profiles.full() else 4
texts = tokens[len(tokens) // (2 * parts) :: len(tokens) // parts][:parts]


def padded(text, width):
    missing = width - text["input_ids"].size
    return {
        name: np.pad(values, ((0, 0), (0, missing)))
        for name, values in text.items()
    }


static = compiled(128, INFERENCE_PRECISION_HINT="f32")
dynamic = compiled(-1, INFERENCE_PRECISION_HINT="f32")
difference = max(
    np.abs(static(padded(text, 128))[0] - dynamic(text)[0]).max() for text in texts
)
print("largest difference by padding:", difference)

# %%
# Ways to take them
# -----------------
#
# A call encodes all texts. ``padded for a dynamic model`` differs from
# ``padded`` in nothing but the kind of shape.


def as_they_are(length):
    model = compiled(length)
    return lambda: [model(text)[0] for text in texts]


def all_padded(length):
    model = compiled(length)
    return lambda: [model(padded(text, 128))[0] for text in texts]


def in_buckets(widths):
    models = {width: compiled(width) for width in widths}
    bucket = [min(w for w in widths if w >= t["input_ids"].size) for t in texts]
    return lambda: [
        models[width](padded(text, width))[0]
        for text, width in zip(texts, bucket, strict=True)
    ]


ways = {
    "static": ("padded", lambda: all_padded(128)),
    "same": ("padded for a dynamic model", lambda: all_padded(-1)),
    "buckets": ("in buckets", lambda: in_buckets((32, 64, 96, 128))),
    "bounded": ("bounded", lambda: as_they_are((1, 128))),
    "dynamic": ("dynamic", lambda: as_they_are(-1)),
}
variants = {
    part: Variant.from_function(name, make, frames=len(texts))
    for part, (name, make) in ways.items()
}
result = measure(variants.values(), profiles.budget(0.6))

# %%
# What it came to
# ---------------

record = Recording("deploy/dynamic_shapes", declares=("shapes.*",))
record.session("shapes", result, variants)
pairs = {
    "static": ("same", "static"),
    "dynamic": ("static", "dynamic"),
    "bounded": ("dynamic", "bounded"),
    "over_buckets": ("buckets", "dynamic"),
}
pairs = {key: (variants[a], variants[b]) for key, (a, b) in pairs.items()}
caption = "Texts per second, once every length has been seen."
record.ratios("shapes.gain", result, pairs, "throughput", caption=caption)
record.values("shapes.padding", {"f32": (float(difference), "share", "by padding")})
record.publish()
