"""Candidates against the leader, heat by heat, until nothing is open or the budget is spent.

A candidate is out once its paired interval against the leader excludes a win. The leader leads until another
one is shown to be faster in a session in which both took turns. Of many candidates some will seem to be
faster by luck, and the fastest of many seems faster than it is: so nothing that the race finds is a result
yet. :mod:`optguide.optimize.search.finals` measures its one finalist anew.

Racing is O. Maron and A. W. Moore's ("Hoeffding Races", 1994), here with paired intervals in place of bounds.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from optguide.optimize.outcome import Heat
from optguide.optimize.search.heats import Field, ahead, run_heat
from optguide.optimize.search.ledger import Ledger
from optguide.optimize.search.planning import entrants, next_heat
from optguide.optimize.search.rules import Rules

__all__ = ["entrants", "race", "unfinished"]

AMPLE = 1e9
"""Seconds in which every heat fits."""


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

    It ends early where nothing is open any more. Without time for a single heat it returns what it was given.

    :param seconds: for what is still to be run, loading included; a heat that has begun is finished.
    :param heats: that have been run already, without the final; they are not repeated.
    :param record: is handed every heat as it ends.
    :param progress: is told what runs, with the current leader, and the share of ``seconds`` that is spent.
    :returns: all heats, those given first.
    :raises Busy: another measurement holds the machine.
    """
    done = list(heats)
    end = field.clock() + seconds
    while (left := end - field.clock()) > 0:
        coming = next_heat(done, field, rules, left=left, of=seconds, seed=seed)
        if coming is None:
            break
        leader = Ledger.of(done, rules, entrants(field, rules)).leader
        progress(f"{coming.title}, leader: {leader.name}", 1 - left / seconds)
        heat = run_heat(coming, field, rules, ahead(coming.candidates, rules))
        done.append(heat)
        record(heat)
    return tuple(done)


def unfinished(heats: Sequence[Heat], field: Field, rules: Rules) -> bool:
    """Whether the race ended because its time did: with more of it there would be another heat."""
    return next_heat(heats, field, rules, left=AMPLE, of=AMPLE, seed=0) is not None
