"""What is read from the text of example scripts."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from optguide.chapters import CHAPTERS
from optguide.errors import OptionError
from optguide.guide.examples import examples, owner, preparing_part, select

ROOT = Path(__file__).parents[2]
SCRIPT = '''"""
Some
====
"""
import json
from optguide import Recording
from optguide.guide import environments, workloads

ready = workloads.digits(0)
python = environments.python_of("pot")
record = Recording("measure/some", declares=("some.*", *(f"other.{part}.time" for part in "ab")))
text = "not declared"
'''


@pytest.fixture
def folder(tmp_path):
    for name in ("measure/plot_some", "measure/plot_frameworks", "deploy/plot_batching", "a_new_one/plot_x"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / f"{name}.py").write_text(SCRIPT)
    return tmp_path


def test_examples_come_in_reading_order(folder):
    names = ["measure/frameworks", "measure/some", "deploy/batching", "a_new_one/x"]
    assert list(examples(folder)) == names


def test_what_a_script_declares_and_needs_is_read_without_running_it(folder):
    example = examples(folder)["measure/some"]
    assert example.declares == ("some.*", "other.*.time")
    assert example.environments == {"pot"}
    assert {"digits", "workloads"} <= example.names
    assert not example.makes_artifacts
    assert not example.reads_records


def test_the_owner_of_a_result_declares_it(folder):
    script = folder / "measure" / "plot_frameworks.py"
    script.write_text(SCRIPT.replace("some.*", "frameworks.*"))
    existing = examples(folder)
    assert owner(existing, "frameworks.torch.latency").name == "measure/frameworks"
    assert owner(existing, "elsewhere.time") is None


def test_of_several_examples_the_one_with_the_longest_pattern_owns_a_result(folder):
    script = folder / "deploy" / "plot_batching.py"
    script.write_text(SCRIPT.replace("some.*", "some.part.*"))
    existing = examples(folder)
    assert owner(existing, "some.part.time").name == "deploy/batching"
    assert owner(existing, "some.time").name == "measure/frameworks"


def test_chapters_and_examples_can_be_named_as_files_are(folder):
    existing = examples(folder)
    assert select(existing, []) == list(existing)
    assert select(existing, ["deploy/plot_batching.py", "measure/"]) == [
        "measure/frameworks",
        "measure/some",
        "deploy/batching",
    ]
    with pytest.raises(OptionError, match="'deploy/btching'"):
        select(existing, ["deploy/btching"])


def test_what_is_prepared_ends_where_recording_begins(folder):
    statements = preparing_part(folder / "measure" / "plot_some.py").body
    assert len(statements) == 6


def test_every_example_of_the_guide_declares_what_it_records():
    existing = examples(ROOT / "examples")
    assert set(existing) == {f"{chapter}/{name}" for chapter, names in CHAPTERS.items() for name in names}
    assert all(example.declares for example in existing.values())
    assert existing["optimize/choose"].reads_records
    assert existing["optimize/pot_and_nncf"].makes_artifacts


@pytest.mark.parametrize("example", examples(ROOT / "examples").values(), ids=lambda example: example.name)
def test_what_an_example_makes_is_made_before_it_begins_to_record(example):
    """Behind that statement it would be made alone, on one core, and count as measuring."""
    body = ast.parse(example.script.read_text("utf-8")).body
    prepared = len(preparing_part(example.script).body)
    makers = {"cached_artifact"}
    for statement in body:
        if isinstance(statement, ast.FunctionDef) and makers & names_in(statement):
            makers.add(statement.name)
    assert not [statement.lineno for statement in body[prepared:] if makers & names_in(statement)]


def names_in(statement):
    nodes = list(ast.walk(statement))
    names = {node.attr for node in nodes if isinstance(node, ast.Attribute)}
    return names | {node.id for node in nodes if isinstance(node, ast.Name)}
