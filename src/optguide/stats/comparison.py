"""Two variants that took turns, as one ratio."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from optguide.stats.estimate import MINIMUM_ROUNDS, Estimate, Relation, median_of_rounds

__all__ = ["EQUIVALENT", "Comparison", "Outcome", "paired", "paired_processes"]

Outcome = Literal["faster", "slower", "no difference", "inconclusive"]

_OUTCOMES: Mapping[Relation, Outcome] = {
    "above": "faster",
    "below": "slower",
    "inside": "no difference",
    "undecided": "inconclusive",
}

EQUIVALENT = 0.02
"""Ratios within 2 % of one are called no difference: it is what a reader would not change code for."""

PROCESS_SHARE = 0.01
PROCESS_SECONDS = 1.5e-6
"""Two processes of the same variant differ by up to about 1 % of an inference and 1.5 us, with where their
memory and their code come to lie and with Python's hash seed. No number of rounds averages that out: it takes
several processes (T. Kalibera and R. Jones, "Rigorous Benchmarking in Reasonable Time", 2013). The A/A part
of ``nox -s bench`` shows both."""


OTHERS_SHARE = 0.1
"""On a busy machine the others' work meets the two processes unevenly, for as long as they live: a tenth of
its share of the machine is allowed for. Without that, three of twenty A/A sessions of ResNet-50 beside a
process that burnt one of two cores called a difference."""


@dataclass(frozen=True)
class Comparison:
    """``b`` against ``a``; a ratio above one says that ``b`` is better.

    :param quantity: ``latency``, ``throughput`` or ``cpu_time``.
    :param ratio: median of the ratios of generations, or of rounds.
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

        An interval within 2 % of one is *no difference*, even when it excludes one itself.
        """
        if self.ratio.relation(1 - EQUIVALENT, 1 + EQUIVALENT) == "inside":
            return "no difference"
        return _OUTCOMES[self.ratio.relation(1.0, 1.0)]


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


def paired_processes(
    ratios: Sequence[float],
    generations: Sequence[int],
    seconds_per_inference: float,
    others: float = 0.0,
    *,
    pairs: int = 1,
) -> Estimate:
    """Median of the paired ratios of a session, with an interval that holds for other processes too.

    With six generations of processes or more, each generation counts as one observation. With fewer, the
    rounds do, and the interval is widened by what two processes of one variant differ by.

    :param generations: which pair of processes each ratio comes from.
    :param seconds_per_inference: of the faster of the two.
    :param others: share of the machine that other processes used (0 to 1); NaN counts as none.
    :param pairs: of processes in each ratio; two where it is a ratio of ratios.
    :raises NotEnoughSamples: fewer than six rounds.
    """
    values, labels = np.asarray(ratios, dtype=np.float64), np.asarray(generations)
    medians = [float(np.exp(np.median(np.log(values[labels == label])))) for label in np.unique(labels)]
    if len(medians) >= MINIMUM_ROUNDS:
        found = median_of_rounds(medians, "ratio", independent=True)
        method = f"median over {len(medians)} pairs of processes, exact binomial interval"
        return replace(found, method=method)
    found = median_of_rounds(values, "ratio")
    busy = 0.0 if math.isnan(others) else others
    one_pair = PROCESS_SHARE + PROCESS_SECONDS / seconds_per_inference + OTHERS_SHARE * busy
    allowance = math.sqrt(pairs) * one_pair  # of independent pairs
    method = f"median of paired ratios per round, exact binomial interval, {allowance:.1%} for the processes"
    low, high = found.low / (1 + allowance), found.high * (1 + allowance)
    return replace(found, low=low, high=high, method=method)
