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
# given ``-json_stats`` and a ``-report_folder`` that exists. Without options it
# chooses the asynchronous interface and the THROUGHPUT hint.

import json
import random
import statistics
import subprocess
from dataclasses import replace
from pathlib import Path
from tempfile import mkdtemp

import numpy as np
import openvino as ov

from optguide import OpenVINO, Recording, Variant, measure, plots
from optguide.bench.benchmark_app import benchmark_app
from optguide.guide import profiles, workloads
from optguide.machine import measuring_lock
from optguide.stats.comparison import paired
from optguide.stats.estimate import median_of_rounds

tiny, resnet50 = workloads.tiny(), workloads.resnet50()

folder = mkdtemp()
command = ["benchmark_app", "-m", tiny.ir, "-t", "1", "-report_folder", folder]
command += ["-report_type", "no_counters", "-json_stats"]
subprocess.run(command, check=True, capture_output=True)
(report,) = (
    json.loads(file.read_text("utf-8")) for file in Path(folder).glob("*.json")
)
for name, value in report["execution_results"].items():
    print(f"{name}: {value}")

# %%
# The same measurement by the guide's loop
# ----------------------------------------
#
# Same hint, same number of requests, inputs set once as ``benchmark_app`` does.
# Runs of about equal length alternate in random order, each in a fresh process, so
# that every pair gives one ratio.
# :func:`~optguide.bench.benchmark_app.benchmark_app` is the call above. ResNet-50
# takes long to load and so is left to the full profile.

record = Recording("measure/benchmark_app", declares=("benchmark.*",))
hint, seconds = {"PERFORMANCE_HINT": "THROUGHPUT"}, 0.4 if profiles.full() else 0.2
# Of so short a session, two fifths are for measuring and the rest for loading.
short = replace(profiles.budget(), seconds=2.5 * seconds, precision=1e-6, block=0.2)
for workload in (tiny, resnet50) if profiles.full() else (tiny,):
    trial = benchmark_app(workload.ir, seconds=1)
    iterations = round(trial.throughput * seconds)
    count = {"requests": trial.requests, "iterations": iterations}
    way = OpenVINO(properties=hint, requests=trial.requests, feed="preset")
    ours = Variant("ours", workload.ir, way, (workload.inputs,))
    reports, rates = [], []
    with measuring_lock("benchmark_app and the guide's loop"):
        for _ in range(6):
            for turn in random.sample(("tool", "loop"), 2):
                if turn == "loop":
                    rates.append(measure([ours], short).throughput("ours").value)
                    continue
                report = benchmark_app(workload.ir, hint="throughput", **count)
                reports.append(report)
    app = [report.throughput for report in reports]
    slowest = [report.latency_max for report in reports]
    mean = [1e3 * report.requests / report.throughput for report in reports]
    entries = {
        "app": (median_of_rounds(app, "inferences/s"), "benchmark_app"),
        "guide": (median_of_rounds(rates, "inferences/s"), "the guide's loop"),
    }
    for stage in ("read", "compile", "first"):
        times = [getattr(report, f"{stage}_ms") for report in reports]
        entries[stage] = (median_of_rounds(times, "ms"), stage)
    topic = f"benchmark.{workload.name}"
    record.values(topic, entries)
    ratio = {"ratio": (paired(rates, app), "the guide's loop")}
    record.values(topic, ratio, above="faster")
    record.values(
        topic, {"slowest": (paired(slowest, mean), "slowest")}, above="longer"
    )
profiles.full_only(record, "benchmark.resnet50.*")

# %%
# The default hint, the input copy, the counters
# ----------------------------------------------
#
# Counters and copy are one change each; an application's defaults are another hint
# and another interface. All take turns in one session per model.

way = OpenVINO(properties=hint, requests=0, feed="preset")
app = Variant("app_way", resnet50.ir, way, (resnet50.inputs,))
small = app.with_("app_way", model=tiny.ir, inputs=(tiny.inputs,))
each, counting = {"feed": "each"}, {"properties": hint | {"PERF_COUNT": "YES"}}
large = {
    "app_way": app,
    "handed_over": app.with_("handed_over", **each),
    "application": app.with_("application", runtime=OpenVINO()),
}
tiny_ways = {
    "app_way": small,
    "handed_over": small.with_("handed_over", **each),
    "counted": small.with_("counted", **counting),
}
first = measure(large.values(), replace(profiles.budget(0.8), block=0.1))
second = measure(tiny_ways.values(), replace(profiles.budget(0.8), block=0.03))
record.session("benchmark.resnet50", first, large)
record.session("benchmark.tiny", second, tiny_ways, percentiles=(50, 99))
pairs = {"hint": ("application", "handed_over"), "copy": ("handed_over", "app_way")}
gains = record.ratios("benchmark.resnet50", first, pairs, "throughput", title="big")
sooner = {"sooner": ("handed_over", "application")}
record.ratios("benchmark.resnet50", first, sooner)
pairs = {"copy": ("handed_over", "app_way"), "counters": ("counted", "app_way")}
gains |= record.ratios("benchmark.tiny", second, pairs, "throughput", title="tiny")
record.figure(
    "differences",
    lambda: plots.ratios(list(gains.items()), quantity="Throughput"),
    alt="Throughput of benchmark_app's choices against the alternatives.",
    caption="Throughput of what benchmark_app chooses against the alternative.",
)

# %%
# One inference as warm-up
# ------------------------
#
# That is what the tool runs before it starts counting. Freshly compiled models show
# how the first two compare with later ones.

starts = []
with measuring_lock("first calls"):
    for _ in range(12):
        request = ov.Core().compile_model(tiny.ir, "CPU").create_infer_request()
        request.set_input_tensor(ov.Tensor(np.load(tiny.inputs)["x"]))
        calls = [request.infer() and request.latency for _ in range(100)]
        starts.append((calls[0], calls[1], statistics.median(calls[50:])))
one, two, later = zip(*starts, strict=True)
warm = {"first": (paired(one, later), "first call against later ones")}
warm["second"] = (paired(two, later), "second call against later ones")
record.values("benchmark.warmup", warm, above="longer")
record.publish()
