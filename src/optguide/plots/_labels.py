"""Texts beside marks and lines, placed so that none covers another."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from textwrap import wrap

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike, NDArray

from optguide.plots._axes import fit, note, text_width
from optguide.plots.themes import FONT_SIZE, palette

_LINE = 1.3 * FONT_SIZE  # points
_NAME_WIDTH = 96  # points that names beside lines may take
_LEADER_FROM = 12  # points between a mark and its text from which a line connects them
_RADII = (11, 15, 20, 26, 34, 44, 56, 70, 86)
_ANGLES = math.pi / 4 + np.linspace(0, 2 * math.pi, 16, endpoint=False)
"""Starting at the upper right, where a number is looked for first."""

Boxes = NDArray[np.float64]
"""Rectangles as rows: left, bottom, right, top."""


@dataclass(frozen=True)
class Label:
    """A text that belongs to a point of the data."""

    text: str
    x: float
    y: float
    strong: bool = False


def place_labels(axes: Axes, labels: Sequence[Label], lines: ArrayLike = ()) -> None:
    """Write each text near its point, away from other texts, from marks and, if there is room, from lines.

    Call it last: it needs the final layout.

    :param labels: the most important first.
    :param lines: horizontal and vertical lines that had better not be covered, in coordinates of the data:
        x and y of one end, then x and y of the other.
    """
    per_point = _lay_out(axes)
    points = (
        axes.transData.transform([(label.x, label.y) for label in labels] or np.empty((0, 2))) / per_point
    )
    ends = axes.transData.transform(np.reshape(lines, (-1, 2))).reshape(-1, 2, 2) / per_point
    line_boxes = np.hstack([ends.min(axis=1) - 1.5, ends.max(axis=1) + 1.5])
    mark_boxes = np.hstack([points - 6, points + 6])
    inside = np.array([axes.bbox.extents]) / per_point
    placed = np.empty((0, 4))
    leader = {"arrowstyle": "-", "shrinkA": 0, "shrinkB": 6, "color": palette().muted, "linewidth": 0.8}
    for label, point in zip(labels, points, strict=True):
        weight = "bold" if label.strong else "normal"
        size = np.array([text_width(label.text, weight) + 3, FONT_SIZE + 2])
        boxes = _candidates(point, size)
        covered = (
            100 * _overlap(boxes, placed) + 10 * _overlap(boxes, mark_boxes) + _overlap(boxes, line_boxes)
        )
        outside = size.prod() - _overlap(boxes, inside)
        distance = 1.5 * np.repeat(np.arange(len(_RADII)), len(_ANGLES))
        box = boxes[np.argmin(100 * outside + covered + distance)]
        placed = np.vstack([placed, box])
        offset = (box[:2] + box[2:]) / 2 - point
        far = (abs(offset) - size / 2).max() > _LEADER_FROM
        style = {"ha": "center", "va": "center", "weight": weight, "arrowprops": leader if far else None}
        note(axes, label.text, (label.x, label.y), tuple(offset), **style, in_layout=False)


def _candidates(point: NDArray[np.float64], size: NDArray[np.float64]) -> Boxes:
    """Boxes of this size on rings around a point, the nearest first."""
    radii = np.repeat(_RADII, len(_ANGLES))
    angles = np.tile(_ANGLES, len(_RADII))
    middles = point + np.column_stack([np.cos(angles) * (radii + size[0] / 2 - 6), np.sin(angles) * radii])
    return np.hstack([middles - size / 2, middles + size / 2])


def _overlap(boxes: Boxes, others: Boxes) -> NDArray[np.float64]:
    """The area that each box has in common with the others, added up."""
    corner = np.minimum(boxes[:, None, 2:], others[None, :, 2:])
    sides = corner - np.maximum(boxes[:, None, :2], others[None, :, :2])
    # NaN: an endless line on a log axis.
    return np.asarray(np.nan_to_num(sides).clip(min=0).prod(axis=2).sum(axis=1))


def _lay_out(axes: Axes) -> float:
    """Give the axes their final place; pixels per point."""
    figure = axes.get_figure(root=True)
    if figure is None:  # only for axes that were removed
        return 1.0
    figure.draw_without_rendering()
    return figure.dpi / 72


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
    return sum(_LINE * len(_lines(name)) + 3 for name in names) / 72


def name_lines(axes: Axes, names: Sequence[LineName]) -> None:
    """Names right of the axes, each led to the end of its line and moved where two would touch.

    Call it last: it needs the final layout.
    """
    per_point = _lay_out(axes)
    height = axes.bbox.height / per_point
    to_axes = axes.transData + axes.transAxes.inverted()
    ends = [to_axes.transform((name.x, name.y)) for name in names]
    upwards = sorted(range(len(names)), key=lambda index: ends[index][1])
    lines = [_lines(name.text) for name in names]
    heights = [(_LINE * len(lines[index]) + 3) / height for index in upwards]
    middles = _spread([ends[index][1] for index in upwards], heights)
    for index, middle in zip(upwards, middles, strict=True):
        x, y = ends[index][0], min(max(ends[index][1], 0.0), 1.0)
        axes.plot(
            (x, 1.01, 1.035),
            (y, y, middle),
            color=names[index].colour,
            linewidth=1.0,
            linestyle=":",
            transform=axes.transAxes,
            clip_on=False,
            zorder=1.6,
        )
        text = "\n".join(lines[index])
        axes.text(1.045, middle, text, transform=axes.transAxes, ha="left", va="center", linespacing=1.1)


def _lines(name: str) -> list[str]:
    """A name in at most two lines."""
    first, *others = wrap(name, 15) or [""]
    return [fit(line, _NAME_WIDTH) for line in ([first, " ".join(others)] if others else [first])]


def _spread(desired: Sequence[float], heights: Sequence[float]) -> list[float]:
    """Middles in ascending order near ``desired``, ``heights`` apart and, if they fit, between 0 and 1."""
    middles: list[float] = []
    floor = 0.0
    for middle, height in zip(desired, heights, strict=True):
        middles.append(max(middle, floor + height / 2))
        floor = middles[-1] + height / 2
    ceiling = max(1.0, sum(heights))
    for index in reversed(range(len(middles))):
        middles[index] = min(middles[index], ceiling - heights[index] / 2)
        ceiling = middles[index] - heights[index] / 2
    return middles
