"""``optguide claims [MODEL]``: the guide's claims, as it measured them or on the reader's own model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from optguide.cli.options import Duration, debug_option, json_option, wait_option
from optguide.errors import OptionError, RecordsError

if TYPE_CHECKING:
    from optguide.cli.claims_table import Line
    from optguide.machine import Machine
    from optguide.records import Records

__all__ = ["claims"]

NOT_RECORDED = "not recorded"
"""Outcome of a claim whose example has not run yet, beside those of :class:`optguide.claims.Verdict`."""

EPILOG = """\b
Examples:
  optguide claims
  optguide claims model.xml
  optguide claims model.onnx --shape input_ids=1,128 --budget 5m
  optguide claims model.xml --int8 int8.xml --inputs real.npz
  optguide claims model.xml --only no-hint-is-latency --only pinning-helps --json
"""


@click.command(epilog=EPILOG)
@click.argument("model", required=False)
@click.option(
    "--inputs",
    multiple=True,
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Inputs of MODEL as .npz, one array per model input; several files take turns. Random without it.",
)
@click.option(
    "--shape", "shapes", multiple=True, metavar="NAME=1,3,224,224", help="Static shape of an input of MODEL."
)
@click.option("--device", metavar="NAME", help="OpenVINO device to run MODEL on. The default is CPU.")
@click.option(
    "--int8",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="MODEL quantized to 8 bits, for the claims about that.",
)
@click.option(
    "--only",
    multiple=True,
    metavar="ID",
    help="Try this claim on MODEL, and others named in the same way, instead of all.",
)
@click.option(
    "--budget",
    type=Duration(),
    metavar="TIME",
    help="Time for trying claims on MODEL, loading included; what no longer fits is not tried. The default"
    " is 2m.",
)
@click.option(
    "--records",
    "folder",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Without MODEL: folder of the build, or its folder records. By default OPTGUIDE_BUILD, or build in"
    " the checkout.",
)
@wait_option
@json_option
@debug_option
def claims(model: str | None, folder: Path | None, as_json: bool, **options: Any) -> None:
    """List the guide's claims with their verdicts, or try them on your own model.

    Without MODEL: every claim of the guide, and what the measurements of its last build say about it. Nothing
    is measured.

    With MODEL: those claims that make sense for any model are measured on yours, and judged by the same
    bounds. The table names each claim, what decides it, and the page of the guide that discusses it. A
    refuted claim is a finding about your model and no error.
    """
    if model is None:
        _refuse_without_model(options)
        _show_recorded(folder, as_json=as_json)
        return
    if folder is not None:
        raise OptionError(
            "--records is about the guide's own measurements, and a MODEL is named.", "Leave one of them out."
        )
    from optguide.cli import own_claims

    own_claims.run(model, options, as_json=as_json)


def _refuse_without_model(options: dict[str, Any]) -> None:
    about_model = ("inputs", "shape", "device", "int8", "only", "budget")
    given = [name for name in about_model if options["shapes" if name == "shape" else name]]
    if given:
        raise OptionError(
            f"--{given[0]} is about a model, and none is named.", "Write optguide claims MODEL with it."
        )


def _show_recorded(folder: Path | None, *, as_json: bool) -> None:
    from optguide.cli import claims_table
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
    if as_json:
        content = {
            "machine": measured_on.to_dict(),
            "measured": newest.finished,
            "counts": claims_table.counts(lines),
            "claims": [line.details for line in lines],
        }
        emit("claims", content)
    else:
        claims_table.show("Claims", lines, f"{measured_on.summary()}, {newest.finished}")
    if newest.machine_id != Machine.current().machine_id:
        warn(f"These verdicts are about another machine than this one: {measured_on.summary()}.")
    for sentence in records.mixed():
        warn(sentence)


def _build_folder(folder: Path) -> Path:
    if not folder.is_dir():
        raise OptionError(f"There is no folder {folder}.", "Name a build folder, or run `nox -s docs`.")
    is_records = folder.name == "records" and not (folder / "records").is_dir()
    return folder.resolve().parent if is_records else folder


def _ledger(records: Records, measured_on: Machine) -> list[Line]:
    """All claims in their order, also those whose results nobody has recorded yet."""
    from optguide.claims import as_dict, evaluate, load
    from optguide.cli.claims_table import Line

    known = records.results.keys() | records.unavailable.keys()
    lines = []
    for claim in load():
        missing = tuple(part.result for part in claim.conditions if part.result not in known)
        if missing:
            reasons: tuple[str, ...] = tuple(f"No example has recorded {result}." for result in missing)
            details = as_dict(claim, NOT_RECORDED, reasons)
            lines.append(Line(claim.id, NOT_RECORDED, claim.statement, reasons, details))
            continue
        (verdict,) = evaluate([claim], records, measured_on)
        lines.append(Line(claim.id, verdict.outcome, claim.statement, verdict.reasons, verdict.to_dict()))
    return lines
