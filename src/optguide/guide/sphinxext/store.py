"""The records as pages see them: read again only when a file has changed."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING

from optguide import records
from optguide.machine import Machine
from optguide.paths import records_dir

if TYPE_CHECKING:
    from optguide.records import Record, Records, Result

__all__ = ["Found", "GuideError", "find", "gallery_page", "load", "measuring_machine"]


class GuideError(SystemExit):
    """The guide cannot be built, for the reason in the message.

    Any other exception would make Sphinx print a report about a broken extension around that sentence.
    """


@dataclass(frozen=True)
class Found:
    """What there is about one identifier.

    :param id: the identifier.
    :param record: the record that holds it.
    :param result: the result; ``None`` where it could not be measured.
    :param reason: why it could not; empty where it could.
    """

    id: str
    record: Record
    result: Result | None
    reason: str


def load() -> Records:
    """All records, those of other builds and machines included: pages say so themselves.

    :raises RecordsError: a file that is corrupt or of another schema.
    """
    folder = records_dir()
    state = tuple(
        (str(path), path.stat().st_mtime_ns, path.stat().st_size) for path in sorted(folder.glob("*/*.json"))
    )
    return _load(str(folder), state)


@functools.lru_cache(maxsize=1)
def _load(_folder: str, _state: tuple[tuple[str, int, int], ...]) -> Records:
    return records.load(allow_mixed=True)


def find(id: str) -> Found:  # noqa: A002 - the word that pages use for it
    """Look up ``id``.

    :raises ClaimError: nobody recorded it.
    """
    loaded = load()
    record = loaded.record_of(id)
    reason = record.unavailable.get(id, "").rstrip(".")
    return Found(id, record, record.results.get(id), reason)


def gallery_page(example: str) -> str:
    """The page with the code and the evidence of ``example``."""
    chapter, name = example.split("/")
    return f"gallery/{chapter}/plot_{name}"


def measuring_machine() -> Machine:
    """The machine that measured last; without any record the build has stopped before a page was read."""
    newest = max(load().by_example.values(), key=lambda record: record.finished)
    return Machine.from_dict(newest.machine)
