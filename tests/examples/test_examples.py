"""Every example runs alone, with the quick profile, and records what it declares."""

from __future__ import annotations

import os
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


@pytest.mark.examples
@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_it_runs_alone_and_records_what_it_declares(script, build):
    example = f"{script.parent.name}/{script.stem.removeprefix('plot_')}"
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
    record = records.load(build).by_example[example]
    assert record.profile == "quick"
    assert record.results
    assert next(iter(record.results.values())).label in done.stdout
    for figure in record.figures:
        assert records.load(build).figure_path(example, figure, "dark").stat().st_size > 1000
