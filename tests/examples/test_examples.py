"""Every example is in its place, and alone, with the quick profile, it records what it declares.

A build of the guide runs every example too, and ``mypy examples`` finds what they call that does not exist.
What a build does not show is that an example runs on its own.
"""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from optguide import records
from optguide.chapters import CHAPTERS, place_of_chapter, place_of_example
from optguide.paths import build_dir

ROOT = Path(__file__).parents[2]
SCRIPTS = sorted(
    (ROOT / "examples").glob("*/plot_*.py"),
    key=lambda script: (
        place_of_chapter(script.parent.name),
        place_of_example(script.stem.removeprefix("plot_")),
    ),
)
SHARED = ("models", "envs", "caches")

every_example = pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)


def name_of(script):
    return f"{script.parent.name}/{script.stem.removeprefix('plot_')}"


@pytest.fixture(scope="module")
def build(tmp_path_factory):
    """A build folder with records of its own, and the models, environments and caches of this checkout.

    Examples run in reading order and share it, since ``choose`` looks at what the others have recorded.
    """
    folder = tmp_path_factory.mktemp("build")
    for name in SHARED:
        (build_dir() / name).mkdir(parents=True, exist_ok=True)
        (folder / name).symlink_to(build_dir() / name)
    return folder


def test_every_example_has_its_place_in_the_reading_order():
    assert {(script.parent.name, script.stem.removeprefix("plot_")) for script in SCRIPTS} == {
        (chapter, name) for chapter, names in CHAPTERS.items() for name in names
    }


@every_example
def test_it_begins_with_title_and_summary(script):
    title, underline, blank, *summary = ast.get_docstring(ast.parse(script.read_text("utf-8"))).split("\n")
    assert title
    assert (underline, blank) == ("=" * len(title), "")
    assert " ".join(summary).endswith((".", "?"))


@every_example
def test_it_links_to_the_page_that_explains_it_and_says_what_to_install(script):
    docstring = ast.get_docstring(ast.parse(script.read_text("utf-8")))
    pages = re.findall(r":doc:`/([^`]+)`", docstring)
    assert pages
    assert all((ROOT / "docs" / f"{page}.md").is_file() for page in pages)
    assert "pip install" in docstring


@every_example
def test_it_records_under_its_own_name_and_publishes_as_its_last_step(script):
    tree = ast.parse(script.read_text("utf-8"))
    (recording,) = (
        node.value
        for node in tree.body
        if isinstance(node, ast.Assign) and ast.unparse(node.value).startswith("Recording(")
    )
    assert recording.args[0].value == name_of(script)
    assert ast.unparse(tree.body[-1]) == "record.publish()"


@pytest.mark.examples
@every_example
def test_it_runs_alone_and_records_what_it_declares(script, build):
    environment = {
        **os.environ,
        "OPTGUIDE_BUILD": str(build),
        "OPTGUIDE_PROFILE": "quick",
        "MPLBACKEND": "Agg",
    }
    done = subprocess.run(
        [sys.executable, str(script)], env=environment, capture_output=True, text=True, check=False, cwd=ROOT
    )
    assert done.returncode == 0, done.stderr[-3000:]
    # publish() has refused anything that is not declared; what is left is that it was called, and printed.
    record = records.load(build).by_example[name_of(script)]
    assert record.profile == "quick"
    assert record.results
    assert next(iter(record.results.values())).label in done.stdout
    for figure in record.figures:
        assert records.load(build).figure_path(name_of(script), figure, "dark").stat().st_size > 1000
