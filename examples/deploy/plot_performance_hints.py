"""
What each performance hint sets and brings
==========================================

LATENCY, THROUGHPUT, CUMULATIVE_THROUGHPUT and no hint, each called synchronously and asynchronously: all
combinations in one session, with what the device made of each.
"""

# %%
# One word, several settings
# --------------------------
#
# A hint names the goal, and the device translates it into streams, threads and requests. What it made of it
# is read back from the compiled model.

from dataclasses import replace

import numpy as np
import openvino as ov

from optguide import OpenVINO, Recording, Variant, measure, plots
from optguide.guide import profiles, workloads

core = ov.Core()
resnet50, sentences = workloads.resnet50(), workloads.sentences()
model = core.read_model(resnet50.ir)
print("hint of a device that nobody told anything:", core.get_property("CPU", "PERFORMANCE_HINT").name)

for hint in ("LATENCY", "THROUGHPUT", "CUMULATIVE_THROUGHPUT"):
    compiled = core.compile_model(model, "CPU", {"PERFORMANCE_HINT": hint})
    keys = ("NUM_STREAMS", "INFERENCE_NUM_THREADS", "OPTIMAL_NUMBER_OF_INFER_REQUESTS")
    print(hint, {key: compiled.get_property(key) for key in keys})

# %%
# An application that knows how many requests it can have at once says so, and gets no more streams than that:

throughput = {"PERFORMANCE_HINT": "THROUGHPUT"}
streams = {}
for limit in (1, 2, 0):  # 0 is the default: no limit
    compiled = core.compile_model(model, "CPU", throughput | {"PERFORMANCE_HINT_NUM_REQUESTS": limit})
    streams[limit] = compiled.get_property("NUM_STREAMS")
print("streams by number of requests:", streams)

# %%
# Two ways to call it
# -------------------
#
# A synchronous call returns when the result is there. ``AsyncInferQueue`` without a number has as many
# requests as the device calls optimal: for the last model compiled above, one with the THROUGHPUT hint.

image = dict(np.load(resnet50.inputs))
logits = compiled(image)[0]  # synchronous

queue = ov.AsyncInferQueue(compiled)  # asynchronous
results = {}
queue.set_callback(lambda request, number: results.update({number: request.get_output_tensor().data.copy()}))
for number in range(2 * len(queue)):
    queue.start_async(image, userdata=number)
queue.wait_all()
difference = max(np.abs(result - logits).max() for result in results.values())
print(f"{len(results)} results with {len(queue)} requests, largest difference {difference:.1e}")

# %%
# All combinations
# ----------------
#
# Four hints times two ways to call. With the full profile, two more variants and a second model belong to the
# question: the cumulative hint behind AUTO, which is what it was made for, and the LATENCY hint with as many
# requests as the THROUGHPUT hint asks for, which tells what the hint does from what the requests do.

profile = profiles.current()
full = profile.name == "full"
hints = {
    "none": ("no hint", {}),
    "latency": ("LATENCY", {"PERFORMANCE_HINT": "LATENCY"}),
    "throughput": ("THROUGHPUT", throughput),
    "cumulative": ("CUMULATIVE", {"PERFORMANCE_HINT": "CUMULATIVE_THROUGHPUT"}),
}


def matrix(workload, *chosen):
    """Variants by their part of the identifiers: every chosen hint, called in both ways."""
    model = {"model": workload.ir, "inputs": (workload.inputs,)}
    return {
        f"{call}.{part}": Variant(
            f"{name}, {call}", runtime=OpenVINO(properties=properties, requests=requests), **model
        )
        for part, (name, properties) in hints.items()
        for call, requests in (("sync", None), ("async", 0))
        if part in chosen
    }


rows = {resnet50: matrix(resnet50, *hints), sentences: matrix(sentences, "latency", "throughput")}
cumulative, latency = (rows[resnet50][f"async.{part}"] for part in ("cumulative", "latency"))
more = {
    "async.auto": cumulative.with_("CUMULATIVE on AUTO, async", device="AUTO:CPU"),
    "async.busy": latency.with_(f"LATENCY, {len(queue)} requests", requests=len(queue)),
}
rows[resnet50] |= more
left_out = [] if full else [*more.values(), *rows[sentences].values()]
sessions = {}
for workload, share in ((resnet50, 0.8 if full else 1.0), (sentences, 0.3)):
    if taken := [row for row in rows[workload].values() if row not in left_out]:
        budget = replace(profile.budget, seconds=share * profile.budget.seconds, block=0.06 if full else 0.04)
        sessions[workload] = measure(taken, budget, label=f"hints, {workload.name}")

# %%
# What the device chose
# ---------------------
#
# A synchronous call is one request. AUTO reports what was chosen under the name of the device behind it.

record = Recording("deploy/performance_hints", declares=("hints.*",))
result = sessions[resnet50]


def resolved(series):
    """Streams, threads, requests in flight and precision, as the device reports them."""
    found = {key.removeprefix("CPU."): value for key, value in series.effective.items()}
    keys = ("NUM_STREAMS", "INFERENCE_NUM_THREADS", "requests in flight", "INFERENCE_PRECISION_HINT")
    return [found.get(key, "1") for key in keys]


record.table(
    "resolved",
    ("Hint and call", "Streams", "Threads", "Requests", "Precision"),
    [(name, *resolved(series)) for name, series in result.series.items()],
    caption=f"{resnet50.title}: what the device made of each hint, and the requests in flight.",
)
for limit, number in streams.items():
    label = f"Streams under THROUGHPUT, requests limited to {limit}" if limit else "Streams under THROUGHPUT"
    record.add_value(f"hints.streams.limit_{limit}", number, "count", label=label)

# %%
# What it came to
# ---------------
#
# Ratios are of the hint named first over the other, in the same way of calling: above 1, the first is better.
# For synchronous calls they are of latency, for asynchronous ones of throughput.

pairs = (
    "sync throughput latency, async throughput latency, async throughput busy, async throughput none, "
    "sync none latency, async none latency, sync cumulative throughput, async cumulative throughput, "
    "async auto cumulative"
)
missing = "the quick profile leaves it out"
shown = []
for workload, variants in rows.items():
    topic = f"hints.{workload.name}"
    names = {row.name: part for part, row in variants.items() if row not in left_out}
    if names:
        record.add_session(topic, sessions[workload], names=names, title=workload.title)
    for part in (part for part, row in variants.items() if row in left_out):
        record.unavailable(f"{topic}.{part}.latency.p50", missing)
        record.unavailable(f"{topic}.{part}.throughput", missing)
    for call, first, second in (pair.split() for pair in pairs.split(",")):
        a, b = (variants.get(f"{call}.{part}") for part in (first, second))
        identifier = f"{topic}.{call}.{first}_over_{second}"
        if a is None or b is None:
            continue
        if a in left_out or b in left_out:
            record.unavailable(identifier, missing)
            continue
        quantity, label = "latency" if call == "sync" else "throughput", f"{a.name} against {b.name}"
        ratio = sessions[workload].compare(b.name, a.name, quantity)
        record.add_comparison(identifier, ratio, label=f"{workload.title}: {label}, {quantity}")
        if workload is resnet50:
            same = f", {call}"  # once is enough, and leaves room for the names
            row = label.replace(f"{same} against", " against", 1) if label.endswith(same) else label
            shown.append((row, ratio.ratio))

points = [
    (row.name, result.latency(row.name), result.throughput(row.name), f"{part.partition('.')[0]}hronous")
    for part, row in rows[resnet50].items()
    if row not in left_out
]
record.figure(
    "matrix",
    lambda: plots.frontier(points),
    alt="Latency and throughput of every hint, called synchronously and asynchronously, with intervals.",
    caption=f"{resnet50.title}: every hint, called one after the other and with as many requests as the "
    "device calls optimal.",
)
record.figure(
    "ratios",
    lambda: plots.ratios(shown),
    alt="Forest plot: ratios between hints in the same way of calling, with intervals, around 1.",
    caption=f"{resnet50.title}, one hint against another: latency for synchronous calls, throughput for "
    "asynchronous ones.",
)

# %%
# Everything with its interval:

record.publish()
