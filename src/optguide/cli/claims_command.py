"""``optguide claims``."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from optguide.cli.options import debug_option, json_option
from optguide.errors import OptionError, RecordsError

if TYPE_CHECKING:
    from optguide.machine import Machine
    from optguide.records import Records

__all__ = ["claims"]

NOT_RECORDED = "not recorded"
"""Outcome of a claim whose example has not run yet, beside those of :class:`optguide.claims.Verdict`."""


@dataclass(frozen=True)
class _Line:
    """One claim in the ledger."""

    id: str
    outcome: str
    statement: str
    reasons: tuple[str, ...]
    details: dict[str, Any]


@click.command()
@click.option(
    "--records",
    "folder",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Folder of the build, or its folder records. By default OPTGUIDE_BUILD, or build in the checkout.",
)
@json_option
@debug_option
def claims(folder: Path | None, as_json: bool) -> None:
    """List the guide's claims and what the measurements say about each."""
    from optguide.cli.as_json import emit
    from optguide.cli.errors import warn
    from optguide.machine import Machine
    from optguide.records import load

    records = load(_build_folder(folder) if folder else None)
    if not records.by_example:
        raise RecordsError(f"There are no records in {records.folder}.", "Run `nox -s docs` to measure.")
    newest = max(records.by_example.values(), key=lambda record: record.finished)
    measured_on = Machine.from_dict(newest.machine)
    lines = _ledger(records, measured_on)
    counts = Counter(line.outcome for line in lines)
    if as_json:
        content = {
            "machine": measured_on.to_dict(),
            "measured": newest.finished,
            "counts": dict(counts),
            "claims": [line.details for line in lines],
        }
        emit("claims", content)
    else:
        _print(lines, counts, f"{measured_on.summary()}, {newest.finished}")
    if newest.machine_id != Machine.current().machine_id:
        warn(f"These verdicts are about another machine than this one: {measured_on.summary()}.")
    for sentence in records.mixed():
        warn(sentence)


def _build_folder(folder: Path) -> Path:
    if not folder.is_dir():
        raise OptionError(f"There is no folder {folder}.", "Name a build folder, or run `nox -s docs`.")
    is_records = folder.name == "records" and not (folder / "records").is_dir()
    return folder.resolve().parent if is_records else folder


def _ledger(records: Records, measured_on: Machine) -> list[_Line]:
    """All claims in their order, also those whose results nobody has recorded yet."""
    from optguide.claims import as_dict, evaluate, load

    known = records.results.keys() | records.unavailable.keys()
    lines = []
    for claim in load():
        missing = tuple(part.result for part in claim.conditions if part.result not in known)
        if missing:
            reasons: tuple[str, ...] = tuple(f"No example has recorded {result}." for result in missing)
            details = as_dict(claim, NOT_RECORDED, reasons)
            lines.append(_Line(claim.id, NOT_RECORDED, claim.statement, reasons, details))
            continue
        (verdict,) = evaluate([claim], records, measured_on)
        lines.append(_Line(claim.id, verdict.outcome, claim.statement, verdict.reasons, verdict.to_dict()))
    return lines


def _print(lines: list[_Line], counts: Counter[str], where: str) -> None:
    from rich.text import Text

    from optguide.cli import render

    rows = [
        (render.verdict(line.outcome), Text.assemble(line.statement, ("\n" + "\n".join(line.reasons), "dim")))
        for line in lines
    ]
    render.table("Claims", ("Verdict", "Claim, and what decides it"), rows)
    summary = ", ".join(f"{count} {outcome}" for outcome, count in counts.most_common()) or "no claims"
    render.paragraph(f"{len(lines)} claims: {summary}.")
    render.paragraph(f"Measured on {where}.")
