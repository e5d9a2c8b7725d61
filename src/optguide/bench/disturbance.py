"""Which rounds of a session the machine spoiled: a rule fixed in advance, which never looks at a result."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from optguide.format import quantity
from optguide.stats.estimate import MINIMUM_PROCESSES, MINIMUM_ROUNDS

OTHERS_SHARE = 0.25
"""Above it, others than the session take a core of a small machine: where :data:`.noise.LIMITS` say noisy."""

THROTTLED_SHARE = 0.05
"""Of a round, for which a quota may stop the session's processes."""

STALLED_SHARE = 0.05
"""Of a round, for which the machine may lack memory or be slowed down by heat."""

SHORTEST = 0.1
"""Seconds of a round that can be judged: systems count CPU time in ticks of 10 ms."""


@dataclass(frozen=True)
class RoundConditions:
    """What the system told about one round.

    :param others_share: share of the machine's CPU that others, or the hypervisor, used; NaN if unknown.
    :param throttled: seconds for which a quota stopped the session's processes.
    :param stalled: seconds for which the machine lacked memory or was slowed down by heat.
    """

    generation: int
    seconds: float
    others_share: float
    throttled: float
    stalled: float = 0.0

    @property
    def busy(self) -> bool:
        """Whether others took too much of the machine, or it was not itself."""
        stalled = self.stalled > STALLED_SHARE * self.seconds
        return stalled or (self.seconds >= SHORTEST and self.others_share > OTHERS_SHARE)

    @property
    def stopped(self) -> bool:
        """Whether a quota stopped the session for too long."""
        return self.throttled > THROTTLED_SHARE * self.seconds


@dataclass(frozen=True)
class Spoiling:
    """What follows for a session.

    :param competitor: the activity that spoiled so many rounds that none is left out; empty otherwise.
    """

    rounds: frozenset[int] = frozenset()
    competitor: str = ""


def competition(others_share: float) -> str:
    """Why a session without rounds is disturbed, as a sentence; empty where others took little or unknown."""
    if not others_share > OTHERS_SHARE:
        return ""
    return f"The session is disturbed: others used {quantity(others_share, 'share')} of the machine's CPU."


def spoiling(rounds: Sequence[RoundConditions]) -> Spoiling:
    """Leave out spoiled rounds where most are not; otherwise the whole session is disturbed.

    A quota that stops the session in most rounds is a condition under which it was measured.
    """
    quota = 2 * sum(conditions.stopped for conditions in rounds) <= len(rounds)
    spoiled = [conditions.busy or (quota and conditions.stopped) for conditions in rounds]
    remaining = [conditions for conditions, bad in zip(rounds, spoiled, strict=True) if not bad]
    sets = len({conditions.generation for conditions in remaining})
    enough = 2 * len(remaining) >= len(rounds) and (
        sets >= MINIMUM_PROCESSES or len(remaining) >= MINIMUM_ROUNDS
    )
    if enough or not any(spoiled):
        return Spoiling(frozenset(index for index, bad in enumerate(spoiled) if bad))
    share = f"{sum(spoiled)} of {len(rounds)} rounds"
    return Spoiling(
        competitor=f"other processes, a quota, heat or lack of memory took much of the machine in {share}"
    )
