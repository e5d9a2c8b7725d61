"""Latency of requests that arrive by themselves, over the rate at which they do.

Latency and throughput as more requests are in flight.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from matplotlib.transforms import Transform

from optguide.plots._axes import halo, lengths, log_axis
from optguide.plots._rows import STEPS, TEXT_WIDTH, Interval, Point, bounds, fit, limit, unit_name
from optguide.plots.themes import WIDTH, palette, themed

__all__ = ["latency_throughput", "load_curve"]

PERCENTILES = (("p50", "o", "-"), ("p95", "s", "--"), ("p99", "^", "-."))
DODGE = 0.008  # share of the axis by which the percentiles of one load stand apart


@themed
def load_curve(
    points: Sequence[Point], limit_ms: float | None = None, *, highest: Point | None = None
) -> Figure:
    """Latency percentiles over the offered load, and the highest rate that keeps a latency limit.

    Points that the load generator could not sustain have no latency: they are crosses on the upper edge.

    :param points: measured loads, in any order.
    :param limit_ms: latency limit in milliseconds.
    :param highest: the point that :func:`optguide.bench.load.highest_rate` chose for that limit.
    """
    colours = palette()
    ordered = sorted(points, key=lambda point: point.offered)
    figure = Figure(figsize=(WIDTH, 4.2), layout="constrained")
    axes = figure.subplots()
    axes.grid()
    axes.set_xlabel("Offered load (inferences/s)")
    axes.set_ylabel("Latency (ms, log scale)")
    valid = [point for point in ordered if not point.void]
    _latency_axis(axes, [e for point in valid for e in (point.p50, point.p95, point.p99) if e], limit_ms)
    axes.set_xlim(0, 1.1 * max((point.offered for point in ordered), default=1.0))
    axes.xaxis.set_major_locator(MaxNLocator(6, steps=STEPS))
    if limit_ms is not None:
        axes.axhline(limit_ms, color=colours.accent, linestyle=(0, (6, 3)), zorder=1.5)
        _note(axes, f"limit {limit_ms:g} ms", (0, limit_ms), (5, 4), axes.get_yaxis_transform())
    if highest is not None:
        axes.axvline(highest.offered, color=colours.accent, linestyle=":", linewidth=1.8, zorder=1.5)
        side = -1 if highest.offered > 0.5 * axes.get_xlim()[1] else 1
        text = f"{highest.offered:.4g}/s holds"
        _note(axes, text, (highest.offered, 0), (5 * side, 5), axes.get_xaxis_transform())
    _percentiles(axes, valid)
    _void(axes, [point.offered for point in ordered if point.void])
    return figure


def _percentiles(axes: Axes, points: Sequence[Point]) -> None:
    """One line per percentile, named at its last point."""
    ends: list[tuple[str, float, float]] = []
    width = axes.get_xlim()[1]
    for index, (key, marker, line) in enumerate(PERCENTILES):
        colour = palette().series[index]
        shift = (index - 1) * DODGE * width
        series: list[tuple[float, Interval]] = [
            (point.offered + shift, estimate)
            for point in points
            if (estimate := getattr(point, key)) is not None
        ]
        if not series:
            continue
        axes.errorbar(
            [offered for offered, _ in series],
            [estimate.value for _, estimate in series],
            yerr=lengths([estimate for _, estimate in series]),
            color=colour,
            ecolor=palette().ink,
            elinewidth=1.4,
            capsize=3.5,
            marker=marker,
            linestyle=line,
        )
        ends.append((key, series[-1][0], series[-1][1].value))
    _name_lines(axes, ends)


def _name_lines(axes: Axes, ends: Sequence[tuple[str, float, float]]) -> None:
    """Names beside the last points, moved up where two would touch."""
    low, high = (math.log(edge) for edge in axes.get_ylim())
    above = -math.inf
    for key, offered, value in sorted(ends, key=lambda end: end[2]):
        share = max((math.log(value) - low) / (high - low), above + 0.065)
        above = share
        axes.annotate(
            key,
            (offered, math.exp(low + share * (high - low))),
            xytext=(8, 0),
            textcoords="offset points",
            va="center",
            weight="bold",
            path_effects=halo(),
            zorder=6,
        )


def _void(axes: Axes, offered: Sequence[float]) -> None:
    """Hollow crosses where no latency exists, named once."""
    if not offered:
        return
    axes.plot(
        offered,
        [1.0] * len(offered),
        marker="X",
        markersize=11,
        markerfacecolor="none",
        markeredgecolor=palette().ink,
        markeredgewidth=1.4,
        linestyle="none",
        transform=axes.get_xaxis_transform(),
        clip_on=False,
        zorder=6,
    )
    side = -1 if offered[0] > 0.15 * axes.get_xlim()[1] else 1
    at = offered[0] if side < 0 else offered[-1]
    _note(axes, "void", (at, 1.0), (9 * side, -4), axes.get_xaxis_transform())


def _note(
    axes: Axes, text: str, at: tuple[float, float], offset: tuple[float, float], where: Transform
) -> None:
    axes.annotate(
        text,
        at,
        xycoords=where,
        xytext=offset,
        textcoords="offset points",
        ha="left" if offset[0] > 0 else "right",
        path_effects=halo(),
        zorder=6,
    )


def _latency_axis(axes: Axes, estimates: Sequence[Interval], limit_ms: float | None) -> None:
    """A log axis for all values and the limit, and for intervals up to a factor of three beyond them."""
    values = [estimate.value for estimate in estimates] + ([limit_ms] if limit_ms else [])
    values = [value for value in values if value > 0] or [1.0]
    low = max(min((bounds(e)[0] for e in estimates), default=min(values)), min(values) / 3)
    high = min(max((bounds(e)[1] for e in estimates), default=max(values)), max(values) * 3)
    low, high = min(low, *values), max(high, *values)
    pad = max((high / low) ** 0.1, 1.1)
    log_axis(axes.yaxis, low / pad, high * pad)


Curve = Sequence[tuple[int, Interval, Interval]]
LABEL = (0.08, 0.075)  # width and height of a point's label, as shares of the panel


@themed
def latency_throughput(curves: Mapping[str, Curve]) -> Figure:
    """Latency over throughput, one panel per model since their scales differ.

    :param curves: model name to (requests in flight, latency, throughput), in the order of the requests.
    """
    figure = Figure(figsize=(WIDTH, 0.3 + 2.9 * max(len(curves), 1)), layout="constrained")
    panels = figure.subplots(max(len(curves), 1), 1, squeeze=False)[:, 0]
    for index, (axes, name) in enumerate(zip(panels, curves, strict=False)):
        _panel(axes, curves[name], palette().series[index % len(palette().series)])
        axes.set_title(fit(name, TEXT_WIDTH - 60, "bold"), loc="left", weight="bold")
    return figure


def _panel(axes: Axes, curve: Curve, colour: str) -> None:
    latencies = [latency for _, latency, _ in curve]
    throughputs = [throughput for _, _, throughput in curve]
    axes.grid()
    axes.set_xlabel(f"Throughput ({unit_name(throughputs[0].unit if curve else 'inferences/s')})")
    axes.set_ylabel(f"Latency ({unit_name(latencies[0].unit if curve else 'ms')})")
    axes.xaxis.set_major_locator(MaxNLocator(6, steps=STEPS))
    axes.errorbar(
        [estimate.value for estimate in throughputs],
        [estimate.value for estimate in latencies],
        xerr=lengths(throughputs),
        yerr=lengths(latencies),
        color=colour,
        ecolor=palette().ink,
        elinewidth=1.4,
        capsize=3.5,
        marker="o",
    )
    right, top = 1.05 * limit(throughputs), 1.12 * limit(latencies)
    axes.set_xlim(0, right)
    axes.set_ylim(0, top)
    _label_points(axes, curve, right, top)


def _label_points(axes: Axes, curve: Curve, right: float, top: float) -> None:
    """Write the number in flight left of each point's interval, unless it would cover another label."""
    last = len(curve) - 1
    placed: list[tuple[float, float]] = []
    for index in sorted(range(len(curve)), key=lambda index: (index not in (0, last), index)):
        requests, latency, throughput = curve[index]
        x, y = throughput.value / right, latency.value / top
        if any(abs(x - other_x) < LABEL[0] and abs(y - other_y) < LABEL[1] for other_x, other_y in placed):
            continue
        placed.append((x, y))
        left = index > 0 or x > 0.3  # the first label is long and needs the room
        axes.annotate(
            f"{requests} in flight" if index == 0 else str(requests),
            (max(bounds(throughput)[0], 0.0) if left else throughput.value, latency.value),
            xytext=(-4, 2) if left else (0, 8),
            textcoords="offset points",
            ha="right" if left else "left",
            path_effects=halo(),
            zorder=6,
        )
