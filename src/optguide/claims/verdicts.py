"""What results say about a claim, and why, in sentences."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import msgspec

from optguide import format as fmt
from optguide.claims.model import Claim, Condition, Source
from optguide.errors import ClaimError
from optguide.machine import Machine
from optguide.records import Records, Result
from optguide.stats.estimate import Interval, Relation, relation

ConditionState = Literal["holds", "fails", "open"]

ClaimOutcome = Literal[
    "confirmed", "refuted", "inconclusive", "not measurable here", "not tried", "not recorded"
]
"""``not tried``: no time was left. ``not recorded``: the example that measures it has not run yet."""

BUILD_OUTCOMES: tuple[ClaimOutcome, ...] = ("confirmed", "refuted", "inconclusive", "not measurable here")
"""Those that a complete build of the guide can have."""


@dataclass(frozen=True)
class Verdict:
    """What measurements say about a claim, as plain data; with what a reader needs of the claim itself.

    :param outcome: ``refuted`` if any condition fails, ``confirmed`` if all hold, ``inconclusive`` if an
        interval leaves one open, ``not measurable here`` if the machine or the model lacks something.
    :param reasons: one sentence per condition with the measured interval, or per thing that is lacking.
    :param results: the results that decided it, by identifier; empty where nothing did.
    """

    id: str
    chapter: str
    statement: str
    source: Source
    page: str
    outcome: ClaimOutcome
    reasons: tuple[str, ...]
    results: Mapping[str, Result] = field(default_factory=dict)

    @classmethod
    def on(
        cls,
        claim: Claim,
        outcome: ClaimOutcome,
        reasons: Iterable[str],
        results: Mapping[str, Result] | None = None,
    ) -> Verdict:
        """The verdict on ``claim``."""
        return cls(
            claim.id,
            claim.chapter,
            claim.statement,
            claim.source,
            claim.page,
            outcome,
            tuple(reasons),
            results or {},
        )

    def to_dict(self) -> dict[str, Any]:
        """All fields, as JSON has them."""
        return msgspec.to_builtins(self)  # type: ignore[no-any-return]  # a dataclass becomes a dictionary


def judge(condition: Condition, interval: Interval) -> ConditionState:
    """Whether ``condition`` holds, fails or is left open by a measured interval."""
    states: Mapping[Relation, ConditionState]
    if condition.between is not None:
        place = relation(interval, *condition.between)
        states = {"inside": "holds", "below": "fails", "above": "fails"}
    elif condition.above is not None:
        place = relation(interval, high=condition.above)
        states = {"above": "holds", "inside": "fails"}
    else:
        place = relation(interval, low=condition.below or 0.0)
        states = {"below": "holds", "inside": "fails"}
    return states.get(place, "open")


def decide(claim: Claim, results: Mapping[str, Result]) -> Verdict:
    """The verdict that results allow, wherever they come from.

    :param results: by identifier, those of all conditions and possibly others.
    """
    deciding = {condition.result: results[condition.result] for condition in claim.conditions}
    states = [judge(condition, deciding[condition.result]) for condition in claim.conditions]
    reasons = [
        _sentence(condition, deciding[condition.result], state)
        for condition, state in zip(claim.conditions, states, strict=True)
    ]
    outcome: ClaimOutcome = "inconclusive"
    if "fails" in states:
        outcome = "refuted"
    elif "open" not in states:
        outcome = "confirmed"
    return Verdict.on(claim, outcome, reasons, deciding)


def evaluate(claims: Iterable[Claim], records: Records, machine: Machine) -> tuple[Verdict, ...]:
    """Give every claim its verdict, in order.

    :param machine: the one that made ``records``.
    :raises ClaimError: a claim looks at a result that no example recorded, or needs something that is not
        understood.
    """
    return tuple(_verdict(claim, records, machine) for claim in claims)


def missing_needs(claim: Claim, machine: Machine) -> tuple[str, ...]:
    """Sentences about what the claim needs and the machine does not have.

    :raises ClaimError: it needs something that is not understood.
    """
    return tuple(_missing(need) for need in claim.needs if not machine.supports(need))


def _verdict(claim: Claim, records: Records, machine: Machine) -> Verdict:
    if obstacles := _obstacles(claim, records, machine):
        return Verdict.on(claim, "not measurable here", obstacles)
    return decide(claim, records.results)


def _obstacles(claim: Claim, records: Records, machine: Machine) -> tuple[str, ...]:
    """Sentences about what keeps the claim from being measured here."""
    try:
        needs = missing_needs(claim, machine)
        owners = {condition.result: records.record_of(condition.result) for condition in claim.conditions}
    except ClaimError as error:
        raise ClaimError(f"Claim {claim.id!r}: {error.message}", error.remedy) from error
    reasons = [owner.unavailable[id_] for id_, owner in owners.items() if id_ in owner.unavailable]
    return (*needs, *dict.fromkeys(f"Not measurable here: {reason.rstrip('.')}." for reason in reasons))


_NEEDS = {
    "cpu": "the instruction set {}",
    "device": "an OpenVINO device {}",
    "os": "the operating system {}",
    "cores": "{} cores",
}

_NO_DIFFERENCE = {"ratio": 1.0, "points": 0.0}
"""The result of comparing equals, by unit."""


def _missing(need: str) -> str:
    """A need of the form ``cpu:amx_int8``, as a sentence about this machine."""
    kind, _, name = need.partition(":")
    return f"This machine does not have {_NEEDS[kind].format(name)}."


def _sentence(condition: Condition, result: Result, state: ConditionState) -> str:
    """What was measured and how it stands to the bound: ``A: 40 ms (39 to 41), below 50 ms.``"""
    if result.above and 1 in (condition.above, condition.below):
        return f"{result.label or condition.result}: {result.text}."  # its direction is the answer
    if condition.between is not None:
        ending = _beside_range(condition.between, result, state)
    elif condition.above is not None:
        ending = _beside_bound(_limit(condition.above, result, at_least=True), state)
    else:
        ending = _beside_bound(_limit(condition.below or 0.0, result, at_least=False), state)
    return f"{result.label or condition.result}: {result.text}, {ending}."


def _limit(bound: float, result: Result, *, at_least: bool) -> str:
    """``above 40 ms``, or for a ratio with a direction in its words: ``more than 2x faster``."""
    if not result.above:
        return f"{'above' if at_least else 'below'} {_bound(bound, result.unit)}"
    # At least 0.98 is at most 1.02 the other way round.
    extent = "more than" if at_least is (bound > 1) else "less than"
    return f"{extent} {_turned(bound, result.above)}"


def _turned(bound: float, above: str) -> str:
    """A bound of a ratio, which was written by hand, in words: ``1.02x slower``."""
    return (
        f"{max(bound, 1 / bound):.4g}\N{MULTIPLICATION SIGN} {above if bound >= 1 else fmt.OPPOSITES[above]}"
    )


def _beside_bound(bound: str, state: ConditionState) -> str:
    return {"holds": bound, "fails": f"not {bound}", "open": f"which leaves open whether it is {bound}"}[
        state
    ]


def _beside_range(bounds: tuple[float, float], result: Result, state: ConditionState) -> str:
    low, high = bounds
    equal = _NO_DIFFERENCE.get(result.unit)
    if state == "holds" and equal is not None and low <= equal <= high and result.low < result.high:
        return f"no difference larger than {_largest_difference(result, equal)} here"
    ends = [_turned(end, result.above) if result.above else _bound(end, result.unit) for end in bounds]
    text = f"the range {' to '.join(ends)}"
    return {"holds": f"within {text}", "fails": f"outside {text}", "open": f"which reaches beyond {text}"}[
        state
    ]


def _largest_difference(result: Result, equal: float) -> str:
    """The interval's farthest distance from ``equal``, rounded up to a tenth of a per cent or of a point."""
    unit, tenth = ("share", 1000) if result.unit == "ratio" else (result.unit, 10)
    tenths = max(abs(result.low - equal), abs(result.high - equal)) * tenth
    # Binary fractions: 1 - 0.979 is a little more than 0.021, which is not a reason to say 2.2 %.
    return fmt.quantity(math.ceil(round(tenths, 6)) / tenth, unit)


def _bound(value: float, unit: str) -> str:
    # A ratio's bound was written by hand and is quoted as written: "above 1", without digits.
    return f"{value:g}" if unit == "ratio" else fmt.quantity(value, unit)
