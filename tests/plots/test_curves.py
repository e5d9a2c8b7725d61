"""Lines over what was varied hold every point and interval, and their names can be read."""

from __future__ import annotations

from itertools import combinations

import pytest

from optguide import plots
from optguide.plots._axes import Span

COUNTS = (10, 100, 1000)


def accuracy(value, half=0.01):
    return Span(value, value - half, value + half, "share")


def rate(value):
    return Span(value, 0.9 * value, 1.1 * value, "inferences/s")


def draw(series, **options):
    return plots.sweep(
        series, **({"x_label": "Samples (count)", "quantity": "Accuracy", "log_x": True} | options)
    )


def curves(axes):
    return [line for line in axes.lines if len(line.get_xdata()) == len(COUNTS)][: len(COUNTS)]


def test_points_are_drawn_in_the_order_of_x_with_their_intervals():
    points = [(count, accuracy(0.9 + 0.01 * i)) for i, count in enumerate(COUNTS)]
    (axes,) = draw({"PTQ": points[::-1]}).axes
    line = curves(axes)[0]
    assert list(line.get_xdata()) == pytest.approx(COUNTS)
    assert list(line.get_ydata()) == pytest.approx([0.90, 0.91, 0.92])
    ends = [tuple(line.get_ydata()) for line in axes.lines if len(line.get_ydata()) == 2]
    for _, estimate in points:
        assert (estimate.low, estimate.high) in ends


def test_ticks_stand_where_something_was_measured():
    figure = draw({"PTQ": [(count, accuracy(0.9)) for count in COUNTS]})
    figure.draw_without_rendering()
    (axes,) = figure.axes
    assert [text.get_text() for text in axes.get_xticklabels()] == ["1,000", "100", "10"]
    assert axes.get_xscale() == "log"
    assert axes.get_xlabel() == "Samples (count, log scale)"


def test_a_zero_keeps_the_axis_linear():
    (axes,) = draw({"sparse": [(0, accuracy(0.9)), (0.5, accuracy(0.8))]}).axes
    assert axes.get_xscale() == "linear"
    assert axes.get_xlabel() == "Samples (count)"


def test_series_of_the_same_x_stand_apart_and_differ_without_colour():
    series = {name: [(count, accuracy(0.9)) for count in COUNTS] for name in "abc"}
    lines = curves(draw(series).axes[0])
    assert len({line.get_xdata()[0] for line in lines}) == 3
    assert len({line.get_marker() for line in lines}) == 3
    assert len({line.get_linestyle() for line in lines}) == 3
    assert len({line.get_color() for line in lines}) == 3


def test_accuracies_are_zoomed_and_rates_start_at_zero():
    (axes,) = draw({"a": [(1, accuracy(0.9)), (2, accuracy(0.95))]}).axes
    assert axes.get_ylim()[0] > 0.8
    assert axes.get_ylabel() == "Accuracy (%)"
    (axes,) = draw({"a": [(1, rate(500)), (2, rate(510))]}, quantity="Throughput").axes
    assert axes.get_ylim()[0] == 0
    assert axes.get_ylabel() == "Throughput (inferences/s)"


def test_a_negative_difference_is_not_cut_off():
    drop = Span(-0.5, -1.5, 0.5, "points")
    (axes,) = draw({"a": [(1, drop)]}, quantity="Lost accuracy").axes
    assert axes.get_ylim()[0] < -1.5


def test_a_reference_is_a_line_with_its_band_and_name():
    (axes,) = draw({"PTQ": [(10, accuracy(0.9))]}, references={"FP32": accuracy(0.96, 0.005)}).axes
    (band,) = axes.patches
    assert (band.get_y(), band.get_y() + band.get_height()) == pytest.approx((0.955, 0.965))
    assert [0.96, 0.96] in [list(line.get_ydata()) for line in axes.lines]
    assert [text.get_text() for text in axes.texts] == ["PTQ", "FP32"]  # from below


def test_several_references_have_whiskers_right_of_all_points():
    references = {"FP32": accuracy(0.96), "PTQ": accuracy(0.95)}
    points = [(count, accuracy(0.9)) for count in COUNTS]
    for log_x in (True, False):
        (axes,) = draw({"QAT": points}, references=references, log_x=log_x).axes
        assert not axes.patches
        for reference in references.values():
            (x,) = {
                x
                for line in axes.lines
                if list(line.get_ydata()) == [reference.low, reference.high]
                for x in line.get_xdata()
            }
            assert max(COUNTS) < x < axes.get_xlim()[1]


def test_an_endless_reference_fills_the_plot_and_no_more():
    (axes,) = draw({"a": [(1, accuracy(0.9))]}, references={"r": Span(0.9, 0.8, float("inf"), "share")}).axes
    (band,) = axes.patches
    assert band.get_y() + band.get_height() == pytest.approx(axes.get_ylim()[1])


def test_names_of_lines_that_end_together_do_not_touch():
    series = {
        f"series number {i}, with a long name": [(1, accuracy(0.9)), (2, accuracy(0.9))] for i in range(6)
    }
    with plots.style("light"):
        figure = draw(series, references={"FP32": accuracy(0.9), "bf16": accuracy(0.9)})
        figure.draw_without_rendering()
        boxes = [text.get_window_extent() for text in figure.axes[0].texts]
    assert len(boxes) == 8
    assert not [pair for pair in combinations(boxes, 2) if pair[0].overlaps(pair[1])]
    assert all(box.x1 <= figure.bbox.x1 + 1 and box.y0 >= 0 and box.y1 <= figure.bbox.y1 for box in boxes)
    assert figure.axes[0].bbox.width > 0.55 * figure.bbox.width
