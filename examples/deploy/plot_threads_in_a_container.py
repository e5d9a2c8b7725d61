"""
Place threads: pinning, hyper-threading, and a container's quota
================================================================

You learn which properties place threads on cores, whether they gain anything on
your machine, and why a container with a quota needs ``INFERENCE_NUM_THREADS``.

Explained in :doc:`/deploy/streams-and-threads`. Install: ``pip install
"optguide[frameworks,models]"``.
"""

# %%
# Has the device a choice?
# ------------------------
#
# Hyper-threading is a choice only where a core runs two threads, the type of core
# only where there are efficient cores. Elsewhere the device answers the same to
# whatever it is asked.

import openvino as ov

from optguide import OpenVINO, Recording, Variant, measure
from optguide.guide import profiles, workloads
from optguide.machine import Machine

core, model = ov.Core(), workloads.resnet50_int8()
choices = {
    "ENABLE_CPU_PINNING": ("NO", "YES"),
    "ENABLE_HYPER_THREADING": ("NO", "YES"),
    "SCHEDULING_CORE_TYPE": ("ECORE_ONLY", "ANY_CORE"),
}
for name, values in choices.items():
    compiled = [core.compile_model(model.ir, "CPU", {name: v}) for v in values]
    choices[name] = {str(m.get_property(name)) for m in compiled}
    print(name, "asked for", *values, "became", *choices[name])

# %%
# Off against on
# --------------
#
# Each switch that is a choice, on top of the THROUGHPUT hint.

switches = {
    "pinning": ("ENABLE_CPU_PINNING", "NO", "YES"),
    "hyper_threading": ("ENABLE_HYPER_THREADING", "NO", "YES"),
    "all_cores": ("SCHEDULING_CORE_TYPE", "PCORE_ONLY", "ANY_CORE"),
}
hint = {"PERFORMANCE_HINT": "THROUGHPUT"}
busy = Variant(
    "hint", model.ir, OpenVINO(properties=hint, requests=0), (model.inputs,)
)
pairs = {
    part: tuple(
        busy.with_(f"{name}={value}", properties=hint | {name: value})
        for value in values
    )
    for part, (name, *values) in switches.items()
    if len(choices[name]) == 2
}
every = [variant for pair in pairs.values() for variant in pair]
switched = bool(every) and measure(every, profiles.budget(0.3))

# %%
# In a container
# --------------
#
# A container limits the CPU in one of two ways: it names the cores
# (``--cpuset-cpus``), or it gives a quota of CPU time and shows all cores
# (``--cpus``). The processes that are measured here are limited alike. A quota of
# less than one core still feeds one thread.

quota = Machine.current().available_cores / 2
whole = max(1, int(quota))
plain = Variant("no limit", model.ir, inputs=(model.inputs,))
boxes = {
    "named": plain.with_("cores named", cores=whole),
    "blind": plain.with_("quota, default threads", quota=quota),
    "matched": plain.with_("quota, threads matched", quota=quota, threads=whole),
}
contained = measure(boxes.values(), profiles.budget(0.6))

# %%
# What it came to
# ---------------

record = Recording(
    "deploy/threads_in_a_container",
    declares=(
        "streams.box.*",
        "streams.matched.*",
        "streams.gain.pinning*",
        "streams.gain.hyper_threading*",
        "streams.gain.all_cores*",
    ),
)
record.ratios("streams.gain", switched, pairs, "throughput")
for part in sorted(switches.keys() - pairs.keys()):
    reason = f"this processor has no choice of {switches[part][0]}"
    record.unavailable(f"streams.gain.{part}", reason)

record.session("streams.box", contained, boxes, percentiles=(50, 95))
blind, matched = boxes["blind"].name, boxes["matched"].name
caption = "INT8 ResNet-50 under a quota of half the cores."
pairs = {"throughput": (blind, matched)}
record.ratios("streams.matched", contained, pairs, "throughput", caption=caption)
tail = {"tail": (lambda: contained.compare_percentile(blind, matched, 95), "p95")}
record.values("streams.matched", tail, above="faster")
record.publish()
