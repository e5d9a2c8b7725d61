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
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import openvino as ov

from optguide import Recording, Variant, measure, plots
from optguide.bench.traces import trace
from optguide.guide import profiles, workloads
from optguide.guide.workloads import retrieval
from optguide.stats.comparison import paired

encoder = str(workloads.sentences_dynamic().ir)


def compiled(length: Any, settings: Mapping[str, str]) -> ov.CompiledModel:
    core = ov.Core()
    model = core.read_model(encoder)
    model.reshape({port: [1, length] for port in model.inputs})
    return core.compile_model(model, "CPU", dict(settings))


# %%
# The texts are first sentences of docstrings, and what follows them. One from each
# sixteenth of the sorted lengths stands for all, in an order that mixes short and
# long: a few in a row are a fair sample too.


def length_of(text: Any) -> int:
    return int(text["input_ids"].shape[1])


def tokens_of(pairs: int) -> list[Any]:
    return retrieval.tokens(
        [text for pair in retrieval.pairs(pairs) for text in pair]
    )


everything = sorted(tokens_of(100), key=length_of)
sixteenths = everything[len(everything) // 32 :: len(everything) // 16][:16]
texts = [sixteenths[int(f"{place:04b}"[::-1], 2)] for place in range(16)]
print("tokens:", *map(length_of, texts))

# %%
# Padding changes no result, since the attention mask says which tokens are real.
# What is left is rounding:


def padded(text: Any, width: int) -> dict[str, Any]:
    missing = width - length_of(text)
    return {
        name: np.pad(tokens, ((0, 0), (0, missing)))
        for name, tokens in text.items()
    }


record = Recording("deploy/dynamic_shapes", declares=("shapes.*",))
for precision, settings in (
    ("f32", {"INFERENCE_PRECISION_HINT": "f32"}),
    ("default", {}),
):
    static, dynamic = compiled(128, settings), compiled(-1, settings)
    found = [
        (static(padded(text, 128))[0].copy(), dynamic(text)[0].copy())
        for text in texts
    ]
    largest = max(float(np.abs(a - b).max() / np.abs(b).max()) for a, b in found)
    record.add_value(
        f"shapes.padding.{precision}",
        largest,
        "share",
        label=f"Padding, {precision}: difference",
    )
    shapes = [model.input(0).partial_shape for model in (static, dynamic)]
    print(
        f"{precision}: {shapes[0]} and {shapes[1]} differ by at most {largest:.1e}"
    )

# %%
# Five ways, and a sixth for later
# --------------------------------
#
# A way is a function: which models it compiles, and to which widths it pads, if it
# does. ``same`` gives padded texts to a dynamic model, so that nothing but the kind
# of shape differs from ``static``.


class Way(NamedTuple):
    """Lengths of compiled models, and widths to which texts are padded before."""

    name: str
    lengths: Sequence[Any]
    widths: Sequence[int] = ()
    settings: Mapping[str, str] = {}


def variant(way: Way, texts: Sequence[Any], *, known: bool) -> Variant:
    name, lengths, widths, settings = way

    def make() -> Callable[[], Any]:
        models = [compiled(length, settings) for length in lengths]

        def encode(text: Any) -> Any:
            if not widths:
                return models[0](text)[0]
            place = next(
                i for i, width in enumerate(widths) if width >= length_of(text)
            )
            return models[place](padded(text, widths[place]))[0]

        for text in texts if known else ():
            encode(text)
        turn = itertools.cycle(texts)
        return lambda: encode(next(turn))

    return Variant.from_function(name, make)


widths = (32, 64, 96, 128)
ways = {
    "static": Way("padded to 128", (128,), (128,)),
    "same": Way("padded to 128, dynamic model", (-1,), (128,)),
    "buckets": Way("padded to 32, 64, 96 or 128", widths, widths),
    "bounded": Way("bounded, 1 to 128", ((1, 128),)),
    "dynamic": Way("dynamic", (-1,)),
}
uncached = Way(
    "dynamic, no cache", (-1,), settings={"CPU_RUNTIME_CACHE_CAPACITY": "0"}
)

# %%
# In the session, every length has been seen before.

full, budget = profiles.current().name == "full", profiles.current().budget
result = measure(
    [variant(way, texts, known=True) for way in ways.values()],
    replace(budget, seconds=(0.55 if full else 1.0) * budget.seconds),
    label="texts of any length",
)
names = {way.name: part for part, way in ways.items()}
record.add_session("shapes", result, names=names, percentiles=(50, 95))
gains = {
    "static": ("same", "static"),
    "dynamic": ("static", "dynamic"),
    "buckets": ("static", "buckets"),
    "bounded": ("dynamic", "bounded"),
    "over_buckets": ("buckets", "dynamic"),
}
for gain, (a, b) in gains.items():
    record.add_comparison(
        f"shapes.gain.{gain}",
        result.compare(ways[a].name, ways[b].name, "throughput"),
    )

rows = [(name, result.throughput(name)) for name in names]
record.figure(
    "throughput",
    lambda: plots.bars(
        rows, "inferences/s", quantity="Texts", reference=ways["static"].name
    ),
    alt="One bar per way of taking texts of any length: texts per second with "
    "the interval.",
    caption="Texts per second, one after another, once every length has been seen.",
)

# %%
# Every length for the first time
# -------------------------------
#
# The CPU prepares kernels for a shape and keeps them in a cache that
# ``CPU_RUNTIME_CACHE_CAPACITY`` limits. Each text is encoded twice in a row, and
# all of them a second time. So a length is new, then the same as in the call
# before, and later it comes back; and memory shows whether it still grows when
# nothing is new.

ways = {part: way for part, way in ways.items() if part != "same"} | {
    "uncached": uncached
}
traced = {
    part: ways[part]
    for part in (ways if full else ("buckets", "dynamic", "uncached"))
}
stream = tokens_of(16 if full else 8)
twice = [text for text in stream for _ in range(2)]
traces = trace(
    [variant(way, twice, known=False) for way in traced.values()],
    2 * len(twice),
    every=len(twice) // 8,
    label="every length for the first time",
)

# %%
# The first text is left out: it also pays for what is prepared once, for all
# lengths.

first = {
    length_of(text): 2 * place
    for place, text in reversed([*enumerate(stream)])
    if place
}


def times(part: str, later: int) -> list[float]:
    return [
        traces[ways[part].name].milliseconds[place + later]
        for place in first.values()
    ]


for part, way in ways.items():
    if part not in traced:
        for what in ("new", "back", "growth"):
            record.unavailable(f"shapes.{part}.{what}", "left to the full profile")
        continue
    new, back = (
        paired(times(part, later), times(part, later + 1))
        for later in (0, len(twice))
    )
    record.add(
        f"shapes.{part}.new",
        new,
        label=f"{way.name}: new length against the same again",
        above="longer",
    )
    record.add(
        f"shapes.{part}.back",
        back,
        label=f"{way.name}: length that comes back against the same again",
        above="longer",
    )
    growth = traces[way.name].growth(len(twice))
    record.add(
        f"shapes.{part}.growth",
        growth,
        label=f"{way.name}: memory, second time against first",
        above="more",
    )
gain = paired(times("uncached", len(twice)), times("dynamic", len(twice)))
record.add(
    "shapes.gain.cache",
    gain,
    label="Lengths that come back: without the cache against with it",
    above="longer",
)

record.figure(
    "memory",
    lambda: plots.memory(
        {name: found.memory for name, found in traces.items()},
        x_label="Calls (count)",
    ),
    alt="Resident memory over calls, one line per way of taking texts of any "
    "length.",
    caption=f"Resident memory of one process over {2 * len(twice)} calls. The "
    f"second half repeats the first.",
)

record.publish()
