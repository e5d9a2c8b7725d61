"""One measurement at a time on a machine, whoever started it.

The lock is the operating system's on an open file, so it ends with the process that holds it, however
that process ends. Who holds it is written beside it for messages only; nothing is decided by that file.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import filelock
import msgspec
import psutil

from optguide.errors import Busy, StorageError
from optguide.storage import atomic_file, storage_errors

VARIABLE = "OPTGUIDE_MEASURES_FOR"
"""Names the process that holds the lock, for those that it starts to measure on its behalf."""

REMEDY = "It holds the lock of measurements: free some space or let its owner remove it, then start again."


@dataclass(frozen=True)
class Holder:
    """Who holds the lock.

    :param since: when it got the lock, with time zone.
    """

    pid: int
    purpose: str
    since: datetime


@contextlib.contextmanager
def measuring_lock(purpose: str, wait: float = 0.0, *, lend: bool = False) -> Iterator[None]:
    """Hold this machine for a measurement.

    Use inside a block of the same process that already holds the lock is free. Processes exclude each
    other across users and checkouts where they share the folder for temporary files.

    :param purpose: the purpose, for the message another process gets; a command line reads well.
    :param wait: seconds to wait for a measurement that is running.
    :param lend: let processes that are started meanwhile measure too; they must not do so at the same time.
    :raises Busy: another process still measures after ``wait`` seconds.
    :raises StorageError: the lock cannot be written.
    """
    if _lent():
        yield
        return
    folder = _folder()
    try:
        with storage_errors(folder, REMEDY):
            _create(folder)
            # Only one lock object per process and file (singleton, all threads) makes nested use free.
            lock = filelock.FileLock(folder / "lock", mode=0o666, thread_local=False, is_singleton=True)
            nested = lock.is_locked
            lock.acquire(timeout=max(0.0, wait), poll_interval=0.05)
    except filelock.Timeout:
        raise _busy() from None
    try:
        if nested:
            yield
        else:
            with _announced(folder, purpose, lend=lend):
                yield
    finally:
        lock.release()


def holder() -> Holder | None:
    """Who measures on this machine now, this process included; ``None`` when nobody does."""
    try:
        note = msgspec.json.decode((_folder() / "holder.json").read_bytes(), type=Holder)
        started = datetime.fromtimestamp(psutil.Process(note.pid).create_time(), UTC)
    except (OSError, msgspec.DecodeError, psutil.Error):
        return None
    # A killed process leaves its note behind, and its number may have gone to a process started later.
    return note if started <= note.since + timedelta(seconds=1) else None


def _lent() -> bool:
    """Whether a process that holds the lock has started this one, or one that did, and lends it."""
    lender = os.environ.get(VARIABLE, "")
    return lender.isdecimal() and int(lender) in {parent.pid for parent in psutil.Process().parents()}


def _folder() -> Path:
    """A folder of its own: in the shared one its sticky bit would keep a second user from the lock file."""
    try:
        return Path(tempfile.gettempdir()) / "optguide-measuring"
    except FileNotFoundError as error:  # Python tried to write in every place it knows
        raise StorageError(
            "No folder for temporary files can be written.",
            "Free some space, or name a writable folder in the environment variable TMPDIR.",
        ) from error


def _create(folder: Path) -> None:
    with contextlib.suppress(FileExistsError):
        folder.mkdir()
        # Every user has to reach the lock, whatever the umask of the first. Only for a folder made here: one
        # that is found in a shared place may be somebody's link to another.
        folder.chmod(0o777)


@contextlib.contextmanager
def _announced(folder: Path, purpose: str, *, lend: bool) -> Iterator[None]:
    note = folder / "holder.json"
    # Readable for every user, so that the message another one gets can name it.
    with atomic_file(note, mode=0o644, remedy=REMEDY) as file:
        file.write(msgspec.json.encode(Holder(os.getpid(), purpose, datetime.now(UTC))))
    if lend:
        os.environ[VARIABLE] = str(os.getpid())
    try:
        yield
    finally:
        if lend:
            del os.environ[VARIABLE]
        with contextlib.suppress(OSError):
            note.unlink()


def _busy() -> Busy:
    details = ""
    if current := holder():
        since = current.since.astimezone()
        same_day = since.date() == datetime.now(UTC).astimezone().date()
        moment = since.strftime("%H:%M" if same_day else "%Y-%m-%d %H:%M")
        details = f" (process {current.pid}, since {moment}: {current.purpose})"
    return Busy(
        f"Another measurement is running{details}.",
        "Wait for it to end, or pass --wait 10m to start when it has ended.",
    )
