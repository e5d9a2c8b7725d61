"""Latency and throughput as more requests are in flight."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from optguide.plots._axes import halo, lengths
from optguide.plots._data import Interval, bounds, unit_name
from optguide.plots._rows import STEPS, TEXT_WIDTH, fit, limit
from optguide.plots.themes import WIDTH, palette, themed

__all__ = ["latency_throughput"]

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
