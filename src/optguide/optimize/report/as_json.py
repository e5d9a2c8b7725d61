"""``report.json``: the outcome as JSON and back, without loss.

JSON knows no infinity. An estimate whose interval has no end on one side is written with ``null`` there, and
that is read back as an open end; ``docs/reference/report.md`` describes every field.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import msgspec

from optguide.errors import RecordsError
from optguide.optimize.outcome import SCHEMA, Outcome

__all__ = ["decode", "encode"]

REMEDY = "Run `optguide optimize` again to write it anew."

_ESTIMATE = {"value", "low", "high", "unit"}
_OPEN = {"value": math.nan, "low": -math.inf, "high": math.inf}


class _Header(msgspec.Struct):
    schema: int


def encode(outcome: Outcome) -> bytes:
    """``outcome`` as indented JSON in UTF-8."""
    return msgspec.json.format(msgspec.json.encode(outcome), indent=1) + b"\n"


def decode(data: bytes, file: Path) -> Outcome:
    """The outcome in ``data``, which was read from ``file``.

    :raises RecordsError: corrupt data or another schema.
    """
    try:
        # Another schema may lack any other field, so the version is read alone first.
        schema = msgspec.json.decode(data, type=_Header).schema
        if schema == SCHEMA:
            return msgspec.convert(_opened(msgspec.json.decode(data)), Outcome)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise RecordsError(f"{file.name} is not a readable report: {error}.", REMEDY) from error
    raise RecordsError(
        f"{file.name} has schema {schema}, and this version of optguide reads schema {SCHEMA}.", REMEDY
    )


def _opened(value: Any) -> Any:
    """``value`` with the open ends of its estimates as infinities."""
    match value:
        case list():
            return [_opened(item) for item in value]
        case dict():
            found = {key: _opened(item) for key, item in value.items()}
            if found.keys() >= _ESTIMATE:
                found |= {key: end for key, end in _OPEN.items() if found[key] is None}
            return found
    return value
