"""What decides between candidates: the goal, the limit, and what stays unless another is shown better."""

from __future__ import annotations

from dataclasses import dataclass

from optguide.bench.load import LatencyLimit
from optguide.optimize.candidate import Candidate, Deployment, Goal, Precision
from optguide.optimize.outcome import Artifact, Speed
from optguide.stats.estimate import Relation

__all__ = ["Rules", "may_win"]

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

    def may_win(self, candidate: Candidate) -> bool:
        """Whether its precision may."""
        return candidate.precision in self.precisions

    @property
    def base(self) -> Candidate:
        """What wins unless another is shown better: the default, where its precision may win."""
        if self.may_win(self.default) or not self.precisions:
            return self.default
        return Candidate(min(self.precisions, key=_CAUTION.index), self.default.deployment)

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
    if artifact.precision == "f32":
        return True  # the original
    if artifact.precision == "default":
        # It is what the reader has without this search: evidence is asked for to leave it, not to keep it.
        return quality is None or quality.kept != "exceeded"
    if quality is None:
        return False
    if quality.kept == "open" and unproven and quality.loss is not None:
        return quality.loss.value <= quality.limit
    return quality.kept == "kept"
