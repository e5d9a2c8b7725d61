"""Why a verdict is what it is, in sentences."""

from __future__ import annotations

import math
from typing import Literal

from optguide import format as fmt
from optguide.claims.model import Condition
from optguide.records import Result

__all__ = ["State", "lacking", "sentence"]

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
