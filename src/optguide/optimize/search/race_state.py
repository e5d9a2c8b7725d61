"""What decides between candidates, and what the rounds of a race so far say of each of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from optguide.bench.load import LatencyLimit
from optguide.bench.validity import resolved
from optguide.optimize.candidate import PINNED, PRECISIONS, Candidate, Deployment, Goal, Precision
from optguide.optimize.outcome import Artifact, RaceRound, Speed
from optguide.stats.comparison import EQUIVALENT
from optguide.stats.estimate import MINIMUM_ROUNDS, Estimate, Relation, ratio_of_estimates

ITSELF = Estimate(1.0, 1.0, 1.0, "ratio", 0, "the incumbent itself")

_CAUTION = tuple(PRECISIONS)


@dataclass(frozen=True)
class Rules:
    """What a race is about.

    :param rejected: names of candidates whose answers are wrong in their own settings.
    """

    goal: Goal
    default: Candidate
    hint: Candidate
    precisions: tuple[Precision, ...] = ("default",)
    limit: LatencyLimit | None = None
    rejected: frozenset[str] = frozenset()

    def may_win(self, candidate: Candidate) -> bool:
        """Whether its answers are as right as they have to be, as far as they have been judged."""
        return candidate.precision in self.precisions and candidate.name not in self.rejected

    @property
    def base(self) -> Candidate:
        """What wins unless another is shown better: the default, where that may win."""
        by_caution = sorted(self.precisions, key=_CAUTION.index)
        candidates = [self.default, *(Candidate(p, self.default.deployment) for p in by_caution)]
        return next(filter(self.may_win, candidates), self.default)

    @property
    def meeting(self) -> Deployment:
        """The deployment in which precisions meet first: the hint, which for latency is the default."""
        return (self.default if self.goal == "latency" else self.hint).deployment

    def simplicity(self, candidate: Candidate) -> tuple[bool, int, int, str]:
        """Sorts the simpler of two candidates first: fewer risks, then fewer settings."""
        return (
            candidate != self.base,
            _CAUTION.index(candidate.precision),
            candidate.deployment.settings,
            candidate.name,
        )

    def limit_relation(self, speed: Speed) -> Relation:
        """How the latency of a candidate lies to the limit, by the whole interval: ``inside`` keeps it.

        Where there are too few samples for the percentile, a lower one can still show that it is ``above``.
        """
        if self.limit is None:
            return "inside"
        milliseconds = self.limit.milliseconds
        latency = speed.latency.get(f"p{self.limit.percentile}")
        if latency is not None and latency.relation(high=milliseconds) == "inside":
            return "inside"
        lower = (name for name in speed.latency if int(name[1:]) <= self.limit.percentile)
        above = any(speed.latency[name].relation(high=milliseconds) == "above" for name in lower)
        return "above" if above else "undecided"


def may_win(artifact: Artifact, *, unproven: bool = False) -> bool:
    """Whether a precision may win by what is known of its answers.

    :param unproven: accept a loss that is measured within the limit although its interval is not.
    """
    if not artifact.file or artifact.why_not:
        return False
    quality = artifact.quality
    if artifact.precision in ("f32", "default"):
        # The original, and what the reader has anyway: evidence is asked for to leave them, not to keep them.
        return quality is None or quality.kept != "exceeded"
    if quality is None:
        return False
    if quality.kept == "open" and unproven and quality.loss is not None:
        return quality.loss.value <= quality.limit
    return quality.kept == "kept"


def is_rejected(checked: Artifact, judged: Artifact | None, *, unproven: bool = False) -> bool:
    """Whether the answers of a candidate in its own settings keep it from winning.

    A check that time cut short has only to agree: the loss that it measured is within the limit.

    :param checked: the candidate's precision, evaluated in the candidate's settings.
    :param judged: the same precision as it was evaluated before the race.
    """
    quality, earlier = checked.quality, judged.quality if judged is not None else None
    if quality and quality.loss and earlier and quality.value.n < earlier.value.n:
        return quality.loss.value > quality.limit
    return not may_win(checked, unproven=unproven)


@dataclass(frozen=True)
class RaceState:
    """The race so far, rebuilt from its rounds, so that a resumed run knows what an uninterrupted one does.

    :param ratios: by name, how much better than the incumbent. Of a candidate that raced an earlier incumbent
        it is the product of two ratios, with both intervals in it.
    :param seen: names of those that had their turn, also if they failed.
    :param voids: rounds that ended before there was an interval.
    """

    rules: Rules
    incumbent: Candidate
    ratios: Mapping[str, Estimate] = field(default_factory=dict)
    speeds: Mapping[str, Speed] = field(default_factory=dict)
    seen: frozenset[str] = frozenset()
    voids: int = 0

    @classmethod
    def of(cls, rounds: Sequence[RaceRound], rules: Rules, candidates: Iterable[Candidate]) -> RaceState:
        """Go through the rounds in order."""
        by_name = {candidate.name: candidate for candidate in candidates}
        state = cls(rules, rules.base)
        for race_round in rounds:
            # A model may be gone, and another version of OpenVINO takes other settings.
            if race_round.incumbent in by_name:
                state = state._after(race_round, by_name[race_round.incumbent])
        return state._led_by_eligible(by_name.values())

    def _led_by_eligible(self, candidates: Iterable[Candidate]) -> RaceState:
        """The same with the next best as incumbent, where the answers of the incumbent turned out wrong."""
        if self.rules.may_win(self.incumbent):
            return self
        eligible = [c for c in candidates if c.name in self.ratios and self.rules.may_win(c)]
        within = [c for c in eligible if self.limit_relation(c) != "above"] or eligible
        if not within:
            return replace(self, incumbent=self.rules.base, ratios={})
        following = max(within, key=lambda candidate: self.ratios[candidate.name].value)
        ahead = self.ratios[following.name]
        ratios = {name: ratio_of_estimates(ratio, ahead) for name, ratio in self.ratios.items()}
        return replace(self, incumbent=following, ratios={**ratios, following.name: ITSELF})

    def _after(self, race_round: RaceRound, incumbent: Candidate) -> RaceState:
        had_turn = self.seen
        if not is_void(race_round) or self.voids:  # once it may have been too short, twice it is they
            had_turn |= race_round.speeds.keys() | race_round.failures.keys()
        if not race_round.speeds:
            return replace(self, seen=had_turn, voids=self.voids + is_void(race_round))
        ratios = self.ratios if incumbent == self.incumbent else self._carried_over(race_round)
        return replace(
            self,
            incumbent=incumbent,
            ratios={**ratios, **race_round.ratios, incumbent.name: ITSELF},
            speeds={**self.speeds, **race_round.speeds},
            seen=had_turn,
        )

    def _carried_over(self, race_round: RaceRound) -> dict[str, Estimate]:
        """What is known of everybody, against the new incumbent."""
        deposed = race_round.ratios.get(self.incumbent.name)
        if deposed is None and race_round.incumbent in self.ratios:  # the old one failed in this round
            deposed = inverse(self.ratios[race_round.incumbent])
        if deposed is None:
            return {}
        return {name: ratio_of_estimates(ratio, inverse(deposed)) for name, ratio in self.ratios.items()}

    def is_seen(self, candidate: Candidate) -> bool:
        """Whether it has had its turn, also if it failed."""
        return candidate.name in self.seen

    def limit_relation(self, candidate: Candidate) -> Relation:
        """How its latency lies to the limit; see :meth:`Rules.limit_relation`."""
        speed = self.speeds.get(candidate.name)
        return "undecided" if speed is None else self.rules.limit_relation(speed)

    def value(self, candidate: Candidate) -> float:
        """How much better than the incumbent it is; zero where that is unknown or it exceeds the limit."""
        ratio = self.ratios.get(candidate.name)
        return 0.0 if ratio is None or self.limit_relation(candidate) == "above" else ratio.value

    def fastest_within_limit(self, candidates: Iterable[Candidate]) -> Candidate | None:
        """The fastest of those that may win and are shown to keep the latency limit."""
        eligible = [c for c in candidates if self.rules.may_win(c) and c.name in self.ratios]
        within = [candidate for candidate in eligible if self.limit_relation(candidate) == "inside"]
        return max(within, key=self.value, default=None)

    def same_resolved_configuration(self, a: Candidate, b: Candidate) -> bool:
        """Whether the device resolved two candidates to exactly the same configuration."""
        models = {PINNED.get(c.precision, c.precision) for c in (a, b)}
        if len(models) > 1 or a.deployment.batch != b.deployment.batch:
            return False
        speeds = [self.speeds.get(candidate.name) for candidate in (a, b)]
        first, second = (resolved(speed.effective) if speed else {} for speed in speeds)
        return bool(first) and first == second

    def is_out(self, candidate: Candidate) -> bool:
        """Whether it has lost: it failed, exceeds the limit, or its interval excludes a win.

        While it is open whether the incumbent keeps a limit, nobody has lost by being slower than it.
        """
        if candidate.name not in self.ratios:
            return self.is_seen(candidate)
        if candidate == self.incumbent:
            return False
        if self.limit_relation(candidate) == "above":
            return True
        return self.ratios[candidate.name].high < 1 and self.limit_relation(self.incumbent) == "inside"

    def equals_incumbent(self, candidate: Candidate) -> bool:
        """Whether it cannot be told from the incumbent and is shown to be at most 2 % worse."""
        if self.same_resolved_configuration(candidate, self.incumbent):
            return True
        ratio = self.ratios.get(candidate.name)
        return ratio is not None and ratio.low >= 1 - EQUIVALENT and ratio.high >= 1

    def is_open(self, candidate: Candidate) -> bool:
        """Whether more time could still change something for a candidate that has had a turn.

        It seems to be better than the incumbent and may be so by more than the 2 % that are called no
        difference, or it is simpler and seems to be as good, or it is open whether it keeps the limit.
        """
        if candidate.name not in self.ratios or self.is_out(candidate) or not self.rules.may_win(candidate):
            return False
        if self.limit_relation(candidate) == "undecided":
            return True
        if candidate == self.incumbent or self.same_resolved_configuration(candidate, self.incumbent):
            return False
        ratio = self.ratios[candidate.name]
        if ratio.value >= 1 and ratio.high > 1 + EQUIVALENT:
            return True
        simpler = self.rules.simplicity(candidate) < self.rules.simplicity(self.incumbent)
        return simpler and ratio.value >= 1 - EQUIVALENT and not self.equals_incumbent(candidate)


def is_void(race_round: RaceRound) -> bool:
    """Whether a round was too short for candidates as slow as these."""
    return not race_round.speeds and 0 < race_round.session_rounds < MINIMUM_ROUNDS


def inverse(ratio: Estimate) -> Estimate:
    """The base against the other, from the other against the base."""
    return replace(ratio, value=1 / ratio.value, low=1 / ratio.high, high=1 / ratio.low)
