"""What happens to a number as something is turned up or goes on: samples, batch, threads, epochs, calls."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from optguide.format import Estimated
from optguide.plots._axes import (
    axis_label,
    bounds,
    linear_axis,
    log_label,
    measured_ticks,
    new_figure,
    value_axis,
    whisker,
)
from optguide.plots._labels import LineName, line_names_height, name_lines
from optguide.plots.themes import palette, themed

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


@themed
def memory(
    series: Mapping[str, Sequence[tuple[float, float]]],
    *,
    x_label: str,
    quantity: str = "Resident memory",
    unit: str = "MB",
    from_zero: bool = True,
) -> Figure:
    """Readings of memory as steps, one line per variant, named at its end.

    :param series: name to readings (x, memory), in the order of x. Names stand beside the ends of the lines;
        the part that does not fit on two lines of 15 letters is left out.
    :param x_label: label of the horizontal axis, with its unit: ``"Calls (count)"``, ``"Time (s)"``.
    :param quantity: label of the vertical axis, without the unit.
    :param unit: unit of the readings.
    :param from_zero: show the memory from zero, so that heights compare; else only the range of the readings.
    """
    figure, axes = _figure(list(series), least=3.6)
    axes.set_xlabel(x_label)
    axes.set_ylabel(axis_label(quantity, unit))
    for axis in (axes.xaxis, axes.yaxis):
        linear_axis(axis, unit)
    names: list[LineName] = []
    for index, (name, readings) in enumerate(series.items()):
        if readings:
            colour = palette().series[index % len(palette().series)]
            places, values = zip(*readings, strict=True)
            line = _LINES[index % len(_LINES)]
            axes.step(places, values, where="post", color=colour, linestyle=line, linewidth=2.2)
            names.append(LineName(name, places[-1], values[-1], colour))
    axes.margins(x=0.0)
    if from_zero:
        axes.set_ylim(0, axes.get_ylim()[1])
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
    colour = palette().series[index % len(palette().series)]
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
