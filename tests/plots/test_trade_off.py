"""Which points are on the front, which is the sweet spot, and whether all can be told apart."""

from __future__ import annotations

import random
from itertools import combinations

import pytest
from matplotlib.text import Annotation

from optguide import plots
from optguide.plots._axes import Span
from optguide.plots.themes import LIGHT


def around(value, share=0.02, unit="ms"):
    return Span(value, value * (1 - share), value * (1 + share), unit)


def rate(value):
    return around(value, unit="inferences/s")


def accuracy(value):
    return Span(value, value - 0.01, value + 0.01, "share")


MODELS = [
    ("FP32", around(20), accuracy(0.97)),
    ("INT8", around(5), accuracy(0.96)),
    ("worse in both", around(21), accuracy(0.95)),
    ("as fast, worse", around(5), accuracy(0.955)),
    ("fastest", around(4), accuracy(0.90)),
]
CONFIGURATIONS = [
    ("1 stream", around(10), rate(100)),
    ("2 streams", around(16), rate(150)),
    ("4 streams", around(40), rate(160)),
]


def marks(axes):
    """Position of every point and whether it is filled."""
    return {
        (line.get_xdata()[0], line.get_ydata()[0]): line.get_markerfacecolor() != LIGHT.background
        for line in axes.lines
        if line.get_marker() in {"o", "s", "^"} and line.get_markersize() == 8
    }


def listed(figure):
    return [text.get_text() for text in figure.axes[1].texts]


def numbers(figure):
    figure.draw_without_rendering()
    return [text for text in figure.axes[0].texts if isinstance(text, Annotation)]


def box(text):
    """Where the letters are, without the line that leads to them."""
    return super(Annotation, text).get_window_extent()


def test_filled_points_are_those_that_no_other_betters():
    found = marks(plots.pareto(MODELS).axes[0])
    assert {point for point, filled in found.items() if filled} == {(20, 0.97), (5, 0.96), (4, 0.90)}
    assert len(found) == 5


def test_scores_without_a_unit_are_told_apart_where_all_are_near_one():
    def close(value):
        return Span(value, value - 0.0004, value + 0.0004, "")

    points = [("FP32", around(20), close(1.0)), ("INT8", around(5), close(0.998))]
    axes = plots.pareto(points, y_quantity="Cosine").axes[0]
    assert axes.get_ylabel() == "Cosine"
    low, high = axes.get_ylim()
    assert (1.0 - 0.998) / (high - low) > 0.1


def test_equal_points_are_both_on_the_front():
    twice = [
        ("a", around(5), accuracy(0.9)),
        ("b", around(5), accuracy(0.9)),
        ("c", around(6), accuracy(0.8)),
    ]
    figure = plots.pareto(twice)
    shown = [line.get_markerfacecolor() != LIGHT.background for line in figure.axes[1].lines]
    assert shown == [True, True, False]


def test_the_step_line_holds_the_best_so_far_up_to_the_edge():
    (axes, _) = plots.pareto(MODELS).axes
    (line,) = [line for line in axes.lines if line.get_drawstyle() == "steps-post"]
    assert list(line.get_xdata()) == [4, 5, 20, axes.get_xlim()[1]]
    assert list(line.get_ydata()) == [0.90, 0.96, 0.97, 0.97]


def test_points_are_numbered_from_left_to_right_and_listed_with_their_values():
    figure = plots.pareto(MODELS)
    assert listed(figure)[1:5] == ["1", "fastest", "4 ms", "90 %"]
    assert listed(figure)[5:9] == ["2", "INT8", "5 ms", "96 %"]
    assert sorted(text.get_text() for text in numbers(figure)) == ["1", "2", "3", "4", "5"]


def test_both_intervals_of_a_point_are_drawn():
    (axes, _) = plots.pareto([("a", Span(10, 8, 13, "ms"), Span(0.9, 0.88, 0.91, "share"))]).axes
    spans = [(tuple(line.get_xdata()), tuple(line.get_ydata())) for line in axes.lines]
    assert ((8, 13), (0.9, 0.9)) in spans
    assert ((10, 10), (0.88, 0.91)) in spans


def test_an_endless_interval_ends_in_an_arrow_at_the_edge():
    (axes, _) = plots.pareto([("a", Span(10, 8, float("inf"), "ms"), accuracy(0.9))]).axes
    (arrow,) = [line for line in axes.lines if line.get_marker() == ">"]
    assert arrow.get_xdata()[0] == axes.get_xlim()[1] < 100


def test_distant_latencies_get_a_log_axis_with_plain_numbers():
    figure = plots.pareto([("a", around(0.5), accuracy(0.9)), ("b", around(400), accuracy(0.95))])
    axes = figure.axes[0]
    figure.draw_without_rendering()
    assert axes.get_xscale() == "log"
    assert axes.get_xlabel() == "Latency (ms, log scale)"
    texts = [text.get_text() for text in axes.get_xticklabels()]
    assert {"0.5", "1", "10", "100"} <= set(texts)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("mode", ["light", "dark"])
def test_twenty_numbers_cover_neither_each_other_nor_a_mark(seed, mode):
    chance = random.Random(seed)
    points = [
        (f"model {i}", around(chance.uniform(3, 20)), accuracy(chance.uniform(0.9, 0.97))) for i in range(20)
    ]
    with plots.style(mode):
        figure = plots.pareto(points)
        boxes = [box(text) for text in numbers(figure)]
    axes = figure.axes[0]
    assert len(boxes) == 20
    assert not [pair for pair in combinations(boxes, 2) if pair[0].overlaps(pair[1])]
    places = [axes.transData.transform((x.value, y.value)) for _, x, y in points]
    assert not [place for place in places for each in boxes if each.contains(*place)]
    assert all(each.x1 <= axes.bbox.x1 and each.x0 >= axes.bbox.x0 for each in boxes)


def test_ten_points_in_one_place_keep_readable_numbers():
    figure = plots.pareto([(f"model {i}", around(10), accuracy(0.9)) for i in range(10)])
    boxes = [box(text) for text in numbers(figure)]
    assert not [pair for pair in combinations(boxes, 2) if pair[0].overlaps(pair[1])]


def test_groups_differ_by_marker_and_colour_and_are_named():
    points = [(name, x, y, group) for (name, x, y), group in zip(CONFIGURATIONS, "aba", strict=True)]
    figure = plots.frontier(points)
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["a", "b"]
    looks = {(line.get_marker(), line.get_markeredgecolor()) for line in figure.axes[1].lines}
    assert len(looks) == 2


def ring(axes):
    return [line.get_xdata()[0] for line in axes.lines if line.get_markersize() > 12]


def test_the_sweet_spot_is_the_highest_throughput_within_the_limit():
    figure = plots.frontier(CONFIGURATIONS, limit=20)
    axes = figure.axes[0]
    assert ring(axes) == [16]
    assert axes.get_title(loc="right") == "dashed: limit 20 ms"
    strong = [text.get_text() for text in numbers(figure) if text.get_weight() == "bold"]
    assert strong == ["2  2 streams"]
    limits = [line for line in axes.lines if list(line.get_xdata()) == [20, 20]]
    assert len(limits) == 1


def test_a_limit_that_nothing_keeps_leaves_no_sweet_spot_but_is_drawn():
    axes = plots.frontier(CONFIGURATIONS, limit=2).axes[0]
    assert not ring(axes)
    assert axes.get_xlim()[0] < 2
    assert [2, 2] in [list(line.get_xdata()) for line in axes.lines]


def test_the_sweet_spot_can_be_chosen_and_needs_no_limit():
    assert ring(plots.frontier(CONFIGURATIONS, chosen="4 streams").axes[0]) == [40]
    assert not ring(plots.frontier(CONFIGURATIONS).axes[0])
