"""
Infer on texts of any length: dynamic, padded, in buckets
=========================================================

Texts have any length, and a sentence encoder has to take them: padded to one
length, padded to the next of a few lengths, or as they are. All ways encode the
same texts in turn, and then every length for the first time.

Explained in :doc:`/deploy/dynamic-shapes`. Install: ``pip install
"optguide[frameworks,models]"``.
"""

# %%
# Three kinds of shape
# --------------------
#
# ``reshape`` takes a number, a range, or -1 for each dimension: static, bounded, or
# dynamic.

import itertools

import numpy as np
import openvino as ov

from optguide import Recording, Variant, measure, plots
from optguide.bench.cold_start import trace
from optguide.guide import profiles, workloads
from optguide.guide.workloads import retrieval
from optguide.stats.comparison import paired

encoder = str(workloads.sentences_dynamic().ir)


def compiled(length, settings):
    core = ov.Core()
    model = core.read_model(encoder)
    model.reshape({port: [1, length] for port in model.inputs})
    return core.compile_model(model, "CPU", settings)


# %%
# The texts are first sentences of docstrings, and what follows them. One from each
# sixteenth of the sorted lengths stands for all, in an order that mixes short and
# long. Padding changes no result, since the attention mask says which tokens are
# real. What is left is rounding:

pairs = [text for pair in retrieval.pairs(100) for text in pair]
tokens = sorted(retrieval.tokens(pairs), key=lambda text: text["input_ids"].size)
texts = tokens[len(tokens) // 32 :: len(tokens) // 16][:16]
texts = [texts[place] for place in np.random.default_rng(0).permutation(16)]
print("tokens:", *(text["input_ids"].size for text in texts))


def padded(text, width):
    missing = width - text["input_ids"].size
    return {
        name: np.pad(tokens, ((0, 0), (0, missing)))
        for name, tokens in text.items()
    }


largest = {}
for precision, settings in (
    ("f32", {"INFERENCE_PRECISION_HINT": "f32"}),
    ("default", {}),
):
    static, dynamic = compiled(128, settings), compiled(-1, settings)
    outputs = [
        (static(padded(t, 128))[0].copy(), dynamic(t)[0].copy()) for t in texts
    ]
    largest[precision] = max(
        np.abs(a - b).max() / np.abs(b).max() for a, b in outputs
    )
print("largest difference:", largest)

# %%
# Ways to take them
# -----------------
#
# A way says which models are compiled, and to which widths texts are padded, if at
# all. ``same`` gives padded texts to a dynamic model, so that nothing but the kind
# of shape differs from ``static``.


def encode(lengths, widths, texts, settings, warm):
    models = [compiled(length, settings) for length in lengths]

    def one(text):
        if not widths:
            return models[0](text)[0]
        place = next(i for i, w in enumerate(widths) if w >= text["input_ids"].size)
        return models[place % len(models)](padded(text, widths[place]))[0]

    for text in texts if warm else ():
        one(text)
    turn = itertools.cycle(texts)
    return lambda: one(next(turn))


widths = (32, 64, 96, 128)
ways = {
    "static": ((128,), (128,)),
    "same": ((-1,), (128,)),
    "buckets": (widths, widths),
    "bounded": (((1, 128),), ()),
    "dynamic": ((-1,), ()),
    "uncached": ((-1,), ()),
}


def variant(name, texts, warm):
    settings = {"CPU_RUNTIME_CACHE_CAPACITY": "0"} if name == "uncached" else {}
    arguments = (*ways[name], texts, settings, warm)
    return Variant.from_function(name, lambda: encode(*arguments))


seen = [variant(name, texts, True) for name in ways if name != "uncached"]
result = measure(seen, profiles.budget(0.55 if profiles.full() else 1))

# %%
# Every length for the first time
# -------------------------------
#
# The CPU prepares kernels for a shape and keeps them in a cache that
# ``CPU_RUNTIME_CACHE_CAPACITY`` limits. Each text is encoded twice in a row, and
# all of them a second time. So a length is new, then the same as in the call
# before, and later it comes back. The first text is left out: it also pays for what
# is prepared once, for all lengths.

stream = retrieval.tokens(pairs[: 32 if profiles.full() else 16])
twice = [text for text in stream for _ in range(2)]
names = ("buckets", "dynamic", "uncached")
names = ("static", "bounded", *names) if profiles.full() else names
fresh = [variant(name, twice, False) for name in names]
traces = trace(fresh, 2 * len(twice), every=len(twice) // 8)
lengths = [text["input_ids"].size for text in stream]
places = {length: 2 * i for i, length in reversed([*enumerate(lengths)])}
del places[lengths[0]]


def times(name, later):
    return [traces[name].milliseconds[place + later] for place in places.values()]


# %%
# What it comes to
# ----------------

record = Recording("deploy/dynamic_shapes", declares=("shapes.*",))
bars = [(name, result.throughput(name)) for name in result.series]
record.figure(
    "throughput",
    lambda: plots.bars(bars, "inferences/s", quantity="Texts", reference="static"),
    alt="One bar per way of taking texts of any length: texts per second.",
    caption="Texts per second, one after another, once every length has been seen.",
)
record.session(
    "shapes", result, {n: n for n in result.series}, percentiles=(50, 95)
)
gains = {
    "static": ("same", "static"),
    "dynamic": ("static", "dynamic"),
    "bounded": ("dynamic", "bounded"),
    "over_buckets": ("buckets", "dynamic"),
}
record.ratios("shapes.gain", result, gains, "throughput")
for precision, difference in largest.items():
    entry = (float(difference), "share", f"padding, {precision}")
    record.values("shapes.padding", {precision: entry})
for name in names:
    same = {"new": (times(name, 0), times(name, 1))}
    same["back"] = (times(name, len(twice)), times(name, len(twice) + 1))
    for key, (first, again) in same.items():
        entry = (
            paired(first, again),
            f"{name}: {key} length against the same again",
        )
        record.values(f"shapes.{name}", {key: entry}, above="longer")
    growth = (traces[name].growth(len(twice)), f"{name}: memory, second time")
    record.values(f"shapes.{name}", {"growth": growth}, above="more")
cache = paired(times("uncached", len(twice)), times("dynamic", len(twice)))
record.values(
    "shapes.gain", {"cache": (cache, "without the cache")}, above="longer"
)
profiles.full_only(record, "shapes.static.*", "shapes.bounded.*")
record.publish()
