"""Two variants that took turns, as one ratio."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
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
    """Median of the paired ratios, one pair per round, computed on logarithms so that a/b mirrors b/a.

    :raises NotEnoughSamples: fewer than six rounds.
    """
    logs = np.log(np.asarray(numerators, dtype=np.float64)) - np.log(
        np.asarray(denominators, dtype=np.float64)
    )
    of_logs = median_of_rounds(logs, "ratio")
    value, low, high = (float(np.exp(x)) for x in (of_logs.value, of_logs.low, of_logs.high))
    method = "median of paired ratios per round, exact binomial interval"
    return Estimate(value, low, high, "ratio", of_logs.n, method)
