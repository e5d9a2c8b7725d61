"""How the budget of a run is split over its phases."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Literal

LEAST_SECONDS = 1.0
"""With less time left no phase is begun and nothing is made."""

LEAST_EVALUATING = 5.0
"""Seconds that evaluating gets in any case: a precision that was made and not evaluated was made in vain."""

MAKING, EVALUATING = 0.8, 0.2
"""Shares of the time left that making and evaluating one precision may take."""

Share = Literal["making", "racing", "confirmation", "profile", "claims"]

SHARES: dict[Share, float] = {
    "making": 0.4,
    "racing": 0.72,
    "confirmation": 0.82,
    "profile": 0.92,
    "claims": 1.0,
}
"""The share of the time that may be gone when a phase ends, of what is left when a run begins or is resumed.
What a phase leaves over goes to the next: a model that is quantized quickly has more time to race."""

MOST: dict[Share, float] = {"confirmation": 0.25, "profile": 0.2, "claims": 0.25}
"""Share of the budget that a phase takes at most, however much those before it left over. Time that nothing
has a use for is the reader's."""


class Clock:
    """The seconds of a budget.

    :param spent: seconds that an earlier part of the same run has used.
    :param claims: whether the last phase takes part; without it the others have its time.
    """

    def __init__(
        self,
        budget: float,
        spent: float = 0.0,
        *,
        claims: bool = True,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.budget = budget
        self._now = now
        self._begun = now() - spent
        self._earlier = min(spent, budget)
        self._entered: dict[Share, float] = {}
        self._whole = 1.0 if claims else SHARES["profile"]

    @property
    def spent(self) -> float:
        """Seconds that are gone."""
        return self._now() - self._begun

    @property
    def left(self) -> float:
        """Seconds of the whole budget that are left, never below zero."""
        return max(0.0, self.budget - self.spent)

    def until(self, phase: Share) -> float:
        """Seconds that are left for a phase, which begins when this is first asked; never below zero."""
        spent = self.spent
        in_phase = spent - self._entered.setdefault(phase, spent)
        share = min(1.0, SHARES[phase] / self._whole)
        end = self._earlier + share * (self.budget - self._earlier)
        return max(0.0, min(end - spent, MOST.get(phase, 1.0) * self.budget - in_phase))


def larger_budget(budget: float, seconds: float) -> str:
    """The budget that would leave a precision so much time, as a sentence for those that were cut off.

    It holds for a new run, and for one that is resumed when all of ``budget`` is gone.
    """
    minutes = math.ceil((budget + seconds / (MAKING * SHARES["making"])) / 60)
    return f"With --budget {minutes}m it would have {math.ceil(seconds)} s."
