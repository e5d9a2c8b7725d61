"""Candidates against the leader, heat by heat, until nothing is open or the budget is spent."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from optguide.tuning.heats import Field
from optguide.tuning.outcome import Heat
from optguide.tuning.rules import Rules

__all__ = ["race"]


def race(
    field: Field,
    rules: Rules,
    *,
    seconds: float,
    heats: Sequence[Heat] = (),
    record: Callable[[Heat], None] = lambda heat: None,
    progress: Callable[[str, float], None] = lambda what, done: None,
    seed: int = 0,
) -> tuple[Heat, ...]:
    """Run the race, or what is left of it.

    :param seconds: for what is still to be run, loading included.
    :param heats: that have been run already, without the final; they are not repeated.
    :param record: is handed every heat as it ends.
    :param progress: is told what runs, with the current leader, and the share of ``seconds`` that is spent.
    :returns: all heats, those given first.
    :raises Busy: another measurement holds the machine.
    """
    raise NotImplementedError
