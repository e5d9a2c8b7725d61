"""Virtual environments for packages that cannot share one interpreter with the ones of this process."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import platformdirs
from filelock import FileLock

from optguide.errors import EnvironmentMissing, OptionError
from optguide.paths import impersonal
from optguide.storage import storage_errors

RELEASES = platformdirs.user_cache_path("optguide") / "releases"
"""Where environments of releases are kept, for all projects of a user."""

_WHOLE = 2
"""Dots in a version that is complete."""

_STAMP = "optguide-requirements"
"""File that vouches for an environment: written last, and removed first."""

_OFFERED = 12
"""Versions that an error lists."""


@dataclass(frozen=True)
class IsolatedEnvironment:
    """A virtual environment with given requirements, in which a variant runs through its ``interpreter``.

    :param title: for messages: ``"The isolated environment pot"``.
    :param folder: where it is or will be.
    :param requirements: text of a requirements file of pip.
    :param remedy: what to do where it is missing or could not be made.
    :param module: imported once after installing. That compiles it, so that no measured start does, and shows
        that it runs here. Empty: nothing is imported.
    """

    title: str
    folder: Path
    requirements: str
    remedy: str = ""
    module: str = ""

    @property
    def identity(self) -> str:
        """What it is made from, as text: its requirements and the version of Python."""
        digest = hashlib.sha256(self.requirements.encode()).hexdigest()
        return f"{digest} python {sys.version_info.major}.{sys.version_info.minor}\n"

    @property
    def is_complete(self) -> bool:
        """Whether it was installed to its end, from these requirements."""
        stamp = self._stamp
        return stamp.is_file() and stamp.read_text("utf-8") == self.identity and self._interpreter.exists()

    def python(self) -> Path:
        """Its interpreter.

        :raises EnvironmentMissing: it was not created, or not completely, or for other requirements.
        """
        if not self.is_complete:
            why = f": {self._failure.read_text('utf-8')}" if self._failure.is_file() else ""
            raise EnvironmentMissing(f"{self.title} is not installed{why}.", self.remedy)
        return self._interpreter

    def create(self) -> Path:
        """Create it where it is missing or outdated, and return its interpreter.

        A second process waits for the first. Needs pip's index.

        :raises EnvironmentMissing: pip or venv failed; ``detail`` has their output.
        :raises StorageError: a full disk or a folder that cannot be written.
        """
        with storage_errors(self.folder.parent):
            self.folder.parent.mkdir(parents=True, exist_ok=True)
            with FileLock(self.folder.with_name(f".{self.folder.name}.lock")):
                if not self.is_complete:
                    # It cannot be renamed into place: the stamp, written last, vouches for it.
                    self._stamp.unlink(missing_ok=True)
                    shutil.rmtree(self.folder, ignore_errors=True)
                    self._failure.unlink(missing_ok=True)
                    self._install()
                    self._stamp.write_text(self.identity, encoding="utf-8")
        return self._interpreter

    def _install(self) -> None:
        listed = self.folder.with_name(f".{self.folder.name}.txt")
        listed.write_text(self.requirements, encoding="utf-8")
        # Debian ships the part of venv that installs pip as a package of its own, so this interpreter's pip
        # works on the new environment from outside.
        pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "--no-input"]
        install = [*pip, "--python", str(self._interpreter), "install", "-r", str(listed)]
        commands = [
            [sys.executable, "-m", "venv", "--without-pip", str(self.folder)],
            # Compiling all modules takes as long as unpacking them; those that are used are compiled then.
            [*install, "--no-compile"],
        ]
        if self.module:
            commands.append([str(self._interpreter), "-I", "-c", f"import numpy, {self.module}"])
        for command in commands:
            done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
            if done.returncode:
                output = done.stdout + done.stderr
                why, remedy = _explained(output)
                self._failure.write_text(why, encoding="utf-8")
                message = f"{self.title} could not be installed: {why}."
                raise EnvironmentMissing(message, f"{remedy} {self.remedy}".strip(), detail=output)

    @property
    def _interpreter(self) -> Path:
        return self.folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")

    @property
    def _failure(self) -> Path:
        """Why the last installation failed, as text; no file where there was none or it succeeded."""
        return self.folder.with_name(f".{self.folder.name}.failed")

    @property
    def _stamp(self) -> Path:
        return self.folder / _STAMP


def release(package: str, version: str) -> IsolatedEnvironment:
    """The environment in which a release of ``package`` runs; all projects of a user share it.

    :param version: as PyPI has it. A shorter one, such as ``2025.4``, stands for the newest that begins so,
        one with letters, such as ``2025.4rc1``, for itself.
    :raises OptionError: ``version`` is none.
    """
    if not re.fullmatch(r"\d+(\.\d+)*(\.?(a|b|rc|dev|post)\d+)?", version):
        raise OptionError(
            f"{package}={version} names no release.", f"Write its version, such as {package}=1.2."
        )
    is_exact = version.count(".") >= _WHOLE or re.search("[a-z]", version)
    exact = version if is_exact else f"{version}.*"
    python = f"py{sys.version_info.major}.{sys.version_info.minor}"
    return IsolatedEnvironment(
        f"Release {version} of {package}",
        RELEASES / f"{package}-{version}-{python}",
        f"{package}=={exact}\nnumpy\n",
        module=package.replace("-", "_"),
    )


def releases() -> dict[Path, int]:
    """The folders of releases that were installed, or begun, with their sizes in bytes."""
    if not RELEASES.is_dir():
        return {}
    return {folder: _size(folder) for folder in sorted(RELEASES.iterdir()) if folder.is_dir()}


def _size(folder: Path) -> int:
    """Bytes of all files; those that pip moves or removes meanwhile are left out."""
    size = 0
    for parent, _, files in os.walk(folder):
        for name in files:
            with suppress(FileNotFoundError):
                size += Path(parent, name).lstat().st_size
    return size


def prune() -> dict[Path, int]:
    """Remove all releases and return what :func:`releases` had; one that is being installed is waited for.

    :raises StorageError: a folder that cannot be removed.
    """
    folders = releases()
    with storage_errors(RELEASES):
        for folder in folders:
            with FileLock(folder.with_name(f".{folder.name}.lock")):
                if folder.exists():  # another process may have removed it meanwhile
                    (folder / _STAMP).unlink(missing_ok=True)
                    shutil.rmtree(folder)
    return folders


def _explained(output: str) -> tuple[str, str]:
    """Why pip or the new interpreter failed, as a clause, and what to do."""
    # Of an index that is down, pip's last line says that it has no such version.
    if "connection broken" in output:
        return "pip's index cannot be reached", "Check the connection to pip's index, then repeat."
    if re.search(r"No module named pip$", output, re.MULTILINE):
        return "this Python has no pip", "Run python -m ensurepip, then repeat."
    offered = re.search(r"satisfies the requirement \S+ \(from versions: (.*?)\)", output)
    versions = [name for name in offered[1].split(", ") if "dev" not in name] if offered else []
    if versions and versions != ["none"]:
        python = f"Python {sys.version_info.major}.{sys.version_info.minor}"
        return (
            f"pip's index has no such version for {python}",
            f"The newest that it has are {', '.join(versions[-_OFFERED:])}.",
        )
    last = (output.strip().splitlines() or ["no message"])[-1]
    return impersonal(last).rstrip("."), "Check the connection to pip's index, then repeat."
