"""What happens when: overlapping work, and memory in use."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from optguide.plots._axes import axis_label, linear_axis
from optguide.plots._labels import LineName, line_names_height, name_lines
from optguide.plots._rows import TEXT_WIDTH, fit
from optguide.plots.themes import WIDTH, Looks, add_legend, looks_of, palette, themed

__all__ = ["memory", "timeline"]

Span = tuple[float, float, str]
LANE = 0.32  # inches
LANE_NAME = 110  # points
LINES = ("-", "--", "-.", ":", (0, (5, 1)), (0, (3, 1, 1, 1, 1, 1)))


@themed
def timeline(panels: Mapping[str, Mapping[str, Sequence[Span]]], *, unit: str = "ms") -> Figure:
    """Work as bars on lanes, one panel per way of working, all on the same time axis.

    :param panels: title to lanes, top to bottom: name of the lane to its work (start, end, kind of work).
        Kinds are colours and hatches, in the order in which they first appear.
    :param unit: unit of starts and ends.
    """
    every = [span for lanes in panels.values() for spans in lanes.values() for span in spans]
    looks = looks_of(dict.fromkeys(kind for _, _, kind in every))
    heights = [LANE * max(len(lanes), 1) + 0.1 for lanes in panels.values()] or [LANE]
    size = (WIDTH, 0.6 + sum(heights) + 0.35 * len(heights) + 0.25 * -(-len(looks) // 3))
    figure = Figure(figsize=size, layout="constrained")
    grid = figure.subplots(len(heights), 1, sharex=True, squeeze=False, height_ratios=heights)[:, 0]
    for axes, (title, lanes) in zip(grid, panels.items(), strict=False):
        _panel(axes, title, lanes, looks)
    grid[-1].set_xlabel(axis_label("Time", unit))
    edges = [0.0, *(edge for start, end, _ in every for edge in (start, end))]
    grid[-1].set_xlim(min(edges), max(edges) or 1.0)
    linear_axis(grid[-1].xaxis, unit)
    add_legend(figure, looks)
    return figure


def _panel(axes: Axes, title: str, lanes: Mapping[str, Sequence[Span]], looks: Looks) -> None:
    axes.set_ylim(max(len(lanes), 1), 0)
    axes.set_title(fit(title, TEXT_WIDTH - LANE_NAME, "bold"), loc="left", weight="bold", pad=3)
    axes.set_yticks([lane + 0.5 for lane in range(len(lanes))], [fit(name, LANE_NAME) for name in lanes])
    axes.tick_params(axis="y", length=0, labelcolor=palette().ink)
    axes.spines["left"].set_visible(False)
    axes.grid(axis="x")
    for lane, spans in enumerate(lanes.values()):
        for start, end, kind in spans:
            colour, hatch = looks[kind]
            axes.barh(
                lane + 0.5,
                end - start,
                left=start,
                height=0.74,
                color=colour,
                hatch=hatch,
                edgecolor=palette().background,
                linewidth=0.8,
            )


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
    :param x_label: what the readings are taken over, with its unit: ``"Calls (count)"``, ``"Time (s)"``.
    :param quantity: what was read.
    :param unit: unit of the readings.
    :param from_zero: show the memory from zero, so that heights compare; else only the range of the readings.
    """
    figure = Figure(figsize=(WIDTH, max(3.6, 0.7 + line_names_height(list(series)))), layout="constrained")
    axes = figure.subplots()
    axes.grid(axis="y")
    axes.set_xlabel(x_label)
    axes.set_ylabel(axis_label(quantity, unit))
    for axis in (axes.xaxis, axes.yaxis):
        linear_axis(axis, unit)
    names: list[LineName] = []
    for index, (name, readings) in enumerate(series.items()):
        if not readings:
            continue
        colour = palette().series[index % len(palette().series)]
        places, values = zip(*readings, strict=True)
        line = LINES[index % len(LINES)]
        axes.step(places, values, where="post", color=colour, linestyle=line, linewidth=2.2)
        names.append(LineName(name, places[-1], values[-1], colour))
    axes.margins(x=0.0)
    if from_zero:
        axes.set_ylim(0, axes.get_ylim()[1])
    name_lines(axes, names)
    return figure
