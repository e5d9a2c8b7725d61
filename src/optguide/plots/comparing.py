"""Variants side by side: how long each takes, and how they relate to a reference."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke

from optguide.plots._axes import axis_label, linear_axis
from optguide.plots._data import TIMES, Interval, bounds, written
from optguide.plots._rows import MIDDLE, bar, limit, log_ratio_axis, row_figure, row_lines, row_text, whisker
from optguide.plots.themes import palette, themed

__all__ = ["bars", "ratios", "steps"]


@themed
def bars(
    rows: Sequence[tuple[str, Interval]],
    unit: str,
    *,
    quantity: str = "Latency",
    reference: str | None = None,
) -> Figure:
    """One horizontal bar per variant, with its interval as a whisker.

    :param rows: name and estimate of each variant, top to bottom.
    :param unit: unit of all estimates.
    :param quantity: what the axis measures.
    :param reference: name of the row the others are held against: drawn in another colour, with its value as
        a line through all rows.
    """
    colours = palette()
    figure, axes = row_figure(len(rows), axis_label(quantity, unit))
    linear_axis(axes.xaxis, unit)
    axes.set_xlim(0, limit(estimate for _, estimate in rows))
    for row, (name, estimate) in enumerate(rows):
        chosen = name == reference
        row_text(axes, row, name, written(estimate), strong=chosen)
        bar(
            axes,
            row,
            0,
            estimate.value,
            colours.accent if chosen else colours.series[0],
            "//" if chosen else "",
        )
        whisker(axes, row, estimate)
        if chosen:
            row_lines(axes, len(rows), estimate.value, colours.muted, ":")
    return figure


@themed
def ratios(
    rows: Sequence[tuple[str, Interval]],
    *,
    control: tuple[str, Interval] | None = None,
    quantity: str = "Speed-up, log scale",
) -> Figure:
    """Forest plot of ratios around 1 on a log axis.

    :param rows: name and ratio of each comparison, top to bottom.
    :param control: the A/A comparison, drawn last and hollow, with its interval as a band through all
        rows: a ratio inside the band is one that the same variant against itself also gives.
    :param quantity: what the axis measures.
    """
    colours = palette()
    every = [*rows, *([control] if control else [])]
    figure, axes = row_figure(len(every), f"{quantity} ({TIMES})")
    log_ratio_axis(axes, *_range([estimate for _, estimate in every]))
    row_lines(axes, len(every), 1.0, colours.ink, "-")
    if control:
        low, high = bounds(control[1])
        middles = [row + MIDDLE for row in range(len(every))]
        axes.barh(middles, high - low, left=low, height=0.44, color=colours.muted, alpha=0.25, zorder=0.8)
    for row, (name, estimate) in enumerate(every):
        is_control = row == len(rows)
        row_text(axes, row, name, written(estimate))
        whisker(axes, row, estimate)
        axes.plot(
            [estimate.value],
            [row + MIDDLE],
            marker="D" if is_control else "o",
            markersize=7,
            markerfacecolor=colours.background if is_control else colours.series[0],
            markeredgecolor=colours.ink if is_control else colours.series[0],
            path_effects=[withStroke(linewidth=2, foreground=colours.background)],
            zorder=5,
        )
    return figure


@themed
def steps(
    rows: Sequence[tuple[str, Interval, Interval | None, Interval | None]], *, quantity: str = "Latency"
) -> Figure:
    """One bar per step of an optimization, each on top of those above it, and what it brought.

    Below a bar stand the factor of this step alone and that of all steps so far, with their intervals.

    :param rows: name, estimate, factor gained on the row before, factor gained on the first row, top to
        bottom; all estimates in one unit. ``None`` where there is no factor, as in the first row, or it would
        repeat the other, as in the second.
    :param quantity: what the axis measures.
    """
    colours = palette()
    unit = rows[0][1].unit if rows else "ms"
    figure, axes = row_figure(len(rows), axis_label(quantity, unit), height=0.72)
    axes.set_xlim(0, limit(estimate for _, estimate, _, _ in rows))
    for row, (name, estimate, alone, together) in enumerate(rows):
        last = row == len(rows) - 1
        colour, hatch = (colours.accent, "//") if last else (colours.series[0], "")
        # The factors need the foot of the row: name and bar move up from where they stand in a lower one.
        row_text(axes, row - 0.10, name, written(estimate), strong=last)
        bar(axes, row - 0.18, 0, estimate.value, colour, hatch)
        whisker(axes, row - 0.18, estimate)
        factors = [(alone, "by this step"), (together, "in all")]
        texts = [f"{written(ratio)} {what}" for ratio, what in factors if ratio]
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


def _range(estimates: Sequence[Interval]) -> tuple[float, float]:
    """Ends of a log axis: all values, and intervals up to a factor of three beyond them."""
    values = [estimate.value for estimate in estimates] or [1.0]
    ends = [bounds(estimate) for estimate in estimates] or [(1.0, 1.0)]
    low, high = min(values), max(values)
    return max(min(end for end, _ in ends), low / 3), min(max(end for _, end in ends), high * 3)
