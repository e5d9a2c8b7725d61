"""How a budget is split over the phases of a run."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Literal

__all__ = ["SHARES", "Clock", "Phase"]

Phase = Literal["making", "racing", "confirmation", "profile", "claims"]

SHARES: dict[Phase, float] = {
    "making": 0.4,
    "racing": 0.72,
    "confirmation": 0.82,
    "profile": 0.92,
    "claims": 1.0,
}
"""The share of the budget that may be gone when a phase ends. What a phase leaves over goes to the next: a
model that is quantized quickly has more time to race."""


MOST: dict[Phase, float] = {"confirmation": 0.25, "profile": 0.2, "claims": 0.25}
"""Share of the budget that a phase takes at most, however much those before it left over. Time that nothing
has a use for is the reader's."""


class Clock:
    """Seconds of a budget.

    :param budget: seconds for everything.
    :param spent: that an earlier part of the same run has used.
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
        self._entered: dict[Phase, float] = {}
        self._whole = 1.0 if claims else SHARES["profile"]

    @property
    def spent(self) -> float:
        """Seconds that are gone."""
        return self._now() - self._begun

    @property
    def left(self) -> float:
        """Seconds of the whole budget that are left, never below zero."""
        return max(0.0, self.budget - self.spent)

    def until(self, phase: Phase) -> float:
        """Seconds that are left for a phase, which begins when this is first asked; never below zero."""
        spent = self.spent
        taken = spent - self._entered.setdefault(phase, spent)
        share = min(1.0, SHARES[phase] / self._whole)
        return max(0.0, min(share * self.budget - spent, MOST.get(phase, 1.0) * self.budget - taken))
