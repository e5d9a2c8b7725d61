"""
Measure latency percentiles at a given load
===========================================

Requests of a service arrive when they like, and some find the model busy. This
example sends them at rates from a fifth of what the machine can do to a little more
than all of it, and counts each latency from the moment the request was due. It ends
with the highest rate that still keeps a latency limit.

Explained in :doc:`/measure/latency-under-load`. Install: ``pip install
"optguide[frameworks,models]"``.
"""

# %%
# Requests that do not wait for each other
# ----------------------------------------
#
# A benchmark starts the next inference when the previous one is done: a *closed
# loop*. In an *open loop* the times of arrival are drawn beforehand; independent
# arrivals have exponentially distributed gaps. The sender sleeps until the next one
# is due. Where all infer requests are busy, ``start_async`` waits for one.

import time
from functools import partial

import numpy as np
import openvino as ov

from optguide import (
    OpenVINO,
    Recording,
    Variant,
    highest_rate,
    limit_rate,
    load_curves,
    measure,
    plots,
)
from optguide.guide import profiles, workloads
from optguide.stats.estimate import ratio_of_estimates

encoder = workloads.sentences_dynamic()
tokens = {name: array[:, :32] for name, array in np.load(encoder.inputs).items()}

hint = {"PERFORMANCE_HINT": "THROUGHPUT"}
compiled = ov.Core().compile_model(encoder.ir, "CPU", hint)
queue = ov.AsyncInferQueue(compiled)
gaps = np.random.default_rng(0).exponential(1 / 200, size=200)
due = time.perf_counter() + np.cumsum(gaps)
waited, reported = np.zeros(200), np.zeros(200)


def answered(request, index):
    waited[index] = 1e3 * (time.perf_counter() - due[index])
    reported[index] = request.latency


queue.set_callback(answered)
for index, moment in enumerate(due):
    time.sleep(max(0.0, moment - time.perf_counter()))
    queue.start_async(tokens, userdata=index)
queue.wait_all()
print("p95 since it was due:", np.percentile(waited, 95).round(2), "ms")
print("p95 of request.latency:", np.percentile(reported, 95).round(2), "ms")

# %%
# ``request.latency`` begins once a free infer request has been found. The caller
# has been waiting since the request was due.
#
# How much can be offered?
# ------------------------
#
# The model encodes a text of 32 tokens, such as a search query. A short closed-loop
# session tells how long one inference takes while nothing else is asked of the
# machine, and how many are completed per second while there is always another one.
# The first gives the latency limit, the second the rates.

shapes = {name: array.shape for name, array in tokens.items()}
one = Variant("LATENCY hint", encoder.ir, OpenVINO(shapes=shapes))
busy = {"properties": hint, "requests": 0}
variants = {
    "latency_hint": one,
    "throughput_hint": one.with_("THROUGHPUT hint", **busy),
}
closed = measure(variants.values(), profiles.budget(0.6))

capacity = closed.throughput("THROUGHPUT hint").value
limit = float(f"{3 * closed.latency('LATENCY hint').value:.2g}")
print(f"capacity {capacity:.0f} inferences/s, latency limit {limit:g} ms")

# %%
# One point for each rate
# -----------------------
#
# The same arrivals are sent to both variants, one right after the other, by
# :func:`optguide.load_curves`. A rate is void if the backlog kept growing: its
# latencies would tell how long it was measured, and nothing else.

shares = (20, 40, 60, 80, 110)
rates = [capacity * share / 100 for share in shares]
seconds = profiles.current().load_seconds
curves = load_curves(list(variants.values()), rates, seconds=seconds)

# %%
# What grows, and who sees it
# ---------------------------
#
# How much a percentile grew, how much of the latency a request does not report, and
# one variant against the other under the same arrivals. What a machine can serve is
# the highest rate at which the p95 stays below the limit. Only the offered rates
# are known, so the interval runs from the highest that keeps the limit to the
# lowest that breaks it.

record = Recording("measure/latency_under_load", declares=("load.*",))
several, single = curves["THROUGHPUT hint"], curves["LATENCY hint"]
highest = highest_rate(several, 95, limit)
record.figure(
    "throughput-hint",
    lambda: plots.load_curve(several, limit, highest=highest),
    alt="Latency percentiles over the offered load; one point per rate.",
    caption="Latency since the request was due. Dashed: the limit. Dotted: the "
    "highest rate within it, if any. Crosses: rates without valid latencies.",
)
record.session("load.closed", closed, variants, percentiles=(50, 95))
record.values("load", {"limit": (limit, "ms", "limit: three times the median")})
for part, variant in variants.items():
    curve = curves[variant.name]
    kept = (partial(limit_rate, curve, 95, limit), f"{variant.name}: highest rate")
    record.values(f"load.{part}", {"kept": kept})
    for share, point in zip(shares, curve, strict=True):
        at = f"load.{part}.at_{share}"
        for p in (50, 95, 99):
            entry = (partial(point.latency, p), f"p{p}, {share} %")
            record.values(at, {f"p{p}": entry})
        service = (partial(point.service_time, 95), "p95, waiting left out")
        record.values(at, {"service.p95": service})


def ratio(top, bottom, p):
    return ratio_of_estimates(top.latency(p), bottom.latency(p))


def add(key, ratio, label, above="longer"):
    record.values("load", {key: (ratio, label)}, above=above, evidence=evidence)


disturbed = [p.disturbed for curve in curves.values() for p in curve if p.disturbed]
evidence = {"disturbed": disturbed[0]} if disturbed else {}  # decides no claim then
low, _, middle, high, _ = several
for p in (50, 95, 99):
    add(f"growth.p{p}", partial(ratio, high, low, p), f"p{p} at 80 % against 20 %")
add("hints.at_20.p50", partial(ratio, single[0], low, 50), "LATENCY hint, 20 %")
add("hints.at_60.p95", partial(ratio, single[2], middle, 95), "LATENCY hint, 60 %")
with record.attempt("load.growth.tail"):
    tail = ratio_of_estimates(ratio(high, low, 95), ratio(high, low, 50))
    add("growth.tail", tail, "growth of p95 against that of the median", "larger")
with record.attempt("load.unreported.at_80"):
    silent = ratio_of_estimates(high.latency(95), high.service_time(95))
    add("unreported.at_80", silent, "p95 since due against what requests report")
record.publish()
