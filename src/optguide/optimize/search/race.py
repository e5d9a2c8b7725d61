"""Candidates against the leader, round by round, until nothing is open or the budget is spent.

A candidate is out once its paired interval against the leader excludes a win. The leader leads until another
one is shown to be faster in a session in which both took turns. Of many candidates some will seem to be
faster by luck, and the fastest of many seems faster than it is: so nothing that the race finds is a result
yet. :mod:`optguide.optimize.search.confirmation` measures its one finalist anew.

Racing is O. Maron and A. W. Moore's ("Hoeffding Races", 1994), here with paired intervals in place of bounds.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from optguide.optimize.outcome import RaceRound
from optguide.optimize.search.planning import entrants, next_round
from optguide.optimize.search.race_state import RaceState
from optguide.optimize.search.rounds import SearchContext, ahead, run_round
from optguide.optimize.search.rules import Rules

__all__ = ["entrants", "race", "unfinished"]

AMPLE = 1e9
"""Seconds in which every round fits."""


def race(
    context: SearchContext,
    rules: Rules,
    *,
    seconds: float,
    rounds: Sequence[RaceRound] = (),
    record: Callable[[RaceRound], None] = lambda race_round: None,
    progress: Callable[[str, float], None] = lambda what, done: None,
    seed: int = 0,
) -> tuple[RaceRound, ...]:
    """Run the race, or what is left of it.

    It ends early where nothing is open any more. Without time for one round it returns what it was given.

    :param seconds: for what is still to be run, loading included; a round that has begun is finished.
    :param rounds: that have been run already, without the final; they are not repeated.
    :param record: is handed every round as it ends.
    :param progress: is told what runs, with the current leader, and the share of ``seconds`` that is spent.
    :returns: all rounds, those given first.
    :raises Busy: another measurement holds the machine.
    """
    done = list(rounds)
    end = context.clock() + seconds
    while (left := end - context.clock()) > 0:
        coming = next_round(done, context, rules, left=left, of=seconds, seed=seed)
        if coming is None:
            break
        incumbent = RaceState.of(done, rules, entrants(context, rules)).incumbent
        progress(f"{coming.title}, leader: {incumbent.name}", 1 - left / seconds)
        race_round = run_round(coming, context, rules, ahead(coming.candidates, rules))
        done.append(race_round)
        record(race_round)
    return tuple(done)


def unfinished(rounds: Sequence[RaceRound], context: SearchContext, rules: Rules) -> bool:
    """Whether the race ended because its time did: with more of it there would be another round."""
    return next_round(rounds, context, rules, left=AMPLE, of=AMPLE, seed=0) is not None
