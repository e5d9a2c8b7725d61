"""Who won, and why every other candidate lost."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from optguide.optimize.candidate import Candidate
from optguide.optimize.outcome import FINAL, Heat, Made, Standing
from optguide.optimize.search.ledger import Ledger
from optguide.optimize.search.reasons import Evidence, fate_of, victory
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
    candidates: Sequence[Candidate], heats: Sequence[Heat], made: Sequence[Made], rules: Rules
) -> Result:
    """Decide between candidates by what was measured.

    The winner is the leader of the final. Without one, in a run that was interrupted, it is the race's leader
    if it is better by so much that choosing it among many does not explain it, and otherwise the default.
    Where that one is not shown to keep the latency limit, the fastest that is takes its place.

    :param candidates: all of the run, see :func:`optguide.optimize.search.planning.entrants`.
    :param heats: of the race, and the final if there was one.
    :param made: what is known of every precision.
    """
    ledger = Ledger.of(heats, rules, candidates)
    decided = bool(heats) and heats[-1].title == FINAL and heats[-1].leader in heats[-1].speeds
    winner = ledger.leader if decided or _beyond_luck(ledger) else rules.base
    if ledger.keeps(winner) != "kept":
        winner = ledger.fastest_keeping(candidates) or winner
    confirmed = decided and winner == ledger.leader
    evidence = Evidence(ledger, heats, {one.precision: one for one in made}, rules, winner, decided)
    others = [_standing(candidate, evidence) for candidate in candidates if candidate != winner]
    others.sort(key=lambda standing: -_rank(standing.candidate, ledger))
    met = None if rules.limit is None else ledger.keeps(winner) == "kept" and winner.name in ledger.speeds
    return Result(
        winner,
        (_won(winner, evidence), *others),
        met,
        _closest(candidates, ledger) if met is False else "",
        confirmed,
    )


def _beyond_luck(ledger: Ledger) -> bool:
    """Whether the race's leader beats the default by more than its luck in being the best of many."""
    base = ledger.rules.base
    if ledger.leader == base or ledger.keeps(base) == "exceeded":
        return True
    ratio = ledger.ratios.get(base.name)
    if ratio is None:
        return base.name not in ledger.speeds and ledger.seen(base)  # the default itself does not run
    return math.log(ratio.value) + STRETCH * math.log(ratio.high / ratio.value) < 0


def _won(winner: Candidate, evidence: Evidence) -> Standing:
    return Standing(winner, "winner", victory(evidence), evidence.ledger.speeds.get(winner.name))


def _standing(candidate: Candidate, evidence: Evidence) -> Standing:
    fate, why = fate_of(candidate, evidence)
    ratio, against = evidence.paired(candidate)
    return Standing(candidate, fate, why, evidence.ledger.speeds.get(candidate.name), ratio, against)


def _rank(candidate: Candidate, ledger: Ledger) -> float:
    ratio = ledger.ratios.get(candidate.name)
    return ratio.value if ratio else -1.0 if ledger.seen(candidate) else -2.0


def _closest(candidates: Sequence[Candidate], ledger: Ledger) -> str:
    """Of those that may win, the one with the lowest latency at the highest percentile that all have."""
    limit = ledger.rules.limit
    able = [c.name for c in candidates if ledger.rules.may_win(c) and c.name in ledger.speeds]
    if limit is None or not able:
        return ""
    latencies = {name: ledger.speeds[name].latency for name in able}
    shared = set.intersection(*(set(found) for found in latencies.values()))
    usable = [int(name[1:]) for name in shared if int(name[1:]) <= limit.percentile]
    if not usable:
        return ""
    percentile = f"p{max(usable)}"
    return min(able, key=lambda name: latencies[name][percentile].value)
