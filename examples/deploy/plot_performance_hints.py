"""
Compare the performance hints, called one by one and side by side
=================================================================

Learn what the device makes of the hints LATENCY and THROUGHPUT, how to call a model
under each of them, and what a hint brings without the calls that it is meant for.

Explained in :doc:`/deploy/performance-hints`. Install: ``pip install
"optguide[frameworks,models]"``.
"""

import numpy as np
import openvino as ov

from optguide import Recording, Variant, measure, plots
from optguide.guide import profiles, workloads

# %%
# One word, several settings
# --------------------------
#
# A hint names the goal, and the device translates it into streams, threads and
# requests. What it made of the hint is read back from the compiled model.

core, resnet50 = ov.Core(), workloads.resnet50()
model = core.read_model(resnet50.ir)
image = np.load(resnet50.inputs)["pixel_values"]
hints = {
    "none": {},
    "latency": {"PERFORMANCE_HINT": "LATENCY"},
    "throughput": {"PERFORMANCE_HINT": "THROUGHPUT"},
}
optimal = "OPTIMAL_NUMBER_OF_INFER_REQUESTS"
properties = ("NUM_STREAMS", "INFERENCE_NUM_THREADS", optimal)
resolved = []
for hint, settings in hints.items():
    compiled = core.compile_model(model, "CPU", settings)
    row = [str(compiled.get_property(name)) for name in properties]
    resolved.append((hint, *row))
    print(hint, *row)

# %%
# An application that knows how many requests it can have at once says so, and gets
# no more streams than that. 0 is the default: no limit.

streams = {}
for limit in (1, 0):
    limited = {**hints["throughput"], "PERFORMANCE_HINT_NUM_REQUESTS": limit}
    compiled = core.compile_model(model, "CPU", limited)
    streams[limit] = compiled.get_property("NUM_STREAMS")
print("streams by number of requests:", streams)

# %%
# Two ways to call it
# -------------------
#
# A synchronous call returns when the result is there. ``AsyncInferQueue`` without a
# number has as many requests as the device calls optimal.

logits = compiled(image)[0]

queue = ov.AsyncInferQueue(compiled)
results = []
queue.set_callback(lambda r, _: results.append(r.output_tensors[0].data.copy()))
for _ in range(2 * len(queue)):
    queue.start_async(image)
queue.wait_all()
assert all(np.allclose(result, logits, rtol=1e-3, atol=1e-3) for result in results)

# %%
# Every hint, called in both ways
# -------------------------------

plain = Variant("plain", model=resnet50.ir, inputs=(resnet50.inputs,))
ways = {}
for hint, settings in hints.items():
    ways[f"sync.{hint}"] = plain.with_(f"{hint}, sync", properties=settings)
    ways[f"async.{hint}"] = ways[f"sync.{hint}"].with_(f"{hint}, async", requests=0)
result = measure(ways.values(), profiles.budget())

# %%
# Ratios are of latency for synchronous calls, and of throughput for asynchronous
# ones.

record = Recording("deploy/performance_hints", declares=("hints.*",))
record.session("hints.resnet50", result, ways)
for call, quantity in (("sync", "latency"), ("async", "throughput")):
    none, latency, throughput = (f"{hint}, {call}" for hint in hints)
    pairs = {
        f"{call}.none_over_latency": (latency, none),
        f"{call}.throughput_over_latency": (latency, throughput),
    }
    record.ratios("hints.resnet50", result, pairs, quantity)
for limit, number in streams.items():
    entry = (number, f"Streams with a limit of {limit}")
    record.values("hints.streams", {f"limit_{limit}": entry})
heads = ("Hint", "Streams", "Threads", "Optimal requests")
record.table("resolved", heads, resolved, caption="ResNet-50, by hint")
points = [(n, result.latency(n), result.throughput(n)) for n in result.series]
record.figure(
    "matrix",
    lambda: plots.frontier(points),
    alt="Latency and throughput of every hint, called in both ways.",
    caption="ResNet-50: one call after the other, and several in flight.",
)
record.publish()
