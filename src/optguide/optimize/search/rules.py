"""What decides between candidates: the goal, the limit, and what stays unless another is shown better."""

from __future__ import annotations

from dataclasses import dataclass

from optguide.bench.load import LatencyLimit
from optguide.optimize.candidate import Candidate, Deployment, Goal, Precision
from optguide.optimize.outcome import Artifact, Speed
from optguide.stats.estimate import Relation

_CAUTION: tuple[Precision, ...] = (
    "default",
    "f32",
    "int8_weights",
    "int8_weights_f32",
    "int8_accuracy",
    "int8",
    "int8_f32",
    "int4_weights",
)
"""Of two precisions that are equally fast the one further left is the better choice."""


@dataclass(frozen=True)
class Rules:
    """What a race is about.

    :param default: OpenVINO with nothing set.
    :param hint: the hint for the goal and nothing else.
    :param precisions: precisions that may win.
    :param limit: latency limit that the winner has to keep.
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
        lower = [
            estimate for name, estimate in speed.latency.items() if int(name[1:]) <= self.limit.percentile
        ]
        above = any(estimate.relation(high=milliseconds) == "above" for estimate in lower)
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
