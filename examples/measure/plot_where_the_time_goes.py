"""
Time and precision of every layer
=================================

OpenVINO counts the time of every layer while it infers, and the compiled graph tells which precision each
layer got. Together they show what an optimization has changed, and what it has left alone.
"""

# %%
# Counters of one model
# ---------------------
#
# ``PERF_COUNT`` has to be on when the model is compiled. Every infer request then has ``profiling_info``:
# name, type, kernel and time of each layer.

import random
from collections import Counter
from datetime import timedelta

import numpy as np
import openvino as ov

from optguide import OpenVINO, Recording, Variant, measure, plots
from optguide.guide import profiles, workloads
from optguide.machine import measuring_lock
from optguide.stats.estimate import median_of_rounds

resnet50, int8 = workloads.resnet50(), workloads.resnet50_int8()
image = dict(np.load(resnet50.inputs))
CONFIGURATIONS = {
    "f32": (resnet50.ir, {"INFERENCE_PRECISION_HINT": "f32"}),
    "default": (resnet50.ir, {}),
    "int8": (int8.ir, {}),
}
core = ov.Core()
compiled = {
    name: core.compile_model(model, "CPU", {**properties, "PERF_COUNT": "YES"})
    for name, (model, properties) in CONFIGURATIONS.items()
}
requests = {name: model.create_infer_request() for name, model in compiled.items()}


def counters(name):
    """Microseconds of each layer that ran as such."""
    executed = ov.ProfilingInfo.Status.EXECUTED
    found = [info for info in requests[name].profiling_info if info.status == executed]
    return {info.node_name: info.real_time / timedelta(microseconds=1) for info in found}


requests["default"].infer(image)
for info in requests["default"].profiling_info[:8]:
    print(f"{info.node_type:14}{info.exec_type:24}{info.status.name:10}{info.real_time}")

# %%
# ``NOT_RUN`` does not mean that nothing was computed. Most of these layers, such as batch normalisation and
# ReLU, were fused into the convolution before them, and their work is in its time.
#
# Precision and origin of each layer
# ----------------------------------
#
# The runtime graph is a model whose operations are the layers that were really compiled. What is known about
# one is in its ``rt_info``: among others the precision it computes in, and the original layers it stands for.


def layers(name):
    """Type, precision and origin of each layer of the runtime graph."""
    found = {}
    for operation in compiled[name].get_runtime_model().get_ordered_ops():
        info = {key: value.value for key, value in operation.get_rt_info().items()}
        origin = next((o for o in info["originalLayersNames"].split(",") if "." in o), "")
        place = origin.split("/")[0].removeprefix("__module.network.").removesuffix(".normalization")
        title = f"{info['layerType']} {place}".strip()
        found[operation.get_friendly_name()] = (info["layerType"], info["runtimePrecision"], title)
    return found


graphs = {name: layers(name) for name in compiled}
for layer, time in list(counters("default").items())[:5]:
    print(f"{time:6.0f} µs", *graphs["default"][layer][1:])

# %%
# Counters are means
# ------------------
#
# A counter is the mean over *all* inferences of one stream, in whole microseconds; here there is one. Nothing
# resets it, so the slow first inference stays in it for good. Mean times number is a sum, though, and the
# difference of two sums is the time of the inferences between. That is one round here: some inferences of one
# model, then of the next, in a new order every time. The latency of the same inferences is kept beside it.

CALLS = 10
profile = profiles.current()
rounds = max(8, int(0.6 * profile.budget.seconds))
done = Counter({"default": 1})
times = {name: [] for name in requests}
latencies = {name: [] for name in requests}


def infer(name):
    """Run one round; returns the latencies in milliseconds."""
    done[name] += CALLS
    return [requests[name].infer(image) and requests[name].latency for _ in range(CALLS)]


def sums(name):
    return {layer: done[name] * time for layer, time in counters(name).items()}


with measuring_lock("counters of layers"):
    for name in requests:
        infer(name)
    for _ in range(rounds):
        for name in random.sample(list(requests), len(requests)):
            before = sums(name)
            latencies[name].append(np.mean(infer(name)))
            times[name].append({layer: (time - before[layer]) / CALLS for layer, time in sums(name).items()})

# %%
# What counting costs
# -------------------
#
# The counters are read from the clock before and after each layer. The same models with and without, in one
# interleaved session:


def variants(name, title):
    model, properties = CONFIGURATIONS[name]
    counting = {**properties, "PERF_COUNT": "YES"}
    return (
        Variant(
            f"{title}, not counted",
            model=model,
            inputs=(resnet50.inputs,),
            runtime=OpenVINO(properties=properties),
        ),
        Variant(
            f"{title}, counted", model=model, inputs=(resnet50.inputs,), runtime=OpenVINO(properties=counting)
        ),
    )


TITLES = {"f32": "f32", "default": "Default precision", "int8": "INT8"}
cost = measure(
    [variant for name in ("default", "int8") for variant in variants(name, TITLES[name])],
    profile.budget,
    label="cost of counting",
)

# %%
# Shares by precision and by type
# -------------------------------

record = Recording("measure/where_the_time_goes", declares=("layers.*",))
PRECISIONS = {"f32": ("f32",), "half": ("bf16", "f16"), "int8": ("u8", "i8")}


def per_round(name, chosen=lambda kind, precision: True):
    """Microseconds per inference in the chosen layers, one number per round."""
    layers = [layer for layer, (kind, precision, _) in graphs[name].items() if chosen(kind, precision)]
    return np.array([sum(time.get(layer, 0.0) for layer in layers) for time in times[name]])


rows = []
for name, title in TITLES.items():
    total = per_round(name)
    found = {
        "sum": (total / 1e3, "ms", "sum of all layers"),
        "sum_over_latency": (total / 1e3 / latencies[name], "ratio", "sum of all layers divided by latency"),
    }
    for part, among in PRECISIONS.items():
        share = per_round(name, lambda _, precision, among=among: precision in among) / total
        found[f"share.{part}"] = (share, "share", f"share of layers in {' or '.join(among)}")
    for suffix, (values, unit, words) in found.items():
        record.add(f"layers.{name}.{suffix}", median_of_rounds(values, unit), label=f"{title}: {words}")
    for group, count in Counter(graphs[name][layer][:2] for layer in times[name][0]).most_common():
        values = per_round(name, lambda *found, group=group: found == group)
        rows.append((title, *group, str(count), median_of_rounds(values, "us")))

record.table(
    "by-type",
    ("Model", "Layer type", "Precision", "Layers", "Time per inference"),
    rows,
    caption="Time by layer type and runtime precision, ResNet-50",
)

for name in ("default", "int8"):
    on, off = f"{TITLES[name]}, counted", f"{TITLES[name]}, not counted"
    for variant, part in ((off, "off"), (on, "on")):
        label = f"{variant}: median latency"
        record.add(f"layers.cost.{name}.{part}", cost.latency(variant), label=label)
    record.add_comparison(
        f"layers.cost.{name}.ratio",
        cost.compare(on, off),
        label=f"{TITLES[name]}: without counters against with them",
    )

# %%
# The layers that take most time, with all others as the last row:

for name in ("default", "int8"):
    layer_rows = [
        (title, median_of_rounds([time[layer] for time in times[name]], "us"), precision)
        for layer, (_, precision, title) in graphs[name].items()
        if layer in times[name][0]
    ]
    record.figure(
        name,
        lambda rows=layer_rows: plots.layer_profile(rows),
        alt=f"The layers of ResNet-50 that take most time, {TITLES[name]}, with time and runtime precision.",
        caption=f"The layers of ResNet-50 that take most time. {TITLES[name]}.",
    )
record.publish()
