"""
Combinations of devices
=======================

AUTO, MULTI, HETERO and BATCH stand between a program and its devices. With one device this example measures
what each of them costs; with a GPU or an NPU it also measures what they bring.
"""

# %%
# Who runs what
# -------------
#
# A virtual device hands the model on, and ``EXECUTION_DEVICES`` says where to. HETERO gives every layer to
# the first device of its list that supports it; ``query_model`` asks for that assignment without compiling.

from collections import Counter
from dataclasses import replace

import numpy as np
import openvino as ov

from optguide import Recording, Variant, first_inference, measure, plots, profiles, workloads
from optguide.errors import DeviceError, NotEnoughSamples
from optguide.machine.devices import absent

core = ov.Core()
resnet50, tiny = workloads.resnet50(), workloads.tiny()
print("devices:", ", ".join(core.available_devices))
for device in ("AUTO", "MULTI:CPU", "HETERO:CPU", "BATCH:CPU(4)"):
    compiled = core.compile_model(resnet50.ir, device)
    print(f"{device:13} runs on {', '.join(compiled.get_property('EXECUTION_DEVICES'))}")

assigned = core.query_model(core.read_model(resnet50.ir), "HETERO:CPU")
print("HETERO:CPU assigns", ", ".join(f"{n} layers to {d}" for d, n in Counter(assigned.values()).items()))

# %%
# The attribute ``affinity`` assigns by hand. Cutting a model takes two devices, and AUTO may be one of them:
# so the price of a cut can be measured on a machine that has nothing but a CPU.


def in_pieces(path, pieces):
    """The model cut into about so many pieces, which CPU and AUTO get in turn."""
    core = ov.Core()
    model = core.read_model(path)
    layers = model.get_ordered_ops()
    for place, layer in enumerate(layers):
        layer.get_rt_info()["affinity"] = ("CPU", "AUTO")[place * pieces // len(layers) % 2]
    return core.compile_model(model, "HETERO")


def calling(path, inputs, pieces):
    """A function that makes the call to time, in a process of its own."""

    def make():
        compiled, image = in_pieces(path, pieces), dict(np.load(inputs))
        return lambda: compiled(image)

    return make


wanted = (2, 8, 32) if profiles.current().name == "full" else (8,)
got = {n: in_pieces(resnet50.ir, n).get_property("HETERO_NUMBER_OF_SUBMODELS") for n in wanted}
print("pieces wanted and got:", got)

# %%
# The rows
# --------
#
# A row names a device and its properties. One that names a device which is missing here is left to machines
# that have it, together with the command to measure it there.


def on(device, note="", **properties):
    return Variant(
        device + note, device=device, properties=properties, model=resnet50.ir, inputs=(resnet50.inputs,)
    )


hint, wait = {"PERFORMANCE_HINT": "THROUGHPUT"}, {"AUTO_BATCH_TIMEOUT": "20"}
cumulative = {"note": ", cumulative", "PERFORMANCE_HINT": "CUMULATIVE_THROUGHPUT"}
pipeline = {"note": ", pipeline", "MODEL_DISTRIBUTION_POLICY": "PIPELINE_PARALLEL"}
one = {
    "cpu": on("CPU"),
    "auto": on("AUTO:CPU"),
    "hetero": on("HETERO:CPU"),
    "batch": on("BATCH:CPU(4)", **wait),
    "gpu": on("GPU"),
    "auto_gpu": on("AUTO:GPU,CPU"),
    "hetero_gpu": on("HETERO:GPU,CPU"),
    "npu": on("NPU"),
}
several = {
    "cpu": on("CPU", **hint),
    "auto": on("AUTO:CPU", **hint),
    "cumulative": on("AUTO:CPU", **cumulative),
    "multi": on("MULTI:CPU", **hint),
    "hetero": on("HETERO:CPU", **hint),
    "batch": on("BATCH:CPU(4)", **wait),
    "gpu": on("GPU", **hint),
    "npu": on("NPU", **hint),
    "cumulative_gpu": on("AUTO:GPU,CPU", **cumulative),
    "multi_gpu": on("MULTI:GPU,CPU", **hint),
    "pipeline_gpu": on("HETERO:GPU,CPU", **hint, **pipeline),
    "cumulative_all": on("AUTO:GPU,NPU,CPU", **cumulative),
}


def with_tiny(row):
    return row.with_(row.name, model=tiny.ir, inputs=(tiny.inputs,))


small = {part: with_tiny(one[part]) for part in ("cpu", "auto", "hetero")}
late = on("AUTO:GPU,CPU", ", no CPU at first", ENABLE_STARTUP_FALLBACK="NO")
start = {part: with_tiny(one[part]) for part in ("cpu", "auto", "gpu", "auto_gpu")}
start["late_gpu"] = with_tiny(late)


def elsewhere(row):
    """Why a row cannot be measured here; empty where it can."""
    if not (missing := absent(row.device, core.available_devices)):
        return ""
    settings = {"device": row.device, **row.properties}
    command = ",".join(f"{key}={value}" for key, value in settings.items())
    return (
        f"this machine has no {' and no '.join(missing)}; where there is one, "
        f"`optguide compare {resnet50.ir.name}@device=CPU @{command}` measures it"
    )


def here(rows, **fields):
    return [row.with_(row.name, **fields) for row in rows.values() if not elsewhere(row)]


# %%
# One request at a time, and the cut models among them; as many requests as each device calls optimal; a
# network so small that whatever stands before the device shows; and starts of new processes with it.

budget = profiles.current().budget
cut = [Variant.from_function(f"{got[n]} pieces", calling(resnet50.ir, resnet50.inputs, n)) for n in wanted]
results = {
    "one": measure(here(one) + cut, replace(budget, seconds=0.6 * budget.seconds), label="one request"),
    "several": measure(
        here(several, requests=0), replace(budget, seconds=0.5 * budget.seconds), label="several requests"
    ),
    "small": measure(here(small), replace(budget, seconds=0.25 * budget.seconds), label="tiny network"),
    "start": first_inference(here(start), 6, steady=1, label="first inference"),
}

# %%
# What it comes to
# ----------------
#
# Ratios are of latency with one request, of throughput with several, of the whole start. Above one, the row
# named first is the better one. A device that is listed and then fails leaves its rows empty, too.

record = Recording("deploy/device_combinations", declares=("combine.*",))
for prefix, rows, last in (
    ("one", one, "latency.p50"),
    ("several", several, "throughput"),
    ("small", small, "latency.p50"),
    ("start", start, "total"),
):
    names = {row.name: part for part, row in rows.items() if not elsewhere(row)}
    if prefix == "start":
        for name, part in names.items():
            label = f"{name}: first inference"
            record.add(f"combine.start.{part}.total", results["start"].estimate(name), label=label)
    else:
        record.add_session(f"combine.{prefix}", results[prefix], names=names)
    for part, row in rows.items():
        if reason := elsewhere(row):
            record.unavailable(f"combine.{prefix}.{part}.{last}", reason)

shown = []
for prefix, rows, quantity, pairs in (
    ("one", one, "latency", "auto/cpu hetero/cpu batch/cpu auto_gpu/gpu hetero_gpu/gpu"),
    ("several", several, "throughput", "auto/cpu cumulative/cpu multi/cumulative hetero/cpu batch/cpu"),
    ("several", several, "throughput", "cumulative_gpu/cpu cumulative_gpu/gpu multi_gpu/cumulative_gpu"),
    ("several", several, "throughput", "pipeline_gpu/gpu cumulative_all/cumulative_gpu"),
    ("small", small, "latency", "auto/cpu hetero/cpu"),
    ("start", start, "total", "auto/cpu auto_gpu/gpu auto_gpu/late_gpu"),
):
    for pair in pairs.split():
        first, second = (rows[part] for part in pair.split("/"))
        identifier = f"combine.{prefix}.{pair.replace('/', '_over_')}"
        if reason := elsewhere(first) or elsewhere(second):
            record.unavailable(identifier, reason)
            continue
        try:
            ratio = results[prefix].compare(second.name, first.name, quantity)
        except (DeviceError, NotEnoughSamples) as error:
            record.unavailable(identifier, error.message)
            continue
        record.add_comparison(identifier, ratio)
        shown.append((f"{first.name} over {second.name}, {prefix}", ratio.ratio))
whole, eight = one["hetero"].name, f"{got[8]} pieces"
record.add_comparison("combine.one.pieces_over_whole", results["one"].compare(whole, eight))
record.add_value("combine.one.pieces", got[8], "count", label="Pieces the model was cut into")

# %%
# Ratios, and the price of cuts:

record.figure(
    "ratios",
    lambda: plots.ratios(shown, quantity="Row named first over the other, log scale"),
    alt="Forest plot: each combination over the plain device it stands before, with its interval, around 1.",
    caption=f"{resnet50.title}: latency with one request, throughput with several, and time to the first "
    "result. The small network has four dense layers. Above 1, the row named first is better.",
)
sizes = [(1, whole), *((got[n], f"{got[n]} pieces") for n in wanted)]
record.figure(
    "pieces",
    lambda: plots.sweep(
        {resnet50.title: [(n, results["one"].latency(name)) for n, name in sizes]},
        x_label="Pieces of the model (count)",
        quantity="Latency",
        log_x=True,
    ),
    alt="Latency over the number of pieces into which HETERO cut the model, with intervals.",
    caption="Median latency of the model in one piece and in several, all of them on the same CPU.",
)

# %%
# Everything with its interval:

record.publish()
