"""Candidates against the incumbent, round by round, and the confirmation run that decides.

A candidate is out once its paired interval against the incumbent excludes a win. The incumbent stays until
another candidate is shown to be faster in a session in which both took turns. Of many candidates some will
seem to be faster by luck, and the fastest of many seems faster than it is: so nothing that the race finds is
a result yet.

In the confirmation run what OpenVINO does by itself has the first claim, and whoever replaces it has to be
shown to be faster by data that did not choose it. That takes a handful of comparisons, however many
candidates there were. Between those that are shown to be faster the estimate decides, and of what equals the
best the simplest: a race that had no time to tell two of them apart leaves both to the confirmation run.

Racing is O. Maron and A. W. Moore's ("Hoeffding Races", 1994), here with paired intervals in place of bounds.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from itertools import combinations

from optguide.bench.load import PERCENTILES, LatencyLimit
from optguide.bench.result import SessionResult
from optguide.bench.session import Budget
from optguide.bench.variant import Variant
from optguide.errors import Busy, NotEnoughSamples, OptGuideError
from optguide.optimize.candidate import Candidate
from optguide.optimize.outcome import CONFIRMATION, RaceRound, Speed
from optguide.optimize.search.planning import (
    RoundPlan,
    SearchContext,
    next_round,
    open_candidates,
)
from optguide.optimize.search.race_state import RaceState, Rules
from optguide.stats.comparison import EQUIVALENT
from optguide.stats.estimate import Estimate

AMPLE = 1e9
"""Seconds in which every round fits."""

RIVALS = 2
"""Candidates beside the provisional winner at most for which the race ended with the question open."""

PRECISION = 0.005
"""Half-width of the intervals at which the confirmation run ends before its time."""

Choose = Callable[[SessionResult, Mapping[str, Speed]], str]
"""Names the incumbent after a session, from what it measured and the speeds of those that did not fail."""


def race(
    context: SearchContext,
    *,
    seconds: float,
    rounds: Sequence[RaceRound] = (),
    most: int | None = None,
    record: Callable[[RaceRound], None] = lambda race_round: None,
    progress: Callable[[str], None] = lambda title: None,
    seed: int = 0,
) -> tuple[RaceRound, ...]:
    """Run the race, or what is left of it.

    It ends early where nothing is open any more. Without time for one round it returns ``rounds``.

    :param seconds: for what is still to be run, loading included; a round that has begun is finished.
    :param rounds: rounds that were run before, without the confirmation; they are not repeated.
    :param most: rounds to run beside those; as many as there is time for by default.
    :returns: all rounds, those given first.
    """
    done = list(rounds)
    end = context.clock() + seconds
    while (left := end - context.clock()) > 0 and (most is None or len(done) < len(rounds) + most):
        plan = next_round(done, context, left=left, of=seconds)
        if plan is None:
            break
        progress(plan.title)
        done.append(_run(plan, context, _fastest(plan.candidates, context.rules), seed + len(done)))
        record(done[-1])
    return tuple(done)


def is_unfinished(rounds: Sequence[RaceRound], context: SearchContext) -> bool:
    """Whether the race ended because its time did: with more of it there would be another round."""
    return next_round(rounds, context, left=AMPLE, of=AMPLE) is not None


def provisional_winner(context: SearchContext, rounds: Sequence[RaceRound]) -> Candidate:
    """The candidate that the race sends into the confirmation run; the default where none is better.

    It is the simplest of the incumbent and those that equal it within 2 %.
    """
    state, rules = context.state(rounds), context.rules
    relation = state.limit_relation(state.incumbent)
    equals = [
        candidate
        for candidate in context.entrants
        if rules.may_win(candidate)
        and state.equals_incumbent(candidate)
        and state.limit_relation(candidate) == relation
    ]
    return min([state.incumbent, *equals], key=rules.simplicity)


def confirm(
    context: SearchContext,
    rounds: Sequence[RaceRound],
    *,
    seconds: float,
    beside: Sequence[Candidate] = (),
    references: Sequence[Variant] = (),
    seed: int = 0,
) -> RaceRound:
    """Measure default, hint, provisional winner and its open rivals in one long session.

    :param beside: candidates to measure with them that cannot win here, such as 32-bit floats, as far as
        they fit into memory.
    :returns: a round called :data:`CONFIRMATION` whose incumbent is the winner; ratios are against it.
    """
    rules, fitting = context.rules, context.fitting
    required = [provisional_winner(context, rounds), rules.base, rules.hint, rules.default]
    if rules.limit is not None:  # the provisional winner may turn out not to keep it
        within = context.state(rounds).fastest_within_limit(context.entrants)
        required[1:1] = [within] if within is not None else []
    required = list(dict.fromkeys(required))
    rivals = [candidate for candidate in open_candidates(rounds, context) if candidate not in required]
    contenders = [*required, *rivals[: min(RIVALS, max(0, fitting - len(required)))]]
    references = references[: max(0, fitting - len(contenders))]
    shown = [candidate for candidate in beside if candidate not in contenders]
    everyone = (*contenders, *shown[: max(0, fitting - len(contenders) - len(references))])
    # A percentile takes all the time there is.
    precision = PRECISION if rules.limit is None else 1e-6
    plan = RoundPlan(CONFIRMATION, everyone, Budget(seconds, precision=precision), tuple(references))
    return _run(plan, context, _best(contenders, rules), seed + len(rounds))


def _run(plan: RoundPlan, context: SearchContext, choose: Choose, seed: int) -> RaceRound:
    """Measure candidates in one session.

    Its ratios are all against the incumbent after it, each paired by round, also where that one has just
    taken the lead. A candidate that fails is reported, and so are all if the session as a whole fails.
    """
    begun, rules = context.clock(), context.rules
    failures: dict[str, str] = {}
    variants: list[Variant] = []
    result: SessionResult | None = None
    for candidate in plan.candidates:
        try:
            variants.append(context.variant(candidate).with_(candidate.name))
        except OptGuideError as error:
            failures[candidate.name] = error.message
    variants += plan.references
    try:
        if variants:
            result = context.measure(variants, plan.budget, seed=seed, label=plan.title)
    except Busy:
        raise
    except OptGuideError as error:
        failures |= {variant.name: error.message for variant in variants}
    spent = context.clock() - begun
    if result is None:
        return RaceRound(plan.title, plan.candidates[0].name, spent, 0, None, {}, {}, failures)
    failures |= {name: error.message for name, error in result.failures.items()}
    speeds: dict[str, Speed] = {}
    for name in result.series:
        try:
            speeds[name] = speed_of(result, name, rules.limit)
        except NotEnoughSamples as error:  # so slow that the session ended before six rounds
            failures[name] = error.message
    incumbent = choose(result, speeds)
    rivals = [name for name in speeds if name != incumbent and incumbent in speeds]
    return RaceRound(
        plan.title,
        incumbent,
        spent,
        result.rounds,
        None if math.isnan(result.others_share) else result.others_share,
        speeds,
        {name: result.compare(incumbent, name, rules.goal).ratio for name in rivals},
        failures,
        max(0.0, spent - result.seconds),
        max((len({b.generation for b in series.blocks}) for series in result.series.values()), default=1),
    )


def speed_of(result: SessionResult, name: str, limit: LatencyLimit | None = None) -> Speed:
    """What a session measured of one variant.

    :param limit: latency limit whose percentile is computed beside the usual ones.
    """
    throughput = result.throughput(name)
    latency: dict[str, Estimate] = {}
    for percentile in sorted({*PERCENTILES, *([limit.percentile] if limit else [])}):
        with suppress(NotEnoughSamples):
            latency[f"p{percentile}"] = result.latency(name, percentile)
    series = result.series[name]
    return Speed(latency, throughput, result.cpu_time(name), series.peak_rss, dict(series.effective))


def _fastest(candidates: Sequence[Candidate], rules: Rules) -> Choose:
    """The rule of the race: of those shown to be faster than the incumbent the fastest takes over.

    Where there is a latency limit, whoever does not exceed it is ahead of whoever does.
    """

    def choose(result: SessionResult, speeds: Mapping[str, Speed]) -> str:
        measured = [candidate for candidate in candidates if candidate.name in speeds]
        eligible = [candidate.name for candidate in measured if rules.may_win(candidate)]
        within = [name for name in eligible if rules.limit_relation(speeds[name]) != "above"] or eligible
        if not within:
            return (measured or candidates)[0].name
        first = within[0]
        ratios = {name: result.compare(first, name, rules.goal).ratio for name in within[1:]}
        faster = [name for name, ratio in ratios.items() if ratio.low > 1]
        return max(faster, key=lambda name: ratios[name].value, default=first)

    return choose


def _best(contenders: Sequence[Candidate], rules: Rules) -> Choose:
    """The rule of the confirmation run: the best of those shown to be faster than what needs no search.

    That is the default, and the hint alone: what is not shown to be better than the hint leaves it the win.
    """

    def choose(result: SessionResult, speeds: Mapping[str, Speed]) -> str:
        eligible = [c for c in contenders if rules.may_win(c) and c.name in speeds]
        within = [c for c in eligible if rules.limit_relation(speeds[c.name]) == "inside"]
        by_simplicity = sorted(within or eligible or contenders[:1], key=rules.simplicity)
        if not within:
            return by_simplicity[0].name
        state = RaceState(rules, rules.base, speeds=speeds)
        repeated = {b for a, b in combinations(by_simplicity, 2) if state.same_resolved_configuration(a, b)}
        base, *others = [candidate.name for candidate in by_simplicity if candidate not in repeated]
        against = {name: result.compare(base, name, rules.goal) for name in others}
        faster = [name for name, comparison in against.items() if comparison.shows_gain]
        hint = rules.hint.name
        if faster and hint in against and against[hint].ratio.value > 1:
            beyond = [name for name in faster if name != hint]
            beyond = [n for n in beyond if result.compare(hint, n, rules.goal).shows_gain]
            faster = beyond or [hint]
        best = max(faster, key=lambda name: against[name].ratio.value, default=base)

        def is_as_good(name: str) -> bool:
            """Whether nothing is shown to be better, and it seems to be at most 2 % worse than the best."""
            rivals = [result.compare(name, other, rules.goal) for other in faster if other != name]
            value = 1.0 if name == best else result.compare(best, name, rules.goal).ratio.value
            return value >= 1 - EQUIVALENT and not any(rival.shows_gain for rival in rivals)

        return next(filter(is_as_good, faster), best)  # the simplest of them

    return choose
