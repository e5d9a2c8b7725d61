"""
Batch inputs in one call, in the device, or run them on streams
===============================================================

Learn three ways to have several inputs in flight, which of them completes most per
second, and how long a request waits that finds no company.

Explained in :doc:`/deploy/batching`. Install: ``pip install
"optguide[frameworks,models]"``.
"""

import numpy as np
import openvino as ov

from optguide import OpenVINO, Recording, Variant, measure, plots
from optguide.guide import profiles, workloads

resnet50, sentences = workloads.resnet50(), workloads.sentences()
image = np.load(resnet50.inputs)["pixel_values"]
core = ov.Core()

# %%
# A batch in the model
# --------------------
#
# ``set_batch`` changes the model's shape, where the layers allow that. From then
# on, one call takes so many images and answers them together.

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
# ``BATCH:CPU(4)`` collects four single requests and runs them as one. The
# THROUGHPUT hint runs them side by side, each on a part of the cores.

hint = {"PERFORMANCE_HINT": "THROUGHPUT"}
collecting = core.compile_model(resnet50.ir, "BATCH:CPU(4)")
allowed = {**hint, "ALLOW_AUTO_BATCHING": "YES"}
on_streams = core.compile_model(resnet50.ir, "CPU", allowed)
for device in (collecting, on_streams):
    queue = ov.AsyncInferQueue(device, 8)
    for _ in range(8):
        queue.start_async(image)
    queue.wait_all()

# %%
# Whether a device batches, the executed graph tells. A model whose layers allow no
# batch runs one request at a time, without a message.

compiled = {
    "hint": on_streams,
    "numbered": collecting,
    "unnumbered": core.compile_model(resnet50.ir, "BATCH:CPU", hint),
    "sentences": core.compile_model(sentences.ir, "BATCH:CPU(4)"),
}
graphs = {part: model.get_runtime_model() for part, model in compiled.items()}
sizes = {part: graph.inputs[0].shape[0] for part, graph in graphs.items()}
print("batches of", sizes)

# %%
# The same number in flight
# -------------------------
#
# Sixteen images of 64 by 64, with little to do for each. The full profile also has
# four of ordinary size.


def ways(model, pixels, n):
    one, batch = ({"pixel_values": (size, 3, pixels, pixels)} for size in (1, n))
    plain = Variant("one at a time", model=model, runtime=OpenVINO(shapes=one))
    limit = hint | {"PERFORMANCE_HINT_NUM_REQUESTS": n}
    return {
        "one_1": plain,
        f"batch_{n}": plain.with_("batch", shapes=batch),
        f"auto_{n}": plain.with_("BATCH:CPU", device=f"BATCH:CPU({n})", requests=n),
        f"streams_{n}": plain.with_("streams", properties=limit, requests=n),
    }


small = ways(workloads.resnet50_int8().ir, 64, 16)
sixteen = measure(small.values(), profiles.budget(0.6))
large = ways(resnet50.ir, 224, 4)
four = profiles.full() and measure(large.values(), profiles.budget(0.4))

# %%
# A request that finds no company waits for ``AUTO_BATCH_TIMEOUT``, in milliseconds.
# In a tiny network, little but the wait shows.

timeout = OpenVINO(device="BATCH:CPU(4)", properties={"AUTO_BATCH_TIMEOUT": "10"})
lone = Variant("BATCH:CPU(4), 10 ms", workloads.tiny().ir, timeout)
alone = measure([lone], profiles.budget(0.2))

# %%
# What each way completes, and what it costs in latency
# -----------------------------------------------------

record = Recording("deploy/batching", declares=("batch.*",))
pairs = {
    "batch_over_one": ("one at a time", "batch"),
    "auto_over_one": ("one at a time", "BATCH:CPU"),
    "streams_over_batch": ("batch", "streams"),
    "streams_over_auto": ("BATCH:CPU", "streams"),
}
wait = {"wait": ("one at a time", "batch")}
for topic, result, parts in (("small", sixteen, small), ("resnet50", four, large)):
    title = {"small": "small images", "resnet50": "ordinary images"}[topic]
    record.session(f"batch.{topic}", result, parts, title=title)
    record.ratios(f"batch.{topic}", result, pairs, "throughput", title=title)
    record.ratios(f"batch.{topic}", result, wait, above="longer", title=title)
record.session("batch.lone", alone, {"wait_10": lone})
for part, size in sizes.items():
    record.values(f"batch.made.{part}", {"size": (size, "Batch that is executed")})
points = [(n, sixteen.latency(n), sixteen.throughput(n)) for n in sixteen.series]
record.figure(
    "price",
    lambda: plots.frontier(points),
    alt="Latency and throughput of every way to have 16 images in flight.",
    caption="ResNet-50 in 8 bits, 16 small images in flight, and one at a time.",
)
record.publish()
