"""report.html: what is said first, every part with and without its data, and names that cannot break it."""

from __future__ import annotations

import math
import re
import shlex
from dataclasses import replace
from itertools import pairwise
from urllib.parse import urlsplit

import pytest
from bs4 import BeautifulSoup

from optguide.cli.optimize import optimize
from optguide.optimize.report import command, decision, figures, page
from optguide.optimize.report.decision import when
from optguide.optimize.report.deploy import DeployedFiles, WinnerInputs, cross_check
from optguide.runtimes.ports import Port
from optguide.stats.estimate import Estimate
from tests.optimize.outcomes import (
    DEFAULT,
    FAILED,
    HINT,
    HOSTILE,
    INTERRUPTED,
    KEPT,
    LATENCY,
    OUTCOMES,
    RANDOM,
    RICH,
    RUNNER_UP,
    UNMET,
    WINNER,
    changed,
    hostile,
)


def rendered(outcome, *, file="run/inputs/0.npz"):
    standing = decision.winner_of(outcome)
    deployed = None
    if standing is not None:
        inputs = WinnerInputs((Port("x", "float32", (4, 16)),), ({"x": (4, 16)},), file)
        check = cross_check(standing.candidate, device="CPU", inputs=inputs)
        deployed = DeployedFiles(inputs, check, 26_100_000)
    return page(outcome, out="optguide-resnet50-again", deployed=deployed)


@pytest.fixture(scope="module")
def soups():
    """Every made-up outcome as a parsed page."""
    return {name: BeautifulSoup(rendered(outcome), "html.parser") for name, outcome in OUTCOMES.items()}


def text(node):
    return re.sub(r"\s+", " ", node.get_text(" ")).strip()


@pytest.mark.parametrize(
    ("outcome", "kind", "title"),
    [
        (RICH, "change", f"Use {WINNER.name}"),
        (KEPT, "keep", "Keep OpenVINO's default"),
        (UNMET, "limit", "Nothing is shown to keep p99 ≤ 50 ms"),
        (FAILED, "nothing", "Nothing could be measured"),
    ],
)
def test_the_decision_is_the_title(outcome, kind, title):
    decided = decision.headline(outcome)
    assert (decided.kind, decided.title) == (kind, title)


def test_the_decision_comes_before_everything_else(soups):
    soup = soups["rich"]
    section = soup.find("main").find("section")
    assert section["id"] == "decision"
    assert section.h2.get_text() == f"Use {WINNER.name}"
    assert text(section.select_one(".gains li")).startswith("6.49\N{MULTIPLICATION SIGN}")
    assert text(soup.title) == f"resnet50: Use {WINNER.name}"


@pytest.mark.parametrize(
    ("summary", "lead"),
    [
        ((f"Use {WINNER.name}: it is faster.", "More."), ("It is faster.", "More.")),
        ((f"Use {WINNER.name}.", "More."), ("More.",)),
        (("Something else.",), ("Something else.",)),
        ((), ()),
    ],
)
def test_the_first_sentence_does_not_repeat_the_title(summary, lead):
    assert decision.headline(changed(RICH, summary=summary)).lead == lead


def test_gains_are_over_the_default_first_and_then_the_own_framework():
    gains = decision.headline(RICH).gains
    assert [gain.text for gain in gains] == [
        "the throughput of OpenVINO's default",
        "the throughput of ONNX Runtime",
        "the throughput of the throughput hint",
        "the throughput of 32-bit floats, default settings",
    ]
    assert decision.headline(LATENCY).gains[0].text == "as fast as OpenVINO's default"


@pytest.mark.parametrize(
    ("low", "high", "state"), [(1.01, 1.2, "better"), (0.9, 1.1, "unclear"), (0.8, 0.99, "worse")]
)
def test_a_gain_is_what_its_interval_shows(low, high, state):
    outcome = changed(RICH, delivered={"default": Estimate((low + high) / 2, low, high, "ratio", 40)})
    assert decision.headline(outcome).gains[0].state == state


def test_the_final_session_decides_and_names_roles():
    rows = decision.confirmation_rows(RICH)
    assert [name for name, _, _ in rows][:2] == [WINNER.name, DEFAULT.name]
    assert rows[0][1] == ("winner",)
    assert rows[-1][1] == ("the model's own framework",)


def test_without_a_final_session_rows_come_from_the_standings():
    rows = decision.confirmation_rows(INTERRUPTED)
    assert [name for name, _, _ in rows] == [WINNER.name, DEFAULT.name, HINT.name]
    assert rows[1][2] == RICH.state.rounds[0].speeds[DEFAULT.name]


def test_the_default_as_winner_has_both_roles():
    assert decision.confirmation_rows(KEPT)[0][1] == ("winner", "OpenVINO's default")


def test_every_candidate_has_its_status_and_its_reason(soups):
    table = soups["rich"].select_one("table.race")
    rows = {text(row.th): row for row in table.tbody.find_all("tr")}
    for standing in RICH.decision.standings:
        if standing.status == "not tried":
            assert standing.candidate.name not in rows
            assert standing.candidate.name in text(soups["rich"].select_one("#race"))
        else:
            row = rows[standing.candidate.name]
            assert standing.status in text(row)
            assert standing.why in text(row)


@pytest.mark.usefixtures("no_figures")
def test_no_ratio_is_between_what_the_device_makes_the_same_of():
    same = tuple(
        replace(s, ratio=None, against="") if s.candidate == HINT else s for s in RICH.decision.standings
    )
    soup = BeautifulSoup(rendered(changed(RICH, standings=same)), "html.parser")
    rows = [row for row in soup.select("#race details tr") if text(row.th) == HINT.name]
    assert text(rows[-1].find_all("td")[0]) == "same configuration"
    (row,) = (row for row in soup.select("table.race tr") if text(row.th) == HINT.name)
    assert "blank" in row.find_all("td")[1]["class"]


def test_the_winner_is_the_first_candidate():
    shuffled = changed(RICH, standings=RICH.decision.standings[::-1])
    assert decision.candidate_rows(shuffled)[0][0].candidate == WINNER


def test_intervals_are_drawn_in_place():
    left, right, wide, none = decision.whiskers(
        [
            Estimate(0.8, 0.7, 0.9, "ratio", 9),
            Estimate(1.2, 1.1, 1.3, "ratio", 9),
            Estimate(1.0, 0.0, math.inf, "ratio", 9),
            None,
        ]
    )
    assert none is None
    assert left.low < left.value < left.high < left.unity == decision.AXIS_WIDTH / 2 < right.low < right.value
    assert wide.cut == ("left", "right")
    assert left.cut == right.cut == ()


def test_a_ratio_far_away_does_not_squeeze_the_others():
    far, near = decision.whiskers([Estimate(40, 39, 41, "ratio", 9), Estimate(1.5, 1.4, 1.6, "ratio", 9)])
    assert far.outside
    assert far.cut == ("right",)
    assert not near.outside
    assert near.value > decision.AXIS_WIDTH / 2 + 20


@pytest.mark.parametrize("name", OUTCOMES)
def test_every_page_has_its_headings_in_order(soups, name):
    levels = [int(heading.name[1]) for heading in soups[name].find_all(re.compile("^h[1-6]$"))]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(below <= above + 1 for above, below in pairwise(levels))


@pytest.mark.parametrize("name", OUTCOMES)
def test_every_link_of_the_contents_leads_somewhere(soups, name):
    soup = soups[name]
    for link in soup.select("nav a"):
        assert soup.find(id=link["href"][1:]) is not None, link["href"]


@pytest.mark.parametrize("name", OUTCOMES)
def test_tables_have_headers_and_figures_have_alternatives(soups, name):
    for table in soups[name].find_all("table"):
        assert table.thead.find_all("th", scope="col")
        for row in table.tbody.find_all("tr"):
            assert row.find("th")["scope"] == "row"
    for image in soups[name].find_all("img"):
        assert len(image["alt"]) > 20


@pytest.mark.parametrize("name", OUTCOMES)
def test_pages_stand_alone(soups, name):
    soup = soups[name]
    assert soup.find_all(["script", "link", "iframe", "object"]) == []
    addresses = [tag[key] for tag in soup.find_all(True) for key in ("src", "href", "srcset") if tag.get(key)]
    assert {urlsplit(address).scheme for address in addresses} <= {"data", ""}
    assert all(address.startswith(("#", "data:")) for address in addresses)
    assert "url(" not in str(soup.style)


@pytest.mark.parametrize(
    ("name", "section", "sentence"),
    [
        ("interrupted", "load", "was not measured in this run"),
        ("interrupted", "layers", "were not timed in this run"),
        ("interrupted", "first", "was not measured in this run"),
        ("interrupted", "claims", "were not looked at"),
        ("interrupted", "decision", "interrupted"),
        ("interrupted", "decision", "There was no confirmation run"),
        ("random", "precisions", "No precision was judged"),
        ("random", "trade-off", "speed is all that can be compared"),
        ("failed", "race", "process ended with SIGKILL"),
        ("failed", "trade-off", "Fewer than two configurations"),
        ("failed", "precisions", "No precision was made"),
        ("failed", "decision", "could not be measured in any configuration"),
        ("unmet", "decision", f"{RUNNER_UP.name} comes closest."),
        ("kept", "decision", "the budget was spent"),
        ("kept", "race", "3 candidates were not tried"),
    ],
)
def test_what_is_missing_is_said(soups, name, section, sentence):
    assert sentence in text(soups[name].find(id=section))


def test_nothing_is_offered_for_deployment_where_nothing_won(soups):
    assert soups["failed"].find(id="deploy") is None
    assert soups["rich"].find(id="deploy") is not None


def test_a_proxy_is_called_one_wherever_it_appears(soups):
    soup = soups["latency"]
    assert "a proxy" in text(soup.find(id="precisions"))
    assert "(proxy)" in text(soup.select_one("#precisions thead"))
    assert "proxy" in text(soup.find(id="trade-off").h3)
    assert "proxy" in soup.select_one("#trade-off img")["alt"]
    assert "proxy" not in text(soups["rich"])


def test_hostile_names_stay_text():
    html = rendered(hostile(), file="it's $(touch pwned).npz")
    soup = BeautifulSoup(html, "html.parser")
    assert soup.find_all("script") == []
    assert "<script" not in html
    assert soup.h1.get_text() == HOSTILE
    tags = {tag for node in soup.find_all(True) for tag in node.attrs}
    assert not any(name.startswith("on") for name in tags)
    assert "'it'\"'\"'s $(touch pwned).npz'" in text(soup.find(id="deploy"))


def test_a_page_cannot_run_scripts_even_if_one_came_in(soups):
    policy = soups["rich"].find("meta", {"http-equiv": "Content-Security-Policy"})["content"]
    assert "default-src 'none'" in policy
    assert "script-src" not in policy


def test_the_command_repeats_the_run():
    assert command(RICH.state.settings, "optguide-resnet50-2") == (
        "optguide optimize models/resnet50.onnx --data photos/ --slo p99=50ms --goal throughput "
        "--budget 900s --shape x=1,16 --out optguide-resnet50-2"
    )


def test_optimize_takes_the_command_and_understands_the_same():
    _, _, *arguments = shlex.split(command(RICH.state.settings, "again"))
    given = optimize.make_context("optimize", arguments).params
    wanted = RICH.state.settings
    assert (given["model"], given["data"], given["metric"]) == (wanted.model, wanted.data, wanted.metric)
    assert (given["goal"], given["budget"], given["max_drop"]) == (
        wanted.goal,
        wanted.budget,
        wanted.max_drop,
    )
    assert given["shapes"] == ("x=1,16",)
    assert given["slo"] == (wanted.limit.percentile, wanted.limit.milliseconds)
    assert str(given["out"]) == "again"


def test_optimize_knows_every_option_of_the_command():
    everything = replace(
        RICH.state.settings,
        metric="top-5",
        max_drop=0.002,
        unproven=True,
        device="GPU",
        allow_pickle=True,
        claims=False,
    )
    _, _, *arguments = shlex.split(command(everything, "again"))
    given = optimize.make_context("optimize", arguments).params
    assert (given["metric"], given["max_drop"], given["device"]) == ("top-5", 0.002, "GPU")
    assert given["allow_unproven"]
    assert given["allow_pickle"]
    assert not given["claims"]
    assert optimize.make_context("optimize", shlex.split(command(RICH.state.settings, "again"))[2:]).params[
        "claims"
    ]


def test_the_command_quotes_for_a_shell():
    line = command(replace(RICH.state.settings, model="a b's $(x).onnx"), "out")
    assert "'a b'\"'\"'s $(x).onnx'" in line


def test_figures_exist_where_there_is_something_to_draw():
    assert figures.trade_off(RICH) is not None
    assert figures.frontier(RICH) is not None
    assert [name for name, _ in figures.load(RICH)] == [WINNER.name, DEFAULT.name]
    assert [when for when, _ in figures.layers(RICH)] == ["before", "after"]
    assert figures.trade_off(RANDOM) is None
    assert figures.frontier(FAILED) is None


def test_the_frontier_keeps_the_named_ones_where_there_are_too_many(monkeypatch):
    monkeypatch.setattr(figures, "MOST", 3)
    assert {point[0] for point in figures.points_of(RICH)} == {
        figures.short(candidate) for candidate in (WINNER, DEFAULT, HINT)
    }


def test_latencies_far_below_a_millisecond_are_drawn_in_microseconds():
    assert figures._fine(
        [("a", Estimate(0.02, 0.01, 0.03, "ms", 9)), ("b", Estimate(0.05, 0, 1, "ms", 9))]
    ) == (
        1e3,
        "us",
    )
    assert figures._fine(
        [("a", Estimate(0.02, 0.01, 0.03, "ms", 9)), ("b", Estimate(0.2, 0, 1, "ms", 9))]
    ) == (
        1.0,
        "ms",
    )


def test_claims_of_which_nothing_is_known_are_folded_away(soups):
    section = soups["rich"].find(id="claims")
    shown = [text(item) for item in section.find("ul", recursive=False).find_all("li")]
    assert [item.split()[1] for item in shown] == ["confirmed", "inconclusive", "refuted"]
    assert "not measurable here" in text(section.details)


def test_light_and_dark_figures_differ_and_the_same_figure_is_the_same_bytes():
    one, other = figures.frontier(RICH), figures.frontier(RICH)
    assert one.light != one.dark
    assert (one.light, one.dark) == (other.light, other.dark)


def test_times_are_written_for_readers():
    assert when("2026-11-24T12:44:51+00:00") == "24 November 2026, 12:44 UTC"
    assert when("yesterday") == "yesterday"
