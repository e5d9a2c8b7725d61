"""Isolated environments: packages that cannot share one interpreter with the guide's own.

Each is a virtual environment under ``build/envs/<name>`` with the exact versions of
``conf/requirements/<name>.txt``. A variant is measured there through its ``interpreter``.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from filelock import FileLock

from optguide.errors import EnvironmentMissing, Failure, OptGuideError, OptionError
from optguide.paths import build_dir, impersonal, repository, shown
from optguide.storage import storage_errors

__all__ = ["NAMES", "create", "identity", "python_of", "run"]

NAMES = ("tensorflow", "openvino-older", "pot")

_REMEDY = "Run: nox -s environments"

_NEWEST_PYTHON = {"pot": (3, 11)}
"""The newest Python that the locked releases have wheels for, where that is not every supported one.

POT was last shipped with OpenVINO 2023.3, which ends at Python 3.11 as does the release of scipy it needs.
"""


def python_of(name: str) -> Path:
    """The interpreter of the environment ``name``.

    :raises EnvironmentMissing: it was not created, or not completely, or for other requirements; or cannot be
        created with this Python.
    :raises OptionError: no environment has this name.
    """
    folder = _folder(name)
    _check_python(name)
    if not _is_current(folder, _stamp_text(name)):
        attempt = _attempt(folder)
        why = f": {attempt.read_text('utf-8')}" if attempt.is_file() else ""
        message = f"The isolated environment {name} is not installed{why}."
        raise EnvironmentMissing(message, f"{_REMEDY} -- {name}")
    return _python(folder)


def identity(name: str) -> str:
    """What the environment ``name`` was made from, as text that differs where its packages do.

    Raises what :func:`python_of` raises.
    """
    python_of(name)
    return _stamp_text(name)


def create(name: str) -> Path:
    """Create the environment ``name`` where it is missing or outdated, and return its interpreter.

    A second process waits for the first. Needs pip's index.

    :raises EnvironmentMissing: pip or venv failed, ``detail`` has their output; or this Python is too new.
    :raises OptionError: no environment has this name.
    :raises StorageError: a full disk or a folder that cannot be written.
    """
    folder, stamp = _folder(name), _stamp_text(name)
    _check_python(name)
    with storage_errors(folder.parent):
        folder.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(folder.with_name(f".{name}.lock")):
            if not _is_current(folder, stamp):
                # A virtual environment cannot be renamed into place: the stamp, written last, vouches for it.
                shutil.rmtree(folder, ignore_errors=True)
                _attempt(folder).unlink(missing_ok=True)
                _install(name, folder)
                _stamp(folder).write_text(stamp, encoding="utf-8")
    return _python(folder)


def run(name: str, script: Path, *arguments: str | os.PathLike[str], timeout: float = 600) -> str:
    """Run ``script`` in the environment ``name`` and return what it printed.

    :param timeout: seconds after which it is ended.
    :raises EnvironmentMissing: as :func:`python_of`.
    :raises Failure: the environment is broken, the script failed, or it took longer than ``timeout``;
        ``detail`` has its output.
    """
    remedy = f"Delete {shown(_folder(name))} and run: nox -s environments -- {name}"
    # Isolated from this process too: PYTHONPATH and packages in the home folder would come first.
    command = [python_of(name), "-I", script, *arguments]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, errors="replace", check=False, timeout=timeout
        )
    except subprocess.TimeoutExpired as error:
        raise Failure(
            f"{script.name} did not end within {timeout:g} s in the isolated environment {name}.",
            "Try again while the machine is idle.",
        ) from error
    except OSError as error:
        raise Failure(
            f"The isolated environment {name} cannot be started: {error.strerror}.", remedy
        ) from error
    if done.returncode:
        reason = impersonal(_last_line(done.stderr)).rstrip(".")
        raise Failure(
            f"{script.name} failed in the isolated environment {name}: {reason}.",
            f"If packages are missing there: {remedy[0].lower()}{remedy[1:]}",
            detail=done.stdout + done.stderr,
        )
    return done.stdout


def _install(name: str, folder: Path) -> None:
    # Debian ships the part of venv that installs pip as a package of its own, so this interpreter's pip works
    # on the new environment from outside.
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "--no-input"]
    requirements = str(_requirements(name))
    for command in (
        [sys.executable, "-m", "venv", "--without-pip", str(folder)],
        # Compiling all modules takes as long as unpacking them; those that are used are compiled then.
        [*pip, "--python", str(_python(folder)), *("install", "--no-compile", "--requirement"), requirements],
    ):
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
        if done.returncode:
            output = done.stdout + done.stderr
            # Of an index that is down, pip's last line says that it has no such version.
            is_down = "connection broken" in output
            why = "pip's index cannot be reached" if is_down else impersonal(_last_line(output)).rstrip(".")
            _attempt(folder).write_text(why, encoding="utf-8")
            raise EnvironmentMissing(
                f"The isolated environment {name} could not be installed: {why}.",
                f"Check the connection to pip's index, then repeat. {_REMEDY}",
                detail=output,
            )


def _last_line(output: str) -> str:
    return (output.strip().splitlines() or ["no message"])[-1]


def _check_python(name: str) -> None:
    newest = _NEWEST_PYTHON.get(name)
    if newest and sys.version_info[:2] > newest:
        major, minor = sys.version_info[:2]
        raise EnvironmentMissing(
            f"The releases in the isolated environment {name} have no wheel for Python {major}.{minor}.",
            f"Run the guide with Python {newest[0]}.{newest[1]} to have it.",
        )


def _folder(name: str) -> Path:
    if name not in NAMES:
        raise OptionError(f"No isolated environment is called {name!r}.", f"Use one of: {', '.join(NAMES)}.")
    return build_dir() / "envs" / name


def _requirements(name: str) -> Path:
    root = repository(Path(__file__)) or repository()
    if root is None:
        raise EnvironmentMissing(
            f"The requirements of the isolated environment {name} are only in the guide's repository.",
            "Run it from a checkout of the repository.",
        )
    return root / "conf" / "requirements" / f"{name}.txt"


def _stamp_text(name: str) -> str:
    """What an environment was made from: its requirements and the version of Python."""
    digest = hashlib.sha256(_requirements(name).read_bytes()).hexdigest()
    return f"{digest} python {sys.version_info.major}.{sys.version_info.minor}\n"


def _is_current(folder: Path, stamp: str) -> bool:
    path = _stamp(folder)
    return path.is_file() and path.read_text(encoding="utf-8") == stamp and _python(folder).exists()


def _attempt(folder: Path) -> Path:
    """Why the last installation failed, as text; no file where there was none or it succeeded."""
    return folder.with_name(f".{folder.name}.failed")


def _stamp(folder: Path) -> Path:
    return folder / "optguide-requirements"


def _python(folder: Path) -> Path:
    return folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")


def main(arguments: Sequence[str]) -> int:
    """Create the named environments, all without a name; the exit status is that of the last failure."""
    status = 0
    for name in arguments or NAMES:
        try:
            print(f"{name}: {create(name)}")
        except OptGuideError as error:
            print(error, file=sys.stderr)
            status = error.exit_status
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
