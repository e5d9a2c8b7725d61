"""Which rates to offer: from what variants complete in a closed loop, and then where a limit is reached.

A closed loop keeps every request in flight, so its rate is what the machine can do. Rates are shares of that,
up to a little more than all of it, and between the highest rate that keeps a latency limit and the lowest
that breaks it further ones are offered.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from optguide.bench.load import LatencyLimit, LoadPoint, limit_rate, load_curves
from optguide.bench.session import Budget, measure
from optguide.bench.variant import Variant
from optguide.errors import NotEnoughSamples, OptGuideError
from optguide.machine import measuring_lock
from optguide.stats.estimate import Estimate, samples_needed

SHARES = (0.2, 0.4, 0.6, 0.8, 0.95, 1.1)
"""Of the capacity. The last one is too much, which shows that the capacity is one."""

REFINEMENTS = 2
"""Times that rates between the ones that keep and break a limit are offered."""

CLOSE = 1.1
"""Rates that keep and break a limit are close enough when they are this factor apart."""

SHORTEST, LONGEST = 5.0, 60.0
"""Seconds for each rate."""

CAPACITY_SECONDS = 10.0
"""For the closed loop that finds the capacity, loading included."""

SPARE = 1.2
"""How many times the requests that a percentile needs are scheduled: Poisson arrivals can be fewer."""


@dataclass(frozen=True)
class LoadSearch:
    """Load curves at rates that were found.

    :param capacity: by variant name, requests per second in a closed loop.
    :param curves: by variant name, points by rising rate.
    :param seconds: for each rate.
    """

    capacity: Mapping[str, Estimate]
    curves: Mapping[str, tuple[LoadPoint, ...]]
    seconds: float
    failures: Mapping[str, OptGuideError]


def search_load(
    variants: Sequence[Variant],
    *,
    seconds: float | None = None,
    limit: LatencyLimit | None = None,
    label: str = "latency under load",
) -> LoadSearch:
    """Measure the capacity of each variant, offer shares of the largest, and look closer where a limit is.

    A variant that fails in the closed loop is reported in ``failures`` and gets no curve.

    :param seconds: for each rate; what :func:`length` says where it is ``None``.
    """
    with measuring_lock(label):
        closed = measure(
            variants, Budget(CAPACITY_SECONDS, precision=0.05), label=f"{label}: capacity in a closed loop"
        )
        capacity = {
            name: closed.throughput(name).scaled(1 / series.frames, "requests/s")
            for name, series in closed.series.items()
        }
        alive = [variant for variant in variants if variant.name in capacity]
        rates = shares_of(max(rate.value for rate in capacity.values()))
        if limit and seconds is None:
            rates = rates[1:]  # the lowest would need longest to have enough requests
        seconds = length(rates, limit) if seconds is None else seconds
        curves = load_curves(alive, rates, seconds=seconds, label=label)
        for again in range(1, REFINEMENTS + 1 if limit else 1):
            between = {rate for curve in curves.values() for rate in rates_between(curve, limit)}
            if not between:
                break
            closer_curves = load_curves(
                alive, sorted(between), seconds=seconds, seed=100 * again, label=f"{label}, closer"
            )
            curves = {name: _merged(curve, closer_curves[name]) for name, curve in curves.items()}
    return LoadSearch(capacity, curves, seconds, closed.failures)


def shares_of(capacity: float) -> tuple[float, ...]:
    """Rates from a fifth of ``capacity`` to a little more than all of it, to three digits."""
    return tuple(_short(share * capacity) for share in SHARES)


def length(rates: Sequence[float], limit: LatencyLimit | None) -> float:
    """Seconds for each rate: five, or what the lowest needs for the limit's percentile, up to a minute."""
    needed = seconds_needed(min(rates), limit) if limit else 0.0
    return float(math.ceil(min(max(SHORTEST, needed), LONGEST)))


def seconds_needed(rate: float, limit: LatencyLimit) -> float:
    """Seconds in which a rate has the requests that the limit's percentile needs, with some to spare."""
    return SPARE * samples_needed(limit.percentile) / rate


def rates_between(curve: Sequence[LoadPoint], limit: LatencyLimit | None) -> tuple[float, ...]:
    """The rate to offer next: between the ones that keep and break the limit, or below those that break it.

    :return: one rate, or none where nothing would be learnt.
    """
    if limit is None:
        return ()
    lowest = min(curve, key=lambda point: point.offered)
    try:
        bracket = limit_rate(curve, limit.percentile, limit.milliseconds)
    except NotEnoughSamples:
        return (_short(lowest.offered / 2),) if lowest.against(limit) == "broke" else ()
    offered = {point.offered for point in curve}
    middle = _short(math.sqrt(bracket.low * bracket.high))
    return () if bracket.high < CLOSE * bracket.low or middle in offered else (middle,)


def _short(rate: float) -> float:
    return float(f"{rate:.3g}")


def _merged(curve: Sequence[LoadPoint], points: Sequence[LoadPoint]) -> tuple[LoadPoint, ...]:
    return tuple(sorted((*curve, *points), key=lambda point: point.offered))
