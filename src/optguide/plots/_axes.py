"""What all figures share: axes with scales and ticks, whiskers, rows, and numbers written beside marks."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.patheffects import AbstractPathEffect, withStroke
from matplotlib.textpath import text_to_path
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, MaxNLocator, NullFormatter, NullLocator

from optguide.format import Estimated, estimate, quantity
from optguide.plots.themes import FONT_SIZE, WIDTH, palette

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
    """A value as the pages write it, but in its own unit: numbers in one column are compared by eye."""
    number = Span(interval.value, interval.low, interval.high, interval.unit)
    if interval.unit in ("ratio", "share", "points"):
        return estimate(number) if ends else quantity(number.value, number.unit)
    bare = Span(number.value, number.low, number.high, "count")
    value, _, interval_text = (estimate(bare) if ends else quantity(bare.value, bare.unit)).partition(" ")
    return f"{value} {unit_name(interval.unit)} {interval_text}".rstrip()


def fit(text: str, room: float, weight: str = "normal", head: float = 0.5) -> str:
    """``text`` on one line of at most ``room`` points; ``head`` is the share before the ellipsis."""
    text = " ".join(text.split())

    def shortened(letters: int) -> str:
        start = int(letters * head)
        return f"{text[:start].rstrip()}…{text[len(text) - (letters - start) :].lstrip()}"

    if len(text) <= 4 or text_width(text, weight) <= room:
        return text
    fitting = bisect_right(
        range(4, len(text)), room, key=lambda letters: text_width(shortened(letters), weight)
    )
    return shortened(max(4, 3 + fitting))


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


ZOOMED = ("share", "points", "ratio", "")
"""Units whose differences matter and whose zero is nothing special or far away."""

TEXT_WIDTH = WIDTH * 72 - 24  # points left between the margins
_STEPS = (1, 2, 2.5, 5, 10)


def new_figure(height: float, *, grid: str = "both") -> tuple[Figure, Axes]:
    """A figure with one set of axes and grid lines.

    :param height: in inches.
    :param grid: the axis whose ticks have grid lines, ``"both"`` or ``"none"``.
    """
    figure = Figure(figsize=(WIDTH, height), layout="constrained")
    axes = figure.subplots()
    if grid != "none":
        axes.grid(axis=grid)  # type: ignore[arg-type]  # the stub wants a literal
    return figure, axes


def halo(width: float = 3.0) -> list[AbstractPathEffect]:
    """A rim in the page's colour that keeps a line apart from what it crosses."""
    return [withStroke(linewidth=width, foreground=palette().background)]


def patch() -> dict[str, Any]:
    """What keeps a text apart from lines below it. A halo would turn the text into outlines of letters."""
    return {"facecolor": palette().background, "edgecolor": "none", "pad": 0.5}


def note(axes: Axes, text: str, at: tuple[float, float], offset: tuple[float, float], **options: Any) -> None:
    """Write ``text`` beside a place, ``offset`` points away and towards that side."""
    style = {"ha": "left" if offset[0] >= 0 else "right", "bbox": patch(), "zorder": 6}
    axes.annotate(text, at, xytext=offset, textcoords="offset points", **(style | options))


def value_axis(axes: Axes, quantity: str, estimates: Sequence[Estimated]) -> None:
    """The vertical axis for estimates of one unit: zoomed for shares, from zero for times and rates."""
    unit = estimates[0].unit if estimates else "count"
    axes.set_ylabel(axis_label(quantity, unit))
    low, high = reach(estimates)
    if unit not in ZOOMED and low >= 0:
        low, high = 0.0, 1.06 * reach_from_zero(estimates)
    axes.set_ylim(low, high)
    linear_axis(axes.yaxis, unit)


def linear_axis(axis: Axis, unit: str = "count") -> None:
    """Plain ticks at round numbers; shares in percent."""
    axis.set_major_locator(MaxNLocator(6, steps=_STEPS))
    percent = 100 if unit == "share" else 1
    axis.set_major_formatter(FuncFormatter(lambda tick, _: _plain(percent * tick)))


def log_label(label: str) -> str:
    """The label of an axis that has become logarithmic."""
    return f"{label[:-1]}, log scale)" if label.endswith(")") else f"{label} (log scale)"


def log_axis(axis: Axis, low: float, high: float, *, unit: str = "") -> None:
    """A log scale from ``low`` to ``high``, both positive, with plain numbers at any range."""
    letter = "x" if axis is axis.axes.xaxis else "y"
    axis.axes.set(**{f"{letter}scale": "log", f"{letter}lim": (low, high)})
    span = high / low
    if span > 6:
        steps = (1, 2, 5) if span < 200 else (1, 5) if span < 1e4 else (1,)
        ticks = LogLocator(subs=steps).tick_values(low, high)
    else:
        ticks = MaxNLocator(5, steps=(1, 2, 5, 10)).tick_values(low, high)
    _fix_ticks(axis, [float(tick) for tick in ticks if low <= tick <= high], unit)


def log_ratio_axis(axes: Axes, low: float, high: float) -> None:
    """A log axis for ratios that holds ``low``, ``high`` and 1."""
    low, high = min(low, 1.0), max(high, 1.0)
    pad = max((high / low) ** 0.06, 1.01)
    log_axis(axes.xaxis, low / pad, high * pad, unit=TIMES)


def measured_ticks(axis: Axis, places: Iterable[float], *, log: bool = False) -> None:
    """Ticks where something was measured, largest first, without those too close to be labelled."""
    ordered = sorted({place for place in places if place > 0 or not log}, reverse=True)
    scaled = math.log if log else float
    apart = 0.09 * (scaled(ordered[0]) - scaled(ordered[-1])) if ordered else 0.0
    ticks: list[float] = []
    for place in ordered:
        if not ticks or scaled(ticks[-1]) - scaled(place) > apart:
            ticks.append(place)
    _fix_ticks(axis, ticks)


def _fix_ticks(axis: Axis, ticks: Sequence[float], unit: str = "") -> None:
    axis.set_major_locator(FixedLocator(list(ticks)))
    axis.set_major_formatter(FuncFormatter(lambda tick, _: f"{_plain(tick)}{unit}"))
    axis.set_minor_locator(NullLocator())
    axis.set_minor_formatter(NullFormatter())


def _plain(number: float) -> str:
    return f"{number:,.6g}" if abs(number) < 1e6 else f"{number:,.0f}"


def curve(axes: Axes, places: Sequence[float], estimates: Sequence[Estimated], **style: Any) -> None:
    """Marks and a line through ``estimates``, with the interval of each."""
    axes.errorbar(
        places,
        [estimate.value for estimate in estimates],
        yerr=arms(estimates),
        ecolor=palette().ink,
        elinewidth=1.4,
        capsize=3.5,
        **style,
    )


def whisker(
    axes: Axes, at: float, interval: Estimated, *, vertical: bool = False, cap: float = 11.0, **style: Any
) -> None:
    """Draw an interval at ``at`` on the other axis; an end outside the axes is an arrow head on their edge.

    Set the limits of the axes first.

    :param cap: length of the strokes across the ends, in points.
    """
    low, high = sorted(axes.get_ylim() if vertical else axes.get_xlim())
    line: dict[str, Any] = (
        {"color": palette().ink, "linewidth": 1.5, "zorder": 4} | style | {"clip_on": False}
    )

    def draw(*places: float, **marker: Any) -> None:
        across = (at,) * len(places)
        axes.plot(*((across, places) if vertical else (places, across)), **line, **marker)

    ends = bounds(interval)
    visible = tuple(min(max(end, low), high) for end in ends)
    draw(*visible, solid_capstyle="butt")
    for end, place, arrow in zip(ends, visible, "v^" if vertical else "<>", strict=True):
        if end == place:
            draw(place, marker="_" if vertical else "|", markersize=cap, markeredgewidth=line["linewidth"])
        else:
            draw(place, marker=arrow, markersize=7)


ROW_HEIGHT = 0.5  # inches
MIDDLE = 0.70  # where a row's mark sits, below its name


def row_figure(
    count: int, label: str, *, header: float = 0.0, height: float = ROW_HEIGHT
) -> tuple[Figure, Axes]:
    """A figure for ``count`` named rows with one horizontal axis.

    A row's name stands above its mark and its value at the right end of the same line. So names may be long,
    no text can run into a mark, and the data keeps the whole width of a phone.

    :param label: label of the axis, with its unit.
    :param header: inches above the rows for a legend.
    :param height: inches of a row.
    """
    figure, axes = new_figure(0.7 + header + height * max(count, 1), grid="x")
    axes.set_ylim(max(count, 1) + 0.12, 0)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    axes.set_xlabel(label)
    axes.xaxis.set_major_locator(MaxNLocator(6, steps=_STEPS))
    return figure, axes


def row_text(
    axes: Axes, row: float, name: str, value: str, *, strong: bool = False, head: float = 0.5
) -> None:
    """Write a row's name and value above its mark, the name shortened to the space there is."""
    weight = "bold" if strong else "normal"
    room = TEXT_WIDTH - text_width(value, weight) - FONT_SIZE
    style: dict[str, Any] = {
        "transform": axes.get_yaxis_transform(),
        "va": "center",
        "weight": weight,
        "bbox": patch(),
    }
    axes.text(0, row + 0.30, fit(name, room, weight, head), ha="left", **style)
    axes.text(1, row + 0.30, value, ha="right", **style)


def bar(  # as many as a bar has properties
    axes: Axes,
    y: float,
    width: float,
    colour: str,
    hatch: str = "",
    *,
    left: float = 0.0,
    height: float = 0.36,
) -> None:
    """A horizontal bar around ``y``."""
    edge = palette().background
    axes.barh(y, width, left=left, height=height, color=colour, hatch=hatch, edgecolor=edge, linewidth=0.8)
