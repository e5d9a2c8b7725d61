"""Points for which less of one thing must be weighed against more of another."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from optguide.plots._axes import axis_label, linear_axis, log_axis, log_label, value_axis, whisker_line
from optguide.plots._labels import (
    ROW,
    Label,
    Mark,
    Point,
    groups_of,
    lines,
    list_below,
    look,
    numbered,
    place_labels,
    shape,
)
from optguide.plots._rows import Interval, bounds, fit, unit_name
from optguide.plots._rows import limit as top_of
from optguide.plots.themes import WIDTH, palette, themed

__all__ = ["frontier", "pareto"]

LOG_FROM = 8  # largest over smallest x from which a linear axis would crowd the small ones


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
    marks = numbered(points)
    figure, axes = _scatter(marks, x_quantity, y_quantity)
    list_below(figure, figure.axes[1], marks)
    labels = [Label(str(mark.number), mark.x.value, mark.y.value) for mark in marks]
    place_labels(axes, labels, lines(axes, marks))
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
    marks = numbered(points)
    if chosen is None and limit is not None:
        within = [mark for mark in marks if mark.x.value <= limit]
        chosen = max(within, key=lambda mark: mark.y.value).name if within else None
    figure, axes = _scatter(marks, "Latency", "Throughput", limit)
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
            markeredgecolor=palette().accent,
            markeredgewidth=2.2,
            zorder=5.5,
        )
    list_below(figure, figure.axes[1], marks, spot)
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
    place_labels(axes, labels, lines(axes, marks))
    return figure


def _scatter(
    marks: Sequence[Mark], x_quantity: str, y_quantity: str, limit: float | None = None
) -> tuple[Figure, Axes]:
    """The plot above an empty list: whiskers, marks, front and legend."""
    groups = groups_of(marks)
    header = 0.24 * -(-len(groups) // 3)
    heights = [3.6, ROW * (len(marks) + 1)]
    figure = Figure(figsize=(WIDTH, sum(heights) + header + 0.2), layout="constrained")
    axes, _ = figure.subplots(2, 1, height_ratios=heights)
    axes.grid()
    _scale_x(axes, x_quantity, [mark.x for mark in marks], limit)
    value_axis(axes, y_quantity, [mark.y for mark in marks])
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


def _draw(axes: Axes, mark: Mark, groups: Sequence[str]) -> None:
    marker, colour = look(mark.group, groups)
    whisker_line(axes, mark.y.value, mark.x, vertical=False, colour=colour)
    whisker_line(axes, mark.x.value, mark.y, vertical=True, colour=colour)
    axes.plot([mark.x.value], [mark.y.value], **shape(marker, colour, filled=mark.best), zorder=4)


def _legend(figure: Figure, groups: Sequence[str]) -> None:
    handles = [Line2D([], [], **shape(*look(group, groups), filled=True), label=group) for group in groups]
    if handles:
        figure.legend(handles=handles, loc="outside upper left", ncols=3, borderpad=0, handletextpad=0.2)


def _draw_limit(axes: Axes, limit: float, unit: str) -> None:
    colours = palette()
    right = axes.get_xlim()[1]
    axes.axvline(limit, color=colours.accent, linestyle=(0, (6, 3)), zorder=1.5)
    axes.axvspan(limit, max(limit, right), color=colours.muted, alpha=0.10, linewidth=0, zorder=0.5)
    axes.set_title(f"dashed: limit {limit:g} {unit_name(unit)}", loc="right", size="medium", pad=4)
