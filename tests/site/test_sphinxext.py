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
id = "{id}"
statement = "Two are faster than one."
source = {{ title = "A page", url = "https://example.org/page" }}
page = "claims"
conditions = [{{ result = "some.{result}", {bound} }}]
"""
CLAIMS = {
    "faster": ("time", "above = 1.0"),
    "slower": ("slow", "above = 1.0"),
    "unclear": ("unclear", "above = 1.0"),
    "alike": ("same", 'at_least = "act"'),
    "not-timed": ("same", "above = 1.0"),
    "not-trusted": ("disturbed", "above = 1.0"),
}
PAGES = {
    "index": "{measured}`some.time` and {measured}`some.time|interval`",
    "absent": "It took {measured}`some.gpu` there.",
    "claims": "\n\n".join(f"```{{claim}} {name}\n```" for name in CLAIMS) + "\n\n```{ledger}\n```",
    "table": "```{results} How much\n:columns: time=Time, gpu=On a <GPU>\n:head: What\n\nsome | Some\n```",
    "narrow": "```{results}\n:columns: time=Time\n\nsome | Some\n```",
    "ratio": "{measured}`pair.gain`",
    "mixed": "{measured}`some.time` {measured}`other.time`",
    "aged": "{measured}`some.time` {measured}`old.time`",
}


def with_claims(copy):
    """Claims of these tests in place of those of the guide, which look at results that are not recorded."""
    for file in (copy / "conf" / "claims").iterdir():
        file.unlink()
    text = "".join(
        CLAIM.format(id=name, result=result, bound=bound) for name, (result, bound) in CLAIMS.items()
    )
    (copy / "conf" / "claims" / "measure.toml").write_text(text)


def soup(site, page):
    return BeautifulSoup((site.html / page).read_text("utf-8"), "html.parser")


@pytest.fixture(scope="module")
def some(site_tools):
    """The record of an example; ``time`` is its first result."""

    def make(*time, **changes):
        result = site_tools.result
        results = {
            "some.time": result(*(time or (2.0, 1.9, 2.1)), "ms", n=1200),
            "some.size": result(3.0, 3.0, 3.0),
            "some.slow": result(0.8, 0.7, 0.9),
            "some.unclear": result(1.0, 0.9, 1.1),
            "some.same": result(2.0, 1.9, 2.1, evidence={"same": {"INFERENCE_NUM_THREADS": "2"}}),
            "some.disturbed": result(2.0, 1.9, 2.1, evidence={"disturbed": "It is disturbed."}),
        }
        return site_tools.record("measure/some", results, {"some.gpu": "there is no GPU"}, **changes)

    return make


@pytest.fixture(scope="module")
def pair(site_tools):
    """The record of two variants and their ratio."""

    def of(name, streams, value):
        evidence = {"variant": {"name": name, "device": "CPU"}, "effective": {"NUM_STREAMS": streams}}
        return site_tools.result(value, unit="ms", evidence=evidence)

    ratio = site_tools.result(2.0, above="faster", evidence={"a": "one", "b": "two", "quantity": "latency"})
    results = {"pair.one.time": of("one", "1", 4.0), "pair.two.time": of("two", "2", 2.0), "pair.gain": ratio}
    return site_tools.record("measure/pair", results)


@pytest.fixture(scope="module")
def site(tmp_path_factory, site_tools, some, pair):
    """All of :data:`PAGES`, from one build."""
    copy = site_tools.with_one_example(tmp_path_factory.mktemp("pages"))
    with_claims(copy)
    example = copy / "examples" / "measure" / "plot_some.py"
    for name in ("other", "old", "pair"):
        example.with_name(f"plot_{name}.py").write_text(example.read_text())
    finished = (datetime.now(UTC) - timedelta(days=3, hours=1)).isoformat()
    site_tools.write(
        copy,
        some(),
        pair,
        site_tools.record(
            "measure/other", {"other.time": site_tools.result(1.0)}, build="zero", finished=finished
        ),
        site_tools.record("measure/old", {"old.time": site_tools.result(1.0)}, finished=finished),
    )
    for name, content in PAGES.items():
        (copy / "docs" / f"{name}.md").write_text(f"---\norphan: true\n---\n# Page\n\n{content}\n")
    site = site_tools.build(copy)
    assert site.exit_status == 0, site.output
    return site


@pytest.fixture(scope="module")
def article(site):
    """What one of the pages says."""
    return lambda name: soup(site, f"{name}.html").article


@pytest.fixture
def guide(small, site_tools):
    """Build ``small`` with one page of content."""
    with_claims(small)

    def build(content, *records, strict=True):
        site_tools.write(small, *records)
        (small / "docs" / "index.md").write_text(f"# Page\n\n{content}\n")
        return site_tools.build(small, strict=strict)

    return build


def text_of(element):
    return " ".join(element.get_text(" ").split()).replace(" ,", ",").replace("( ", "(").replace(" )", ")")


def test_measured_value_links_to_its_evidence_and_describes_it(article):
    link = article("index").find("a", class_="measured")
    assert link.get_text() == "2.00 ms"
    assert link["title"] == "95 % interval 1.90 to 2.10 ms, n = 1,200"
    assert link["href"] == "gallery/measure/plot_some.html#some.time"
    assert "2.00 ms (1.90 to 2.10)" in article("index").get_text()
    evidence = article("gallery/measure/plot_some")
    card = evidence.find(id="some.time").find_parent(class_="evidence")
    assert "2.00 ms (1.90 to 2.10 ms), n = 1,200" in text_of(card)
    assert "NUM_STREAMS 1" in text_of(card.find("details"))
    assert "there is no GPU" in text_of(evidence.find(id="some.gpu").find_parent(class_="evidence"))


def test_what_was_not_measurable_says_so(article):
    assert "It took not measured here there." in article("absent").get_text()


ASKED_IN_VAIN = {
    "{measured}`some.tiem`": "Did you mean some.time",
    "{measured}`some.time|range`": "'range' is no form of a measured value",
    "```{claim} fast\n```": "Did you mean faster",
    "```{measured-figure} measure/some:curve\n```": "recorded a figure 'curve'",
    "```{measured-table} measure/some:rows\n```": "recorded a table 'rows'",
    "```{results}\n:columns: p50=Latency\n\nother | Other\n```": "recorded 'other.p50'",
    "```{results}\n:columns: p50=Latency\n\nno bar\n```": "has a line that cannot be read",
}


def test_asking_for_what_is_not_there_fails_the_build_without_strictness(guide, some):
    site = guide("\n\n".join(ASKED_IN_VAIN), some(), strict=False)
    assert site.exit_status != 0
    for said in ASKED_IN_VAIN.values():
        assert said in site.output
    assert site.output.count("index.md:") == len(ASKED_IN_VAIN)
    assert "Traceback" not in site.output


@pytest.mark.parametrize(
    ("claim", "outcome"), [("faster", "confirmed"), ("slower", "refuted"), ("unclear", "inconclusive")]
)
def test_claim_box_shows_verdict_interval_and_source(article, claim, outcome):
    box = article("claims").find("details", id=f"claim-{claim}")
    line = box.summary
    assert line.find(class_="verdict").get_text() == outcome
    assert line.find(class_="statement").get_text() == "Two are faster than one."
    assert not line.find("a")  # a line that unfolds may hold nothing else to click on
    assert box.find("a", class_="measured")["href"].endswith(f"#some.{CLAIMS[claim][0]}")
    assert box.find("a", href="https://example.org/page")
    assert not box.has_attr("open")
    row = article("claims").find("table", class_="ledger").find(id=f"ledger-{claim}")
    assert row.find("a", class_="headerlink")["href"] == f"#ledger-{claim}"
    cells = [text_of(cell) for cell in row.find_all("td")]
    assert cells == [outcome, line.find(class_="numbers").get_text(), "Measure", "CPU"]


def test_evidence_of_a_ratio_leads_to_both_variants_and_to_the_pages_that_show_it(article):
    page = article("gallery/measure/plot_pair")
    card = page.find(id="pair.gain").find_parent(class_="evidence")
    links = [link["href"] for link in card.find(class_="heading").find_all("a")]
    assert links == ["#pair.two.time", "#pair.one.time"]
    assert "Used on" in card.get_text()
    assert card.find("a", href="../../ratio.html")
    first = page.find(id="pair.one.time").find_parent(class_="evidence").find("dl")
    assert text_of(first) == "NUM_STREAMS 1"  # the device, equal in both, is below the fold


@pytest.mark.parametrize(
    ("claim", "outcome", "sentence"),
    [
        ("alike", "confirmed", "INFERENCE_NUM_THREADS is 2 on both sides"),
        ("not-timed", "not measurable here", "read back, not timed"),
        ("not-trusted", "inconclusive", "decides nothing. It is disturbed."),
    ],
)
def test_what_is_read_back_or_disturbed_is_not_decided_by_the_clock(article, claim, outcome, sentence):
    box = article("claims").find(id=f"claim-{claim}")
    assert box.find(class_="verdict").get_text() == outcome
    assert sentence in box.get_text()


def test_the_ledger_counts_outcomes_and_what_rests_on_sampled_intervals(article):
    counts = article("claims").find(class_="counts").get_text(" ")
    for count in ("2 confirmed", "1 refuted", "2 inconclusive", "1 not measurable here"):
        assert count in counts
    assert "were held against 3 conditions" in article("claims").get_text()


def test_results_table_has_caption_and_row_heads(article):
    table = article("table").find("table", class_="results")
    assert "How much" in table.caption.get_text()
    heads = [cell.get_text(strip=True) for cell in table.thead.find_all("th")]
    assert heads == ["What", "Time", "On a <GPU>"]
    assert table.tbody.th.get_text(strip=True) == "Some"
    assert "not measured here" in table.tbody.get_text()


def test_cells_of_a_table_too_wide_for_a_phone_know_their_heading(article):
    headings = article("table").select("table.wide td .heading")
    assert [heading["data-head"] for heading in headings] == ["Time", "On a <GPU>"]
    assert not any(heading.get_text() for heading in headings)
    assert not article("narrow").select("table.wide, .heading")


def test_numbers_of_two_builds_are_called_so_on_the_page(article):
    warning = article("mixed").find(class_="mixed-numbers")
    assert "measure/other was measured by an earlier build" in warning.get_text()


def test_age_is_that_of_the_oldest_number_on_the_page(article):
    main = article("aged").find_parent("main")
    assert "3 days before this page was built" in " ".join(main.get_text().split())


def test_numbers_of_a_page_are_beside_it_as_json_and_csv(site, article):
    rows = {row["id"]: row for row in csv.DictReader((site.html / "index.csv").open(encoding="utf-8"))}
    row = rows["some.time"]
    assert (row["value"], row["low"], row["unit"]) == ("2.0", "1.9", "ms")
    assert (row["openvino"], row["variant"]) == ("2026.4.1", "default")
    assert set(rows) == {key for key in rows if key.startswith("some.")}
    (kept,) = json.loads((site.html / "index.json").read_bytes())["records"]
    assert kept["results"]["some.time"]["evidence"]["effective"] == {"NUM_STREAMS": "1"}
    footer = article("index").find_parent("main").find(class_="measured-when")
    assert [link["href"] for link in footer.find_all("a", href=re.compile("json|csv"))] == [
        "index.json",
        "index.csv",
    ]
    assert "OpenVINO 2026.4.1" in text_of(footer)


def test_a_page_without_results_offers_no_files(site, article):
    footer = article("machine").find_parent("main").find(class_="measured-when")
    assert not footer.find_all("a", href=re.compile("json|csv"))
    assert not (site.html / "machine.csv").exists()
    assert not (site.html / "machine.json").exists()


def test_fresh_numbers_change_the_pages_that_show_them_and_no_others(guide, some, small, site_tools):
    (small / "docs" / "other.md").write_text("---\norphan: true\n---\n# Other\n")
    guide("{measured}`some.time`", some())
    site_tools.write(small, some(4.0, 3.9, 4.1))
    site = site_tools.build(small)
    assert "4.00 ms" in (site.html / "index.html").read_text("utf-8")
    assert "reading sources" in site.output
    assert "] other" not in site.output.partition("looking for now-outdated")[0]


def test_pages_without_records_stop_with_one_sentence(guide):
    site = guide("Text.")
    assert site.exit_status != 0
    assert "There are no records to show. Run `nox -s docs` to measure." in site.output
    assert "Traceback" not in site.output


def test_corrupt_record_stops_with_one_sentence(guide, some, small):
    (small / "build/records/measure").mkdir(parents=True)
    (small / "build/records/measure/bad.json").write_text("{")
    site = guide("Text.", some())
    assert site.exit_status != 0
    assert "bad.json is not a readable record" in site.output
    assert "Traceback" not in site.output
