"""One session of the race: a few candidates take turns, and the leader leads until another is faster."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

from optguide.bench import session
from optguide.bench.load import LatencyLimit
from optguide.bench.result import SessionResult
from optguide.bench.session import Budget
from optguide.bench.variant import Variant
from optguide.errors import Busy, NotEnoughSamples, OptGuideError
from optguide.optimize.candidate import Candidate, Precision
from optguide.optimize.outcome import RaceRound, Speed
from optguide.optimize.search.rules import Rules
from optguide.optimize.search.space import Space
from optguide.stats.estimate import Estimate

__all__ = ["Choose", "Measure", "RoundPlan", "SearchContext", "ahead", "run_round", "speed_of"]

PERCENTILES = (50, 95, 99)


class Measure(Protocol):
    """Measures variants against each other, as :func:`optguide.bench.session.measure` does."""

    def __call__(
        self, variants: Sequence[Variant], budget: Budget, *, seed: int, label: str
    ) -> SessionResult:
        """One session: what fails is in its ``failures``; if everything fails it raises."""


@dataclass(frozen=True)
class SearchContext:
    """Who takes part.

    :param space: deployments to try.
    :param variant: how to run a candidate; it may raise what concerns this candidate alone.
    :param not eligible precisions: precisions that are measured although they may not win.
    :param at_once: candidates of one round at most, at least two.
    :param fitting: variants whose processes fit into memory together.
    :param measure: runs a session.
    :param clock: seconds, for the budget.
    """

    space: Space
    variant: Callable[[Candidate], Variant]
    not_eligible: tuple[Precision, ...] = ()
    at_once: int = 6
    fitting: int = 9
    measure: Measure = session.measure
    clock: Callable[[], float] = time.monotonic


@dataclass(frozen=True)
class RoundPlan:
    """Who meets in one session.

    :param candidates: the leader so far first.
    :param references: what is measured beside the candidates and is none.
    :param seed: of the order of turns.
    """

    title: str
    candidates: tuple[Candidate, ...]
    budget: Budget
    references: tuple[Variant, ...] = ()
    seed: int = 0


Choose = Callable[[SessionResult, Mapping[str, Speed]], str]
"""Names the leader after a session, from what it measured and the speeds of those that did not fail."""


def run_round(plan: RoundPlan, context: SearchContext, rules: Rules, choose: Choose) -> RaceRound:
    """Measure candidates in one session.

    Its ratios are all against the leader after it, each paired by round, also where that one has just taken
    the lead. A candidate that fails is reported, and so are all if the session as a whole fails.

    :raises Busy: another measurement holds the machine.
    """
    begun = context.clock()
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
        result = (
            context.measure(variants, plan.budget, seed=plan.seed, label=plan.title) if variants else None
        )
    except Busy:
        raise
    except OptGuideError as error:
        failures |= {variant.name: error.message for variant in variants}
    if result is None:
        spent = context.clock() - begun
        return RaceRound(plan.title, plan.candidates[0].name, spent, 0, None, {}, {}, failures)
    failures |= {name: error.message for name, error in result.failures.items()}
    speeds: dict[str, Speed] = {}
    for name in result.series:
        try:
            speeds[name] = speed_of(result, name, rules.limit)
        except NotEnoughSamples as error:  # so slow that the session ended before six rounds
            failures[name] = error.message
    incumbent = choose(result, speeds)
    ratios = {
        name: result.compare(incumbent, name, rules.goal).ratio
        for name in speeds
        if name != incumbent and incumbent in speeds
    }
    others = None if math.isnan(result.others_share) else result.others_share
    spent = context.clock() - begun
    loading = max(0.0, spent - result.seconds)
    return RaceRound(plan.title, incumbent, spent, result.rounds, others, speeds, ratios, failures, loading)


def speed_of(result: SessionResult, name: str, limit: LatencyLimit | None = None) -> Speed:
    """What a session measured of one variant.

    :param limit: whose percentile is wanted beside the usual ones.
    :raises NotEnoughSamples: it was so slow that there is not even a rate.
    """
    throughput = result.throughput(name)
    latency: dict[str, Estimate] = {}
    for percentile in sorted({*PERCENTILES, *([limit.percentile] if limit else [])}):
        with suppress(NotEnoughSamples):
            latency[f"p{percentile}"] = result.latency(name, percentile)
    series = result.series[name]
    return Speed(latency, throughput, result.cpu_time(name), series.peak_rss, dict(series.effective))


def ahead(candidates: Sequence[Candidate], rules: Rules) -> Choose:
    """The rule of the race: of those shown to be faster than the leader the fastest takes over.

    Where there is a latency limit, whoever does not exceed it is ahead of whoever does.

    :param candidates: the leader so far first.
    """

    def choose(result: SessionResult, speeds: Mapping[str, Speed]) -> str:
        able = [
            candidate.name
            for candidate in candidates
            if rules.may_win(candidate) and candidate.name in speeds
        ]
        within = [name for name in able if rules.keeps(speeds[name]) != "exceeded"] or able
        if not within:
            return next((c.name for c in candidates if c.name in speeds), candidates[0].name)
        first = within[0]
        ratios = {name: result.compare(first, name, rules.goal).ratio for name in within[1:]}
        faster = [name for name, ratio in ratios.items() if ratio.low > 1]
        return max(faster, key=lambda name: ratios[name].value, default=first)

    return choose
