"""
Batch, automatic batch or streams
=================================

Several inputs in one call, collected by the program or by the device, against the same number of inputs as
requests on streams: throughput, what it costs in latency, and how long a request waits that finds no company.
"""

# %%
# A batch in the model
# --------------------
#
# The batch is part of the model's shape. ``set_batch`` changes it where the layers allow that. From then on,
# one call takes that many images and answers them all together.

from dataclasses import replace

import numpy as np
import openvino as ov

from optguide import OpenVINO, Recording, Variant, measure, plots
from optguide.guide import profiles, workloads

core = ov.Core()
resnet50, small, tiny = workloads.resnet50(), workloads.resnet50_int8(), workloads.tiny()
image = np.load(resnet50.inputs)["pixel_values"]

model = core.read_model(resnet50.ir)
model.inputs[0].node.layout = ov.Layout("NCHW")
ov.set_batch(model, 4)
compiled = core.compile_model(model, "CPU")
print("one call with four images returns", compiled(np.repeat(image, 4, axis=0))[0].shape)

# %%
# A batch in the device
# ---------------------
#
# ``BATCH:CPU(4)`` leaves the program alone: it collects four requests and runs them as one. Whether a device
# does so, the graph that it executes tells.


def batch_of(compiled):
    return compiled.get_runtime_model().inputs[0].shape[0]


hint = {"PERFORMANCE_HINT": "THROUGHPUT"}
record = Recording("deploy/batching", declares=("batch.*",))
for part, words, device, settings in (
    ("hint", "CPU, THROUGHPUT hint", "CPU", hint | {"ALLOW_AUTO_BATCHING": "YES"}),
    ("unnumbered", "BATCH:CPU, THROUGHPUT hint", "BATCH:CPU", hint),
    ("numbered", "BATCH:CPU(4)", "BATCH:CPU(4)", {}),
):
    size = batch_of(core.compile_model(core.read_model(resnet50.ir), device, settings))
    record.add_value(f"batch.made.{part}.size", size, "count", label=f"Batch on {words}")
    print(f"{words}: batches of {size}")

# %%
# Where the layers do not allow a batch, it runs one request at a time and says nothing:

device = "BATCH:CPU(4)"
size = batch_of(core.compile_model(workloads.sentences().ir, device))
record.add_value("batch.made.sentences.size", size, "count", label=f"Batch of MiniLM on {device}")
print(f"MiniLM on {device}: batches of {size}")

# %%
# The same number in flight
# -------------------------
#
# Images can be in flight together in one call, as requests that the device collects, on streams, or as
# requests that wait for the one before. First four of them, each with some work to do. Then up to 64 in the
# same network with far less to do for each: in 8 bits, on images of 64 by 64.

streams = core.compile_model(resnet50.ir, "CPU", hint).get_property("NUM_STREAMS")
parts = min(streams, 8)  # that a batch is divided into


def ways(workload, pixels, count, *chosen):
    """The ``chosen`` ways to have ``count`` images in flight, by their part of the identifiers."""
    one = Variant(
        "one at a time", model=workload.ir, runtime=OpenVINO(shapes={"pixel_values": (1, 3, pixels, pixels)})
    )
    full, part = ({"shapes": {"pixel_values": (n, 3, pixels, pixels)}} for n in (count, count // parts))
    limit = {n: hint | {"PERFORMANCE_HINT_NUM_REQUESTS": n} for n in (count, parts)}
    known = {
        "one": one,
        "batch": one.with_(f"batch of {count}", **full),
        "auto": one.with_(f"BATCH:CPU({count})", device=f"BATCH:CPU({count})", requests=count),
        "streams": one.with_(f"{count} on streams", properties=limit[count], requests=count),
        "queue": one.with_(f"{count} in turn", requests=count),
        "split": one.with_(f"{count} in {parts} batches", properties=limit[parts], requests=parts, **part),
    }
    return {f"{part}_{count}": known[part] for part in chosen}


full = profiles.current().name == "full"
counts = (4, 16, 64) if full else (16,)
rows = {
    "resnet50": ways(resnet50, 224, 1, "one") | ways(resnet50, 224, 4, "batch", "auto", "streams", "queue"),
    "small": ways(small, 64, 1, "one") | ways(small, 64, 16, "queue", "split"),
}
for count in counts:
    rows["small"] |= ways(small, 64, count, "batch", "auto", "streams")

# %%
# Last, a request that stays alone. How long the device waits for others is ``AUTO_BATCH_TIMEOUT``, in
# milliseconds. Four small layers have so little to compute that only the wait shows.

lone = Variant("CPU", model=tiny.ir, inputs=(tiny.inputs,))
rows["lone"] = {"plain": lone} | {
    f"wait_{ms}": lone.with_(f"{device}, {ms} ms", device=device, properties={"AUTO_BATCH_TIMEOUT": ms})
    for ms in (10, 50)
}

titles = {"resnet50": resnet50.title, "small": "Small images", "lone": "One request alone"}
shares = {"resnet50": 0.3, "small": 0.5, "lone": 0.1} if full else {"small": 1.0, "lone": 0.3}
sessions = {}
for topic, share in shares.items():
    budget = replace(profiles.current().budget, seconds=share * profiles.current().budget.seconds)
    sessions[topic] = measure(list(rows[topic].values()), budget, label=titles[topic])

# %%
# What it came to
# ---------------
#
# All comparisons are between equal numbers of images in flight, except those with one image at a time. The
# first of the two networks takes its time and is left to the full profile.

missing = "the quick profile leaves it out"
for topic, found in rows.items():
    if topic in sessions:
        names = {row.name: part for part, row in found.items()}
        record.add_session(f"batch.{topic}", sessions[topic], names=names, title=titles[topic])
        continue
    for part in found:
        record.unavailable(f"batch.{topic}.{part}.latency.p50", missing)
        record.unavailable(f"batch.{topic}.{part}.throughput", missing)

shown = []
for topic, n in (("resnet50", 4), ("small", 16)):
    for name, first, second, quantity in (
        ("streams_over_batch", f"streams_{n}", f"batch_{n}", "throughput"),
        ("streams_over_auto", f"streams_{n}", f"auto_{n}", "throughput"),
        ("auto_over_queue", f"auto_{n}", f"queue_{n}", "throughput"),
        ("batch_over_one", f"batch_{n}", "one_1", "throughput"),
        ("split_over_streams", f"split_{n}", f"streams_{n}", "throughput"),
        ("wait", "one_1", f"batch_{n}", "latency"),
    ):
        a, b = rows[topic].get(first), rows[topic].get(second)
        if a and b and topic not in sessions:
            record.unavailable(f"batch.{topic}.{name}", missing)
        elif a and b:
            ratio = sessions[topic].compare(b.name, a.name, quantity)
            label = f"{titles[topic]}: {a.name} against {b.name}"
            record.add_comparison(f"batch.{topic}.{name}", ratio, label=f"{label}, {quantity}")
            shown.extend([(label, ratio.ratio)] if quantity == "throughput" else [])

result, found = sessions["small"], rows["small"]
lines = {
    name: [(1, result.throughput("one at a time"))]
    + [(count, result.throughput(found[f"{part}_{count}"].name)) for count in counts]
    for name, part in (("batch", "batch"), ("BATCH:CPU", "auto"), ("streams", "streams"))
}
record.figure(
    "throughput",
    lambda: plots.sweep(lines, x_label="Images in flight (count)", quantity="Throughput", log_x=True),
    alt="Throughput over the number of images in flight: a batch, collected by the device, on streams.",
    caption="ResNet-50 in 8 bits on images of 64 by 64: throughput of a batch, of automatic batching and of "
    "streams. All lines begin with one image at a time.",
)
groups = {"one": "one at a time", "batch": "batch", "auto": "BATCH:CPU", "streams": "streams"}
groups |= {"queue": "in turn", "split": "batches on streams"}
points = [
    (row.name, result.latency(row.name), result.throughput(row.name), groups[part.partition("_")[0]])
    for part, row in found.items()
]
record.figure(
    "price",
    lambda: plots.frontier(points),
    alt="Latency and throughput of every way to have several images in flight, with intervals.",
    caption="The same network: what each way pays in latency for its throughput.",
)
record.figure(
    "ratios",
    lambda: plots.ratios(shown, quantity="Throughput"),
    alt="Forest plot: throughput of one way against another, with intervals, around 1.",
    caption="Throughput of the way named first against the other.",
)

# %%
# Everything with its interval:

record.publish()
