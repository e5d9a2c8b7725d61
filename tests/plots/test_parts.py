"""Work stands where and when it was done."""

from __future__ import annotations

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
