"""What a record says, and its form as JSON: finite numbers, plain evidence."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any

from optguide import format as fmt
from optguide.errors import ClaimError, RecordsError
from optguide.format import OPPOSITES, directed
from optguide.paths import build_dir, impersonal, shown
from optguide.stats.estimate import Estimate
from optguide.storage import decode_json

if TYPE_CHECKING:
    from optguide.stats.comparison import Comparison

SCHEMA = 1
"""Version of the JSON form. Raise it whenever an older reader would misunderstand a newer file."""

REBUILD = "Run `nox -s docs` to measure again."

_ID = re.compile(r"[a-z0-9_]+(\.[a-z0-9_]+)+")
_PATTERN = re.compile(r"[a-z0-9_*]+(\.[a-z0-9_*]+)+")


@dataclass(frozen=True)
class Result:
    """One measured quantity.

    :param value: the estimate, in ``unit``.
    :param low: lower end of the 95 % interval; equal to ``value`` for a deterministic quantity.
    :param high: upper end of the 95 % interval.
    :param unit: a unit of :class:`optguide.stats.estimate.Estimate`.
    :param n: number of samples or rounds behind the value.
    :param method: how value and interval were computed.
    :param label: name in tables.
    :param evidence: JSON that explains the value: the subject and its effective properties.
    :param above: the word for a ratio above one, such as ``"faster"``; see
        ``optguide.format.OPPOSITES``. Empty where the label alone says what is divided by what.
    """

    value: float
    low: float
    high: float
    unit: str
    n: int
    method: str = ""
    label: str = ""
    evidence: Mapping[str, Any] = field(default_factory=dict)
    above: str = ""

    @property
    def estimate(self) -> Estimate:
        """The quantity alone, for figures and tables."""
        return Estimate(self.value, self.low, self.high, self.unit, self.n, self.method)

    @property
    def text(self) -> str:
        """Value and interval as readers see them: a ratio with a direction says it."""
        return directed(self, self.above) if self.above else fmt.estimate(self)


@dataclass(frozen=True)
class Figure:
    """A figure of a record.

    :param alt: description for readers who do not see it.
    :param caption: text below it.
    :param light: file name of the SVG for light pages, beside the record.
    :param dark: file name of the SVG for dark pages, beside the record.
    """

    alt: str
    caption: str
    light: str
    dark: str


@dataclass(frozen=True)
class Table:
    """A table of a record; a cell is text or a result."""

    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str | Result, ...], ...]


@dataclass(frozen=True)
class Record:
    """Everything one run of one example found out.

    :param schema: version of the JSON form, :data:`SCHEMA`.
    :param example: ``chapter/name``.
    :param script: path of the example in the repository; empty where it ran from elsewhere.
    :param script_sha256: digest of the script that ran; empty where there was none, as in a notebook.
    :param profile: name of the budgets, see :mod:`optguide.guide.profiles`.
    :param build: identifier that all records of one build share.
    :param started: ISO 8601 time in UTC.
    :param finished: ISO 8601 time in UTC.
    :param machine: the machine, see :class:`optguide.machine.Machine`.
    :param machine_id: equal for two records only if one machine made both.
    :param results: identifier to result.
    :param unavailable: identifier or pattern to the reason why this machine cannot measure it; a pattern
        covers what is not in ``results``.
    :param figures: name to figure.
    :param tables: name to table.
    """

    schema: int
    example: str
    script: str
    script_sha256: str
    profile: str
    build: str
    started: str
    finished: str
    machine: Mapping[str, Any]
    machine_id: str
    results: Mapping[str, Result]
    unavailable: Mapping[str, str]
    figures: Mapping[str, Figure]
    tables: Mapping[str, Table]

    def gap(self, identifier: str) -> str | None:
        """The longest key of :attr:`unavailable` that covers ``identifier``; ``None`` without one."""
        if identifier in self.results:
            return None
        return max((key for key in self.unavailable if fnmatchcase(identifier, key)), key=len, default=None)


def check_id(identifier: str) -> str:
    """Return ``identifier`` if it is one."""
    if not _ID.fullmatch(identifier):
        raise ClaimError(
            f"{identifier!r} is no result identifier.",
            "Write two or more parts of a-z, 0-9 and _ with dots between: `resnet50.int8.latency.p50`.",
        )
    return identifier


def check_pattern(pattern: str) -> str:
    """Return ``pattern`` if it is an identifier, or one with ``*`` for some of its characters."""
    if not _PATTERN.fullmatch(pattern):
        raise ClaimError(
            f"{pattern!r} is no result identifier and no pattern of them.",
            "Write two or more parts of a-z, 0-9, _ and * with dots between: `resnet50.gpu.*`.",
        )
    return pattern


def decode(data: bytes, file: Path) -> Record:
    """The record in ``data``, which was read from ``file``."""
    return decode_json(data, Record, kind="record", file=file, schema=SCHEMA, remedy=REBUILD)


@dataclass(frozen=True)
class EvaluatedModel:
    """Evidence beside an accuracy.

    :param task: name of the test set, such as ``"digits"``; only models of one task are comparable.
    :param model: its file, in the build folder.
    :param precision: pinned inference precision; ``None`` is the device's own choice.
    :param original: whether the others of the task were made from it.
    """

    task: str
    model: Path
    precision: str | None = "f32"
    original: bool = False

    @property
    def evidence(self) -> dict[str, Any]:
        """For :meth:`optguide.records.Recording.add`."""
        return {"judged": asdict(self)}

    @classmethod
    def of(cls, result: Result) -> EvaluatedModel | None:
        """What was judged, with the model's place in this build; ``None`` where the example did not tell."""
        measured = result.evidence.get("judged")
        if measured is None:
            return None
        # Records show readers paths that begin with "build", wherever that folder is.
        return cls(**{**measured, "model": build_dir() / Path(measured["model"]).relative_to("build")})


def comparison_evidence(comparison: Comparison) -> dict[str, Any]:
    """What is kept beside a ratio: of which variants, what it took, and whether it can be trusted."""
    evidence = asdict(comparison)
    del evidence["ratio"], evidence["cpu_ratio"]
    return {key: value for key, value in evidence.items() if value not in (None, "", ())}


def result_of(
    estimate: Estimate,
    name: str,
    *,
    label: str = "",
    evidence: Mapping[str, Any] | None = None,
    above: str = "",
) -> Result:
    """The result called ``name`` that ``estimate`` gives.

    :raises RecordsError: a value that is no finite number, an interval whose ends are the wrong way round,
        evidence that JSON cannot hold, or a direction of what is no ratio.
    """
    value, low, high = float(estimate.value), float(estimate.low), float(estimate.high)
    if not all(map(math.isfinite, (value, low, high))):
        raise RecordsError(
            f"{name} is {value} ({low} to {high}), which is no finite number.",
            "Record it as unavailable with the reason, or measure longer.",
        )
    if low > high:
        raise RecordsError(
            f"The interval of {name} runs from {low} down to {high}.", "Give the lower end first."
        )
    if above and (above not in OPPOSITES or estimate.unit != "ratio" or low <= 0):
        raise RecordsError(
            f"{name} is {value} {estimate.unit} and cannot be called {above!r}.",
            f"Give a positive ratio, and one of {', '.join(OPPOSITES)}.",
        )
    plain_evidence = {key: plain(item, name) for key, item in (evidence or {}).items()}
    values = (value, low, high, estimate.unit, int(estimate.n), estimate.method)
    return Result(*values, label, plain_evidence, above)


def plain(value: Any, name: str) -> Any:
    """``value`` as JSON has it: tuples as lists, paths as readers should see them."""
    match value:
        case None | bool() | int():
            return value
        case float() if math.isfinite(value):
            return value
        case str():
            return shown(value) if PurePath(value).is_absolute() else impersonal(value)
        case PurePath():
            return shown(value)
        case Mapping():
            return {str(key): plain(item, name) for key, item in value.items()}
        case Sequence():
            return [plain(item, name) for item in value]
    raise RecordsError(
        f"The evidence of {name} holds {value!r}, which JSON cannot keep.",
        "Give text, finite numbers, lists and mappings.",
    )
