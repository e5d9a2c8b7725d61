"""One session of the race: a few candidates take turns, and the leader is the leader until it is beaten."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from optguide.errors import Busy, NotEnoughSamples, OptGuideError
from optguide.measuring import session
from optguide.measuring.estimate import Estimate
from optguide.measuring.result import SessionResult
from optguide.measuring.session import Budget
from optguide.measuring.variant import Variant
from optguide.tuning.candidate import Candidate, Precision
from optguide.tuning.outcome import Heat, Limit, Speed
from optguide.tuning.rules import Rules
from optguide.tuning.space import Space

__all__ = ["Field", "Measure", "run_heat", "speed_of"]


class Measure(Protocol):
    """Measures variants against each other, as :func:`optguide.measuring.session.measure` does."""

    def __call__(
        self, variants: Sequence[Variant], budget: Budget | None = None, *, seed: int = 0, label: str = ""
    ) -> SessionResult:
        """One session; what fails is in its ``failures``, and if everything fails it raises."""


@dataclass(frozen=True)
class Field:
    """Who takes part.

    :param space: deployments to try.
    :param variant: how to run a candidate; it may raise what concerns this candidate alone.
    :param exhibits: precisions that are measured although they may not win.
    :param at_once: variants whose processes fit into memory together.
    :param measure: runs a session.
    :param clock: seconds, for the budget.
    """

    space: Space
    variant: Callable[[Candidate], Variant]
    exhibits: tuple[Precision, ...] = ()
    at_once: int = 6
    measure: Measure = session.measure
    clock: Callable[[], float] = time.monotonic


def run_heat(
    title: str,
    leader: Candidate,
    others: Sequence[Candidate],
    field: Field,
    rules: Rules,
    budget: Budget,
    seed: int,
) -> Heat:
    raise NotImplementedError


def speed_of(result: SessionResult, name: str, limit: Limit | None = None) -> Speed:
    raise NotImplementedError
