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

tiny, core = workloads.tiny(), ov.Core()
pair = []
for settings in ({"INFERENCE_PRECISION_HINT": "f32"}, {}):
    request = core.compile_model(tiny.ir, "CPU", settings).create_infer_request()
    request.set_input_tensor(ov.Tensor(np.load(tiny.inputs)["x"]))
    pair.append(request)

# %%
# A block, and two orders of blocks
# ---------------------------------
#
# A block repeats one inference for 30 ms and gives two numbers per inference: time
# on the wall, and CPU time of the process. The first call does not count, since the
# other setting has just used the caches. Both orders run the same number of the
# same blocks and use the same formula. Only the distance in time between what is
# divided differs.


def block(request):
    request.infer()
    calls, wall, cpu = 0, time.perf_counter(), time.process_time()
    while time.perf_counter() - wall < 0.03:
        request.infer()
        calls += 1
    return (time.perf_counter() - wall) / calls, (time.process_time() - cpu) / calls


def ratios(order):
    blocks = [], []
    for which in order:
        blocks[which].append(block(pair[which]))
    return np.median(np.divide(*blocks), axis=0).tolist()


repeats, rounds = (12, 10) if profiles.full() else (8, 4)
sequential = [0] * rounds + [1] * rounds


def interleaved():
    return [which for _ in range(rounds) for which in random.sample((0, 1), 2)]


# %%
# Repeats, with and without a disturbance
# ---------------------------------------
#
# A second process keeps one core busy for up to 0.6 s, pauses for up to as long,
# and so on. It would end by itself.

bursts = """
import random, time
end = time.monotonic() + 120
while time.monotonic() < end:
    stop = time.monotonic() + random.uniform(0.1, 0.6)
    while time.monotonic() < stop:
        pass
    time.sleep(random.uniform(0.1, 0.6))
"""
repeated = {}
with measuring_lock("credible numbers"):
    for condition in ("as_is", "disturbed"):
        code = bursts if condition == "disturbed" else ""
        process = subprocess.Popen([sys.executable, "-c", code])
        for _ in range(repeats):
            orders = {"sequential": sequential, "interleaved": interleaved()}
            for name in random.sample(list(orders), 2):
                wall, cpu = ratios(orders[name])
                repeated.setdefault(f"{condition}.{name}.wall", []).append(wall)
                repeated.setdefault(f"{condition}.{name}.cpu", []).append(cpu)
        process.kill()
        process.wait()
for way, values in repeated.items():
    print(f"{way:<28}", *(f"{value:.2f}" for value in values))

# %%
# A control, and how many samples a percentile needs
# --------------------------------------------------
#
# :func:`optguide.measure` interleaves in the same way, with a process per variant.
# ``control=True`` adds a twin of the first one: a comparison of the model with
# itself. Its samples also show how percentiles settle: ``n`` of them are picked
# evenly from the whole session.

variant = Variant("default", model=tiny.ir, inputs=(tiny.inputs,))
seconds = 15.0 if profiles.full() else 4.0
budget = replace(profiles.budget(), seconds=seconds, precision=1e-6, block=0.1)
session = measure([variant], budget, control=True)
samples = np.concatenate([b.latencies_ms for b in session.series["default"].blocks])


def settled(percentile):
    for n in (100, 400, 1_600, 6_400, 25_600):
        if samples_needed(percentile) <= n <= samples.size:
            picked = samples[np.linspace(0, samples.size - 1, n).astype(int)]
            estimate = percentile_of_blocks(
                np.array_split(picked, 10), percentile, "ms"
            )
            yield n, replace(estimate.scaled(1e3, "us"), n=n)


# %%
# What it came to
# ---------------
#
# The scatter is the standard deviation of the logarithms, which for small values
# reads as a share. A dozen repeats say little about their own scatter, so it has an
# interval too. Whiskers in the figure reach from the smallest repeat to the
# largest.

record = Recording("measure/credible_numbers", declares=("credible.*",))
whiskers = [
    (
        way,
        replace(
            median_of_rounds(values, "ratio"), low=min(values), high=max(values)
        ),
    )
    for way, values in repeated.items()
]
record.figure(
    "repeats",
    lambda: plots.ratios(whiskers),
    alt="Forest plot of one ratio, one row per way of measuring.",
    caption="The same ratio measured repeatedly: default against f32, tiny "
    "network. Disturbed rows ran beside a process that keeps one core "
    "busy half of the time.",
)
curves = {f"p{p}": list(settled(p)) for p in (50, 95, 99)}
record.figure(
    "samples",
    lambda: plots.sweep(
        curves, x_label="Samples (count)", quantity="Latency", log_x=True
    ),
    alt="Latency percentiles over the number of samples, with intervals that "
    "narrow.",
    caption="Latency percentiles of the tiny network from growing numbers of "
    "samples.",
)
for way, values in repeated.items():
    topic = f"credible.{way}"
    record.values(
        topic, {"ratio": (median_of_rounds(values, "ratio"), way)}, above="faster"
    )
    record.values(topic, {"scatter": (scatter(values), f"{way}: scatter")})
for condition in ("as_is", "disturbed"):
    orders = (
        repeated[f"{condition}.{order}.wall"]
        for order in ("sequential", "interleaved")
    )
    narrowing = (
        scatter_ratio(*orders),
        "scatter one after the other against in turns",
    )
    record.values(f"credible.{condition}", {"narrowing": narrowing}, above="larger")
record.values("credible", {"control": (session.control, "A model against itself")})
for name, points in curves.items():
    needed = samples_needed(float(name[1:]))
    record.values("credible.needed", {name: (needed, f"samples for a {name}")})
    for part, (n, estimate) in (("few", points[0]), ("many", points[-1])):
        record.values(
            f"credible.{part}", {name: (estimate, f"{name} of {n:,} samples")}
        )
record.publish()
