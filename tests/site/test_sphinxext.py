"""Roles and directives, each on a page of its own."""

from __future__ import annotations

import csv
import json
import re
from datetime import UTC, datetime, timedelta

import pytest
from bs4 import BeautifulSoup

pytestmark = pytest.mark.site

CLAIM = """
[[claim]]
id = "faster"
statement = "Two are faster than one."
source = { title = "A page", url = "https://example.org/page" }
page = "index"
conditions = [{ result = "some.time", above = 1.0 }]
"""


@pytest.fixture
def guide(small, site_tools):
    """Build ``small`` with one page of content; return its article and the build."""
    for file in (small / "conf" / "claims").iterdir():
        file.unlink()  # those of the guide, which look at results that are not recorded here
    (small / "conf" / "claims" / "measure.toml").write_text(CLAIM)

    def build(content, *records, strict=True):
        site_tools.write(small, *records)
        (small / "docs" / "index.md").write_text(f"# Page\n\n{content}\n")
        site = site_tools.build(small, strict=strict)
        page = site.html / "index.html"
        return (
            BeautifulSoup(page.read_text("utf-8"), "html.parser").article if page.exists() else None
        ), site

    return build


@pytest.fixture
def a_record(site_tools):
    def make(value=2.0, low=1.9, high=2.1, **changes):
        results = {
            "some.time": site_tools.result(value, low, high, "ms", n=1200),
            "some.size": site_tools.result(3.0, 3.0, 3.0),
        }
        return site_tools.record("measure/some", results, {"some.gpu": "there is no GPU"}, **changes)

    return make


def text_of(element):
    return " ".join(element.get_text(" ").split()).replace(" ,", ",").replace("( ", "(").replace(" )", ")")


def test_measured_value_links_to_its_evidence_and_describes_it(guide, a_record):
    article, site = guide(
        "{measured}`some.time` and {measured}`some.time|interval`", a_record(), strict=False
    )
    link = article.find("a", class_="measured")
    assert link.get_text() == "2.00 ms"
    assert link["title"] == "95 % interval 1.90 to 2.10 ms, n = 1,200"
    assert link["href"] == "gallery/measure/plot_some.html#some.time"
    assert "2.00 ms (1.90 to 2.10)" in article.get_text()
    evidence = BeautifulSoup((site.html / "gallery/measure/plot_some.html").read_text("utf-8"), "html.parser")
    card = evidence.find(id="some.time").find_parent(class_="evidence")
    assert "2.00 ms (1.90 to 2.10 ms), n = 1,200" in text_of(card)
    assert "NUM_STREAMS 1" in text_of(card.find("details"))
    assert "there is no GPU" in text_of(evidence.find(id="some.gpu").find_parent(class_="evidence"))


def test_what_was_not_measurable_says_so(guide, a_record):
    article, site = guide("It took {measured}`some.gpu` there.", a_record())
    assert site.exit_status == 0, site.output
    assert "It took not measured here there." in article.get_text()


ASKED_IN_VAIN = {
    "{measured}`some.tiem`": "Did you mean some.time",
    "{measured}`some.time|range`": "'range' is no form of a measured value",
    "```{claim} fast\n```": "Did you mean faster?",
    "```{measured-figure} measure/some:curve\n```": "recorded a figure 'curve'",
    "```{measured-table} measure/some:rows\n```": "recorded a table 'rows'",
    "```{results}\n:columns: p50=Latency\n\nother | Other\n```": "recorded 'other.p50'",
    "```{results}\n:columns: p50=Latency\n\nno bar\n```": "has a line that cannot be read",
}


def test_asking_for_what_is_not_there_fails_the_build_without_strictness(guide, a_record):
    _, site = guide("\n\n".join(ASKED_IN_VAIN), a_record(), strict=False)
    assert site.exit_status != 0
    for said in ASKED_IN_VAIN.values():
        assert said in site.output
    assert site.output.count("index.md:") == len(ASKED_IN_VAIN)
    assert "Traceback" not in site.output


@pytest.mark.parametrize(
    ("numbers", "outcome"),
    [((2.0, 1.9, 2.1), "confirmed"), ((0.8, 0.7, 0.9), "refuted"), ((1.0, 0.9, 1.1), "inconclusive")],
)
def test_claim_box_shows_verdict_interval_and_source(guide, a_record, numbers, outcome):
    article, site = guide("```{claim} faster\n```\n\n```{ledger}\n```", a_record(*numbers))
    assert site.exit_status == 0, site.output
    box = article.find("details", class_="claim")
    line = box.summary
    assert line.find(class_="verdict").get_text() == outcome
    assert line.find(class_="statement").get_text() == "Two are faster than one."
    assert line.find("a", class_="measured")["href"].endswith("#some.time")
    assert box.find("a", href="https://example.org/page")
    assert not box.has_attr("open")
    assert f"1 {outcome}" in article.find(class_="counts").get_text(" ")
    row = article.find("table", class_="ledger").find(id="ledger-faster")
    assert row.find("a", class_="headerlink")["href"] == "#ledger-faster"
    cells = [text_of(cell) for cell in row.find_all("td")]
    assert cells == [outcome, line.find(class_="numbers").get_text(), "Measure", "CPU"]


def test_evidence_of_a_ratio_leads_to_both_variants_and_to_the_pages_that_show_it(guide, site_tools):
    def of(name, streams, value):
        evidence = {"variant": {"name": name, "device": "CPU"}, "effective": {"NUM_STREAMS": streams}}
        return site_tools.result(value, unit="ms", evidence=evidence)

    ratio = site_tools.result(2.0, above="faster", evidence={"a": "one", "b": "two", "quantity": "latency"})
    results = {"some.one.time": of("one", "1", 4.0), "some.two.time": of("two", "2", 2.0), "some.gain": ratio}
    _, site = guide("{measured}`some.gain`", site_tools.record("measure/some", results))
    page = BeautifulSoup((site.html / "gallery/measure/plot_some.html").read_text("utf-8"), "html.parser")
    card = page.find(id="some.gain").find_parent(class_="evidence")
    links = [link["href"] for link in card.find(class_="heading").find_all("a")]
    assert links == ["#some.two.time", "#some.one.time"]
    assert "Used on" in card.get_text()
    assert card.find("a", href="../../index.html")
    first = page.find(id="some.one.time").find_parent(class_="evidence").find("dl")
    assert text_of(first) == "NUM_STREAMS 1"  # the device, equal in both, is below the fold


ALIKE = CLAIM.replace("above = 1.0", 'at_least = "act"').replace('"faster"', '"alike"')
ASKED_THREADS = {"same": {"INFERENCE_NUM_THREADS": "2"}}


@pytest.mark.parametrize(
    ("evidence", "identifier", "outcome", "sentence"),
    [
        (ASKED_THREADS, "alike", "confirmed", "INFERENCE_NUM_THREADS is 2 on both sides"),
        (ASKED_THREADS, "faster", "not measurable here", "read back, not timed"),
        ({"disturbed": "It is disturbed."}, "faster", "inconclusive", "decides nothing. It is disturbed."),
    ],
)
def test_what_is_read_back_or_disturbed_is_not_decided_by_the_clock(
    guide, small, site_tools, evidence, identifier, outcome, sentence
):
    (small / "conf" / "claims" / "measure.toml").write_text(CLAIM + ALIKE)
    timed = site_tools.result(2.0, 1.9, 2.1, evidence=evidence)
    article, site = guide(
        f"```{{claim}} {identifier}\n```\n\n```{{ledger}}\n```",
        site_tools.record("measure/some", {"some.time": timed}),
    )
    assert site.exit_status == 0, site.output
    box = article.find(class_="claim")
    assert box.find(class_="verdict").get_text() == outcome
    assert sentence in box.get_text()
    assert "No verdict rests on a sampled interval" in article.get_text()


def test_results_table_has_caption_and_row_heads(guide, a_record):
    content = "```{results} How much\n:columns: time=Time, gpu=On a GPU\n:head: What\n\nsome | Some\n```"
    article, site = guide(content, a_record())
    assert site.exit_status == 0, site.output
    table = article.find("table", class_="results")
    assert "How much" in table.caption.get_text()
    assert [cell.get_text(strip=True) for cell in table.thead.find_all("th")] == ["What", "Time", "On a GPU"]
    assert table.tbody.th.get_text(strip=True) == "Some"
    assert "not measured here" in table.tbody.get_text()


def test_cells_of_a_table_too_wide_for_a_phone_know_their_heading(guide, a_record):
    content = "```{results}\n:columns: time=Time, gpu=On a <GPU>\n:head: What\n\nsome | Some\n```"
    article, site = guide(content, a_record())
    assert site.exit_status == 0, site.output
    headings = article.select("table.wide td .heading")
    assert [heading["data-head"] for heading in headings] == ["Time", "On a <GPU>"]
    assert not any(heading.get_text() for heading in headings)
    article, site = guide("```{results}\n:columns: time=Time\n\nsome | Some\n```", a_record())
    assert not article.select("table.wide, .heading")


def test_fresh_numbers_change_the_pages_that_show_them_and_no_others(guide, a_record, small, site_tools):
    (small / "docs" / "other.md").write_text("---\norphan: true\n---\n# Other\n")
    guide("{measured}`some.time`", a_record())
    site_tools.write(small, a_record(4.0, 3.9, 4.1))
    site = site_tools.build(small)
    assert "4.00 ms" in (site.html / "index.html").read_text("utf-8")
    assert "reading sources" in site.output
    assert "] other" not in site.output.partition("looking for now-outdated")[0]


def test_numbers_of_two_builds_are_called_so_on_the_page(guide, a_record, site_tools):
    old = (datetime.now(UTC) - timedelta(days=3, hours=1)).isoformat()
    other = site_tools.record(
        "measure/other", {"other.time": site_tools.result(1.0)}, build="zero", finished=old
    )
    article, _ = guide("{measured}`some.time`", a_record(), other)
    warning = article.find(class_="mixed-numbers")
    assert "measure/other was measured by an earlier build" in warning.get_text()


def test_age_is_that_of_the_oldest_number_on_the_page(guide, a_record, site_tools):
    old = (datetime.now(UTC) - timedelta(days=3, hours=1)).isoformat()
    other = site_tools.record("measure/other", {"other.time": site_tools.result(1.0)}, finished=old)
    article, _ = guide("{measured}`some.time` {measured}`other.time`", a_record(), other)
    assert "3 days before this page was built" in " ".join(article.find_parent("main").get_text().split())


def test_numbers_of_a_page_are_beside_it_as_json_and_csv(guide, a_record):
    article, site = guide("{measured}`some.time`", a_record())
    (row, _) = csv.DictReader((site.html / "index.csv").open(encoding="utf-8"))
    assert (row["id"], row["value"], row["low"], row["unit"]) == ("some.time", "2.0", "1.9", "ms")
    assert (row["openvino"], row["variant"]) == ("2026.4.1", "default")
    (kept,) = json.loads((site.html / "index.json").read_bytes())["records"]
    assert kept["results"]["some.time"]["evidence"]["effective"] == {"NUM_STREAMS": "1"}
    footer = article.find_parent("main").find(class_="measured-when")
    assert [link["href"] for link in footer.find_all("a", href=re.compile("json|csv"))] == [
        "index.json",
        "index.csv",
    ]
    assert "OpenVINO 2026.4.1" in text_of(footer)


def test_pages_without_records_stop_with_one_sentence(guide):
    _, site = guide("Text.")
    assert site.exit_status != 0
    assert "There are no records to show. Run `nox -s docs` to measure." in site.output
    assert "Traceback" not in site.output


def test_corrupt_record_stops_with_one_sentence(guide, a_record, small):
    (small / "build/records/measure").mkdir(parents=True)
    (small / "build/records/measure/bad.json").write_text("{")
    _, site = guide("Text.", a_record())
    assert site.exit_status != 0
    assert "bad.json is not a readable record" in site.output
    assert "Traceback" not in site.output
