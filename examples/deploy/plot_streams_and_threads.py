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
# that the device does not know is an error.

from dataclasses import replace

import openvino as ov

from optguide import OpenVINO, Recording, Variant, measure, plots
from optguide.bench.streams import Setting, alternatives, corners, grid, sweet_spot
from optguide.errors import EnvironmentMissing, NotEnoughSamples
from optguide.guide import profiles, workloads
from optguide.machine import Machine
from optguide.runtimes.devices import property_text

core = ov.Core()
processors = core.get_property("CPU", "RANGE_FOR_STREAMS")[1]
asked = {
    "NUM_STREAMS": str(2 * processors),
    "INFERENCE_NUM_THREADS": str(2 * processors),
    "ENABLE_CPU_PINNING": "NO",
    "ENABLE_HYPER_THREADING": "YES",
    "SCHEDULING_CORE_TYPE": "ECORE_ONLY",
    "AFFINITY": "CORE",  # the old name of pinning, still in many answers on the web
}
supported = core.get_property("CPU", "SUPPORTED_PROPERTIES")
chosen = dict.fromkeys(asked, "refused")
for knob in set(asked) & set(supported):
    compiled = core.compile_model(workloads.tiny().ir, "CPU", {knob: asked[knob]})
    chosen[knob] = property_text(compiled.get_property(knob))
for knob, value in asked.items():
    print(f"{knob:24}{value:>12}{chosen[knob]:>12}")

# %%
# The grid
# --------
#
# Streams and threads from one to twice as many as there are processors, beside the
# THROUGHPUT hint. Every variant keeps as many requests in flight as the device
# calls optimal for it. The quick profile measures the corners only.

HINT = "THROUGHPUT hint"
profile, model = profiles.current(), workloads.resnet50_int8()
compiled = core.compile_model(model.ir, "CPU", {"PERFORMANCE_HINT": "THROUGHPUT"})
default = Setting(
    compiled.get_property("NUM_STREAMS"),
    compiled.get_property("INFERENCE_NUM_THREADS"),
)

streams, threads = grid(processors)
roles, near = corners(processors), alternatives(default, processors)
every = (
    [Setting(s, t) for s in streams for t in threads]
    if profile.name == "full"
    else []
)
settings = sorted({*roles.values(), *near, *every})
throughput = {"PERFORMANCE_HINT": "THROUGHPUT"}
hint = Variant(
    HINT,
    model=model.ir,
    inputs=(model.inputs,),
    runtime=OpenVINO(properties=throughput, requests=0),
)
variants = [
    hint,
    *(
        hint.with_(setting.name, properties=setting.properties)
        for setting in settings
    ),
]

# %%
# On top of the hint come the switches, off and on. Two threads per core and two
# types of core cannot be compared where the processor has one; then the device has
# dropped the question above.

switches = {
    "pinning": ("ENABLE_CPU_PINNING", "NO", "YES"),
    "hyper_threading": ("ENABLE_HYPER_THREADING", "NO", "YES"),
    "all_cores": ("SCHEDULING_CORE_TYPE", "PCORE_ONLY", "ANY_CORE"),
}
possible = {
    part: row for part, row in switches.items() if chosen[row[0]] == asked[row[0]]
}
for knob, *values in possible.values():
    variants += [
        hint.with_(f"{knob}={v}", properties={**throughput, knob: v})
        for v in values
    ]
budget = replace(profile.budget, seconds=0.6 * profile.budget.seconds)
result = measure(variants, budget, label="streams and threads")

# %%
# The sweet spot
# --------------
#
# The search begins with what the hint chose. Beside it stand one stream, two, four
# and so on with all threads, and half and double of the threads. Within a latency
# limit it takes the highest throughput, and leaves the hint's choice only for
# something that is shown to be faster. The limit here is one and a half times the
# latency of a single stream on all processors.

one, full = roles["one_stream"].name, roles["per_processor"].name
limit = float(f"{1.5 * result.latency(one).high:.3g}")
candidates = [one, *(setting.name for setting in near)]
taken = {"free": sweet_spot(result, HINT, candidates)}
taken["within"] = sweet_spot(result, HINT, candidates, limit)
best = max(
    (setting.name for setting in settings),
    key=lambda name: result.throughput(name).value,
)
print(f"no limit: {taken['free']}; {limit:.3g} ms: {taken['within']}, best {best}")

record = Recording("deploy/streams_and_threads", declares=("streams.*",))
rows = [
    (knob, "yes" if knob in supported else "no", asked[knob], chosen[knob])
    for knob in asked
]
record.table(
    "knobs",
    ("Knob", "Supported", "Asked for", "Chosen"),
    rows,
    caption="Asked for, and got.",
)
record.add_value("streams.limit", limit, "ms", label="latency limit")
for role, name in {
    "hint": HINT,
    **{role: setting.name for role, setting in roles.items()},
}.items():
    record.add_session("streams", result, names={name: role})
for part, name in taken.items():
    for key, what in (
        ("NUM_STREAMS", "streams"),
        ("INFERENCE_NUM_THREADS", "threads"),
    ):
        number = float(result.series[name].effective[key])
        record.add_value(
            f"streams.taken.{part}.{what}", number, "count", label=f"{name}: {what}"
        )

gains = {
    "taken_over_best": (
        best,
        taken["free"],
        "recommended setting against the best of all",
    ),
    "taken_over_hint": (
        HINT,
        taken["free"],
        "recommended setting against the hint",
    ),
    "hint_over_best": (best, HINT, "hint against the best of all"),
    "streams": (one, full, "one stream per processor against one in all"),
    "more_streams": (
        full,
        roles["past_streams"].name,
        "twice as many streams as processors against as many",
    ),
    "more_threads": (
        one,
        roles["past_threads"].name,
        "twice as many threads as processors against as many",
    ),
}
gains |= {
    part: (f"{knob}={off}", f"{knob}={on}", f"{knob}={on} against {off}")
    for part, (knob, off, on) in possible.items()
}
for part, (a, b, label) in gains.items():
    record.add_comparison(
        f"streams.gain.{part}", result.compare(a, b, "throughput"), label=label
    )
for part in switches.keys() - gains:
    record.unavailable(
        f"streams.gain.{part}", f"{switches[part][0]} has no choice on the CPU here"
    )

# %%
# Cells by what was asked for. Where the device reduces the numbers, several cells
# are the same setting.

cells = {setting: result.throughput(setting.name) for setting in settings}
mark = {HINT: (default.streams, default.threads)}
record.figure(
    "grid",
    lambda: plots.heat_map(
        [[cells.get(Setting(s, t)) for t in threads] for s in streams],
        streams,
        threads,
        row_label="Streams asked for (count)",
        column_label="Threads asked for (count)",
        quantity="Throughput",
        marks=mark
        if default.streams in streams and default.threads in threads
        else {},
    ),
    alt="A grid of streams by threads with the throughput of each pair and its "
    "interval.",
    caption=f"{model.title} on {processors} processors: throughput for each "
    f"number of streams and threads.",
)

points = [
    (s.name, result.latency(s.name), cells[s], "set")
    for s in settings
    if s.streams <= s.threads <= processors
]
points.append((HINT, result.latency(HINT), result.throughput(HINT), "hint"))
record.figure(
    "frontier",
    lambda: plots.frontier(points, limit=limit, chosen=taken["within"]),
    alt="Settings by median latency and throughput, the frontier, the latency "
    "limit and the setting to take.",
    caption=f"{model.title}: the ring marks the setting that the procedure takes "
    f"within the latency limit.",
)

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
if own := Machine.current().cpu_quota:
    print(f"Own quota: {own:g} cores, which feed {max(1, int(own))} threads")
alone = hint.with_("no limit", properties={}, requests=None)
boxes = [
    alone,
    alone.with_("cores named", cores=whole),
    alone.with_("quota, default threads", quota=quota),
    alone.with_("quota, threads matched", quota=quota, threads=whole),
]
seconds = max(5.0, 0.4 * profile.budget.seconds)
contained = measure(
    boxes, replace(profile.budget, seconds=seconds), label="in a container"
)

parts = dict(
    zip(
        (box.name for box in boxes),
        ("free", "named", "blind", "matched"),
        strict=True,
    )
)
record.add_session("streams.box", contained, names=parts, percentiles=(50, 95))
for name, part in parts.items():
    if name in contained.series:
        started = float(contained.series[name].effective["INFERENCE_NUM_THREADS"])
        record.add_value(
            f"streams.box.{part}.threads",
            started,
            "count",
            label=f"{name}: threads",
        )
    else:
        record.unavailable(
            f"streams.box.{part}.threads", contained.failures[name].message
        )
blind, matched = boxes[2].name, boxes[3].name
for part, ratio in {
    "tail": lambda: contained.compare_percentile(blind, matched, 95),
    "throughput": lambda: contained.compare(blind, matched, "throughput").ratio,
}.items():
    try:
        label = f"threads matched to the quota against the default: {part}"
        record.add(f"streams.matched.{part}", ratio(), label=label, above="faster")
    except (EnvironmentMissing, NotEnoughSamples) as error:
        record.unavailable(f"streams.matched.{part}", error.message)

record.publish()
