"""
Find out what a new input size costs
====================================

You learn how much longer the first input of a length takes than the next one of
the same length, what the cache of the CPU keeps, and whether memory grows.

Explained in :doc:`/deploy/dynamic-shapes`. Install: ``pip install
"optguide[frameworks,models]"``.
"""

# %%
# The first call of a length
# --------------------------
#
# The CPU prepares kernels for a shape when it first meets it, and keeps them in a
# cache. Here are texts that all have another length.

import itertools

import numpy as np
import openvino as ov

from optguide import Recording, Variant, plots
from optguide.bench.cold_start import trace
from optguide.guide import profiles, workloads
from optguide.guide.workloads import retrieval
from optguide.stats.comparison import paired

encoder = str(workloads.sentences_dynamic().ir)
docstrings = [text for pair in retrieval.pairs(100) for text in pair]
by_length = {text["input_ids"].size: text for text in retrieval.tokens(docstrings)}
texts = [*by_length.values()][: 32 if profiles.full() else 16]
print("tokens:", *(text["input_ids"].size for text in texts))

# %%
# Each text twice in a row, and all of them again
# -----------------------------------------------
#
# So a length is new, then the same as in the call before; later it comes back.
# ``CPU_RUNTIME_CACHE_CAPACITY`` limits the cache: zero turns it off.


def encode(settings):
    compiled = ov.compile_model(encoder, "CPU", settings)
    in_turn = itertools.cycle([text for text in texts for _ in range(2)])
    return lambda: compiled(next(in_turn))


uncached = {"CPU_RUNTIME_CACHE_CAPACITY": 0}
variants = [
    Variant.from_function("dynamic", lambda: encode({})),
    Variant.from_function("uncached", lambda: encode(uncached)),
]
half = 2 * len(texts)
traces = trace(variants, 2 * half, every=half // 8)

# %%
# A call against the next one
# ---------------------------
#
# The first text is left out: it also pays for what is prepared once, for all
# lengths.

times = {
    name: np.reshape(calls.milliseconds, (2, len(texts), 2))[:, 1:]
    for name, calls in traces.items()
}
ratios, growth = {}, {}
for name, (first_time, later) in times.items():
    ratios[f"{name}.new"] = (paired(*first_time.T), f"{name}: new length")
    ratios[f"{name}.back"] = (paired(*later.T), f"{name}: length that comes back")
    growth[f"{name}.growth"] = (traces[name].growth(half), f"{name}: memory")
cache = paired(times["uncached"][1, :, 0], times["dynamic"][1, :, 0])
ratios["gain.cache"] = (cache, "without the cache")

# %%
# What it came to
# ---------------

record = Recording(
    "deploy/new_lengths",
    declares=("shapes.dynamic.*", "shapes.uncached.*", "shapes.gain.cache"),
)
bars = record.values("shapes", ratios, above="longer")
record.values("shapes", growth, above="more")
record.figure(
    "new",
    lambda: plots.ratios([*bars.items()], quantity="Latency", above="longer"),
    alt="Forest plot: calls with another length against the same length again.",
    caption="A call with another length against the next one with the same length.",
)
record.publish()
