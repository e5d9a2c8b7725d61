"""Latency under load: an open loop of seeded Poisson arrivals at a chosen rate.

In a closed loop the next request waits until the previous one is answered, so a slow model is asked less
often and the wait that users would feel never shows. Here the schedule does not care.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from optguide.errors import NotEnoughSamples, OptionError
from optguide.machine import measuring_lock
from optguide.measuring.estimate import Estimate, percentile_of_blocks
from optguide.measuring.process import GRACE_SECONDS, WorkerProcess
from optguide.measuring.progress import reporting
from optguide.measuring.variant import Variant

__all__ = ["PERCENTILES", "LoadPoint", "highest_rate", "load_curve"]

PERCENTILES = (50, 95, 99)

SLICES = 20
"""Slices of one point that count as clusters: queues build up and drain within them."""

SUSTAINED = 0.95
"""Completions per second below this share of the schedule's rate, and nobody near the end found the model
idle: the queue grew, so the latencies describe how long the point was measured, and no steady state."""

BUSY = 2.0
"""An arrival that took less than this many times the shortest latency found the model idle or nearly so. In
a short point of a slow model the last few requests alone can drain past the end, at any rate."""

LATE_SHARE = 0.1
"""The generator's own median lateness may be at most this share of the median latency it reports."""

PATIENCE = 2.0
"""A point is given up after this many times its length."""


@dataclass(frozen=True)
class LoadPoint:
    """One offered rate.

    :param offered: requests per second in the schedule.
    :param achieved: completions per second.
    :param latencies: percentile to latency from the scheduled arrival in milliseconds; a percentile
        without enough samples is missing.
    :param n: requests measured.
    :param void: why the point cannot be used; empty for a valid one.
    """

    offered: float
    achieved: float
    latencies: dict[int, Estimate]
    n: int
    void: str = ""

    p50 = property(lambda self: self.latencies.get(50))
    p95 = property(lambda self: self.latencies.get(95))
    p99 = property(lambda self: self.latencies.get(99))


def load_curve(
    variant: Variant,
    rates: Sequence[float],
    *,
    seconds: float,
    seed: int = 0,
    label: str = "latency under load",
) -> tuple[LoadPoint, ...]:
    """Offer each rate to one worker, in shuffled order.

    :param rates: requests per second, one point each.
    :param seconds: length of each point.
    :return: points by rising rate.
    """
    if not rates or min(rates) <= 0 or seconds <= 0:
        raise OptionError("A load curve needs rates and a length above zero.", "Give requests per second.")
    order = np.random.default_rng(seed).permutation(len(rates))
    points = {}
    with (
        measuring_lock(label),
        reporting(label, seconds * len(rates)) as update,
        WorkerProcess(variant) as worker,
    ):
        worker.load()
        worker.ask(GRACE_SECONDS, do="block", seconds=min(0.5, seconds), discard=0.1)
        for done, index in enumerate(order):
            rate = rates[index]
            update(done / len(rates), f"{rate:.4g} requests/s")
            patience = PATIENCE * seconds
            reply = worker.ask(
                patience + GRACE_SECONDS,
                do="serve",
                rate=rate,
                seconds=seconds,
                seed=seed + int(index),
                patience=patience,
            )
            points[rate] = _point(rate, seconds, reply)
    return tuple(points[rate] for rate in sorted(points))


def highest_rate(points: Sequence[LoadPoint], percentile: int, limit_ms: float) -> LoadPoint | None:
    """The valid point with the highest rate whose percentile's whole interval is within the limit.

    Rates above a failing one do not count, even where they pass by luck. A rate with too few requests for
    the percentile neither passes nor fails.
    """
    best = None
    for point in sorted(points, key=lambda p: p.offered):
        found = point.latencies.get(percentile)
        if point.void or (found is not None and found.high > limit_ms):
            break
        if found is not None:
            best = point
    return best


def _point(rate: float, seconds: float, reply: dict[str, object]) -> LoadPoint:
    latencies = np.asarray(reply["latencies_ns"], dtype=np.float64) / 1e6
    lateness = np.asarray(reply["lateness_ns"], dtype=np.float64) / 1e6
    window = max(seconds, float(reply["window_ns"]) / 1e9)  # type: ignore[arg-type]
    achieved = latencies.size / window
    scheduled = int(reply["scheduled"])  # type: ignore[call-overload]
    slices = [part for part in np.array_split(latencies, SLICES) if part.size]
    found = {}
    for percentile in PERCENTILES:
        try:
            found[percentile] = percentile_of_blocks(slices, percentile, "ms")
        except NotEnoughSamples:
            continue
    overload = _overload(scheduled, achieved, seconds, latencies)
    return LoadPoint(rate, achieved, found, latencies.size, overload or _late(latencies, lateness))


def _overload(scheduled: int, achieved: float, seconds: float, latencies: np.ndarray) -> str:
    """Why the latencies are of no steady state."""
    wanted = scheduled / seconds
    if achieved >= SUSTAINED * wanted:
        return ""
    given_up = latencies.size < scheduled
    if given_up or latencies[-latencies.size // 4 :].min() > BUSY * latencies.min():
        return f"only {achieved:.4g} of {wanted:.4g} requests/s were completed: the queue kept growing"
    return ""


def _late(latencies: np.ndarray, lateness: np.ndarray) -> str:
    """Why the latencies are the generator's more than the model's."""
    if lateness.size and np.median(lateness) > LATE_SHARE * np.median(latencies):
        return (
            f"the generator itself was {np.median(lateness):.3g} ms late, "
            f"too much beside a latency of {np.median(latencies):.3g} ms"
        )
    return ""
