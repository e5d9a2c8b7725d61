"""Claims and their verdicts as a table, wherever the verdicts come from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

__all__ = ["Line", "counts", "show"]


@dataclass(frozen=True)
class Line:
    """One claim.

    :param note: a last line, such as where to read on; nothing if empty.
    :param details: for ``--json``.
    """

    id: str
    outcome: str
    statement: str
    reasons: tuple[str, ...]
    details: dict[str, Any]
    note: str = ""


def counts(lines: Sequence[Line]) -> dict[str, int]:
    """Number of claims by outcome."""
    return dict(Counter(line.outcome for line in lines))


def show(title: str, lines: Sequence[Line], where: str) -> None:
    """Print the table and its summary.

    :param where: measured on which machine, and when or how long.
    """
    from rich.text import Text

    from optguide.cli import render

    rows = [
        (
            render.verdict(line.outcome),
            Text.assemble(
                line.statement, *((f"\n{text}", "dim") for text in (*line.reasons, line.note) if text)
            ),
        )
        for line in lines
    ]
    render.table(title, ("Verdict", "Claim, and what decides it"), rows)
    found = sorted(counts(lines).items(), key=lambda pair: -pair[1])
    summary = ", ".join(f"{count} {outcome}" for outcome, count in found) or "no claims"
    render.paragraph(f"{len(lines)} claim{'' if len(lines) == 1 else 's'}: {summary}.")
    render.paragraph(f"Measured on {where}.")
