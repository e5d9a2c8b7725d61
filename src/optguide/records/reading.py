"""All records of a build, read and looked up by identifier, and whether their scripts are still the same."""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import FrameType
from typing import Literal

from optguide.errors import ClaimError, RecordsError
from optguide.paths import records_dir, repository
from optguide.records.model import REBUILD, Record, Result, decode


def calling_script(frame: FrameType) -> tuple[str, str]:
    """Path in the repository and SHA-256 of the script that ``frame`` belongs to.

    Both are empty where there is no file, as in a notebook; outside of a repository the path is.
    """
    name = frame.f_globals.get("__file__")
    if not name or not Path(name).is_file():
        return "", ""
    script = Path(name).resolve()
    base = repository(script)
    return (script.relative_to(base).as_posix() if base else ""), _digest(script)


def script_change(record: Record) -> str:
    """What happened to the script since: a clause such as "changed afterwards", or nothing."""
    base = repository()
    if not base or not record.script:
        return ""
    script = base / record.script
    if not script.is_file():
        return "does not exist any more"
    return "" if _digest(script) == record.script_sha256 else "changed afterwards"


def _digest(script: Path) -> str:
    return hashlib.sha256(script.read_bytes()).hexdigest()


@dataclass(frozen=True)
class Records:
    """The records in one folder.

    :param folder: where they were read from.
    :param by_example: ``chapter/name`` to record.
    """

    folder: Path
    by_example: Mapping[str, Record]

    @cached_property
    def results(self) -> Mapping[str, Result]:
        """Every result by identifier."""
        return {key: result for record in self._all() for key, result in record.results.items()}

    @cached_property
    def unavailable(self) -> Mapping[str, str]:
        """Every identifier or pattern of what could not be measured, with the reason."""
        return {key: reason for record in self._all() for key, reason in record.unavailable.items()}

    def get(self, id: str) -> Result:  # noqa: A002 - the word that pages and claims use for it
        """The result called ``id``.

        :raises ClaimError: nobody recorded it, or it is unavailable; where that is to be shown, ask
            :meth:`Record.gap` first.
        """
        if id in self.results:
            return self.results[id]
        record = self.record_of(id)
        reason = record.unavailable[record.gap(id) or id]
        raise ClaimError(f"{id} is not measurable here: {reason.rstrip('.')}.")

    def record_of(self, id: str) -> Record:  # noqa: A002
        """The record that holds ``id``, measured or unavailable.

        :raises ClaimError: nobody recorded it.
        """
        record = self._owner(id)
        if record is not None:
            return record
        raise ClaimError(f"No example recorded {id!r}.", self._suggestion(id))

    def covers(self, id: str) -> bool:  # noqa: A002
        """Whether an example recorded ``id``, or why it cannot."""
        return self._owner(id) is not None

    def path_of(self, example: str) -> Path:
        """The JSON file of ``example``."""
        return self.folder / f"{example}.json"

    def figure_path(self, example: str, name: str, mode: Literal["light", "dark"]) -> Path:
        """The SVG file of a figure.

        :raises ClaimError: no such example or figure.
        :raises RecordsError: the record names the file, and it is gone.
        """
        record = self.by_example.get(example)
        figure = record.figures.get(name) if record else None
        if figure is None:
            raise ClaimError(
                f"No example {example!r} recorded a figure {name!r}.", "Look for a spelling mistake."
            )
        path = self.path_of(example).with_name(figure.light if mode == "light" else figure.dark)
        if not path.is_file():
            raise RecordsError(f"{path}, a figure of {example}, is missing.", REBUILD)
        return path

    def mixed(self) -> list[str]:
        """Sentences that name what does not belong with the newest record; empty for records of one build."""
        by_age = sorted(self._all(), key=lambda record: record.finished)
        return [sentence for record in by_age for sentence in _differences(record, by_age[-1])]

    def _owner(self, identifier: str) -> Record | None:
        fits = [record for record in self._all() if identifier in record.results]
        fits += [record for record in self._all() if record.gap(identifier) is not None]
        return fits[0] if fits else None

    def _all(self) -> tuple[Record, ...]:
        return tuple(self.by_example.values())

    def _suggestion(self, identifier: str) -> str:
        close = difflib.get_close_matches(identifier, [*self.results, *self.unavailable], n=3)
        return f"Did you mean {' or '.join(close)}?" if close else "Run the example that records it first."


def load(root: Path | None = None, *, allow_mixed: bool = False) -> Records:
    """Read every record of a build; none is an empty :class:`Records`.

    :param root: the build folder; :func:`optguide.paths.build_dir` by default.
    :param allow_mixed: accept records of several machines, which :meth:`Records.mixed` then names.
    :raises RecordsError: a corrupt file, another schema, an identifier in two records, or several machines.
    """
    folder = records_dir(root)
    records = [_read(file, folder) for file in sorted(folder.glob("*/*.json"))]
    by_example = {record.example: record for record in records}
    _refuse_shared_ids(records)
    if not allow_mixed:
        _refuse_machines(records)
    return Records(folder, by_example)


def _read(file: Path, folder: Path) -> Record:
    try:
        data = file.read_bytes()
    except OSError as error:
        raise RecordsError(f"{file} cannot be read: {error.strerror}.", REBUILD) from error
    record = decode(data, file)
    if record.example != file.relative_to(folder).with_suffix("").as_posix():
        raise RecordsError(f"{file} holds the record of {record.example}.", f"Remove the file. {REBUILD}")
    return record


def _refuse_shared_ids(records: Iterable[Record]) -> None:
    owner: dict[str, str] = {}
    for record in records:
        for key in (*record.results, *record.unavailable):
            other = owner.setdefault(key, record.example)
            if other != record.example:
                raise RecordsError(
                    f"{key} is recorded by {other} and by {record.example}.",
                    "Give every result its own identifier.",
                )


def _refuse_machines(records: Iterable[Record]) -> None:
    machines: dict[str, str] = {record.machine_id: record.example for record in records}
    if len(machines) > 1:
        raise RecordsError(
            f"The records of {' and '.join(machines.values())} were made on different machines.",
            f"Numbers of several machines cannot be compared. {REBUILD}",
        )


def _differences(record: Record, newest: Record) -> Iterator[str]:
    name, when = record.example, record.finished
    if record.machine_id != newest.machine_id:
        yield f"{name} was measured on another machine than {newest.example}."
    if record.build != newest.build:
        yield f"{name} was measured by an earlier build than {newest.example}, at {when}."
    if record.profile != newest.profile:
        profiles = f"{record.profile} profile, {newest.example} with {newest.profile}"
        yield f"{name} was measured with the {profiles}."
    if change := script_change(record):
        yield f"{name} was measured at {when}, and its script {record.script} {change}."


def text(record: Record) -> str:
    """The results of ``record`` as an aligned table, then what could not be measured."""
    rows = [("", "estimate (95 % interval)", "samples")]
    rows += [(result.label or key, result.text, str(result.n)) for key, result in record.results.items()]
    first, second = (max(len(row[column]) for row in rows) for column in (0, 1))
    lines = [f"{label:<{first}}  {value:<{second}}  {n}".rstrip() for label, value, n in rows]
    lines += [f"{key}: not measurable here: {reason}" for key, reason in record.unavailable.items()]
    return "\n".join(lines)
