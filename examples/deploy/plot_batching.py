"""
Batch inputs in one call, in the device, or run them on streams
===============================================================

Several inputs in one call, collected by the program or by the device, against as
many requests on streams: throughput, what it costs in latency, and how long a
request waits that finds no company.

Explained in :doc:`/deploy/batching`. Install: ``pip install
"optguide[frameworks,models]"``.
"""

# %%
# A batch in the model
# --------------------
#
# The batch is part of the model's shape. ``set_batch`` changes it where the layers
# allow that. From then on, one call takes so many images and answers them together.

import numpy as np
import openvino as ov

from optguide import OpenVINO, Recording, Variant, measure, plots
from optguide.guide import profiles, workloads

resnet50, sentences = workloads.resnet50(), workloads.sentences()
image = np.load(resnet50.inputs)["pixel_values"]

core = ov.Core()
model = core.read_model(resnet50.ir)
model.inputs[0].node.layout = ov.Layout("NCHW")
ov.set_batch(model, 4)
compiled = core.compile_model(model, "CPU")
answers = compiled(np.repeat(image, 4, axis=0))[0]
print("one call with four images returns", answers.shape)

# %%
# A batch in the device, and requests on streams
# ----------------------------------------------
#
# ``BATCH:CPU(4)`` leaves the program alone: it starts single requests, the device
# collects four of them and runs them as one. The THROUGHPUT hint runs them side by
# side instead, each on a part of the cores: no image waits for another one.

hint = {"PERFORMANCE_HINT": "THROUGHPUT"}
collecting = core.compile_model(resnet50.ir, "BATCH:CPU(4)")
on_streams = core.compile_model(
    resnet50.ir, "CPU", hint | {"ALLOW_AUTO_BATCHING": "YES"}
)
for device in (collecting, on_streams):
    queue = ov.AsyncInferQueue(device, 8)
    for _ in range(8):
        queue.start_async({0: image})
    queue.wait_all()

# %%
# Whether a device batches, the graph that it executes tells. A model whose layers
# allow no batch runs one request at a time, without a word.

unnumbered = core.compile_model(resnet50.ir, "BATCH:CPU", hint)
compiled = {"hint": on_streams, "unnumbered": unnumbered, "numbered": collecting}
compiled["sentences"] = core.compile_model(sentences.ir, "BATCH:CPU(4)")
graphs = {part: model.get_runtime_model() for part, model in compiled.items()}
sizes = {part: graph.inputs[0].shape[0] for part, graph in graphs.items()}
print("batches of", sizes)

# %%
# The same number in flight
# -------------------------
#
# 16 images of 64 by 64, with little to do for each: as one batch, as requests that
# the device collects, on streams, as requests that wait for the one before, and as
# a batch for each stream. The full profile also has four of ordinary size.

streams = on_streams.get_property("NUM_STREAMS")


def ways(model, pixels, n):
    sizes = (1, n, max(n // streams, 1))
    one, batch, part = ({"pixel_values": (k, 3, pixels, pixels)} for k in sizes)
    limit = hint | {"PERFORMANCE_HINT_NUM_REQUESTS": n}
    plain = Variant("one at a time", model=model, runtime=OpenVINO(shapes=one))
    return {
        "one_1": plain,
        f"batch_{n}": plain.with_("batch", shapes=batch),
        f"auto_{n}": plain.with_("BATCH:CPU", device=f"BATCH:CPU({n})", requests=n),
        f"streams_{n}": plain.with_("streams", properties=limit, requests=n),
        f"queue_{n}": plain.with_("in turn", requests=n),
        f"split_{n}": plain.with_(
            "split", shapes=part, properties=hint, requests=0
        ),
    }


small = ways(workloads.resnet50_int8().ir, 64, 16)
sixteen = measure(small.values(), profiles.budget(0.6))
large = ways(resnet50.ir, 224, 4)
four = profiles.full() and measure(large.values(), profiles.budget(0.4))

# %%
# A request that finds no company waits for ``AUTO_BATCH_TIMEOUT``, in milliseconds.
# In a network that has so little to compute, only the wait shows.

tiny = workloads.tiny()
lone = {"plain": Variant("CPU", model=tiny.ir, inputs=(tiny.inputs,))}
for ms in (10, 50):
    timeout = {"AUTO_BATCH_TIMEOUT": ms}
    lone[f"wait_{ms}"] = lone["plain"].with_(
        f"BATCH:CPU(4), {ms} ms", device="BATCH:CPU(4)", properties=timeout
    )
alone = measure(lone.values(), profiles.budget(0.2))

# %%
# What it came to
# ---------------
#
# The frontier shows what each way pays in latency for its throughput.

record = Recording("deploy/batching", declares=("batch.*",))
points = [(n, sixteen.latency(n), sixteen.throughput(n)) for n in sixteen.series]
record.figure(
    "price",
    lambda: plots.frontier(points),
    alt="Latency and throughput of every way to have 16 images in flight.",
    caption="ResNet-50 in 8 bits, 16 small images in flight, and one at a time.",
)
for topic, result, parts in (("small", sixteen, small), ("resnet50", four, large)):
    pairs = {
        "streams_over_batch": ("batch", "streams"),
        "streams_over_auto": ("BATCH:CPU", "streams"),
        "auto_over_queue": ("in turn", "BATCH:CPU"),
        "batch_over_one": ("one at a time", "batch"),
        "split_over_streams": ("streams", "split"),
    }
    record.session(f"batch.{topic}", result, parts)
    record.ratios(f"batch.{topic}", result, pairs, "throughput")
    record.ratios(f"batch.{topic}", result, {"wait": ("batch", "one at a time")})
record.session("batch.lone", alone, lone)
for part, size in sizes.items():
    record.values(f"batch.made.{part}", {"size": (size, "Batch that is executed")})
record.publish()
