"""Values with intervals.

Four situations, four standard methods:

- *One number per round* (a paired ratio): the median with the exact binomial interval of order
  statistics, which assumes no distribution (W. J. Conover, "Practical Nonparametric Statistics", 3.2;
  :func:`scipy.stats.quantile_test`). It needs at least six rounds.
- *Many samples per block* (latency percentiles): samples within a block resemble each other, so they count
  as a cluster sample. The interval of the percentile's rank uses the effective sample size (E. L. Korn and
  B. I. Graubard, 1998) and is carried over to the samples (R. S. Woodruff, 1952).
- *A rate over the whole session*: the ratio estimator with its linearised variance over rounds
  (W. G. Cochran, "Sampling Techniques", 6.3) and Student's t.
- *The ratio of two estimates that were taken apart* (a percentile at two loads): the method of variance
  estimates recovery on logarithms (G. Y. Zou and A. Donner, 2008). Where rounds can be paired, the paired
  ratio is the better one.

Two processes of one variant differ, and no number of rounds averages that out. So values of several
generations of processes count one observation each, and what was measured with one process per variant
gets an openly wide interval instead of a narrow wrong one (:func:`beyond_one_process`).

Neighbouring rounds resemble each other where the machine drifts, and then they say less than their number.
Unless they come from processes of their own, every interval is widened for the lag-one autocorrelation of its
rounds (G. V. Bayley and J. M. Hammersley, 1946), itself corrected for the bias it has in short series
(F. H. C. Marriott and J. A. Pope, 1954).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import scipy  # loads scipy.stats when it is first used: it takes longer than all the rest of a command

from optguide.errors import NotEnoughSamples
from optguide.format import Estimated

__all__ = [
    "CONFIDENCE",
    "Estimate",
    "Relation",
    "across_processes",
    "beyond_one_process",
    "median_of_rounds",
    "percentile_of_blocks",
    "ratio_of_estimates",
    "ratio_of_totals",
    "relation",
    "samples_needed",
    "student",
]

CONFIDENCE = 0.95
NORMAL = 1.96
"""Half the width of a 95 % interval in standard deviations, where these are known."""

MINIMUM_ROUNDS = 6
"""Fewest rounds for which the range of the data is a 95 % interval of the median: 1 - 2/2**6 = 0.969."""

MINIMUM_PROCESSES = 3
"""Fewest independent processes that give an interval; Student's t is 4.3 for three and 12.7 for two."""

PROCESS_SPREAD = 0.16
"""What processes of one variant may differ by, as the standard deviation of logarithms: the largest that was
seen on any machine (eight processes of ResNet-50 on a virtual machine with two cores of a Xeon)."""

STRONGEST = 0.9
"""Autocorrelation is taken to be at most this: beyond it no interval of a short session means anything."""

Floats = npt.NDArray[np.float64]

Relation = Literal["below", "inside", "above", "undecided"]


def relation(interval: Estimated, low: float = -math.inf, high: float = math.inf) -> Relation:
    """How a whole interval lies to the closed range from ``low`` to ``high``.

    ``inside`` includes the ends of the range; ``below`` and ``above`` exclude them. What is to be strictly
    above a bound is asked as ``relation(interval, high=bound) == "above"``, and its contrary, at most the
    bound, as ``"inside"``. An end that is not a number leaves every question undecided.
    """
    if low <= interval.low and interval.high <= high:
        return "inside"
    if interval.high < low:
        return "below"
    return "above" if interval.low > high else "undecided"


@dataclass(frozen=True)
class Estimate:
    """A measured value and its 95 % interval.

    :param unit: ``ms``, ``s``, ``inferences/s``, ``ratio``, ``share``, ``points`` (differences of
        shares, in percentage points), ``bytes`` or ``count``.
    :param n: samples it rests on (rounds or generations, where those give one number each).
    :param method: how value and interval were computed, in a few words.
    """

    value: float
    low: float
    high: float
    unit: str
    n: int
    method: str = ""

    def relation(self, low: float = -math.inf, high: float = math.inf) -> Relation:
        """How the whole interval lies to the closed range from ``low`` to ``high``; see :func:`relation`."""
        return relation(self, low, high)

    def widened(self, factor: float) -> Estimate:
        """The same value with an interval so many times as wide, on logarithms where that is possible."""
        if self.low > 0:
            low, high = (self.value * (end / self.value) ** factor for end in (self.low, self.high))
        else:
            low, high = (self.value + factor * (end - self.value) for end in (self.low, self.high))
        return replace(self, low=low, high=high)

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
    2.5 % (binomial bound). 6 for the median, 72 for the 95th percentile, 368 for the 99th.
    """
    tail = max(percentile, 100 - percentile) / 100
    return max(MINIMUM_ROUNDS, math.ceil(math.log((1 - CONFIDENCE) / 2) / math.log(tail)))


def median_of_rounds(values: Sequence[float] | Floats, unit: str, *, independent: bool = False) -> Estimate:
    """Median of one number per round with its exact interval.

    Positive values are treated on logarithms: a wide interval never reaches zero, and the median of ratios
    a/b mirrors that of b/a.

    :param independent: the values come from processes of their own and cannot drift together.
    :raises NotEnoughSamples: fewer than six rounds.
    """
    array = np.asarray(values, dtype=np.float64)
    _require_rounds(array.size)
    positive = bool((array > 0).all())
    scale = np.log(array) if positive else array
    lowest, highest = np.sort(scale)[_bounds_of_a_median(array.size)]
    middle, widening = float(np.median(scale)), math.sqrt(1.0 if independent else _inflation(scale))
    low = middle - widening * max(0.0, middle - float(lowest))
    high = middle + widening * max(0.0, float(highest) - middle)
    value, low, high = (math.exp(x) if positive else x for x in (middle, low, high))
    return Estimate(value, low, high, unit, array.size, "median of rounds, exact binomial interval")


def across_processes(
    values: Sequence[float] | Floats, generations: Sequence[int], unit: str = "ratio", *, variants: int = 2
) -> Estimate:
    """Median of one number per round, with an interval that holds for other processes too.

    Each generation of processes counts as one observation: from six on the median has an exact interval, with
    three to five the mean has Student's, on logarithms where all are above zero. One or two say nothing about
    their own scatter: then the rounds count, and :func:`beyond_one_process` widens the interval.

    :param generations: number of the set of processes behind each value.
    :param variants: number of variants in a value: two in a ratio, four in a ratio of ratios.
    :raises NotEnoughSamples: fewer than six rounds of fewer than three generations.
    """
    array, labels = np.asarray(values, dtype=np.float64), np.asarray(generations)
    positive = bool((array > 0).all())
    scale = np.log(array) if positive else array
    middles = np.array([float(np.median(scale[labels == label])) for label in np.unique(labels)])
    count = middles.size
    if count >= MINIMUM_ROUNDS:
        medians = np.exp(middles) if positive else middles
        method = f"median over {count} sets of processes, exact binomial interval"
        return replace(median_of_rounds(medians, unit, independent=True), method=method)
    if count < MINIMUM_PROCESSES:
        return beyond_one_process(median_of_rounds(array, unit), variants / max(count, 1))
    middle = float(middles.mean())
    half = student(count - 1) * float(middles.std(ddof=1)) / math.sqrt(count)
    ends = (middle, middle - half, middle + half)
    value, low, high = (math.exp(end) if positive else end for end in ends)
    return Estimate(value, low, high, unit, count, f"mean over {count} sets of processes, Student's t")


def beyond_one_process(estimate: Estimate, draws: float = 1.0) -> Estimate:
    """The estimate of one process, with an interval that allows for what other processes would have shown.

    The two sources of error are independent, so their half-widths add up as squares, on logarithms.

    :param draws: how many processes' differences add up in it: two in a ratio.
    """
    allowance = NORMAL * PROCESS_SPREAD * math.sqrt(draws)
    value, low, high = estimate.value, estimate.low, estimate.high
    if low > 0:
        low = value * math.exp(-math.hypot(math.log(value / low), allowance))
    high = value * math.exp(math.hypot(math.log(high / value), allowance)) if value > 0 else high
    remark = f"one process per variant; processes of one variant may differ by {PROCESS_SPREAD:.0%}"
    return replace(estimate, low=low, high=high, method=f"{estimate.method}; {remark}")


def percentile_of_blocks(
    blocks: Sequence[Sequence[float] | Floats], percentile: float, unit: str, *, independent: bool = False
) -> Estimate:
    """A percentile of pooled samples, with blocks as clusters.

    :param blocks: samples by block, in the order they were taken.
    :param independent: the blocks come from processes of their own and cannot drift together.
    :raises NotEnoughSamples: too few samples for this percentile, or fewer than six blocks (three that are
        independent).
    """
    arrays = [np.asarray(block, dtype=np.float64) for block in blocks if len(block)]
    pooled = np.sort(np.concatenate(arrays)) if arrays else np.empty(0)
    needed, fewest = samples_needed(percentile), _fewest(independent)
    if pooled.size < needed or len(arrays) < fewest:
        raise NotEnoughSamples(
            f"{pooled.size} samples in {len(arrays)} blocks are too few for the {percentile:g}th percentile; "
            f"{needed} samples in {fewest} blocks are needed.",
            "Give the session a larger budget.",
        )
    share = percentile / 100
    value = float(np.quantile(pooled, share, method="inverted_cdf"))
    shares = np.array([np.mean(array <= value) for array in arrays])
    sizes = np.array([array.size for array in arrays], dtype=np.float64)
    effective = _effective_size(share, shares, sizes, 1.0 if independent else _inflation(shares))
    below, above = effective * share, effective * (1 - share)
    low_share = scipy.special.betaincinv(below, above + 1, (1 - CONFIDENCE) / 2)
    high_share = scipy.special.betaincinv(below + 1, above, (1 + CONFIDENCE) / 2)
    low, high = np.quantile(pooled, [low_share, high_share], method="inverted_cdf")
    method = f"{percentile:g}th percentile of pooled samples, {len(arrays)} blocks as clusters"
    return Estimate(value, min(float(low), value), max(float(high), value), unit, pooled.size, method)


def ratio_of_totals(
    numerators: Sequence[float], denominators: Sequence[float], unit: str, *, independent: bool = False
) -> Estimate:
    """A rate over the whole session, such as inferences per second or CPU seconds per inference.

    :param independent: the rounds come from processes of their own and cannot drift together.
    :raises NotEnoughSamples: fewer than six rounds (three that are independent).
    """
    top, bottom = np.asarray(numerators, dtype=np.float64), np.asarray(denominators, dtype=np.float64)
    _require_rounds(top.size, _fewest(independent))
    value = float(top.sum() / bottom.sum())
    residuals = top - value * bottom
    variance = top.size / (top.size - 1) * float((residuals**2).sum())
    variance *= 1.0 if independent else _inflation(top / bottom)
    half = student(top.size - 1) * math.sqrt(variance) / float(bottom.sum())
    factor = math.exp(half / value) if value > 0 else 1.0  # on logarithms a rate's interval stays above zero
    method = "total over rounds, ratio estimator"
    return Estimate(value, value / factor, value * factor, unit, top.size, method)


def ratio_of_estimates(top: Estimate, bottom: Estimate) -> Estimate:
    """``top`` divided by ``bottom``, two independent estimates.

    Where the two are correlated positively, as percentiles of the same samples are, the interval is too wide.

    :raises NotEnoughSamples: an interval reaches down to zero, so that the ratio has no bound.
    """
    if min(top.low, bottom.low) <= 0:
        raise NotEnoughSamples(
            "An interval that reaches down to zero gives no ratio.", "Give the measurement more time."
        )
    value = top.value / bottom.value
    down = math.hypot(math.log(top.value / top.low), math.log(bottom.high / bottom.value))
    up = math.hypot(math.log(top.high / top.value), math.log(bottom.value / bottom.low))
    method = "ratio of two independent estimates, intervals combined on logarithms (MOVER)"
    low, high = value * math.exp(-down), value * math.exp(up)
    return Estimate(value, low, high, "ratio", min(top.n, bottom.n), method)


def student(freedom: float, confidence: float = CONFIDENCE) -> float:
    """Half the width of an interval in standard errors, with so many degrees of freedom."""
    return float(scipy.special.stdtrit(freedom, (1 + confidence) / 2))


@cache
def _bounds_of_a_median(count: int) -> list[int]:
    """Which of so many values, in order, are the ends of the exact interval of their median."""
    interval: Any = scipy.stats.quantile_test(range(count), p=0.5).confidence_interval(CONFIDENCE)
    return [int(interval.low), int(interval.high)]


def _fewest(independent: bool) -> int:
    return MINIMUM_PROCESSES if independent else MINIMUM_ROUNDS


def _require_rounds(count: int, fewest: int = MINIMUM_ROUNDS) -> None:
    if count < fewest:
        raise NotEnoughSamples(
            f"{count} rounds are too few for an interval; {fewest} are needed.",
            "Give the session a larger budget.",
        )


def _effective_size(share: float, below: Floats, sizes: Floats, inflation: float) -> float:
    """How many independent samples the clustered ones are worth for the rank of a percentile.

    :param below: per block, the share of its samples up to the percentile.
    :param inflation: by how much the variance exceeds that of independent blocks.
    """
    blocks, samples = sizes.size, float(sizes.sum())
    deviations = sizes * (below - share)
    variance = blocks / (blocks - 1) * float((deviations**2).sum()) / samples**2 * inflation
    independent = share * (1 - share) / samples
    # Korn and Graubard: degrees of freedom come from the blocks, not from the samples.
    freedom = (student(samples - 1) / student(blocks - 1)) ** 2
    return float(share * (1 - share) / max(variance, independent)) * freedom


def _inflation(series: Floats) -> float:
    """Factor by which the variance of a mean exceeds that of independent rounds; at least one."""
    centred = series - series.mean()
    power = float((centred**2).sum())
    if power == 0:
        return 1.0
    correlation = float((centred[1:] * centred[:-1]).sum()) / power
    corrected = min(STRONGEST, correlation + (1 + 4 * correlation) / series.size)
    return max(1.0, (1 + corrected) / (1 - corrected))
