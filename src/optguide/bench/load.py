"""Latency under load: an open loop of seeded Poisson arrivals at a chosen rate.

In a closed loop the next request waits until the previous one is answered, so a slow model is asked less
often and the wait that users would feel never shows. Here the schedule does not care.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from optguide.bench.process import GRACE_SECONDS, WorkerProcess
from optguide.bench.rotation import THIS_MACHINE, Host, Rotation
from optguide.bench.series import InputDescription
from optguide.bench.validity import competition
from optguide.bench.variant import Variant, require_unique_names
from optguide.errors import NotEnoughSamples, OptionError
from optguide.format import quantity
from optguide.stats.estimate import (
    MINIMUM_PROCESSES,
    MINIMUM_ROUNDS,
    Estimate,
    Relation,
    beyond_one_process,
    percentile_of_blocks,
    samples_needed,
)

__all__ = [
    "PERCENTILES",
    "LatencyLimit",
    "LoadPoint",
    "highest_rate",
    "limit_rate",
    "load_curve",
    "load_curves",
]

LimitState = Literal["kept", "broke", "open"]

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

WARM_SECONDS = 0.1
"""Closed-loop calls before each point, after which the caches hold this variant's weights."""

SHORTEST_PART = 0.3
REQUESTS_PER_PART = 50
"""Of a point, the least seconds and requests (at the highest rate) that one of several processes serves: a
queue that begins empty needs some tens of requests until it is as long as it will be."""

PATIENCE = 1.5
"""A point is given up when its last request has not been sent after this many times its length."""


@dataclass(frozen=True)
class LatencyLimit:
    """A bound that a latency has to keep, such as p99 of at most 50 ms."""

    percentile: int
    milliseconds: float

    def __str__(self) -> str:
        return f"p{self.percentile} \N{LESS-THAN OR EQUAL TO} {self.milliseconds:g} ms"


@dataclass(frozen=True)
class LoadPoint:
    """One offered rate.

    :param offered: requests per second in the schedule.
    :param achieved: completions per second.
    :param latencies: percentile to latency from the scheduled arrival in milliseconds; a percentile
        without enough samples is missing.
    :param n: requests measured.
    :param void: why the point cannot be used; empty for a valid one.
    :param overloaded: in every process the variant is slower than the requests arrive.
    :param served: percentile to the time from the start of an inference to its completion in milliseconds, as
        the runtime reports it: what is left of the latency when the wait for a free infer request is ignored.
    :param others_share: share of the machine's CPU that other processes used meanwhile (0 to 1); NaN where
        the system does not tell.
    :param inputs: the model's inputs, and oddities of its outputs.
    """

    offered: float
    achieved: float
    latencies: dict[int, Estimate]
    n: int
    void: str = ""
    overloaded: bool = False
    served: dict[int, Estimate] = field(default_factory=dict)
    others_share: float = math.nan
    inputs: InputDescription = field(default_factory=InputDescription)

    p50 = property(lambda self: self.latencies.get(50))
    p95 = property(lambda self: self.latencies.get(95))
    p99 = property(lambda self: self.latencies.get(99))

    @property
    def disturbed(self) -> str:
        """Why the point decides nothing, as a sentence: others used much of the machine; empty otherwise."""
        return competition(self.others_share)

    def latency(self, percentile: int) -> Estimate:
        """From the scheduled arrival to completion, in milliseconds.

        :raises NotEnoughSamples: the point is void, or it has too few requests for this percentile.
        """
        return self._valid(self.latencies, percentile)

    def service_time(self, percentile: int) -> Estimate:
        """From the start of the inference to completion, in milliseconds; the errors of :meth:`latency`."""
        return self._valid(self.served, percentile)

    def against(self, limit: LatencyLimit) -> LimitState:
        """Whether the rate keeps a limit by its whole interval, breaks it so, or neither is sure."""
        latency = self.latencies.get(limit.percentile)
        if self.overloaded:
            return "broke"
        if self.void or latency is None:
            return "open"
        states: dict[Relation, LimitState] = {"inside": "kept", "above": "broke"}
        return states.get(latency.relation(high=limit.milliseconds), "open")

    def _valid(self, estimates: dict[int, Estimate], percentile: int) -> Estimate:
        if self.void:
            raise NotEnoughSamples(f"{self.void[0].upper()}{self.void[1:]}.", "Offer a lower rate.")
        if percentile not in estimates:
            raise NotEnoughSamples(
                f"{self.n} requests are too few for the {percentile}th percentile; "
                f"{samples_needed(percentile)} are needed.",
                "Give each rate more time.",
            )
        return estimates[percentile]


def load_curve(
    variant: Variant,
    rates: Sequence[float],
    *,
    seconds: float,
) -> tuple[LoadPoint, ...]:
    """Offer each rate to one variant; see :func:`load_curves`.

    :return: points by rising rate.
    """
    return load_curves([variant], rates, seconds=seconds)[variant.name]


def load_curves(
    variants: Sequence[Variant],
    rates: Sequence[float],
    *,
    seconds: float,
    seed: int = 0,
    label: str = "latency under load",
    host: Host = THIS_MACHINE,
) -> dict[str, tuple[LoadPoint, ...]]:
    """Offer each rate to each variant, rates in shuffled order, the same arrivals to all variants.

    The variants of one rate follow each other, so that a change of the machine meets all of them. Up to six
    processes of a variant share each point, as processes differ; a point too short for three has the openly
    wide interval of one process.

    :param rates: requests per second, one point each.
    :param seconds: length of each point.
    :return: by variant name, points by rising rate.
    :raises OptionError: there is nothing to offer, or two variants have one name.
    """
    if not rates or min(rates) <= 0 or seconds <= 0:
        raise OptionError("A load curve needs rates and a length above zero.", "Give requests per second.")
    require_unique_names(variants, "A load curve")
    rotation = Rotation({v.name: (v,) for v in variants}, seed=seed, isolating=False, host=host)
    parts: dict[str, dict[float, list[_Part]]] = {variant.name: {} for variant in variants}
    inputs: dict[str, InputDescription] = {}

    def load(name: str, worker: WorkerProcess) -> None:
        described = InputDescription.from_reply(worker.load()["inputs"])
        oddities = worker.first_call().oddities  # raises for NaN, whose latency is worth nothing
        inputs[name] = replace(described, notes=(*described.notes, *oddities))

    def offer(name: str, *, rate: float, length: float, arrivals: int) -> None:
        with rotation.metered() as others:
            reply = _offered(rotation.workers[name], rate, length, arrivals)
        parts[name].setdefault(rate, []).append(_Part(length, reply, others.share))

    expected, generation, sets = (seconds + WARM_SECONDS) * len(rates) * len(variants), 0, 1
    with rotation.held(label, expected):
        while generation < sets:
            with rotation.generation(load, done=generation / sets):
                if generation == 0:
                    sets = _sets(seconds, max(rates), expected / rotation.load_seconds)
                for count, index in enumerate(rotation.shuffled(range(len(rates)))):
                    arrivals = seed + index + generation * len(rates)
                    turn = partial(offer, rate=rates[index], length=seconds / sets, arrivals=arrivals)
                    done = (generation + count / len(rates)) / sets
                    rotation.visit(turn, done=done, doing=f"{{}}, {rates[index]:.4g} requests/s")
            generation += 1
    return {
        name: tuple(replace(_point(rate, by_rate[rate]), inputs=inputs[name]) for rate in sorted(by_rate))
        for name, by_rate in parts.items()
    }


def _sets(seconds: float, highest: float, affordable: float) -> int:
    """Sets of processes that share a point: six at most, and as long as queues have time to fill."""
    shortest = max(SHORTEST_PART, REQUESTS_PER_PART / highest)
    sets = int(min(MINIMUM_ROUNDS, seconds / shortest, affordable))
    return sets if sets >= MINIMUM_PROCESSES else 1


def highest_rate(points: Sequence[LoadPoint], percentile: int, limit_ms: float) -> LoadPoint | None:
    """The valid point with the highest rate whose percentile's whole interval is within the limit.

    Rates above a failing one do not count, even where they pass by luck. A rate with too few requests for
    the percentile neither passes nor fails.
    """
    best = None
    for point in sorted(points, key=lambda point: point.offered):
        latency = point.latencies.get(percentile)
        if point.void or (latency is not None and latency.relation(high=limit_ms) != "inside"):
            break
        if latency is not None:
            best = point
    return best


def limit_rate(points: Sequence[LoadPoint], percentile: int, limit_ms: float) -> Estimate:
    """Between which rates a latency limit is reached: the highest that keeps it, the lowest that breaks it.

    The value is the rate that keeps it. The interval is as wide as the rates are apart.

    :raises NotEnoughSamples: no rate keeps the limit, or none breaks it.
    """
    keeping = highest_rate(points, percentile, limit_ms)
    sentence = f"a p{percentile} of {limit_ms:.3g} ms"
    if keeping is None:
        raise NotEnoughSamples(f"No rate that was offered surely kept {sentence}.", "Offer lower rates.")
    limit = LatencyLimit(percentile, limit_ms)
    broken = [p.offered for p in points if p.offered > keeping.offered and p.against(limit) == "broke"]
    if not broken:
        raise NotEnoughSamples(f"No rate that was offered surely broke {sentence}.", "Offer higher rates.")
    method = "highest offered rate that keeps the limit, up to the lowest that breaks it"
    return Estimate(keeping.offered, keeping.offered, min(broken), "inferences/s", len(points), method)


@dataclass(frozen=True)
class _Part:
    """What one process contributed to a point."""

    seconds: float
    reply: Mapping[str, Any]
    others_share: float

    def milliseconds(self, field: str) -> npt.NDArray[np.float64]:
        return np.asarray(self.reply[field], dtype=np.float64) / 1e6

    @property
    def overload(self) -> str:
        latencies, scheduled = self.milliseconds("latencies_ns"), int(self.reply["scheduled"])
        window = max(self.seconds, float(self.reply["window_ns"]) / 1e9)
        return _overload(scheduled, latencies.size / window, self.seconds, latencies)


def _offered(worker: WorkerProcess, rate: float, seconds: float, seed: int) -> dict[str, Any]:
    worker.ask(GRACE_SECONDS, do="block", seconds=WARM_SECONDS, discard=0.0)
    patience = PATIENCE * seconds
    request = {"rate": rate, "seconds": seconds, "seed": seed, "patience": patience}
    reply: dict[str, Any] = worker.ask(patience + GRACE_SECONDS, do="serve", **request)
    return reply


def _point(rate: float, parts: Sequence[_Part]) -> LoadPoint:
    latencies, lateness, served = (
        [part.milliseconds(field) for part in parts] for field in ("latencies_ns", "lateness_ns", "served_ns")
    )
    window = sum(max(part.seconds, float(part.reply["window_ns"]) / 1e9) for part in parts)
    count = sum(samples.size for samples in latencies)
    overloads = [overload for part in parts if (overload := part.overload)]
    overload = overloads[0] if 2 * len(overloads) >= len(parts) else ""
    late = _late(np.concatenate(latencies), np.concatenate(lateness))
    return LoadPoint(
        rate,
        count / window,
        _percentiles(latencies),
        count,
        void=overload or late,
        overloaded=len(overloads) == len(parts),
        served=_percentiles(served),
        others_share=float(np.mean([part.others_share for part in parts])),
    )


def _percentiles(processes: Sequence[npt.NDArray[np.float64]]) -> dict[int, Estimate]:
    """Processes are the clusters where there are several; otherwise slices of the only one are."""
    independent = len(processes) > 1
    clusters = processes if independent else np.array_split(processes[0], SLICES)
    estimates = {}
    for percentile in PERCENTILES:
        with suppress(NotEnoughSamples):
            samples = [cluster for cluster in clusters if cluster.size]
            estimate = percentile_of_blocks(samples, percentile, "ms", independent=independent)
            estimates[percentile] = estimate if independent else beyond_one_process(estimate)
    return estimates


def _overload(scheduled: int, achieved: float, seconds: float, latencies: np.ndarray) -> str:
    """Why the latencies are of no steady state."""
    scheduled_rate = scheduled / seconds
    if achieved >= SUSTAINED * scheduled_rate:
        return ""
    given_up = latencies.size < scheduled
    if given_up or latencies[-latencies.size // 4 :].min() > BUSY * latencies.min():
        rates = f"{quantity(achieved, '')} of {quantity(scheduled_rate, '')} requests/s"
        return f"only {rates} were completed: the queue kept growing"
    return ""


def _late(latencies: np.ndarray, lateness: np.ndarray) -> str:
    """Why the latencies are the generator's more than the model's."""
    if lateness.size and np.median(lateness) > LATE_SHARE * np.median(latencies):
        return (
            f"the generator itself was {np.median(lateness):.3g} ms late, "
            f"too much beside a latency of {np.median(latencies):.3g} ms"
        )
    return ""
