"""What the rounds so far say of every candidate, all of it against the current leader."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from optguide.optimize.candidate import Candidate
from optguide.optimize.outcome import RaceRound, Speed
from optguide.optimize.search.rules import Keeps, Rules
from optguide.stats.comparison import EQUIVALENT
from optguide.stats.estimate import MINIMUM_ROUNDS, Estimate, ratio_of_estimates

__all__ = ["RaceState", "inverse", "void"]

ITSELF = Estimate(1.0, 1.0, 1.0, "ratio", 0, "the leader itself")


@dataclass(frozen=True)
class RaceState:
    """The race so far, rebuilt from its rounds, so that a resumed run knows what an uninterrupted one does.

    :param leader: the current one.
    :param ratios: by name, how much better than the leader. Of a candidate that raced an earlier leader it is
        the product of two ratios, with both intervals in it.
    :param speeds: by name, from the last round.
    :param starts: by name, in how many rounds it took part, failures included.
    :param voids: rounds that ended before there was an interval.
    """

    rules: Rules
    incumbent: Candidate
    ratios: Mapping[str, Estimate] = field(default_factory=dict)
    speeds: Mapping[str, Speed] = field(default_factory=dict)
    starts: Mapping[str, int] = field(default_factory=dict)
    voids: int = 0

    @classmethod
    def of(cls, rounds: Sequence[RaceRound], rules: Rules, candidates: Iterable[Candidate]) -> RaceState:
        """Go through the rounds in order.

        :param candidates: every one that may have taken part.
        """
        named = {candidate.name: candidate for candidate in candidates}
        found = cls(rules, rules.base)
        for race_round in rounds:
            found = found._after(race_round, named)
        return found

    def _after(self, race_round: RaceRound, named: Mapping[str, Candidate]) -> RaceState:
        if (
            race_round.incumbent not in named
        ):  # its model is gone, or another version of OpenVINO takes other settings
            return self
        starts = dict(self.starts)
        if not void(race_round) or self.voids:  # once it may have been too short, twice it is the candidates
            for name in (*race_round.speeds, *race_round.failures):
                starts[name] = starts.get(name, 0) + 1
        if not race_round.speeds:
            return replace(self, starts=starts, voids=self.voids + void(race_round))
        known = self.ratios if race_round.incumbent == self.incumbent.name else self._carried_over(race_round)
        ratios = {**known, **race_round.ratios, race_round.incumbent: ITSELF}
        speeds = {**self.speeds, **race_round.speeds}
        return RaceState(self.rules, named[race_round.incumbent], ratios, speeds, starts, self.voids)

    def _carried_over(self, race_round: RaceRound) -> dict[str, Estimate]:
        """What is known of everybody, against the new leader."""
        deposed = race_round.ratios.get(self.incumbent.name)
        if deposed is None and race_round.incumbent in self.ratios:  # the old leader failed in this round
            deposed = inverse(self.ratios[race_round.incumbent])
        if deposed is None:
            return {}
        return {name: ratio_of_estimates(ratio, inverse(deposed)) for name, ratio in self.ratios.items()}

    def seen(self, candidate: Candidate) -> bool:
        """Whether it has had its turn, also if it failed."""
        return candidate.name in self.starts

    def keeps(self, candidate: Candidate) -> Keeps:
        """Whether it keeps the latency limit."""
        speed = self.speeds.get(candidate.name)
        return "open" if speed is None else self.rules.keeps(speed)

    def fastest_keeping(self, candidates: Iterable[Candidate]) -> Candidate | None:
        """The fastest of those that may win and are shown to keep the latency limit."""
        able = [
            one
            for one in candidates
            if self.rules.may_win(one) and one.name in self.ratios and self.keeps(one) == "kept"
        ]
        return max(able, key=lambda one: self.ratios[one.name].value, default=None)

    def same_resolved_configuration(self, a: Candidate, b: Candidate) -> bool:
        """Whether the device made exactly the same of two candidates."""
        model = ({"f32": "default"}.get(c.precision, c.precision) for c in (a, b))
        if len(set(model)) > 1 or a.deployment.batch != b.deployment.batch:
            return False
        found = [_resolved(self.speeds[c.name]) if c.name in self.speeds else {} for c in (a, b)]
        return bool(found[0]) and found[0] == found[1]

    def out(self, candidate: Candidate) -> bool:
        """Whether it has lost: it failed, exceeds the limit, or its interval excludes a win.

        While it is open whether the leader keeps a limit, nobody has lost by being slower than it.
        """
        name = candidate.name
        if name not in self.ratios:
            return self.seen(candidate)
        if candidate == self.incumbent:
            return False
        if self.keeps(candidate) == "exceeded":
            return True
        return self.ratios[name].high < 1 and self.keeps(self.incumbent) == "kept"

    def equals(self, candidate: Candidate) -> bool:
        """Whether it cannot be told from the leader and is shown to be at most 2 % worse."""
        if self.same_resolved_configuration(candidate, self.incumbent):
            return True
        ratio = self.ratios.get(candidate.name)
        return ratio is not None and ratio.low >= 1 - EQUIVALENT and ratio.high >= 1

    def open(self, candidate: Candidate) -> bool:
        """Whether more time could still change something for a candidate that has had a turn.

        It seems to be better than the leader and may be so by more than the 2 % that are called no
        difference, or it is simpler and seems to be as good, or it is open whether it keeps the limit.
        """
        name = candidate.name
        if name not in self.ratios or self.out(candidate) or not self.rules.may_win(candidate):
            return False
        if self.keeps(candidate) == "open":
            return True
        if candidate == self.incumbent or self.same_resolved_configuration(candidate, self.incumbent):
            return False
        ratio = self.ratios[name]
        if ratio.value >= 1 and ratio.high > 1 + EQUIVALENT:
            return True
        plainer = self.rules.simplicity(candidate) < self.rules.simplicity(self.incumbent)
        return plainer and ratio.value >= 1 - EQUIVALENT and not self.equals(candidate)


def void(race_round: RaceRound) -> bool:
    """Whether a round was too short for candidates as slow as these."""
    return not race_round.speeds and 0 < race_round.session_rounds < MINIMUM_ROUNDS


def inverse(ratio: Estimate) -> Estimate:
    """The leader against the candidate, from the candidate against the leader."""
    return replace(ratio, value=1 / ratio.value, low=1 / ratio.high, high=1 / ratio.low)


def _resolved(speed: Speed) -> dict[str, str]:
    """What the device made of the properties, less what only says how it was asked."""
    return {key: value for key, value in speed.effective.items() if key != "PERFORMANCE_HINT"}
