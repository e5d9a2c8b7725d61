"""Points for which less of one quantity must be weighed against more of another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.transforms import blended_transform_factory

from optguide.format import Estimated
from optguide.plots._axes import (
    TEXT_WIDTH,
    axis_label,
    bounds,
    fit,
    linear_axis,
    log_axis,
    log_label,
    log_reach,
    reach_from_zero,
    text_width,
    unit_name,
    value_axis,
    whisker,
    written,
)
from optguide.plots._labels import Label, place_labels
from optguide.plots.themes import FONT_SIZE, WIDTH, colour_of, palette, themed

Point = tuple[str, Estimated, Estimated] | tuple[str, Estimated, Estimated, str]

_LOG_FROM = 8  # largest over smallest x from which a linear axis would crowd the small ones
_MARKERS = ("o", "s", "^", "D", "v", "P")
_ROW = 0.215  # inches
_MARGIN = 12 / (72 * WIDTH)  # of the list, as a share of the figure


@themed
def pareto(points: Sequence[Point], *, x_quantity: str = "Latency", y_quantity: str = "Accuracy") -> Figure:
    """Models by what they cost and how good they are, with the Pareto front.

    Points are numbered from left to right and named in the list below. Filled marks and the step line are
    the front: no other point has at most their x and at least their y, one of them strictly, by the values
    alone. Whether two points really differ is for their intervals to say.

    :param points: name, x (less is better), y (more is better) and, where wanted, a group, in any order.
    :param x_quantity: label of the horizontal axis, without the unit. The axis is logarithmic where values
        differ by more than a factor of eight.
    :param y_quantity: label of the vertical axis, without the unit.
    """
    marks = _numbered(points)
    figure, axes, list_axes = _scatter(marks, x_quantity, y_quantity)
    _list(figure, list_axes, marks)
    labels = [Label(str(mark.number), mark.x.value, mark.y.value) for mark in marks]
    place_labels(axes, labels, _lines(axes, marks))
    return figure


@themed
def frontier(points: Sequence[Point], *, limit: float | None = None, chosen: str | None = None) -> Figure:
    """Configurations by latency and throughput, their frontier, and the sweet spot within a latency limit.

    The frontier is that of :func:`pareto`.

    :param points: name, latency, throughput and, where wanted, a group, in any order.
    :param limit: highest latency that is acceptable, in the unit of the latencies.
    :param chosen: name of the sweet spot; by default the highest throughput among the points whose latency
        is within the limit by its value. Without either, or with no point within the limit, there is none.
    """
    marks = _numbered(points)
    if chosen is None and limit is not None:
        acceptable = [mark for mark in marks if mark.x.value <= limit]
        chosen = max(acceptable, key=lambda mark: mark.y.value).name if acceptable else None
    figure, axes, list_axes = _scatter(marks, "Latency", "Throughput", limit)
    if limit is not None:
        _draw_limit(axes, limit, marks[0].x.unit if marks else "ms")
    spot = next((mark for mark in marks if mark.name == chosen), None)
    if spot:
        ring: dict[str, Any] = {
            "markeredgecolor": palette().accent,
            "markeredgewidth": 2.2,
            "markerfacecolor": "none",
        }
        axes.plot([spot.x.value], [spot.y.value], marker="o", markersize=17, zorder=5.5, **ring)
    _list(figure, list_axes, marks, spot)
    labels = [
        Label(
            f"{mark.number}  {fit(mark.name, 150, 'bold')}" if mark is spot else str(mark.number),
            mark.x.value,
            mark.y.value,
            strong=mark is spot,
        )
        for mark in sorted(marks, key=lambda mark: mark is not spot)
    ]
    place_labels(axes, labels, _lines(axes, marks))
    return figure


@dataclass(frozen=True)
class _Mark:
    """A point of the plot and a line of the list.

    :param group: empty where points have no groups.
    :param best: no other point has at most this x and at least this y, one of them strictly.
    """

    number: int
    name: str
    x: Estimated
    y: Estimated
    group: str
    best: bool


def _numbered(points: Sequence[Point]) -> list[_Mark]:
    """Marks from left to right, equal ones from the better down."""
    ordered = sorted(points, key=lambda point: (point[1].value, -point[2].value))
    return [
        _Mark(
            number,
            *point[:3],
            point[3] if len(point) > 3 else "",
            not any(_dominates(other, point) for other in ordered),
        )
        for number, point in enumerate(ordered, start=1)
    ]


def _dominates(point: Point, other: Point) -> bool:
    cheaper, better = other[1].value - point[1].value, point[2].value - other[2].value
    return min(cheaper, better) >= 0 and max(cheaper, better) > 0


def _groups(marks: Sequence[_Mark]) -> list[str]:
    return list(dict.fromkeys(mark.group for mark in marks if mark.group))


def _look(name: str, groups: Sequence[str], *, filled: bool = True) -> dict[str, Any]:
    """How Matplotlib draws a mark, by its group or, where it has none, by its own name."""
    index = groups.index(name) if name in groups else 0
    colour = colour_of(name, index)
    return {
        "marker": _MARKERS[index % len(_MARKERS)],
        "markersize": 8,
        "markerfacecolor": colour if filled else palette().background,
        "markeredgecolor": colour,
        "markeredgewidth": 1.6,
        "linestyle": "none",
    }


def _scatter(
    marks: Sequence[_Mark], x_quantity: str, y_quantity: str, limit: float | None = None
) -> tuple[Figure, Axes, Axes]:
    """The plot with whiskers, marks, front and legend, and empty axes below it for the list."""
    groups = _groups(marks)
    heights = [3.6, _ROW * (len(marks) + 1)]
    legend = 0.24 * -(-len(groups) // 3)
    figure = Figure(figsize=(WIDTH, sum(heights) + legend + 0.2), layout="constrained")
    axes, list_axes = figure.subplots(2, 1, height_ratios=heights)
    axes.grid()
    _scale_x(axes, x_quantity, [mark.x for mark in marks], limit)
    value_axis(axes, y_quantity, [mark.y for mark in marks])
    front = _front(axes, marks)
    if front:
        style: dict[str, Any] = {"color": palette().muted, "linewidth": 1.6, "zorder": 1.8}
        axes.step(*zip(*front, strict=True), where="post", **style)
    for mark in marks:
        look = _look(mark.group or mark.name, groups, filled=mark.best)
        whiskers = {"color": look["markeredgecolor"], "linewidth": 1.4, "zorder": 2.4, "cap": 7}
        whisker(axes, mark.y.value, mark.x, **whiskers)
        whisker(axes, mark.x.value, mark.y, vertical=True, **whiskers)
        axes.plot([mark.x.value], [mark.y.value], **look, zorder=4)
    if groups:
        handles = [Line2D([], [], **_look(group, groups), label=group) for group in groups]
        figure.legend(handles=handles, loc="outside upper left", ncols=3, borderpad=0, handletextpad=0.2)
    return figure, axes, list_axes


def _scale_x(axes: Axes, quantity: str, estimates: Sequence[Estimated], limit: float | None) -> None:
    label = axis_label(quantity, estimates[0].unit if estimates else "ms")
    ends = [estimate.value for estimate in estimates] or [1.0]
    ends += [] if limit is None else [limit]
    if min(ends) > 0 and max(ends) / min(ends) > _LOG_FROM:
        low, high = log_reach(estimates, ends, factor=2)
        pad = (high / low) ** 0.06
        log_axis(axes.xaxis, low / pad, high * pad)
        axes.set_xlabel(log_label(label))
        return
    axes.set_xlabel(label)
    axes.set_xlim(0, 1.06 * max(reach_from_zero(estimates), *ends))
    linear_axis(axes.xaxis, estimates[0].unit if estimates else "ms")


def _draw_limit(axes: Axes, limit: float, unit: str) -> None:
    colours = palette()
    right = axes.get_xlim()[1]
    axes.axvline(limit, color=colours.accent, linestyle=(0, (6, 3)), zorder=1.5)
    axes.axvspan(limit, max(limit, right), color=colours.muted, alpha=0.10, linewidth=0, zorder=0.5)
    axes.set_title(f"dashed: limit {limit:g} {unit_name(unit)}", loc="right", size="medium", pad=4)


def _front(axes: Axes, marks: Sequence[_Mark]) -> list[tuple[float, float]]:
    """The corners of the front, up to the right edge of the plot."""
    front = [(mark.x.value, mark.y.value) for mark in marks if mark.best]
    return [*front, (axes.get_xlim()[1], front[-1][1])] if front else []


def _lines(axes: Axes, marks: Sequence[_Mark]) -> list[tuple[float, float, float, float]]:
    """The whiskers and the front, as what numbers should not cover."""
    lines: list[tuple[float, float, float, float]] = []
    for mark in marks:
        (left, right), (bottom, top) = bounds(mark.x), bounds(mark.y)
        lines += [(left, mark.y.value, right, mark.y.value), (mark.x.value, bottom, mark.x.value, top)]
    for (x, y), (next_x, next_y) in pairwise(_front(axes, marks)):
        lines += [(x, y, next_x, y), (next_x, y, next_x, next_y)]
    return lines


def _list(figure: Figure, axes: Axes, marks: Sequence[_Mark], chosen: _Mark | None = None) -> None:
    axes.set_axis_off()
    axes.set_ylim(len(marks) + 1, 0)
    # Lines start at the figure's margin, not at that of the plot, which leaves room for its tick labels.
    edges = blended_transform_factory(figure.transFigure, axes.transData)
    place: dict[str, Any] = {"transform": edges, "va": "center", "in_layout": False}
    if marks:
        text = "Filled, on the line: no other point is better in both."
        axes.text(_MARGIN, 0.5, text, color=palette().muted, ha="left", **place)
    groups = _groups(marks)
    columns = [(written(mark.x, ends=False), written(mark.y, ends=False)) for mark in marks]
    y_width = max((text_width(y, "bold") for _, y in columns), default=0.0) + 1.5 * FONT_SIZE
    for row, (mark, (x, y)) in enumerate(zip(marks, columns, strict=True), start=1):
        weight = "bold" if mark is chosen else "normal"
        style = place | {"y": row + 0.5, "weight": weight}
        room = TEXT_WIDTH - 0.1 * WIDTH * 72 - y_width - text_width(x, weight) - FONT_SIZE
        look = _look(mark.group or mark.name, groups, filled=mark.best)
        axes.text(x=_MARGIN + 0.045, s=str(mark.number), ha="right", **style)
        axes.plot([_MARGIN + 0.07], [row + 0.5], **look, transform=edges, clip_on=False)
        axes.text(x=_MARGIN + 0.1, s=fit(mark.name, room, weight), ha="left", **style)
        axes.text(x=1 - _MARGIN - y_width / (72 * WIDTH), s=x, ha="right", **style)
        axes.text(x=1 - _MARGIN, s=y, ha="right", **style)
