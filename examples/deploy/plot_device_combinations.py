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

import numpy as np
import openvino as ov

from optguide import Recording, Variant, first_inference, measure, plots
from optguide.guide import profiles, workloads
from optguide.guide.unavailable import measurable

core = ov.Core()
resnet50, tiny = workloads.resnet50(), workloads.tiny()
print("devices:", ", ".join(core.available_devices))
for device in ("AUTO", "MULTI:CPU", "HETERO:CPU", "BATCH:CPU(4)"):
    compiled = core.compile_model(resnet50.ir, device)
    print(f"{device:13} on", *compiled.get_property("EXECUTION_DEVICES"))

assigned = core.query_model(core.read_model(resnet50.ir), "HETERO:CPU")
print("layers by device:", Counter(assigned.values()))

# %%
# The attribute ``affinity`` assigns by hand. Cutting a model takes two devices, and
# AUTO may be one of them: so the price of a cut can be measured on a machine that
# has nothing but a CPU. Here CPU and AUTO get an eighth of the
# layers in turn; how many pieces that makes is counted.


def in_pieces():
    core = ov.Core()
    model = core.read_model(resnet50.ir)
    layers = model.get_ordered_ops()
    for place, layer in enumerate(layers):
        layer.get_rt_info()["affinity"] = ("CPU", "AUTO")[
            place * 8 // len(layers) % 2
        ]
    return core.compile_model(model, "HETERO")


def call():
    compiled, image = in_pieces(), dict(np.load(resnet50.inputs))
    return lambda: compiled(image)


pieces = in_pieces().get_property("HETERO_NUMBER_OF_SUBMODELS")
plain = Variant("HETERO:CPU", model=resnet50.ir, inputs=(resnet50.inputs,))
plain = plain.with_("HETERO:CPU", device="HETERO:CPU")
cut = Variant.from_function(f"in {pieces} pieces", call)
result = measure([plain, cut], profiles.budget(0.25))

record = Recording("deploy/device_combinations", declares=("combine.*",))
record.values("combine.cut", {"pieces": (pieces, "pieces the model was cut into")})
record.ratios("combine.cut", result, {"pieces_over_whole": (plain, cut)})

# %%
# The rows
# --------
#
# A row is a device and its properties, with one request at a time, with as many as
# each device calls optimal, and with a network so small that whatever stands before
# the device shows. A row with a device that is missing here is left to machines
# that have it.

hint = {"PERFORMANCE_HINT": "THROUGHPUT"}
spread = {"PERFORMANCE_HINT": "CUMULATIVE_THROUGHPUT"}
staged = hint | {"MODEL_DISTRIBUTION_POLICY": "PIPELINE_PARALLEL"}
late = {"ENABLE_STARTUP_FALLBACK": "NO"}
wait = {"AUTO_BATCH_TIMEOUT": "20"}
one = {
    "cpu": ("CPU", {}),
    "auto": ("AUTO:CPU", {}),
    "hetero": ("HETERO:CPU", {}),
    "batch": ("BATCH:CPU(4)", wait),
    "gpu": ("GPU", {}),
    "auto_gpu": ("AUTO:GPU,CPU", {}),
    "hetero_gpu": ("HETERO:GPU,CPU", {}),
    "npu": ("NPU", {}),
}
several = {
    "cpu": ("CPU", hint),
    "auto": ("AUTO:CPU", hint),
    "cumulative": ("AUTO:CPU", spread),
    "multi": ("MULTI:CPU", hint),
    "hetero": ("HETERO:CPU", hint),
    "batch": ("BATCH:CPU(4)", wait),
    "gpu": ("GPU", hint),
    "npu": ("NPU", hint),
    "cumulative_gpu": ("AUTO:GPU,CPU", spread),
    "multi_gpu": ("MULTI:GPU,CPU", hint),
    "pipeline_gpu": ("HETERO:GPU,CPU", staged),
    "cumulative_all": ("AUTO:GPU,NPU,CPU", spread),
}
start = {part: one[part] for part in ("cpu", "auto", "gpu", "auto_gpu")}
start["late_gpu"] = ("AUTO:GPU,CPU", late)
small = {part: one[part] for part in ("cpu", "auto", "hetero")}


def rows(topic, ways, model, requests=None):
    change = {"model": model.ir, "inputs": (model.inputs,), "requests": requests}
    variants = {
        part: plain.with_(part, device=device, properties=properties, **change)
        for part, (device, properties) in ways.items()
    }
    here, reasons = measurable(variants, core.available_devices)
    for part, reason in reasons.items():
        record.unavailable(f"combine.{topic}.*{part}*", reason)
    return here


one, small = rows("one", one, resnet50), rows("small", small, tiny)
several, start = rows("several", several, resnet50, 0), rows("start", start, tiny)

# %%
# What it comes to
# ----------------
#
# Ratios are of latency, of throughput where there are several requests, or of the
# time to the first result. Above one, the row named first is the better one. Where
# AUTO has a GPU to compile for, it answers from the CPU until that is done. On a
# CPU alone there is only the layer itself to pay for.

pairs = {
    "one": "auto/cpu hetero/cpu batch/cpu auto_gpu/gpu hetero_gpu/gpu",
    "several": "auto/cpu cumulative/cpu multi/cumulative hetero/cpu batch/cpu "
    "cumulative_gpu/cpu cumulative_gpu/gpu multi_gpu/cumulative_gpu "
    "pipeline_gpu/gpu cumulative_all/cumulative_gpu",
    "small": "auto/cpu hetero/cpu",
    "start": "auto/cpu auto_gpu/gpu auto_gpu/late_gpu",
}
starts = first_inference(list(start.values()), 6, steady=1)
results: dict = {
    "one": measure(one.values(), profiles.budget(0.3)),
    "several": measure(several.values(), profiles.budget(0.55)),
    "small": measure(small.values(), profiles.budget(0.2)),
    "start": starts,
}
quantities = {"several": "throughput", "start": "total"}
gains = {}
for topic, ways in {
    "one": one,
    "several": several,
    "small": small,
    "start": start,
}.items():
    for better, base in (pair.split("/") for pair in pairs[topic].split()):
        if {better, base} <= ways.keys():
            pair = {f"{better}_over_{base}": (base, better)}
            quantity = quantities.get(topic, "latency")
            gains |= record.ratios(
                f"combine.{topic}", results[topic], pair, quantity, title=topic
            )
    if topic != "start":
        record.session(f"combine.{topic}", results[topic], ways)
for part in start:
    first = starts.estimate(part)
    record.values("combine.start", {part: (first, f"{part}: first inference")})
record.figure(
    "ratios",
    lambda: plots.ratios(list(gains.items())),
    alt="Forest plot: each combination against a plain device, around 1.",
    caption="ResNet-50 with one request (latency) and several (throughput), the "
    "tiny network with one request and in a new process: the one named "
    "first against the other.",
)
record.publish()
