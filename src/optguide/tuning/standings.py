"""Who won, and why every other candidate lost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from optguide.tuning.candidate import Candidate
from optguide.tuning.outcome import Heat, Made, Standing
from optguide.tuning.rules import Rules

__all__ = ["Result", "standings"]


@dataclass(frozen=True)
class Result:
    """The decision.

    :param standings: the winner first, then the others from the fastest.
    :param met: whether the winner keeps the latency limit; ``None`` without one.
    :param closest: name of the candidate that came closest to a limit that none keeps; otherwise empty.
    :param confirmed: whether a final decided; without one only what is far better than the default wins.
    """

    winner: Candidate
    standings: tuple[Standing, ...]
    met: bool | None
    closest: str = ""
    confirmed: bool = False


def standings(
    candidates: Sequence[Candidate], heats: Sequence[Heat], made: Sequence[Made], rules: Rules
) -> Result:
    """Decide between candidates by what was measured.

    :param candidates: all of the run; see :func:`optguide.tuning.race.entrants`.
    :param heats: of the race, and the final if there was one.
    :param made: what is known of every precision.
    """
    raise NotImplementedError
