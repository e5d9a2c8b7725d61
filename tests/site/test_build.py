"""Building the guide from examples that take no time: what is left out, what fails, what is killed."""

from __future__ import annotations

import json
import os
import random
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.site

SCRIPT = '''"""
{name}
===================

Text.
"""

import os
from pathlib import Path

from optguide import Recording

with Path(os.environ["OPTGUIDE_BUILD"], "../ran.txt").open("a") as log:
    log.write("{chapter}/{name}\\n")
match os.environ.get("{name}"):
    case "raise":
        raise ValueError("no luck")
    case "die":
        os.kill(os.getpid(), 9)
record = Recording("{chapter}/{name}", declares=("{name}.*",))
record.add("{name}.value", 4.0)
record.publish()
'''
CLAIM = """
[[claim]]
id = "more"
statement = "Four are more than three."
source = { title = "A page", url = "https://example.org/page" }
page = "index"
conditions = [{ result = "batching.value", above = 3.0 }]
"""
NAMES = ("measure/frameworks", "measure/benchmark_app", "deploy/batching", "deploy/copies")
ORDER = ["measure/benchmark_app", "measure/frameworks", "deploy/batching", "deploy/copies"]


@pytest.fixture
def guide(small):
    """A guide of one page and four examples."""
    for claims in (small / "conf" / "claims").iterdir():
        claims.unlink()
    (small / "conf" / "claims" / "deploy.toml").write_text(CLAIM)
    (small / "examples" / "measure" / "plot_some.py").unlink()
    for example in NAMES:
        chapter, name = example.split("/")
        folder = small / "examples" / chapter
        folder.mkdir(exist_ok=True)
        (folder / "GALLERY_HEADER.rst").write_text("A chapter\n=========\n")
        (folder / f"plot_{name}.py").write_text(SCRIPT.format(chapter=chapter, name=name))
    values = "\n\n".join(f"{name}: {{measured}}`{name.split('/')[1]}.value`" for name in NAMES)
    (small / "docs" / "index.md").write_text(
        f"# Page\n\n{values}\n\n```{{claim}} more\n```\n\n```{{toctree}}\ngallery/index\nmachine\n```\n"
    )
    return small


def start(guide: Path, *arguments: str, **fates: str) -> subprocess.Popen[str]:
    environment = os.environ | {"OPTGUIDE_BUILD": str(guide / "build"), "MPLBACKEND": "Agg"} | fates
    return subprocess.Popen(
        [sys.executable, "-m", "optguide.guide.build", "--profile=quick", *arguments],
        cwd=guide,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def build(guide: Path, *arguments: str, **fates: str) -> tuple[int, str]:
    process = start(guide, *arguments, **fates)
    output = process.communicate()[0]
    return process.returncode, output


def ran(guide: Path) -> list[str]:
    """The examples that have begun since the last call."""
    log = guide / "ran.txt"
    names = log.read_text().split() if log.exists() else []
    log.unlink(missing_ok=True)
    return names


def page(guide: Path) -> str:
    return (guide / "build" / "html" / "index.html").read_text("utf-8")


def shown(guide: Path) -> dict[str, str]:
    """Example to the words that the page shows in place of its number, or the number."""
    found = re.findall(r"<p>(\w+/\w+): <a [^>]*>(?:<span[^>]*>)?([^<]+)<", page(guide))
    return dict(found)


@pytest.mark.slow
def test_an_example_that_fails_or_kills_its_process_costs_itself_and_is_run_again_on_resuming(guide):
    status, output = build(guide, batching="raise", benchmark_app="die")
    assert status == 1, output
    assert "deploy/batching has no numbers: ValueError: no luck" in output
    assert "measure/benchmark_app has no numbers: the process that ran it was ended by signal 9" in output
    assert ran(guide) == ORDER
    assert shown(guide) == {
        "measure/frameworks": "4",
        "measure/benchmark_app": "not measured",
        "deploy/batching": "not measured",
        "deploy/copies": "4",
    }
    assert "deploy/batching failed: ValueError: no luck" in page(guide)
    gallery = guide / "build" / "html" / "gallery" / "deploy" / "plot_batching.html"
    assert "deploy/batching failed: ValueError: no luck" in gallery.read_text("utf-8")

    status, output = build(guide, "--resume")
    assert status == 0, output
    assert ran(guide) == ["measure/benchmark_app", "deploy/batching"]
    assert set(shown(guide).values()) == {"4"}
    assert 'class="verdict confirmed"' in page(guide)

    build(guide, "deploy/copies")
    assert ran(guide) == ["deploy/copies"]
    assert "These numbers do not belong together" not in page(guide)
    assert "This guide is being measured" not in page(guide)

    index = guide / "docs" / "index.md"
    index.write_text(index.read_text("utf-8").replace("# Page", "# Another title"))
    status, output = build(guide, "--pages")
    assert status == 0, output
    assert "Another title" in page(guide)
    assert ran(guide) == []

    script = guide / "examples" / "measure" / "plot_frameworks.py"
    script.write_text(script.read_text() + "\nprint(1)\n")
    status, output = build(guide, "--resume")
    assert ran(guide) == ["measure/frameworks"], output


@pytest.mark.slow
def test_pages_are_there_before_the_first_number(guide):
    process = start(guide, benchmark_app="die")
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("Measuring"):
            break
    process.kill()
    os.killpg(process.pid, 9)
    process.wait()
    assert set(shown(guide).values()) == {"being measured"}
    assert "This guide is being measured" in page(guide)
    assert "not recorded" in page(guide)


@pytest.mark.slow
def test_pages_that_cannot_be_built_are_reported_before_the_preparation_ends(guide):
    index = guide / "docs" / "index.md"
    index.write_text(index.read_text("utf-8") + "\n[](no_such_page.md)\n")
    status, output = build(guide)
    assert status == 1
    early, _, late = output.partition("The build ends with that")
    assert "The pages could not be built" in early
    assert "The pages could not be built" in late
    assert ran(guide) == []


@pytest.mark.slow
def test_a_build_killed_at_any_moment_goes_on_where_it_was(guide):
    random.seed(13)
    for _ in range(4):
        process = start(guide, "--resume")
        try:
            process.communicate(timeout=random.uniform(2, 14))
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, 9)
            process.communicate()
    status, output = build(guide, "--resume")
    assert status == 0, output
    assert set(shown(guide).values()) == {"4"}
    names = ran(guide)
    assert set(names) == set(NAMES)
    # One that was running when the build was killed has begun twice; what was done has not.
    assert len(names) <= len(NAMES) + 4
    builds = {json.loads(path.read_bytes())["build"] for path in guide.glob("build/records/*/*.json")}
    assert len(builds) == 1


def test_a_name_that_is_none_changes_nothing(guide):
    status, output = build(guide, "deploy/btching")
    assert status == 2
    assert "There is no chapter or example 'deploy/btching'" in output
    assert not (guide / "build" / "records").exists()
