"""What the heats so far say of every candidate, all of it against the current leader."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from optguide.optimize.candidate import Candidate
from optguide.optimize.outcome import Heat, Speed
from optguide.optimize.search.rules import Keeps, Rules
from optguide.stats.comparison import EQUIVALENT
from optguide.stats.estimate import MINIMUM_ROUNDS, Estimate, ratio_of_estimates

__all__ = ["Ledger", "inverse", "void"]

ITSELF = Estimate(1.0, 1.0, 1.0, "ratio", 0, "the leader itself")


@dataclass(frozen=True)
class Ledger:
    """The race so far, rebuilt from its heats, so that a resumed run knows what an uninterrupted one does.

    :param leader: the current one.
    :param ratios: by name, how much better than the leader. Of a candidate that raced an earlier leader it is
        the product of two ratios, with both intervals in it.
    :param speeds: by name, from the last heat.
    :param starts: by name, in how many heats it took part, failures included.
    :param voids: heats that ended before there was an interval.
    """

    rules: Rules
    leader: Candidate
    ratios: Mapping[str, Estimate] = field(default_factory=dict)
    speeds: Mapping[str, Speed] = field(default_factory=dict)
    starts: Mapping[str, int] = field(default_factory=dict)
    voids: int = 0

    @classmethod
    def of(cls, heats: Sequence[Heat], rules: Rules, candidates: Iterable[Candidate]) -> Ledger:
        """Go through the heats in order.

        :param candidates: every one that may have taken part.
        """
        named = {candidate.name: candidate for candidate in candidates}
        found = cls(rules, rules.base)
        for heat in heats:
            found = found._after(heat, named)
        return found

    def _after(self, heat: Heat, named: Mapping[str, Candidate]) -> Ledger:
        if heat.leader not in named:  # its model is gone, or another version of OpenVINO takes other settings
            return self
        starts = dict(self.starts)
        if not void(heat) or self.voids:  # once it may have been too short, twice it is the candidates
            for name in (*heat.speeds, *heat.failures):
                starts[name] = starts.get(name, 0) + 1
        if not heat.speeds:
            return replace(self, starts=starts, voids=self.voids + void(heat))
        known = self.ratios if heat.leader == self.leader.name else self._carried_over(heat)
        ratios = {**known, **heat.ratios, heat.leader: ITSELF}
        speeds = {**self.speeds, **heat.speeds}
        return Ledger(self.rules, named[heat.leader], ratios, speeds, starts, self.voids)

    def _carried_over(self, heat: Heat) -> dict[str, Estimate]:
        """What is known of everybody, against the new leader."""
        deposed = heat.ratios.get(self.leader.name)
        if deposed is None and heat.leader in self.ratios:  # the old leader failed in this heat
            deposed = inverse(self.ratios[heat.leader])
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

    def twins(self, a: Candidate, b: Candidate) -> bool:
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
        if candidate == self.leader:
            return False
        if self.keeps(candidate) == "exceeded":
            return True
        return self.ratios[name].high < 1 and self.keeps(self.leader) == "kept"

    def equals(self, candidate: Candidate) -> bool:
        """Whether it cannot be told from the leader and is shown to be at most 2 % worse."""
        if self.twins(candidate, self.leader):
            return True
        ratio = self.ratios.get(candidate.name)
        return ratio is not None and ratio.low >= 1 - EQUIVALENT and ratio.high >= 1

    def open(self, candidate: Candidate) -> bool:
        """Whether more time could still change something for a candidate that has had a turn.

        It seems to be better than the leader and may be so by more than the 2 % that are called no
        difference, or it is plainer and seems to be as good, or it is open whether it keeps the limit.
        """
        name = candidate.name
        if name not in self.ratios or self.out(candidate) or not self.rules.may_win(candidate):
            return False
        if self.keeps(candidate) == "open":
            return True
        if candidate == self.leader or self.twins(candidate, self.leader):
            return False
        ratio = self.ratios[name]
        if ratio.value >= 1 and ratio.high > 1 + EQUIVALENT:
            return True
        plainer = self.rules.plainness(candidate) < self.rules.plainness(self.leader)
        return plainer and ratio.value >= 1 - EQUIVALENT and not self.equals(candidate)


def void(heat: Heat) -> bool:
    """Whether a heat was too short for candidates as slow as these."""
    return not heat.speeds and 0 < heat.rounds < MINIMUM_ROUNDS


def inverse(ratio: Estimate) -> Estimate:
    """The leader against the candidate, from the candidate against the leader."""
    return replace(ratio, value=1 / ratio.value, low=1 / ratio.high, high=1 / ratio.low)


def _resolved(speed: Speed) -> dict[str, str]:
    """What the device made of the properties, less what only says how it was asked."""
    return {key: value for key, value in speed.effective.items() if key != "PERFORMANCE_HINT"}
