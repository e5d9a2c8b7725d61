"""What a time is made of: stages of a start, steps of a pipeline.

Where the time goes inside a model.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from optguide.format import quantity as digits
from optguide.plots._rows import (
    MIDDLE,
    Interval,
    Span,
    bar,
    bounds,
    limit,
    row_figure,
    row_text,
    unit_name,
    whisker,
    written,
)
from optguide.plots.themes import add_legend, looks_of, palette, themed

__all__ = ["layer_profile", "stages", "waterfall"]


@themed
def stages(rows: Sequence[tuple[str, Mapping[str, Interval], Interval]], *, quantity: str = "Time") -> Figure:
    """Stacked horizontal bars: the stages of each variant, and the measured total with its interval.

    The whisker belongs to the total, which is measured as such; medians of stages need not add up to it.

    :param rows: name, stages in order, total. All in the total's unit.
    :param quantity: what the axis measures.
    """
    looks = looks_of(dict.fromkeys(stage for _, parts, _ in rows for stage in parts))
    unit = rows[0][2].unit if rows else "ms"
    figure, axes = row_figure(len(rows), f"{quantity} ({unit_name(unit)})", header=0.3 * -(-len(looks) // 3))
    stacked = max((sum(part.value for part in parts.values()) for _, parts, _ in rows), default=0.0)
    right = max(limit(total for _, _, total in rows), 1.02 * stacked)
    axes.set_xlim(0, right)
    for row, (name, parts, total) in enumerate(rows):
        row_text(axes, row, name, written(total))
        left = 0.0
        for stage, part in parts.items():
            bar(axes, row, left, part.value, *looks[stage])
            _label_segment(axes, row, left, part, right, looks[stage][0])
            left += part.value
        whisker(axes, row, total, below=True)
    add_legend(figure, looks)
    return figure


def _label_segment(axes: Axes, row: int, left: float, part: Interval, right: float, colour: str) -> None:
    # Narrower than this the number would cover its neighbours; the hatch and the legend still name it.
    if part.value < 0.12 * right:
        return
    axes.text(
        left + part.value / 2,
        row + MIDDLE,
        digits(part.value, "count"),
        ha="center",
        va="center",
        size="small",
        bbox={"facecolor": palette().background, "edgecolor": colour, "pad": 1.2, "linewidth": 0.8},
        zorder=3,
    )


@themed
def waterfall(
    steps: Sequence[tuple[str, Interval]], *, highlight: str = "infer", quantity: str = "Time since the start"
) -> Figure:
    """Steps of a pipeline one after another, each starting where the one before ended.

    The text beside a step is its own time and its share of the sum; the axis is the cumulated time.

    :param steps: name and time of each step, in order, all in one unit.
    :param highlight: the step the figure is about.
    :param quantity: what the axis measures.
    """
    colours = palette()
    unit = steps[0][1].unit if steps else "ms"
    figure, axes = row_figure(len(steps), f"{quantity} ({unit_name(unit)})")
    whole = sum(step.value for _, step in steps)
    starts = [sum(step.value for _, step in steps[:index]) for index in range(len(steps))]
    ends = [start + step.high for start, (_, step) in zip(starts, steps, strict=True)]
    axes.set_xlim(0, 1.02 * max(whole, min(max(ends, default=0.0), 1.5 * whole)) or 1.0)
    for row, ((name, step), start) in enumerate(zip(steps, starts, strict=True)):
        chosen = name == highlight
        value = f"{written(step, ends=False)} ({_share(step.value, whole)})"
        row_text(axes, row, name, value, strong=chosen)
        bar(
            axes,
            row,
            start,
            step.value,
            colours.accent if chosen else colours.series[0],
            "//" if chosen else "",
        )
        whisker(axes, row, step, shift=start)
        if row + 1 < len(steps):
            end = start + step.value
            axes.plot(
                (end, end), (row + MIDDLE, row + 1 + MIDDLE), color=colours.muted, linewidth=1, zorder=0.9
            )
    return figure


def _share(part: float, whole: float) -> str:
    share = part / whole if whole > 0 else 0.0
    return "<1 %" if 0 < share < 0.01 else f"{100 * share:.0f} %"


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
