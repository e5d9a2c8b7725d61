"""
Check benchmark_app against a loop of one's own
===============================================

``benchmark_app`` comes with OpenVINO and measures a model from the command line.
Here it takes turns with the guide's own loop on the same model and settings, and
each way in which the two can differ gets a number.

Explained in :doc:`/measure/benchmark-app`. Install: ``pip install
"optguide[frameworks,models]"``.
"""

# %%
# One run, read from its report
# -----------------------------
#
# The tool prints its results for people, and writes them for programs when it is
# given ``-report_type no_counters -json_stats`` and a ``-report_folder`` that
# exists. :func:`~optguide.bench.benchmark_app.benchmark_app` adds those, runs the
# command and reads the JSON. What is not asked for is the tool's default.

import random
import statistics
from dataclasses import asdict, replace

import numpy as np
import openvino as ov

from optguide import OpenVINO, Recording, Variant, measure, plots
from optguide.bench.benchmark_app import benchmark_app
from optguide.guide import profiles, workloads
from optguide.machine import measuring_lock
from optguide.stats.comparison import paired
from optguide.stats.estimate import median_of_rounds

tiny, resnet50 = workloads.tiny(), workloads.resnet50()

report = benchmark_app(tiny.ir, seconds=1)
for name, value in asdict(report).items():
    print(f"{name:<16} {value}")

# %%
# Without options it has chosen the asynchronous interface and the THROUGHPUT hint.
# An application that compiles the model without options gets the LATENCY hint. The
# latencies have two decimals of a millisecond, which is little for a model this
# small; throughput has digits enough.
#
# The same measurement by the guide's loop
# ----------------------------------------
#
# Same hint, same number of requests, inputs set once as ``benchmark_app`` does.
# Runs of about equal length alternate in random order, each in a fresh process, so
# that every pair gives one ratio.

profile = profiles.current()
full = profile.name == "full"
seconds = 0.4 if full else 0.2
throughput = {"PERFORMANCE_HINT": "THROUGHPUT"}
record = Recording("measure/benchmark_app", declares=("benchmark.*",))


def as_the_tool_does(workload, requests):
    return Variant(
        "benchmark_app's way",
        model=workload.ir,
        inputs=(workload.inputs,),
        runtime=OpenVINO(properties=throughput, requests=requests, feed="preset"),
    )


def pairs(workload, requests, iterations, repeats=6):
    variant = as_the_tool_does(workload, requests)
    # Of so short a session, two fifths are for measuring and the rest for loading.
    short = replace(
        profile.budget, seconds=2.5 * seconds, precision=1e-6, block=0.2
    )
    reports, sessions = [], []
    turns = [
        lambda: reports.append(
            benchmark_app(
                workload.ir,
                hint="throughput",
                requests=requests,
                iterations=iterations,
            )
        ),
        lambda: sessions.append(
            measure([variant], short, label=f"the guide's loop, {workload.name}")
        ),
    ]
    for _ in range(repeats):
        for turn in random.sample(turns, 2):
            turn()
    return reports, [session.throughput(variant.name).value for session in sessions]


# %%
# ResNet-50 takes long to load and so is left to the full profile.

MISSING = "The quick profile leaves it out: six pairs of runs take too long."
STAGES = {
    "read": "reading the model",
    "compile": "compiling it",
    "first": "first inference",
}

with measuring_lock("benchmark_app and the guide's loop"):
    for workload in (tiny, resnet50):
        topic = f"benchmark.{workload.name}"
        if workload is resnet50 and not full:
            for part in ("ratio", "app", "guide", "slowest", *STAGES):
                record.unavailable(f"{topic}.{part}", MISSING)
            continue
        trial = (
            report if workload is tiny else benchmark_app(workload.ir, seconds=1)
        )
        reports, guide = pairs(
            workload, trial.requests, round(trial.throughput * seconds)
        )
        app = [one.throughput for one in reports]
        for part, rates, who in (
            ("app", app, "benchmark_app"),
            ("guide", guide, "the guide's loop"),
        ):
            label = f"{workload.title}, throughput by {who}"
            record.add(
                f"{topic}.{part}",
                median_of_rounds(rates, "inferences/s"),
                label=label,
            )
        record.add(
            f"{topic}.ratio",
            paired(guide, app),
            label=f"{workload.title}, the guide's loop against benchmark_app",
            above="faster",
        )
        slowest = paired(
            [one.latency_max for one in reports],
            [one.requests / one.throughput * 1e3 for one in reports],
        )
        record.add(
            f"{topic}.slowest",
            slowest,
            label=f"{workload.title}, slowest inference against the mean",
            above="longer",
        )
        for part, words in STAGES.items():
            spent = median_of_rounds(
                [getattr(one, f"{part}_ms") for one in reports], "ms"
            )
            record.add(f"{topic}.{part}", spent, label=f"{workload.title}, {words}")

# %%
# The default hint, the input copy, the counters
# ----------------------------------------------
#
# Counters and copy are one change each; an application's defaults are another hint
# and another interface. All take turns in one session per model.

way = as_the_tool_does(resnet50, 0)
handed = way.with_("inputs handed over with each call", feed="each")
application = Variant(
    "an application's defaults", model=resnet50.ir, inputs=(resnet50.inputs,)
)
budget = replace(profile.budget, seconds=7.5 if full else 4.0, block=0.1)
large = measure([way, handed, application], budget, label="defaults, ResNet-50")
names = {
    way.name: "app_way",
    handed.name: "handed_over",
    application.name: "application",
}
record.add_session("benchmark.resnet50", large, names=names, title=resnet50.title)

way = as_the_tool_does(tiny, 0)
counted = way.with_(
    "per-layer counters on", properties={**throughput, "PERF_COUNT": "YES"}
)
budget = replace(budget, block=0.03)
small = measure(
    [way, way.with_(handed.name, feed="each"), counted],
    budget,
    label="defaults, tiny network",
)
names = {way.name: "app_way", handed.name: "handed_over", counted.name: "counted"}
record.add_session(
    "benchmark.tiny", small, names=names, percentiles=(50, 99), title=tiny.title
)

changes = {
    "resnet50.hint": (
        "ResNet-50: THROUGHPUT, async against LATENCY, sync",
        large,
        application,
    ),
    "resnet50.copy": (
        "ResNet-50: inputs set once against handed in",
        large,
        handed,
    ),
    "tiny.copy": ("Tiny network: inputs set once against handed in", small, handed),
    "tiny.counters": ("Tiny network: counters off against on", small, counted),
}
worth = {}
for part, (label, result, other) in changes.items():
    base = (
        handed if part == "resnet50.hint" else way
    )  # an application hands its inputs over
    worth[label] = result.compare(other.name, base.name, "throughput")
    record.add_comparison(
        f"benchmark.{part}", worth[label], label=f"{label}, throughput"
    )
sooner = large.compare(handed.name, application.name, "latency")
record.add_comparison(
    "benchmark.resnet50.sooner",
    sooner,
    label="ResNet-50: LATENCY, sync against THROUGHPUT, async, latency",
)

record.figure(
    "differences",
    lambda: plots.ratios(
        [(label, found.ratio) for label, found in worth.items()],
        quantity="Throughput",
    ),
    alt="Throughput of benchmark_app's choices against the alternatives, with "
    "intervals.",
    caption="Throughput of what benchmark_app chooses against the alternative, "
    "measured by the guide's loop.",
)

# %%
# One inference as warm-up
# ------------------------
#
# That is what the tool runs before it starts counting. Freshly compiled models show
# how the first two compare with later ones.


def first_calls():
    request = ov.Core().compile_model(tiny.ir, "CPU").create_infer_request()
    request.set_input_tensor(ov.Tensor(np.load(tiny.inputs)["x"]))
    latencies = []
    for _ in range(100):
        request.infer()
        latencies.append(request.latency)
    return latencies[0], latencies[1], statistics.median(latencies[50:])


with measuring_lock("first calls"):
    first, second, later = zip(*(first_calls() for _ in range(12)), strict=True)
record.add(
    "benchmark.warmup.first",
    paired(first, later),
    label="Tiny network, first call against later ones",
    above="longer",
)
record.add(
    "benchmark.warmup.second",
    paired(second, later),
    label="Tiny network, second call against later ones",
    above="longer",
)

# %%
# Every result with its interval:

record.publish()
