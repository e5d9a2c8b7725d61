"""What a record says, and its form as JSON."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from optguide.errors import ClaimError, RecordsError

__all__ = ["SCHEMA", "Figure", "Record", "Result", "Table", "check_id", "decode", "encode"]

SCHEMA = 1
"""Version of the JSON form. Raise it whenever an older reader would misunderstand a newer file."""

REBUILD = "Run `nox -s docs` to measure again."

_ID = re.compile(r"[a-z0-9_]+(\.[a-z0-9_]+)+")


@dataclass(frozen=True)
class Result:
    """One measured quantity.

    :param value: the estimate, in ``unit``.
    :param low: lower end of the 95 % interval; equal to ``value`` for a deterministic quantity.
    :param high: upper end of the 95 % interval.
    :param unit: a unit of :class:`optguide.measuring.estimate.Estimate`.
    :param n: number of samples or rounds behind the value.
    :param method: how value and interval were computed.
    :param label: what tables call it.
    :param evidence: what was measured and under which effective properties, as JSON.
    """

    value: float
    low: float
    high: float
    unit: str
    n: int
    method: str = ""
    label: str = ""
    evidence: Mapping[str, Any] = field(default_factory=dict)


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
    :param profile: name of the budgets, see :mod:`optguide.profiles`.
    :param build: identifier that all records of one build share.
    :param started: ISO 8601 time in UTC.
    :param finished: ISO 8601 time in UTC.
    :param machine: the machine, see :class:`optguide.machine.Machine`.
    :param machine_id: equal for two records only if one machine made both.
    :param results: identifier to result.
    :param unavailable: identifier to the reason why it cannot be measured on this machine.
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


class _Header(msgspec.Struct):
    schema: int


def check_id(identifier: str) -> str:
    """Return ``identifier`` if it is one.

    :raises ClaimError: it is not made of lower-case parts with dots between them.
    """
    if not _ID.fullmatch(identifier):
        raise ClaimError(
            f"{identifier!r} is no result identifier.",
            "Write two or more parts of a-z, 0-9 and _ with dots between: `resnet50.int8.latency.p50`.",
        )
    return identifier


def encode(record: Record) -> bytes:
    """``record`` as indented JSON."""
    return msgspec.json.format(msgspec.json.encode(record), indent=1)


def decode(data: bytes, file: Path) -> Record:
    """The record in ``data``, which was read from ``file``.

    :raises RecordsError: corrupt data or another schema.
    """
    try:
        # Another schema may lack any other field, so the version is read alone first.
        schema = msgspec.json.decode(data, type=_Header).schema
        if schema == SCHEMA:
            return msgspec.json.decode(data, type=Record)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise RecordsError(f"{file} is not a readable record: {error}.", REBUILD) from error
    raise RecordsError(
        f"{file} has records of schema {schema}, and this version of optguide reads schema {SCHEMA}.", REBUILD
    )
