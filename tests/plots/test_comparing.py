"""A grid shows every estimate, the best one, and those that cannot be told apart from it."""

from __future__ import annotations

import pytest
from matplotlib.colors import to_hex, to_rgb
from matplotlib.patches import Rectangle

from optguide import plots
from optguide.plots._axes import Span


def rate(value, share=0.02):
    return Span(value, value * (1 - share), value * (1 + share), "inferences/s")


VALUES = [[rate(50), rate(90), rate(100)], [rate(99), None, rate(97, 0.05)]]


def draw(values=VALUES, **options):
    return plots.heat_map(
        values,
        (1, 2),
        (1, 2, 4),
        row_label="Streams (count)",
        column_label="Threads (count)",
        quantity="Throughput",
        **options,
    )


def frames(axes):
    """Row and column of framed cells, by line width."""
    found = {}
    for patch in axes.patches:
        if isinstance(patch, Rectangle) and not patch.get_fill():
            found.setdefault(patch.get_linewidth(), set()).add((int(patch.get_y()), int(patch.get_x())))
    return found


def test_every_cell_holds_its_value_and_the_larger_half_of_its_interval():
    (axes,) = draw([[Span(50, 48, 55, "inferences/s"), None, rate(1234.5, 0.1)], [None] * 3]).axes
    texts = [text.get_text() for text in axes.texts]
    assert texts == ["50", "±10 %", "–", "1,230", "±10 %", "–", "–", "–"]  # noqa: RUF001
    assert axes.get_title(loc="left") == "Throughput (inferences/s)"


def test_the_best_cell_and_those_whose_interval_overlaps_it_are_framed():
    found = frames(draw().axes[0])
    assert found == {3.2: {(0, 2)}, 1.8: {(1, 0), (1, 2)}}


def test_of_times_the_lowest_is_best():
    assert frames(draw(lowest_is_best=True).axes[0]) == {3.2: {(0, 0)}}


def test_marks_stand_in_their_cells_and_are_named():
    figure = draw(marks={"LATENCY hint": (1, 4), "THROUGHPUT hint": (2, 1)})
    places = [(int(line.get_ydata()[0]), int(line.get_xdata()[0])) for line in figure.axes[0].lines]
    assert places == [(0, 2), (1, 0)]
    names = [text.get_text() for text in figure.legends[0].get_texts()]
    assert names == ["best", "interval overlaps the best", "LATENCY hint", "THROUGHPUT hint"]
    assert len({line.get_marker() for line in figure.axes[0].lines}) == 2


def test_a_grid_without_any_measurement_is_drawn():
    figure = draw([[None] * 3] * 2)
    assert not frames(figure.axes[0])
    assert not figure.legends


def luminance(colour):
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_text_keeps_its_contrast_on_every_fill(mode):
    with plots.style(mode) as colours:
        (axes,) = draw().axes
        faces = [p.get_facecolor() for p in axes.patches if p.get_fill() and p.get_facecolor()[3]]
        page = to_rgb(colours.background)
        fills = [to_hex([a * c + (1 - a) * p for c, p in zip(face, page, strict=True)]) for *face, a in faces]
    assert len(set(fills)) > 2
    for fill in fills:
        dark, light = sorted((luminance(fill), luminance(colours.ink)))
        assert (light + 0.05) / (dark + 0.05) >= 4.5
