"""The report of `optguide optimize` in Chromium, opened as a file: offline, wide, on a phone, in the dark."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from optguide.optimize.report import decision, page
from optguide.optimize.report.deploy import DeployedFiles, WinnerInputs, cross_check

pytestmark = pytest.mark.browser

_PATH = Path(__file__).parents[1] / "optimize" / "outcomes.py"
_SPEC = importlib.util.spec_from_file_location("outcomes", _PATH)
made_up = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(made_up)
NAMES = [*made_up.OUTCOMES, "hostile"]


@pytest.fixture(scope="module")
def reports(tmp_path_factory):
    """Every made-up outcome as a page on disk."""
    folder = tmp_path_factory.mktemp("reports")
    for name in NAMES:
        outcome = made_up.hostile() if name == "hostile" else made_up.OUTCOMES[name]
        standing = decision.winner_of(outcome)
        deployed = None
        if standing is not None:
            check = cross_check(standing.candidate, device="CPU", inputs=WinnerInputs())
            deployed = DeployedFiles(WinnerInputs(), check, 26_100_000)
        text = page(outcome, out="optguide-model-again", deployed=deployed)
        (folder / f"{name}.html").write_text(text, "utf-8")
    return folder


@pytest.fixture
def open_report(chromium, reports):
    """Open a report; anything it asks for beside itself, and any complaint of the browser, fails the test."""
    contexts, asked, said = [], [], []

    def open_(name, *, width=1280, scheme="light"):
        context = chromium.new_context(
            viewport={"width": width, "height": 900}, color_scheme=scheme, offline=True
        )
        contexts.append(context)
        tab = context.new_page()
        tab.on("request", lambda request: asked.append(request.url))
        tab.on("console", lambda message: said.append(message.text))
        tab.on("dialog", lambda dialog: said.append(dialog.message))
        tab.goto((reports / f"{name}.html").as_uri())
        return tab

    yield open_
    for context in contexts:
        context.close()
    assert [url for url in asked if not url.startswith(("data:", "file:"))] == []
    assert sum(url.startswith("file:") for url in asked) == len(contexts)
    assert said == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("name", "width"), [*((name, 1280) for name in NAMES), ("rich", 390)])
def test_axe_finds_nothing_serious(open_report, name, width, scheme):
    from axe_playwright_python.sync_playwright import Axe

    tab = open_report(name, width=width, scheme=scheme)
    # Only the test runs a script: the page's own policy would stop the tool that looks at it.
    violations = Axe().run(tab).response["violations"]
    serious = [
        (rule["id"], rule["help"], [node["target"] for node in rule["nodes"]][:5])
        for rule in violations
        if rule["impact"] in ("serious", "critical")
    ]
    assert serious == []


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("width", [320, 390, 1280])
def test_a_report_is_no_wider_than_the_screen(open_report, name, width):
    tab = open_report(name, width=width)
    assert tab.evaluate("document.documentElement.scrollWidth") <= width
    tab.evaluate("document.querySelectorAll('details').forEach(found => found.open = true)")
    assert tab.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_figures_are_those_of_the_scheme(open_report, scheme):
    tab = open_report("rich", scheme=scheme)
    shown = tab.locator("#trade-off img").first
    assert shown.evaluate("image => image.complete && image.naturalWidth > 0")
    dark = tab.locator("#trade-off source").first.get_attribute("srcset")
    assert (shown.evaluate("image => image.currentSrc") == dark) == (scheme == "dark")


def test_the_decision_is_seen_without_scrolling(open_report):
    tab = open_report("rich")
    box = tab.locator(".gains").bounding_box()
    assert box["y"] + box["height"] < 900


def test_a_dark_page_is_printed_light(open_report):
    tab = open_report("rich", scheme="dark")
    tab.emulate_media(media="print", color_scheme="dark")
    assert tab.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert not tab.locator("nav").is_visible()
