"""Whether model, data and metric are still what they were when a run began."""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Mapping
from pathlib import Path

from optguide.errors import InputError, ModelError, OptGuideError, OptionError
from optguide.optimize.config import Settings
from optguide.references import is_reference, split

__all__ = ["changed", "fingerprints"]

_CHUNK = 1 << 20


def fingerprints(settings: Settings) -> Mapping[str, str]:
    """A short digest of each of ``model``, ``data`` and ``metric`` that names a file, a folder or code.

    Files count with their content, the weights beside an IR included; folders of samples with names, sizes
    and times, since they can be large; functions with the module file that holds them. What is none of these
    has an empty digest.
    """
    given = {"model": settings.model, "data": settings.data, "metric": settings.metric}
    return {what: _digest(text) if text else "" for what, text in given.items()}


def changed(settings: Settings, before: Mapping[str, str], place: str) -> OptGuideError | None:
    """Why a run cannot go on, where something is missing or different now; ``None`` where all is the same.

    :param before: :func:`fingerprints` at the beginning.
    :param place: folder in which the run began.
    """
    now = fingerprints(settings)
    for what, digest in before.items():
        if digest and now.get(what) != digest:
            kind = {"model": ModelError, "data": InputError}.get(what, OptionError)
            name = getattr(settings, what)
            if not now.get(what):
                remedy = f"The run began in {place}; run there, or start a new run."
                return kind(f"The {what} of this run, {name}, is not here.", remedy)
            return kind(
                f"The {what} {name} has changed since this run began, so what was measured is not about it.",
                "Bring the old one back, or start a new run in another folder.",
            )
    return None


def _digest(text: str) -> str:
    path = Path(text)
    try:
        if path.is_file():
            return _of_files([path, *_beside(path)])
        if path.is_dir():
            return _of_folder(path)
    except OSError:
        return ""
    module = _module_file(text)
    return _of_files([module]) if module else ""


def _beside(path: Path) -> list[Path]:
    """Files that hold the weights of an IR or of an ONNX model."""
    if path.suffix == ".xml":
        return [path.with_suffix(".bin")]
    return [path.with_name(path.name + end) for end in (".data", "_data")]


def _of_files(paths: list[Path]) -> str:
    digest = hashlib.sha256()
    for path in paths:
        if not path.is_file():
            continue
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                digest.update(chunk)
    return digest.hexdigest()[:16]


def _of_folder(folder: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            status = path.stat()
            line = f"{path.relative_to(folder).as_posix()}\0{status.st_size}\0{status.st_mtime_ns}\n"
            digest.update(line.encode(errors="surrogateescape"))
    return digest.hexdigest()[:16]


def _module_file(reference: str) -> Path | None:
    """The file of ``package.module:function``, found without importing anything."""
    if not is_reference(reference):
        return None
    parts = split(reference)[0].split(".")
    for folder in (*sys.path, os.getcwd()):  # noqa: PTH109 - beside strings
        base = Path(folder or ".", *parts)
        for file in (base / "__init__.py", base.with_name(base.name + ".py")):
            if file.is_file():
                return file
    return None
