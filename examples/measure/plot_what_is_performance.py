"""
Latency and throughput with more requests
=========================================

Latency is the time one inference takes. Throughput is how many are completed per second. With one inference
at a time, each is the reciprocal of the other. With several in flight it is not, and this example measures
how they part.
"""

# %%
# Several inferences in flight
# ----------------------------
#
# ``AsyncInferQueue`` holds a fixed number of infer requests. ``start_async`` takes the next free one and
# returns at once; when none is free, it waits for one. So the queue's size is the number of inferences in
# flight. How many are worth having, the device says itself.

import numpy as np
import openvino as ov

from optguide import OpenVINO, Recording, Variant, measure, plots
from optguide.guide import profiles, workloads

resnet50 = workloads.resnet50()
image = dict(np.load(resnet50.inputs))

compiled = ov.Core().compile_model(resnet50.ir, "CPU", {"PERFORMANCE_HINT": "THROUGHPUT"})
optimal = compiled.get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS")
print(f"this device calls {optimal} infer requests optimal")

queue = ov.AsyncInferQueue(compiled, optimal)
queue.set_callback(lambda request, number: print(f"request {number}: {request.latency:.1f} ms"))
for number in range(3 * optimal):
    queue.start_async(image, userdata=number)
queue.wait_all()

# %%
# The first lines come from a cold start: caches are empty and memory is being allocated. A handful of numbers
# is also too little to say anything, and so the measuring is left to :func:`optguide.measure`.
#
# One variant per number in flight
# --------------------------------
#
# A variant is plain data, and each one gets a process of its own. They take turns in short blocks, so that
# whatever else the machine does meets all of them alike. One more variant is the opposite extreme: the
# LATENCY hint gives all cores to a single inference, and the next call waits for the previous one.

base = max(2, optimal)
in_flight = {"one": 1, "optimal": base, "double": 2 * base, "fourfold": 4 * base}
profile = profiles.current()


def variants(workload: workloads.Workload) -> list[Variant]:
    model = {"model": workload.ir, "inputs": (workload.inputs,)}
    throughput = {"PERFORMANCE_HINT": "THROUGHPUT"}
    several = [
        Variant(f"{n} in flight", **model, runtime=OpenVINO(properties=throughput, requests=n))
        for n in in_flight.values()
    ]
    return [
        *several,
        Variant("one on all cores", **model, runtime=OpenVINO(properties={"PERFORMANCE_HINT": "LATENCY"})),
    ]


sentences = workloads.sentences()
results = {
    workload: measure(variants(workload), profile.budget, label=f"requests in flight, {workload.name}")
    for workload in (resnet50, sentences)
}

# %%
# What it comes to
# ----------------
#
# With ``n`` requests in flight, throughput times latency is ``n`` (Little's law). Where adding a request no
# longer raises throughput, it can only raise latency.

record = Recording(
    "measure/what_is_performance", declares=("performance.resnet50.*", "performance.sentences.*")
)

names = {f"{n} in flight": part for part, n in in_flight.items()} | {"one on all cores": "all_cores"}
best, most = (f"{in_flight[part]} in flight" for part in ("optimal", "fourfold"))
for workload, result in results.items():
    topic = f"performance.{workload.name}"
    record.add_session(topic, result, names=names, title=workload.title)
    for part, a, b in (("gain", "one on all cores", best), ("beyond", best, most)):
        gain = result.compare(a, b, "throughput")
        label = f"{workload.title}, throughput with {b} against {a}"
        record.add_comparison(f"{topic}.{part}", gain, label=label)
    wait = result.compare(most, best, "latency")
    label = f"{workload.title}, latency with {most} against {best}"
    record.add(f"{topic}.wait", wait, label=label, above="longer")

curves = {
    workload.title: [
        (n, result.latency(f"{n} in flight"), result.throughput(f"{n} in flight")) for n in in_flight.values()
    ]
    for workload, result in results.items()
}
record.figure(
    "latency-throughput",
    lambda: plots.latency_throughput(curves),
    alt="Latency over throughput for two models; each point is a number of requests in flight, "
    "with its interval.",
    caption="Latency and throughput with growing numbers of requests in flight, THROUGHPUT hint. "
    "Right is more throughput, down is less latency.",
)

# %%
# Every result with its interval, published in one step:

record.publish()
