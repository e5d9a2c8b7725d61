"""Files that are expensive to make, made once: ``build/models/<name>-<hash>/``.

The hash covers everything that shapes the files, so a changed builder or another version of a package leads
to a new folder and a path that exists is always current. A folder appears under its name only when it is
complete: it is built beside its place and renamed.
"""

from __future__ import annotations

import errno
import hashlib
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from filelock import FileLock

from optguide.errors import EnvironmentMissing, StorageError
from optguide.paths import build_dir
from optguide.workloads.quiet import no_telemetry, quietly

__all__ = ["Recipe", "ensure", "key", "version"]

_UNWRITABLE = {errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EROFS}


@dataclass(frozen=True)
class Recipe:
    """How one folder of files is made, and all that its content depends on.

    :param name: beginning of the folder's name.
    :param make: writes the files into the folder it is given.
    :param sources: Python files whose text decides the result, the builder's own first.
    :param packages: distributions whose version decides the result.
    :param ingredients: anything else that does: the seed, the key of another recipe, the checksum of a file.
    """

    name: str
    make: Callable[[Path], None]
    sources: tuple[Path, ...]
    packages: tuple[str, ...]
    ingredients: tuple[str, ...] = ()


def version(package: str) -> str:
    """The installed version of ``package``.

    :raises EnvironmentMissing: it is not installed.
    """
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        raise EnvironmentMissing(
            f"The package {package} is not installed.", 'Run: pip install "optguide[frameworks,models]"'
        ) from None


def key(recipe: Recipe) -> str:
    """Name of the recipe's folder.

    :raises EnvironmentMissing: a package of the recipe is not installed.
    """
    identity = {
        "sources": [source.read_text(encoding="utf-8") for source in recipe.sources],
        "packages": {package: version(package) for package in recipe.packages},
        "ingredients": recipe.ingredients,
    }
    digest = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()
    return f"{recipe.name}-{digest[:12]}"


def ensure(recipe: Recipe) -> Path:
    """The recipe's folder, built first where it does not exist yet.

    Another process that builds the same folder is waited for. Telemetry is off from here on.

    :raises EnvironmentMissing: a package of the recipe is not installed.
    :raises StorageError: the files cannot be written.
    """
    no_telemetry()
    models = build_dir() / "models"
    final = models / key(recipe)
    if final.is_dir():
        return final
    try:
        models.mkdir(parents=True, exist_ok=True)
        # The system drops the lock of a process that dies, so what is left at this name is a dead build.
        with FileLock(models / f".{final.name}.lock"):
            if not final.is_dir():
                _build(recipe, models / f".{final.name}.partial", final)
    except OSError as error:
        if error.errno not in _UNWRITABLE:
            raise
        raise StorageError(
            f"The folder {models} cannot be written: {error.strerror}.",
            "Free some space there, or set OPTGUIDE_BUILD to another folder.",
        ) from error
    return final


def _build(recipe: Recipe, partial: Path, final: Path) -> None:
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir()
    try:
        with quietly():
            recipe.make(partial)
        partial.rename(final)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
