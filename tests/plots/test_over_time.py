"""Work and memory stand where and when they were."""

from __future__ import annotations

from itertools import combinations

from optguide import plots

LOOPS = {
    "Synchronous": {"main thread": [(0.0, 2.0, "pre-processing"), (2.0, 7.0, "inference")]},
    "Asynchronous": {
        "main thread": [(0.0, 2.0, "pre-processing"), (2.5, 4.5, "pre-processing")],
        "request 1": [(2.0, 7.5, "inference")],
    },
}


def bars(axes):
    return [(round(p.get_y() + 0.37, 6), p.get_x(), p.get_x() + p.get_width()) for p in axes.patches]


def test_every_piece_of_work_is_a_bar_on_its_lane():
    synchronous, asynchronous = plots.timeline(LOOPS).axes
    assert bars(synchronous) == [(0.5, 0, 2), (0.5, 2, 7)]
    assert bars(asynchronous) == [(0.5, 0, 2), (0.5, 2.5, 4.5), (1.5, 2, 7.5)]
    assert [text.get_text() for text in asynchronous.get_yticklabels()] == ["main thread", "request 1"]
    assert asynchronous.get_ylim() == (2, 0)


def test_panels_share_the_time_axis_and_the_looks_of_kinds():
    figure = plots.timeline(LOOPS)
    synchronous, asynchronous = figure.axes
    assert synchronous.get_xlim() == asynchronous.get_xlim() == (0, 7.5)
    assert asynchronous.get_xlabel() == "Time (ms)"
    one, other = synchronous.patches[1], asynchronous.patches[2]
    assert (one.get_facecolor(), one.get_hatch()) == (other.get_facecolor(), other.get_hatch())
    assert synchronous.patches[0].get_facecolor() != one.get_facecolor()
    assert synchronous.patches[0].get_hatch() != one.get_hatch()
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["pre-processing", "inference"]


def test_memory_is_drawn_as_steps_from_zero_and_named():
    readings = {"dynamic": [(0, 200.0), (10, 260.0)], "padded": [(0, 201.0), (10, 259.0)]}
    with plots.style("dark"):
        figure = plots.memory(readings, x_label="Calls (count)")
        figure.draw_without_rendering()
        (axes,) = figure.axes
        boxes = [text.get_window_extent() for text in axes.texts]
    steps = [line for line in axes.lines if line.get_drawstyle() == "steps-post"]
    assert [list(line.get_ydata()) for line in steps] == [[200, 260], [201, 259]]
    assert len({line.get_linestyle() for line in steps}) == 2
    assert axes.get_ylim()[0] == 0
    assert axes.get_ylabel() == "Resident memory (MB)"
    assert {text.get_text() for text in axes.texts} == {"dynamic", "padded"}
    assert not [pair for pair in combinations(boxes, 2) if pair[0].overlaps(pair[1])]


def test_memory_can_be_zoomed():
    (axes,) = plots.memory({"a": [(0, 200), (1, 210)]}, x_label="Time (s)", from_zero=False).axes
    assert axes.get_ylim()[0] > 190
