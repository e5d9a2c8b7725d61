"""
Find the layers that take the time, and their precision
=======================================================

OpenVINO counts the time of every layer while it infers, and the compiled graph
tells which precision each layer got. Together they show what an optimization has
changed, and what it has left alone.

Explained in :doc:`/measure/where-the-time-goes`. Install: ``pip install
"optguide[frameworks,models]"``.
"""

# %%
# Counters of one model
# ---------------------
#
# ``PERF_COUNT`` has to be on when the model is compiled. Every infer request then
# has ``profiling_info``: name, type, kernel and time of each layer.

from collections import Counter

import numpy as np
import openvino as ov

from optguide import Recording, Variant, measure, plots
from optguide.bench.layers import layers
from optguide.guide import profiles, workloads
from optguide.stats.estimate import median_of_rounds

resnet50, int8 = workloads.resnet50(), workloads.resnet50_int8()
image = dict(np.load(resnet50.inputs))
core, counting = ov.Core(), {"PERF_COUNT": "YES"}
f32 = {"INFERENCE_PRECISION_HINT": "f32"}
compiled = {
    "f32": core.compile_model(resnet50.ir, "CPU", counting | f32),
    "default": core.compile_model(resnet50.ir, "CPU", counting),
    "int8": core.compile_model(int8.ir, "CPU", counting),
}
requests = {name: model.create_infer_request() for name, model in compiled.items()}

requests["default"].infer(image)
for info in requests["default"].profiling_info[:8]:
    print(
        f"{info.node_type:14}{info.exec_type:22}{info.status.name} {info.real_time}"
    )

# %%
# ``NOT_RUN`` does not mean that nothing was computed. Most of these layers, such as
# the addition of a bias and ReLU, were fused into the convolution before them, and
# their work is in its time.
#
# Precision and origin of each layer
# ----------------------------------
#
# The runtime graph is a model whose operations are the layers that were really
# compiled. What is known about one is in its ``rt_info``: among others the
# precision it computes in.


for name, model in compiled.items():
    precisions = Counter()
    for operation in model.get_runtime_model().get_ordered_ops():
        info = operation.get_rt_info()
        precisions[info["runtimePrecision"].value] += 1
    print(f"{name:8}", dict(precisions))

# %%
# Counters are means
# ------------------
#
# A counter is the mean over *all* inferences of one stream; nothing resets it, so
# the slow first inference stays in it for good. Mean times number is a sum, though,
# and the difference of two sums is the time of the inferences between.
#
# The guide does that for several models, round by round. What counting costs, one
# interleaved session tells: the counters are read from the clock before and after
# each layer.

plain = Variant("default", model=resnet50.ir, inputs=(resnet50.inputs,))
models = {
    "f32": plain.with_("f32", precision="f32"),
    "default": plain,
    "int8": plain.with_("int8", model=int8.ir),
}
result = layers(list(models.values()), seconds=profiles.budget().seconds)
costs = {}
for name in ("default", "int8"):
    costs[f"{name}.off"] = models[name]
    costs[f"{name}.on"] = models[name].with_(
        f"{name}, counted", properties=counting
    )
cost = measure(costs.values(), profiles.budget())

# %%
# Shares by precision
# -------------------
#
# Time in layers of each precision as a share of the sum of all layers:

record = Recording("measure/where_the_time_goes", declares=("layers.*",))
for name in ("default", "int8"):
    rows = [(layer.title, layer.time, layer.precision) for layer in result.of(name)]
    record.figure(
        name,
        lambda rows=rows: plots.layer_profile(rows),
        alt=f"The layers of ResNet-50 that take most time, {name}, with precision.",
        caption=f"The layers of ResNet-50 that take most time, {name}.",
    )
rows = []
for name in models:
    parts = {"f32": ("f32",), "half": ("bf16", "f16"), "int8": ("u8", "i8")}
    for part, among in parts.items():
        inside = [
            layer.name for layer in result.of(name) if layer.precision in among
        ]
        share = result.share(name, inside)
        record.values(f"layers.{name}.share", {part: (share, " or ".join(among))})
    per_round = [sum(r.times.values()) / r.latency for r in result.rounds[name]]
    total = {
        "sum": (
            result.total(name).scaled(1e-3, "ms"),
            f"{name}: sum of all layers",
        ),
        "sum_over_latency": (
            median_of_rounds(per_round, "ratio"),
            f"{name}: over latency",
        ),
    }
    record.values(f"layers.{name}", total)
    for kind in result.kinds(name):
        rows.append(
            (name, kind.kind, kind.precision, str(len(kind.layers)), kind.time)
        )
heads = ("Model", "Layer type", "Precision", "Layers", "Time per inference")
record.table("by-type", heads, rows, caption="Time by layer type, ResNet-50")
for part, variant in costs.items():
    record.values("layers.cost", {part: (cost.latency(variant.name), variant.name)})
for name in ("default", "int8"):
    pair = {f"{name}.ratio": (costs[f"{name}.on"], costs[f"{name}.off"])}
    record.ratios("layers.cost", cost, pair)
record.publish()
