"""Releases in environments of their own; what creates any environment is tested with the guide's."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from optguide import isolated
from optguide.errors import EnvironmentMissing, OptionError
from optguide.isolated import prune, release, releases


@pytest.fixture(autouse=True)
def _own_folder(tmp_path, monkeypatch):
    monkeypatch.setattr(isolated, "RELEASES", tmp_path / "releases")


@pytest.mark.parametrize(
    ("version", "requirement"),
    [
        ("2025.4", "openvino==2025.4.*"),
        ("2025.4.1", "openvino==2025.4.1"),
        ("2026", "openvino==2026.*"),
        ("2025.4rc1", "openvino==2025.4rc1"),
    ],
)
def test_a_shorter_version_is_the_newest_that_begins_so(version, requirement):
    environment = release("openvino", version)
    assert environment.requirements.splitlines() == [requirement, "numpy"]
    assert f"openvino-{version}-py3.{sys.version_info.minor}" in str(environment.folder)


@pytest.mark.parametrize("version", ["newest", "2025.4; rm", "../2025", "", "v2025.4"])
def test_what_is_no_version_is_the_callers_mistake(version):
    with pytest.raises(OptionError, match="names no release"):
        release("openvino", version)


def test_a_release_that_the_index_lacks_is_refused_with_those_that_it_has(tmp_path, monkeypatch):
    for version in ("2023.0.0", "2024.6.0", "2025.1.0.dev20250101"):
        (tmp_path / f"openvino-{version}-py3-none-any.whl").touch()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    with pytest.raises(EnvironmentMissing, match=r"Release 2019\.1 of openvino .* no such version") as caught:
        release("openvino", "2019.1").create()
    assert caught.value.remedy == "The newest that it has are 2023.0.0, 2024.6.0."
    assert not release("openvino", "2019.1").is_complete


def test_a_release_that_does_not_import_is_no_environment(monkeypatch):
    environment = release("no_such_module", "1.0")
    object.__setattr__(environment, "requirements", "# nothing to install\n")
    with pytest.raises(EnvironmentMissing, match="No module named"):
        environment.create()
    assert not environment.is_complete


def test_a_python_without_pip_is_named_as_the_cause(tmp_path, monkeypatch):
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "bare"], check=True)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "bare" / "bin" / "python"))
    with pytest.raises(EnvironmentMissing, match="this Python has no pip") as caught:
        release("openvino", "2025.4").create()
    assert caught.value.remedy == "Run python -m ensurepip, then repeat."


@pytest.fixture
def installed():
    """A complete environment, which holds a package of one file."""
    environment = release("openvino", "2025.4")
    for name in ("bin/python", "lib/package.py"):
        (environment.folder / name).parent.mkdir(parents=True)
        (environment.folder / name).write_text("text")
    (environment.folder / "optguide-requirements").write_text(environment.identity)
    assert environment.is_complete
    return environment


class Killed(BaseException):
    """Stands for the end of the process."""


def killed(folder, **_):
    """Remove the packages, then be killed."""
    (folder / "lib" / "package.py").unlink()
    raise Killed


def test_a_prune_that_is_killed_leaves_no_complete_environment(installed, monkeypatch):
    monkeypatch.setattr(shutil, "rmtree", killed)
    with pytest.raises(Killed):
        prune()
    assert not installed.is_complete


def test_a_new_installation_that_is_killed_leaves_no_complete_environment(installed, monkeypatch):
    stamp = installed.folder / "optguide-requirements"
    stamp.write_text("of other requirements")
    monkeypatch.setattr(shutil, "rmtree", killed)
    with pytest.raises(Killed):
        installed.create()
    assert not stamp.exists()


def test_what_another_process_has_removed_meanwhile_is_no_error(installed, monkeypatch):
    listed = releases()
    shutil.rmtree(installed.folder)
    monkeypatch.setattr(isolated, "releases", lambda: listed)
    assert prune() == listed


def test_a_file_that_is_moved_while_sizes_are_added_up_does_not_count(installed, monkeypatch):
    walk = os.walk

    def moving(folder):
        for parent, folders, files in walk(folder):
            if "package.py" in files:
                Path(parent, "package.py").unlink()
            yield parent, folders, files

    whole = releases()[installed.folder]
    monkeypatch.setattr(os, "walk", moving)
    assert releases() == {installed.folder: whole - len("text")}
