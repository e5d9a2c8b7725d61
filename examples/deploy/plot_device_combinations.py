"""
Let AUTO choose the device, or use several at once
==================================================

You learn how to let OpenVINO choose a device, how to see what it chose, what that
costs for each call, and whether several devices complete more than one of them.

Explained in :doc:`/deploy/device-combinations`. Install: ``pip install
"optguide[frameworks,models]"``.
"""

# %%
# Who runs what
# -------------
#
# AUTO hands the model on. ``EXECUTION_DEVICES`` says where to. The list after the
# colon is in order of priority.

import openvino as ov

from optguide import Recording, Variant, first_inference, measure, plots
from optguide.guide import profiles, workloads
from optguide.guide.unavailable import measurable

core = ov.Core()
resnet50, tiny = workloads.resnet50_int8(), workloads.tiny()
print("devices:", ", ".join(core.available_devices))
for device in ("AUTO", "AUTO:CPU", "MULTI:CPU", "AUTO:-GPU"):
    compiled = core.compile_model(tiny.ir, device)
    print(f"{device:10} on", *compiled.get_property("EXECUTION_DEVICES"))

# %%
# The rows
# --------
#
# One request at a time shows what AUTO costs: of ResNet-50 in the full profile, and
# of a network so small that whatever stands before the device shows. As many
# requests as the device calls optimal show what several devices bring. A row with a
# device that is missing here is left to machines that have it.

hint = {"PERFORMANCE_HINT": "THROUGHPUT"}
spread = {"PERFORMANCE_HINT": "CUMULATIVE_THROUGHPUT"}
one = {
    "cpu": ("CPU", {}),
    "auto": ("AUTO:CPU", {}),
    "gpu": ("GPU", {}),
    "auto_gpu": ("AUTO:GPU,CPU", {}),
    "npu": ("NPU", {}),
}
several = {
    "cpu": ("CPU", hint),
    "auto": ("AUTO:CPU", hint),
    "cumulative": ("AUTO:CPU", spread),
    "multi": ("MULTI:CPU", hint),  # deprecated: cumulative does the same
    "gpu": ("GPU", hint),
    "npu": ("NPU", hint),
    "cumulative_gpu": ("AUTO:GPU,CPU", spread),
}
start = {"gpu": one["gpu"], "auto_gpu": one["auto_gpu"]}
start["late_gpu"] = ("AUTO:GPU,CPU", {"ENABLE_STARTUP_FALLBACK": "NO"})

record = Recording("deploy/device_combinations", declares=("combine.*",))


def rows(topic, ways, model, requests=None):
    plain = Variant("CPU", model.ir, inputs=(model.inputs,))
    variants = {
        part: plain.with_(
            part, device=device, properties=properties, requests=requests
        )
        for part, (device, properties) in ways.items()
    }
    present, reasons = measurable(variants, core.available_devices)
    for part, reason in reasons.items():
        record.unavailable(f"combine.{topic}.*{part}*", reason)
    return present


single = rows("one", one, resnet50)
small = rows("small", {part: one[part] for part in ("cpu", "auto")}, tiny)
busy = rows("several", several, resnet50, requests=0)
fresh = rows("start", start, tiny)

# %%
# The sessions
# ------------
#
# Where AUTO has a GPU to compile for, it answers from the CPU until that is done;
# with one device there is nothing to gain at the start.

alone = profiles.full() and measure(single.values(), profiles.budget(0.3))
calls = measure(small.values(), profiles.budget(0.2))
full = measure(busy.values(), profiles.budget(0.55))
starts = bool(fresh) and first_inference(list(fresh.values()), 6, steady=1)

# %%
# What it came to
# ---------------

pairs = {
    "one": [("cpu", "auto"), ("gpu", "auto_gpu")],
    "small": [("cpu", "auto")],
    "several": [
        ("cpu", "auto"),
        ("cpu", "cumulative"),
        ("cumulative", "multi"),
        ("cpu", "cumulative_gpu"),
        ("gpu", "cumulative_gpu"),
    ],
    "start": [("gpu", "auto_gpu"), ("late_gpu", "auto_gpu")],
}
topics = {
    "one": (single, alone, "latency"),
    "small": (small, calls, "latency"),
    "several": (busy, full, "throughput"),
    "start": (fresh, starts, "total"),
}
gains = {}
for topic, (present, result, quantity) in topics.items():
    compared = {
        f"{b}_over_{a}": (a, b) for a, b in pairs[topic] if {a, b} <= present.keys()
    }
    gains |= record.ratios(
        f"combine.{topic}", result, compared, quantity, title=topic
    )
    if topic != "start":
        record.session(f"combine.{topic}", result, present)
record.figure(
    "ratios",
    lambda: plots.ratios(list(gains.items())),
    alt="Forest plot: each combination against a plain device, around 1.",
    caption="A tiny network with one request at a time, INT8 ResNet-50 with "
    "several: the device named first against the other.",
)
record.publish()
