"""
Check benchmark_app against a loop of your own
==============================================

Learn to run ``benchmark_app``, to read its report in a program, and which of its
choices differ from those of an application.

Explained in :doc:`/measure/benchmark-app`. Install: ``pip install
"optguide[frameworks,models]"``.
"""

import json
import random
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import openvino as ov

from optguide import OpenVINO, Recording, Variant, measure
from optguide.bench.benchmark_app import benchmark_app
from optguide.guide import profiles, workloads
from optguide.machine import measuring_lock
from optguide.stats.comparison import paired

# %%
# One run, and its report
# -----------------------
#
# The tool writes its results for programs when it is given ``-json_stats`` and a
# ``-report_folder`` that exists.

resnet50 = workloads.resnet50()
with TemporaryDirectory() as folder:
    command = [Path(sys.executable).with_name("benchmark_app"), "-m", resnet50.ir]
    command += ["-hint", "throughput", "-t", "1"]
    command += ["-report_type", "no_counters", "-json_stats"]
    command += ["-report_folder", folder]
    subprocess.run(command, check=True, capture_output=True)
    report = json.loads(Path(folder, "benchmark_report.json").read_text("utf-8"))
for name, value in report["execution_results"].items():
    print(f"{name}: {value}")

# %%
# What the tool does, and what an application does
# ------------------------------------------------
#
# The tool keeps several requests in flight and sets their inputs once. An
# application with OpenVINO's defaults has the LATENCY hint, calls and waits, and
# hands over its input in each call.

core, image = ov.Core(), np.load(resnet50.inputs)["pixel_values"]
hint = {"PERFORMANCE_HINT": "THROUGHPUT"}
queue = ov.AsyncInferQueue(core.compile_model(resnet50.ir, "CPU", hint))
for request in queue:
    request.set_input_tensor(ov.Tensor(image))
for _ in range(8):
    queue.start_async()
queue.wait_all()

compiled = core.compile_model(resnet50.ir, "CPU")
logits = compiled(image)[0]

# %%
# Both take turns in one session. A third variant is the tool's way, with inputs
# that are handed over: it tells what the copy costs.

way = OpenVINO(properties=hint, requests=0, feed="preset")
app_way = Variant("benchmark_app's way", resnet50.ir, way, (resnet50.inputs,))
handed_over = app_way.with_("inputs handed over", feed="each")
application = app_way.with_("application", runtime=OpenVINO())
ways = {"app_way": app_way, "handed_over": handed_over, "application": application}
result = measure(ways.values(), replace(profiles.budget(0.8), block=0.1))

record = Recording("measure/benchmark_app", declares=("benchmark.*",))
record.session("benchmark.resnet50", result, ways)
pairs = {"hint": (application, handed_over), "copy": (handed_over, app_way)}
caption = "Throughput of what benchmark_app chooses against the alternative."
topic = "benchmark.resnet50"
record.ratios(topic, result, pairs, "throughput", caption=caption)
record.ratios(topic, result, {"sooner": (handed_over, application)})

# %%
# The tool's number against that of a loop
# ----------------------------------------
#
# Runs of about a second alternate in random order, each in fresh processes.

if profiles.full():
    tool, loop = [], []
    single = replace(profiles.budget(), seconds=2.0, precision=1e-6, processes=1)
    with measuring_lock("benchmark_app and a loop"):
        for _ in range(6):
            for turn in random.sample(("tool", "loop"), 2):
                if turn == "tool":
                    run = benchmark_app(resnet50.ir, hint="throughput", seconds=1)
                    tool.append(run.throughput)
                else:
                    run = measure([app_way], single)
                    loop.append(run.throughput(app_way.name).value)
    entry = {"ratio": (paired(loop, tool), "the loop against benchmark_app")}
    record.values("benchmark.resnet50", entry, above="faster")
profiles.full_only(record, "benchmark.resnet50.ratio")
record.publish()
