"""
Choose streams and threads within a latency limit
=================================================

How many inferences run at a time, and how many threads each of them gets: the grid
of both numbers, the setting to take within a latency limit, the knobs around them,
and what becomes of them in a container.

Explained in :doc:`/deploy/streams-and-threads`. Install: ``pip install
"optguide[frameworks,models]"``.
"""

# %%
# Ask, and read back
# ------------------
#
# Every knob is a property of ``compile_model``. The device may reduce or drop what
# it is asked for without a word, so ask the compiled model what it took. A knob
# that the device does not know is an error, such as ``AFFINITY``, the old name of
# pinning.

import openvino as ov

from optguide import OpenVINO, Recording, Variant, measure, plots
from optguide.bench.streams import Setting, alternatives, corners, grid, sweet_spot
from optguide.guide import profiles, workloads
from optguide.machine import Machine
from optguide.runtimes.devices import property_text

core, model = ov.Core(), workloads.resnet50_int8()
processors = core.get_property("CPU", "RANGE_FOR_STREAMS")[1]
supported = core.get_property("CPU", "SUPPORTED_PROPERTIES")
rows, accepted = [], []
for knob, asked in (
    ("NUM_STREAMS", str(2 * processors)),
    ("INFERENCE_NUM_THREADS", str(2 * processors)),
    ("ENABLE_CPU_PINNING", "NO"),
    ("ENABLE_HYPER_THREADING", "YES"),
    ("SCHEDULING_CORE_TYPE", "ECORE_ONLY"),
    ("AFFINITY", "CORE"),
):
    try:
        compiled = core.compile_model(model.ir, "CPU", {knob: asked})
        chosen = property_text(compiled.get_property(knob))
    except RuntimeError:
        chosen = "refused"
    if chosen == asked:
        accepted.append(knob)
    rows.append((knob, "yes" if knob in supported else "no", asked, chosen))
    print(f"{knob:24}{asked:>12}{chosen:>12}")

# %%
# The grid
# --------
#
# Streams and threads from one to twice as many as there are processors, beside the
# THROUGHPUT hint. Every variant keeps as many requests in flight as the device
# calls optimal for it. The quick profile measures the corners only. The switches
# are measured on top of the hint, off and on; those that the device did not take
# above are left out.

hint = {"PERFORMANCE_HINT": "THROUGHPUT"}
compiled = core.compile_model(model.ir, "CPU", hint)
default = Setting(
    compiled.get_property("NUM_STREAMS"),
    compiled.get_property("INFERENCE_NUM_THREADS"),
)
streams, threads = grid(processors)
roles, near = corners(processors), alternatives(default, processors)
every = [Setting(s, t) for s in streams for t in threads] if profiles.full() else []
settings = sorted({*roles.values(), *near, *every})
busy = Variant(
    "hint", model.ir, OpenVINO(properties=hint, requests=0), (model.inputs,)
)
variants = [busy, *(busy.with_(s.name, properties=s.properties) for s in settings)]
switches = {
    "pinning": ("ENABLE_CPU_PINNING", "NO", "YES"),
    "hyper_threading": ("ENABLE_HYPER_THREADING", "NO", "YES"),
    "all_cores": ("SCHEDULING_CORE_TYPE", "PCORE_ONLY", "ANY_CORE"),
}
for knob, *values in switches.values():
    variants += [
        busy.with_(f"{knob}={value}", properties=hint | {knob: value})
        for value in values
        if knob in accepted
    ]
result = measure(variants, profiles.budget(0.6))

# %%
# The sweet spot
# --------------
#
# The search begins with what the hint chose. Beside it stand one stream, two, four
# and so on with all threads, and half and double of the threads. Within a latency
# limit it takes the highest throughput, and leaves the hint's choice only for
# something that is shown to be faster. The limit here is one and a half times the
# latency of a single stream on all processors.

one, per_processor = roles["one_stream"].name, roles["per_processor"].name
limit = float(f"{1.5 * result.latency(one).high:.3g}")
candidates = [one, *(setting.name for setting in near)]
taken = {"free": sweet_spot(result, "hint", candidates)}
taken["within"] = sweet_spot(result, "hint", candidates, limit)
best = max(
    (s.name for s in settings), key=lambda name: result.throughput(name).value
)
print(f"no limit: {taken['free']}; {limit:.3g} ms: {taken['within']}; best: {best}")

# %%
# In a container
# --------------
#
# A container limits the CPU in one of two ways: it names the cores
# (``--cpuset-cpus``), or it gives a quota of CPU time and shows all cores
# (``--cpus``). The worker processes get the same here. A quota of less than one
# core still feeds one thread.

quota = Machine.current().available_cores / 2
whole = max(1, int(quota))
alone = Variant("no limit", model.ir, inputs=(model.inputs,))
boxes = {
    "free": alone,
    "named": alone.with_("cores named", cores=whole),
    "blind": alone.with_("quota, default threads", quota=quota),
    "matched": alone.with_("quota, threads matched", quota=quota, threads=whole),
}
contained = measure(boxes.values(), profiles.budget(0.6))

# %%
# What it came to
# ---------------
#
# Cells are by what was asked for. Where the device reduces the numbers, several
# cells are the same setting.

record = Recording("deploy/streams_and_threads", declares=("streams.*",))
cells = {setting: result.throughput(setting.name) for setting in settings}
record.figure(
    "grid",
    lambda: plots.heat_map(
        [[cells.get(Setting(s, t)) for t in threads] for s in streams],
        streams,
        threads,
        row_label="Streams asked for (count)",
        column_label="Threads asked for (count)",
        quantity="Throughput",
    ),
    alt="A grid of streams by threads with the throughput of each pair.",
    caption=f"{model.title} on {processors} processors: throughput of each "
    f"setting.",
)
heads = ("Knob", "Supported", "Asked for", "Chosen")
record.table("knobs", heads, rows, caption="Asked for, and got.")
record.values("streams", {"limit": (limit, "ms", "latency limit")})
parts = {role: setting.name for role, setting in roles.items()}
for role, name in {"hint": "hint", **parts}.items():
    record.session("streams", result, {role: name})
for part, name in taken.items():
    effective = result.series[name].effective
    numbers = {
        "streams": (float(effective["NUM_STREAMS"]), "count", name),
        "threads": (float(effective["INFERENCE_NUM_THREADS"]), "count", name),
    }
    record.values(f"streams.taken.{part}", numbers)
pairs = {
    "taken_over_best": (best, taken["free"]),
    "taken_over_hint": ("hint", taken["free"]),
    "hint_over_best": (best, "hint"),
    "streams": (one, per_processor),
    "more_streams": (per_processor, parts["past_streams"]),
    "more_threads": (one, parts["past_threads"]),
}
for part, (knob, off, on) in switches.items():
    if knob in accepted:
        pairs[part] = (f"{knob}={off}", f"{knob}={on}")
    else:
        record.unavailable(f"streams.gain.{part}", f"{knob} has no choice here")
record.ratios("streams.gain", result, pairs, "throughput")
record.session("streams.box", contained, boxes, percentiles=(50, 95))
for part, box in boxes.items():
    with record.attempt(f"streams.box.{part}.threads"):
        if box.name in contained.failures:
            raise contained.failures[box.name]
        count = float(contained.series[box.name].effective["INFERENCE_NUM_THREADS"])
        record.values(
            f"streams.box.{part}", {"threads": (count, "count", box.name)}
        )
blind, matched = boxes["blind"].name, boxes["matched"].name
record.ratios(
    "streams.matched", contained, {"throughput": (blind, matched)}, "throughput"
)
with record.attempt("streams.matched.tail"):
    tail = contained.compare_percentile(blind, matched, 95)
    record.values("streams.matched", {"tail": (tail, "p95")}, above="faster")
record.publish()
