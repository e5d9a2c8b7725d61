"""
Compare the performance hints, called one by one and side by side
=================================================================

LATENCY, THROUGHPUT, CUMULATIVE_THROUGHPUT and no hint, each called synchronously
and asynchronously: what the device makes of each hint, and what that brings.

Explained in :doc:`/deploy/performance-hints`. Install: ``pip install
"optguide[frameworks,models]"``.
"""

# %%
# One word, several settings
# --------------------------
#
# A hint names the goal, and the device translates it into streams, threads and
# requests. What it made of it is read back from the compiled model.

import numpy as np
import openvino as ov

from optguide import Recording, Variant, measure, plots
from optguide.guide import profiles, workloads

core = ov.Core()
resnet50, sentences = workloads.resnet50(), workloads.sentences()
model = core.read_model(resnet50.ir)
hints = {
    "none": {},
    "latency": {"PERFORMANCE_HINT": "LATENCY"},
    "throughput": {"PERFORMANCE_HINT": "THROUGHPUT"},
    "cumulative": {"PERFORMANCE_HINT": "CUMULATIVE_THROUGHPUT"},
}
rows = []
for hint, settings in hints.items():
    compiled = core.compile_model(model, "CPU", settings)
    streams = compiled.get_property("NUM_STREAMS")
    threads = compiled.get_property("INFERENCE_NUM_THREADS")
    optimal = compiled.get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS")
    rows.append((hint, str(streams), str(threads), str(optimal)))
    print(f"{hint:12} {streams} streams, {threads} threads, {optimal} requests")

# %%
# An application that knows how many requests it can have at once says so, and gets
# no more streams than that. 0 is the default: no limit.

streams = {}
for limit in (1, 2, 0):
    limited = hints["throughput"] | {"PERFORMANCE_HINT_NUM_REQUESTS": limit}
    compiled = core.compile_model(model, "CPU", limited)
    streams[limit] = compiled.get_property("NUM_STREAMS")
print("streams by number of requests:", streams)

# %%
# Two ways to call it
# -------------------
#
# A synchronous call returns when the result is there. ``AsyncInferQueue`` without a
# number has as many requests as the device calls optimal, here for the THROUGHPUT
# hint.

image = dict(np.load(resnet50.inputs))
logits = compiled(image)[0]

queue = ov.AsyncInferQueue(compiled)
results = []
queue.set_callback(
    lambda request, _: results.append(request.output_tensors[0].data.max())
)
for _ in range(2 * len(queue)):
    queue.start_async(image)
queue.wait_all()
difference = max(np.abs(result - logits.max()) for result in results)
print(f"{len(results)} results, largest score apart by {difference:.1e}")

# %%
# All combinations
# ----------------
#
# Four hints times two ways to call. The full profile adds a second model, the
# cumulative hint behind AUTO, which is what it was made for, and the LATENCY hint
# with as many requests as the THROUGHPUT hint asks for: that tells what the hint
# does from what the requests do.

plain = Variant("plain", model=resnet50.ir, inputs=(resnet50.inputs,))
ways = {}
for hint, settings in hints.items():
    ways[f"sync.{hint}"] = plain.with_(f"{hint}, sync", properties=settings)
    ways[f"async.{hint}"] = ways[f"sync.{hint}"].with_(f"{hint}, async", requests=0)
texts = {
    part: way.with_(way.name, model=sentences.ir, inputs=(sentences.inputs,))
    for part, way in ways.items()
    if part.endswith(("latency", "throughput"))
}
if profiles.full():
    busy, auto = ways["async.latency"], ways["async.cumulative"]
    ways["async.busy"] = busy.with_("busy, async", requests=len(queue))
    ways["async.auto"] = auto.with_("auto, async", device="AUTO:CPU")
result = measure(ways.values(), profiles.budget())
other = profiles.full() and measure(texts.values(), profiles.budget(0.3))

# %%
# What it came to
# ---------------
#
# Ratios are of latency for synchronous calls and of throughput for asynchronous
# ones: above one, the hint named first is the better one.

record = Recording("deploy/performance_hints", declares=("hints.*",))
points = [(n, result.latency(n), result.throughput(n)) for n in result.series]
record.figure(
    "matrix",
    lambda: plots.frontier(points),
    alt="Latency and throughput of every hint, called synchronously and "
    "asynchronously.",
    caption="ResNet-50: every hint, called one by one and with the optimal "
    "requests.",
)
record.table(
    "resolved",
    ("Hint", "Streams", "Threads", "Optimal requests"),
    rows,
    caption="ResNet-50: what the device made of each hint.",
)
for limit, number in streams.items():
    record.values(
        "hints.streams", {f"limit_{limit}": (number, f"Streams, limit {limit}")}
    )
pairs = "throughput/latency throughput/none throughput/busy none/latency "
pairs += "cumulative/throughput auto/cumulative"
for topic, session, parts in (
    ("resnet50", result, ways),
    ("sentences", other, texts),
):
    record.session(f"hints.{topic}", session, parts)
    for call, quantity in (("sync", "latency"), ("async", "throughput")):
        for better, base in (pair.split("/") for pair in pairs.split()):
            if {f"{call}.{better}", f"{call}.{base}"} <= parts.keys():
                names = (f"{base}, {call}", f"{better}, {call}")
                ratio = {f"{call}.{better}_over_{base}": names}
                record.ratios(f"hints.{topic}", session, ratio, quantity)
profiles.full_only(record, "hints.resnet50.*busy*", "hints.resnet50.*auto*")
record.publish()
