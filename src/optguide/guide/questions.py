"""What the sessions of an example are asked: the claims that look at its results.

Which ratio an identifier stands for is known from the example's last record. A session then ends once its
claims are decided, and leaves the rest of its time to those that are still open. Without such a record, as in
the first build, every session takes its own budget.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from optguide import claims
from optguide.bench.result import QUANTITIES, SessionResult
from optguide.claims import Condition
from optguide.errors import OptGuideError, RecordsError
from optguide.paths import build_dir, records_dir
from optguide.records import Record
from optguide.records.model import decode
from optguide.records.recording import BUILD_VARIABLE
from optguide.storage import decode_json, encode_json, write_file

_SCHEMA = 1


@dataclass(frozen=True)
class Question:
    """A condition of a claim on the ratio of two variants."""

    condition: Condition
    a: str
    b: str
    quantity: str

    def is_asked(self, session: SessionResult) -> bool:
        """Whether it is about a session, in which both variants took part and neither failed."""
        return self.quantity in QUANTITIES and {self.a, self.b} <= session.series.keys()

    def is_decided(self, session: SessionResult) -> bool:
        """Whether the session answers it, or the two sides cannot differ."""
        try:
            comparison = session.compare(self.a, self.b, self.quantity)
        except OptGuideError:
            return False
        return bool(comparison.same) or claims.judge(self.condition, comparison.ratio) != "open"


@dataclass(frozen=True)
class Savings:
    """Seconds that sessions of a build have not needed, as the file beside its records keeps them.

    :param build: identifier of the build; those of another one count for nothing.
    """

    schema: int
    build: str
    seconds: float


@dataclass(frozen=True)
class ClaimedQuestions:
    """The questions of one example, for :class:`optguide.bench.session.Budget`."""

    asked: tuple[Question, ...]

    def decided(self, session: SessionResult) -> bool | None:
        """Whether the session has answered all that it was asked; ``None`` where that is nothing."""
        relevant = [question for question in self.asked if question.is_asked(session)]
        return all(question.is_decided(session) for question in relevant) if relevant else None

    def save(self, seconds: float) -> None:
        """Leave unused seconds to other sessions of this build."""
        self._keep(self._saved() + seconds)

    def draw(self, seconds: float) -> bool:
        """Take so many of the seconds that others have left; false where there are fewer."""
        saved = self._saved()
        if saved < seconds:
            return False
        self._keep(saved - seconds)
        return True

    def _saved(self) -> float:
        try:
            savings = decode_json(
                _file().read_bytes(), Savings, kind="file of savings", file=_file(), schema=_SCHEMA, remedy=""
            )
        except (OSError, RecordsError):  # a broken file costs saved time, nothing else
            return 0.0
        return savings.seconds if savings.build == os.environ.get(BUILD_VARIABLE) else 0.0

    def _keep(self, seconds: float) -> None:
        build = os.environ.get(BUILD_VARIABLE)
        if build:  # a script that runs alone has nobody to leave time to
            _file().parent.mkdir(parents=True, exist_ok=True)
            write_file(_file(), encode_json(Savings(_SCHEMA, build, seconds)))


def questions(script: str) -> ClaimedQuestions | None:
    """What claims ask of the example in ``script``; ``None`` where its results are not known yet.

    :param script: its path in the repository, such as ``examples/measure/plot_frameworks.py``.
    """
    path = Path(script)
    example = f"{path.parent.name}/{path.stem.removeprefix('plot_')}"
    record = next(_records(example), None)
    asked = tuple(_of(record)) if record else ()
    return ClaimedQuestions(asked) if asked else None


def _file() -> Path:
    return records_dir() / "savings.json"  # not in a chapter's folder, where records are


def _records(example: str) -> Iterator[Record]:
    """The example's own record, or the one that a build has put aside."""
    for folder in (records_dir(), records_dir(build_dir() / "previous")):
        file = folder / f"{example}.json"
        try:
            yield decode(file.read_bytes(), file)
        except (OSError, RecordsError):
            continue


def _of(record: Record) -> Iterator[Question]:
    for claim in claims.load():
        for condition in claim.conditions:
            result = record.results.get(condition.result)
            evidence = result.evidence if result else {}
            if {"a", "b", "quantity"} <= evidence.keys():
                yield Question(condition, evidence["a"], evidence["b"], evidence["quantity"])
