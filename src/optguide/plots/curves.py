"""Lines over what was turned up or went on: load, samples, batch, threads, epochs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

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
    log_label,
    log_reach,
    measured_ticks,
    new_figure,
    note,
    reach_from_zero,
    unit_name,
    value_axis,
    whisker,
)
from optguide.plots._labels import LineName, line_names_height, name_lines
from optguide.plots.themes import WIDTH, colour_of, palette, themed

_LINES = ("-", "--", "-.", ":", (0, (5, 1)), (0, (3, 1, 1, 1, 1, 1)))
_MARKERS = ("o", "s", "^", "D", "v", "P")
_REFERENCE_LINES = ((0, (7, 3)), (0, (1, 1.6)), (0, (7, 2, 1, 2)))
_DODGE = 0.012  # share of the axis by which the series of one x stand apart


@themed
def sweep(
    series: Mapping[str, Sequence[tuple[float, Estimated]]],
    *,
    x_label: str,
    quantity: str,
    log_x: bool = False,
    references: Mapping[str, Estimated] | None = None,
) -> Figure:
    """A line per series over what was varied, with the interval of every point.

    Ticks stand where something was measured. Shares, points and ratios get a zoomed axis; the axis of times
    and rates starts at zero.

    :param series: name to points (x, estimate), in any order, all estimates in one unit. Names stand beside
        the ends of the lines; the part that does not fit on two lines of 15 letters is left out.
    :param x_label: the quantity that was varied, with its unit: ``"Calibration samples (count)"``.
    :param quantity: label of the vertical axis, without the unit.
    :param log_x: logarithmic x, where all x are positive.
    :param references: name to estimate of what does not depend on x: a horizontal line with the interval as a
        band or, where there are several, as a whisker at its right end.
    """
    references = references or {}
    ordered = {name: sorted(points, key=lambda point: point[0]) for name, points in series.items()}
    estimates = [estimate for points in ordered.values() for _, estimate in points]
    figure, axes = _figure([*ordered, *references])
    value_axis(axes, quantity, [*estimates, *references.values()])
    places = [x for points in ordered.values() for x, _ in points]
    log_x = log_x and min(places, default=0.0) > 0
    _scale_x(axes, places, x_label, log_x=log_x)
    names = _draw_references(axes, references)
    for index, (name, points) in enumerate(ordered.items()):
        if points:
            shift = (index - (len(ordered) - 1) / 2) * _DODGE
            names.append(_draw_series(axes, name, points, index, shift))
    name_lines(axes, names)
    return figure


def _figure(names: Sequence[str], least: float = 3.8) -> tuple[Figure, Axes]:
    return new_figure(max(least, 0.7 + line_names_height(names)), grid="y")


def _scale_x(axes: Axes, places: Sequence[float], label: str, *, log_x: bool) -> None:
    axes.set_xlabel(log_label(label) if log_x else label)
    low, high = min(places, default=1.0), max(places, default=2.0)
    if log_x:
        pad = (high / low) ** 0.04 if high > low else 1.5
        axes.set(xscale="log", xlim=(low / pad, high * pad))
    else:
        pad = 0.04 * (high - low) or 0.5
        axes.set_xlim(low - pad, high + pad)
    if places:
        measured_ticks(axes.xaxis, places, log=log_x)
    else:
        linear_axis(axes.xaxis)


def _moved(axes: Axes, place: float, share: float) -> float:
    """``place`` moved to the right by a share of the axis."""
    left, right = axes.get_xlim()
    if axes.get_xscale() == "log":
        return float(place * (right / left) ** share)
    return float(place + share * (right - left))


def _draw_references(axes: Axes, references: Mapping[str, Estimated]) -> list[LineName]:
    """Horizontal lines with their intervals; what to write at their ends."""
    colours = (palette().accent, palette().muted, palette().series[3])
    # Bands that overlap cannot be told apart: several references get whiskers right of the points.
    several = len(references) > 1
    right = axes.get_xlim()[1]
    places = [_moved(axes, right, 0.02 + 0.035 * index) for index in range(len(references) + 1)]
    if several:
        axes.set_xlim(right=places[-1])
    names: list[LineName] = []
    for index, (name, reference) in enumerate(references.items()):
        colour = colours[index % len(colours)]
        if several:
            style: dict[str, Any] = {"color": colour, "linewidth": 2.2, "zorder": 2.4, "cap": 7}
            whisker(axes, places[index], reference, vertical=True, **style)
        else:
            _band(axes, reference, colour)
        line = _REFERENCE_LINES[index % len(_REFERENCE_LINES)]
        axes.axhline(reference.value, color=colour, linestyle=line, zorder=1.5)
        names.append(LineName(name, axes.get_xlim()[1], reference.value, colour))
    return names


def _band(axes: Axes, reference: Estimated, colour: str) -> None:
    bottom, top = axes.get_ylim()
    low, high = (min(max(end, bottom), top) for end in bounds(reference))
    axes.axhspan(low, high, color=colour, alpha=0.13, linewidth=0, zorder=0.6)
    for end in {low, high} - {bottom, top}:  # an edge of the plot is not the end of an interval
        axes.axhline(end, color=colour, linewidth=0.7, alpha=0.7, zorder=0.7)


def _draw_series(
    axes: Axes, name: str, points: Sequence[tuple[float, Estimated]], index: int, shift: float
) -> LineName:
    """One line with its whiskers, moved sideways by a share of the axis; what to write at its end."""
    colour = colour_of(name, index)
    places = [_moved(axes, x, shift) for x, _ in points]
    values = [estimate.value for _, estimate in points]
    look: dict[str, Any] = {
        "marker": _MARKERS[index % len(_MARKERS)],
        "linestyle": _LINES[index % len(_LINES)],
    }
    axes.plot(places, values, color=colour, zorder=3, **look)
    for place, (_, estimate) in zip(places, points, strict=True):
        whisker(axes, place, estimate, vertical=True, color=colour, linewidth=1.4, zorder=2.4, cap=7)
    return LineName(name, places[-1], values[-1], colour)


_PERCENTILES = (("p50", "o", "-"), ("p95", "s", "--"), ("p99", "^", "-."))
_APART = 0.008  # share of the axis by which the percentiles of one load stand apart
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
        colour, shift = palette().series[index], (index - 1) * _APART * axes.get_xlim()[1]
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
