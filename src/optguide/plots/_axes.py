"""Scales, whiskers and names of lines that figures with two numeric axes share."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from statistics import median
from typing import Any

from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.patheffects import AbstractPathEffect, withStroke
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullFormatter, NullLocator

from optguide.plots._rows import STEPS, Interval, bounds, limit, unit_name
from optguide.plots.themes import palette

__all__ = [
    "axis_label",
    "halo",
    "lengths",
    "linear_axis",
    "log_axis",
    "log_label",
    "measured_ticks",
    "reach",
    "value_axis",
    "whisker_line",
]

ZOOMED = ("share", "points", "ratio", "")
"""Units whose differences matter and whose zero is nothing special or far away."""


def axis_label(quantity: str, unit: str) -> str:
    """What an axis measures and in what; a plain number has no unit."""
    shown = "%" if unit == "share" else unit_name(unit)
    return f"{quantity} ({shown})" if shown else quantity


def log_label(label: str) -> str:
    """The label of an axis that has become logarithmic."""
    return f"{label[:-1]}, log scale)" if label.endswith(")") else f"{label} (log scale)"


def halo(width: float = 3.0) -> list[AbstractPathEffect]:
    """A rim in the page's colour that keeps a text or line apart from what it crosses."""
    return [withStroke(linewidth=width, foreground=palette().background)]


def lengths(estimates: Sequence[Interval]) -> tuple[list[float], list[float]]:
    """Whisker lengths below and above each value, as Matplotlib's ``errorbar`` wants them."""
    return (
        [estimate.value - bounds(estimate)[0] for estimate in estimates],
        [bounds(estimate)[1] - estimate.value for estimate in estimates],
    )


def reach(estimates: Sequence[Interval]) -> tuple[float, float]:
    """Ends of a zoomed axis: all values, and intervals as far as they do not squeeze the values.

    On each side an interval may take twice the spread of the values, half the largest value or three times
    the usual length of an interval's arm.
    """
    values = [estimate.value for estimate in estimates] or [0.0, 1.0]
    ends = [bounds(estimate) for estimate in estimates] or [(0.0, 1.0)]
    low, high = min(values), max(values)
    arms = [arm for arm in (length for side in lengths(estimates) for length in side) if math.isfinite(arm)]
    room = max(2 * (high - low), 0.5 * max(abs(low), abs(high)), 3 * median(arms or [0.0])) or 1.0
    low, high = max(min(low for low, _ in ends), low - room), min(max(high for _, high in ends), high + room)
    pad = 0.06 * (high - low) or 0.05 * abs(high) or 0.5
    return low - pad, high + pad


def value_axis(axes: Axes, quantity: str, estimates: Sequence[Interval]) -> None:
    """The vertical axis for estimates of one unit: zoomed for shares, from zero for times and rates."""
    unit = estimates[0].unit if estimates else "count"
    axes.set_ylabel(axis_label(quantity, unit))
    low, high = reach(estimates)
    if unit not in ZOOMED and low >= 0:
        low, high = 0.0, 1.06 * limit(estimates)
    axes.set_ylim(low, high)
    linear_axis(axes.yaxis, unit)


def linear_axis(axis: Axis, unit: str) -> None:
    """Plain ticks at round numbers; shares in percent."""
    axis.set_major_locator(MaxNLocator(6, steps=STEPS))
    percent = 100 if unit == "share" else 1
    axis.set_major_formatter(FuncFormatter(lambda tick, _: _plain(percent * tick)))


def log_axis(axis: Axis, low: float, high: float) -> None:
    """A log scale from ``low`` to ``high``, both positive, with plain numbers at any range."""
    axes = axis.axes
    if axis is axes.xaxis:
        axes.set(xscale="log", xlim=(low, high))
    else:
        axes.set(yscale="log", ylim=(low, high))
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    if high / low < 10:
        steps = [1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8]
    else:
        steps = [1, 2, 5] if high / low < 1e4 else [1]
    ticks = [step * 10.0**power for power in decades for step in steps]
    _fix_ticks(axis, [tick for tick in ticks if low <= tick <= high])


def measured_ticks(axis: Axis, places: Iterable[float], *, log: bool = False) -> None:
    """Ticks where something was measured, largest first, without those too close to be labelled."""
    ordered = sorted({place for place in places if place > 0 or not log}, reverse=True)
    turn = math.log if log else float
    apart = 0.09 * (turn(ordered[0]) - turn(ordered[-1])) if ordered else 0.0
    ticks: list[float] = []
    for place in ordered:
        if not ticks or turn(ticks[-1]) - turn(place) > apart:
            ticks.append(place)
    _fix_ticks(axis, ticks)


def _fix_ticks(axis: Axis, ticks: Sequence[float]) -> None:
    axis.set_major_locator(FixedLocator(list(ticks)))
    axis.set_major_formatter(FuncFormatter(lambda tick, _: _plain(tick)))
    axis.set_minor_locator(NullLocator())
    axis.set_minor_formatter(NullFormatter())


def _plain(number: float) -> str:
    return f"{number:,.6g}" if abs(number) < 1e6 else f"{number:,.0f}"


def whisker_line(
    axes: Axes, at: float, interval: Interval, *, vertical: bool, colour: str, width: float = 1.4
) -> None:
    """An interval at ``at`` on the other axis; an end outside the axis becomes an arrow head on its edge.

    Set the limits of the axes first.
    """
    low, high = sorted(axes.get_ylim() if vertical else axes.get_xlim())
    ends = bounds(interval)
    shown = tuple(min(max(end, low), high) for end in ends)
    line: dict[str, Any] = {"color": colour, "linewidth": width, "zorder": 2.4, "solid_capstyle": "butt"}
    axes.plot(*((at, at), shown)[:: 1 if vertical else -1], **line)
    caps = "__" if vertical else "||"
    for end, place, cap, arrow in zip(ends, shown, caps, "v^" if vertical else "<>", strict=True):
        marker, size = (cap, 7) if end == place else (arrow, 6)
        point = ([at], [place]) if vertical else ([place], [at])
        axes.plot(*point, marker=marker, markersize=size, clip_on=False, **line)
