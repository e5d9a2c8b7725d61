"""How repeatable a ratio is: the scatter of its repeats, with an interval.

A dozen repeats say little about their own scatter, so it never goes without an interval. Both intervals are
the textbook ones for normal data (G. W. Snedecor and W. G. Cochran, "Statistical Methods"), applied to
logarithms. Repeats with a few wild ones among them are not normal, and then the intervals are too narrow.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import stats

from optguide.errors import NotEnoughSamples
from optguide.stats.estimate import CONFIDENCE, Estimate

__all__ = ["scatter", "scatter_ratio"]

_TAILS = ((1 + CONFIDENCE) / 2, (1 - CONFIDENCE) / 2)


def scatter(values: Sequence[float]) -> Estimate:
    """Standard deviation of the logarithms, which for small values reads as a share of the ratio.

    :param values: repeats of one ratio, above zero.
    :raises NotEnoughSamples: fewer than three repeats.
    """
    spread, freedom = _deviation(values)
    low, high = (spread * float(np.sqrt(freedom / stats.chi2.ppf(tail, freedom))) for tail in _TAILS)
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
        first / second / float(np.sqrt(stats.f.ppf(tail, freedom, other_freedom))) for tail in _TAILS
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
