"""Why a verdict is what it is: one sentence for each condition of a claim."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Literal

from optguide import format as fmt
from optguide.claims.model import Condition
from optguide.records import Result

ConditionState = Literal["holds", "fails", "open"]

EQUAL = Result(1.0, 1.0, 1.0, "ratio", 1, "read back")
"""The ratio of two sides that cannot differ."""

HOPELESS = 100.0
"""How many times as much measuring is called out of reach."""

_NO_DIFFERENCE = {"ratio": 1.0, "points": 0.0}
"""The result of comparing equals, by unit."""


def is_read_back(result: Result) -> bool:
    """Whether the two sides were asked for differently and the device resolved them to the same."""
    return bool(result.evidence.get("same"))


def disturbance(result: Result) -> str:
    """Why the session of ``result`` decides nothing, as a sentence; empty where nothing is known of that.

    A comparison of a variant with itself is what shows it, and stands for itself.
    """
    return "" if "same" in result.evidence else str(result.evidence.get("disturbed", ""))


def sentence(condition: Condition, result: Result, state: ConditionState) -> str:
    """What was measured and how it stands to the bound: ``A: 40 ms (39 to 41), below 50 ms.``"""
    label = result.label or condition.result
    if is_read_back(result):
        return f"{label}: {_read_back(result.evidence['same'])}."
    measured = f"{label}: {result.text}"
    if disturbed := disturbance(result):
        return f"{measured}, which decides nothing. {disturbed}"
    if condition.side == "between":
        return f"{measured}, {_beside_range(condition, result, state)}."
    if condition.margin is not None:
        return f"{measured}, {_beside_margin(condition, condition.margin, result, state)}."
    return f"{measured}{_beside_bound(condition, result, state)}."


def _read_back(same: Mapping[str, str]) -> str:
    values = " and ".join(f"{key} is {value}" for key, value in same.items())
    return f"{values} on both sides, so they cannot differ; read back, not timed"


def _beside_bound(condition: Condition, result: Result, state: ConditionState) -> str:
    bound = condition.edges[0]
    if result.above and bound == 1:  # its direction is the answer
        return f"; {_more_time(bound, result)}" if state == "open" else ""
    text = f"{condition.side} {_bound(bound, result.unit)}"
    if result.above:
        # More than 0.98 is less than 1.02 the other way round.
        extent = "more than" if (condition.side == "above") is (bound > 1) else "less than"
        text = f"{extent} {_turned(bound, result.above)}"
    if state == "open":
        return f", which leaves open whether it is {text}; {_more_time(bound, result)}"
    return f", {text}" if state == "holds" else f", not {text}"


def _beside_margin(condition: Condition, margin: float, result: Result, state: ConditionState) -> str:
    word = result.above or "higher"
    largest = result.high - 1
    if condition.side == "above":
        word, largest = fmt.OPPOSITES.get(word, "lower"), 1 - result.low
    allowed = fmt.quantity(margin, "share")
    if state == "open":
        return f"{word} by no more than {_tenths_up(largest, 'ratio')}, where the claim allows {allowed}"
    return f"{'' if state == 'fails' else 'not '}{word} by more than {allowed}"


def _beside_range(condition: Condition, result: Result, state: ConditionState) -> str:
    low, high = condition.edges
    equal = _NO_DIFFERENCE.get(result.unit)
    ends = [_turned(end, result.above) if result.above else _bound(end, result.unit) for end in (low, high)]
    text = f"the range {' to '.join(ends)}"
    if condition.margin is not None and state == "fails":
        return f"a difference of more than {fmt.quantity(condition.margin, 'share')}"
    if equal is None or not low <= equal <= high or state == "fails" or result.low == result.high:
        return {"holds": "within", "fails": "outside", "open": "which reaches beyond"}[state] + f" {text}"
    largest = _tenths_up(max(abs(result.low - equal), abs(result.high - equal)), result.unit)
    if state == "holds":
        return f"no difference larger than {largest} here"
    if condition.margin is None:
        return f"no difference larger than {largest}, which reaches beyond {text}"
    allowed = fmt.quantity(condition.margin, "share")
    return f"no difference larger than {largest}, where the claim allows {allowed}"


def _turned(bound: float, above: str) -> str:
    """A bound of a ratio, which was written by hand, in words: ``1.02x slower``."""
    word = above if bound >= 1 else fmt.OPPOSITES[above]
    return f"{max(bound, 1 / bound):.4g}\N{MULTIPLICATION SIGN} {word}"


def _more_time(bound: float, result: Result) -> str:
    """How much more measuring would decide it: half-widths shrink with the square root of the time."""
    distance = result.value - bound
    half = result.value - result.low if distance > 0 else result.high - result.value
    times = (half / distance) ** 2 if distance else math.inf
    if times > HOPELESS:
        return "it lies so close to that bound that more time will hardly decide it"
    times = max(2, math.ceil(round(times, 6)))  # binary fractions: 4.0000001 is four
    seconds = result.evidence.get("seconds")
    if seconds:
        much = f"as much measuring, {fmt.duration(times * seconds)},"
    else:
        much = "as many samples" if result.unit == "points" else "as much measuring"
    return f"at this value about {times} times {much} would decide it"


def _tenths_up(difference: float, unit: str) -> str:
    """A difference, rounded up to a tenth of a per cent or of a point."""
    unit, tenth = ("share", 1000) if unit == "ratio" else (unit, 10)
    # Binary fractions: 1 - 0.979 is a little more than 0.021, which is not a reason to say 2.2 %.
    return fmt.quantity(math.ceil(round(difference * tenth, 6)) / tenth, unit)


def _bound(value: float, unit: str) -> str:
    # A ratio's bound was written by hand and is quoted as written: "above 1", without digits.
    return f"{value:g}" if unit == "ratio" else fmt.quantity(value, unit)
