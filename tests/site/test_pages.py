"""The whole guide, built from records in which every claim is refuted and from records without a number."""

from __future__ import annotations

import posixpath
import re
import subprocess
import sys
import tomllib
from urllib.parse import unquote, urlsplit

import pytest
from bs4 import BeautifulSoup

from optguide import claims

pytestmark = [pytest.mark.site, pytest.mark.slow]  # two builds of all pages


@pytest.fixture(scope="module", params=["refuted", "unmeasurable"])
def site(request):
    built = request.getfixturevalue(request.param)
    assert built.exit_status == 0, built.output
    return built


@pytest.fixture(scope="module")
def soups(site):
    return {
        path.relative_to(site.html).as_posix(): BeautifulSoup(path.read_text("utf-8"), "html.parser")
        for path in site.html.rglob("*.html")
        if "_static" not in path.parts
    }


def verdicts(site):
    """The counts above the ledger."""
    soup = BeautifulSoup((site.html / "claims.html").read_text("utf-8"), "html.parser")
    return [badge.get_text() for badge in soup.find(class_="counts").find_all(class_="verdict")]


def text(site, page):
    soup = BeautifulSoup((site.html / page).read_text("utf-8"), "html.parser")
    return " ".join(soup.find("article").get_text(" ").split())


def test_ledger_counts_what_was_refuted(refuted):
    count = len(claims.load(refuted.root / "conf" / "claims"))
    assert verdicts(refuted) == [
        "0 confirmed",
        f"{count} refuted",
        "0 inconclusive",
        "0 not measurable here",
    ]


def test_ledger_says_why_nothing_is_measurable(unmeasurable):
    count = len(claims.load(unmeasurable.root / "conf" / "claims"))
    assert verdicts(unmeasurable) == [
        "0 confirmed",
        "0 refuted",
        "0 inconclusive",
        f"{count} not measurable here",
    ]
    assert "this machine was made up without anything to measure" in text(unmeasurable, "claims.html")


def test_landing_page_shows_a_measured_result_in_both(site):
    landing = text(site, "index.html")
    assert "ResNet-50" in landing
    assert ("not measured here" in landing) == (site.root.name.startswith("unmeasurable"))


def test_titles_are_unique(soups):
    titles = [soup.title.get_text() for soup in soups.values()]
    assert [title for title in set(titles) if titles.count(title) > 1] == []


def test_examples_name_what_to_install_and_the_page_that_explains_it(site, soups):
    repository = tomllib.loads((site.root / "pyproject.toml").read_text("utf-8"))["project"]["urls"][
        "Repository"
    ]
    assert f"git+{repository}" in text(site, "install.html")
    for page in soups:
        if "/plot_" in page:
            line = re.search(r'pip install "optguide\[[a-z,]+\] @ git\+(\S+)"', text(site, page))
            assert line, page
            assert line[1] == repository
            assert soups[page].article.find("a", href="../../install.html"), page
    notebook = next(site.html.rglob("plot_batching.ipynb")).read_text("utf-8")
    assert "%pip install" in notebook


def test_thumbnails_are_the_figures(refuted):
    page = BeautifulSoup((refuted.html / "gallery" / "index.html").read_text("utf-8"), "html.parser")
    images = [image["src"] for image in page.select(".sphx-glr-thumbcontainer img")]
    drawn = [image for image in images if b"#3377cc" in (refuted.html / "gallery" / image).read_bytes()]
    assert len(images) == len(list((refuted.root / "examples").rglob("plot_*.py")))
    assert len(drawn) > 25  # not every example has a figure that a page names


def test_the_example_of_the_downloads_runs(refuted):
    prose = (refuted.root / "docs" / "reference" / "numbers.md").read_text("utf-8")
    (code,) = re.findall(r"^```python\n(.*?)^```", prose, re.MULTILINE | re.DOTALL)
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=refuted.html, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    header = (refuted.html / "results.csv").read_text("utf-8").partition("\n")[0].split(",")
    table = re.search(r"## Columns(.*?)## JSON", prose, re.DOTALL)[1]
    documented = [
        name for line in table.splitlines() for name in re.findall(r"`(\w+)`", f"{line}||".split("|")[1])
    ]
    assert sorted(header) == sorted(documented)


def test_every_page_says_how_old_its_numbers_are(soups):
    for page, soup in soups.items():
        if page in ("search.html", "genindex.html", "py-modindex.html"):
            continue
        footer = soup.find(class_="measured-when")
        assert footer is not None, page
        assert "1 hour before this page was built, with the quick profile" in " ".join(
            footer.get_text().split()
        )


def test_nothing_is_loaded_from_another_host(site, soups):
    loading = {
        "script": "src",
        "img": "src",
        "source": "src",
        "iframe": "src",
        "video": "src",
        "embed": "src",
    }
    for page, soup in soups.items():
        for tag, attribute in loading.items():
            for element in soup.find_all(tag):
                assert not urlsplit(element.get(attribute, "")).netloc, (page, element)
        for link in soup.find_all("link"):
            if "canonical" not in link.get("rel", ()):
                assert not urlsplit(link.get("href", "")).netloc, (page, link)
    for sheet in site.html.rglob("*.css"):
        remote = re.search(r"""(?:url\(|@import)\s*['"]?\s*(?:https?:)?//[^)'"]*""", sheet.read_text("utf-8"))
        assert remote is None, (sheet.name, remote)


def test_every_image_has_alternative_text(soups):
    for page, soup in soups.items():
        for image in soup.find_all("img"):
            # A title stands beside the logo and below each thumbnail; repeating it would be read out twice.
            titled = "logo__image" in image.get("class", ()) or image.find_parent(
                class_="sphx-glr-thumbcontainer"
            )
            assert image.get("alt") or (titled and image.has_attr("alt")), (page, image)
        for drawing in soup.find_all("svg"):
            assert drawing.get("aria-hidden") or drawing.find("title"), (page, drawing)


def test_every_image_of_the_content_is_a_figure_with_a_caption(soups):
    for page, soup in soups.items():
        # Thumbnails have their title below them, and an index of Sphinx's own has buttons.
        for image in soup.select("article img:not(.sphx-glr-thumbcontainer img, .toggler)"):
            figure = image.find_parent("figure")
            caption = figure and figure.find("figcaption")
            assert image.get("alt"), (page, image)
            assert caption, (page, image)
            assert caption.get_text(strip=True), (page, image)


def test_every_figure_of_an_example_has_a_caption_and_says_where_it_is_from(soups):
    for page, soup in soups.items():
        for figure in soup.find_all("figure", class_="measured-figure"):
            assert figure.find(class_="caption-text").get_text(strip=True), page
            assert "Measured by" in figure.find(class_="provenance").get_text(), page


def test_internal_links_lead_to_something(soups):
    ids = {page: {element["id"] for element in soup.find_all(id=True)} for page, soup in soups.items()}
    for page, soup in soups.items():
        if page == "404.html":
            continue
        for link in soup.find_all("a", href=True):
            target = urlsplit(link["href"])
            if target.scheme or target.netloc:
                continue
            path = (
                posixpath.normpath(posixpath.join(posixpath.dirname(page), unquote(target.path)))
                if target.path
                else page
            )
            if not path.endswith(".html"):
                continue
            assert path in ids, (page, link["href"])
            # The theme's own links to the top of a page and to its search dialog need no element.
            if target.fragment and not target.fragment.startswith(("_", "module-")):
                assert unquote(target.fragment) in ids[path], (page, link["href"])


def test_pages_build_without_running_examples(refuted):
    assert "no examples were executed" in refuted.output
