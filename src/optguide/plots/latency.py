"""Latency: over the offered load, over the throughput, and how its percentiles sharpen with more samples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from optguide.bench.load import LoadPoint
from optguide.format import Estimated
from optguide.plots._axes import (
    TEXT_WIDTH,
    arms,
    bounds,
    curve,
    fit,
    linear_axis,
    log_axis,
    log_reach,
    new_figure,
    note,
    reach_from_zero,
    unit_name,
)
from optguide.plots._labels import LineName, name_lines
from optguide.plots.themes import WIDTH, palette, themed

_PERCENTILES = (("p50", "o", "-"), ("p95", "s", "--"), ("p99", "^", "-."))
_DODGE = 0.008  # share of the axis by which the percentiles of one load stand apart
_MARKERS = ("o", "s", "^", "D")
_LABEL = (0.08, 0.075)  # width and height of a point's label, as shares of the panel

Curve = Sequence[tuple[int, Estimated, Estimated]]


@themed
def load_curve(
    points: Sequence[LoadPoint], limit_ms: float | None = None, *, highest: LoadPoint | None = None
) -> Figure:
    """Latency percentiles over the offered load, and the highest rate that keeps a latency limit.

    Points that the load generator could not sustain have no latency: they are crosses on the upper edge.

    :param points: measured loads, in any order.
    :param limit_ms: latency limit in milliseconds.
    :param highest: the point that :func:`optguide.bench.load.highest_rate` chose for that limit.
    """
    colours = palette()
    points = sorted(points, key=lambda point: point.offered)
    valid = [point for point in points if not point.void]
    figure, axes = new_figure(4.2)
    axes.set_xlabel("Offered load (inferences/s)")
    axes.set_ylabel("Latency (ms, log scale)")
    latencies = [e for point in valid for e in (point.p50, point.p95, point.p99) if e]
    low, high = log_reach(latencies, [limit_ms] if limit_ms else [], factor=3)
    pad = max((high / low) ** 0.1, 1.1)
    log_axis(axes.yaxis, low / pad, high * pad)
    right = 1.1 * max((point.offered for point in points), default=1.0)
    axes.set_xlim(0, right)
    linear_axis(axes.xaxis)
    if limit_ms is not None:
        axes.axhline(limit_ms, color=colours.accent, linestyle=(0, (6, 3)), zorder=1.5)
        note(axes, f"limit {limit_ms:g} ms", (0, limit_ms), (5, 4), xycoords=axes.get_yaxis_transform())
    if highest is not None:
        axes.axvline(highest.offered, color=colours.accent, linestyle=":", linewidth=1.8, zorder=1.5)
        side = -1 if highest.offered > 0.5 * right else 1
        text, at = f"{highest.offered:.4g}/s holds", (highest.offered, 0)
        note(axes, text, at, (5 * side, 5), xycoords=axes.get_xaxis_transform())
    _mark_void(axes, [point.offered for point in points if point.void])
    name_lines(axes, _percentiles(axes, valid))
    return figure


def _percentiles(axes: Axes, points: Sequence[LoadPoint]) -> list[LineName]:
    """One line per percentile; their names."""
    names: list[LineName] = []
    for index, (key, marker, line) in enumerate(_PERCENTILES):
        colour, shift = palette().series[index], (index - 1) * _DODGE * axes.get_xlim()[1]
        percentiles = [(point.offered + shift, getattr(point, key)) for point in points]
        measured = [(offered, estimate) for offered, estimate in percentiles if estimate is not None]
        if measured:
            places, estimates = zip(*measured, strict=True)
            curve(axes, places, estimates, color=colour, marker=marker, linestyle=line)
            names.append(LineName(key, places[-1], estimates[-1].value, colour))
    return names


def _mark_void(axes: Axes, offered: Sequence[float]) -> None:
    """Hollow crosses where no latency exists, named once."""
    if not offered:
        return
    edge = axes.get_xaxis_transform()
    axes.plot(
        offered,
        [1.0] * len(offered),
        marker="X",
        markersize=11,
        markerfacecolor="none",
        markeredgecolor=palette().ink,
        markeredgewidth=1.4,
        linestyle="none",
        transform=edge,
        clip_on=False,
        zorder=6,
    )
    side = -1 if offered[0] > 0.15 * axes.get_xlim()[1] else 1
    at = offered[0] if side < 0 else offered[-1]
    note(axes, "void", (at, 1.0), (9 * side, -4), xycoords=edge)


@themed
def latency_throughput(curves: Mapping[str, Curve]) -> Figure:
    """Latency over throughput, one panel per model since their scales differ.

    :param curves: model name to (requests in flight, latency, throughput), in the order of the requests.
    """
    figure = Figure(figsize=(WIDTH, 0.3 + 2.9 * max(len(curves), 1)), layout="constrained")
    panels = figure.subplots(max(len(curves), 1), 1, squeeze=False)[:, 0]
    for index, (axes, name) in enumerate(zip(panels, curves, strict=False)):
        _model_panel(axes, curves[name], palette().series[index % len(palette().series)])
        axes.set_title(fit(name, TEXT_WIDTH - 60, "bold"), loc="left", weight="bold")
    return figure


def _model_panel(axes: Axes, points: Curve, colour: str) -> None:
    latencies = [latency for _, latency, _ in points]
    throughputs = [throughput for _, _, throughput in points]
    axes.grid()
    axes.set_xlabel(f"Throughput ({unit_name(throughputs[0].unit if points else 'inferences/s')})")
    axes.set_ylabel(f"Latency ({unit_name(latencies[0].unit if points else 'ms')})")
    linear_axis(axes.xaxis)
    places = [throughput.value for throughput in throughputs]
    curve(axes, places, latencies, xerr=arms(throughputs), color=colour, marker="o")
    right, top = 1.05 * reach_from_zero(throughputs), 1.12 * reach_from_zero(latencies)
    axes.set(xlim=(0, right), ylim=(0, top))
    _label_points(axes, points, right, top)


def _label_points(axes: Axes, points: Curve, right: float, top: float) -> None:
    """Write the number in flight left of each point's interval, unless it would cover another label."""
    last = len(points) - 1
    labelled: list[tuple[float, float]] = []
    for index in sorted(range(len(points)), key=lambda index: (index not in (0, last), index)):
        requests, latency, throughput = points[index]
        x, y = throughput.value / right, latency.value / top
        if any(
            abs(x - other_x) < _LABEL[0] and abs(y - other_y) < _LABEL[1] for other_x, other_y in labelled
        ):
            continue
        labelled.append((x, y))
        text = f"{requests} in flight" if index == 0 else str(requests)
        if index > 0 or x > 0.3:
            note(axes, text, (max(bounds(throughput)[0], 0.0), latency.value), (-4, 2))
        else:  # the first label is long and needs the room
            note(axes, text, (throughput.value, latency.value), (0, 8))
