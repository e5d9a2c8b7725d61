"""
Measure latency and throughput with more requests in flight
===========================================================

Learn how the time of one inference and the number completed per second part company
once several inferences are in flight, and how many of them are worth having.

Explained in :doc:`/measure/what-is-performance`. Install: ``pip install
"optguide[frameworks,models]"``.
"""

import time

import numpy as np
import openvino as ov

from optguide import Recording, Variant, measure, plots
from optguide.guide import profiles, workloads

resnet50 = workloads.resnet50()
image = np.load(resnet50.inputs)["pixel_values"]
core = ov.Core()

# %%
# One at a time
# -------------
#
# The LATENCY hint gives all cores to a single inference. The next call waits for
# the previous one, so one number is the reciprocal of the other.

compiled = core.compile_model(resnet50.ir, "CPU", {"PERFORMANCE_HINT": "LATENCY"})
request = compiled.create_infer_request()
start = time.perf_counter()
for _ in range(6):
    request.infer(image)
rate = 6 / (time.perf_counter() - start)
print(f"one on all cores: {request.latency:.1f} ms, {rate:.1f} per second")

# %%
# Several in flight
# -----------------
#
# ``AsyncInferQueue`` holds infer requests. ``start_async`` takes the next free one
# and returns at once; when none is free, it waits for one. How many are worth
# having, the device says itself.

hint = {"PERFORMANCE_HINT": "THROUGHPUT"}
compiled = core.compile_model(resnet50.ir, "CPU", hint)
optimal = compiled.get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS")
queue = ov.AsyncInferQueue(compiled, optimal)
latencies = []
queue.set_callback(lambda request, _: latencies.append(request.latency))
start = time.perf_counter()
for _ in range(6 * optimal):
    queue.start_async(image)
queue.wait_all()
rate = len(latencies) / (time.perf_counter() - start)
print(f"{optimal} in flight: {np.median(latencies):.1f} ms, {rate:.1f} per second")

# %%
# A fair comparison
# -----------------
#
# Calls from a cold start say little. :func:`optguide.measure` gives each variant a
# process of its own and lets them take turns in short blocks.

base = max(2, optimal)
counts = {"one": 1, "optimal": base, "fourfold": 4 * base}
one = Variant("one on all cores", resnet50.ir)
busy = one.with_("busy", properties=hint)
ways = {p: busy.with_(f"{n} in flight", requests=n) for p, n in counts.items()}
ways["all_cores"] = one
result = measure(ways.values(), profiles.budget())

# %%
# What more requests bring, and what they cost
# --------------------------------------------
#
# With ``n`` requests in flight, throughput times latency is ``n`` (Little's law).
# Where another request no longer raises throughput, it can only raise latency.

record = Recording("measure/what_is_performance", declares=("performance.*",))
record.session("performance.resnet50", result, ways)
best, most = ways["optimal"], ways["fourfold"]
pairs, wait = {"gain": (one, best), "beyond": (best, most)}, {"wait": (best, most)}
record.ratios("performance.resnet50", result, pairs, "throughput")
record.ratios("performance.resnet50", result, wait, above="longer")
curve = [
    (n, result.latency(f"{n} in flight"), result.throughput(f"{n} in flight"))
    for n in counts.values()
]
record.figure(
    "latency-throughput",
    lambda: plots.latency_throughput({resnet50.title: curve}),
    alt="Latency over throughput of ResNet-50, a point per number of requests.",
    caption="More requests in flight: right is more throughput, down less latency.",
)
record.publish()
