"""Isolated environments: packages that cannot share one interpreter with the guide's own.

Each is a virtual environment under ``build/envs/<name>`` with the exact versions of
``conf/requirements/<name>.txt``. A variant is measured there through its ``interpreter``.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from optguide.errors import EnvironmentMissing, Failure, OptGuideError, OptionError
from optguide.isolated import IsolatedEnvironment
from optguide.paths import build_dir, impersonal, repository, shown

__all__ = ["NAMES", "environment", "python_of", "run"]

NAMES = ("tensorflow", "openvino-older", "openvino-2025", "pot")

_REMEDY = "Run: nox -s environments"

_NEWEST_PYTHON = {"pot": (3, 11)}
"""The newest Python that the locked releases have wheels for, where that is not every supported one.

POT was last shipped with OpenVINO 2023.3, which ends at Python 3.11 as does the release of scipy it needs.
"""


def environment(name: str) -> IsolatedEnvironment:
    """The environment ``name``, installed or not.

    :raises EnvironmentMissing: it cannot be created with this Python.
    :raises OptionError: no environment has this name.
    """
    if name not in NAMES:
        raise OptionError(f"No isolated environment is called {name!r}.", f"Use one of: {', '.join(NAMES)}.")
    title = f"The isolated environment {name}"
    newest = _NEWEST_PYTHON.get(name)
    if newest and sys.version_info[:2] > newest:
        major, minor = sys.version_info[:2]
        raise EnvironmentMissing(
            f"The releases in the isolated environment {name} have no wheel for Python {major}.{minor}.",
            f"Run the guide with Python {newest[0]}.{newest[1]} to have it.",
        )
    requirements = _requirements(name).read_text("utf-8")
    folder = build_dir() / "envs" / name
    return IsolatedEnvironment(title, folder, requirements, f"{_REMEDY} -- {name}")


def python_of(name: str) -> Path:
    """The interpreter of the environment ``name``.

    Raises what :func:`environment` and :meth:`~optguide.isolated.IsolatedEnvironment.python` raise.
    """
    return environment(name).python()


def run(name: str, script: Path, *arguments: str | os.PathLike[str], timeout: float = 600) -> str:
    """Run ``script`` in the environment ``name`` and return what it printed.

    :param timeout: seconds after which it is ended.
    :raises EnvironmentMissing: as :func:`python_of`.
    :raises Failure: the environment is broken, the script failed, or it took longer than ``timeout``;
        ``detail`` has its output.
    """
    place = environment(name)
    remedy = f"Delete {shown(place.folder)} and run: nox -s environments -- {name}"
    # Isolated from this process too: PYTHONPATH and packages in the home folder would come first.
    command = [place.python(), "-I", script, *arguments]
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


def _last_line(output: str) -> str:
    return (output.strip().splitlines() or ["no message"])[-1]


def _requirements(name: str) -> Path:
    root = repository(Path(__file__)) or repository()
    if root is None:
        raise EnvironmentMissing(
            f"The requirements of the isolated environment {name} are only in the guide's repository.",
            "Run it from a checkout of the repository.",
        )
    return root / "conf" / "requirements" / f"{name}.txt"


def main(arguments: Sequence[str]) -> int:
    """Create the named environments, all without a name; the exit status is that of the last failure."""
    status = 0
    for name in arguments or NAMES:
        try:
            print(f"{name}: {environment(name).create()}")
        except OptGuideError as error:
            print(error, file=sys.stderr)
            status = error.exit_status
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
