"""Where the time goes inside a model."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.figure import Figure

from optguide.plots._data import Interval, Span, bounds, unit_name, written
from optguide.plots._rows import bar, limit, row_figure, row_text, whisker
from optguide.plots.themes import palette, themed

__all__ = ["layer_profile"]

PRECISIONS = {"f32": (0, ""), "bf16": (1, "///"), "i8": (2, "..")}
SYNONYMS = {"u8": "i8", "int8": "i8", "fp32": "f32"}
OTHER = (3, "xx")


@themed
def layer_profile(
    rows: Sequence[tuple[str, Interval, str]], *, top: int = 12, quantity: str = "Time per inference"
) -> Figure:
    """The layers that take most time, coloured and hatched by the precision they ran in.

    Layers after the first ``top`` are one last row. Its interval adds up theirs, which is at least as
    wide as the interval of the sum.

    :param rows: layer name, time, runtime precision (``"f32"``, ``"bf16"``, ``"i8"`` or another),
        in any order.
    :param top: rows drawn one by one.
    :param quantity: what the axis measures.
    """
    ordered = sorted(rows, key=lambda row: row[1].value, reverse=True)
    # A last row for one layer would hide its name and save nothing.
    cut = top if len(ordered) > top + 1 else len(ordered)
    shown, rest = list(ordered[:cut]), ordered[cut:]
    if rest:
        kinds = {precision for _, _, precision in rest}
        name = f"{len(rest)} other layers"
        shown.append(
            (name, _total([time for _, time, _ in rest]), kinds.pop() if len(kinds) == 1 else "mixed")
        )
    unit = shown[0][1].unit if shown else "us"
    figure, axes = row_figure(len(shown), f"{quantity} ({unit_name(unit)})")
    axes.set_xlim(0, limit(time for _, time, _ in shown))
    for row, (name, time, precision) in enumerate(shown):
        series, hatch = PRECISIONS.get(SYNONYMS.get(precision.lower(), precision.lower()), OTHER)
        # Layers of one network begin alike: the end of a long name is what tells them apart.
        row_text(axes, row, name, f"{precision}   {written(time, ends=False)}", head=0.0)
        bar(axes, row, 0, time.value, palette().series[series], hatch)
        whisker(axes, row, time)
    return figure


def _total(times: Sequence[Interval]) -> Span:
    ends = [bounds(time) for time in times]
    return Span(
        sum(time.value for time in times),
        sum(low for low, _ in ends),
        sum(high for _, high in ends),
        times[0].unit,
        min(time.n for time in times),
    )
