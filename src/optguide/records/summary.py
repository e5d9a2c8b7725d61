"""A record as plain text, for terminals and for the gallery's output blocks."""

from __future__ import annotations

from optguide import format as fmt
from optguide.records.model import Record

__all__ = ["text"]


def text(record: Record) -> str:
    """The results of ``record`` as an aligned table, then what could not be measured."""
    rows = [("", "estimate (95 % interval)", "samples")]
    rows += [
        (result.label or key, fmt.estimate(result), str(result.n)) for key, result in record.results.items()
    ]
    first, second = (max(len(row[column]) for row in rows) for column in (0, 1))
    lines = [f"{label:<{first}}  {value:<{second}}  {n}".rstrip() for label, value, n in rows]
    lines += [f"{key}: not measurable here: {reason}" for key, reason in record.unavailable.items()]
    return "\n".join(lines)
