"""Variants side by side: how long each takes, and how they relate to a reference.

How far a number can be trusted: repeats of a ratio, and percentiles of few samples.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from statistics import median

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

from optguide.plots._axes import axis_label, linear_axis
from optguide.plots._rows import (
    MIDDLE,
    TIMES,
    Interval,
    bar,
    bounds,
    limit,
    log_ratio_axis,
    row_figure,
    row_lines,
    row_text,
    unit_name,
    whisker,
    written,
)
from optguide.plots.themes import WIDTH, palette, themed

__all__ = ["bars", "percentile_samples", "ratios", "repeat_ratios", "steps"]


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


MARKERS = ("o", "s", "^", "D")


@themed
def repeat_ratios(
    groups: Mapping[str, Sequence[float]], *, quantity: str = "Ratio measured in each repeat"
) -> Figure:
    """Every repeat of a ratio as a dot, one row per way of measuring.

    The line of a row runs from the smallest to the largest repeat, the tall tick is their median, and the
    text is the spread: largest minus smallest, as a share of the median.

    :param groups: way of measuring to the ratios of its repeats.
    :param quantity: what the axis measures.
    """
    colours = palette()
    figure, axes = row_figure(len(groups), f"{quantity} ({TIMES})")
    everything = [ratio for repeats in groups.values() for ratio in repeats] or [1.0]
    pad = 0.06 * (max(everything) - min(everything)) or 0.05 * max(everything)
    axes.set_xlim(min(everything) - pad, max(everything) + pad)
    for row, (name, repeats) in enumerate(groups.items()):
        if not repeats:
            row_text(axes, row, name, "no repeats")
            continue
        y, middle = row + MIDDLE, median(repeats)
        row_text(axes, row, name, f"spread {100 * (max(repeats) - min(repeats)) / middle:.1f} %")
        axes.plot((min(repeats), max(repeats)), (y, y), color=colours.muted, linewidth=1.5, zorder=2)
        axes.plot((middle, middle), (y - 0.22, y + 0.22), color=colours.ink, linewidth=2, zorder=4)
        # Alternating heights keep equal ratios apart.
        heights = [y + (0.09 if index % 2 else -0.09) for index in range(len(repeats))]
        axes.scatter(
            repeats,
            heights,
            s=44,
            color=colours.series[0],
            edgecolor=colours.background,
            linewidth=0.8,
            zorder=3,
        )
    return figure


@themed
def percentile_samples(rows: Sequence[tuple[int, Interval]], *, quantity: str = "Latency") -> Figure:
    """How intervals of percentiles narrow as samples are added: one panel per percentile, same scales.

    :param rows: percentile and its estimate from ``estimate.n`` samples, in any order. Percentiles
        that were refused for too few samples are simply absent.
    :param quantity: what the vertical axis measures.
    """
    panels = sorted({percentile for percentile, _ in rows})
    figure = Figure(figsize=(WIDTH, 0.7 + 1.6 * max(len(panels), 1)), layout="constrained")
    grid = figure.subplots(max(len(panels), 1), 1, sharex=True, sharey=True, squeeze=False)[:, 0]
    unit = rows[0][1].unit if rows else "ms"
    for index, (axes, percentile) in enumerate(zip(grid, panels, strict=False)):
        _percentile_panel(axes, [estimate for at, estimate in rows if at == percentile], index)
        axes.set_title(f"p{percentile}", loc="left", weight="bold", pad=3)
    if rows:
        grid[0].set_ylim(*_vertical_range([estimate for _, estimate in rows]))
        grid[-1].set_xscale("log")
        grid[-1].xaxis.set_major_locator(FixedLocator(_ticks({estimate.n for _, estimate in rows})))
        grid[-1].xaxis.set_minor_locator(NullLocator())
        grid[-1].xaxis.set_major_formatter(FuncFormatter(lambda tick, _: f"{tick:,.0f}"))
    grid[-1].set_xlabel("Samples (count, log scale)")
    figure.supylabel(f"{quantity} ({unit_name(unit)})", size="medium")
    return figure


def _percentile_panel(axes: Axes, estimates: Sequence[Interval], index: int) -> None:
    colour = palette().series[index % len(palette().series)]
    ordered = sorted(estimates, key=lambda estimate: estimate.n)
    counts = [estimate.n for estimate in ordered]
    values = [estimate.value for estimate in ordered]
    below = [estimate.value - bounds(estimate)[0] for estimate in ordered]
    above = [bounds(estimate)[1] - estimate.value for estimate in ordered]
    axes.grid(axis="y")
    axes.yaxis.set_major_locator(MaxNLocator(4))
    axes.errorbar(
        counts,
        values,
        yerr=(below, above),
        color=colour,
        ecolor=palette().ink,
        elinewidth=1.4,
        capsize=4,
        marker=MARKERS[index % len(MARKERS)],
    )


def _vertical_range(estimates: Sequence[Interval]) -> tuple[float, float]:
    """All values, and intervals up to one and a half times the values' own spread from zero."""
    top = max(estimate.value for estimate in estimates)
    bottom = min(estimate.value for estimate in estimates)
    low = max(min(bounds(estimate)[0] for estimate in estimates), 0.5 * bottom)
    high = min(max(bounds(estimate)[1] for estimate in estimates), 1.5 * top)
    pad = 0.06 * (high - low) or 0.1 * abs(top) or 1.0
    return low - pad, high + pad


def _ticks(counts: Iterable[int]) -> list[int]:
    """The sample counts themselves, largest first, without those too close to be labelled."""
    ordered = sorted(counts, reverse=True)
    apart = 0.09 * math.log(ordered[0] / ordered[-1])
    ticks: list[int] = []
    for count in ordered:
        if not ticks or math.log(ticks[-1] / count) > apart:
            ticks.append(count)
    return ticks
