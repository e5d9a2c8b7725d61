"""
Measure latency and throughput with more requests in flight
===========================================================

Latency is the time one inference takes. Throughput is how many are completed per
second. With one inference at a time, each is the reciprocal of the other. With
several in flight it is not, and this example measures how they part.

Explained in :doc:`/measure/what-is-performance`. Install: ``pip install
"optguide[frameworks,models]"``.
"""

# %%
# Several inferences in flight
# ----------------------------
#
# ``AsyncInferQueue`` holds a fixed number of infer requests. ``start_async`` takes
# the next free one and returns at once; when none is free, it waits for one. So the
# queue's size is the number of inferences in flight. How many are worth having, the
# device says itself.

import time

import numpy as np
import openvino as ov

from optguide import OpenVINO, Recording, Variant, measure, plots
from optguide.guide import profiles, workloads

resnet50, sentences = workloads.resnet50(), workloads.sentences()
image = dict(np.load(resnet50.inputs))

core = ov.Core()
hint = {"PERFORMANCE_HINT": "THROUGHPUT"}
compiled = core.compile_model(resnet50.ir, "CPU", hint)
optimal = compiled.get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS")
print(f"this device calls {optimal} infer requests optimal")

# %%
# A request tells its own latency; the rate takes a clock around all of them.

latencies = []
queue = ov.AsyncInferQueue(compiled, optimal)
queue.set_callback(lambda request, _: latencies.append(request.latency))
start = time.perf_counter()
for _ in range(6 * optimal):
    queue.start_async(image)
queue.wait_all()
rate = len(latencies) / (time.perf_counter() - start)
print(f"{optimal} in flight: {np.median(latencies):.1f} ms, {rate:.1f} per second")

# %%
# The opposite extreme: the LATENCY hint gives all cores to a single inference, and
# the next call waits for the previous one.

single = core.compile_model(resnet50.ir, "CPU", {"PERFORMANCE_HINT": "LATENCY"})
request = single.create_infer_request()
start = time.perf_counter()
for _ in range(6):
    request.infer(image)
rate = 6 / (time.perf_counter() - start)
print(f"one on all cores: {request.latency:.1f} ms, {rate:.1f} per second")

# %%
# The measurement
# ---------------
#
# A handful of calls from a cold start say little, so measuring is left to
# :func:`optguide.measure`. Each variant gets a process of its own, and they take
# turns in short blocks: whatever else the machine does meets all of them alike.

base = max(2, optimal)
in_flight = {"one": 1, "optimal": base, "double": 2 * base, "fourfold": 4 * base}
ways = {
    part: Variant(
        f"{n} in flight", resnet50.ir, OpenVINO(properties=hint, requests=n)
    )
    for part, n in in_flight.items()
}
ways["all_cores"] = ways["one"].with_(
    "one on all cores", properties={"PERFORMANCE_HINT": "LATENCY"}, requests=None
)
images = measure(ways.values(), profiles.budget())
texts = {
    part: way.with_(way.name, model=sentences.ir) for part, way in ways.items()
}
encoded = measure(texts.values(), profiles.budget())

# %%
# What it comes to
# ----------------
#
# With ``n`` requests in flight, throughput times latency is ``n`` (Little's law).
# Where adding a request no longer raises throughput, it can only raise latency.

results = {resnet50.title: images, sentences.title: encoded}
curves = {
    title: [
        (n, result.latency(f"{n} in flight"), result.throughput(f"{n} in flight"))
        for n in in_flight.values()
    ]
    for title, result in results.items()
}
record = Recording("measure/what_is_performance", declares=("performance.*",))
record.figure(
    "latency-throughput",
    lambda: plots.latency_throughput(curves),
    alt="Latency over throughput for two models, a point per number of requests "
    "in flight.",
    caption="Latency and throughput with growing numbers of requests in flight, "
    "THROUGHPUT hint. Right is more throughput, down is less latency.",
)
for topic, result in (("resnet50", images), ("sentences", encoded)):
    best, most = ways["optimal"], ways["fourfold"]
    record.session(f"performance.{topic}", result, ways)
    pairs = {"gain": (ways["all_cores"], best), "beyond": (best, most)}
    record.ratios(f"performance.{topic}", result, pairs, "throughput")
    record.ratios(
        f"performance.{topic}", result, {"wait": (best, most)}, above="longer"
    )
record.publish()
