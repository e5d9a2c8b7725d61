"""The layout that figures with named rows share.

A row's name stands above its mark and its value at the right end of the same line. So names may be long, no
text can run into a mark, and the data keeps the whole width of a phone.

What figures ask of their data.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Protocol

from matplotlib.axes import Axes
from matplotlib.container import BarContainer
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.patheffects import withStroke
from matplotlib.textpath import text_to_path
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, MaxNLocator, NullFormatter, NullLocator

from optguide.format import Estimated, estimate, quantity
from optguide.plots.themes import FONT_SIZE, WIDTH, palette

__all__ = [
    "MIDDLE",
    "STEPS",
    "TEXT_WIDTH",
    "TIMES",
    "Interval",
    "Point",
    "Span",
    "bar",
    "bounds",
    "fit",
    "limit",
    "log_ratio_axis",
    "row_figure",
    "row_lines",
    "row_text",
    "text_width",
    "unit_name",
    "whisker",
    "written",
]

TIMES = "\N{MULTIPLICATION SIGN}"
_UNITS = {"us": "µs", "ratio": TIMES}


class Interval(Estimated, Protocol):
    """An estimate that knows its samples; :class:`optguide.stats.estimate.Estimate` is one."""

    @property
    def n(self) -> int: ...


class Point(Protocol):
    """One offered load of an open-loop run; :class:`optguide.bench.load.LoadPoint` is one."""

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


ROW_HEIGHT = 0.5  # inches
MIDDLE = 0.70  # where a row's mark sits, below its name
THICKNESS = 0.36
CAP = 0.15
STEPS = (1, 2, 2.5, 5, 10)
TEXT_WIDTH = WIDTH * 72 - 24  # points left between the margins


def row_figure(
    count: int, axis: str, *, header: float = 0.0, height: float = ROW_HEIGHT
) -> tuple[Figure, Axes]:
    """A figure for ``count`` rows with one horizontal axis.

    :param header: inches above the rows for a legend.
    :param height: inches of a row.
    """
    figure = Figure(figsize=(WIDTH, 0.7 + header + height * max(count, 1)), layout="constrained")
    axes = figure.subplots()
    axes.set_ylim(max(count, 1) + 0.12, 0)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    axes.grid(axis="x")
    axes.set_xlabel(axis)
    axes.xaxis.set_major_locator(MaxNLocator(6, steps=STEPS))
    return figure, axes


def row_text(
    axes: Axes, row: float, name: str, value: str, *, strong: bool = False, head: float = 0.5
) -> None:
    """Write a row's name and value above its mark, the name shortened to the space there is.

    :param head: share of a shortened name that its beginning gets.
    """
    weight = "bold" if strong else "normal"
    room = TEXT_WIDTH - text_width(value, weight) - FONT_SIZE
    # A patch rather than a halo hides the grid: a halo writes every letter's outline into the SVG anew.
    look: dict[str, Any] = {
        "transform": axes.get_yaxis_transform(),
        "va": "center",
        "weight": weight,
        "bbox": {"facecolor": palette().background, "edgecolor": "none", "pad": 0.5},
    }
    axes.text(0, row + 0.30, fit(name, room, weight, head), ha="left", **look)
    axes.text(1, row + 0.30, value, ha="right", **look)


def bar(axes: Axes, row: float, left: float, width: float, colour: str, hatch: str = "") -> BarContainer:
    """A row's bar from ``left``, ``width`` long."""
    return axes.barh(
        row + MIDDLE,
        width,
        left=left,
        height=THICKNESS,
        color=colour,
        hatch=hatch,
        edgecolor=palette().background,
        linewidth=0.8,
    )


def whisker(axes: Axes, row: float, interval: Interval, *, shift: float = 0.0, below: bool = False) -> None:
    """Draw an interval across a row; an end outside the axis becomes an arrow head on its edge.

    :param shift: where the interval's zero is on the axis.
    :param below: draw under the bar, with a dot for the value, where the bar shows something else.
    """
    colours = palette()
    left, right = sorted(axes.get_xlim())
    ends = tuple(end + shift for end in bounds(interval))
    shown = tuple(min(max(end, left), right) for end in ends)
    y, cap = (row + 0.99, 0.09) if below else (row + MIDDLE, CAP)
    line: dict[str, Any] = {
        "color": colours.ink,
        "zorder": 4,
        "path_effects": [withStroke(linewidth=3.5, foreground=colours.background)],
    }
    axes.plot(shown, (y, y), linewidth=1.5, clip_on=False, **line)
    for end, at, arrow in zip(ends, shown, "<>", strict=True):
        if end == at:
            axes.plot((at, at), (y - cap, y + cap), linewidth=1.5, clip_on=False, **line)
        else:
            axes.plot([at], [y], marker=arrow, markersize=7, clip_on=False, **line)
    if below:
        axes.plot([interval.value + shift], [y], marker="o", markersize=5, **line)


def row_lines(axes: Axes, count: int, x: float, colour: str, style: str) -> None:
    """A vertical line through the marks of all rows, interrupted where names stand."""
    tops = [row + MIDDLE - 0.22 for row in range(count)]
    bottoms = [top + 0.44 for top in tops]
    axes.vlines([x] * count, tops, bottoms, color=colour, linestyle=style, linewidth=1.3, zorder=0.9)


def limit(intervals: Iterable[Interval]) -> float:
    """Right end of an axis from zero: every value, and every interval up to twice the largest value."""
    pairs = [(interval.value, bounds(interval)[1]) for interval in intervals]
    values = [value for value, _ in pairs if math.isfinite(value)]
    top = max(values, default=0.0)
    if top <= 0:
        return 1.0
    return 1.02 * max(top, min(max(high for _, high in pairs), 2 * top))


def log_ratio_axis(axes: Axes, low: float, high: float) -> None:
    """A log axis for ratios that holds ``low``, ``high`` and 1, with readable ticks at any range."""
    low, high = min(low, 1.0), max(high, 1.0)
    pad = max((high / low) ** 0.06, 1.01)
    low, high = low / pad, high * pad
    axes.set_xscale("log")
    axes.set_xlim(low, high)
    if high / low > 6:
        locator = LogLocator(subs=(1, 2, 5) if high / low < 200 else (1,))
        ticks = [float(tick) for tick in locator.tick_values(low, high)]
    else:
        ticks = [float(tick) for tick in MaxNLocator(5, steps=(1, 2, 5, 10)).tick_values(low, high)]
    axes.xaxis.set_major_locator(FixedLocator([tick for tick in ticks if low <= tick <= high]))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda tick, _: f"{tick:.6g}{TIMES}"))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_minor_formatter(NullFormatter())


def fit(text: str, room: float, weight: str = "normal", head: float = 0.5) -> str:
    """``text`` on one line of at most ``room`` points, shortened after the share ``head`` of what is kept."""
    text = " ".join(text.split())
    kept = len(text)
    short = text
    while kept > 4 and text_width(short, weight) > room:
        kept -= 1
        start = int(kept * head)
        short = f"{text[:start].rstrip()}…{text[len(text) - (kept - start) :].lstrip()}"
    return short


def text_width(text: str, weight: str) -> float:
    """How wide a text is, in points."""
    if not text:
        return 0.0
    font = FontProperties(weight=weight, size=FONT_SIZE)
    return float(text_to_path.get_text_width_height_descent(text, font, ismath=False)[0])
