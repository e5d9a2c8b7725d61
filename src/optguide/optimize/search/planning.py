"""What the race does next, as a function of what it has measured.

First every precision in the same deployment, then deployments of the precision that leads, then the best of
these with the other precisions that came near, and in the end longer heats of those that are still open.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace

from optguide.bench.session import Budget
from optguide.optimize.candidate import Candidate, Deployment, Precision
from optguide.optimize.outcome import Heat
from optguide.optimize.search.heats import Field, Lineup
from optguide.optimize.search.ledger import Ledger, void
from optguide.optimize.search.promise import Promise
from optguide.optimize.search.proposing import propose
from optguide.optimize.search.rules import Rules
from optguide.optimize.search.space import ENUMERATED
from optguide.stats.estimate import MINIMUM_ROUNDS, samples_needed

__all__ = ["entrants", "next_heat", "open_candidates"]

SCREENING = 1.2
"""Seconds of measuring per candidate in its first heat: six rounds of 0.2 s, the fewest with an interval."""

FINALISTS = (3.0, 6.0, 12.0)
"""Seconds of measuring per candidate in heats of those that are still open, one after the other."""

PRECISION = 0.01
"""Half-width of the intervals at which a heat ends before its time."""

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
"""The optimizer gets no further heats after so many without a new leader."""

PRECISIONS, DEPLOYMENTS, ACROSS, OPEN = "precisions", "deployments", "across", "finalists"


def entrants(field: Field, rules: Rules) -> tuple[Candidate, ...]:
    """Every candidate that may take part: all precisions in all deployments."""
    precisions = dict.fromkeys((rules.default.precision, *rules.precisions, *field.exhibits))
    ways = dict.fromkeys((rules.default.deployment, rules.hint.deployment, *field.space.deployments))
    return tuple(Candidate(precision, way) for precision in precisions for way in ways)


def next_heat(
    heats: Sequence[Heat], field: Field, rules: Rules, *, left: float, of: float, seed: int
) -> Lineup | None:
    """The heat to come; ``None`` where nothing is open or the time does not suffice for another.

    :param left: seconds that are left of the ``of`` seconds for the race.
    """
    plan = _Plan(heats, field, rules, left, seed)
    if left > RESERVED * of:
        for title, found in plan.screenings():
            if found:
                return plan.heat(title, found, SCREENING)
    return plan.finalists()


def open_candidates(heats: Sequence[Heat], field: Field, rules: Rules) -> list[Candidate]:
    """Those that more time could still change something for, the best first."""
    entered = entrants(field, rules)
    ledger = Ledger.of(heats, rules, entered)
    return sorted((c for c in entered if ledger.open(c)), key=lambda c: -_value(ledger, c))


class _Plan:
    """The race as it stands, and the candidates that each of its parts still wants."""

    def __init__(self, heats: Sequence[Heat], field: Field, rules: Rules, left: float, seed: int) -> None:
        self.heats, self.field, self.rules, self.left, self.seed = heats, field, rules, left, seed
        self.ledger = Ledger.of(heats, rules, entrants(field, rules))
        self.promise = Promise(self.ledger, field.space, self._precisions())

    def screenings(self) -> Iterator[tuple[str, list[Candidate]]]:
        """What has not had its turn, by part of the race."""
        yield PRECISIONS, self._unseen(self._openers())
        precision = self.ledger.leader.precision
        yield DEPLOYMENTS, [Candidate(precision, way) for way in self._ways(precision)]
        yield ACROSS, self._unseen(self._others())

    def heat(self, title: str, wanted: Sequence[Candidate], seconds: float) -> Lineup | None:
        """As many of those wanted as there is room and time for, against the leader.

        :param seconds: of measuring per candidate, more where that is too little for six turns.
        """
        leader = self.ledger.leader
        first = () if self.ledger.out(leader) else (leader,)  # a default that does not run is not asked again
        others = [candidate for candidate in wanted if candidate != leader]
        seconds = max(seconds, *map(_six_turns, self.heats), 0.0)
        room = min(self.field.at_once, int(self.left / (seconds + self._loading())))
        candidates = (*first, *others[: max(0, room - len(first))])
        if room < 2 or not candidates or (len(candidates) == 1 and self.ledger.seen(candidates[0])):
            return None
        whole = sum(max(seconds, self.promise.six_turns(candidate.deployment)) for candidate in candidates)
        if title != OPEN:  # a longer session would replace its processes, which triples its rounds
            whole = max(whole / 2, min(whole, (MINIMUM_ROUNDS - 1) * len(candidates) * self._loading() * 0.9))
        return self._lineup(title, candidates, Budget(whole, precision=PRECISION))

    def _loading(self) -> float:
        """Seconds to start the process of a candidate."""
        known = [heat for heat in self.heats if heat.speeds]
        return known[-1].loading / len(known[-1].speeds) if known else LOADING

    def _lineup(self, title: str, candidates: tuple[Candidate, ...], budget: Budget) -> Lineup:
        return Lineup(title, candidates, budget, seed=self.seed + len(self.heats))

    def _openers(self) -> list[Candidate]:
        precisions = [Candidate(precision, self.rules.meeting) for precision in self._precisions()]
        if self.rules.goal == "latency":  # the hint is what OpenVINO does by itself
            return [self.rules.base, self.rules.default, *precisions, self.rules.hint]
        return [self.rules.base, self.rules.default, self.rules.hint, *precisions]

    def _precisions(self) -> tuple[Precision, ...]:
        return (*self.rules.precisions, *self.field.exhibits)

    def _unseen(self, candidates: Sequence[Candidate]) -> list[Candidate]:
        return [candidate for candidate in dict.fromkeys(candidates) if not self.ledger.seen(candidate)]

    def _ways(self, precision: Precision) -> list[Deployment]:
        """Deployments to try next in a precision: what nothing is known of, then the most promising."""
        space = self.field.space
        named = {way: Candidate(precision, way) for way in space.deployments}
        tried = {way: named[way].name for way in named if self.ledger.seen(named[way])}
        hopes = {way: self.promise.hope(precision, way) for way in named if way not in tried}
        # Where the leader exceeds a limit, what is slower may be what keeps it.
        worth = -math.inf if self.ledger.keeps(self.ledger.leader) == "exceeded" else math.log(FAR)
        untried = [way for way, hope in hopes.items() if hope.at_best > worth and self._affordable(way)]
        untried.sort(key=lambda way: -hopes[way].expected)
        if len(named) <= ENUMERATED or (untried and math.isinf(hopes[untried[0]].expected)):
            return untried
        if self._settled():
            return []
        ratios = self.ledger.ratios
        known = {
            way: math.log(ratios[name].value) if name in ratios else math.nan for way, name in tried.items()
        }
        left = replace(space, deployments=(*tried, *untried))
        return [*propose(left, known, self.field.at_once - 1, seed=self.seed + len(self.heats))]

    def _settled(self) -> bool:
        """Whether the last heats of deployments have brought no new leader."""
        leaders = [heat.leader for heat in self.heats if heat.title == DEPLOYMENTS][-PATIENCE - 1 :]
        return len(leaders) > PATIENCE and len(set(leaders)) == 1

    def _affordable(self, way: Deployment) -> bool:
        """Whether six turns take a small part of the time that is left."""
        return self.promise.six_turns(way) <= max(3 * SCREENING, COSTLY * self.left)

    def _others(self) -> list[Candidate]:
        """The best deployments found, in the other precisions that came near."""
        leader = self.ledger.leader.precision
        values = {way: _value(self.ledger, Candidate(leader, way)) for way in self.field.space.deployments}
        ranked = sorted((way for way in values if values[way]), key=lambda way: -values[way])
        near = [precision for precision in self.rules.precisions if self._near(precision)]
        return [Candidate(precision, way) for way in ranked[:2] for precision in near]

    def _near(self, precision: Precision) -> bool:
        leader = self.ledger.leader
        there = Candidate(precision, self.rules.meeting)
        here = Candidate(leader.precision, self.rules.meeting)
        own, other = self.ledger.ratios.get(there.name), self.ledger.ratios.get(here.name)
        if precision == leader.precision or own is None or other is None or self.ledger.twins(there, here):
            return False
        return own.high >= NEAR * other.value

    def finalists(self) -> Lineup | None:
        """A longer heat of the leader and those that more time could still change something for."""
        done = sum(heat.title == OPEN for heat in self.heats)
        open_ = open_candidates(self.heats, self.field, self.rules)
        if done >= len(FINALISTS) or not open_:
            return None
        seconds = max(FINALISTS[done], *(self._for_limit(candidate) for candidate in open_[:3]), 0.0)
        leader = self.ledger.leader
        rivals = [candidate for candidate in open_ if candidate != leader]
        if not rivals and leader.name in self.ledger.ratios:  # only the leader's limit is open
            return self._lineup(OPEN, (leader,), Budget(min(seconds, self.left), precision=1e-6))
        return self.heat(OPEN, rivals, seconds)

    def _for_limit(self, candidate: Candidate) -> float:
        """Seconds that show a percentile, where the limit is open; at most a fifth of what is left."""
        if self.rules.limit is None or self.ledger.keeps(candidate) != "open":
            return 0.0
        rate = self.ledger.speeds[candidate.name].throughput.value / (candidate.deployment.batch or 1)
        return min(1.5 * samples_needed(self.rules.limit.percentile) / rate, self.left / 5)


def _value(ledger: Ledger, candidate: Candidate) -> float:
    ratio = ledger.ratios.get(candidate.name)
    return 0.0 if ratio is None or ledger.keeps(candidate) == "exceeded" else ratio.value


def _six_turns(heat: Heat) -> float:
    """Seconds that six turns of a candidate take, from a heat that ended before it had as many; else zero."""
    if not void(heat):
        return 0.0
    return 1.2 * MINIMUM_ROUNDS * (heat.seconds - heat.loading) / (heat.rounds * len(heat.failures))
