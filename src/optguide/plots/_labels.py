"""Texts beside marks and lines, placed so that none covers another.

Points that are numbered in a plot and named in a list below it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from textwrap import wrap
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.transforms import blended_transform_factory

from optguide.plots._axes import halo
from optguide.plots._rows import TEXT_WIDTH, Interval, bounds, fit, text_width, written
from optguide.plots.themes import FONT_SIZE, WIDTH, palette

__all__ = [
    "ROW",
    "Box",
    "Label",
    "LineName",
    "Mark",
    "Point",
    "groups_of",
    "line_names_height",
    "lines",
    "list_below",
    "look",
    "name_lines",
    "numbered",
    "place_labels",
    "shape",
]

LINE = 1.3 * FONT_SIZE  # points
NAME_WIDTH = 96  # points that names beside lines may take
FAR = 12  # points between a mark and its text from which a line connects them
RADII = (11, 15, 20, 26, 34, 44, 56, 70, 86)
DIRECTIONS = 16


@dataclass(frozen=True)
class Box:
    """A rectangle in points."""

    left: float
    bottom: float
    right: float
    top: float

    def overlap(self, other: Box) -> float:
        """Common area in square points."""
        width = min(self.right, other.right) - max(self.left, other.left)
        height = min(self.top, other.top) - max(self.bottom, other.bottom)
        return width * height if width > 0 and height > 0 else 0.0


@dataclass(frozen=True)
class Label:
    """A text that belongs to a point of the data."""

    text: str
    x: float
    y: float
    strong: bool = False

    @property
    def size(self) -> tuple[float, float]:
        """Width and height in points."""
        return text_width(self.text, "bold" if self.strong else "normal") + 3, FONT_SIZE + 2


def place_labels(axes: Axes, labels: Sequence[Label], whiskers: Sequence[Box] = ()) -> None:
    """Write each text near its point, away from other texts, from marks and, if there is room, whiskers.

    Call it last: it needs the final layout.

    :param labels: the most important first.
    :param whiskers: what had better not be covered, in coordinates of the data.
    """
    per_point = _lay_out(axes)
    place = axes.transData.transform
    edge = axes.bbox
    inside = Box(*(float(end) / per_point for end in (edge.x0, edge.y0, edge.x1, edge.y1)))
    points = [tuple(float(c) / per_point for c in place((label.x, label.y))) for label in labels]
    marks = [Box(x - 6, y - 6, x + 6, y + 6) for x, y in points]
    lines = [_thick(place((b.left, b.bottom)), place((b.right, b.top)), per_point) for b in whiskers]
    leader = {"arrowstyle": "-", "shrinkA": 0, "shrinkB": 6, "color": palette().muted, "linewidth": 0.8}
    taken: list[Box] = []
    for label, (x, y) in zip(labels, points, strict=True):
        box = _best(label, x, y, inside, (taken, marks, lines))
        taken.append(box)
        offset = ((box.left + box.right) / 2 - x, (box.bottom + box.top) / 2 - y)
        gap = max(abs(offset[0]) - label.size[0] / 2, abs(offset[1]) - label.size[1] / 2)
        axes.annotate(
            label.text,
            (label.x, label.y),
            xytext=offset,
            textcoords="offset points",
            ha="center",
            va="center",
            weight="bold" if label.strong else "normal",
            path_effects=halo(),
            arrowprops=leader if gap > FAR else None,
            zorder=6,
        ).set_in_layout(False)


def _lay_out(axes: Axes) -> float:
    """Give the axes their final place; pixels per point."""
    figure = axes.get_figure(root=True)
    if figure is None:  # only for axes that were removed
        return 1.0
    figure.draw_without_rendering()
    return figure.dpi / 72


def _thick(start: Any, end: Any, per_point: float) -> Box:
    left, right = sorted((float(start[0]) / per_point, float(end[0]) / per_point))
    bottom, top = sorted((float(start[1]) / per_point, float(end[1]) / per_point))
    return Box(left - 1.5, bottom - 1.5, right + 1.5, top + 1.5)


def _best(label: Label, x: float, y: float, inside: Box, others: tuple[Sequence[Box], ...]) -> Box:
    """The nearest place that covers nothing, else the one that covers least of least importance."""
    width, height = label.size
    costs: list[tuple[float, int, Box]] = []
    for index, radius in enumerate(RADII):
        for step in range(DIRECTIONS):
            # Starting at the upper right, where a number is looked for first.
            angle = math.pi / 4 + 2 * math.pi * step / DIRECTIONS
            middle = (
                x + math.cos(angle) * (radius + width / 2 - 6),
                y + math.sin(angle) * radius,
            )
            box = Box(
                middle[0] - width / 2, middle[1] - height / 2, middle[0] + width / 2, middle[1] + height / 2
            )
            outside = width * height - box.overlap(inside)
            covered = [sum(box.overlap(other) for other in kind) for kind in others]
            cost = 100 * (outside + covered[0]) + 10 * covered[1] + covered[2] + 1.5 * index
            costs.append((cost, len(costs), box))
    return min(costs)[2]


@dataclass(frozen=True)
class LineName:
    """The name of a line, written right of the axes at the height where the line ends.

    :param x: where the line ends, in coordinates of the data.
    :param y: how high it ends.
    """

    text: str
    x: float
    y: float
    colour: str


def line_names_height(names: Sequence[str]) -> float:
    """Inches of axes that these names need one below the other."""
    return sum(LINE * len(_lines(name)) + 3 for name in names) / 72


def name_lines(axes: Axes, names: Sequence[LineName]) -> None:
    """Names right of the axes, each led to the end of its line and moved where two would touch.

    Call it last: it needs the final layout.
    """
    per_point = _lay_out(axes)
    height = float(axes.bbox.height) / per_point
    turn = axes.transData + axes.transAxes.inverted()
    ends = [tuple(float(c) for c in turn.transform((name.x, name.y))) for name in names]
    order = sorted(range(len(names)), key=lambda index: ends[index][1])
    texts = ["\n".join(_lines(name.text)) for name in names]
    needs = [(LINE * (text.count("\n") + 1) + 3) / height for text in texts]
    places = _spread([ends[index][1] for index in order], [needs[index] for index in order])
    for index, at in zip(order, places, strict=True):
        name, (x, y) = names[index], ends[index]
        y = min(max(y, 0.0), 1.0)
        axes.plot(
            (x, 1.01, 1.035),
            (y, y, at),
            color=name.colour,
            linewidth=1.0,
            linestyle=":",
            transform=axes.transAxes,
            clip_on=False,
            zorder=1.6,
        )
        axes.text(1.045, at, texts[index], transform=axes.transAxes, ha="left", va="center", linespacing=1.1)


def _lines(name: str) -> list[str]:
    """A name in at most two lines."""
    lines = wrap(name, 15) or [""]
    if len(lines) > 2:
        lines = [lines[0], " ".join(lines[1:])]
    return [fit(line, NAME_WIDTH) for line in lines]


def _spread(wanted: Sequence[float], needs: Sequence[float]) -> list[float]:
    """Middles in ascending order near ``wanted``, ``needs`` apart and, if they fit, between 0 and 1."""
    middles: list[float] = []
    floor = 0.0
    for middle, need in zip(wanted, needs, strict=True):
        middles.append(max(middle, floor + need / 2))
        floor = middles[-1] + need / 2
    ceiling = max(1.0, sum(needs))
    for index in reversed(range(len(middles))):
        middles[index] = min(middles[index], ceiling - needs[index] / 2)
        ceiling = middles[index] - needs[index] / 2
    return middles


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
