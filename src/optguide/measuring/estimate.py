"""Values with intervals.

Two situations, two methods:

- *One number per round* (a paired ratio, a rate): the median with the exact binomial interval of order
  statistics, which assumes no distribution (W. J. Conover, "Practical Nonparametric Statistics", 3.2;
  :func:`scipy.stats.quantile_test`). It needs at least six rounds.
- *Many samples per block* (latency percentiles): samples within a block resemble each other, so blocks
  are what is resampled (cluster bootstrap), with the percentile interval expanded for small numbers of
  blocks (T. Hesterberg, "What Teachers Should Know About the Bootstrap", 2015, section 5.1).

Where neighbouring blocks resemble each other too, because the machine drifts, they are first merged until
they no longer do (batch means; G. S. Fishman, "Discrete-Event Simulation", 6.6).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import stats

from optguide.errors import NotEnoughSamples

__all__ = [
    "CONFIDENCE",
    "Estimate",
    "median_of_rounds",
    "percentile_of_blocks",
    "ratio_of_totals",
    "samples_needed",
]

CONFIDENCE = 0.95
RESAMPLES = 999
MINIMUM_ROUNDS = 6
"""Fewest rounds for which the range of the data is a 95 % interval of the median: 1 - 2/2**6 = 0.969."""

CORRELATED = 0.3
"""Lag-one autocorrelation of blocks above which neighbours are merged; a third of the variance is shared."""

MINIMUM_BATCHES = 10
"""Merging stops here: with fewer batches the bootstrap itself becomes the larger error."""

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Estimate:
    """A measured value and its 95 % interval.

    :param unit: ``ms``, ``s``, ``inferences/s``, ``ratio``, ``share``, ``bytes`` or ``count``.
    :param n: samples it rests on (rounds, where a round gives one number).
    :param method: how value and interval were computed, in a few words.
    """

    value: float
    low: float
    high: float
    unit: str
    n: int
    method: str = ""

    def scaled(self, factor: float, unit: str) -> Estimate:
        """The same estimate in another unit."""
        low, high = sorted((self.low * factor, self.high * factor))
        return replace(self, value=self.value * factor, low=low, high=high, unit=unit)

    @property
    def relative_half_width(self) -> float:
        """Half the interval as a share of the value; infinite for a value of zero."""
        return (self.high - self.low) / 2 / abs(self.value) if self.value else math.inf


def samples_needed(percentile: float) -> int:
    """Fewest independent samples whose order statistics bound a percentile on both sides with 95 %.

    With fewer, even the largest sample lies below the percentile too often: ``p**n`` must not exceed
    2.5 % (binomial bound). 6 for the median, 72 for the 95th percentile, 367 for the 99th.
    """
    tail = max(percentile, 100 - percentile) / 100
    return max(MINIMUM_ROUNDS, math.ceil(math.log((1 - CONFIDENCE) / 2) / math.log(tail)))


def median_of_rounds(values: Sequence[float] | Floats, unit: str) -> Estimate:
    """Median of one number per round with its exact interval.

    :raises NotEnoughSamples: fewer than six rounds.
    """
    array = np.asarray(values, dtype=np.float64)
    if array.size < MINIMUM_ROUNDS:
        raise NotEnoughSamples(
            f"{array.size} rounds are too few for an interval; {MINIMUM_ROUNDS} are needed.",
            "Give the session a larger budget.",
        )
    labels = _batches(array)
    batched = np.array([np.median(array[labels == label]) for label in np.unique(labels)])
    interval: Any = stats.quantile_test(batched, p=0.5).confidence_interval(CONFIDENCE)
    value = float(np.median(array))
    low, high = min(value, float(interval.low)), max(value, float(interval.high))
    return Estimate(value, low, high, unit, array.size, "median of rounds, exact binomial interval")


def percentile_of_blocks(
    blocks: Sequence[Sequence[float] | Floats], percentile: float, unit: str
) -> Estimate:
    """A percentile of pooled samples; the interval comes from resampling blocks.

    :param blocks: samples by block, in the order they were taken.
    :raises NotEnoughSamples: too few samples for this percentile, or too few blocks to resample.
    """
    pooled = (
        np.concatenate([np.asarray(block, dtype=np.float64) for block in blocks]) if blocks else np.empty(0)
    )
    needed = samples_needed(percentile)
    if pooled.size < needed or len(blocks) < MINIMUM_ROUNDS:
        raise NotEnoughSamples(
            f"{pooled.size} samples in {len(blocks)} blocks are too few for the {percentile:g}th percentile; "
            f"{needed} in {MINIMUM_ROUNDS} are needed.",
            "Give the session a larger budget.",
        )
    labels = _batches(np.array([np.median(block) for block in blocks]))
    owner = np.repeat(labels, [len(block) for block in blocks])
    order = np.argsort(pooled, kind="stable")
    ordered, owner = pooled[order], owner[order]

    def of_resample(chosen: npt.NDArray[np.int64]) -> float:
        weight = np.bincount(chosen, minlength=labels[-1] + 1)[owner]
        total = np.cumsum(weight)
        return float(ordered[np.searchsorted(total, percentile / 100 * total[-1])])

    low, high = _bootstrap(of_resample, int(labels[-1]) + 1)
    value = float(np.percentile(pooled, percentile, method="inverted_cdf"))
    method = f"{percentile:g}th percentile of pooled samples, bootstrap over {labels[-1] + 1} blocks"
    return Estimate(value, min(low, value), max(high, value), unit, pooled.size, method)


def ratio_of_totals(numerators: Sequence[float], denominators: Sequence[float], unit: str) -> Estimate:
    """A rate over the whole session (inferences / seconds, CPU seconds / inferences), bootstrap over rounds.

    :raises NotEnoughSamples: fewer than six rounds.
    """
    top, bottom = np.asarray(numerators, dtype=np.float64), np.asarray(denominators, dtype=np.float64)
    if top.size < MINIMUM_ROUNDS:
        raise NotEnoughSamples(
            f"{top.size} rounds are too few for an interval; {MINIMUM_ROUNDS} are needed.",
            "Give the session a larger budget.",
        )
    labels = _batches(top / bottom)
    count = int(labels[-1]) + 1
    tops, bottoms = np.bincount(labels, top, count), np.bincount(labels, bottom, count)
    low, high = _bootstrap(lambda chosen: float(tops[chosen].sum() / bottoms[chosen].sum()), count)
    value = float(top.sum() / bottom.sum())
    return Estimate(
        value, min(low, value), max(high, value), unit, top.size, "total over rounds, bootstrap over rounds"
    )


def _bootstrap(statistic: Callable[[npt.NDArray[np.int64]], float], count: int) -> tuple[float, float]:
    """Expanded percentile interval of a statistic of resampled cluster numbers ``0 .. count - 1``."""
    student = stats.t.ppf((1 + CONFIDENCE) / 2, count - 1) * math.sqrt(count / (count - 1))
    level = 1 - 2 * stats.norm.sf(student)
    result = stats.bootstrap(
        (np.arange(count),),
        statistic,
        n_resamples=RESAMPLES,
        confidence_level=level,
        method="percentile",
        vectorized=False,
        rng=np.random.default_rng(0),
    )
    return float(result.confidence_interval.low), float(result.confidence_interval.high)


def _batches(series: Floats) -> npt.NDArray[np.int64]:
    """Batch number of each element: neighbours are merged while batches are still correlated."""
    size = 1
    while True:
        labels = np.arange(series.size) // size
        means = np.array([series[labels == label].mean() for label in range(int(labels[-1]) + 1)])
        if means.size // 2 < MINIMUM_BATCHES or _lag_one(means) <= CORRELATED:
            return labels.astype(np.int64)
        size *= 2


def _lag_one(values: Floats) -> float:
    """Lag-one autocorrelation; zero for constant values."""
    centred = values - values.mean()
    power = float((centred**2).sum())
    return float((centred[1:] * centred[:-1]).sum()) / power if power > 0 else 0.0
