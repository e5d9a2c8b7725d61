"""The last session: fresh data for one finalist decide what is reported."""

from __future__ import annotations

from collections.abc import Sequence

from optguide.measuring.variant import Variant
from optguide.tuning.candidate import Candidate
from optguide.tuning.heats import Field
from optguide.tuning.outcome import Heat
from optguide.tuning.rules import Rules

__all__ = ["FINAL", "final", "finalist"]

FINAL = "final"
"""Title of the heat that decides. Its leader is the winner."""


def finalist(field: Field, rules: Rules, heats: Sequence[Heat]) -> Candidate:
    """The candidate that the race sends into the final; the default where none is better."""
    raise NotImplementedError


def final(
    field: Field,
    rules: Rules,
    heats: Sequence[Heat],
    *,
    seconds: float,
    beside: Sequence[Candidate] = (),
    references: Sequence[Variant] = (),
    seed: int = 0,
) -> Heat:
    """Measure default, hint and finalist in one long session.

    :param seconds: for the session, loading included.
    :param beside: candidates to measure with them that cannot win here, such as 32-bit floats.
    :param references: the model in its own framework.
    :returns: a heat called :data:`FINAL` whose leader is the winner and whose ratios are all against it.
    """
    raise NotImplementedError
