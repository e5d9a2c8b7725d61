"""Targets are made by doit, each in a process of its own, before anything is measured."""

from __future__ import annotations

import sys
from pathlib import Path

import psutil
import pytest

from optguide.errors import StorageError
from optguide.guide import preparation
from optguide.guide.examples import examples

ROOT = Path(__file__).parents[2]
SCRIPT = '''"""Some."""
from pathlib import Path

from optguide import Recording
from optguide.guide import profiles, workloads


def keep(folder, text):
    {statement}
    (folder / "text").write_text(text)


profile = profiles.current().name
folders = [workloads.cached_artifact(keep, packages=("numpy",), text=text + profile) for text in "ab"]
record = Recording("measure/{name}", declares=("{name}.*",))
raise ValueError("what comes now is measured, not prepared")
'''


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """A folder with scripts to prepare; returns a function that adds one and one that prepares all."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OPTGUIDE_BUILD", str(tmp_path / "build"))
    (tmp_path / "examples" / "measure").mkdir(parents=True)
    preparation._SERVER.set_forkserver_preload([preparation.__name__])  # the scripts need nothing else

    def add(name, statement="pass"):
        script = tmp_path / "examples" / "measure" / f"plot_{name}.py"
        script.write_text(SCRIPT.format(name=name, statement=statement))

    def prepare(profile="quick"):
        return preparation.prepare(list(examples(tmp_path / "examples").values()), profile)

    return add, prepare


def texts(folder: Path) -> list[str]:
    return sorted(path.read_text() for path in folder.glob("build/models/keep-*/text"))


def test_what_an_example_makes_is_made_once_and_again_where_it_is_gone(checkout, tmp_path, capfd):
    add, prepare = checkout
    add("some")
    assert prepare() == {}
    assert texts(tmp_path) == ["aquick", "bquick"]
    assert "measure/some is made" in capfd.readouterr().out
    prepare()
    assert "measure/some is there" in capfd.readouterr().out
    (gone,) = (path for path in tmp_path.glob("build/models/keep-*") if "b" in (path / "text").read_text())
    (gone / "text").unlink()
    gone.rmdir()
    prepare()
    assert texts(tmp_path) == ["aquick", "bquick"]


def test_a_profile_has_targets_of_its_own(checkout, tmp_path):
    add, prepare = checkout
    add("some")
    prepare("quick")
    prepare("full")
    assert texts(tmp_path) == ["afull", "aquick", "bfull", "bquick"]


def test_a_target_that_fails_costs_itself_and_is_tried_again(checkout, tmp_path, capfd):
    add, prepare = checkout
    add("bad", "raise ValueError('no luck')")
    add("good")
    assert prepare() == {"measure/bad": "ValueError: no luck"}
    assert texts(tmp_path) == ["aquick", "bquick"]
    assert "measure/bad cannot be made: ValueError: no luck" in capfd.readouterr().out
    assert prepare() == {"measure/bad": "ValueError: no luck"}


@pytest.mark.skipif(sys.platform != "linux", reason="no process is forked from a server")
def test_a_library_that_cannot_be_imported_is_the_reason_why_a_target_is_not_made(
    checkout, tmp_path, monkeypatch
):
    add, prepare = checkout
    add("some")
    (tmp_path / "broken.py").write_text("raise RuntimeError('no luck')")
    monkeypatch.syspath_prepend(tmp_path)
    preparation._SERVER.set_forkserver_preload(["broken"])
    (reason,) = prepare().values()
    assert reason.startswith("its process could not be started")


@pytest.mark.skipif(sys.platform != "linux", reason="no process is forked from a server")
def test_nothing_stays_in_memory_for_the_measurements(checkout):
    add, prepare = checkout
    add("some")
    prepare()
    left = [" ".join(process.cmdline()) for process in psutil.Process().children()]
    assert not [command for command in left if "forkserver" in command]


def test_a_full_disk_ends_the_preparation_with_one_sentence(checkout):
    add, prepare = checkout
    add("some", "import errno, os; raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))")
    with pytest.raises(StorageError, match="No space left") as caught:
        prepare()
    assert "--resume" in caught.value.remedy


def test_a_model_is_made_after_what_it_is_made_from():
    existing = examples(ROOT / "examples")
    names = [target.name for target in preparation.targets(list(existing.values()))]
    for target in preparation.targets(list(existing.values())):
        assert all(names.index(needed) < names.index(target.name) for needed in target.needs)
    assert set(preparation.MODELS) <= set(names)
    assert set(preparation._LONGEST) <= set(names)


def test_one_example_needs_only_its_own():
    example = examples(ROOT / "examples")["measure/frameworks"]
    names = {target.name for target in preparation.targets([example])}
    assert names == {"tensorflow", "resnet50", "resnet50_savedmodel"}
