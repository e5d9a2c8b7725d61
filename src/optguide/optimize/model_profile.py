"""What is measured of the winner and of OpenVINO's default once the winner is known.

Latency under load, time and precision of layers, and the way from a fresh process to the first result: none
of it decides who wins, and each of it is left out where the time does not reach.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace

from optguide.bench.cold_start import first_inference
from optguide.bench.layers import LayerTime
from optguide.bench.layers import layers as count_layers
from optguide.bench.load import LoadPoint, load_curves
from optguide.bench.variant import Variant
from optguide.errors import NotEnoughSamples
from optguide.optimize.outcome import LoadSample
from optguide.stats.estimate import MINIMUM_ROUNDS, Estimate

SHARES = (0.2, 0.4, 0.6, 0.8, 0.95)
"""Of what a variant completes per second in a closed loop. Near all of it, queues build up."""

APART = 1.15
"""Rates of the two variants that are nearer to each other than this are one."""

SHORTEST = 0.5
"""Seconds of one rate; less says nothing about queues."""

LAYERS = 20.0
"""Seconds after which nine rounds of layers are as narrow as anybody needs."""

SLOWEST = 40
"""Layers that are kept of each model; what is left out takes next to no time."""

OVERHEAD = 0.3
"""Share of the time that goes into loading and warming up instead of into rates."""


def rates(capacities: Sequence[float]) -> tuple[float, ...]:
    """Requests per second to offer: shares of what each variant completes in a closed loop.

    >>> rates([10.0])
    (2.0, 4.0, 6.0, 8.0, 9.5)
    """
    offered: list[float] = []
    for rate in sorted(share * capacity for capacity in capacities for share in SHARES):
        if not offered or rate > APART * offered[-1]:
            offered.append(round(rate, 6))
    return tuple(offered)


def fewer(offered: Sequence[float], variants: int, seconds: float) -> tuple[float, ...]:
    """Every second rate, and again, until each has enough time; three are left at least, and the highest.

    >>> fewer([1.0, 2.0, 3.0, 4.0, 5.0], variants=1, seconds=3.0)
    (1.0, 3.0, 5.0)
    """
    while len(offered) > 4 and (1 - OVERHEAD) * seconds < SHORTEST * len(offered) * variants:
        offered = offered[::-2][::-1]
    return tuple(offered)


def load(
    variants: Sequence[Variant], capacities: Mapping[str, float], *, seconds: float, seed: int
) -> dict[str, tuple[LoadSample, ...]]:
    """Latency under rising rates; empty where ``seconds`` is too short.

    A request is one inference. For variants with a batch, rates are given in inputs all the same: a batch
    arrives as a whole, and the time in which it gathers is not in the latency.

    :param capacities: inputs per second in a closed loop, by variant name.
    """
    offered = fewer(rates([capacities[variant.name] for variant in variants]), len(variants), seconds)
    length = (1 - OVERHEAD) * seconds / (len(offered) * len(variants))
    if length < SHORTEST:
        return {}
    samples: dict[str, tuple[LoadSample, ...]] = {}
    for batch in dict.fromkeys(variant.openvino.batch or 1 for variant in variants):
        same = [variant for variant in variants if (variant.openvino.batch or 1) == batch]
        curves = load_curves(same, [rate / batch for rate in offered], seconds=length, seed=seed)
        samples |= {name: tuple(_sample(point, batch) for point in points) for name, points in curves.items()}
    return {variant.name: samples[variant.name] for variant in variants}


def first(variants: Sequence[Variant], *, seconds: float, seed: int) -> dict[str, Estimate]:
    """From a fresh process to the first result, in ms; empty where ``seconds`` is too short for six runs."""
    started, begun = time.monotonic(), 0

    def watch(_: Variant) -> None:
        nonlocal begun
        spent = time.monotonic() - started
        if begun and spent / begun * MINIMUM_ROUNDS * len(variants) > seconds:
            raise NotEnoughSamples("Six fresh processes of each would take too long.", "")
        begun += 1

    try:
        starts = first_inference(variants, MINIMUM_ROUNDS, steady=1, before=watch, seed=seed)
    except NotEnoughSamples:
        return {}
    return {name: starts.estimate(name) for name in starts.runs}


def layers(
    before: Variant, after: Variant | None, *, seconds: float, seed: int
) -> dict[str, tuple[LayerTime, ...]]:
    """Slowest layers ``before`` and ``after``; only those before where nothing else won.

    :param seconds: for everything, of which half goes into compiling; more than twenty are not used.
    """
    named = {"before": before} | ({"after": after} if after else {})
    variants = [variant.with_(name) for name, variant in named.items()]
    profile = count_layers(variants, seconds=min(seconds, LAYERS) / 2, seed=seed)
    return {
        name: tuple(replace(x, name=x.title, origin=()) for x in profile.of(name)[:SLOWEST])
        for name in profile.rounds
    }


def _sample(point: LoadPoint, batch: int) -> LoadSample:
    latencies = {f"p{percentile}": estimate for percentile, estimate in point.latencies.items()}
    return LoadSample(point.offered * batch, point.achieved * batch, latencies, point.void)
