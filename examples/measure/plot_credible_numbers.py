"""
Tell a difference from noise
============================

The same pair of settings is measured again and again, in two orders: one after the
other, and in turns. Then another process disturbs the machine on purpose. How far
the repeats of one ratio are apart says what a single one is worth.

Explained in :doc:`/measure/credible-numbers`. Install: ``pip install
"optguide[frameworks,models]"``.
"""

# %%
# Two settings to compare
# -----------------------
#
# A tiny network with its inference precision pinned to f32, and the same network
# with the device's default. It takes so little time that every number below rests
# on thousands of inferences: too few samples are no excuse for what varies.

import random
import subprocess
import sys
import time
from contextlib import contextmanager, nullcontext
from dataclasses import replace

import numpy as np
import openvino as ov

from optguide import Recording, Variant, measure, plots
from optguide.guide import profiles, workloads
from optguide.machine import measuring_lock
from optguide.stats.comparison import scatter, scatter_ratio
from optguide.stats.estimate import (
    median_of_rounds,
    percentile_of_blocks,
    samples_needed,
)

tiny = workloads.tiny()
core = ov.Core()


def ready(properties):
    request = core.compile_model(tiny.ir, "CPU", properties).create_infer_request()
    for index, array in enumerate(np.load(tiny.inputs).values()):
        request.set_input_tensor(index, ov.Tensor(array))
    return request


pair = ready({"INFERENCE_PRECISION_HINT": "f32"}), ready({})

# %%
# A block, and two orders of blocks
# ---------------------------------
#
# A block repeats one inference for 30 ms and gives two numbers per inference: time
# on the wall, and CPU time of the process. The first call does not count, since the
# other setting has just used the caches.

BLOCK = 0.03


def block(request):
    request.infer()
    calls, wall, cpu = 0, time.perf_counter(), time.process_time()
    while time.perf_counter() - wall < BLOCK:
        request.infer()
        calls += 1
    return (time.perf_counter() - wall) / calls, (time.process_time() - cpu) / calls


def one_after_the_other(rounds):
    return [0] * rounds + [1] * rounds


def in_turns(rounds):
    return [which for _ in range(rounds) for which in random.sample((0, 1), 2)]


def ratios(order):
    """Median of first block over first, second over second: wall and CPU time."""
    blocks = [], []
    for which in order:
        blocks[which].append(block(pair[which]))
    return np.median(np.divide(*blocks), axis=0)


# %%
# Both orders run the same number of the same blocks and use the same formula. Only
# the distance in time between what is divided differs.
#
# A disturbance made on purpose
# -----------------------------
#
# A second process keeps one core busy for up to 0.6 s, pauses for up to as long,
# and so on. It is ended with the context, and would end by itself.

BURSTS = """
import random, time
end = time.monotonic() + 120
while time.monotonic() < end:
    stop = time.monotonic() + random.uniform(0.1, 0.6)
    while time.monotonic() < stop:
        pass
    time.sleep(random.uniform(0.1, 0.6))
"""


@contextmanager
def disturbance():
    process = subprocess.Popen([sys.executable, "-c", BURSTS])
    try:
        yield
    finally:
        process.kill()
        process.wait()


# %%
# Repeats
# -------

full = profiles.current().name == "full"
repeats, rounds = (12, 10) if full else (8, 4)
orders = {"sequential": one_after_the_other, "interleaved": in_turns}
conditions = {"as_is": nullcontext, "disturbed": disturbance}
found = {
    f"{where}.{how}.{what}": []
    for where in conditions
    for how in orders
    for what in ("wall", "cpu")
}

with measuring_lock("credible numbers"):
    for condition, meanwhile in conditions.items():
        with meanwhile():
            for _ in range(repeats):
                for name in random.sample(list(orders), 2):
                    wall, cpu = ratios(orders[name](rounds))
                    found[f"{condition}.{name}.wall"].append(float(wall))
                    found[f"{condition}.{name}.cpu"].append(float(cpu))

for way, values in found.items():
    print(f"{way:<28}", *(f"{value:.2f}" for value in values))

# %%
# How far the repeats are apart
# -----------------------------
#
# The scatter is the standard deviation of the logarithms, which for small values
# reads as a share. A dozen repeats say little about their own scatter, so it has an
# interval too.

record = Recording("measure/credible_numbers", declares=("credible.*",))
words = {
    "as_is": "machine as it is",
    "disturbed": "disturbed",
    "sequential": "one after the other",
    "interleaved": "in turns",
    "wall": "wall time",
    "cpu": "CPU time",
}
for way, values in found.items():
    label = ", ".join(words[part] for part in way.split("."))
    record.add(
        f"credible.{way}.ratio",
        median_of_rounds(values, "ratio"),
        label=f"default against f32: {label}",
        above="faster",
    )
    record.add(
        f"credible.{way}.scatter",
        scatter(values),
        label=f"Scatter of the ratio: {label}",
    )
for condition in conditions:
    record.add(
        f"credible.{condition}.narrowing",
        scatter_ratio(
            found[f"{condition}.sequential.wall"],
            found[f"{condition}.interleaved.wall"],
        ),
        label=f"Scatter one after the other against in turns, {words[condition]}",
        above="larger",
    )

shown = (
    "as_is.sequential.wall",
    "as_is.interleaved.wall",
    "disturbed.sequential.wall",
)
shown += ("disturbed.interleaved.wall", "disturbed.interleaved.cpu")
record.figure(
    "repeats",
    lambda: plots.ratios(
        [
            (
                ", ".join(words[part] for part in way.split(".")),
                replace(
                    median_of_rounds(found[way], "ratio"),
                    low=min(found[way]),
                    high=max(found[way]),
                ),
            )
            for way in shown
        ]
    ),
    alt="Forest plot of one ratio, one row per way of measuring; wider rows are "
    "less repeatable.",
    caption="The same ratio measured repeatedly: default against f32. "
    "Whiskers reach from the smallest repeat to the largest. Disturbed rows ran "
    "beside a process that keeps one core busy half of "
    "the time.",
)

# %%
# A control, and how many samples a percentile needs
# --------------------------------------------------
#
# :func:`optguide.measure` interleaves in the same way, with a process per variant.
# ``control=True`` adds a twin of the first one: a comparison of the model with
# itself. Its samples also show how percentiles settle: ``n`` of them are picked
# evenly from the whole session.

variant = Variant("default", model=tiny.ir, inputs=(tiny.inputs,))
budget = replace(
    profiles.current().budget,
    seconds=15.0 if full else 4.0,
    precision=1e-6,
    block=0.1,
)
session = measure([variant], budget, control=True)
record.add_comparison(
    "credible.control", session.control, label="A model against itself, latency"
)

samples = np.concatenate(
    [piece.latencies_ms for piece in session.series[variant.name].blocks]
)
curves = {}
for percentile in (50, 95, 99):
    settled = curves[f"p{percentile}"] = []
    needed = samples_needed(percentile)
    record.add_value(
        f"credible.needed.p{percentile}",
        needed,
        "count",
        label=f"Samples for a p{percentile}",
    )
    for n in (100, 400, 1_600, 6_400, 25_600):
        if needed <= n <= samples.size:
            picked = samples[np.linspace(0, samples.size - 1, n).astype(int)]
            estimate = percentile_of_blocks(
                np.array_split(picked, 10), percentile, "ms"
            )
            settled.append((n, replace(estimate.scaled(1e3, "us"), n=n)))
    for part, (_, estimate) in (("few", settled[0]), ("many", settled[-1])):
        label = f"p{percentile} of {estimate.n:,} samples"
        record.add(f"credible.{part}.p{percentile}", estimate, label=label)

record.figure(
    "samples",
    lambda: plots.sweep(
        curves, x_label="Samples (count)", quantity="Latency", log_x=True
    ),
    alt="Latency percentiles p50, p95 and p99 over the number of samples, with "
    "intervals that narrow.",
    caption="Latency percentiles of the tiny network from growing numbers of "
    "samples. Where a point is missing, the samples were too few for an interval.",
)

# %%
# Every result with its interval:

record.publish()
