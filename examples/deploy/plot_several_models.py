"""
Two models on one machine
=========================

An image classifier and a sentence encoder share one machine: in one process or in two, on all cores or on
half of them each, at the same time or by turns. What each of them loses, in the median and in the tail.
"""

# %%
# Two models in one process
# -------------------------
#
# Nothing is needed to run two models: compile both, and call each from a thread of its own. By default each
# starts as many threads as there are cores, so there are twice as many as can run.

import threading
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np
import openvino as ov

from optguide import Comparison, Estimate, Recording, Variant, plots
from optguide.bench.colocation import Group, colocate, work_done
from optguide.errors import NotEnoughSamples, PropertyError
from optguide.guide import profiles, workloads

resnet50, sentences = workloads.resnet50_int8(), workloads.sentences()
core = ov.Core()


def call(workload: workloads.Workload, times: int) -> None:
    compiled = core.compile_model(workload.ir, "CPU")
    inputs = dict(np.load(workload.inputs))
    for _ in range(times):
        compiled(inputs)
    print(f"{workload.title}: {compiled.get_property('INFERENCE_NUM_THREADS')} threads")


both = [threading.Thread(target=call, args=(workload, 5)) for workload in (resnet50, sentences)]
for thread in both:
    thread.start()
for thread in both:
    thread.join()

# %%
# OpenVINO's advice for models in parallel is a priority for each. A device without that property says so.

try:
    core.compile_model(sentences.ir, "CPU", {"MODEL_PRIORITY": "HIGH"})
except RuntimeError as error:
    print(str(error).strip().splitlines()[-1])

# %%
# Groups
# ------
#
# Each group is a way to run the two. ``INFERENCE_NUM_THREADS`` gives each half of the threads. On Linux they
# are pinned by default, and every model counts the cores from the first one. ``ENABLE_CPU_RESERVATION`` keeps
# the models of one process apart; without pinning, the operating system does.

half = str(max(1, core.get_property("CPU", "RANGE_FOR_STREAMS")[1] // 2))
models = tuple(
    Variant(workload.title, model=workload.ir, inputs=(workload.inputs,))
    for workload in (resnet50, sentences)
)


def each(*settings: dict[str, str]) -> tuple[Variant, ...]:
    return tuple(
        model.with_(model.name, properties=own) for model, own in zip(models, settings * 2, strict=False)
    )


split = {"INFERENCE_NUM_THREADS": half}
reserved, unpinned = {**split, "ENABLE_CPU_RESERVATION": "YES"}, {**split, "ENABLE_CPU_PINNING": "NO"}
low, high = {"MODEL_PRIORITY": "LOW"}, {"MODEL_PRIORITY": "HIGH"}
groups = {
    "one_process": Group("one process", models, "process"),
    "two_processes": Group("two processes", models),
    "turns": Group("by turns", models, "turns"),
    "split": Group("threads split", each(split), "process"),
    "reserved": Group("threads split, cores reserved", each(reserved), "process"),
    "unpinned": Group("threads split, not pinned", each(unpinned), "process"),
    "priorities": Group("priorities", each(low, high), "process"),
}
ALONE = "alone"
solos = [Group(ALONE, (model,)) for model in models]

# %%
# All groups take turns in one session. By turns, a call waits until the other model's call has returned, and
# that wait is part of its latency.

budget = profiles.current().budget
budget = replace(budget, seconds=max(12.0, 1.35 * budget.seconds))
result = colocate([*solos, *groups.values()], budget, label="two models at once")

parts = {model.name: part for model, part in zip(models, ("resnet50", "minilm"), strict=True)}
record = Recording("deploy/several_models", declares=("several.*",))
for topic, group in {"alone": replace(solos[0], variants=models), **groups}.items():
    names = {group.of(model): part for model, part in parts.items()}
    record.add_session(f"several.{topic}", result, names=names, percentiles=(50, 95))

# %%
# What company costs
# ------------------
#
# Median latencies as multiples of those alone. Below, the work that both get done: their rates as shares of
# those alone, added up. Two models that take turns without any loss reach 1.


def add(
    identifier: str, found: Callable[[], Estimate | Comparison], label: str, above: str
) -> Estimate | None:
    """Record what was found, or why it was not."""
    try:
        measured = found()
    except (NotEnoughSamples, PropertyError) as error:
        record.unavailable(identifier, error.message)
        return None
    record.add(identifier, measured, label=label, above=above)
    return measured.ratio if isinstance(measured, Comparison) else measured


slower, work = [], []
for topic, group in groups.items():
    done = add(
        f"several.work.{topic}", partial(work_done, result, group, ALONE), f"{group.name}: work done", "more"
    )
    work += [(group.name, done)] if done else []
    for model, part in parts.items():
        beside, alone = group.of(model), solos[0].of(model)
        longer = add(
            f"several.longer.{topic}.{part}",
            partial(result.compare, beside, alone),
            f"{beside}: latency against that alone",
            above="longer",
        )
        slower += [(beside, longer)] if longer else []

record.figure(
    "latency",
    lambda: plots.ratios(slower, quantity="Median latency", above="longer"),
    alt="For every group and model, median latency as a multiple of that alone, with its interval.",
    caption=f"{models[0].name} and {models[1].name} at once: median latency against each alone.",
)
record.figure(
    "work",
    lambda: plots.ratios(work, quantity="Work done", above="more"),
    alt="For every group, the rates of both models as shares of those alone, added up, with its interval.",
    caption="Work that both models get done; 1 is what taking turns without loss would give.",
)

# %%
# Tails
# -----
#
# How many times shorter the 95th percentile of latency becomes than with two models in one process that are
# left to themselves, what each change does to the median and to throughput, and the memory of one process and
# of two.

plain = groups["one_process"]
for topic in ("turns", "split", "reserved", "unpinned", "priorities"):
    for model, part in parts.items():
        pair = (plain.of(model), groups[topic].of(model))
        ratio = partial(result.compare_percentile, *pair, 95)
        add(f"several.tail.{topic}.{part}", ratio, f"{pair[1]} against one process: p95", "faster")
changes = {
    "turns": ("one_process", "turns", "latency"),
    "apart": ("two_processes", "one_process", "throughput"),
    "reserving": ("split", "reserved", "throughput"),
    "unpinning": ("split", "unpinned", "throughput"),
}
for model, part in parts.items():
    for topic, (before, after, quantity) in changes.items():
        pair = groups[before].of(model), groups[after].of(model)
        label = f"{pair[1]} against {groups[before].name}: {quantity}"
        record.add_comparison(f"several.gain.{topic}.{part}", result.compare(*pair, quantity), label=label)

apart = [result.series[name].peak_rss for name in groups["two_processes"].names]
shared = result.series[plain.names[0]].peak_rss
record.add_value("several.memory.one_process", float(shared), "bytes", label="peak memory, one process")
record.add_value(
    "several.memory.two_processes", float(sum(apart)), "bytes", label="peak memory, two processes"
)

record.publish()
