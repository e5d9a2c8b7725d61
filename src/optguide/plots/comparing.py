"""Variants side by side: how long each takes, how they relate to a reference, and which of many is best."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from typing import Any

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.colors import Normalize, to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from optguide.format import OPPOSITES, Estimated, directed
from optguide.format import quantity as digits
from optguide.plots._axes import (
    MIDDLE,
    TIMES,
    axis_label,
    bar,
    bounds,
    fit,
    halo,
    linear_axis,
    log_ratio_axis,
    log_reach,
    new_figure,
    reach_from_zero,
    row_figure,
    row_text,
    whisker,
    written,
)
from optguide.plots.themes import FONT_SIZE, WIDTH, palette, themed

Cell = tuple[int, int]  # row and column

_CELL = 0.56  # inches
_DEEPEST = 0.5  # of the series' colour: the text on it keeps its contrast
_MARKERS = ("^", "s", "D", "v")


@themed
def bars(
    rows: Sequence[tuple[str, Estimated]],
    unit: str,
    *,
    quantity: str = "Latency",
    reference: str | None = None,
) -> Figure:
    """One horizontal bar per variant, with its interval as a whisker.

    :param rows: name and estimate of each variant, top to bottom.
    :param unit: unit of all estimates.
    :param quantity: label of the axis, without the unit.
    :param reference: name of the row the others are held against: drawn in another colour, with its value as
        a line through all rows.
    """
    colours = palette()
    figure, axes = row_figure(len(rows), axis_label(quantity, unit))
    linear_axis(axes.xaxis, unit)
    axes.set_xlim(0, reach_from_zero(estimate for _, estimate in rows))
    for row, (name, estimate) in enumerate(rows):
        chosen = name == reference
        row_text(axes, row, name, written(estimate), strong=chosen)
        colour, hatch = (colours.accent, "//") if chosen else (colours.series[0], "")
        bar(axes, row + MIDDLE, estimate.value, colour, hatch)
        whisker(axes, row + MIDDLE, estimate, path_effects=halo(3.5))
        if chosen:
            _line_through_rows(axes, len(rows), estimate.value, colours.muted, ":")
    return figure


@themed
def ratios(
    rows: Sequence[tuple[str, Estimated]],
    *,
    control: tuple[str, Estimated] | None = None,
    quantity: str = "Speed",
    above: str = "faster",
) -> Figure:
    """Forest plot of ratios around 1 on a log axis, whose label and rows say which way is which.

    :param rows: name and ratio of each comparison, top to bottom.
    :param control: the A/A comparison, drawn last and hollow, with its interval as a band through all
        rows: a ratio inside the band is one that the same variant against itself also gives.
    :param quantity: label of the axis, without the unit.
    :param above: the word for a ratio above one, a key of ``optguide.format.OPPOSITES``.
    """
    colours = palette()
    comparisons = [*rows, *([control] if control else [])]
    directions = f"{OPPOSITES[above]} \N{LEFTWARDS ARROW} 1{TIMES} \N{RIGHTWARDS ARROW} {above}"
    figure, axes = row_figure(len(comparisons), f"{quantity} ({directions}, log scale)")
    log_ratio_axis(axes, *log_reach([ratio for _, ratio in comparisons], factor=3))
    _line_through_rows(axes, len(comparisons), 1.0, colours.ink, "-")
    if control:
        low, high = bounds(control[1])
        middles = [row + MIDDLE for row in range(len(comparisons))]
        axes.barh(middles, high - low, left=low, height=0.44, color=colours.muted, alpha=0.25, zorder=0.8)
    for row, (name, ratio) in enumerate(comparisons):
        is_control = row == len(rows)
        row_text(axes, row, name, directed(ratio, above))
        whisker(axes, row + MIDDLE, ratio, path_effects=halo(3.5))
        axes.plot(
            [ratio.value],
            [row + MIDDLE],
            marker="D" if is_control else "o",
            markersize=7,
            markerfacecolor=colours.background if is_control else colours.series[0],
            markeredgecolor=colours.ink if is_control else colours.series[0],
            path_effects=halo(2),
            zorder=5,
        )
    return figure


@themed
def steps(
    rows: Sequence[tuple[str, Estimated, Estimated | None, Estimated | None]], *, quantity: str = "Latency"
) -> Figure:
    """One bar per step of an optimization, each on top of those above it, and what it brought.

    Below a bar stand the factor of this step alone and that of all steps so far, with their intervals.

    :param rows: name, estimate, factor gained on the row before, factor gained on the first row, top to
        bottom; all estimates in one unit. ``None`` where there is no factor, as in the first row, or it would
        repeat the other, as in the second.
    :param quantity: label of the axis, without the unit.
    """
    colours = palette()
    unit = rows[0][1].unit if rows else "ms"
    figure, axes = row_figure(len(rows), axis_label(quantity, unit), height=0.72)
    axes.set_xlim(0, reach_from_zero(estimate for _, estimate, _, _ in rows))
    for row, (name, estimate, alone, together) in enumerate(rows):
        last = row == len(rows) - 1
        colour, hatch = (colours.accent, "//") if last else (colours.series[0], "")
        # The factors need the foot of the row: name and bar move up from where they stand in a lower one.
        row_text(axes, row - 0.10, name, written(estimate), strong=last)
        bar(axes, row - 0.18 + MIDDLE, estimate.value, colour, hatch)
        whisker(axes, row - 0.18 + MIDDLE, estimate, path_effects=halo(3.5))
        factors = [(alone, "by this step"), (together, "in all")]
        texts = [f"{written(ratio)} {scope}" for ratio, scope in factors if ratio]
        axes.text(
            0,
            row + 0.84,
            ", ".join(texts),
            transform=axes.get_yaxis_transform(),
            va="center",
            color=colours.muted,
            bbox={"facecolor": colours.background, "edgecolor": "none", "pad": 0.5},
        )
    return figure


def _line_through_rows(axes: Axes, count: int, x: float, colour: str, style: str) -> None:
    """A vertical line through the marks of all rows, interrupted where names stand."""
    tops = [row + MIDDLE - 0.22 for row in range(count)]
    bottoms = [top + 0.44 for top in tops]
    axes.vlines([x] * count, tops, bottoms, color=colour, linestyle=style, linewidth=1.3, zorder=0.9)


@themed
def heat_map(  # noqa: PLR0913  both axes of a table need names
    values: Sequence[Sequence[Estimated | None]],
    rows: Sequence[Hashable],
    columns: Sequence[Hashable],
    *,
    row_label: str,
    column_label: str,
    quantity: str,
    lowest_is_best: bool = False,
    marks: Mapping[str, tuple[Hashable, Hashable]] | None = None,
) -> Figure:
    """A table whose cells are coloured by their value, with the best one and those not told apart from it.

    A cell holds the value and the larger half of its interval in percent of the value. Cells whose interval
    overlaps that of the best one have a dashed frame.

    :param values: one row of estimates per element of ``rows``, one estimate per element of ``columns``;
        ``None`` where nothing was measured.
    :param rows: names or numbers, top to bottom.
    :param columns: names or numbers, left to right.
    :param row_label: label of the vertical axis, with its unit: ``"Threads (count)"``.
    :param column_label: label of the horizontal axis, with its unit.
    :param quantity: the measured quantity, for the title.
    :param lowest_is_best: for times.
    :param marks: name to (row, column) of cells that are to be shown, such as the one that the runtime
        chooses by itself.
    """
    figure, axes = new_figure(1.5 + _CELL * max(len(rows), 1), grid="none")
    _name_cells(axes, rows, columns)
    axes.set_ylabel(row_label)
    axes.set_xlabel(column_label)
    cells = {
        (row, column): estimate
        for row, line in enumerate(values)
        for column, estimate in enumerate(line)
        if estimate is not None
    }
    sign = -1 if lowest_is_best else 1
    best = max(cells, key=lambda cell: sign * cells[cell].value, default=None)
    close = [cell for cell in cells if best and cell != best and _overlap(cells[cell], cells[best])]
    colour = _colours([estimate.value for estimate in cells.values()])
    for row in range(len(rows)):
        for column in range(len(columns)):
            _fill(axes, row, column, cells.get((row, column)), colour)
    handles = _frame_best(axes, best, close)
    unit = next(iter(cells.values())).unit if cells else "count"
    axes.set_title(axis_label(quantity, unit), loc="left", pad=6)
    for index, (name, (row_name, column_name)) in enumerate((marks or {}).items()):
        cell = (list(rows).index(row_name), list(columns).index(column_name))
        handles.append(_mark(axes, cell, name, index))
    if handles:
        figure.legend(handles=handles, loc="outside lower left", ncols=2, borderpad=0, handlelength=1.6)
    return figure


def _name_cells(axes: Axes, rows: Sequence[Hashable], columns: Sequence[Hashable]) -> None:
    axes.set_xlim(0, max(len(columns), 1))
    axes.set_ylim(max(len(rows), 1), 0)
    room = 0.8 * (WIDTH * 72 - 60) / max(len(columns), 1)
    axes.set_xticks([i + 0.5 for i in range(len(columns))], [fit(str(name), room) for name in columns])
    axes.set_yticks([i + 0.5 for i in range(len(rows))], [fit(str(name), 100) for name in rows])
    axes.tick_params(length=0)
    for side in ("left", "bottom"):
        axes.spines[side].set_visible(False)


def _overlap(first: Estimated, other: Estimated) -> bool:
    (low, high), (other_low, other_high) = bounds(first), bounds(other)
    return low <= other_high and other_low <= high


def _colours(values: Sequence[float]) -> Any:
    """From the value to the fill: the larger, the less of the page shows through."""
    colour = to_rgb(palette().series[0])
    scale = Normalize(min(values, default=0.0), max(values, default=1.0))
    flat = not values or min(values) == max(values)
    return lambda value: (*colour, 0.3 if flat else 0.06 + (_DEEPEST - 0.06) * float(scale(value)))


def _fill(axes: Axes, row: int, column: int, estimate: Estimated | None, colour: Any) -> None:
    colours = palette()
    face = "none" if estimate is None else colour(estimate.value)
    axes.add_patch(Rectangle((column, row), 1, 1, facecolor=face, edgecolor=colours.background, linewidth=2))
    middle: dict[str, Any] = {"ha": "center", "va": "center", "in_layout": False}
    if estimate is None:
        axes.text(column + 0.5, row + 0.5, "\N{EN DASH}", color=colours.muted, **middle)
        return
    value = digits(estimate.value, "share" if estimate.unit == "share" else "count")
    axes.text(column + 0.5, row + 0.36, value, weight="bold", **middle)
    axes.text(column + 0.5, row + 0.72, _half_width(estimate), size=FONT_SIZE - 1.5, **middle)


def _half_width(estimate: Estimated) -> str:
    low, high = bounds(estimate)
    half = max(estimate.value - low, high - estimate.value)
    if not math.isfinite(half) or not estimate.value:
        return "\N{PLUS-MINUS SIGN} ?"
    percent = 100 * half / abs(estimate.value)
    return f"\N{PLUS-MINUS SIGN}{f'{percent:.0f}' if percent >= 9.5 else f'{percent:.2g}'} %"


def _frame_best(axes: Axes, best: Cell | None, close: Sequence[Cell]) -> list[Artist]:
    """Frame the best cell and those close to it; returns one of each kind for the legend."""

    def frame(cell: Cell, label: str, **line: Any) -> Artist:
        corner = (cell[1] + 0.04, cell[0] + 0.04)
        line |= {"fill": False, "edgecolor": palette().accent, "zorder": 3}
        return axes.add_patch(Rectangle(corner, 0.92, 0.92, label=label, **line))

    dashed: dict[str, Any] = {"linestyle": (0, (3, 2)), "linewidth": 1.8}
    frames = [frame(cell, "interval overlaps the best", **dashed) for cell in close]
    return [*([frame(best, "best", linewidth=3.2)] if best else []), *frames[:1]]


def _mark(axes: Axes, cell: Cell, name: str, index: int) -> Artist:
    """A small sign in a corner of a cell, which the legend names."""
    row, column = cell
    x, y = ((0.14, 0.2), (0.86, 0.2), (0.14, 0.8), (0.86, 0.8))[index % 4]
    style: dict[str, Any] = {"marker": _MARKERS[index % len(_MARKERS)], "markersize": 8, "linestyle": "none"}
    (line,) = axes.plot([column + x], [row + y], color=palette().ink, zorder=4, label=name, **style)
    return line
