"""Isolated environments, created from a requirements file that needs no index."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from optguide.errors import EnvironmentMissing, Failure, OptionError, StorageError
from optguide.guide import environments
from optguide.isolated import IsolatedEnvironment
from optguide.openvino_release import TELEMETRY_OFF
from optguide.paths import repository


def without_index(folder, patch):
    """Requirements that need no index, and a build folder of their own."""
    patch.setenv("OPTGUIDE_BUILD", str(folder / "build"))
    file = folder / "requirements.txt"
    file.write_text("# nothing to install\n")
    patch.setattr(environments, "_requirements", lambda name: file)
    return file


@pytest.fixture
def requirements(tmp_path, monkeypatch):
    return without_index(tmp_path, monkeypatch)


@pytest.fixture(scope="module")
def created(tmp_path_factory):
    """A folder in whose build an environment has been created."""
    folder = tmp_path_factory.mktemp("created")
    with pytest.MonkeyPatch.context() as patch:
        without_index(folder, patch)
        environments.environment("pot").create()
    return folder


@pytest.fixture
def python(created, monkeypatch):
    """Its interpreter; nothing may change it."""
    without_index(created, monkeypatch)
    return environments.python_of("pot")


def test_unknown_name_is_the_callers_mistake():
    with pytest.raises(OptionError, match="'flow'") as caught:
        environments.python_of("flow")
    assert "tensorflow" in caught.value.remedy


def test_missing_environment_names_the_session(requirements):
    with pytest.raises(EnvironmentMissing, match="tensorflow is not installed") as caught:
        environments.python_of("tensorflow")
    assert caught.value.remedy == "Run: nox -s environments -- tensorflow"


def test_created_once_and_again_when_the_requirements_change(requirements, monkeypatch):
    python = environments.environment("tensorflow").create()
    assert python == environments.python_of("tensorflow")
    code = "import sys; print(sys.prefix)"
    done = subprocess.run([python, "-c", code], capture_output=True, text=True, check=True)
    assert Path(done.stdout.strip()) == python.parent.parent

    marker = python.parent / "marker"
    marker.touch()
    environments.environment("tensorflow").create()
    assert marker.exists()

    requirements.write_text("# changed\n")
    with pytest.raises(EnvironmentMissing):
        environments.python_of("tensorflow")
    environments.environment("tensorflow").create()
    assert not marker.exists()
    assert environments.python_of("tensorflow") == python


def _script(tmp_path, code):
    script = tmp_path / "script.py"
    script.write_text(code)
    return script


def test_a_script_runs_inside_and_apart_from_this_process(python, tmp_path, monkeypatch):
    (tmp_path / "leftover.py").touch()
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    script = _script(
        tmp_path,
        "import importlib.util, sys\nprint(sys.prefix, sys.argv[1], importlib.util.find_spec('leftover'))",
    )
    prefix = python.parent.parent
    assert environments.run("pot", script, "job.json").split() == [str(prefix), "job.json", "None"]


@pytest.mark.usefixtures("python")
def test_a_script_that_fails_says_why_and_how_to_repair_the_environment(tmp_path):
    script = _script(tmp_path, "print('started')\nimport openvino.tools.pot")
    with pytest.raises(Failure, match="No module named 'openvino'") as caught:
        environments.run("pot", script)
    assert "nox -s environments -- pot" in caught.value.remedy
    assert "started" in caught.value.detail
    assert str(tmp_path) not in str(caught.value)


@pytest.mark.usefixtures("requirements")
def test_an_environment_whose_python_is_damaged_is_a_failure(created, tmp_path):
    shutil.copytree(created / "build", tmp_path / "build", symlinks=True)
    python = environments.python_of("pot")
    python.unlink()
    python.write_text("")
    with pytest.raises(Failure, match="cannot be started") as caught:
        environments.run("pot", _script(tmp_path, ""))
    assert "Delete" in caught.value.remedy


@pytest.mark.usefixtures("python")
def test_a_script_that_hangs_is_ended(tmp_path):
    with pytest.raises(Failure, match=r"did not end within 0\.5 s"):
        environments.run("pot", _script(tmp_path, "import time; time.sleep(60)"), timeout=0.5)


def test_failed_installation_is_not_taken_for_an_environment(requirements):
    requirements.write_text("./does-not-exist\n")
    with pytest.raises(EnvironmentMissing, match="could not be installed") as caught:
        environments.environment("openvino-older").create()
    assert "does-not-exist" in caught.value.detail
    with pytest.raises(EnvironmentMissing):
        environments.python_of("openvino-older")


def test_an_index_that_is_down_is_named_then_and_later(requirements, monkeypatch):
    monkeypatch.setenv("PIP_RETRIES", "1")
    requirements.write_text("--index-url http://127.0.0.1:9/simple\nnumpy==1.0\n")
    with pytest.raises(EnvironmentMissing, match="pip's index cannot be reached"):
        environments.environment("pot").create()
    with pytest.raises(EnvironmentMissing, match="pot is not installed: pip's index cannot be reached"):
        environments.python_of("pot")
    requirements.write_text("# nothing to install\n")
    assert environments.environment("pot").create() == environments.python_of("pot")


def test_full_disk_is_one_sentence(requirements, tmp_path, monkeypatch):
    def install(environment):
        environment.folder.mkdir()
        (environment.folder / "optguide-requirements").symlink_to("/dev/full")

    monkeypatch.setattr(IsolatedEnvironment, "_install", install)
    with pytest.raises(StorageError, match=r"envs cannot be written: No space left"):
        environments.environment("tensorflow").create()


def test_command_goes_on_after_a_failure(requirements, monkeypatch, capsys):
    def install(environment):
        raise EnvironmentMissing(f"No wheel for {environment.folder.name}.")

    monkeypatch.setattr(IsolatedEnvironment, "_install", install)
    assert environments.main([]) == 1
    assert capsys.readouterr().err == "".join(f"No wheel for {name}.\n" for name in environments.NAMES)


def test_command_reports_the_status(capsys):
    assert environments.main(["flow"]) == 2
    assert "No isolated environment is called 'flow'" in capsys.readouterr().err


@pytest.mark.parametrize("name", environments.NAMES)
def test_requirements_are_locked(name):
    root = repository(Path(__file__))
    assert root is not None
    lines = (root / "conf" / "requirements" / f"{name}.txt").read_text().splitlines()
    packages = [line for line in lines if line and not line.startswith("#")]
    assert packages
    assert all("==" in line for line in packages)


def test_python_that_is_too_new_is_named_before_anything_is_installed(requirements, monkeypatch):
    monkeypatch.setattr(environments, "_NEWEST_PYTHON", {"pot": (3, 9)})
    for ask in (environments.python_of, environments.environment):
        with pytest.raises(EnvironmentMissing, match=r"pot have no wheel for Python 3\.\d+") as caught:
            ask("pot")
        assert caught.value.remedy == "Run the guide with Python 3.9 to have it."
    assert not (requirements.parent / "build").exists()


IMPORTS = [
    ("tensorflow", "tensorflow"),
    ("openvino-older", "openvino"),
    ("openvino-2025", "openvino"),
    ("pot", "openvino.tools.pot"),
]


@pytest.mark.parametrize(("name", "module"), IMPORTS)
def test_real_environment_imports(name, module):
    try:
        python = environments.python_of(name)
    except EnvironmentMissing as missing:
        pytest.skip(str(missing))
    distribution = {"tensorflow": "tensorflow-cpu", "pot": "openvino-dev"}.get(name, "openvino")
    code = f"import {module}; from importlib.metadata import version; print(version({distribution!r}))"
    environment = os.environ | TELEMETRY_OFF
    done = subprocess.run(
        [python, "-I", "-c", code], capture_output=True, text=True, check=True, env=environment
    )
    expected = {
        "tensorflow": "2.21.0",
        "openvino-older": "2024.6.0",
        "openvino-2025": "2025.4.1",
        "pot": "2023.3.0",
    }
    assert done.stdout.split()[-1] == expected[name]
