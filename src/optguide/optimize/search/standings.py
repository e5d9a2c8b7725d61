"""Who won, and why every other candidate lost: a status and one sentence with the numbers that decided it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from optguide import format as text
from optguide.optimize.candidate import MEASURES, PRECISIONS, Candidate
from optguide.optimize.outcome import CONFIRMATION, Artifact, RaceRound, Standing, Status
from optguide.optimize.search.race_state import RaceState, Rules, inverse
from optguide.stats.comparison import EQUIVALENT
from optguide.stats.estimate import Estimate, ratio_of_estimates

STRETCH = 1.6
"""How much wider an interval has to be for the best of some thirty comparisons: Bonferroni's correction, by
the quantiles of the normal distribution."""

Reason = tuple[Status, str]


@dataclass(frozen=True)
class Judgement:
    """Who won and how every candidate fared, by what was measured.

    :param candidates: all of the run, see :func:`optguide.optimize.search.planning.entrants`.
    :param deployed: candidates whose answers were checked in their own settings, by name.
    """

    candidates: Sequence[Candidate]
    rounds: Sequence[RaceRound]
    artifacts: Sequence[Artifact]
    rules: Rules
    deployed: Mapping[str, Artifact] = field(default_factory=dict)

    @cached_property
    def state(self) -> RaceState:
        """What the rounds say."""
        return RaceState.of(self.rounds, self.rules, self.candidates)

    @cached_property
    def winner(self) -> Candidate:
        """That of the confirmation run.

        Without one, as in a run that was interrupted, it is the race's incumbent if it is better than the
        hint, or the hint if that is better than the default, by so much that choosing it among many does not
        explain it; otherwise it is the default. Where that one is not shown to keep the latency limit, the
        fastest that is takes its place.
        """
        winner = self.state.incumbent if self._decided else self._beyond_luck()
        if self.state.limit_relation(winner) == "inside":
            return winner
        return self.state.fastest_within_limit(self.candidates) or winner

    @cached_property
    def confirmed(self) -> bool:
        """Whether the winner is that of a confirmation run."""
        return self._decided and self.winner == self.state.incumbent

    @cached_property
    def met(self) -> bool | None:
        """Whether the winner is shown to keep the latency limit; ``None`` without one."""
        if self.rules.limit is None:
            return None
        return self.state.limit_relation(self.winner) == "inside" and self.winner.name in self.state.speeds

    @cached_property
    def closest(self) -> str:
        """Of those that may win, the one with the lowest latency at the highest percentile that all have.

        Empty unless there is a limit that none is shown to keep, and where nothing was measured.
        """
        limit, speeds = self.rules.limit, self.state.speeds
        eligible = [c.name for c in self.candidates if self.rules.may_win(c) and c.name in speeds]
        if limit is None or self.met or not eligible:
            return ""
        shared = set.intersection(*(set(speeds[name].latency) for name in eligible))
        usable = [int(name[1:]) for name in shared if int(name[1:]) <= limit.percentile]
        return min(eligible, key=lambda n: speeds[n].latency[f"p{max(usable)}"].value) if usable else ""

    @cached_property
    def same(self) -> tuple[str, ...]:
        """Names of the others that the device resolves to the winner's configuration."""
        return tuple(c.name for c in self.candidates if c != self.winner and self._is_same(c))

    @cached_property
    def standings(self) -> tuple[Standing, ...]:
        """The winner first, then the others from the fastest to those never measured."""
        others = [self._standing(candidate) for candidate in self.candidates if candidate != self.winner]
        others.sort(key=lambda standing: -self._rank(standing.candidate))
        speed = self.state.speeds.get(self.winner.name)
        return (Standing(self.winner, "winner", self._victory(), speed), *others)

    @cached_property
    def _decided(self) -> bool:
        """Whether there was a confirmation run, whose incumbent still may win."""
        last = self.rounds[-1] if self.rounds else None
        if last is None or last.title != CONFIRMATION:
            return False
        return last.incumbent in last.speeds and last.incumbent == self.state.incumbent.name

    def _is_same(self, candidate: Candidate) -> bool:
        return self.state.same_resolved_configuration(candidate, self.winner)

    def _beyond_luck(self) -> Candidate:
        """The race's incumbent, the hint or the default: the first that beats the next beyond luck.

        An incumbent that is the best of many looks better than it is.
        """
        rules, incumbent = self.rules, self.state.incumbent
        has_hint = rules.may_win(rules.hint) and rules.hint.name in self.state.ratios
        simpler = [rules.hint, rules.base] if has_hint else [rules.base]
        if incumbent not in simpler and all(self._beats(incumbent, other) for other in simpler):
            return incumbent
        leads = incumbent != rules.base and has_hint and self._beats(rules.hint, rules.base)
        return rules.hint if leads else rules.base

    def _beats(self, candidate: Candidate, simpler: Candidate) -> bool:
        """Whether it beats a simpler one by more than the luck of the best of many, or that one fails."""
        state = self.state
        if state.limit_relation(simpler) == "above" or state.same_resolved_configuration(candidate, simpler):
            return state.limit_relation(simpler) == "above"
        ratio, own = state.ratios.get(simpler.name), state.ratios.get(candidate.name)
        if ratio is None or own is None:
            return own is not None and simpler.name not in state.speeds and state.is_seen(simpler)
        against = _carried(ratio, own)
        return math.log(against.value) + STRETCH * math.log(against.high / against.value) < 0

    def _paired(self, candidate: Candidate) -> tuple[Estimate | None, str]:
        """How much better it is than whom, in the last session in which it can be told."""
        name, winner = candidate.name, self.winner.name
        for race_round in reversed(self.rounds):
            if name in race_round.ratios:
                return race_round.ratios[name], race_round.incumbent
            if name == race_round.incumbent and winner in race_round.ratios:
                return inverse(race_round.ratios[winner]), winner
        return None, ""

    def _standing(self, candidate: Candidate) -> Standing:
        status, why = self._status(candidate)
        speed = self.state.speeds.get(candidate.name)
        if self._is_same(candidate):
            return Standing(candidate, status, why, speed)  # a ratio would be that of a thing with itself
        return Standing(candidate, status, why, speed, *self._paired(candidate))

    def _rank(self, candidate: Candidate) -> float:
        ratio = self.state.ratios.get(candidate.name)
        return ratio.value if ratio else -1.0 if self.state.is_seen(candidate) else -2.0

    def _better(self, ratio: Estimate) -> str:
        return f"{text.estimate(ratio)} {MEASURES[self.rules.goal]}"

    def _victory(self) -> str:
        rules, state, winner = self.rules, self.state, self.winner
        if not state.speeds:
            return "Nothing was measured, so what OpenVINO does by itself stays."
        base = rules.base.name
        if winner == rules.base:
            return self._stays()
        if base not in state.ratios:
            return f"It runs, and {base} does not."
        gain = inverse(_carried(state.ratios[base], state.ratios[winner.name]))
        if gain.low > 1:
            return f"It is {self._better(gain)} {base}."
        relation = state.limit_relation(rules.base)
        if state.limit_relation(winner) == "inside" != relation:
            shown = "exceeds" if relation == "above" else "is not shown to keep"
            return f"It keeps the latency limit, which {base} {shown}."
        return f"It led the race, in which it came to {self._better(gain)} {base}."

    def _stays(self) -> str:
        """Why what needs no search wins."""
        rules, state = self.rules, self.state
        base = "what OpenVINO does by itself" if rules.base == rules.default else rules.base.name
        if rules.limit is not None and state.limit_relation(state.incumbent) != "inside":
            return "Nothing that is faster is shown to keep the latency limit."
        if state.incumbent != self.winner:
            return f"Nothing was confirmed to be better than {base}."
        eligible = tuple(f"{PRECISIONS[precision]}, " for precision in rules.precisions)
        if any(ratio.low > 1 for name, ratio in state.ratios.items() if name.startswith(eligible)):
            return f"What is better than {base} is so by less than 2 %, which counts as no difference."
        return f"Nothing was shown to be better than {base}."

    def _status(self, candidate: Candidate) -> Reason:
        if candidate.name in self.rules.rejected:
            return _not_right(self.deployed.get(candidate.name), " in these settings")
        artifact = next((a for a in self.artifacts if a.precision == candidate.precision), None)
        reason: Reason
        if artifact is not None and artifact.why_not:
            reason = "failed", artifact.why_not
        elif not self.rules.may_win(candidate):
            reason = _not_right(artifact)
        elif candidate.name not in self.state.speeds:
            return self._not_measured(candidate)
        else:
            return self._over_limit(candidate) or self._raced(candidate)
        # The status of a whole precision is told where it was measured, or else at the simplest deployment.
        stands_for_it = candidate.deployment == self.rules.default.deployment
        return (reason[0] if self.state.is_seen(candidate) or stands_for_it else "not tried"), reason[1]

    def _not_measured(self, candidate: Candidate) -> Reason:
        for race_round in reversed(self.rounds):
            if candidate.name in race_round.failures:
                return "failed", race_round.failures[candidate.name]
        prefix = f"{PRECISIONS[candidate.precision]}, "
        if not any(name.startswith(prefix) for name in self.state.speeds):
            return "not tried", "The race ended before its precision had a turn."
        return "not tried", "What it is made of promised too little, or the race ended before its turn."

    def _over_limit(self, candidate: Candidate) -> Reason | None:
        limit, relation = self.rules.limit, self.state.limit_relation(candidate)
        if limit is None or relation == "inside":
            return None
        latency, name = self.state.speeds[candidate.name].latency, f"p{limit.percentile}"
        bound = f"{text.quantity(limit.milliseconds, 'ms')} is the limit of {name}"
        if relation == "above":
            over = (p for p in latency if latency[p].low > limit.milliseconds)
            shown = name if name in latency else min(over, key=lambda p: int(p[1:]))
            return "over the latency limit", f"Its {shown} is {text.estimate(latency[shown])}; {bound}."
        known = f"Its {name} is {text.estimate(latency[name])}" if name in latency else ""
        return "latency limit not shown", f"{known or f'It ran too few times to tell its {name}'}; {bound}."

    def _raced(self, candidate: Candidate) -> Reason:
        """Slower, or not shown to be faster."""
        state, rules, winner = self.state, self.rules, self.winner
        if self._is_same(candidate):
            simpler = ", which is simpler" if rules.simplicity(winner) < rules.simplicity(candidate) else ""
            same = f"The device resolves it to the same configuration as {winner.name}{simpler}."
            return "not distinguishable", same
        ratio, against = self._paired(candidate)
        overall = state.ratios.get(candidate.name)
        if ratio is None or overall is None:
            return "not distinguishable", "It met nobody with whom it could be compared."
        met = f"It is {self._better(ratio)} {against}"
        if ratio.high < 1:
            return "slower", f"{met}."
        if overall.high < 1 and state.incumbent == winner and against != winner.name:
            return "slower", f"{met}, which {winner.name} beats by more."
        if ratio.low > 1 and against == winner.name:
            return "not distinguishable", f"{met}: {self._not_enough(ratio)}."
        never = "" if against == winner.name else f"; it never met {winner.name}"
        return "not distinguishable", f"{met}{never}: nothing shows that it is better."

    def _not_enough(self, ratio: Estimate) -> str:
        """Why being better than the winner did not count."""
        if not self._decided:
            return "the best of many looks better than it is, and no confirmation run has shown it"
        if ratio.high <= 1 + EQUIVALENT:
            return "less than 2 % count as no difference"
        return "the confirmation run did not bear it out"


def _not_right(artifact: Artifact | None, where: str = "") -> Reason:
    if artifact is not None and artifact.why_not:
        return "accuracy not shown" if artifact.is_unchecked else "too inaccurate", artifact.why_not
    quality = artifact.quality if artifact else None
    if quality is None or quality.loss is None or quality.kept in ("kept", "not judged"):
        return "accuracy not shown", "Nothing judged how right its answers are."
    loss = quality.loss
    numbers = f"It loses {text.estimate(loss)} of {quality.metric}{' (a proxy)' * quality.proxy}{where}"
    allowed = f"{text.quantity(quality.limit, loss.unit)} is allowed"
    if quality.kept == "exceeded":
        return "too inaccurate", f"{numbers}, and {allowed}."
    return "accuracy not shown", f"{numbers}, too uncertain where {allowed}."


def _carried(base: Estimate, winner: Estimate) -> Estimate:
    """How the base does against the winner, from what both do against the incumbent."""
    return base if winner.low == winner.high == 1 else ratio_of_estimates(base, winner)
