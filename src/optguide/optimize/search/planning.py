"""What the race does next, as a function of what it has measured.

First every precision in the same deployment, then deployments of the precision that leads, then the best of
these with the other precisions that came near, and in the end longer rounds of those that are still open.

Changes of streams, of requests and of the batch roughly multiply. That is too little to choose a winner by,
and enough to try what is promising first and to leave out what is hopeless. On simulated machines with 73 and
105 deployments this finds about as much in the same time as a tree-structured Parzen estimator does.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, Protocol

from optguide.bench import session
from optguide.bench.result import SessionResult
from optguide.bench.session import Budget
from optguide.bench.variant import Variant
from optguide.optimize.candidate import BATCHES, Candidate, Deployment, Precision, Space
from optguide.optimize.outcome import RaceRound
from optguide.optimize.search.race_state import RaceState, Rules, is_void
from optguide.stats.estimate import MINIMUM_PROCESSES, MINIMUM_ROUNDS, samples_needed

SCREENING = 1.2
"""Seconds of measuring per candidate in its first round: six turns of 0.2 s, the fewest with an interval."""

REFINEMENT = (4.0, 12.0, 18.0)
"""Seconds per candidate, loading included, in rounds of those that are still open, one after the other."""

PRECISION = 0.01
"""Half-width of the intervals at which a round ends before its time."""

LOADING = 1.0
"""Seconds to start a process, before any has been started."""

AT_ONCE = 6
"""Candidates of one round at most: with more, a turn of each comes too seldom."""

AMPLE_SHARE = 0.25
"""Share of the time left that a first round with three processes of each candidate may take; a race that has
less tries more candidates in one process each."""

RESERVED = 0.25
"""Share of the time that is kept for refinement."""

NEAR = 0.85
"""A precision that may reach this share of the incumbent gets another chance in its deployment."""

FAR = 0.9
"""What cannot reach this share of the incumbent, if its single changes multiply, is not tried."""

COSTLY = 0.05
"""Share of the time left that a single candidate may take."""

PATIENCE = 4
"""In a large space, no further deployments are tried after so many rounds without a new incumbent."""

LARGE = 32
"""Deployments; of more, not all that are promising are tried."""


class Measure(Protocol):
    """Measures variants against each other, as :func:`optguide.bench.session.measure` does."""

    def __call__(
        self, variants: Sequence[Variant], budget: Budget, *, seed: int, label: str
    ) -> SessionResult:
        """One session: what fails is in its ``failures``; if everything fails it raises."""


@dataclass(frozen=True)
class SearchContext:
    """Who takes part, by which rules, and with what means.

    :param variant: how to run a candidate; it may raise what concerns this candidate alone.
    :param not_eligible: precisions that are measured although they may not win.
    :param fitting: variants whose processes fit into memory together, at least two.
    """

    space: Space
    rules: Rules
    variant: Callable[[Candidate], Variant]
    not_eligible: tuple[Precision, ...] = ()
    fitting: int = 9
    measure: Measure = session.measure
    clock: Callable[[], float] = time.monotonic

    @property
    def precisions(self) -> tuple[Precision, ...]:
        """Every precision that may be measured."""
        return (*self.rules.precisions, *self.not_eligible)

    @property
    def entrants(self) -> tuple[Candidate, ...]:
        """Every candidate that may take part: all precisions in all deployments."""
        return entrants(self.rules, self.space, self.precisions)

    def state(self, rounds: Sequence[RaceRound]) -> RaceState:
        """What the rounds so far say."""
        return RaceState.of(rounds, self.rules, self.entrants)


@dataclass(frozen=True)
class RoundPlan:
    """Who meets in one session.

    :param candidates: the incumbent first.
    :param references: variants measured beside the candidates, outside the competition.
    """

    title: str
    candidates: tuple[Candidate, ...]
    budget: Budget
    references: tuple[Variant, ...] = ()


class Prediction(NamedTuple):
    """On logarithms: what is expected, and what the intervals of its parts allow at best."""

    expected: float
    upper_bound: float


def entrants(rules: Rules, space: Space, precisions: Sequence[Precision]) -> tuple[Candidate, ...]:
    """Every candidate of a race: all precisions in all deployments."""
    every = dict.fromkeys((rules.default.precision, *precisions))
    deployments = dict.fromkeys((rules.default.deployment, rules.hint.deployment, *space.deployments))
    return tuple(Candidate(precision, deployment) for precision in every for deployment in deployments)


def next_round(
    rounds: Sequence[RaceRound], context: SearchContext, *, left: float, of: float
) -> RoundPlan | None:
    """The round to come; ``None`` where nothing is open or the time does not suffice for another.

    :param left: seconds that are left of the ``of`` seconds for the race.
    """
    planner = _Planner(rounds, context, left)
    if left > RESERVED * of:
        for title, candidates in planner.screenings():
            if candidates:
                return planner.screening(title, candidates)
    return planner.refinement()


def open_candidates(rounds: Sequence[RaceRound], context: SearchContext) -> list[Candidate]:
    """Those that more time could still change something for, the best first."""
    state = context.state(rounds)
    return sorted((c for c in context.entrants if state.is_open(c)), key=lambda c: -state.value(c))


@dataclass(frozen=True)
class Predictor:
    """What a deployment that has not been tried may reach, and what it costs to try it."""

    state: RaceState
    space: Space
    precisions: Sequence[Precision]

    def predict(self, precision: Precision, deployment: Deployment) -> Prediction:
        """What a deployment may reach of the incumbent if the changes that it combines multiply.

        Infinite where it is a single change of the hint of which nothing is known; minus infinite where it
        combines something unknown or something that failed, or a smaller batch has to come first.
        """
        parts = self._parts(deployment)
        effects = [effect for part in parts if (effect := self._effect(precision, part)) is not None]
        if len(effects) < len(parts):
            first = len(parts) == 1 and deployment.batch in (None, BATCHES[0])
            return Prediction(math.inf, math.inf) if first else Prediction(-math.inf, -math.inf)
        base = self.state.ratios.get(Candidate(precision, self.state.rules.meeting).name)
        expected = sum(effect.expected for effect in effects) + (math.log(base.value) if base else 0.0)
        margins = (
            effect.upper_bound - effect.expected for effect in effects if effect.upper_bound > -math.inf
        )
        return Prediction(expected, expected + math.hypot(*margins))

    def six_turns(self, deployment: Deployment) -> float:
        """Seconds they take at least, at the incumbent's rate; zero while nothing is known.

        In a turn all that is in flight is started three times, see :mod:`optguide.bench.loops`.
        """
        speed = self.state.speeds.get(self.state.incumbent.name)
        if speed is None:
            return 0.0
        streams, _, requests, batch = self.space.place(deployment)
        in_flight = streams * requests if requests else 1
        return MINIMUM_ROUNDS * 3 * in_flight * batch / speed.throughput.value

    def _parts(self, deployment: Deployment) -> list[Deployment]:
        """The single changes of the hint that a deployment combines."""
        hint = self.state.rules.hint.deployment
        if self.state.rules.goal == "latency" or deployment.requests is None:
            return [deployment]
        parts = []
        if deployment.streams is not None:
            parts.append(Deployment(streams=deployment.streams, threads=deployment.threads, requests=0))
        if deployment.requests:
            parts.append(replace(hint, requests=2 * self.space.own.streams))
        if deployment.batch is not None:
            parts.append(replace(hint, batch=deployment.batch))
        return parts

    def _effect(self, precision: Precision, part: Deployment) -> Prediction | None:
        """How much better a single change is than none; ``None`` where that is unknown.

        What is unknown in one precision is taken from another, and of a batch from the next smaller one.
        """
        ratios = self.state.ratios
        for other in dict.fromkeys((precision, *self.precisions)):
            changed, unchanged = Candidate(other, part), Candidate(other, self.state.rules.meeting)
            if changed.name in ratios and unchanged.name in ratios:
                ratio, base = ratios[changed.name], ratios[unchanged.name].value
                return Prediction(math.log(ratio.value / base), math.log(ratio.high / base))
            if self.state.is_seen(changed):
                return Prediction(-math.inf, -math.inf)
        smaller = [batch for batch in BATCHES if batch < (part.batch or 0)]
        return self._effect(precision, replace(part, batch=smaller[-1])) if smaller else None


class _Planner:
    """The race as it stands, and the candidates that each of its parts still needs."""

    def __init__(self, rounds: Sequence[RaceRound], context: SearchContext, left: float) -> None:
        self.rounds, self.context, self.rules, self.left = rounds, context, context.rules, left
        self.state = context.state(rounds)
        loaded = ((played.loading, len(played.speeds) * played.processes) for played in rounds)
        self.loading = min((seconds / starts for seconds, starts in loaded if starts), default=LOADING)
        self.predictor = Predictor(self.state, context.space, context.precisions)

    def screenings(self) -> Iterator[tuple[str, list[Candidate]]]:
        """What has not had its turn, by part of the race."""
        yield "precisions", self._unseen(self._openers())
        yield "deployments", self._deployments()
        yield "across", self._unseen(self._other_precisions())

    def screening(self, title: str, candidates: Sequence[Candidate]) -> RoundPlan | None:
        """The first round of candidates.

        Where time is ample it starts three processes of each. Then the intervals know how much processes of
        one variant differ, and need not allow for the largest spread that was ever seen.
        """
        count = min(AT_ONCE, self.context.fitting, 1 + len(candidates))
        thorough = SCREENING + MINIMUM_PROCESSES * self.loading
        if count * thorough <= AMPLE_SHARE * self.left:
            return self.plan(title, candidates, thorough, MINIMUM_PROCESSES)
        return self.plan(title, candidates, SCREENING + self.loading)

    def refinement(self) -> RoundPlan | None:
        """A longer round of the incumbent and those that more time could still change something for."""
        done = sum(race_round.title == "refinement" for race_round in self.rounds)
        candidates = open_candidates(self.rounds, self.context)
        if done >= len(REFINEMENT) or not candidates:
            return None
        for_limit = (self._for_limit(candidate) for candidate in candidates[:3])
        seconds = max(REFINEMENT[done], *(self.loading + needed for needed in for_limit))
        incumbent = self.state.incumbent
        rivals = [candidate for candidate in candidates if candidate != incumbent]
        if not rivals and incumbent.name in self.state.ratios:  # only the incumbent's limit is open
            return RoundPlan("refinement", (incumbent,), Budget(min(seconds, self.left), precision=1e-6))
        return self.plan("refinement", rivals, seconds)

    def plan(
        self, title: str, candidates: Sequence[Candidate], seconds: float, processes: int = 1
    ) -> RoundPlan | None:
        """As many of the candidates as there is room and time for, against the incumbent.

        :param seconds: per candidate, loading included; more where that is too little for six turns.
        :param processes: the least number of processes for each candidate.
        """
        incumbent = self.state.incumbent
        first = () if self.state.is_out(incumbent) else (incumbent,)  # a default that fails is not run again
        others = [candidate for candidate in candidates if candidate != incumbent]
        load = processes * self.loading
        seconds = max([seconds, *(load + _six_turns(played) for played in self.rounds)])
        room = min(AT_ONCE, self.context.fitting, int(self.left / seconds))
        chosen = (*first, *others[: max(0, room - len(first))])
        if room < 2 or not chosen or (len(chosen) == 1 and self.state.is_seen(chosen[0])):
            return None
        whole = sum(max(seconds, load + self.predictor.six_turns(c.deployment)) for c in chosen)
        return RoundPlan(title, chosen, Budget(whole, precision=PRECISION, processes=processes))

    def _openers(self) -> list[Candidate]:
        rules = self.rules
        precisions = [Candidate(precision, rules.meeting) for precision in self.context.precisions]
        if rules.goal == "latency":  # the hint is what OpenVINO does by itself
            return [rules.base, rules.default, *precisions, rules.hint]
        return [rules.base, rules.default, rules.hint, *precisions]

    def _unseen(self, candidates: Sequence[Candidate]) -> list[Candidate]:
        return [candidate for candidate in dict.fromkeys(candidates) if not self.state.is_seen(candidate)]

    def _deployments(self) -> list[Candidate]:
        """The incumbent's precision in new deployments: the unknown ones, then the most promising."""
        # Where the incumbent exceeds a limit, what is slower may be what keeps it.
        worth = -math.inf if self.state.limit_relation(self.state.incumbent) == "above" else math.log(FAR)
        predictions = {
            candidate: self.predictor.predict(candidate.precision, candidate.deployment)
            for candidate in self._unseen(self._of_incumbent())
            if self._is_affordable(candidate.deployment)
        }
        promising = [c for c, prediction in predictions.items() if prediction.upper_bound > worth]
        promising.sort(key=lambda candidate: -predictions[candidate].expected)
        unknown = promising and math.isinf(predictions[promising[0]].expected)
        if len(self.context.space.deployments) > LARGE and not unknown and self._is_settled():
            return []
        return promising

    def _of_incumbent(self) -> list[Candidate]:
        """The incumbent's precision in all deployments."""
        return [Candidate(self.state.incumbent.precision, d) for d in self.context.space.deployments]

    def _is_settled(self) -> bool:
        """Whether the last rounds of deployments have brought no new incumbent."""
        screened = [race_round for race_round in self.rounds if race_round.title == "deployments"]
        incumbents = [race_round.incumbent for race_round in screened[-PATIENCE - 1 :]]
        return len(incumbents) > PATIENCE and len(set(incumbents)) == 1

    def _is_affordable(self, deployment: Deployment) -> bool:
        """Whether six turns take a small part of the time that is left."""
        return self.predictor.six_turns(deployment) <= max(3 * SCREENING, COSTLY * self.left)

    def _other_precisions(self) -> list[Candidate]:
        """The best deployments so far, in the other precisions that came near."""
        measured = filter(self.state.value, self._of_incumbent())
        ranked = sorted(measured, key=self.state.value, reverse=True)
        near = [precision for precision in self.rules.precisions if self._is_near(precision)]
        return [Candidate(precision, best.deployment) for best in ranked[:2] for precision in near]

    def _is_near(self, precision: Precision) -> bool:
        state = self.state
        other = Candidate(precision, self.rules.meeting)
        incumbent = Candidate(state.incumbent.precision, self.rules.meeting)
        ratio, base = state.ratios.get(other.name), state.ratios.get(incumbent.name)
        if precision == state.incumbent.precision or ratio is None or base is None:
            return False
        return not state.same_resolved_configuration(other, incumbent) and ratio.high >= NEAR * base.value

    def _for_limit(self, candidate: Candidate) -> float:
        """Seconds that show a percentile, where the limit is open; at most a fifth of what is left."""
        limit = self.rules.limit
        if limit is None or self.state.limit_relation(candidate) != "undecided":
            return 0.0
        rate = self.state.speeds[candidate.name].throughput.value / (candidate.deployment.batch or 1)
        return min(1.5 * samples_needed(limit.percentile) / rate, self.left / 5)


def _six_turns(race_round: RaceRound) -> float:
    """Seconds that six turns of a candidate take, from a round that ended before; else zero."""
    if not is_void(race_round):
        return 0.0
    turns = race_round.session_rounds * len(race_round.failures)
    return 1.2 * MINIMUM_ROUNDS * (race_round.seconds - race_round.loading) / turns
