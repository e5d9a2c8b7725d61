"""A number for every pair of two settings."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, Normalize, to_hex
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Rectangle

from optguide.format import quantity as digits
from optguide.plots._axes import axis_label
from optguide.plots._rows import Interval, bounds, fit
from optguide.plots.themes import FONT_SIZE, WIDTH, palette, themed

__all__ = ["heat_map"]

CELL = 0.56  # inches
SMALL = FONT_SIZE - 1.5
MARKERS = ("^", "s", "D", "v")
DEEPEST = 0.5  # of the series' colour: the text on it keeps its contrast


@themed
def heat_map(  # noqa: PLR0913  both axes of a table need names
    values: Sequence[Sequence[Interval | None]],
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
    :param row_label: what the rows are, with its unit: ``"Threads (count)"``.
    :param column_label: what the columns are.
    :param quantity: what was measured.
    :param lowest_is_best: for times.
    :param marks: name to (row, column) of cells that are to be shown, such as the one that the runtime
        chooses by itself.
    """
    figure = Figure(figsize=(WIDTH, 1.5 + CELL * max(len(rows), 1)), layout="constrained")
    axes = figure.subplots()
    _frame(axes, rows, columns)
    axes.set_ylabel(row_label)
    axes.set_xlabel(column_label)
    cells = {
        (row, column): estimate
        for row, line in enumerate(values)
        for column, estimate in enumerate(line)
        if estimate is not None
    }
    best = _best(cells, lowest_is_best=lowest_is_best)
    colour = _colours([estimate.value for estimate in cells.values()])
    for row in range(len(rows)):
        for column in range(len(columns)):
            _fill(axes, row, column, cells.get((row, column)), colour)
    close = [cell for cell in cells if cell != best and best and _overlap(cells[cell], cells[best])]
    for cell in close:
        _outline(axes, *cell, linestyle=(0, (3, 2)), linewidth=1.8)
    if best:
        _outline(axes, *best, linestyle="-", linewidth=3.2)
    unit = next(iter(cells.values())).unit if cells else "count"
    axes.set_title(axis_label(quantity, unit), loc="left", pad=6)
    handles = _handles(best is not None, bool(close))
    for index, (name, (row_name, column_name)) in enumerate((marks or {}).items()):
        at = (list(rows).index(row_name), list(columns).index(column_name))
        handles.append(_mark(axes, at, name, index))
    if handles:
        figure.legend(handles=handles, loc="outside lower left", ncols=2, borderpad=0, handlelength=1.6)
    return figure


def _frame(axes: Axes, rows: Sequence[Hashable], columns: Sequence[Hashable]) -> None:
    axes.set_xlim(0, max(len(columns), 1))
    axes.set_ylim(max(len(rows), 1), 0)
    room = 0.8 * (WIDTH * 72 - 60) / max(len(columns), 1)
    axes.set_xticks([i + 0.5 for i in range(len(columns))], [fit(str(name), room) for name in columns])
    axes.set_yticks([i + 0.5 for i in range(len(rows))], [fit(str(name), 100) for name in rows])
    axes.tick_params(length=0)
    for side in ("left", "bottom"):
        axes.spines[side].set_visible(False)


def _best(cells: Mapping[tuple[int, int], Interval], *, lowest_is_best: bool) -> tuple[int, int] | None:
    if not cells:
        return None
    sign = -1 if lowest_is_best else 1
    return max(cells, key=lambda cell: sign * cells[cell].value)


def _overlap(one: Interval, other: Interval) -> bool:
    (low, high), (other_low, other_high) = bounds(one), bounds(other)
    return low <= other_high and other_low <= high


def _colours(values: Sequence[float]) -> Any:
    """From the value to the fill: the larger, the further from the page's own colour."""
    colours = palette()
    ramp = LinearSegmentedColormap.from_list("page", [colours.background, colours.series[0]])
    scale = Normalize(min(values, default=0.0), max(values, default=1.0))
    flat = not values or min(values) == max(values)
    return lambda value: to_hex(ramp(0.3 if flat else 0.06 + (DEEPEST - 0.06) * float(scale(value))))


def _fill(axes: Axes, row: int, column: int, estimate: Interval | None, colour: Any) -> None:
    colours = palette()
    face = "none" if estimate is None else colour(estimate.value)
    axes.add_patch(Rectangle((column, row), 1, 1, facecolor=face, edgecolor=colours.background, linewidth=2))
    middle: dict[str, Any] = {"ha": "center", "va": "center", "in_layout": False}
    if estimate is None:
        axes.text(column + 0.5, row + 0.5, "\N{EN DASH}", color=colours.muted, **middle)
        return
    value = digits(estimate.value, "share" if estimate.unit == "share" else "count")
    axes.text(column + 0.5, row + 0.36, value, weight="bold", **middle)
    axes.text(column + 0.5, row + 0.72, _half_width(estimate), size=SMALL, **middle)


def _half_width(estimate: Interval) -> str:
    low, high = bounds(estimate)
    half = max(estimate.value - low, high - estimate.value)
    if not math.isfinite(half) or not estimate.value:
        return "\N{PLUS-MINUS SIGN} ?"
    percent = 100 * half / abs(estimate.value)
    return f"\N{PLUS-MINUS SIGN}{f'{percent:.0f}' if percent >= 9.5 else f'{percent:.2g}'} %"


def _outline(axes: Axes, row: int, column: int, **line: Any) -> None:
    inset = 0.04
    axes.add_patch(
        Rectangle(
            (column + inset, row + inset),
            1 - 2 * inset,
            1 - 2 * inset,
            fill=False,
            edgecolor=palette().accent,
            zorder=3,
            **line,
        )
    )


def _handles(best: bool, close: bool) -> list[Any]:
    accent = palette().accent
    shown: list[Any] = []
    if best:
        shown.append(Patch(fill=False, edgecolor=accent, linewidth=3, label="best"))
    if close:
        line = (0, (3, 2))
        shown.append(
            Patch(
                fill=False,
                edgecolor=accent,
                linewidth=1.8,
                linestyle=line,
                label="interval overlaps the best",
            )
        )
    return shown


def _mark(axes: Axes, cell: tuple[int, int], name: str, index: int) -> Line2D:
    """A small sign in a corner of a cell; returns its entry for the legend."""
    row, column = cell
    look: dict[str, Any] = {
        "marker": MARKERS[index % len(MARKERS)],
        "markersize": 8,
        "color": palette().ink,
        "linestyle": "none",
    }
    corner = ((0.14, 0.2), (0.86, 0.2), (0.14, 0.8), (0.86, 0.8))[index % 4]
    axes.plot([column + corner[0]], [row + corner[1]], **look, zorder=4)
    return Line2D([], [], **look, label=name)
