"""What figures ask of their data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from optguide.format import Estimated, estimate, quantity

__all__ = ["TIMES", "Interval", "Point", "Span", "bounds", "unit_name", "written"]

TIMES = "\N{MULTIPLICATION SIGN}"
_UNITS = {"us": "µs", "ratio": TIMES}


class Interval(Estimated, Protocol):
    """An estimate that knows its samples; :class:`optguide.measuring.estimate.Estimate` is one."""

    @property
    def n(self) -> int: ...


class Point(Protocol):
    """One offered load of an open-loop run; :class:`optguide.measuring.openloop.LoadPoint` is one."""

    @property
    def offered(self) -> float: ...
    @property
    def p50(self) -> Interval | None: ...
    @property
    def p95(self) -> Interval | None: ...
    @property
    def p99(self) -> Interval | None: ...
    @property
    def void(self) -> str: ...


@dataclass(frozen=True)
class Span:
    """An interval that a figure derives from others."""

    value: float
    low: float
    high: float
    unit: str
    n: int = 1


def unit_name(unit: str) -> str:
    """A unit as axes show it."""
    return _UNITS.get(unit, unit)


def bounds(interval: Interval) -> tuple[float, float]:
    """Lower and upper end, never on the wrong side of the value."""
    return min(interval.low, interval.value), max(interval.high, interval.value)


def written(interval: Interval, *, ends: bool = True) -> str:
    """A value as the pages write it, but in its own unit: numbers in one column are compared by eye.

    :param ends: write the interval too.
    """
    number = Span(interval.value, interval.low, interval.high, interval.unit)
    if interval.unit in ("ratio", "share", "points"):
        return estimate(number) if ends else quantity(number.value, number.unit)
    bare = Span(number.value, number.low, number.high, "count")
    value, _, rest = (estimate(bare) if ends else quantity(bare.value, bare.unit)).partition(" ")
    return f"{value} {unit_name(interval.unit)} {rest}".rstrip()
