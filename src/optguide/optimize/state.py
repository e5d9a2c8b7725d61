"""The state of a run on disk, after every step, and whether a run can go on from it.

A run's folder holds the report; its folder ``run`` holds models, inputs and outputs. The one file that says
what has been done is ``run/state.json``. It is replaced in one step whenever something is known, so a run
that was interrupted, killed or switched off goes on where it was, as long as model, data and metric are what
they were.
"""

from __future__ import annotations

import hashlib
import os
import shlex
import shutil
import sys
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from optguide.errors import InputError, ModelError, OptGuideError, OptionError, RecordsError
from optguide.optimize.candidate import Settings
from optguide.optimize.outcome import SCHEMA, State
from optguide.references import is_reference, split
from optguide.storage import decode_json, encode_json, storage_errors, write_file

_FOLDER, _FILE = "run", "state.json"


class Store:
    """The state of one run and the folder it is kept in.

    :ivar folder: of the run: the reader's ``--out``.
    :ivar work: ``folder/run``, for models, inputs and outputs.
    """

    def __init__(self, folder: Path, state: State) -> None:
        self.folder = folder
        self.work = folder / _FOLDER
        self.state = state

    @classmethod
    def begin(cls, folder: Path, state: State) -> Store:
        """Start a run in a folder that is new or empty."""
        check_new(folder)
        store = cls(folder, state)
        with storage_errors(folder):
            store.work.mkdir(parents=True, exist_ok=True)
        store.update(state)
        return store

    @classmethod
    def reopen(cls, folder: Path) -> Store:
        """Go on with a run."""
        file = folder / _FOLDER / _FILE
        try:
            content = file.read_bytes()
        except FileNotFoundError:
            raise OptionError(
                f"{folder} holds no run that could be resumed.",
                "Name the folder that --out named, or start a run without --resume.",
            ) from None
        except OSError as error:
            raise RecordsError(
                f"{file} cannot be read: {error.strerror or error}.", "Make it readable, or start a new run."
            ) from error
        remedy = "Continue with the version of optguide that wrote it, or start a new run in another folder."
        state = decode_json(
            content, State, kind="state of a run", file=file, schema=SCHEMA, remedy=remedy, nonfinite=True
        )
        return cls(folder, state)

    def update(self, state: State) -> None:
        """Put ``state`` in the place of the last one, and write it."""
        write_file(self.work / _FILE, encode_json(state, lossless=True))
        self.state = state

    def discard(self, *, folder: bool) -> None:
        """Take back a run that never got to anything, so that the next call finds all as it was.

        :param folder: whether the folder itself was made for the run.
        """
        shutil.rmtree(self.work, ignore_errors=True)
        if folder:
            with suppress(OSError):  # somebody has put something in it meanwhile
                self.folder.rmdir()


def now() -> str:
    """The time as reports write it, in UTC."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def check_new(folder: Path) -> None:
    """Refuse a folder in which a run would overwrite something, or mix with another one."""
    if not folder.exists() and not folder.is_symlink():
        return
    if not folder.is_dir():
        raise OptionError(f"{folder} is a file.", "Name a folder with --out.")
    if (folder / _FOLDER / _FILE).exists():
        raise OptionError(
            f"{folder} holds another run{_described(folder)}.",
            f"Continue that one with --resume {shlex.quote(str(folder))}, or name another folder with --out.",
        )
    if any(folder.iterdir()):
        raise OptionError(
            f"{folder} holds other files.", "Name a new or empty folder with --out; nothing is overwritten."
        )


def _described(folder: Path) -> str:
    try:
        state = Store.reopen(folder).state
    except OptGuideError:
        return ""
    return f", of {state.settings.model}, begun {state.started}"


def fingerprints(settings: Settings) -> Mapping[str, str]:
    """A short digest of each of ``model``, ``data`` and ``metric`` that names a file, a folder or code.

    Files count with their content, the weights beside an IR included; folders of samples with names, sizes
    and times, since they can be large; functions with the module file that holds them. What is none of these
    has an empty digest.
    """
    sources = {"model": settings.model, "data": settings.data, "metric": settings.metric}
    return {source: _digest(text) if text else "" for source, text in sources.items()}


def changed(settings: Settings, before: Mapping[str, str], place: str) -> OptGuideError | None:
    """Why a run cannot go on, where something is missing or different now; ``None`` where all is the same.

    :param before: :func:`fingerprints` at the beginning.
    :param place: folder in which the run began.
    """
    current = fingerprints(settings)
    for source, digest in before.items():
        if not digest or current.get(source) == digest:
            continue
        kind = {"model": ModelError, "data": InputError}.get(source, OptionError)
        name = getattr(settings, source)
        if not current.get(source):
            remedy = f"The run began in {place}; run there, or start a new run."
            return kind(f"The {source} of this run, {name}, is not here.", remedy)
        return kind(
            f"The {source} {name} has changed since this run began, so what was measured is not about it.",
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
        if path.is_file():
            with path.open("rb") as file:
                hashlib.file_digest(file, lambda: digest)
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
