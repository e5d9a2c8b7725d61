"""Points that are numbered in a plot and named in a list below it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.transforms import blended_transform_factory

from optguide.plots._data import Interval, bounds, written
from optguide.plots._labels import Box
from optguide.plots._rows import TEXT_WIDTH, fit, text_width
from optguide.plots.themes import FONT_SIZE, WIDTH, palette

__all__ = ["ROW", "Mark", "Point", "groups_of", "lines", "list_below", "look", "numbered", "shape"]

Point = tuple[str, Interval, Interval] | tuple[str, Interval, Interval, str]
MARKERS = ("o", "s", "^", "D", "v", "P")
ROW = 0.215  # inches
LEFT = 12 / (72 * WIDTH)  # margin of the list as a share of the figure


@dataclass(frozen=True)
class Mark:
    """A point of the plot and a line of the list.

    :param group: empty where points have no groups.
    :param best: no other point has at most this x and at least this y, one of them strictly.
    """

    number: int
    name: str
    x: Interval
    y: Interval
    group: str
    best: bool


def numbered(points: Sequence[Point]) -> list[Mark]:
    """Marks from left to right, equal ones from the better down."""
    ordered = sorted(points, key=lambda point: (point[1].value, -point[2].value))
    return [
        Mark(
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


def groups_of(marks: Sequence[Mark]) -> list[str]:
    """The groups in the order in which they first appear."""
    return list(dict.fromkeys(mark.group for mark in marks if mark.group))


def look(group: str, groups: Sequence[str]) -> tuple[str, str]:
    """Marker and colour of a group; those of the first where there are none."""
    index = groups.index(group) if group else 0
    return MARKERS[index % len(MARKERS)], palette().series[index % len(palette().series)]


def shape(marker: str, colour: str, *, filled: bool) -> dict[str, Any]:
    """How Matplotlib draws a mark."""
    return {
        "marker": marker,
        "markersize": 8,
        "markerfacecolor": colour if filled else palette().background,
        "markeredgecolor": colour,
        "markeredgewidth": 1.6,
        "linestyle": "none",
    }


def list_below(figure: Figure, axes: Axes, marks: Sequence[Mark], chosen: Mark | None = None) -> None:
    """Number, mark, name and values of every point, on axes of their own."""
    axes.set_axis_off()
    axes.set_ylim(len(marks) + 1, 0)
    # Lines start at the figure's margin, not at that of the plot, which leaves room for its tick labels.
    edges = blended_transform_factory(figure.transFigure, axes.transData)
    groups = groups_of(marks)
    place: dict[str, Any] = {"transform": edges, "va": "center", "in_layout": False}
    if marks:
        text = "Filled, on the line: no other point is better in both."
        axes.text(LEFT, 0.5, text, color=palette().muted, ha="left", **place)
    columns = [[written(estimate, ends=False) for estimate in (mark.x, mark.y)] for mark in marks]
    second = max((text_width(y, "bold") for _, y in columns), default=0.0) + 1.5 * FONT_SIZE
    for row, (mark, (x, y)) in enumerate(zip(marks, columns, strict=True), start=1):
        weight = "bold" if mark is chosen else "normal"
        style: dict[str, Any] = place | {"weight": weight}
        axes.text(LEFT + 0.045, row + 0.5, str(mark.number), ha="right", **style)
        axes.plot(
            [LEFT + 0.07],
            [row + 0.5],
            **shape(*look(mark.group, groups), filled=mark.best),
            transform=edges,
            clip_on=False,
        )
        room = TEXT_WIDTH - 0.1 * WIDTH * 72 - second - text_width(x, weight) - FONT_SIZE
        axes.text(LEFT + 0.1, row + 0.5, fit(mark.name, room, weight), ha="left", **style)
        axes.text(1 - LEFT - second / (72 * WIDTH), row + 0.5, x, ha="right", **style)
        axes.text(1 - LEFT, row + 0.5, y, ha="right", **style)


def lines(axes: Axes, marks: Sequence[Mark]) -> list[Box]:
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
