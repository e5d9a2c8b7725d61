"""Writing files and folders whole or not at all, and JSON that survives numbers that are not finite.

Everything that optguide keeps goes through here, so a full disk, a killed process and a NaN mean the same
everywhere:

- A file or folder is written as a draft beside its place and renamed. A reader sees the old one or the new
  one. A process that is killed leaves at most a hidden draft, which the next writer of that name clears away.
- :func:`storage_errors` decides which errors of the operating system are about storage and turns those into
  :class:`StorageError`.
- :func:`encode_json` and :func:`decode_json` decide what becomes of NaN and infinity.

Runtimes under foreign interpreters write inputs with this module, so it imports the standard library only;
the packages that single functions need are imported there.
"""

from __future__ import annotations

import errno
import math
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

from optguide.errors import RecordsError, StorageError

T = TypeVar("T")

REMEDY = "Free some space or make the folder writable and run again; what was there is unchanged."

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_UNWRITABLE = _FULL | {
    *(errno.EFBIG, errno.EIO, errno.ENOLCK),  # the file system's limits and failures
    *(errno.EACCES, errno.EPERM, errno.EROFS),
    *(errno.EEXIST, errno.EISDIR, errno.ELOOP, errno.ENAMETOOLONG, errno.ENOTDIR),  # something is in the way
}


def is_disk_full(error: BaseException) -> bool:
    """Whether ``error`` says that the disk, or the user's share of it, is full."""
    return isinstance(error, OSError) and error.errno in _FULL


@contextmanager
def storage_errors(folder: Path, remedy: str = REMEDY) -> Iterator[None]:
    """Turn the operating system's refusal to write in ``folder`` into a :class:`StorageError`.

    Other errors pass: what runs inside may read files of its own or start programs. That a file is missing
    counts only where the file lies below ``folder``, which somebody has removed meanwhile.
    """
    try:
        yield
    except OSError as error:
        missing = error.filename if isinstance(error.filename, str | os.PathLike) else ""
        removed = error.errno == errno.ENOENT and Path(missing).is_relative_to(folder)
        if error.errno not in _UNWRITABLE and not removed:
            raise
        raise StorageError(f"{folder} cannot be written: {error.strerror or error}.", remedy) from error


@contextmanager
def atomic_file(path: Path, *, mode: int | None = None, remedy: str = REMEDY) -> Iterator[BinaryIO]:
    """Open a draft that replaces ``path``, forced to disk, if the block ends without an exception.

    :param mode: permissions of the file; the user's default where ``None``.
    :raises StorageError: the disk is full or the folder cannot be written; ``path`` is unchanged.
    """
    draft = _draft(path)
    with storage_errors(path.parent, remedy):
        try:
            draft.unlink(missing_ok=True)
            # "x": in a folder that others can write, the name may have become a link to somewhere else.
            with draft.open("xb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            if mode is not None:
                draft.chmod(mode)
            draft.replace(path)
        finally:
            with suppress(OSError):
                draft.unlink()


def write_file(path: Path, content: bytes) -> Path:
    """Replace ``path`` by ``content`` in one step and return it; all else is as in :func:`atomic_file`."""
    with atomic_file(path) as file:
        file.write(content)
    return path


@contextmanager
def atomic_folder(path: Path, remedy: str = REMEDY) -> Iterator[Path]:
    """Make an empty draft folder that replaces ``path`` if the block ends without an exception.

    Its files are not forced to disk: folders hold what is expensive to make, not what cannot be made again.

    :raises StorageError: the disk is full or the folder cannot be written.
    """
    draft = _draft(path)
    with storage_errors(path.parent, remedy):
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(parents=True)
        try:
            yield draft
            shutil.rmtree(path, ignore_errors=True)
            draft.rename(path)
        finally:
            shutil.rmtree(draft, ignore_errors=True)


def replace_record(target: Path, record: bytes, figures: Mapping[str, bytes]) -> None:
    """Write ``record`` to ``target`` and ``figures`` (file name to content) beside it, all or nothing.

    The record names its figures, and figures are named after their content, so old and new ones exist side
    by side. The figures come first, under names that nobody reads yet; replacing the JSON file is the step
    that switches. Figures that the new record does not name go last.

    :param figures: names begin with the stem of ``target`` and a dot, and differ where the content does.
    :raises StorageError: the disk is full or the folder cannot be written; what was there is unchanged.
    """
    from filelock import FileLock

    folder, stem = target.parent, target.stem
    with storage_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        # Clearing away is only safe while no other process publishes the same example.
        with FileLock(folder / f".{stem}.lock"):
            _clear(folder.glob(f".{stem}.*.part"))
            for name, content in figures.items():
                write_file(folder / name, content)
            _sync_folder(folder)
            write_file(target, record)
            # The switch is made. Old figures stay if it cannot be made durable: a crash may still undo it.
            with suppress(OSError):
                _sync_folder(folder)
                _clear(file for file in folder.glob(f"{stem}.*.svg") if file.name not in figures)


def encode_json(value: Any, *, lossless: bool = False) -> bytes:
    """Indented JSON in UTF-8 of plain data: dataclasses, mappings, sequences, numbers, texts.

    JSON has neither NaN nor infinity.

    :param lossless: write them as the texts ``nan``, ``inf`` and ``-inf``, which :func:`decode_json` turns
        back into numbers. Otherwise they become ``null``, as readers of other languages expect.
    """
    import msgspec

    if lossless:
        value = _with_texts(msgspec.to_builtins(value))
    return msgspec.json.format(msgspec.json.encode(value, enc_hook=_plain), indent=1)


def decode_json(
    data: bytes,
    form: type[T],
    *,
    kind: str,
    file: str | Path,
    schema: int,
    remedy: str,
    nonfinite: bool = False,
) -> T:
    """Turn JSON that :func:`encode_json` wrote back into a ``form``.

    :param form: a dataclass with a field ``schema``.
    :param kind: the word for the content in messages, such as ``"record"``.
    :param file: where ``data`` comes from, for messages.
    :param schema: version of the form that this program reads.
    :param nonfinite: accept numbers that are not finite, whichever way they were written: in an estimate,
        ``null`` as an end of the interval is infinity, and ``null`` as the value is NaN.
    :raises RecordsError: the data is corrupt or of another schema.
    """
    import msgspec

    try:
        # Another schema may lack any other field, so the version is read alone first.
        version = msgspec.json.decode(data, type=_Versioned).schema
        if version == schema and not nonfinite:
            return msgspec.json.decode(data, type=form)
        if version == schema:
            # Not strict, because a number may be written as text.
            return msgspec.convert(_with_open_ends(msgspec.json.decode(data)), form, strict=False)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise RecordsError(f"{file} is not a readable {kind}: {error}.", remedy) from error
    raise RecordsError(
        f"{file} has schema {version}, and this version of optguide reads schema {schema}.", remedy
    )


@dataclass(frozen=True)
class _Versioned:
    schema: int


_OPEN = {"value": math.nan, "low": -math.inf, "high": math.inf}
_ESTIMATE = {*_OPEN, "unit"}


def _with_open_ends(value: Any) -> Any:
    match value:
        case list():
            return [_with_open_ends(item) for item in value]
        case dict():
            content = {key: _with_open_ends(item) for key, item in value.items()}
            if content.keys() >= _ESTIMATE:
                content |= {key: end for key, end in _OPEN.items() if content[key] is None}
            return content
    return value


def _with_texts(value: Any) -> Any:
    match value:
        case float() if not math.isfinite(value):
            return str(value)
        case dict():
            return {key: _with_texts(item) for key, item in value.items()}
        case list() | tuple():
            return [_with_texts(item) for item in value]
    return value


def _plain(value: Any) -> Any:
    """Data of types that msgspec does not know: read-only mappings, and numbers of NumPy."""
    match value:
        case Mapping():
            return dict(value)
        case float():
            return float(value)
    raise NotImplementedError(f"{value.__class__.__qualname__} is no plain data")


def _draft(path: Path) -> Path:
    return path.with_name(f".{path.name}.part")


def _sync_folder(folder: Path) -> None:
    """Force the renames in ``folder`` to disk; Windows has no such call and does not need it."""
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _clear(files: Iterable[Path]) -> None:
    for file in files:
        file.unlink(missing_ok=True)
