"""
Find the layers that take the time, and their precision
=======================================================

Learn to read the time of every layer from OpenVINO's counters, and its precision
from the compiled graph: what an optimization has changed, and what it left alone.

Explained in :doc:`/measure/where-the-time-goes`. Install: ``pip install
"optguide[frameworks,models]"``.
"""

from collections import Counter

import numpy as np
import openvino as ov

from optguide import Recording, Variant, measure, plots
from optguide.bench.layers import layers
from optguide.guide import profiles, workloads
from optguide.stats.estimate import median_of_rounds

# %%
# Counters of one model
# ---------------------
#
# ``PERF_COUNT`` has to be on when the model is compiled. Every infer request then
# has ``profiling_info``: name, type, kernel and time of each layer.

resnet50, int8 = workloads.resnet50(), workloads.resnet50_int8()
image = np.load(resnet50.inputs)["pixel_values"]
core, counting = ov.Core(), {"PERF_COUNT": "YES"}
compiled = {
    "default": core.compile_model(resnet50.ir, "CPU", counting),
    "int8": core.compile_model(int8.ir, "CPU", counting),
}
request = compiled["default"].create_infer_request()
request.infer(image)
for info in request.profiling_info[:8]:
    print(info.node_type, info.exec_type, info.status.name, info.real_time)

# %%
# ``NOT_RUN`` does not mean that nothing was computed. Most of these layers, such as
# the addition of a bias, were fused into the convolution before them.
#
# Precision of each layer
# -----------------------
#
# The runtime graph is a model whose operations are the layers that were compiled.
# Each has its precision in ``rt_info``.

for name, model in compiled.items():
    operations = model.get_runtime_model().get_ordered_ops()
    precisions = [op.get_rt_info()["runtimePrecision"].value for op in operations]
    print(f"{name:8}", dict(Counter(precisions)))

# %%
# Times of one round
# ------------------
#
# A counter is the mean over *all* inferences of one stream, and nothing resets it.
# Mean times number is a sum, though, and the difference of two sums is the time of
# the inferences between. :func:`~optguide.bench.layers.layers` does that round by
# round.

plain = Variant("default", model=resnet50.ir, inputs=(resnet50.inputs,))
quantized = plain.with_("int8", model=int8.ir)
result = layers([plain, quantized], seconds=profiles.budget().seconds)

# %%
# Counting costs time: the clock is read before and after each layer.

counted = quantized.with_("int8, counted", properties=counting)
costs = {"int8.off": quantized, "int8.on": counted}
cost = measure(costs.values(), profiles.budget(0.6))

# %%
# Shares by precision
# -------------------

record = Recording("measure/where_the_time_goes", declares=("layers.*",))
kinds = {"f32": ("f32",), "half": ("bf16", "f16"), "int8": ("u8", "i8")}
for name in ("default", "int8"):
    timed = result.of(name)
    for part, among in kinds.items():
        inside = [layer.name for layer in timed if layer.precision in among]
        entry = {part: (result.share(name, inside), f"{name}, in {among[0]}")}
        record.values(f"layers.{name}.share", entry)
    sums = [sum(r.times.values()) / r.latency for r in result.rounds[name]]
    entry = (median_of_rounds(sums, "share"), f"{name}: all layers, of the latency")
    record.values(f"layers.{name}", {"sum_over_latency": entry})
    rows = [(layer.title, layer.time, layer.precision) for layer in timed]
    record.figure(
        name,
        lambda rows=rows: plots.layer_profile(rows),
        alt=f"The layers of ResNet-50 that take most time, {name}, with precision.",
        caption=f"The layers of ResNet-50 that take most time, {name}.",
    )
record.session("layers.cost", cost, costs)
record.ratios("layers.cost", cost, {"int8.ratio": (counted, quantized)})
record.publish()
