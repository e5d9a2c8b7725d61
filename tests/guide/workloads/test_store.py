"""The store: complete folders only, one build at a time, a new folder for every change."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from optguide.errors import EnvironmentMissing, StorageError
from optguide.guide.workloads.store import Recipe, ensure, key


@pytest.fixture(autouse=True)
def build(tmp_path, monkeypatch):
    monkeypatch.setenv("OPTGUIDE_BUILD", str(tmp_path))
    return tmp_path


def write(folder: Path) -> None:
    (folder / "model.bin").write_bytes(b"weights")


def recipe(make=write, **changes) -> Recipe:
    fields = {"sources": (Path(__file__),), "packages": ("numpy",), "ingredients": ("seed 1",)} | changes
    return Recipe("model", make, **fields)


def visible(build: Path) -> list[str]:
    return [path.name for path in (build / "models").iterdir() if not path.name.startswith(".")]


def test_builds_once(build):
    made = []
    once = recipe(lambda folder: (made.append(1), write(folder)))
    folder = ensure(once)
    assert ensure(once) == folder
    assert made == [1]
    assert (folder / "model.bin").read_bytes() == b"weights"
    assert folder == build / "models" / key(once)


def test_everything_that_shapes_the_result_changes_the_key(tmp_path, monkeypatch):
    source = tmp_path / "builder.py"
    source.write_text("first")
    keys = {key(recipe(sources=(source,)))}
    source.write_text("second")
    keys.add(key(recipe(sources=(source,))))
    keys.add(key(recipe(sources=(source,), ingredients=("seed 2",))))
    monkeypatch.setattr("optguide.guide.workloads.store.metadata.version", lambda package: "0.0")
    keys.add(key(recipe(sources=(source,))))
    assert len(keys) == 4


def test_missing_package_names_it_and_the_command():
    with pytest.raises(EnvironmentMissing, match="no-such-distribution is not installed") as caught:
        ensure(recipe(packages=("no-such-distribution",)))
    assert 'pip install "optguide[frameworks,models]"' in caught.value.remedy


def test_failed_build_leaves_nothing(build):
    def fail(folder: Path) -> None:
        write(folder)
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        ensure(recipe(fail))
    assert visible(build) == []
    assert (ensure(recipe()) / "model.bin").exists()


def test_full_disk_is_a_storage_error(build):
    def fill(folder: Path) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.raises(StorageError, match="No space left") as caught:
        ensure(recipe(fill))
    assert "OPTGUIDE_BUILD" in caught.value.remedy
    assert visible(build) == []


PROGRAM = """
import os, signal, sys, time
from pathlib import Path
from optguide.guide.workloads.store import Recipe, ensure

def make(folder):
    (folder / "left-over" if sys.argv[1] == "die" else folder / "model.bin").write_bytes(b"weights")
    if sys.argv[1] == "die":
        os.kill(os.getpid(), getattr(signal, "SIGKILL", signal.SIGTERM))
    with Path(os.environ["OPTGUIDE_BUILD"], "made").open("a") as file:
        file.write("x")
    time.sleep(0.5)

print(ensure(Recipe("model", make, sources=(), packages=())))
"""


def start(how: str) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", PROGRAM, how], stdout=subprocess.PIPE, text=True)


def test_killed_build_is_invisible_and_the_next_one_starts_clean(build):
    killed = start("die")
    killed.communicate()
    assert killed.returncode != 0
    assert visible(build) == []
    done = start("finish")
    folder = Path(done.communicate()[0].strip())
    assert [path.name for path in folder.iterdir()] == ["model.bin"]
    assert [path for path in (build / "models").iterdir() if path.is_dir()] == [folder]


def test_two_processes_at_once_build_once(build):
    processes = [start("finish"), start("finish")]
    first, second = (process.communicate()[0] for process in processes)
    assert first == second
    assert [process.returncode for process in processes] == [0, 0]
    assert (build / "made").read_text() == "x"
