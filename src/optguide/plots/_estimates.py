"""What figures ask of their data, how numbers are written beside marks, and how far an axis has to reach."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median

from matplotlib.font_manager import FontProperties
from matplotlib.textpath import text_to_path

from optguide.format import Estimated, estimate, quantity
from optguide.plots.themes import FONT_SIZE

TIMES = "\N{MULTIPLICATION SIGN}"
_UNITS = {"us": "µs", "ratio": TIMES}


@dataclass(frozen=True)
class Span:
    """An interval that a figure derives from others."""

    value: float
    low: float
    high: float
    unit: str


def unit_name(unit: str) -> str:
    """A unit as axes show it."""
    return _UNITS.get(unit, unit)


def axis_label(quantity: str, unit: str) -> str:
    """What an axis measures and in what; a plain number has no unit."""
    name = "%" if unit == "share" else unit_name(unit)
    return f"{quantity} ({name})" if name else quantity


def written(interval: Estimated, *, ends: bool = True) -> str:
    """A value as the pages write it, but in its own unit: numbers in one column are compared by eye.

    :param ends: write the interval too.
    """
    number = Span(interval.value, interval.low, interval.high, interval.unit)
    if interval.unit in ("ratio", "share", "points"):
        return estimate(number) if ends else quantity(number.value, number.unit)
    bare = Span(number.value, number.low, number.high, "count")
    value, _, interval_text = (estimate(bare) if ends else quantity(bare.value, bare.unit)).partition(" ")
    return f"{value} {unit_name(interval.unit)} {interval_text}".rstrip()


def fit(text: str, room: float, weight: str = "normal", head: float = 0.5) -> str:
    """``text`` on one line of at most ``room`` points; ``head`` is the share before the ellipsis."""
    text = short = " ".join(text.split())
    letters = len(text)
    while letters > 4 and text_width(short, weight) > room:
        letters -= 1
        start = int(letters * head)
        short = f"{text[:start].rstrip()}…{text[len(text) - (letters - start) :].lstrip()}"
    return short


def text_width(text: str, weight: str = "normal") -> float:
    """How wide a text is, in points."""
    if not text:
        return 0.0
    font = FontProperties(weight=weight, size=FONT_SIZE)
    return float(text_to_path.get_text_width_height_descent(text, font, ismath=False)[0])


def bounds(interval: Estimated) -> tuple[float, float]:
    """Lower and upper end, never on the wrong side of the value."""
    return min(interval.low, interval.value), max(interval.high, interval.value)


def arms(estimates: Sequence[Estimated]) -> tuple[list[float], list[float]]:
    """Lengths of the intervals below and above each value, as Matplotlib's ``errorbar`` wants them."""
    return (
        [estimate.value - bounds(estimate)[0] for estimate in estimates],
        [bounds(estimate)[1] - estimate.value for estimate in estimates],
    )


def reach_from_zero(intervals: Iterable[Estimated]) -> float:
    """Right end of an axis from zero: every value, and every interval up to twice the largest value."""
    pairs = [(interval.value, bounds(interval)[1]) for interval in intervals]
    top = max((value for value, _ in pairs if math.isfinite(value)), default=0.0)
    if top <= 0:
        return 1.0
    return 1.02 * max(top, min(max(high for _, high in pairs), 2 * top))


def reach(estimates: Sequence[Estimated]) -> tuple[float, float]:
    """Ends of a zoomed axis: all values, and intervals as far as they do not squeeze the values.

    On each side an interval may take twice the spread of the values, half the largest value or three times
    the usual length of an interval's arm.
    """
    values = [estimate.value for estimate in estimates] or [0.0, 1.0]
    ends = [bounds(estimate) for estimate in estimates] or [(0.0, 1.0)]
    low, high = min(values), max(values)
    finite = [length for side in arms(estimates) for length in side if math.isfinite(length)]
    room = max(2 * (high - low), 0.5 * max(abs(low), abs(high)), 3 * median(finite or [0.0])) or 1.0
    low, high = max(min(low for low, _ in ends), low - room), min(max(high for _, high in ends), high + room)
    pad = 0.06 * (high - low) or 0.05 * abs(high) or 0.5
    return low - pad, high + pad


def log_reach(
    estimates: Sequence[Estimated], others: Iterable[float] = (), *, factor: float
) -> tuple[float, float]:
    """Ends of a log axis: all values and ``others``, and intervals up to a ``factor`` beyond them."""
    values = [value for value in (*(estimate.value for estimate in estimates), *others) if value > 0] or [1.0]
    low, high = min(values), max(values)
    lows, highs = zip((low, high), *map(bounds, estimates), strict=True)
    return max(min(lows), low / factor), min(max(highs), high * factor)
