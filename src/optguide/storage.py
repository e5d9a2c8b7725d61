"""Putting a record and its figures on disk so that a reader sees the old ones or the new ones.

The record names its figures, and figures are named after their content, so old and new ones exist side by
side. Everything is written into a hidden folder beside the destination and forced to disk; the figures move
to their final names, which nobody reads yet; replacing the JSON file is the one step that switches. Figures
that the new record does not name go last. A process that is killed leaves at most a hidden folder and unnamed
figures, which the next publication of the same example clears away.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock

from optguide.errors import StorageError

__all__ = ["replace_record", "storage_errors"]


def replace_record(target: Path, record: bytes, figures: Mapping[str, bytes]) -> None:
    """Write ``record`` to ``target`` and ``figures`` (file name to content) beside it, all or nothing.

    :param figures: names begin with the stem of ``target`` and a dot, and differ where the content does.
    :raises StorageError: a full disk or a folder that cannot be written; what was there is untouched.
    """
    folder, stem = target.parent, target.stem
    with storage_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        # Clearing away is only safe while no other process publishes the same example.
        with FileLock(folder / f".{stem}.lock"):
            _clear(folder, f".{stem}.staged-*")
            staged = Path(tempfile.mkdtemp(prefix=f".{stem}.staged-", dir=folder))
            try:
                for name, content in (*figures.items(), (target.name, record)):
                    _write(staged / name, content)
                for name in figures:
                    (staged / name).replace(folder / name)
                _sync_folder(folder)
                (staged / target.name).replace(target)
            finally:
                shutil.rmtree(staged, ignore_errors=True)
            # The switch is made. Old figures stay if it cannot be made durable: a crash may still undo it.
            with suppress(OSError):
                _sync_folder(folder)
                _clear(folder, f"{stem}.*.svg", keep=figures)


@contextmanager
def storage_errors(folder: Path) -> Iterator[None]:
    """Turn an operating system's error below into a :class:`StorageError` about ``folder``."""
    try:
        yield
    except OSError as error:
        raise StorageError(
            f"{folder} cannot be written: {error.strerror or error}.",
            "Free some space or make the folder writable and run again; what was there is unchanged.",
        ) from error


def _write(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    """Force the renames in ``folder`` to disk; Windows has no such call and does not need it."""
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _clear(folder: Path, pattern: str, keep: Mapping[str, bytes] | None = None) -> None:
    for path in folder.glob(pattern):
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        elif path.name not in (keep or {}):
            path.unlink(missing_ok=True)
