"""Two variants that took turns, as one ratio."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from optguide.measuring.estimate import Estimate, median_of_rounds

__all__ = ["EQUIVALENT", "RESOLUTION", "Comparison", "Outcome", "paired"]

Outcome = Literal["faster", "slower", "no difference", "inconclusive"]

EQUIVALENT = 0.02
"""Ratios within 2 % of one are called no difference: it is what a reader would not change code for."""

RESOLUTION = 0.01
"""A difference is called only where the interval excludes every ratio within 1 % of one. Two processes of the
same variant differ by up to about that much, with the layout of their memory, and rounds of one pair of
processes cannot average it out. The A/A control of each session shows it."""


@dataclass(frozen=True)
class Comparison:
    """``b`` against ``a``; a ratio above one says that ``b`` is better.

    :param quantity: ``latency``, ``throughput`` or ``cpu_time``.
    :param ratio: median of the rounds' ratios.
    :param cpu_ratio: the same for CPU time per inference, which other processes disturb less.
    """

    a: str
    b: str
    quantity: str
    ratio: Estimate
    cpu_ratio: Estimate | None = None

    @property
    def verdict(self) -> Outcome:
        """What the interval allows to say.

        An interval within 2 % of one is *no difference*, even when it excludes one itself; *faster* and
        *slower* need an interval that lies beyond 1 %, which two processes of one variant can differ by.
        """
        low, high = self.ratio.low, self.ratio.high
        if low >= 1 - EQUIVALENT and high <= 1 + EQUIVALENT:
            return "no difference"
        if low > 1 + RESOLUTION:
            return "faster"
        return "slower" if high < 1 / (1 + RESOLUTION) else "inconclusive"


def paired(numerators: Sequence[float], denominators: Sequence[float]) -> Estimate:
    """Median of the paired ratios, one pair per round.

    :raises NotEnoughSamples: fewer than six rounds.
    """
    ratios = np.asarray(numerators, dtype=np.float64) / np.asarray(denominators, dtype=np.float64)
    method = "median of paired ratios per round, exact binomial interval"
    return replace(median_of_rounds(ratios, "ratio"), method=method)
