"""What a time is made of: stages of a start, steps of a pipeline, layers of a model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from optguide.format import Estimated
from optguide.format import quantity as digits
from optguide.plots._axes import (
    MIDDLE,
    Span,
    bar,
    bounds,
    halo,
    reach_from_zero,
    row_figure,
    row_text,
    unit_name,
    whisker,
    written,
)
from optguide.plots.themes import add_legend, looks_of, palette, themed

_INT8 = (2, "..")
_PRECISIONS = {"f32": (0, ""), "fp32": (0, ""), "bf16": (1, "///"), "i8": _INT8, "u8": _INT8, "int8": _INT8}
"""Index of the series' colour, and hatch."""
_OTHER = (3, "xx")


@themed
def stages(
    rows: Sequence[tuple[str, Mapping[str, Estimated], Estimated]], *, quantity: str = "Time"
) -> Figure:
    """Stacked horizontal bars: the stages of each variant, and the measured total with its interval.

    The whisker belongs to the total, which is measured as such; medians of stages need not add up to it.

    :param rows: name, stages in order, total. All in the total's unit.
    :param quantity: label of the axis, without the unit.
    """
    looks = looks_of(dict.fromkeys(stage for _, parts, _ in rows for stage in parts))
    unit = rows[0][2].unit if rows else "ms"
    figure, axes = row_figure(len(rows), f"{quantity} ({unit_name(unit)})", header=0.3 * -(-len(looks) // 3))
    stacked = max((sum(part.value for part in parts.values()) for _, parts, _ in rows), default=0.0)
    right = max(reach_from_zero(total for _, _, total in rows), 1.02 * stacked)
    axes.set_xlim(0, right)
    for row, (name, parts, total) in enumerate(rows):
        row_text(axes, row, name, written(total))
        left = 0.0
        for stage, part in parts.items():
            bar(axes, row + MIDDLE, part.value, *looks[stage], left=left)
            # A narrower part has no room for a number; hatch and legend still name it.
            if part.value >= 0.12 * right:
                _number(axes, left + part.value / 2, row + MIDDLE, part, looks[stage][0])
            left += part.value
        # Under the bar, with a dot for the value, since the bar shows something else.
        style: dict[str, Any] = {"path_effects": halo(3.5)}
        whisker(axes, row + 0.99, total, cap=6.5, **style)
        axes.plot(
            [total.value], [row + 0.99], marker="o", markersize=5, color=palette().ink, zorder=4, **style
        )
    add_legend(figure, looks)
    return figure


def _number(axes: Axes, x: float, y: float, part: Estimated, colour: str) -> None:
    box = {"facecolor": palette().background, "edgecolor": colour, "pad": 1.2, "linewidth": 0.8}
    axes.text(x, y, digits(part.value, "count"), ha="center", va="center", size="small", bbox=box, zorder=3)


@themed
def layer_profile(
    rows: Sequence[tuple[str, Estimated, str]], *, top: int = 12, quantity: str = "Time per inference"
) -> Figure:
    """The layers that take most time, coloured and hatched by the precision they ran in.

    Layers after the first ``top`` are one last row. Its interval adds up theirs, which is at least as
    wide as the interval of the sum.

    :param rows: layer name, time, runtime precision (``"f32"``, ``"bf16"``, ``"i8"`` or another),
        in any order.
    :param top: rows drawn one by one.
    :param quantity: label of the axis, without the unit.
    """
    ordered = sorted(rows, key=lambda row: row[1].value, reverse=True)
    # A last row for one layer would hide its name and save nothing.
    cut = top if len(ordered) > top + 1 else len(ordered)
    layers, others = list(ordered[:cut]), ordered[cut:]
    if others:
        precisions = {precision for _, _, precision in others}
        precision = precisions.pop() if len(precisions) == 1 else "mixed"
        layers.append((f"{len(others)} other layers", _total([time for _, time, _ in others]), precision))
    unit = layers[0][1].unit if layers else "us"
    figure, axes = row_figure(len(layers), f"{quantity} ({unit_name(unit)})")
    axes.set_xlim(0, reach_from_zero(time for _, time, _ in layers))
    for row, (name, time, precision) in enumerate(layers):
        series, hatch = _PRECISIONS.get(precision.lower(), _OTHER)
        # Layers of one network begin alike: the end of a long name is what tells them apart.
        row_text(axes, row, name, f"{precision}   {written(time, ends=False)}", head=0.0)
        bar(axes, row + MIDDLE, time.value, palette().series[series], hatch)
        whisker(axes, row + MIDDLE, time, path_effects=halo(3.5))
    return figure


def _total(times: Sequence[Estimated]) -> Span:
    lows, highs = zip(*map(bounds, times), strict=True)
    return Span(sum(time.value for time in times), sum(lows), sum(highs), times[0].unit)
