"""Who won, and why every other candidate lost."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from optguide.optimize.candidate import Candidate
from optguide.optimize.outcome import CONFIRMATION, Artifact, RaceRound, Standing
from optguide.optimize.search.race_state import RaceState
from optguide.optimize.search.reasons import Evidence, status_of, victory
from optguide.optimize.search.rules import Rules

__all__ = ["Result", "standings"]

STRETCH = 1.6
"""How much wider an interval has to be for the best of some thirty comparisons: Bonferroni's correction, by
the quantiles of the normal distribution."""


@dataclass(frozen=True)
class Result:
    """The decision.

    :param standings: the winner first, then the others from the fastest to those never measured.
    :param met: whether the winner is shown to keep the latency limit; ``None`` without one.
    :param closest: name of the candidate that came closest to a limit that none is shown to keep; empty where
        there is none, or nothing was measured.
    :param confirmed: whether the winner is that of a final.
    """

    winner: Candidate
    standings: tuple[Standing, ...]
    met: bool | None
    closest: str = ""
    confirmed: bool = False


def standings(
    candidates: Sequence[Candidate], rounds: Sequence[RaceRound], artifacts: Sequence[Artifact], rules: Rules
) -> Result:
    """Decide between candidates by what was measured.

    The winner is the leader of the final. Without one, in a run that was interrupted, it is the race's leader
    if it is better by so much that choosing it among many does not explain it, and otherwise the default.
    Where that one is not shown to keep the latency limit, the fastest that is takes its place.

    :param candidates: all of the run, see :func:`optguide.optimize.search.planning.entrants`.
    :param rounds: of the race, and the final if there was one.
    :param artifacts: what is known of every precision.
    """
    state = RaceState.of(rounds, rules, candidates)
    decided = bool(rounds) and rounds[-1].title == CONFIRMATION and rounds[-1].incumbent in rounds[-1].speeds
    winner = state.incumbent if decided or _beyond_luck(state) else rules.base
    if state.keeps(winner) != "kept":
        winner = state.fastest_keeping(candidates) or winner
    confirmed = decided and winner == state.incumbent
    evidence = Evidence(state, rounds, {one.precision: one for one in artifacts}, rules, winner, decided)
    others = [_standing(candidate, evidence) for candidate in candidates if candidate != winner]
    others.sort(key=lambda standing: -_rank(standing.candidate, state))
    met = None if rules.limit is None else state.keeps(winner) == "kept" and winner.name in state.speeds
    return Result(
        winner,
        (_won(winner, evidence), *others),
        met,
        _closest(candidates, state) if met is False else "",
        confirmed,
    )


def _beyond_luck(state: RaceState) -> bool:
    """Whether the race's leader beats the default by more than its luck in being the best of many."""
    base = state.rules.base
    if state.incumbent == base or state.keeps(base) == "exceeded":
        return True
    ratio = state.ratios.get(base.name)
    if ratio is None:
        return base.name not in state.speeds and state.seen(base)  # the default itself does not run
    return math.log(ratio.value) + STRETCH * math.log(ratio.high / ratio.value) < 0


def _won(winner: Candidate, evidence: Evidence) -> Standing:
    return Standing(winner, "winner", victory(evidence), evidence.state.speeds.get(winner.name))


def _standing(candidate: Candidate, evidence: Evidence) -> Standing:
    status, why = status_of(candidate, evidence)
    ratio, against = evidence.paired(candidate)
    return Standing(candidate, status, why, evidence.state.speeds.get(candidate.name), ratio, against)


def _rank(candidate: Candidate, state: RaceState) -> float:
    ratio = state.ratios.get(candidate.name)
    return ratio.value if ratio else -1.0 if state.seen(candidate) else -2.0


def _closest(candidates: Sequence[Candidate], state: RaceState) -> str:
    """Of those that may win, the one with the lowest latency at the highest percentile that all have."""
    limit = state.rules.limit
    able = [c.name for c in candidates if state.rules.may_win(c) and c.name in state.speeds]
    if limit is None or not able:
        return ""
    latencies = {name: state.speeds[name].latency for name in able}
    shared = set.intersection(*(set(found) for found in latencies.values()))
    usable = [int(name[1:]) for name in shared if int(name[1:]) <= limit.percentile]
    if not usable:
        return ""
    percentile = f"p{max(usable)}"
    return min(able, key=lambda name: latencies[name][percentile].value)
