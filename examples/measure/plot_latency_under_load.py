"""
Percentiles of latency at a given load
======================================

Requests of a service arrive when they like, and some find the model busy. This example sends them at rates
from a fifth of what the machine can do to a little more than all of it, and counts each latency from the
moment the request was due. It ends with the highest rate that still keeps a latency limit.
"""

# %%
# Requests that do not wait for each other
# ----------------------------------------
#
# A benchmark starts the next inference when the previous one is done: a *closed loop*. In an *open loop* the
# times of arrival are drawn beforehand; independent arrivals have exponentially distributed gaps. The sender
# sleeps until the next one is due. Where all infer requests are busy, ``start_async`` waits for one.

import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np
import openvino as ov

import optguide
from optguide import Estimate, LoadPoint, OpenVINO, Recording, Variant, plots
from optguide.errors import NotEnoughSamples
from optguide.guide import profiles, workloads
from optguide.stats.estimate import ratio_of_estimates

encoder = workloads.sentences_dynamic()
tokens = {name: array[:, :32] for name, array in np.load(encoder.inputs).items()}

compiled = ov.Core().compile_model(encoder.ir, "CPU", {"PERFORMANCE_HINT": "THROUGHPUT"})
queue = ov.AsyncInferQueue(compiled)
due = time.perf_counter() + np.cumsum(np.random.default_rng(0).exponential(1 / 200, size=200))
waited, reported = np.zeros(200), np.zeros(200)


def answered(request: ov.InferRequest, index: int) -> None:
    waited[index] = 1e3 * (time.perf_counter() - due[index])
    reported[index] = request.latency


queue.set_callback(answered)
for index, moment in enumerate(due):
    time.sleep(max(0.0, moment - time.perf_counter()))
    queue.start_async(tokens, userdata=index)
queue.wait_all()
for name, latencies in (("since it was due", waited), ("request.latency", reported)):
    print(f"{name}: median {np.median(latencies):.2f} ms, p95 {np.percentile(latencies, 95):.2f} ms")

# %%
# ``request.latency`` begins once a free infer request has been found. The caller has been waiting since the
# request was due.
#
# How much can be offered?
# ------------------------
#
# The model encodes a text of 32 tokens, such as a search query. A short closed-loop session tells how long
# one inference takes while nothing else is asked of the machine, and how many are completed per second while
# there is always another one. The first gives the latency limit, the second the rates.

one, several = "LATENCY hint, one request", "THROUGHPUT hint, several requests"
parts = {one: "latency_hint", several: "throughput_hint"}
shapes = {name: array.shape for name, array in tokens.items()}
latency, throughput = ({"PERFORMANCE_HINT": hint} for hint in ("LATENCY", "THROUGHPUT"))
variants = [
    Variant(one, encoder.ir, OpenVINO(properties=latency, shapes=shapes)),
    Variant(several, encoder.ir, OpenVINO(properties=throughput, requests=0, shapes=shapes)),
]
profile = profiles.current()
seconds = profile.load_seconds
budget = replace(profile.budget, seconds=seconds + 2, block=0.1)
closed = optguide.measure(variants, budget, label="capacity in a closed loop")

capacity = closed.throughput(several).value
limit = float(f"{3 * closed.latency(one).value:.2g}")
shares = (20, 40, 60, 80, 110)
print(f"capacity {capacity:.0f} inferences/s, latency limit {limit:g} ms")

# %%
# One point for each rate
# -----------------------
#
# :func:`optguide.load_curves` sends the same arrivals to both variants, one right after the other. A rate is
# void if the backlog kept growing: its latencies would tell how long it was measured, and nothing else.

curves = optguide.load_curves(variants, [capacity * share / 100 for share in shares], seconds=seconds)
points = {name: dict(zip(shares, curve, strict=True)) for name, curve in curves.items()}
disturbed = [point.disturbed for curve in curves.values() for point in curve if point.disturbed]

record = Recording("measure/latency_under_load", declares=("load.*",))
record.add_session("load.closed", closed, names=parts, percentiles=(50, 95))
record.add_value("load.limit", limit, "ms", label="Latency limit: three times the unloaded median, rounded")


def add(
    identifier: str,
    estimate: Callable[[], Estimate],
    label: str,
    name: str = several,
    above: str = "",
) -> None:
    """Record an estimate, or why there is none."""
    series = closed.series[name]
    evidence = {"variant": series.variant.to_dict(evidence=True), "effective": series.effective}
    if disturbed:  # then what was measured decides no claim
        evidence["disturbed"] = disturbed[0]
    try:
        record.add(identifier, estimate(), label=label, evidence=evidence, above=above)
    except NotEnoughSamples as error:
        record.unavailable(identifier, error.message)


for name, part in parts.items():
    for share, point in points[name].items():
        prefix, label = f"load.{part}.at_{share}", f"{name}, at {share} % of capacity"
        record.add_value(f"{prefix}.offered", point.offered, "inferences/s", label=f"{label}: offered")
        for p in (50, 95, 99):
            add(f"{prefix}.p{p}", partial(point.latency, p), f"{label}: p{p} latency", name)
        add(f"{prefix}.service.p95", partial(point.service_time, 95), f"{label}: p95, waiting left out", name)

# %%
# What grows, and who sees it
# ---------------------------
#
# Ratios of two points of this session: how much a percentile grew, how much of the latency a request does
# not report, and one variant against the other under the same arrivals.


def over(top: LoadPoint, bottom: LoadPoint, p: int) -> Estimate:
    return ratio_of_estimates(top.latency(p), bottom.latency(p))


def unreported(point: LoadPoint) -> Estimate:
    return ratio_of_estimates(point.latency(95), point.service_time(95))


low, high = points[several][20], points[several][80]
for p in (50, 95, 99):
    words = f"{several}: p{p} latency at 80 % of capacity against 20 %"
    add(f"load.growth.p{p}", partial(over, high, low, p), words, above="longer")
add(
    "load.growth.tail",
    lambda: ratio_of_estimates(over(high, low, 95), over(high, low, 50)),
    f"{several}: growth of the p95 against that of the median, from 20 % to 80 % of capacity",
    above="larger",
)
for share in shares:
    a, b = points[one][share], points[several][share]
    words = f"{several}, at {share} % of capacity: p95 since the request was due against what it reports"
    add(f"load.unreported.at_{share}", partial(unreported, b), words, above="longer")
    for p in (50, 95):
        words = f"p{p} latency of {one} against {several}, at {share} % of capacity"
        add(f"load.hints.at_{share}.p{p}", partial(over, a, b, p), words, above="longer")

# %%
# The highest rate within the limit
# ---------------------------------
#
# What a machine can serve is the highest rate at which the p95 stays below a limit. Only the offered rates
# are known, so the interval runs from the highest that keeps the limit to the lowest that breaks it.

for name, part in parts.items():
    curve, highest = curves[name], optguide.highest_rate(curves[name], 95, limit)
    words = f"{name}: highest rate with a p95 within the limit"
    add(f"load.{part}.kept", partial(optguide.limit_rate, curve, 95, limit), words, name)
    record.figure(
        part.replace("_", "-"),
        partial(plots.load_curve, curve, limit, highest=highest),
        alt=f"Latency percentiles over the offered load, {name}; one point per rate, with its interval.",
        caption=f"Latency since the request was due, {name}. Dashed: the limit. Dotted: the highest rate "
        "whose p95 keeps it, if any does. A cross is a rate without valid latencies.",
    )

# %%
# Every result with its interval, published in one step:

record.publish()
