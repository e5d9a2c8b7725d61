"""How nox keeps one whole build of the guide in place, whenever a build ends."""

from __future__ import annotations

import contextlib
import json
import runpy
import shutil
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

ROOT = Path(__file__).parents[1]
PARTS = ("records", "gallery", "doctrees", "html")


class Killed(BaseException):
    """Stands for the end of the process."""


@pytest.fixture
def sessions(tmp_path, monkeypatch):
    """The functions of the noxfile on folders of their own."""
    nox = ModuleType("nox")
    nox.options = SimpleNamespace()
    nox.needs_version = ""
    nox.session = lambda function=None, **_: function or (lambda inner: inner)
    monkeypatch.setitem(sys.modules, "nox", nox)
    module = SimpleNamespace(**runpy.run_path(str(ROOT / "noxfile.py")))
    build = tmp_path / "build"
    names = module.settle.__globals__
    names.update(
        BUILD=build,
        REPLACED=(build / "records", tmp_path / "docs" / "gallery", build / "doctrees", build / "html"),
        PREVIOUS=build / "previous",
        UNFINISHED=build / "unfinished",
        DISCARDED=build / "discarded",
    )
    return module


def write(sessions, build, *, is_complete):
    for folder in sessions.settle.__globals__["REPLACED"]:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "build").write_text(build)
    records = sessions.settle.__globals__["REPLACED"][0]
    (records / "build.json").write_text(json.dumps({"is_complete": is_complete}))


def in_place(sessions):
    """The builds that the four folders belong to."""
    folders = sessions.settle.__globals__["REPLACED"]
    return {(folder / "build").read_text() if folder.exists() else None for folder in folders}


def test_a_complete_build_replaces_the_one_before(sessions):
    write(sessions, "old", is_complete=True)
    sessions.make_room(resume=False)
    assert in_place(sessions) == {None}
    write(sessions, "new", is_complete=True)
    sessions.settle()
    assert in_place(sessions) == {"new"}
    build = sessions.settle.__globals__["BUILD"]
    assert sorted(path.name for path in build.iterdir()) == ["doctrees", "html", "records"]


def test_a_build_that_was_stopped_waits_and_is_resumed(sessions):
    write(sessions, "old", is_complete=True)
    sessions.make_room(resume=False)
    write(sessions, "new", is_complete=False)
    sessions.settle()
    assert in_place(sessions) == {"old"}
    sessions.settle()
    assert in_place(sessions) == {"old"}
    sessions.make_room(resume=True)
    assert in_place(sessions) == {"new"}
    sessions.settle()
    assert in_place(sessions) == {"old"}
    sessions.make_room(resume=True)
    write(sessions, "new", is_complete=True)
    sessions.settle()
    assert in_place(sessions) == {"new"}


def test_the_first_build_stays_where_it_is_when_it_is_stopped(sessions):
    sessions.make_room(resume=False)
    write(sessions, "first", is_complete=False)
    sessions.settle()
    assert in_place(sessions) == {"first"}
    sessions.make_room(resume=True)
    assert in_place(sessions) == {"first"}
    sessions.make_room(resume=False)
    assert in_place(sessions) == {None}


@pytest.mark.parametrize("resume", [False, True])
def test_a_kill_between_any_two_steps_leaves_one_build(sessions, monkeypatch, resume):
    rename = Path.rename
    for steps in range(20):
        globals_ = sessions.settle.__globals__
        sessions.discard(globals_["PREVIOUS"], globals_["UNFINISHED"], *globals_["REPLACED"])
        if resume:
            write(sessions, "new", is_complete=False)
            for folder in globals_["REPLACED"]:
                sessions.move(folder, globals_["UNFINISHED"] / folder.name)
        write(sessions, "old", is_complete=True)
        left = steps

        def counted(self, target):
            nonlocal left
            if left == 0:
                raise Killed
            left -= 1
            return rename(self, target)

        monkeypatch.setattr(Path, "rename", counted)
        with contextlib.suppress(Killed):
            sessions.make_room(resume=resume)
            write(sessions, "new", is_complete=False)
            sessions.settle()
        monkeypatch.setattr(Path, "rename", rename)
        sessions.settle()
        assert in_place(sessions) == {"old"}, steps
        sessions.make_room(resume=True)
        write(sessions, "new", is_complete=True)
        monkeypatch.setattr(Path, "rename", counted)
        left = steps % 4
        with contextlib.suppress(Killed):
            sessions.settle()
        monkeypatch.setattr(Path, "rename", rename)
        sessions.settle()
        assert in_place(sessions) == {"new"}, steps


def test_what_was_installed_from_the_same_files_is_not_installed_again(sessions, tmp_path):
    calls = []
    session = SimpleNamespace(
        virtualenv=SimpleNamespace(location=str(tmp_path), _reused=True),
        env={},
        install=lambda *what: calls.append(what),
        _runner=SimpleNamespace(global_config=SimpleNamespace(no_install=False)),
    )
    names = sessions.install.__globals__
    names.update(ROOT=tmp_path, REQUIREMENTS=tmp_path)
    project = tmp_path / "pyproject.toml"

    def installed(*what):
        calls.clear()
        sessions.install(session, *what)
        return bool(calls)

    project.write_text("one")
    assert installed("-e", ".")
    assert not installed("-e", ".")
    assert installed("more")  # by another session in the same folder
    assert not installed("-e", ".")
    project.write_text("two")
    assert installed("more")
    project.write_text("one")
    assert installed("-e", ".")
    project.write_text("two")
    session._runner.global_config.no_install = True
    assert not installed("-e", ".")
    session.virtualenv._reused = False
    assert installed("-e", ".")
    project.write_text("two and more")
    session.virtualenv._reused = True
    assert not installed("-e", ".")
    session._runner.global_config.no_install = False
    assert installed("-e", ".")  # which nox -R has left out
    project.write_text("three")
    session.install = lambda *what: 1 / 0
    with pytest.raises(ZeroDivisionError):
        sessions.install(session, "-e", ".")
    project.write_text("one")
    session.install = lambda *what: calls.append(what)
    assert installed("-e", ".")  # whatever the one that failed has left
    shutil.copytree(tmp_path, tmp_path / "copy")
    names.update(ROOT=tmp_path / "copy", REQUIREMENTS=tmp_path / "copy")
    session.virtualenv.location = str(tmp_path / "copy")
    assert installed("-e", ".")  # what is installed there is the code of the other checkout


def test_links_to_an_environment_that_was_deleted_go(sessions, tmp_path):
    (tmp_path / "tests").mkdir()
    for name, target in {"docs": "tests", "browser": "gone"}.items():
        (tmp_path / name).symlink_to(target)
    sessions.drop_dangling_links(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["docs", "tests"]
