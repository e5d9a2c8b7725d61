"""
Measure latency percentiles at a given load
===========================================

Learn to send requests at a given rate, to count each latency from the moment the
request was due, and to find the highest rate that keeps a latency limit.

Explained in :doc:`/measure/latency-under-load`. Install: ``pip install
"optguide[frameworks,models]"``.
"""

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
    load_curve,
    measure,
    plots,
)
from optguide.guide import profiles, workloads
from optguide.stats.estimate import ratio_of_estimates

# %%
# Requests that do not wait for each other
# ----------------------------------------
#
# The times of arrival are drawn beforehand, with exponentially distributed gaps.
# Where all infer requests are busy, ``start_async`` waits for one.

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
print(f"p95 since it was due: {np.percentile(waited, 95):.2f} ms")
print(f"p95 of request.latency: {np.percentile(reported, 95):.2f} ms")

# %%
# ``request.latency`` begins once a free infer request has been found. The caller
# has been waiting since the request was due.
#
# Capacity and limit
# ------------------
#
# One inference after the other gives the latency limit, as many as the device calls
# optimal give the capacity.

shapes = {name: array.shape for name, array in tokens.items()}
one = Variant("LATENCY hint", encoder.ir, OpenVINO(shapes=shapes))
several = one.with_("THROUGHPUT hint", properties=hint, requests=0)
closed = measure([one, several], profiles.budget(0.6))
capacity = closed.throughput(several.name).value
limit = float(f"{3 * closed.latency(one.name).value:.2g}")

# %%
# Four rates
# ----------
#
# A rate at which the backlog kept growing has no latency: it would tell how long it
# was measured, and nothing else.

shares = (20, 60, 80, 110)
rates = [capacity * share / 100 for share in shares]
curve = load_curve(several, rates, seconds=profiles.current().load_seconds)

# %%
# How the percentiles grow
# ------------------------

record = Recording("measure/latency_under_load", declares=("load.*",))
record.session("load.closed", closed, {"throughput_hint": several})
kept = {
    "limit": (limit, "ms", "Limit: three times the median"),
    "throughput_hint.kept": (partial(limit_rate, curve, 95, limit), "Highest rate"),
}
record.values("load", kept)
for share, point in zip(shares, curve, strict=True):
    for p in (50, 95):
        entry = {f"p{p}": (partial(point.latency, p), f"p{p} at {share} %")}
        record.values(f"load.throughput_hint.at_{share}", entry)


def ratio(top, bottom, p):
    return ratio_of_estimates(top(p), bottom(p))


low, _, high, _ = curve
growth = {p: partial(ratio, high.latency, low.latency, p) for p in (50, 95)}
unreported = partial(ratio, high.latency, high.service_time, 95)
longer = {
    "growth.p50": (growth[50], "p50 at 80 % against 20 %"),
    "growth.p95": (growth[95], "p95 at 80 % against 20 %"),
    "unreported.at_80": (unreported, "p95 since due against what requests report"),
}
others = [point.disturbed for point in curve if point.disturbed]
evidence = {"disturbed": others[0]} if others else {}  # decides no claim then
record.values("load", longer, above="longer", evidence=evidence)
with record.attempt("load.growth.tail"):
    tail = ratio_of_estimates(growth[95](), growth[50]())
    entry = {"growth.tail": (tail, "growth of the p95 against that of the median")}
    record.values("load", entry, above="larger", evidence=evidence)
highest = highest_rate(curve, 95, limit)
record.figure(
    "throughput-hint",
    lambda: plots.load_curve(curve, limit, highest=highest),
    alt="Latency percentiles over the offered load; one point per rate.",
    caption="Latency since the request was due. Dashed: the limit. Dotted: the "
    "highest rate within it, if any. Crosses: rates without valid latencies.",
)
record.publish()
