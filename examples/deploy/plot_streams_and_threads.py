"""
Choose streams and threads within a latency limit
=================================================

You learn how to ask for a number of streams and threads, what the device makes of
that, and how to find the setting with the highest throughput that still answers in
time.

Explained in :doc:`/deploy/streams-and-threads`. Install: ``pip install
"optguide[frameworks,models]"``.
"""

# %%
# Ask, and read back
# ------------------
#
# The device may reduce or drop what it is asked for without a word, so ask the
# compiled model what it took. A property that the device does not know is an error,
# such as ``AFFINITY``, the old name of pinning.

import openvino as ov

from optguide import OpenVINO, Recording, Variant, measure, plots
from optguide.bench.streams import Setting, alternatives, corners, sweet_spot
from optguide.guide import profiles, workloads

core, model = ov.Core(), workloads.resnet50_int8()
processors = core.get_property("CPU", "RANGE_FOR_STREAMS")[1]
rows = []
for name, asked in {
    "NUM_STREAMS": 2 * processors,
    "INFERENCE_NUM_THREADS": 2 * processors,
    "ENABLE_CPU_PINNING": False,
    "ENABLE_HYPER_THREADING": True,
    "AFFINITY": "CORE",
}.items():
    try:
        compiled = core.compile_model(model.ir, "CPU", {name: asked})
        answer = str(compiled.get_property(name))
    except RuntimeError:
        answer = "refused"
    rows.append((name, str(asked), answer))
    print(f"{name}: asked for {asked}, got {answer}")

# %%
# The settings
# ------------
#
# The THROUGHPUT hint, which chooses both numbers itself, and beside it one stream,
# a stream for each processor, and twice as many streams or threads. The full
# profile adds steps between them. Each keeps as many requests in flight as the
# device calls optimal.

hint = {"PERFORMANCE_HINT": "THROUGHPUT"}
compiled = core.compile_model(model.ir, "CPU", hint)
default = Setting(
    compiled.get_property("NUM_STREAMS"),
    compiled.get_property("INFERENCE_NUM_THREADS"),
)
roles = corners(processors)
del roles["single"]  # one thread: a step between, on most processors
steps = alternatives(default, processors) if profiles.full() else ()
busy = Variant(
    "hint", model.ir, OpenVINO(properties=hint, requests=0), (model.inputs,)
)
variants = [busy] + [
    busy.with_(setting.name, properties=setting.properties)
    for setting in sorted({*roles.values(), *steps})
]
result = measure(variants, profiles.budget(0.6))

# %%
# The sweet spot
# --------------
#
# The limit is one and a half times the latency of a single stream on all
# processors. Within it, the setting with the highest throughput is taken; the
# hint's choice is left only for something that is shown to be faster.

names = {role: setting.name for role, setting in roles.items()}
limit = float(f"{1.5 * result.latency(names['one_stream']).high:.3g}")
others = [variant.name for variant in variants[1:]]
free = sweet_spot(result, "hint", others)
within = sweet_spot(result, "hint", others, limit)
print(f"no limit: {free}; within {limit:.3g} ms: {within}")

# %%
# What it came to
# ---------------

best = max(others, key=lambda name: result.throughput(name).value)
record = Recording("deploy/streams_and_threads", declares=("streams.*",))
record.session("streams", result, {"hint": "hint", **names})
pairs = {
    "taken_over_hint": ("hint", free),
    "hint_over_best": (best, "hint"),
    "streams": (names["one_stream"], names["per_processor"]),
    "more_streams": (names["per_processor"], names["past_streams"]),
    "more_threads": (names["one_stream"], names["past_threads"]),
}
record.ratios("streams.gain", result, pairs, "throughput")
record.values("streams", {"limit": (limit, "ms", "latency limit")})
record.table(
    "knobs", ("Property", "Asked for", "Got"), rows, caption="Asked for, and got."
)
points = [
    (name, result.latency(name), result.throughput(name))
    for name in ["hint", *others]
]
record.figure(
    "frontier",
    lambda: plots.frontier(points, limit=limit, chosen=within),
    alt="Latency and throughput of each setting, with those worth having joined.",
    caption=f"{model.title} on {processors} processors, and the latency limit.",
)
record.publish()
