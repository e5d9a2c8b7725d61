"""What the race does next, as a function of what it has measured.

First every precision in the same deployment, then deployments of the precision that leads, then the best of
these with the other precisions that came near, and in the end longer rounds of those that are still open.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace

from optguide.bench.session import Budget
from optguide.optimize.candidate import Candidate, Deployment, Precision
from optguide.optimize.outcome import RaceRound
from optguide.optimize.search.predictor import Predictor
from optguide.optimize.search.proposing import propose
from optguide.optimize.search.race_state import RaceState, void
from optguide.optimize.search.rounds import RoundPlan, SearchContext
from optguide.optimize.search.rules import Rules
from optguide.optimize.search.space import ENUMERATED
from optguide.stats.estimate import MINIMUM_ROUNDS, samples_needed

__all__ = ["entrants", "next_round", "open_candidates"]

SCREENING = 1.2
"""Seconds of measuring per candidate in its first round: six rounds of 0.2 s, the fewest with an interval."""

REFINEMENT = (4.0, 12.0, 18.0)
"""Seconds per candidate, loading included, in rounds of those that are still open, one after the other."""

PRECISION = 0.01
"""Half-width of the intervals at which a round ends before its time."""

LOADING = 1.0
"""Seconds to start a process, before any has been started."""

RESERVED = 0.25
"""Share of the time that is kept for these."""

NEAR = 0.85
"""A precision that may reach this share of the leader gets another chance in the leader's deployment."""

FAR = 0.9
"""What cannot reach this share of the leader, if its single changes multiply, is not tried."""

COSTLY = 0.05
"""Share of the time left that a single candidate may take."""

PATIENCE = 4
"""The optimizer gets no further rounds after so many without a new leader."""

PRECISIONS, DEPLOYMENTS, ACROSS, OPEN = "precisions", "deployments", "across", "refinement"


def entrants(context: SearchContext, rules: Rules) -> tuple[Candidate, ...]:
    """Every candidate that may take part: all precisions in all deployments."""
    precisions = dict.fromkeys((rules.default.precision, *rules.precisions, *context.not_eligible))
    ways = dict.fromkeys((rules.default.deployment, rules.hint.deployment, *context.space.deployments))
    return tuple(Candidate(precision, way) for precision in precisions for way in ways)


def next_round(
    rounds: Sequence[RaceRound], context: SearchContext, rules: Rules, *, left: float, of: float, seed: int
) -> RoundPlan | None:
    """The round to come; ``None`` where nothing is open or the time does not suffice for another.

    :param left: seconds that are left of the ``of`` seconds for the race.
    """
    plan = _Plan(rounds, context, rules, left, seed)
    if left > RESERVED * of:
        for title, found in plan.screenings():
            if found:
                return plan.plan(title, found, plan.screening)
    return plan.refinement()


def open_candidates(rounds: Sequence[RaceRound], context: SearchContext, rules: Rules) -> list[Candidate]:
    """Those that more time could still change something for, the best first."""
    entered = entrants(context, rules)
    state = RaceState.of(rounds, rules, entered)
    return sorted((c for c in entered if state.open(c)), key=lambda c: -_value(state, c))


class _Plan:
    """The race as it stands, and the candidates that each of its parts still wants."""

    def __init__(
        self, rounds: Sequence[RaceRound], context: SearchContext, rules: Rules, left: float, seed: int
    ) -> None:
        self.rounds, self.context, self.rules, self.left, self.seed = rounds, context, rules, left, seed
        self.state = RaceState.of(rounds, rules, entrants(context, rules))
        self.predictor = Predictor(self.state, context.space, self._precisions())

    def screenings(self) -> Iterator[tuple[str, list[Candidate]]]:
        """What has not had its turn, by part of the race."""
        yield PRECISIONS, self._unseen(self._openers())
        precision = self.state.incumbent.precision
        yield DEPLOYMENTS, [Candidate(precision, way) for way in self._ways(precision)]
        yield ACROSS, self._unseen(self._others())

    def plan(self, title: str, wanted: Sequence[Candidate], seconds: float) -> RoundPlan | None:
        """As many of those wanted as there is room and time for, against the leader.

        :param seconds: per candidate, loading included; more where that is too little for six turns.
        """
        incumbent, loading = self.state.incumbent, self._loading()
        first = (
            () if self.state.out(incumbent) else (incumbent,)
        )  # a default that does not run is not asked again
        others = [candidate for candidate in wanted if candidate != incumbent]
        seconds = max(seconds, *(loading + _six_turns(race_round) for race_round in self.rounds), 0.0)
        room = min(self.context.at_once, int(self.left / seconds))
        candidates = (*first, *others[: max(0, room - len(first))])
        if room < 2 or not candidates or (len(candidates) == 1 and self.state.seen(candidates[0])):
            return None
        whole = sum(max(seconds, loading + self.predictor.six_turns(c.deployment)) for c in candidates)
        return self._lineup(title, candidates, Budget(whole, precision=PRECISION))

    @property
    def screening(self) -> float:
        """Seconds per candidate, loading included, in its first round."""
        return SCREENING + self._loading()

    def _loading(self) -> float:
        """Seconds to start the process of a candidate once; some rounds have started theirs several times."""
        starts = [played.loading / len(played.speeds) for played in self.rounds if played.speeds]
        return min(starts, default=LOADING)

    def _lineup(self, title: str, candidates: tuple[Candidate, ...], budget: Budget) -> RoundPlan:
        return RoundPlan(title, candidates, budget, seed=self.seed + len(self.rounds))

    def _openers(self) -> list[Candidate]:
        precisions = [Candidate(precision, self.rules.meeting) for precision in self._precisions()]
        if self.rules.goal == "latency":  # the hint is what OpenVINO does by itself
            return [self.rules.base, self.rules.default, *precisions, self.rules.hint]
        return [self.rules.base, self.rules.default, self.rules.hint, *precisions]

    def _precisions(self) -> tuple[Precision, ...]:
        return (*self.rules.precisions, *self.context.not_eligible)

    def _unseen(self, candidates: Sequence[Candidate]) -> list[Candidate]:
        return [candidate for candidate in dict.fromkeys(candidates) if not self.state.seen(candidate)]

    def _ways(self, precision: Precision) -> list[Deployment]:
        """Deployments to try next in a precision: what nothing is known of, then the most promising."""
        space = self.context.space
        named = {way: Candidate(precision, way) for way in space.deployments}
        tried = {way: named[way].name for way in named if self.state.seen(named[way])}
        predictions = {way: self.predictor.predict(precision, way) for way in named if way not in tried}
        # Where the leader exceeds a limit, what is slower may be what keeps it.
        worth = -math.inf if self.state.keeps(self.state.incumbent) == "exceeded" else math.log(FAR)
        untried = [
            way
            for way, predict in predictions.items()
            if predict.upper_bound > worth and self._affordable(way)
        ]
        untried.sort(key=lambda way: -predictions[way].expected)
        if len(named) <= ENUMERATED or (untried and math.isinf(predictions[untried[0]].expected)):
            return untried
        if self._settled():
            return []
        ratios = self.state.ratios
        known = {
            way: math.log(ratios[name].value) if name in ratios else math.nan for way, name in tried.items()
        }
        left = replace(space, deployments=(*tried, *untried))
        return [*propose(left, known, self.context.at_once - 1, seed=self.seed + len(self.rounds))]

    def _settled(self) -> bool:
        """Whether the last rounds of deployments have brought no new leader."""
        incumbents = [race_round.incumbent for race_round in self.rounds if race_round.title == DEPLOYMENTS][
            -PATIENCE - 1 :
        ]
        return len(incumbents) > PATIENCE and len(set(incumbents)) == 1

    def _affordable(self, way: Deployment) -> bool:
        """Whether six turns take a small part of the time that is left."""
        return self.predictor.six_turns(way) <= max(3 * SCREENING, COSTLY * self.left)

    def _others(self) -> list[Candidate]:
        """The best deployments found, in the other precisions that came near."""
        incumbent = self.state.incumbent.precision
        values = {
            way: _value(self.state, Candidate(incumbent, way)) for way in self.context.space.deployments
        }
        ranked = sorted((way for way in values if values[way]), key=lambda way: -values[way])
        near = [precision for precision in self.rules.precisions if self._near(precision)]
        return [Candidate(precision, way) for way in ranked[:2] for precision in near]

    def _near(self, precision: Precision) -> bool:
        incumbent = self.state.incumbent
        there = Candidate(precision, self.rules.meeting)
        here = Candidate(incumbent.precision, self.rules.meeting)
        own, other = self.state.ratios.get(there.name), self.state.ratios.get(here.name)
        if (
            precision == incumbent.precision
            or own is None
            or other is None
            or self.state.same_resolved_configuration(there, here)
        ):
            return False
        return own.high >= NEAR * other.value

    def refinement(self) -> RoundPlan | None:
        """A longer round of the leader and those that more time could still change something for."""
        done = sum(race_round.title == OPEN for race_round in self.rounds)
        open_ = open_candidates(self.rounds, self.context, self.rules)
        if done >= len(REFINEMENT) or not open_:
            return None
        for_limit = (self._for_limit(candidate) for candidate in open_[:3])
        seconds = max(REFINEMENT[done], *(self._loading() + needed for needed in for_limit), 0.0)
        incumbent = self.state.incumbent
        rivals = [candidate for candidate in open_ if candidate != incumbent]
        if not rivals and incumbent.name in self.state.ratios:  # only the leader's limit is open
            return self._lineup(OPEN, (incumbent,), Budget(min(seconds, self.left), precision=1e-6))
        return self.plan(OPEN, rivals, seconds)

    def _for_limit(self, candidate: Candidate) -> float:
        """Seconds that show a percentile, where the limit is open; at most a fifth of what is left."""
        if self.rules.limit is None or self.state.keeps(candidate) != "open":
            return 0.0
        rate = self.state.speeds[candidate.name].throughput.value / (candidate.deployment.batch or 1)
        return min(1.5 * samples_needed(self.rules.limit.percentile) / rate, self.left / 5)


def _value(state: RaceState, candidate: Candidate) -> float:
    ratio = state.ratios.get(candidate.name)
    return 0.0 if ratio is None or state.keeps(candidate) == "exceeded" else ratio.value


def _six_turns(race_round: RaceRound) -> float:
    """Seconds that six turns of a candidate take, from a round that ended before; else zero."""
    if not void(race_round):
        return 0.0
    return (
        1.2
        * MINIMUM_ROUNDS
        * (race_round.seconds - race_round.loading)
        / (race_round.session_rounds * len(race_round.failures))
    )
