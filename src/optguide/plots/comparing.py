"""Variants side by side: how long each takes, and how they relate to a reference."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from optguide.format import OPPOSITES, Estimated, directed
from optguide.plots._axes import (
    MIDDLE,
    TIMES,
    axis_label,
    bar,
    bounds,
    halo,
    linear_axis,
    log_ratio_axis,
    log_reach,
    patch,
    reach_from_zero,
    row_figure,
    row_text,
    whisker,
    written,
)
from optguide.plots.themes import FONT_SIZE, colour_of, palette, themed


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
        colour, hatch = (colours.accent, "//") if chosen else (colour_of(name), "")
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
            markerfacecolor=colours.background if is_control else colour_of(name),
            markeredgecolor=colours.ink if is_control else colour_of(name),
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
        colour, hatch = (colours.accent, "//") if last else (colour_of(name), "")
        # The factors need the foot of the row: name and bar move up from where they stand in a lower one.
        row_text(axes, row - 0.10, name, written(estimate), strong=last)
        bar(axes, row - 0.18 + MIDDLE, estimate.value, colour, hatch)
        whisker(axes, row - 0.18 + MIDDLE, estimate, path_effects=halo(3.5))
        factors = [(alone, "by this step"), (together, "in all")]
        texts = [f"{_gain(ratio)} {scope}" for ratio, scope in factors if ratio]
        axes.text(
            0,
            row + 0.84,
            ", ".join(texts),
            transform=axes.get_yaxis_transform(),
            va="center",
            size=FONT_SIZE - 1,
            color=colours.muted,
            bbox=patch(),
        )
    return figure


def _gain(ratio: Estimated) -> str:
    """A factor with its direction; the ends of its interval only where that tells which way it goes."""
    text = directed(ratio, "faster")
    return text.partition(" (")[0] if text.startswith("no clear") else text


def _line_through_rows(axes: Axes, count: int, x: float, colour: str, style: str) -> None:
    """A vertical line through the marks of all rows, interrupted where names stand."""
    tops = [row + MIDDLE - 0.22 for row in range(count)]
    bottoms = [top + 0.44 for top in tops]
    axes.vlines([x] * count, tops, bottoms, color=colour, linestyle=style, linewidth=1.3, zorder=0.9)
