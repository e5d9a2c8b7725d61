"""Points for which less of one thing must be weighed against more of another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.transforms import blended_transform_factory

from optguide.plots._axes import axis_label, linear_axis, log_axis, log_label, reach, whisker_line
from optguide.plots._data import Interval, bounds, unit_name, written
from optguide.plots._labels import Box, Label, place_labels
from optguide.plots._rows import TEXT_WIDTH, fit, text_width
from optguide.plots._rows import limit as top_of
from optguide.plots.themes import FONT_SIZE, WIDTH, palette, themed

__all__ = ["frontier", "pareto"]

Point = tuple[str, Interval, Interval] | tuple[str, Interval, Interval, str]
MARKERS = ("o", "s", "^", "D", "v", "P")
ROW = 0.215  # inches
LEFT = 12 / (72 * WIDTH)  # margin of the list as a share of the figure
LOG_FROM = 8  # largest over smallest x from which a linear axis would crowd the small ones


@dataclass(frozen=True)
class _Mark:
    number: int
    name: str
    x: Interval
    y: Interval
    group: str
    best: bool


@themed
def pareto(points: Sequence[Point], *, x_quantity: str = "Latency", y_quantity: str = "Accuracy") -> Figure:
    """Models by what they cost and how good they are, with the Pareto front.

    Points are numbered from left to right and named in the list below. Filled marks and the step line are
    the front: no other point has at most their x and at least their y, one of them strictly, by the values
    alone. Whether two points really differ is for their intervals to say.

    :param points: name, x (less is better), y (more is better) and, where wanted, a group, in any order.
    :param x_quantity: what x measures. Its axis is logarithmic where values differ by more than a factor of
        eight.
    :param y_quantity: what y measures.
    """
    marks = _numbered(points)
    figure, axes = _scatter(marks, x_quantity, y_quantity)
    _list_below(figure, marks, "")
    place_labels(
        axes, [Label(str(mark.number), mark.x.value, mark.y.value) for mark in marks], _lines(axes, marks)
    )
    return figure


@themed
def frontier(
    points: Sequence[Point],
    *,
    limit: float | None = None,
    chosen: str | None = None,
) -> Figure:
    """Configurations by latency and throughput, their frontier, and the sweet spot within a latency limit.

    The frontier is that of :func:`pareto`.

    :param points: name, latency, throughput and, where wanted, a group, in any order.
    :param limit: highest latency that is acceptable, in the unit of the latencies.
    :param chosen: name of the sweet spot; by default the highest throughput among the points whose latency
        is within the limit by its value. Without either, or with no point within the limit, there is none.
    """
    marks = _numbered(points)
    if chosen is None and limit is not None:
        within = [mark for mark in marks if mark.x.value <= limit]
        chosen = max(within, key=lambda mark: mark.y.value).name if within else None
    figure, axes = _scatter(marks, "Latency", "Throughput", limit)
    colours = palette()
    if limit is not None:
        _draw_limit(axes, limit, marks[0].x.unit if marks else "ms")
    spot = next((mark for mark in marks if mark.name == chosen), None)
    if spot:
        axes.plot(
            [spot.x.value],
            [spot.y.value],
            marker="o",
            markersize=17,
            markerfacecolor="none",
            markeredgecolor=colours.accent,
            markeredgewidth=2.2,
            zorder=5.5,
        )
    _list_below(figure, marks, chosen or "")
    ordered = sorted(marks, key=lambda mark: mark is not spot)
    labels = [
        Label(
            f"{mark.number}  {fit(mark.name, 150, 'bold')}" if mark is spot else str(mark.number),
            mark.x.value,
            mark.y.value,
            strong=mark is spot,
        )
        for mark in ordered
    ]
    place_labels(axes, labels, _lines(axes, marks))
    return figure


def _numbered(points: Sequence[Point]) -> list[_Mark]:
    """Marks from left to right, equal ones from the better down."""
    ordered = sorted(points, key=lambda point: (point[1].value, -point[2].value))
    return [
        _Mark(
            number,
            point[0],
            point[1],
            point[2],
            point[3] if len(point) > 3 else "",
            not any(_dominates(other, point) for other in ordered),
        )
        for number, point in enumerate(ordered, start=1)
    ]


def _dominates(one: Point, other: Point) -> bool:
    cheaper, better = other[1].value - one[1].value, one[2].value - other[2].value
    return min(cheaper, better) >= 0 and max(cheaper, better) > 0


def _scatter(
    marks: Sequence[_Mark], x_quantity: str, y_quantity: str, limit: float | None = None
) -> tuple[Figure, Axes]:
    """The plot above an empty list: whiskers, marks, front and legend."""
    groups = list(dict.fromkeys(mark.group for mark in marks if mark.group))
    header = 0.24 * -(-len(groups) // 3)
    heights = [3.6, ROW * (len(marks) + 1)]
    figure = Figure(figsize=(WIDTH, sum(heights) + header + 0.2), layout="constrained")
    axes, _ = figure.subplots(2, 1, height_ratios=heights)
    axes.grid()
    _scale_x(axes, x_quantity, [mark.x for mark in marks], limit)
    y_unit = marks[0].y.unit if marks else "count"
    axes.set_ylabel(axis_label(y_quantity, y_unit))
    rate = y_unit not in ("share", "points", "ratio")
    axes.set_ylim(*(0, 1.1 * top_of(mark.y for mark in marks)) if rate else reach([mark.y for mark in marks]))
    linear_axis(axes.yaxis, y_unit)
    front = [mark for mark in marks if mark.best]
    if front:
        axes.step(
            [*(mark.x.value for mark in front), axes.get_xlim()[1]],
            [*(mark.y.value for mark in front), front[-1].y.value],
            where="post",
            color=palette().muted,
            linewidth=1.6,
            zorder=1.8,
        )
    for mark in marks:
        _draw(axes, mark, groups)
    _legend(figure, groups)
    return figure, axes


def _scale_x(axes: Axes, quantity: str, estimates: Sequence[Interval], limit: float | None) -> None:
    unit = estimates[0].unit if estimates else "ms"
    values = [estimate.value for estimate in estimates] or [1.0]
    ends = [*values, limit] if limit is not None else values
    if min(ends) > 0 and max(ends) / min(ends) > LOG_FROM:
        low = max(min((bounds(e)[0] for e in estimates), default=min(ends)), min(ends) / 2)
        high = min(max((bounds(e)[1] for e in estimates), default=max(ends)), max(ends) * 2)
        pad = (max(high, *ends) / min(low, *ends)) ** 0.06
        log_axis(axes.xaxis, min(low, *ends) / pad, max(high, *ends) * pad)
        axes.set_xlabel(log_label(axis_label(quantity, unit)))
        return
    axes.set_xlabel(axis_label(quantity, unit))
    axes.set_xlim(0, 1.06 * max(top_of(estimates), *ends))
    linear_axis(axes.xaxis, unit)


def _look(group: str, groups: Sequence[str]) -> tuple[str, str]:
    """Marker and colour of a group; those of the first where there are none."""
    index = groups.index(group) if group else 0
    return MARKERS[index % len(MARKERS)], palette().series[index % len(palette().series)]


def _draw(axes: Axes, mark: _Mark, groups: Sequence[str]) -> None:
    marker, colour = _look(mark.group, groups)
    whisker_line(axes, mark.y.value, mark.x, vertical=False, colour=colour)
    whisker_line(axes, mark.x.value, mark.y, vertical=True, colour=colour)
    axes.plot([mark.x.value], [mark.y.value], **_shape(marker, colour, filled=mark.best), zorder=4)


def _shape(marker: str, colour: str, *, filled: bool) -> dict[str, Any]:
    return {
        "marker": marker,
        "markersize": 8,
        "markerfacecolor": colour if filled else palette().background,
        "markeredgecolor": colour,
        "markeredgewidth": 1.6,
        "linestyle": "none",
    }


def _legend(figure: Figure, groups: Sequence[str]) -> None:
    handles = [Line2D([], [], **_shape(*_look(group, groups), filled=True), label=group) for group in groups]
    if handles:
        figure.legend(handles=handles, loc="outside upper left", ncols=3, borderpad=0, handletextpad=0.2)


def _draw_limit(axes: Axes, limit: float, unit: str) -> None:
    colours = palette()
    right = axes.get_xlim()[1]
    axes.axvline(limit, color=colours.accent, linestyle=(0, (6, 3)), zorder=1.5)
    axes.axvspan(limit, max(limit, right), color=colours.muted, alpha=0.10, linewidth=0, zorder=0.5)
    axes.set_title(f"dashed: limit {limit:g} {unit_name(unit)}", loc="right", size="medium", pad=4)


def _list_below(figure: Figure, marks: Sequence[_Mark], chosen: str) -> None:
    """Number, mark, name and values of every point."""
    axes = figure.axes[1]
    axes.set_axis_off()
    axes.set_ylim(len(marks) + 1, 0)
    # Lines start at the figure's margin, not at that of the plot, which leaves room for its tick labels.
    edges = blended_transform_factory(figure.transFigure, axes.transData)
    groups = list(dict.fromkeys(mark.group for mark in marks if mark.group))
    place: dict[str, Any] = {"transform": edges, "va": "center", "in_layout": False}
    if marks:
        text = "Filled, on the line: no other point is better in both."
        axes.text(LEFT, 0.5, text, color=palette().muted, ha="left", **place)
    columns = [[written(estimate, ends=False) for estimate in (mark.x, mark.y)] for mark in marks]
    second = max((text_width(y, "bold") for _, y in columns), default=0.0) + 1.5 * FONT_SIZE
    for row, (mark, (x, y)) in enumerate(zip(marks, columns, strict=True), start=1):
        strong = mark.name == chosen
        look: dict[str, Any] = place | {"weight": "bold" if strong else "normal"}
        axes.text(LEFT + 0.045, row + 0.5, str(mark.number), ha="right", **look)
        axes.plot(
            [LEFT + 0.07],
            [row + 0.5],
            **_shape(*_look(mark.group, groups), filled=mark.best),
            transform=edges,
            clip_on=False,
        )
        room = TEXT_WIDTH - 0.1 * WIDTH * 72 - second - text_width(x, look["weight"]) - FONT_SIZE
        axes.text(LEFT + 0.1, row + 0.5, fit(mark.name, room, look["weight"]), ha="left", **look)
        axes.text(1 - LEFT - second / (72 * WIDTH), row + 0.5, x, ha="right", **look)
        axes.text(1 - LEFT, row + 0.5, y, ha="right", **look)


def _lines(axes: Axes, marks: Sequence[_Mark]) -> list[Box]:
    """The whiskers and the front, as what numbers should not cover."""
    edge = axes.get_xlim()[1]
    boxes: list[Box] = []
    for mark in marks:
        (left, right), (bottom, top) = bounds(mark.x), bounds(mark.y)
        boxes += [
            Box(left, mark.y.value, right, mark.y.value),
            Box(mark.x.value, bottom, mark.x.value, top),
        ]
    front = [(mark.x.value, mark.y.value) for mark in marks if mark.best]
    front += [(edge, front[-1][1])] if front else []
    for (x, y), (next_x, next_y) in pairwise(front):
        boxes += [Box(x, y, next_x, y), Box(next_x, y, next_x, next_y)]
    return boxes
