"""Two variants that took turns, as one ratio; and how repeatable such a ratio is.

A dozen repeats of a ratio say little about their own scatter, so that never goes without an interval. Both
intervals are the textbook ones for normal data (G. W. Snedecor and W. G. Cochran, "Statistical Methods"),
applied to logarithms. Repeats with a few wild ones among them are not normal: then they are too narrow.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import scipy  # loads scipy.stats when it is first used

from optguide.errors import NotEnoughSamples
from optguide.stats.estimate import CONFIDENCE, Estimate, Relation, median_of_rounds

__all__ = ["EQUIVALENT", "Comparison", "Outcome", "paired", "scatter", "scatter_ratio"]

Outcome = Literal["faster", "slower", "no difference", "inconclusive"]

_OUTCOMES: Mapping[Relation, Outcome] = {
    "above": "faster",
    "below": "slower",
    "inside": "no difference",
    "undecided": "inconclusive",
}

EQUIVALENT = 0.02
"""A reader would not change code for 2 %: *no difference* lies within, *faster* and *slower* lie beyond."""

_TAILS = ((1 + CONFIDENCE) / 2, (1 - CONFIDENCE) / 2)


@dataclass(frozen=True)
class Comparison:
    """``b`` against ``a``; a ratio above one says that ``b`` is better.

    :param quantity: ``latency``, ``throughput`` or ``cpu_time``.
    :param ratio: median of the ratios of generations, or of rounds.
    :param cpu_ratio: the same for CPU time per inference, which other processes disturb less.
    :param seconds: measuring time, for all variants of the session together.
    :param same: resolved values of the settings in which the two differ, where both came out the same and
        so cannot differ; empty for two copies of one variant, ``None`` where they can differ.
    :param disturbed: why the session cannot be trusted, as a sentence; empty where nothing speaks against it.
    :param warnings: other reasons not to take it at face value, in sentences.
    """

    a: str
    b: str
    quantity: str
    ratio: Estimate
    cpu_ratio: Estimate | None = None
    seconds: float | None = None
    same: Mapping[str, str] | None = None
    disturbed: str = ""
    warnings: tuple[str, ...] = ()

    @property
    def verdict(self) -> Outcome:
        """What the interval allows to say of a difference of 2 % and more.

        Chance alone puts one interval in twenty beyond one, but hardly any beyond 2 %.
        """
        return _OUTCOMES[self.ratio.relation(1 - EQUIVALENT, 1 + EQUIVALENT)]

    @property
    def shows_gain(self) -> bool:
        """Whether the interval lies above one, by however little."""
        return self.ratio.relation(1.0, 1.0) == "above"


def paired(
    numerators: Sequence[float], denominators: Sequence[float], *, independent: bool = False
) -> Estimate:
    """Median of the paired ratios, one pair per round.

    :param independent: every pair comes from processes of its own and cannot drift with the others.
    :raises NotEnoughSamples: fewer than six rounds.
    """
    ratios = np.asarray(numerators, dtype=np.float64) / np.asarray(denominators, dtype=np.float64)
    method = "median of paired ratios per round, exact binomial interval"
    return replace(median_of_rounds(ratios, "ratio", independent=independent), method=method)


def scatter(values: Sequence[float]) -> Estimate:
    """Standard deviation of the logarithms, which for small values reads as a share of the ratio.

    :param values: repeats of one ratio, above zero.
    :raises NotEnoughSamples: fewer than three repeats.
    """
    spread, freedom = _deviation(values)
    low, high = (spread * float(np.sqrt(freedom / scipy.stats.chi2.ppf(tail, freedom))) for tail in _TAILS)
    method = "standard deviation of log ratios, chi-square interval"
    return Estimate(spread, low, high, "share", len(values), method)


def scatter_ratio(wide: Sequence[float], narrow: Sequence[float]) -> Estimate:
    """The scatter of ``wide`` over that of ``narrow``; the two have to be independent.

    :raises NotEnoughSamples: fewer than three repeats of one, or no scatter at all in ``narrow``.
    """
    (first, freedom), (second, other_freedom) = _deviation(wide), _deviation(narrow)
    if second == 0:
        raise NotEnoughSamples("All repeats are equal, so nothing can be held against their scatter.")
    low, high = (
        first / second / float(np.sqrt(scipy.stats.f.ppf(tail, freedom, other_freedom))) for tail in _TAILS
    )
    method = "ratio of standard deviations of log ratios, F interval"
    return Estimate(first / second, low, high, "ratio", min(len(wide), len(narrow)), method)


def _deviation(values: Sequence[float]) -> tuple[float, int]:
    """Standard deviation of the logarithms and its degrees of freedom."""
    if len(values) < 3:
        raise NotEnoughSamples(
            f"{len(values)} repeats are too few for a scatter; 3 are needed.", "Repeat more often."
        )
    return float(np.std(np.log(values), ddof=1)), len(values) - 1
