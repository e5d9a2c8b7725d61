"""Numbers as text for readers, and durations and shares as readers write them.

Digits follow what is known. A bare number shows three significant digits. A number with an interval shows
as many as the interval justifies, by the rounding rule of the Particle Data Group (Review of Particle
Physics, Introduction, section "Rounding"): the half-width keeps two significant digits when they are 10 to
35 and one otherwise. Where the value lies near one end, its distance from that end takes the half-width's
place, though no less than a tenth of it. Bounds are rounded outwards: a printed interval claims no more than
the measured one. Where that would hide on which side of zero, or for ratios of one, an end lies, up to two
digits more are printed: "2 (1 to 13)" is "1.9 (1.4 to 12.6)".
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_EVEN, Decimal
from typing import Protocol

from optguide.errors import OptionError

__all__ = [
    "OPPOSITES",
    "age",
    "directed",
    "duration",
    "estimate",
    "interval",
    "parse_duration",
    "parse_share",
    "quantity",
]

OPPOSITES = {"faster": "slower", "longer": "shorter", "larger": "smaller", "more": "less"}
OPPOSITES |= {low: high for high, low in OPPOSITES.items()}
"""What is said of a ratio above one, and what of one below."""

_DIGITS = 3
_UNKNOWN = "unknown"

# (power of ten of the scale in the base unit, symbol), largest first.
_TIME = ((0, " s"), (-3, " ms"), (-6, " µs"), (-9, " ns"))
_BYTES = ((12, " TB"), (9, " GB"), (6, " MB"), (3, " kB"), (0, " B"))
_RATIO = "\N{MULTIPLICATION SIGN}"
_FAMILIES = {
    # unit: (power of ten that takes it to the base unit, scales of the base unit)
    "s": (0, _TIME),
    "ms": (-3, _TIME),
    "us": (-6, _TIME),
    "bytes": (0, _BYTES),
    "MB": (6, _BYTES),
    "ratio": (0, ((0, _RATIO),)),
    "share": (0, ((-2, " %"),)),
    "count": (0, ((0, ""),)),
    "points": (0, ((0, " points"),)),  # percentage points: differences of shares
}
_SIDES = 10
"""How much shorter than half of the interval its shorter side may count: a value may even lie on a bound."""
_CHOSEN = ("share", "points")
"""Units of which a whole number is often one that somebody chose (a limit): no digits that nobody meant."""


class Estimated(Protocol):
    """A value with its 95 % interval, such as an ``Estimate`` or a recorded ``Result``."""

    @property
    def value(self) -> float: ...
    @property
    def low(self) -> float: ...
    @property
    def high(self) -> float: ...
    @property
    def unit(self) -> str: ...


@dataclass(frozen=True)
class _Scale:
    """How numbers of one unit are printed side by side: divided by ``10**power``, followed by ``symbol``."""

    power: int
    symbol: str

    @classmethod
    def of(cls, value: float, unit: str) -> _Scale:
        """The scale in which ``value`` has one to three digits before the point, if there is one."""
        base, scales = _FAMILIES.get(unit, (0, ((0, f" {unit}" if unit else ""),)))
        magnitude = _significant(_exact(value), _DIGITS).adjusted() + base if value else base
        power, symbol = next((scale for scale in scales if scale[0] <= magnitude), scales[-1])
        return cls(power - base, symbol)

    def apply(self, value: float) -> Decimal:
        return _exact(value).scaleb(-self.power)


def quantity(value: float, unit: str) -> str:
    """``value`` with three significant digits in the scale that suits it.

    :param unit: ``ms``, ``us``, ``s``, ``bytes``, ``MB``, ``ratio``, ``share``, ``points``, ``count``, or any
        other text, which follows the number as it is.

    >>> quantity(0.0123, "ms"), quantity(1240.4, "inferences/s"), quantity(0.12, "share")
    ('12.3 µs', '1,240 inferences/s', '12 %')
    """
    if not math.isfinite(value):
        return _UNKNOWN
    scale = _Scale.of(value, unit)
    number = scale.apply(value) + 0  # a negative zero has no meaning here
    whole = number == number.to_integral_value()
    if whole and scale.symbol in ("", " B"):
        return f"{number:,.0f}{scale.symbol}"
    number = _significant(number, _DIGITS)
    places = 0 if not number or (unit in _CHOSEN and whole) else max(0, _DIGITS - 1 - number.adjusted())
    text = f"{number:,.{places}f}"
    if unit in _CHOSEN and places:
        text = text.rstrip("0").rstrip(".")
    return text + (" point" if unit == "points" and text in ("1", "-1") else scale.symbol)


def interval(low: float, high: float, unit: str, value: float | None = None) -> str:
    """The interval with the digits that its width justifies: ``39.4 to 40.3 ms``.

    :param value: the estimate, which sets the scale; the middle of the interval by default.
    """
    if not (math.isfinite(low) and math.isfinite(high)):
        return _UNKNOWN
    middle = (low + high) / 2 if value is None else value
    if _exact(low) == _exact(high):
        return quantity(low, unit)
    scale = _common_scale(low, high, middle, unit)
    return f"{_bounds(low, high, middle, scale)}{scale.symbol}"


def estimate(e: Estimated) -> str:
    """Value and interval in one scale: ``39.8 ms (39.4 to 40.3)``. Without a width there is no interval."""
    if not math.isfinite(e.value):
        return _UNKNOWN
    if not (math.isfinite(e.low) and math.isfinite(e.high)):
        return f"{quantity(e.value, e.unit)} (interval {_UNKNOWN})"
    if _exact(e.low) == _exact(e.high):
        return quantity(e.value, e.unit)
    scale = _common_scale(e.low, e.high, e.value, e.unit)
    place = _place(e.low, e.high, e.value, scale)
    value = _print(scale.apply(e.value), place, ROUND_HALF_EVEN)
    return f"{value}{scale.symbol} ({_bounds(e.low, e.high, e.value, scale)})"


def directed(ratio: Estimated, above: str) -> str:
    """A ratio in words that say which way it goes: ``1.22x slower (1.19 to 1.25)``.

    An interval that contains one says so: ``no clear difference (1.03x slower to 1.01x faster)``.

    :param above: word for a ratio above one, a key of :data:`OPPOSITES`. Of one below, the opposite is said
        with the reciprocal.
    """
    if ratio.low == ratio.high == 1:
        return "no difference"
    if ratio.low <= 1 <= ratio.high:
        ends = " to ".join(_turned(end, above) for end in (ratio.low, ratio.high))
        return f"no clear difference ({ends})"
    turned = ratio.value < 1
    number = _Turned(1 / ratio.value, 1 / ratio.high, 1 / ratio.low) if turned else ratio
    value, bracket, ends = estimate(number).partition(" (")
    return f"{value} {OPPOSITES[above] if turned else above}{bracket}{ends}"


@dataclass(frozen=True)
class _Turned:
    """A ratio the other way round."""

    value: float
    low: float
    high: float
    unit: str = "ratio"


def _turned(value: float, above: str) -> str:
    """One number in the words of :func:`directed`, rounded away from one."""
    larger = max(value, 1 / value)
    place = -2 if larger < 10 else 0
    number = _print(_exact(larger), place, ROUND_CEILING)
    return f"{number}{_RATIO} {above if value >= 1 else OPPOSITES[above]}"


def duration(seconds: float) -> str:
    """A length of time as ``850 ms``, ``3.2 s``, ``2 min 5 s`` or ``1 h 5 min``.

    >>> duration(125), duration(3900)
    ('2 min 5 s', '1 h 5 min')
    """
    if not math.isfinite(seconds) or seconds < 59.5:
        short = math.isfinite(seconds) and seconds >= 9.95
        return f"{seconds:.0f} s" if short else _short(seconds)
    if seconds < 3599.5:
        big, small = divmod(round(seconds), 60)
        units = ("min", "s")
    else:
        big, small = divmod(round(seconds / 60), 60)
        units = ("h", "min")
    return f"{big:,} {units[0]}" + (f" {small} {units[1]}" if small else "")


def age(seconds: float) -> str:
    """How long ago, in the largest whole unit: ``3 minutes``. A time in the future counts as now."""
    for size, name in ((86400, "day"), (3600, "hour"), (60, "minute"), (1, "second")):
        count = int(seconds // size)
        if count >= 1:
            return f"{count:,} {name}{'s' if count > 1 else ''}"
    return "less than a second"


_UNITS = {"ms": 0.001, "s": 1.0, "": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0}
_NUMBER = r"\d{1,9}(?:\.\d{1,9})?"
_PART = re.compile(rf"\s*({_NUMBER})\s*(ms|s|min|m|h)?\s*")


def parse_duration(text: str) -> float:
    """Seconds from ``500ms``, ``12s``, ``10m``, ``1h 30min`` or a bare number of seconds.

    :raises OptionError: the text is none of these.
    """
    parts = _PART.findall(text)
    bare = len(parts) > 1 and any(not unit for _, unit in parts)
    if not parts or bare or _PART.sub("", text):
        raise OptionError(
            f"{text!r} is not a duration.", "Write a number with a unit, such as 500ms, 12s, 10m or 1h."
        )
    return sum(float(Decimal(number) * Decimal(str(_UNITS[unit]))) for number, unit in parts)


def parse_share(text: str) -> float:
    """A share from 0 to 1, from ``2%`` or ``0.02``.

    :raises OptionError: the text is no share, or lies outside 0 to 1.
    """
    match = re.fullmatch(rf"\s*({_NUMBER})\s*(%?)\s*", text)
    share = float(Decimal(match[1]) / (100 if match[2] else 1)) if match else math.inf
    if share > 1:
        raise OptionError(
            f"{text!r} is not a share between 0 and 1.",
            "Write a percentage such as 2%, or 0.02 for the same.",
        )
    return share


def _short(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds >= 0.9995 else quantity(seconds, "s")


def _exact(value: float) -> Decimal:
    """``value`` without the last digits of binary arithmetic (39.4 is not 39.400000000000006)."""
    return Decimal(f"{value:.12g}")


def _significant(number: Decimal, digits: int) -> Decimal:
    return number and round(number, digits - 1 - number.adjusted())


def _common_scale(low: float, high: float, value: float, unit: str) -> _Scale:
    """The value's scale; that of the half-width where the value vanishes in its interval."""
    return _Scale.of(max(abs(value), (high - low) / 2), unit)


def _place(low: float, high: float, value: float, scale: _Scale) -> int:
    """Power of ten of the last digit to print, from the half-width (see the module's rule)."""
    half = (_exact(high) - _exact(low)).scaleb(-scale.power) / 2
    nearer = min(_exact(high) - _exact(value), _exact(value) - _exact(low)).scaleb(-scale.power)
    half = min(half, max(nearer, half / _SIDES))
    leading = half.adjusted()
    place = leading - 1 if half.scaleb(-leading) < Decimal("3.55") else leading
    if not value:
        return place
    shown = scale.apply(value).adjusted()
    if low < 0 < high and shown < place - 1:
        return place  # around zero, a tiny value may be what arithmetic left over of nothing
    # An interval far wider than the value would otherwise round the value itself away.
    return _telling(low, high, min(place, shown), scale)


def _telling(low: float, high: float, place: int, scale: _Scale) -> int:
    """``place``, or up to two digits more where an end would be printed as what it is on one side of."""
    marks = (0, 1) if scale.symbol == _RATIO else (0,)
    ends = ((scale.apply(low), ROUND_FLOOR), (scale.apply(high), ROUND_CEILING))
    for finer in (place, place - 1, place - 2):
        if not any(end not in marks and _round(end, finer, rounding) in marks for end, rounding in ends):
            return finer
    return place


def _bounds(low: float, high: float, value: float, scale: _Scale) -> str:
    place = _place(low, high, value, scale)
    lowest = _print(scale.apply(low), place, ROUND_FLOOR)
    return f"{lowest} to {_print(scale.apply(high), place, ROUND_CEILING)}"


def _print(number: Decimal, place: int, rounding: str) -> str:
    return f"{_round(number, place, rounding) + 0:,.{max(0, -place)}f}"


def _round(number: Decimal, place: int, rounding: str) -> Decimal:
    return number.scaleb(-place).to_integral_value(rounding=rounding).scaleb(place)
