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

cpu = Variant("cpu", tiny.ir, inputs=(tiny.inputs,))
small = {"cpu": cpu, "auto": cpu.with_("auto", device="AUTO:CPU")}

image = Variant("cpu", resnet50.ir, inputs=(resnet50.inputs,))
one = {
    "cpu": image,
    "auto": image.with_("auto", device="AUTO:CPU"),
    "gpu": image.with_("gpu", device="GPU"),
    "auto_gpu": image.with_("auto_gpu", device="AUTO:GPU,CPU"),
    "npu": image.with_("npu", device="NPU"),
}
hint = {"PERFORMANCE_HINT": "THROUGHPUT"}
spread = {"PERFORMANCE_HINT": "CUMULATIVE_THROUGHPUT"}
busy = image.with_("cpu", properties=hint, requests=0)
all_free = busy.with_("cumulative", device="AUTO:CPU", properties=spread)
several = {
    "cpu": busy,
    "auto": busy.with_("auto", device="AUTO:CPU"),
    "cumulative": all_free,
    "multi": busy.with_("multi", device="MULTI:CPU"),  # deprecated
    "gpu": busy.with_("gpu", device="GPU"),
    "npu": busy.with_("npu", device="NPU"),
    "cumulative_gpu": all_free.with_("cumulative_gpu", device="AUTO:GPU,CPU"),
}
late = {"ENABLE_STARTUP_FALLBACK": "NO"}
start = {
    "gpu": one["gpu"],
    "auto_gpu": one["auto_gpu"],
    "late_gpu": one["auto_gpu"].with_("late_gpu", properties=late),
}

record = Recording("deploy/device_combinations", declares=("combine.*",))
for topic, rows in {"one": one, "several": several, "start": start}.items():
    _, reasons = measurable(rows, core.available_devices)
    for part, reason in reasons.items():
        del rows[part]
        record.unavailable(f"combine.{topic}.*{part}*", reason)

# %%
# The sessions
# ------------
#
# Where AUTO has a GPU to compile for, it answers from the CPU until that is done;
# with one device there is nothing to gain at the start.

calls = measure(small.values(), profiles.budget(0.2))
throughput = measure(several.values(), profiles.budget(0.55))
latency = profiles.full() and measure(one.values(), profiles.budget(0.3))
starts = bool(start) and first_inference(list(start.values()), 6, steady=1)

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
    "one": (one, latency, "latency"),
    "small": (small, calls, "latency"),
    "several": (several, throughput, "throughput"),
    "start": (start, starts, "total"),
}
titles = {
    "one": "ResNet-50, one request",
    "small": "tiny network, one request",
    "several": "ResNet-50, several requests",
    "start": "ResNet-50, start",
}
gains = {}
for topic, (rows, result, quantity) in topics.items():
    compared = {
        f"{b}_over_{a}": (a, b) for a, b in pairs[topic] if {a, b} <= rows.keys()
    }
    gains |= record.ratios(
        f"combine.{topic}", result, compared, quantity, title=titles[topic]
    )
    if topic != "start":
        record.session(f"combine.{topic}", result, rows, title=titles[topic])
record.figure(
    "ratios",
    lambda: plots.ratios(list(gains.items())),
    alt="Forest plot: each combination against a plain device, around 1.",
    caption="The device named first against the other: throughput of several "
    "requests, latency of one.",
)
record.publish()
