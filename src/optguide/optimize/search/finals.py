"""The last session: fresh data for a few finalists decide what is reported.

The leader of a race is the best of many, so what the race measured of it is too good. In the final what
OpenVINO does by itself has the first claim, and whoever replaces it has to be shown to be faster by data that
did not choose it. That takes a handful of comparisons, however many candidates there were. Between those that
are shown to be faster the estimate decides, and of what equals the best the plainest: a race that had no time
to tell two of them apart leaves both to the final.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations

from optguide.bench.result import SessionResult
from optguide.bench.session import Budget
from optguide.bench.variant import Variant
from optguide.optimize.candidate import Candidate
from optguide.optimize.outcome import FINAL, Heat, Speed
from optguide.optimize.search.heats import Choose, Field, Lineup, run_heat
from optguide.optimize.search.ledger import Ledger
from optguide.optimize.search.planning import LOADING, entrants, open_candidates
from optguide.optimize.search.rules import Rules
from optguide.stats.comparison import EQUIVALENT
from optguide.stats.estimate import MINIMUM_ROUNDS

__all__ = ["final", "finalist"]

RIVALS = 2
"""Candidates beside the finalist at most for which the race ended with the question open."""

PRECISION = 0.005
"""Half-width of the intervals at which the final ends before its time."""


def finalist(field: Field, rules: Rules, heats: Sequence[Heat]) -> Candidate:
    """The candidate that the race sends into the final; the default where none is better.

    It is the plainest of the leader and those that equal it within 2 %.
    """
    entered = entrants(field, rules)
    ledger = Ledger.of(heats, rules, entered)
    best = ledger.keeps(ledger.leader)
    equals = [
        candidate
        for candidate in entered
        if rules.may_win(candidate) and ledger.equals(candidate) and ledger.keeps(candidate) == best
    ]
    return min([ledger.leader, *equals], key=rules.plainness)


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
    """Measure default, hint, finalist and its open rivals in one long session.

    :param seconds: for the session, loading included.
    :param beside: candidates to measure with them that cannot win here, such as 32-bit floats, as far as
        they fit into memory.
    :param references: the model in its own framework, as far as it fits.
    :returns: a heat called :data:`FINAL` whose leader is the winner and whose ratios are all against it.
    :raises Busy: another measurement holds the machine.
    """
    best = finalist(field, rules, heats)
    plain = (rules.base, rules.hint, rules.default)
    needed = [*dict.fromkeys((best, *_keeping(field, rules, heats), *plain))]
    rivals = [one for one in open_candidates(heats, field, rules) if one not in needed][:RIVALS]
    contenders = [*needed, *rivals[: max(0, field.fitting - len(needed))]]
    shown = [one for one in beside if one not in contenders]
    references = references[: max(0, field.fitting - len(contenders))]
    everyone = [*contenders, *shown[: max(0, field.fitting - len(contenders) - len(references))]]
    precision = PRECISION if rules.limit is None else 1e-6  # a percentile takes all the time there is
    budget = Budget(_measuring(heats, len(everyone) + len(references), seconds), precision=precision)
    lineup = Lineup(FINAL, tuple(everyone), budget, tuple(references), seed + len(heats))
    return run_heat(lineup, field, rules, _winner(contenders, rules))


def _measuring(heats: Sequence[Heat], variants: int, seconds: float) -> float:
    """Seconds of measuring in a session that takes so long as a whole.

    Where loading is quick, a session starts its processes six times (see ``measuring.session``).
    """
    known = [heat for heat in heats if heat.speeds]
    loading = variants * (known[-1].loading / len(known[-1].speeds) if known else LOADING)
    often = seconds - MINIMUM_ROUNDS * loading
    enough = (MINIMUM_ROUNDS - 1) * loading
    return often if often >= enough else max(min(seconds - loading, 0.99 * enough), 0.3 * seconds, 0.1)


def _keeping(field: Field, rules: Rules, heats: Sequence[Heat]) -> list[Candidate]:
    """With a limit, the fastest that was shown to keep it: the finalist may turn out not to."""
    if rules.limit is None:
        return []
    entered = entrants(field, rules)
    keeping = Ledger.of(heats, rules, entered).fastest_keeping(entered)
    return [keeping] if keeping is not None else []


def _winner(contenders: Sequence[Candidate], rules: Rules) -> Choose:
    """The rule of the final: the best of those shown to be faster than what needs no search."""

    def choose(result: SessionResult, speeds: Mapping[str, Speed]) -> str:
        able = [c for c in contenders if rules.may_win(c) and c.name in speeds]
        within = [candidate for candidate in able if rules.keeps(speeds[candidate.name]) == "kept"]
        plain = sorted(within or able or contenders[:1], key=rules.plainness)
        if not within:
            return plain[0].name
        alike = Ledger(rules, rules.base, speeds=speeds)
        twins = {b for a, b in combinations(plain, 2) if alike.twins(a, b)}
        base, *others = [candidate.name for candidate in plain if candidate not in twins]
        against = {name: result.compare(base, name, rules.goal) for name in others}
        faster = [name for name, found in against.items() if found.verdict == "faster"]
        best = max(faster, key=lambda name: against[name].ratio.value, default=base)

        def stands(name: str) -> bool:
            """Whether nothing is told from it that is better, and it seems to be at most 2 % worse."""
            rivals = [result.compare(name, other, rules.goal) for other in faster if other != name]
            value = 1.0 if name == best else result.compare(best, name, rules.goal).ratio.value
            return value >= 1 - EQUIVALENT and all(found.verdict != "faster" for found in rivals)

        return next(filter(stands, faster), best)  # the plainest of them

    return choose
