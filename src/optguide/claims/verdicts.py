"""What the records say about a claim.

Why a verdict is what it is, in sentences.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from optguide import format as fmt
from optguide.claims.model import Claim, Condition
from optguide.errors import ClaimError
from optguide.machine import Machine
from optguide.records import Records, Result

__all__ = [
    "Outcome",
    "State",
    "Verdict",
    "as_dict",
    "decide",
    "evaluate",
    "judge",
    "lacking",
    "sentence",
    "unmet",
]

State = Literal["holds", "fails", "open"]

_NEEDS = {
    "cpu": "the instruction set {}",
    "device": "an OpenVINO device {}",
    "os": "the operating system {}",
    "cores": "{} cores",
}

_NO_DIFFERENCE = {"ratio": 1.0, "points": 0.0}
"""What a comparison of equals gives."""


def sentence(condition: Condition, result: Result, state: State) -> str:
    """What was measured and how it stands to the bound: ``A: 40 ms (39 to 41), below 50 ms.``"""
    if condition.above is not None:
        ending = _beside("above", _bound(condition.above, result.unit), state)
    elif condition.below is not None:
        ending = _beside("below", _bound(condition.below, result.unit), state)
    else:
        ending = _range(condition.between or (0.0, 0.0), result, state)
    return f"{result.label or condition.result}: {fmt.estimate(result)}, {ending}."


def lacking(need: str) -> str:
    """What the machine would need to have, such as ``cpu:amx_int8``, as a sentence."""
    kind, _, what = need.partition(":")
    return f"This machine does not have {_NEEDS[kind].format(what)}."


def _beside(side: str, bound: str, state: State) -> str:
    return {
        "holds": f"{side} {bound}",
        "fails": f"not {side} {bound}",
        "open": f"which leaves open whether it is {side} {bound}",
    }[state]


def _range(between: tuple[float, float], result: Result, state: State) -> str:
    lowest, highest = between
    same = _NO_DIFFERENCE.get(result.unit)
    if state == "holds" and same is not None and lowest <= same <= highest and result.low < result.high:
        return f"no difference larger than {_largest_difference(result, same)} here"
    bounds = f"the range {_bound(lowest, result.unit)} to {_bound(highest, result.unit)}"
    return {
        "holds": f"within {bounds}",
        "fails": f"outside {bounds}",
        "open": f"which reaches beyond {bounds}",
    }[state]


def _largest_difference(result: Result, same: float) -> str:
    """The interval's farthest distance from ``same``, rounded up to a tenth of a per cent or of a point."""
    unit, tenth = ("share", 1000) if result.unit == "ratio" else (result.unit, 10)
    tenths = max(abs(result.low - same), abs(result.high - same)) * tenth
    # Binary fractions: 1 - 0.979 is a little more than 0.021, which is not a reason to say 2.2 %.
    return fmt.quantity(math.ceil(round(tenths, 6)) / tenth, unit)


def _bound(value: float, unit: str) -> str:
    # A ratio's bound was written by hand and is quoted as written: "above 1", without digits.
    return f"{value:g}" if unit == "ratio" else fmt.quantity(value, unit)


Outcome = Literal["confirmed", "refuted", "inconclusive", "not measurable here"]


@dataclass(frozen=True)
class Verdict:
    """A claim and what this build found out about it.

    :param claim: the claim.
    :param outcome: ``refuted`` if any condition fails, ``confirmed`` if all hold, ``inconclusive`` if an
        interval leaves one open, ``not measurable here`` if the machine lacks something.
    :param reasons: one sentence per condition with the measured interval, or per thing that is lacking.
    """

    claim: Claim
    outcome: Outcome
    reasons: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """The verdict as JSON, with what a reader needs of the claim."""
        return as_dict(self.claim, self.outcome, self.reasons)


def as_dict(claim: Claim, outcome: str, reasons: Iterable[str]) -> dict[str, Any]:
    """What is known of a claim as JSON, also where it has none of the outcomes of :class:`Verdict`."""
    return {
        "id": claim.id,
        "chapter": claim.chapter,
        "statement": claim.statement,
        "source": {"title": claim.source.title, "url": claim.source.url},
        "page": claim.page,
        "outcome": outcome,
        "reasons": list(reasons),
    }


def judge(condition: Condition, low: float, high: float) -> State:
    """Whether ``condition`` holds, fails or is left open by the interval from ``low`` to ``high``."""
    if condition.above is not None:
        holds, fails = low > condition.above, high <= condition.above
    elif condition.below is not None:
        holds, fails = high < condition.below, low >= condition.below
    else:
        lowest, highest = condition.between or (-math.inf, math.inf)
        holds, fails = lowest <= low and high <= highest, high < lowest or low > highest
    return "holds" if holds else "fails" if fails else "open"


def evaluate(claims: Iterable[Claim], records: Records, machine: Machine) -> tuple[Verdict, ...]:
    """Give every claim its verdict, in order.

    :param machine: the one that made ``records``.
    :raises ClaimError: a claim looks at a result that no example recorded, or needs something that is not
        understood.
    """
    return tuple(_verdict(claim, records, machine) for claim in claims)


def decide(claim: Claim, results: Mapping[str, Result]) -> Verdict:
    """The verdict that results allow, wherever they come from.

    :param results: those of all conditions, by identifier.
    """
    states: list[State] = []
    reasons: list[str] = []
    for condition in claim.conditions:
        result = results[condition.result]
        state = judge(condition, result.low, result.high)
        states.append(state)
        reasons.append(sentence(condition, result, state))
    outcome: Outcome = "inconclusive"
    if "fails" in states:
        outcome = "refuted"
    elif "open" not in states:
        outcome = "confirmed"
    return Verdict(claim, outcome, tuple(reasons))


def unmet(claim: Claim, machine: Machine) -> tuple[str, ...]:
    """Sentences about what the claim needs and the machine does not have.

    :raises ClaimError: it needs something that is not understood.
    """
    return tuple(lacking(need) for need in claim.needs if not machine.supports(need))


def _verdict(claim: Claim, records: Records, machine: Machine) -> Verdict:
    if obstacles := _obstacles(claim, records, machine):
        return Verdict(claim, "not measurable here", obstacles)
    return decide(claim, records.results)


def _obstacles(claim: Claim, records: Records, machine: Machine) -> tuple[str, ...]:
    """Sentences about what keeps the claim from being measured here."""
    try:
        needs = unmet(claim, machine)
        owners = {condition.result: records.record_of(condition.result) for condition in claim.conditions}
    except ClaimError as error:
        raise ClaimError(f"Claim {claim.id!r}: {error.message}", error.remedy) from error
    reasons = {id_: owner.unavailable[id_] for id_, owner in owners.items() if id_ in owner.unavailable}
    return (*needs, *dict.fromkeys(f"Not measurable here: {why.rstrip('.')}." for why in reasons.values()))
