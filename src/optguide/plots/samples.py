"""How far a number can be trusted: repeats of a ratio, and percentiles of few samples."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from statistics import median

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

from optguide.plots._data import TIMES, Interval, bounds, unit_name
from optguide.plots._rows import MIDDLE, row_figure, row_text
from optguide.plots.themes import WIDTH, palette, themed

__all__ = ["percentile_samples", "repeat_ratios"]

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
