"""What a check asks, and what a diagnosis consists of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from optguide import format as fmt
from optguide.bench.variant import Variant
from optguide.claims.model import MARGINS
from optguide.stats.estimate import Estimate

Quantity = Literal["latency", "throughput", "total", "error"]
"""Of a call, of many calls, of a start up to the first result, and of answers."""

MARGIN = MARGINS["act"]
"""A remedy that gains less is none: it is what claims call *to act on*."""


@dataclass(frozen=True)
class Symptom:
    """What a reader sees, in the words of the page *My model is slow*.

    :param title: heading on that page.
    :param page: page of the guide that explains it, without suffix.
    """

    title: str
    page: str


@dataclass(frozen=True)
class Trial:
    """A remedy, and the variant that shows what it gains.

    :param remedy: an instruction to the reader.
    :param quantity: where it gains: in ``latency`` or ``throughput``.
    :param base: the variant to compare it with; the deployment where there is none.
    """

    remedy: str
    variant: Variant
    quantity: Quantity
    base: Variant | None = None


@dataclass(frozen=True)
class Effect:
    """What a remedy has been shown to do, or to fail to do.

    :param ratio: above one where the remedy makes it faster; for ``error`` the error that it takes away.
    """

    remedy: str
    quantity: Quantity
    ratio: Estimate

    @property
    def text(self) -> str:
        """With its direction: ``1.9x faster (1.8 to 2.0), throughput``."""
        if self.quantity == "error":
            return f"{fmt.estimate(self.ratio)} of error"
        of = "to the first result" if self.quantity == "total" else self.quantity
        return f"{fmt.directed(self.ratio, 'faster')}, {of}"

    @property
    def is_shown(self) -> bool:
        """Whether the whole interval is worth acting on."""
        return self.ratio.relation(high=self._bound) == "above"

    @property
    def is_possible(self) -> bool:
        """Whether some of the interval is."""
        return self.ratio.relation(high=self._bound) != "inside"

    @property
    def _bound(self) -> float:
        return MARGIN if self.quantity == "error" else 1 + MARGIN


@dataclass(frozen=True)
class Inquiry:
    """The facts that a check looked at, and the trials that it asks for; none where all is well.

    :param effects: results that the check has measured by itself.
    """

    symptom: Symptom
    evidence: str
    trials: tuple[Trial, ...] = ()
    effects: tuple[Effect, ...] = ()


@dataclass(frozen=True)
class Finding:
    """A cause of slowness, and what its remedy gains on this machine.

    :param effect: the gain of the remedy whose interval has the highest lower end.
    :param others: further remedies with their effects, as sentences.
    """

    symptom: Symptom
    evidence: str
    effect: Effect
    others: tuple[str, ...] = ()


@dataclass(frozen=True)
class Remark:
    """What was looked at without a cause being shown.

    :param evidence: facts, and what remedies were tried for nothing, as sentences.
    :param decided: whether it is shown to be no cause; otherwise the time or the machine did not allow that.
    """

    symptom: Symptom
    evidence: str
    decided: bool = True


@dataclass(frozen=True)
class Diagnosis:
    """The answer to *why is it slow*.

    :param findings: causes that every call pays for come first, then those whose remedies gain most at least.
    :param remarks: on what else was looked at, in the order of the checks.
    :param others_share: share of the machine's CPU that other processes used meanwhile (0 to 1).
    """

    deployed: Variant
    findings: tuple[Finding, ...]
    remarks: tuple[Remark, ...]
    warnings: tuple[str, ...] = ()
    others_share: float = 0.0
    effective: Mapping[str, str] = field(default_factory=dict)

    @property
    def fine(self) -> tuple[Remark, ...]:
        """What is shown to be no cause."""
        return tuple(remark for remark in self.remarks if remark.decided)

    @property
    def open(self) -> tuple[Remark, ...]:
        """What could not be decided."""
        return tuple(remark for remark in self.remarks if not remark.decided)


_RANKS: Mapping[Quantity, int] = {"latency": 0, "throughput": 0, "total": 1, "error": 2}


def ranked(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """What every call pays, what a start pays, wrong answers; within each by the gain that is certain."""
    return tuple(
        sorted(findings, key=lambda finding: (_RANKS[finding.effect.quantity], -finding.effect.ratio.low))
    )


def judged(question: Inquiry, effects: Sequence[Effect], remarks: Sequence[str] = ()) -> Finding | Remark:
    """The answer to a question."""
    everything = [*question.effects, *effects]
    shown = [effect for effect in everything if effect.is_shown]
    best = max(shown, key=lambda effect: effect.ratio.low, default=None)
    sentences = [f"{effect.remedy} {effect.text}." for effect in everything if effect is not best]
    if best is None:
        decided = not remarks and not any(effect.is_possible for effect in everything)
        return Remark(question.symptom, " ".join([question.evidence, *sentences, *remarks]), decided)
    return Finding(question.symptom, question.evidence, best, (*sentences, *remarks))
