"""
Measure what AUTO, HETERO and BATCH cost and bring
==================================================

AUTO, HETERO, BATCH and the deprecated MULTI stand between a program and its
devices. With one device this example measures what each of them costs; with a GPU
or an NPU it also measures what they bring.

Explained in :doc:`/deploy/device-combinations`. Install: ``pip install
"optguide[frameworks,models]"``.
"""

# %%
# Who runs what
# -------------
#
# A virtual device hands the model on, and ``EXECUTION_DEVICES`` says where to.
# HETERO gives every layer to the first device of its list that supports it;
# ``query_model`` asks for that assignment without compiling.

from collections import Counter
from dataclasses import replace

import numpy as np
import openvino as ov

from optguide import OpenVINO, Recording, Variant, first_inference, measure, plots
from optguide.errors import DeviceError, NotEnoughSamples
from optguide.guide import profiles, workloads
from optguide.guide.unavailable import measurable

core = ov.Core()
resnet50, tiny = workloads.resnet50(), workloads.tiny()
print("devices:", ", ".join(core.available_devices))
for device in ("AUTO", "MULTI:CPU", "HETERO:CPU", "BATCH:CPU(4)"):
    compiled = core.compile_model(resnet50.ir, device)
    print(f"{device:13} on {', '.join(compiled.get_property('EXECUTION_DEVICES'))}")

assigned = core.query_model(core.read_model(resnet50.ir), "HETERO:CPU")
print(
    "HETERO:CPU assigns",
    ", ".join(f"{n} layers to {d}" for d, n in Counter(assigned.values()).items()),
)

# %%
# The attribute ``affinity`` assigns by hand. Cutting a model takes two devices, and
# AUTO may be one of them: so the price of a cut can be measured on a machine that
# has nothing but a CPU.


def in_pieces(path, pieces):
    """The model cut into about so many pieces, which CPU and AUTO get in turn."""
    core = ov.Core()
    model = core.read_model(path)
    layers = model.get_ordered_ops()
    for place, layer in enumerate(layers):
        layer.get_rt_info()["affinity"] = ("CPU", "AUTO")[
            place * pieces // len(layers) % 2
        ]
    return core.compile_model(model, "HETERO")


def calling(path, inputs, pieces):
    """A function that makes the call to time, in a process of its own."""

    def make():
        compiled, image = in_pieces(path, pieces), dict(np.load(inputs))
        return lambda: compiled(image)

    return make


whole = Variant(
    "in one piece",
    runtime=OpenVINO(device="HETERO:CPU"),
    model=resnet50.ir,
    inputs=(resnet50.inputs,),
)
wanted = (2, 8, 32) if profiles.current().name == "full" else (8,)
got = {
    n: in_pieces(resnet50.ir, n).get_property("HETERO_NUMBER_OF_SUBMODELS")
    for n in wanted
}
cut = {
    n: Variant.from_function(
        f"in {got[n]} pieces", calling(resnet50.ir, whole.inputs[0], n)
    )
    for n in wanted
}

budget = profiles.current().budget
pieces = measure(
    [whole, *cut.values()],
    replace(budget, seconds=0.25 * budget.seconds),
    label="a model in pieces",
)
record = Recording("deploy/device_combinations", declares=("combine.*",))
record.add_value(
    "combine.cut.pieces", got[8], "count", label="Pieces the model was cut into"
)
record.add_comparison(
    "combine.cut.pieces_over_whole", pieces.compare(whole.name, cut[8].name)
)

points = [
    (1, pieces.latency(whole.name)),
    *((got[n], pieces.latency(cut[n].name)) for n in wanted),
]
record.figure(
    "pieces",
    lambda: plots.sweep(
        {resnet50.title: points},
        x_label="Pieces of the model (count)",
        quantity="Latency",
        log_x=True,
    ),
    alt="Latency over the number of pieces into which HETERO cut the model, with "
    "intervals.",
    caption="Median latency of the model in one piece and in several, all of "
    "them on the same CPU.",
)

# %%
# The rows
# --------
#
# A row is a device and its properties. One that names a device which is missing
# here is left to machines that have it, together with the command to measure it
# there.


def on(device, note="", **properties):
    return whole.with_(device + note, device=device, properties=properties)


hint, wait = {"PERFORMANCE_HINT": "THROUGHPUT"}, {"AUTO_BATCH_TIMEOUT": "20"}
spread = {"note": ", cumulative", "PERFORMANCE_HINT": "CUMULATIVE_THROUGHPUT"}
staged = {"note": ", pipeline", "MODEL_DISTRIBUTION_POLICY": "PIPELINE_PARALLEL"}
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
    "cumulative": on("AUTO:CPU", **spread),
    "multi": on("MULTI:CPU", **hint),
    "hetero": on("HETERO:CPU", **hint),
    "batch": on("BATCH:CPU(4)", **wait),
    "gpu": on("GPU", **hint),
    "npu": on("NPU", **hint),
    "cumulative_gpu": on("AUTO:GPU,CPU", **spread),
    "multi_gpu": on("MULTI:GPU,CPU", **hint),
    "pipeline_gpu": on("HETERO:GPU,CPU", **hint, **staged),
    "cumulative_all": on("AUTO:GPU,NPU,CPU", **spread),
}
several = {part: row.with_(row.name, requests=0) for part, row in several.items()}
start = {part: one[part] for part in ("cpu", "auto", "gpu", "auto_gpu")}
start["late_gpu"] = on(
    "AUTO:GPU,CPU", ", not on the CPU at first", ENABLE_STARTUP_FALLBACK="NO"
)
start, small = (
    {
        part: row.with_(row.name, model=tiny.ir, inputs=(tiny.inputs,))
        for part, row in rows.items()
    }
    for rows in (start, {part: one[part] for part in ("cpu", "auto", "hetero")})
)

# %%
# One request at a time; as many requests as each device calls optimal; and a
# network so small that whatever stands before the device shows. Ratios are of
# latency, or of throughput where there are several requests. Above one, the row
# named first is the better one.

shown = []


def relate(prefix, title, rows, result, pairs, quantity):
    """Record ratios, or why there are none: a listed device may fail."""
    for pair in pairs.split():
        better, base = pair.split("/")
        identifier, reasons = (
            f"combine.{prefix}.{better}_over_{base}",
            measurable(rows, core.available_devices)[1],
        )
        if reason := reasons.get(better) or reasons.get(base):
            record.unavailable(identifier, reason)
            continue
        label = f"{rows[better].name} against {rows[base].name}, {title}"
        try:
            ratio = result.compare(rows[base].name, rows[better].name, quantity)
        except (DeviceError, NotEnoughSamples) as error:
            record.unavailable(identifier, error.message)
        else:
            record.add_comparison(identifier, ratio, label=label)
            shown.append(
                (
                    label.removesuffix(" requests").removesuffix(" request"),
                    ratio.ratio,
                )
            )


for prefix, title, rows, quantity, share, pairs in (
    (
        "one",
        "one request",
        one,
        "latency",
        0.3,
        "auto/cpu hetero/cpu batch/cpu auto_gpu/gpu hetero_gpu/gpu",
    ),
    (
        *("several", "several requests", several, "throughput", 0.55),
        "auto/cpu cumulative/cpu multi/cumulative hetero/cpu batch/cpu "
        "cumulative_gpu/cpu cumulative_gpu/gpu "
        "multi_gpu/cumulative_gpu pipeline_gpu/gpu cumulative_all/cumulative_gpu",
    ),
    ("small", "tiny network", small, "latency", 0.2, "auto/cpu hetero/cpu"),
):
    here, reasons = measurable(rows, core.available_devices)
    result = measure(
        list(here.values()),
        replace(budget, seconds=share * budget.seconds),
        label=title,
    )
    record.add_session(
        f"combine.{prefix}",
        result,
        names={row.name: part for part, row in here.items()},
        title=title,
    )
    for part, reason in reasons.items():
        record.unavailable(f"combine.{prefix}.{part}.latency.p50", reason)
        record.unavailable(f"combine.{prefix}.{part}.throughput", reason)
    relate(prefix, title, rows, result, pairs, quantity)

# %%
# Starts
# ------
#
# Where AUTO has a GPU to compile for, it answers from the CPU until that is done.
# On a CPU alone there is only the layer itself to pay for, and a small network
# leaves it nothing to hide behind.

here, reasons = measurable(start, core.available_devices)
starts = first_inference(list(here.values()), 6, steady=1, label="first inference")
for part, row in here.items():
    record.add(
        f"combine.start.{part}",
        starts.estimate(row.name),
        label=f"{row.name}: first inference",
    )
for part, reason in reasons.items():
    record.unavailable(f"combine.start.{part}", reason)
relate(
    "start",
    "first inference",
    start,
    starts,
    "auto/cpu auto_gpu/gpu auto_gpu/late_gpu",
    "total",
)

# %%
# What it comes to
# ----------------

record.figure(
    "ratios",
    lambda: plots.ratios(shown),
    alt="Forest plot: each combination against a plain device, with its "
    "interval, around 1.",
    caption=f"{resnet50.title} with one request (latency), several (throughput), "
    "the tiny network with one request (latency) and in a new process (first "
    "inference): the one named first against the other.",
)

# %%
# Everything with its interval:

record.publish()
