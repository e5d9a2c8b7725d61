"""What a run has found out so far, on disk after every step.

A run's folder holds the report; its folder ``run`` holds what the report is made of. The one file that says
what has been done is ``run/state.json``. It is replaced in one step whenever something is known, so a run
that was interrupted, killed or switched off goes on where it was.
"""

from __future__ import annotations

import math
import os
import shlex
import shutil
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from optguide.claims import Verdict
from optguide.errors import OptGuideError, OptionError, RecordsError
from optguide.optimize.config import Settings
from optguide.optimize.outcome import Artifact, Ended, Layer, LoadSample, RaceRound, SubjectFacts
from optguide.stats.estimate import Estimate
from optguide.storage import storage_errors

__all__ = ["SCHEMA", "State", "Store", "check_new", "now"]

SCHEMA = 2
"""Version of the file. Raise it whenever an older state would be misunderstood."""

_FOLDER, _FILE = "run", "state.json"


@dataclass(frozen=True)
class State:
    """What a run has found out.

    :param place: folder in which paths and references of the settings hold.
    :param machine: facts of the machine, and ``machine_id``, which tells whether it is still the same.
    :param fingerprints: of model, data and metric, as they were when the run began.
    :param spent: seconds of the budget that are gone.
    :param subject: as :func:`optguide.optimize.model.source.encode` writes it; empty until it is read.
    :param facts: about model and data; ``None`` until both are read.
    :param rounds: the race; ``final`` is kept apart, since more rounds make a new one necessary.
    :param portrayed: candidates that ``load``, ``layers`` and ``first_inference`` are about.
    :param again: whether what there had been too little time for is to be made or judged once more.
    :param heard: verdicts on claims so far; ``verdicts`` are all of them, ``None`` until the last is known.
    :param ended: ``None`` while it runs, and where the process was killed.
    """

    schema: int
    version: str
    settings: Settings
    place: str
    machine: Mapping[str, Any]
    machine_id: str
    started: str
    fingerprints: Mapping[str, str]
    spent: float = 0.0
    subject: Mapping[str, Any] = field(default_factory=dict)
    facts: SubjectFacts | None = None
    again: bool = False
    artifacts: tuple[Artifact, ...] = ()
    rounds: tuple[RaceRound, ...] = ()
    confirmation: RaceRound | None = None
    profiled: tuple[str, ...] = ()
    load: Mapping[str, tuple[LoadSample, ...]] = field(default_factory=dict)
    layers: Mapping[str, tuple[Layer, ...]] = field(default_factory=dict)
    first_inference: Mapping[str, Estimate] = field(default_factory=dict)
    heard: tuple[Verdict, ...] = ()
    verdicts: tuple[Verdict, ...] | None = None
    warnings: tuple[str, ...] = ()
    ended: Ended | None = None


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
        """Start a run in a folder that is new or empty.

        :raises OptionError: there is something in it, or it is a file.
        :raises StorageError: it cannot be written.
        """
        check_new(folder)
        store = cls(folder, state)
        with storage_errors(folder):
            store.work.mkdir(parents=True, exist_ok=True)
        store._write()
        return store

    @classmethod
    def reopen(cls, folder: Path) -> Store:
        """Go on with a run.

        :raises OptionError: the folder holds none.
        :raises RecordsError: its state cannot be read, or another version wrote it.
        """
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
        return cls(folder, _decode(content, file))

    def update(self, **changes: Any) -> None:
        """Set fields of the state and write it.

        :raises StorageError: the disk is full or the folder cannot be written; the old state is still there.
        """
        self.state = replace(self.state, **changes)
        self._write()

    def discard(self, *, folder: bool) -> None:
        """Take back a run that never got to anything, so that the next call finds all as it was.

        :param folder: whether the folder itself was made for the run.
        """
        shutil.rmtree(self.work, ignore_errors=True)
        if folder:
            with suppress(OSError):  # somebody has put something in it meanwhile
                self.folder.rmdir()

    def _write(self) -> None:
        file = self.work / _FILE
        content = msgspec.json.format(msgspec.json.encode(_plain(msgspec.to_builtins(self.state))), indent=1)
        with storage_errors(self.folder):
            draft = file.with_suffix(".part")
            with draft.open("wb") as stream:
                stream.write(content)
                stream.flush()
                os.fsync(stream.fileno())
            draft.replace(file)


def now() -> str:
    """The time as reports write it, in UTC."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def check_new(folder: Path) -> None:
    """Refuse a folder in which a run would overwrite something, or mix with another one.

    :raises OptionError: it is a file, or not empty.
    """
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


def _decode(content: bytes, file: Path) -> State:
    try:
        raw = msgspec.json.decode(content)
        schema = raw.get("schema")
        if schema == SCHEMA:
            # Not strict: numbers that JSON does not have are written as text.
            return msgspec.convert(raw, State, strict=False)
    except (msgspec.DecodeError, AttributeError) as error:  # ValidationError is a DecodeError
        raise RecordsError(
            f"{file} is not a readable state of a run: {error}.", "Start a new run in another folder."
        ) from error
    raise RecordsError(
        f"{file} was written by another version of optguide (schema {schema}, this one reads {SCHEMA}).",
        f"Continue with optguide {raw.get('version', 'of that version')}, or start a new run.",
    )


def _plain(value: Any) -> Any:
    """``value`` with numbers that JSON does not have as text."""
    match value:
        case float() if not math.isfinite(value):
            return str(value)
        case dict():
            return {key: _plain(item) for key, item in value.items()}
        case list() | tuple():
            return [_plain(item) for item in value]
    return value
