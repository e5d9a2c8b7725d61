"""Figures hold what they were given, whatever the data, and can be read on both page themes."""

from __future__ import annotations

import io
import math
import re
import subprocess
import sys
from dataclasses import dataclass
from itertools import combinations

import pytest
from matplotlib.colors import to_hex

from optguide import plots
from optguide.plots.themes import DARK, LIGHT, palette

LONG = "An exceedingly long name of a variant, with $dollar$ signs, <tags> and\na new line, f32"


@dataclass(frozen=True)
class Number:
    value: float
    low: float
    high: float
    unit: str = "ms"
    n: int = 100


@dataclass(frozen=True)
class Load:
    offered: float
    p50: Number | None = None
    p95: Number | None = None
    p99: Number | None = None
    void: str = ""


def number(value, share=0.03, unit="ms", n=100):
    return Number(value, value * (1 - share), value * (1 + share), unit, n)


def load(offered, value):
    return Load(offered, number(value), number(1.3 * value), number(2 * value))


def awkward(unit):
    return [
        number(40.0, unit=unit),
        number(40.0, 0.0, unit=unit),
        number(0.0004, unit=unit),
        Number(40.0, 0.0001, 1e9, unit),
        Number(40.0, 30.0, math.inf, unit),
    ]


def rows(count, unit="ms"):
    values = awkward(unit)
    return [(f"{LONG} {index}", values[index % len(values)]) for index in range(count)]


def curve(count):
    return [
        (2**i, number(4.0 * 2**i), number(100 * (1 - 0.5**i) + 1, unit="inferences/s")) for i in range(count)
    ]


def trades(count, best, unit):
    return [
        (f"{LONG} {i}", number(5.0 * 1.3**i), number(best * (1 - 0.5**i), 0.01, unit), LONG[: 20 + i % 3])
        for i in range(1, count + 1)
    ]


ROWED = {
    "bars": lambda n: plots.bars(rows(n), "ms", reference=f"{LONG} 0"),
    "ratios": lambda n: plots.ratios(rows(n, "ratio"), control=("A/A control", number(1.0, unit="ratio"))),
    "stages": lambda n: plots.stages(
        [
            (name, {"read": number(2), "compile": number(20), "first": number(9)}, total)
            for name, total in rows(n)
        ]
    ),
    "layer_profile": lambda n: plots.layer_profile([(name, time, "bf16") for name, time in rows(n)]),
    "steps": lambda n: plots.steps(
        [
            (name, time, *([number(1.5, unit="ratio")] * 2 if i else [None] * 2))
            for i, (name, time) in enumerate(rows(n))
        ]
    ),
}
OTHERS = {
    "latency_throughput": lambda n: plots.latency_throughput({LONG: curve(min(n, 8)), "tiny": curve(1)}),
    "load_curve": lambda n: plots.load_curve([load(10.0 * i, 5.0 + i) for i in range(1, n + 1)], 50.0),
    "pareto": lambda n: plots.pareto(trades(n, 0.9, "share")),
    "frontier": lambda n: plots.frontier(trades(n, 900, "inferences/s"), limit=12.0),
    "sweep": lambda n: plots.sweep(
        {f"{LONG} {i}": list(zip(range(n), awkward("ms"), strict=False)) for i in range(min(n, 6))},
        x_label="Threads (count)",
        quantity="Latency",
        references={LONG: number(30.0)},
    ),
}
FIGURES = ROWED | OTHERS


def drawn(figure):
    """The figure laid out as saving does it."""
    figure.draw_without_rendering()
    return figure


def row_texts(figure):
    return [text for text in figure.axes[0].texts if text.get_text()]


@pytest.mark.parametrize("count", [0, 1, 2, 12])
@pytest.mark.parametrize("name", FIGURES)
def test_axes_name_quantity_and_unit_for_any_amount_of_data(name, count):
    figure = drawn(FIGURES[name](count))
    labels = [axes.get_xlabel() for axes in figure.axes] + [axes.get_ylabel() for axes in figure.axes]
    labels = [label for label in [*labels, figure.get_supylabel()] if label]
    assert labels
    assert all(label[0].isupper() and "(" in label for label in labels)
    assert not figure.get_suptitle()
    assert figure.get_layout_engine() is not None


@pytest.mark.parametrize("count", [1, 2, 30])
@pytest.mark.parametrize("name", ROWED)
def test_row_texts_stay_inside_the_figure_and_apart(name, count):
    with plots.style("light"):
        figure = ROWED[name](count)
        boxes = [text.get_window_extent() for text in row_texts(drawn(figure))]
    edge = figure.bbox
    for box in boxes:
        assert box.x0 >= edge.x0 - 1
        assert box.x1 <= edge.x1 + 1
        assert box.y0 >= edge.y0 - 1
        assert box.y1 <= edge.y1 + 1
    assert not [pair for pair in combinations(boxes, 2) if pair[0].overlaps(pair[1])]


def test_every_text_is_large_enough_for_a_phone():
    with plots.style("light"):
        for draw in FIGURES.values():
            figure = drawn(draw(4))
            width = figure.get_figwidth() * 72
            for axes in figure.axes:
                shown = [axes.xaxis.label, axes.yaxis.label, *axes.texts, *axes.get_xticklabels()]
                assert min(text.get_fontsize() for text in shown) / width * 340 >= 7


def test_intervals_are_drawn_from_end_to_end():
    figure = plots.bars([("a", Number(10, 8, 13))], "ms")
    spans = [tuple(line.get_xdata()) for line in figure.axes[0].lines]
    assert (8, 13) in spans


def test_an_interval_beyond_the_axis_ends_in_an_arrow():
    figure = plots.bars([("a", number(10)), ("b", Number(10, 8, 1e9))], "ms")
    (axes,) = figure.axes
    right = axes.get_xlim()[1]
    assert right < 25
    arrows = [line for line in axes.lines if line.get_marker() == ">"]
    assert [list(line.get_xdata()) for line in arrows] == [[right]]


def test_one_figure_keeps_one_unit():
    times = [("slow", Number(1500, 1440, 1561)), ("fast", Number(0.05, 0.0484, 0.0516))]
    texts = [text.get_text() for text in plots.bars(times, "ms").axes[0].texts]
    assert texts == ["slow", "1,500 ms (1,440 to 1,570)", "fast", "0.0500 ms (0.0484 to 0.0516)"]


def test_the_reference_row_looks_different():
    figure = plots.bars([("a", number(1)), ("b", number(2))], "ms", reference="b")
    first, second = figure.axes[0].patches
    assert first.get_facecolor() != second.get_facecolor()
    assert (first.get_hatch() or "") != second.get_hatch()
    assert [text.get_weight() for text in row_texts(figure)] == ["normal", "normal", "bold", "bold"]


def test_ratios_are_centred_on_a_log_axis_that_always_shows_one():
    for low, high in ((1.001, 1.003), (0.2, 0.9), (3.0, 40.0), (1e-4, 1e4)):
        (axes,) = plots.ratios([("a", Number((low * high) ** 0.5, low, high, "ratio"))]).axes
        left, right = axes.get_xlim()
        assert axes.get_xscale() == "log"
        assert left < 1 < right
        assert 1.0 in [round(tick, 9) for tick in axes.get_xticks()]


def test_the_control_is_hollow_and_last():
    figure = plots.ratios([("a", number(1.5, unit="ratio"))], control=("A/A", number(1, unit="ratio")))
    faces = {line.get_marker(): line.get_markerfacecolor() for line in figure.axes[0].lines}
    assert faces["D"] == LIGHT.background
    assert faces["o"] == LIGHT.series[0]
    assert row_texts(figure)[2].get_text() == "A/A"


def test_stages_stand_end_to_end_and_the_whisker_belongs_to_the_total():
    parts = {"read": number(5), "compile": number(20)}
    (axes,) = plots.stages([("IR", parts, Number(24, 22, 27))]).axes
    read, compiled = axes.patches
    assert read.get_x() + read.get_width() == compiled.get_x()
    assert compiled.get_x() + compiled.get_width() == 25
    assert (22, 27) in [tuple(line.get_xdata()) for line in axes.lines]


def test_stages_differ_by_hatch_as_well_as_colour():
    names = ("import", "read", "compile", "first", "second", "steady")
    (axes,) = plots.stages([("IR", {name: number(5) for name in names}, number(30))]).axes
    assert len({patch.get_hatch() or "" for patch in axes.patches}) == len(names)
    assert len({patch.get_facecolor() for patch in axes.patches}) == len(names)


def test_layers_after_the_first_are_summed():
    layers = [(f"layer{i}", number(10.0 + i, unit="us"), "bf16" if i else "f32") for i in range(20)]
    texts = [text.get_text() for text in plots.layer_profile(layers, top=5).axes[0].texts]
    assert texts[0] == "layer19"
    assert texts[-2] == "15 other layers"
    assert texts[-1].startswith("mixed")
    assert texts[-1].endswith("255 µs")


def test_long_layer_names_keep_their_end():
    name = "/network" + "/block" * 30 + "/layers.7/Convolution"
    (text, _) = plots.layer_profile([(name, number(3, unit="us"), "i8")]).axes[0].texts
    assert text.get_text().startswith("…")
    assert text.get_text().endswith("/layers.7/Convolution")


def test_void_points_are_crosses_on_the_upper_edge_and_carry_no_latency():
    points = [load(10, 5), load(20, 6), Load(30, void="not sustained"), Load(40, void="not sustained")]
    (axes,) = plots.load_curve(points, 50.0, highest=points[1]).axes
    (crosses,) = [line for line in axes.lines if line.get_marker() == "X"]
    assert list(crosses.get_xdata()) == [30, 40]
    assert set(crosses.get_ydata()) == {1.0}
    assert crosses.get_markerfacecolor() == "none"
    texts = [text.get_text() for text in axes.texts]
    assert {"void", "limit 50 ms", "20/s holds", "p50", "p95", "p99"} <= set(texts)
    assert axes.get_yscale() == "log"
    assert axes.get_ylim()[1] > 50


def test_a_refused_percentile_leaves_the_others():
    points = [Load(10, number(5), number(6)), Load(20, number(6))]
    (axes,) = plots.load_curve(points).axes
    texts = {text.get_text() for text in axes.texts}
    assert texts == {"p50", "p95"}


def test_a_load_curve_without_a_valid_point_is_still_drawn():
    (axes,) = plots.load_curve([Load(30, void="not sustained")], 10.0).axes
    assert "void" in {text.get_text() for text in axes.texts}


def test_points_in_flight_are_labelled_and_crowded_labels_left_out():
    apart = plots.latency_throughput({"m": curve(4)}).axes[0]
    assert apart.texts[0].get_text() == "1 in flight"
    same = [(i, number(5.0), number(100, unit="inferences/s")) for i in range(1, 40)]
    crowded = plots.latency_throughput({"m": same}).axes[0]
    assert len(crowded.texts) == 1


def luminance(colour):
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one, other):
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize(("colours", "page"), [(LIGHT, "#ffffff"), (DARK, "#14181e")])
def test_contrast_meets_wcag_aa_on_the_page(colours, page):
    assert colours.background == page
    assert contrast(colours.ink, page) >= 4.5
    assert contrast(colours.muted, page) >= 4.5
    for mark in (*colours.series, colours.accent):
        assert contrast(mark, page) >= 3, mark


@pytest.mark.parametrize("name", FIGURES)
def test_light_and_dark_differ_and_only_in_colour(name):
    pages = {}
    for mode in ("light", "dark"):
        with plots.style(mode) as colours:
            figure = drawn(FIGURES[name](3))
            axis = figure.axes[0].xaxis
            pages[mode] = (
                to_hex(axis.label.get_color()),
                axis.label.get_text(),
                tuple(figure.get_size_inches()),
            )
            assert pages[mode][0] == colours.ink
            assert figure.get_facecolor()[3] == 0
    assert pages["light"][0] != pages["dark"][0]
    assert pages["light"][1:] == pages["dark"][1:]


@pytest.mark.parametrize("name", FIGURES)
def test_a_darkened_figure_is_the_one_drawn_for_the_dark_page(name):
    def saved(mode):
        with plots.style(mode):
            buffer = io.StringIO()
            drawn(FIGURES[name](3)).savefig(buffer, format="svg", metadata={"Date": None})
        return buffer.getvalue()

    def without_ids(svg):
        return re.sub(r'(["#]\w+?)[0-9a-f]{10}d?\b', r"\1", svg)

    light = saved("light")
    assert without_ids(plots.darkened(light)) == without_ids(saved("dark")) != without_ids(light)
    ids = [set(re.findall(r' id="(\w*[0-9a-f]{10}d?)"', svg)) for svg in (light, plots.darkened(light))]
    assert not set.intersection(*ids)


def test_the_style_ends_with_its_context():
    with plots.style("dark"):
        assert palette() is DARK
    assert palette() is LIGHT


def test_saving_twice_gives_the_same_bytes():
    def saved():
        with plots.style("dark"):
            buffer = io.BytesIO()
            plots.ratios([("a", number(1.5, unit="ratio"))]).savefig(
                buffer, format="svg", metadata={"Date": None}
            )
        return buffer.getvalue()

    assert saved() == saved()


@pytest.mark.parametrize("name", FIGURES)
def test_text_stays_text(name):
    buffer = io.BytesIO()
    with plots.style("light"):
        FIGURES[name](2).savefig(buffer, format="svg")
    assert b"<text" in buffer.getvalue()
    assert b"DejaVuSans-" not in buffer.getvalue()  # outlines of letters


def test_a_method_has_one_colour_in_all_figures():
    values = [("f32", number(2)), ("INT8 weights", number(1))]
    bars = [to_hex(bar.get_facecolor()) for bar in plots.bars(values, "ms").axes[0].patches]
    (axes,) = plots.ratios([("sentences, INT8 against 32-bit floats", number(2, unit="ratio"))]).axes
    dot = next(line for line in axes.lines if line.get_marker() == "o")
    (line, *_) = plots.sweep({"8-bit": [(1, number(1))]}, x_label="x", quantity="y").axes[0].lines
    assert bars[0] != bars[1]
    assert {bars[1], to_hex(dot.get_markerfacecolor()), to_hex(line.get_color())} == {bars[1]}


def test_importing_the_package_does_not_import_matplotlib():
    code = "import sys, optguide.plots; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_every_exported_name_exists_and_is_not_a_module():
    assert all(callable(getattr(plots, name)) for name in plots.__all__)
    with pytest.raises(AttributeError):
        _ = plots.pie
