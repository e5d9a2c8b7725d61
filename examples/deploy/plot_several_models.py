"""
Run two models on one machine, at once or by turns
==================================================

An image classifier and a sentence encoder share one machine: in one process or in
two, on all cores or on half of them each, at the same time or by turns. What each
of them loses, in the median and in the tail.

Explained in :doc:`/deploy/several-models`. Install: ``pip install
"optguide[frameworks,models]"``.
"""

# %%
# Two models in one process
# -------------------------
#
# Nothing is needed to run two models: compile both, and call each from a thread of
# its own. By default each starts as many threads as there are cores, so there are
# twice as many as can run.

from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
import openvino as ov

from optguide import Recording, Variant, plots
from optguide.bench.colocation import Group, colocate, work_done
from optguide.guide import profiles, workloads

resnet50, sentences = workloads.resnet50_int8(), workloads.sentences()
image, text = (dict(np.load(w.inputs)) for w in (resnet50, sentences))

core = ov.Core()
classifier = core.compile_model(resnet50.ir, "CPU")
encoder = core.compile_model(sentences.ir, "CPU")
print(encoder.get_property("INFERENCE_NUM_THREADS"), "threads for each")
classifier(image), encoder(text)
with ThreadPoolExecutor(2) as threads:
    both = threads.submit(classifier, image), threads.submit(encoder, text)
print(*(answer.result()[0].shape for answer in both))

# %%
# OpenVINO's advice for models in parallel is a priority for each. A device without
# that property says so.

try:
    core.compile_model(sentences.ir, "CPU", {"MODEL_PRIORITY": "HIGH"})
except RuntimeError as error:
    print(str(error).strip().splitlines()[-1])

# %%
# Half of the threads for each
# ----------------------------
#
# ``INFERENCE_NUM_THREADS`` gives each half of the threads. On Linux they are pinned
# by default, and every model counts the cores from the first one.
# ``ENABLE_CPU_RESERVATION`` keeps the models of one process apart; without pinning,
# the operating system does.

half = max(1, encoder.get_property("INFERENCE_NUM_THREADS") // 2)
split = {"INFERENCE_NUM_THREADS": str(half)}
reserved = split | {"ENABLE_CPU_RESERVATION": "YES"}
unpinned = split | {"ENABLE_CPU_PINNING": "NO"}
low, high = {"MODEL_PRIORITY": "LOW"}, {"MODEL_PRIORITY": "HIGH"}
classifier = core.compile_model(resnet50.ir, "CPU", reserved)
print(classifier.get_property("INFERENCE_NUM_THREADS"), "of its own")

# %%
# One session
# -----------
#
# Each group is a way to run the two. All groups take turns, and so does each model
# alone. By turns, a call waits until the other model's call has returned, and that
# wait is part of its latency.

first = Variant("resnet50", model=resnet50.ir, inputs=(resnet50.inputs,))
second = Variant("minilm", model=sentences.ir, inputs=(sentences.inputs,))
models = (first, second)


def pair(one, other):
    one, other = {"properties": one}, {"properties": other}
    return (first.with_("resnet50", **one), second.with_("minilm", **other))


groups = [
    Group("one process", models, "process"),
    Group("two processes", models),
    Group("turns", models, "turns"),
    Group("split", pair(split, split), "process"),
    Group("reserved", pair(reserved, reserved), "process"),
    Group("unpinned", pair(unpinned, unpinned), "process"),
    Group("priorities", pair(low, high), "process"),
]
alone = [Group("alone", (first,)), Group("alone", (second,))]
result = colocate([*alone, *groups], profiles.budget(1.35))

# %%
# What company costs
# ------------------
#
# Median latencies as multiples of those alone, and the work that both get done:
# their rates as shares of those alone, added up. Two models that take turns without
# any loss reach 1. What each change does to the 95th percentile is held against two
# models in one process that are left to themselves.

record = Recording("deploy/several_models", declares=("several.*",))
slower, work, tails = {}, {}, {}
for group in (*alone, *groups):
    topic = group.name.replace(" ", "_")
    if len(group.variants) > 1:
        work[topic] = (partial(work_done, result, group, "alone"), group.name)
    for model in (variant.name for variant in group.variants):
        key, name = f"{topic}.{model}", group.of(model)
        solo, shared = f"{model}, alone", f"{model}, one process"
        record.session("several", result, {key: name}, percentiles=(50, 95))
        if name != solo:
            longer = {key: (solo, name)}
            slower |= record.ratios(
                "several.longer", result, longer, above="longer"
            )
        if name not in (solo, shared):
            tail = partial(result.compare_percentile, shared, name, 95)
            tails[key] = (tail, f"{name}: p95 against one process")
record.values("several.work", work, above="more")
record.values("several.tail", tails, above="faster")
record.figure(
    "latency",
    lambda: plots.ratios(list(slower.items()), quantity="Latency", above="longer"),
    alt="For every group and model, median latency as a multiple of that alone.",
    caption="Two models at once: median latency against each alone.",
)

for m in ("resnet50", "minilm"):
    turns = (f"{m}, one process", f"{m}, turns")
    record.ratios("several.gain", result, {f"turns.{m}": turns})
    changes = {
        f"apart.{m}": (f"{m}, two processes", f"{m}, one process"),
        f"reserving.{m}": (f"{m}, split", f"{m}, reserved"),
        f"unpinning.{m}": (f"{m}, split", f"{m}, unpinned"),
    }
    record.ratios("several.gain", result, changes, "throughput")
peak = {name: float(series.peak_rss) for name, series in result.series.items()}
two = peak["resnet50, two processes"] + peak["minilm, two processes"]
sizes = {"one_process": peak["resnet50, one process"], "two_processes": two}
for part, size in sizes.items():
    record.values("several.memory", {part: (size, "bytes", "peak memory")})
record.publish()
