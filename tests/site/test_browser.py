"""The built site in Chromium: accessibility, phone width, search without a network, copy buttons."""

from __future__ import annotations

import contextlib
import functools
import http.server
import re
import threading
from urllib.parse import quote_plus

import pytest

from optguide.paths import build_dir

pytestmark = pytest.mark.browser

HTML = build_dir() / "html"
PAGES = sorted(
    path.relative_to(HTML).as_posix()
    for path in HTML.rglob("*.html")
    if "_static" not in path.parts and path.name not in ("404.html", "genindex.html", "py-modindex.html")
)


class _BelowPrefix(http.server.SimpleHTTPRequestHandler):
    """The site below the path at which GitHub Pages shows it, with its page for missing addresses."""

    prefix = ""

    def do_GET(self):
        self.path = self.path.removeprefix(self.prefix) or "/"
        if (HTML / self.path.partition("?")[0].lstrip("/")).exists():
            super().do_GET()
            return
        body = (HTML / "404.html").read_bytes()
        self.send_response(404)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        """Stay quiet."""


@pytest.fixture(scope="session")
def address():
    if not PAGES:
        pytest.fail(f"There is no built site in {HTML}. Build it first: nox -s docs -- --profile quick")
    found = re.search(r'href="(/[^"]*?)/?_static/', (HTML / "404.html").read_text("utf-8"))
    _BelowPrefix.prefix = found[1]
    handler = functools.partial(_BelowPrefix, directory=str(HTML))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}{found[1]}"
        server.shutdown()


@contextlib.contextmanager
def tabs(chromium, address):
    """A function that opens a page of the site; anything it asks of another host fails the test."""
    foreign = []
    with contextlib.ExitStack() as contexts:

        def open_(page, *, width=1280, scheme="light"):
            context = chromium.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme)
            contexts.callback(context.close)
            context.grant_permissions(["clipboard-read", "clipboard-write"])
            tab = context.new_page()
            tab.on(
                "request",
                lambda request: foreign.append(request.url) if "//127.0.0.1" not in request.url else None,
            )
            tab.goto(f"{address}/{page}")
            return tab

        yield open_
    assert [url for url in foreign if not url.startswith("data:")] == []


@pytest.fixture
def open_page(chromium, address):
    with tabs(chromium, address) as open_:
        yield open_


@pytest.fixture(scope="module", params=PAGES)
def tab(request, chromium, address):
    """Every page in turn, loaded once for all tests of it."""
    with tabs(chromium, address) as open_:
        yield open_(request.param)


def test_axe_finds_nothing_serious(tab):
    tab.set_viewport_size({"width": 1280, "height": 800})
    tab.emulate_media(color_scheme="light", reduced_motion="reduce")
    assert tab.locator("html[data-theme=light]").count()
    assert serious(tab) == []


def test_axe_finds_no_colour_too_pale_in_the_dark(tab):
    tab.set_viewport_size({"width": 1280, "height": 800})
    tab.emulate_media(color_scheme="dark", reduced_motion="reduce")  # no colour halfway to another
    tab.locator("html[data-theme=dark]").wait_for(state="attached")
    rules = ["color-contrast", "link-in-text-block"]  # the others do not look at colours
    assert serious(tab, runOnly={"type": "rule", "values": rules}) == []


@pytest.mark.parametrize("page", ["deploy/batching.html", "tune/optimize.html"])
def test_axe_finds_nothing_serious_in_tables_that_became_lists(open_page, page):
    tab = open_page(page, width=360)
    assert tab.locator("table.wide td .heading").count()
    assert serious(tab) == []


def serious(tab, **options):
    """What is wrong with the page for assistive technology."""
    from axe_playwright_python.sync_playwright import Axe

    return [
        (rule["id"], rule["help"], [node["target"] for node in rule["nodes"]][:5])
        for rule in Axe().run(tab, options={"resultTypes": ["violations"], **options}).response["violations"]
        if rule["impact"] in ("serious", "critical")
    ]


def test_page_fits_a_phone(tab):
    tab.set_viewport_size({"width": 360, "height": 800})
    assert tab.evaluate("document.documentElement.scrollWidth") <= 360
    cut = tab.locator("table.table").evaluate_all(
        "tables => tables.filter(t => t.scrollWidth > t.parentElement.clientWidth).map(t => t.innerText)"
    )
    assert cut == []  # no verdict or number is a swipe away


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_figures_show_the_file_for_the_scheme(open_page, scheme):
    pages = [page for page in PAGES if "measured-figure" in (HTML / page).read_text("utf-8")]
    tab = open_page(pages[0], scheme=scheme)
    figure = tab.locator("figure.measured-figure").first
    assert figure.locator(f"img.only-{scheme}").is_visible()
    assert figure.locator("figcaption").is_visible()
    other = {"light": "dark", "dark": "light"}[scheme]
    assert not figure.locator(f"img.only-{other}").is_visible()


def test_drawings_keep_their_place_wait_for_their_turn_and_can_be_read_on_a_phone(open_page):
    tab = open_page("index.html", width=390)
    drawings = tab.locator("figure.measured-figure img").evaluate_all(
        "images => images.map(i => "
        "[i.loading, +i.getAttribute('width'), +i.getAttribute('height'), i.clientWidth])"
    )
    assert drawings
    for loading, width, height, shown in drawings:
        assert loading == "lazy"
        assert min(width, height) > 100
        assert not shown or 10.5 * shown / width > 8  # pixels of the smallest text


@pytest.mark.parametrize("page", ["index.html", "slow.html", "claims.html", "deploy/batching.html"])
def test_nothing_moves_while_a_page_appears(open_page, page):
    tab = open_page(page, width=390)
    tab.evaluate("scrollTo(0, document.body.scrollHeight)")
    tab.wait_for_timeout(500)
    moved = tab.evaluate(
        "new Promise(done => { setTimeout(done, 300, 0); new PerformanceObserver(list => "
        "done(list.getEntries().filter(e => !e.hadRecentInput).reduce((sum, e) => sum + e.value, 0)))"
        ".observe({type: 'layout-shift', buffered: true}) })"
    )
    assert moved < 0.05


def test_all_chapters_stand_in_the_header(open_page):
    tab = open_page("index.html", width=1400)
    names = tab.locator(".bd-header .navbar-nav > .nav-item > a.nav-link:visible").all_inner_texts()
    assert [name.strip() for name in names][:6] == [
        "My model is slow",
        "Measure",
        "Optimize the model",
        "Deploy",
        "Your own model",
        "All claims",
    ]


def test_paper_is_light_and_unfolded(open_page):
    tab = open_page("deploy/batching.html", scheme="dark")
    theme = "document.documentElement.dataset.theme"
    assert tab.evaluate(theme) == "dark"
    tab.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert tab.evaluate(theme) == "light"
    assert not tab.locator("img.only-dark").first.is_visible()
    assert tab.locator("details.claim:not([open])").count() == 0
    tab.evaluate("dispatchEvent(new Event('afterprint'))")
    assert tab.evaluate(theme) == "dark"
    assert tab.locator("details.claim[open]").count() == 0


def test_the_age_of_numbers_is_that_of_today(open_page):
    tab = open_page("index.html")
    assert re.fullmatch(r"\d+ \w+ ago", tab.locator(".measured-when .age").inner_text())


def ledger(tab):
    return tab.locator("table.ledger tbody tr:visible")


def test_the_ledger_is_filtered_and_sorted_and_the_address_keeps_it(open_page):
    tab = open_page("claims.html")
    every = ledger(tab).count()
    tab.get_by_label("Chapter").select_option("Deploy")
    tab.get_by_label("Search the claims").fill("streams")
    count = ledger(tab).count()
    assert 0 < count < every
    assert all(
        "streams" in text.lower() for text in ledger(tab).evaluate_all("rows => rows.map(r => r.textContent)")
    )
    assert tab.locator(".ledger-filter output").inner_text() == f"{count} of {every}"
    tab.get_by_role("button", name="Claim", exact=True).click()
    claims = ledger(tab).locator("th > p > a:first-child").all_inner_texts()
    assert claims == sorted(claims, key=str.lower)
    tab.reload()
    assert ledger(tab).locator("th > p > a:first-child").all_inner_texts() == claims


def test_the_ledger_is_whole_without_scripts(chromium, address):
    tab = chromium.new_context(java_script_enabled=False).new_page()
    tab.goto(f"{address}/claims.html")
    assert ledger(tab).count() > 100
    assert not tab.locator(".ledger-filter").is_visible()


def test_copy_button_copies_the_command_without_its_prompt(open_page):
    tab = open_page("how-to-read-these-numbers.html")
    block = tab.locator("div.highlight-console").first
    block.hover()
    block.locator("button.copybtn").click()
    assert tab.evaluate("navigator.clipboard.readText()").startswith("python3 -m pip install nox")


def test_search_finds_a_glossary_term(open_page):
    tab = open_page("search.html?q=interleaving")
    results = tab.locator("#search-results li a")
    results.first.wait_for()
    assert any("Glossary" in text or "interleaving" in text for text in results.all_inner_texts())


@pytest.mark.parametrize(
    ("question", "page"),
    [
        ("why is INT8 not faster", "slow.html"),
        ("batch 8 or streams on 8 cores", "deploy/batching.html"),
        ("p99 under 50 ms", "measure/latency-under-load.html"),
        ("first request takes 4 s", "slow.html"),
        ("quantize BERT without loss", "optimize/transformer-trap.html"),
        ("what of this holds on 32 cores and a GPU", "how-to-read-these-numbers.html"),
        ("which OpenVINO, what changed since", "machine.html"),
        ("where are the numbers to download", "how-to-read-these-numbers.html"),
        ("hyper-threading", "deploy/streams-and-threads.html"),
        ("cold start", "slow.html"),
        ("FPS", "measure/what-is-performance.html"),
    ],
)
def test_a_question_finds_its_page_among_the_first_results(open_page, question, page):
    tab = open_page(f"search.html?q={quote_plus(question)}")
    results = tab.locator("#search-results li a")
    results.first.wait_for()
    assert page in [address.partition("#")[0] for address in first_addresses(results, 4)]


def first_addresses(results, count):
    return [results.nth(i).get_attribute("href") for i in range(min(count, results.count()))]


def test_missing_address_shows_a_styled_page_with_ways_on(open_page):
    tab = open_page("measure/nowhere.html")
    assert tab.locator("h1").inner_text() == "Page not found"
    assert tab.locator("header.bd-header").bounding_box()["height"] < 120
    assert tab.get_by_role("link", name="start page").count() == 1
