"""Figures with one set of axes, their scales and ticks, and the whiskers of intervals."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.patheffects import AbstractPathEffect, withStroke
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, MaxNLocator, NullFormatter, NullLocator

from optguide.format import Estimated
from optguide.plots._estimates import (
    TIMES,
    arms,
    axis_label,
    bounds,
    fit,
    reach,
    reach_from_zero,
    text_width,
)
from optguide.plots.themes import FONT_SIZE, WIDTH, palette

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
    """A rim in the page's colour that keeps a text or line apart from what it crosses."""
    return [withStroke(linewidth=width, foreground=palette().background)]


def note(axes: Axes, text: str, at: tuple[float, float], offset: tuple[float, float], **options: Any) -> None:
    """Write ``text`` beside a place, ``offset`` points away and towards that side."""
    style = {"ha": "left" if offset[0] >= 0 else "right", "path_effects": halo(), "zorder": 6}
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
    """A log scale from ``low`` to ``high``, both positive, with plain numbers at any range.

    :param unit: written behind each number.
    """
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
    """Write a row's name and value above its mark, the name shortened to the space there is.

    :param head: share of a shortened name that its beginning gets.
    """
    weight = "bold" if strong else "normal"
    room = TEXT_WIDTH - text_width(value, weight) - FONT_SIZE
    # A patch rather than a halo hides the grid: a halo writes every letter's outline into the SVG anew.
    style: dict[str, Any] = {
        "transform": axes.get_yaxis_transform(),
        "va": "center",
        "weight": weight,
        "bbox": {"facecolor": palette().background, "edgecolor": "none", "pad": 0.5},
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
