"""Texts beside marks and lines, placed so that none covers another."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from textwrap import wrap
from typing import Any

from matplotlib.axes import Axes

from optguide.plots._axes import halo
from optguide.plots._rows import fit, text_width
from optguide.plots.themes import FONT_SIZE, palette

__all__ = ["Box", "Label", "LineName", "line_names_height", "name_lines", "place_labels"]

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
