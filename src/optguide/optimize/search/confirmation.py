"""The last session: fresh data for a few finalists decide what is reported.

The leader of a race is the best of many, so what the race measured of it is too good. In the final what
OpenVINO does by itself has the first claim, and whoever replaces it has to be shown to be faster by data that
did not choose it. That takes a handful of comparisons, however many candidates there were. Between those that
are shown to be faster the estimate decides, and of what equals the best the simplest: a race that had no time
to tell two of them apart leaves both to the final.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations

from optguide.bench.result import SessionResult
from optguide.bench.session import Budget
from optguide.bench.variant import Variant
from optguide.optimize.candidate import Candidate
from optguide.optimize.outcome import CONFIRMATION, RaceRound, Speed
from optguide.optimize.search.planning import entrants, open_candidates
from optguide.optimize.search.race_state import RaceState
from optguide.optimize.search.rounds import Choose, RoundPlan, SearchContext, run_round
from optguide.optimize.search.rules import Rules
from optguide.stats.comparison import EQUIVALENT

__all__ = ["confirm", "provisional_winner"]

RIVALS = 2
"""Candidates beside the finalist at most for which the race ended with the question open."""

PRECISION = 0.005
"""Half-width of the intervals at which the final ends before its time."""


def provisional_winner(context: SearchContext, rules: Rules, rounds: Sequence[RaceRound]) -> Candidate:
    """The candidate that the race sends into the final; the default where none is better.

    It is the simplest of the leader and those that equal it within 2 %.
    """
    entered = entrants(context, rules)
    state = RaceState.of(rounds, rules, entered)
    best = state.keeps(state.incumbent)
    equals = [
        candidate
        for candidate in entered
        if rules.may_win(candidate) and state.equals(candidate) and state.keeps(candidate) == best
    ]
    return min([state.incumbent, *equals], key=rules.simplicity)


def confirm(
    context: SearchContext,
    rules: Rules,
    rounds: Sequence[RaceRound],
    *,
    seconds: float,
    beside: Sequence[Candidate] = (),
    references: Sequence[Variant] = (),
    seed: int = 0,
) -> RaceRound:
    """Measure default, hint, finalist and its open rivals in one long session.

    :param seconds: for the session, loading included.
    :param beside: candidates to measure with them that cannot win here, such as 32-bit floats, as far as
        they fit into memory.
    :param references: the model in its own framework, as far as it fits.
    :returns: a round called :data:`CONFIRMATION` whose incumbent is the winner; ratios are against it.
    :raises Busy: another measurement holds the machine.
    """
    best = provisional_winner(context, rules, rounds)
    plain = (rules.base, rules.hint, rules.default)
    needed = [*dict.fromkeys((best, *_keeping(context, rules, rounds), *plain))]
    rivals = [one for one in open_candidates(rounds, context, rules) if one not in needed][:RIVALS]
    contenders = [*needed, *rivals[: max(0, context.fitting - len(needed))]]
    shown = [one for one in beside if one not in contenders]
    references = references[: max(0, context.fitting - len(contenders))]
    everyone = [*contenders, *shown[: max(0, context.fitting - len(contenders) - len(references))]]
    precision = PRECISION if rules.limit is None else 1e-6  # a percentile takes all the time there is
    budget = Budget(seconds, precision=precision)
    plan = RoundPlan(CONFIRMATION, tuple(everyone), budget, tuple(references), seed + len(rounds))
    return run_round(plan, context, rules, _winner(contenders, rules))


def _keeping(context: SearchContext, rules: Rules, rounds: Sequence[RaceRound]) -> list[Candidate]:
    """With a limit, the fastest that was shown to keep it: the finalist may turn out not to."""
    if rules.limit is None:
        return []
    entered = entrants(context, rules)
    keeping = RaceState.of(rounds, rules, entered).fastest_keeping(entered)
    return [keeping] if keeping is not None else []


def _winner(contenders: Sequence[Candidate], rules: Rules) -> Choose:
    """The rule of the final: the best of those shown to be faster than what needs no search."""

    def choose(result: SessionResult, speeds: Mapping[str, Speed]) -> str:
        able = [c for c in contenders if rules.may_win(c) and c.name in speeds]
        within = [candidate for candidate in able if rules.keeps(speeds[candidate.name]) == "kept"]
        plain = sorted(within or able or contenders[:1], key=rules.simplicity)
        if not within:
            return plain[0].name
        alike = RaceState(rules, rules.base, speeds=speeds)
        same_resolved_configuration = {
            b for a, b in combinations(plain, 2) if alike.same_resolved_configuration(a, b)
        }
        base, *others = [
            candidate.name for candidate in plain if candidate not in same_resolved_configuration
        ]
        against = {name: result.compare(base, name, rules.goal) for name in others}
        faster = [name for name, found in against.items() if found.verdict == "faster"]
        best = max(faster, key=lambda name: against[name].ratio.value, default=base)

        def stands(name: str) -> bool:
            """Whether nothing is told from it that is better, and it seems to be at most 2 % worse."""
            rivals = [result.compare(name, other, rules.goal) for other in faster if other != name]
            value = 1.0 if name == best else result.compare(best, name, rules.goal).ratio.value
            return value >= 1 - EQUIVALENT and all(found.verdict != "faster" for found in rivals)

        return next(filter(stands, faster), best)  # the simplest of them

    return choose
