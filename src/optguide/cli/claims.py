"""``optguide claims [MODEL]``: the guide's claims, as it measured them or on the reader's own model.

Claims and their verdicts as a table, wherever the verdicts come from.

``optguide claims MODEL``: the claims that make sense for any model, on the reader's.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from optguide.cli.options import Duration, debug_option, json_option, wait_option
from optguide.errors import ModelError, OptionError, RecordsError

__all__ = ["Line", "claims", "counts", "run", "show"]


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

    from optguide.cli import output as render

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


if TYPE_CHECKING:
    from optguide.bench.variant import Variant
    from optguide.claims.on_model import OwnVerdict


BUDGET = 120.0
"""Seconds."""


def run(model: str, options: Mapping[str, Any], *, as_json: bool) -> None:
    """Try the claims and print their verdicts.

    :raises OptionError: a budget in which none could be tried.
    :raises OptGuideError: the call has to change, or the model cannot be measured at all.
    """
    from optguide import format as fmt
    from optguide.claims import on_model as own
    from optguide.cli.as_json import emit
    from optguide.cli.errors import warn
    from optguide.cli.session import machine_held
    from optguide.machine import Machine

    budget = BUDGET if options["budget"] is None else options["budget"]
    plain, int8 = _checked(model, options)
    if not budget > 0:
        raise OptionError("A budget of 0 s tries nothing.", "Use a budget above zero.")
    with machine_held(f"optguide claims {plain.name}", options["wait"]):
        start = time.monotonic()
        found = own.verdicts(
            plain.model,
            inputs=plain.inputs,
            shapes=plain.openvino.shapes,
            device=plain.openvino.device,
            int8=int8,
            seconds=budget,
            only=options["only"] or None,
            label=f"claims on {plain.name}",
        )
        seconds = time.monotonic() - start
    _refuse_too_short(found, budget)
    lines = [
        Line(
            verdict.claim.id,
            verdict.outcome,
            verdict.claim.statement,
            verdict.reasons,
            verdict.to_dict(),
            note=f"{verdict.claim.id}, on the page {verdict.claim.page}",
        )
        for verdict in found
    ]
    machine = Machine.current()
    if as_json:
        content = {
            "machine": machine.to_dict(),
            "variant": plain.to_dict(evidence=True),
            "int8": int8,
            "budget": {"seconds": budget},
            "seconds": seconds,
            "counts": counts(lines),
            "claims": [line.details for line in lines],
        }
        emit("claims", content)
    else:
        where = f"{machine.summary()}, in {fmt.duration(seconds)}"
        show(f"The guide's claims on {plain.name}", lines, where)
    for sentence in _warnings(found):
        warn(sentence)


def _checked(model: str, options: Mapping[str, Any]) -> tuple[Variant, str | None]:
    """The model with OpenVINO's defaults, and its 8-bit form.

    :raises UserError: a file, a shape or the kind of a model that cannot work.
    """
    from optguide.cli.variants import Spec, build, common_settings
    from optguide.runtimes.models import check_model

    int8 = None if options["int8"] is None else str(options["int8"])
    for file in (model, *([int8] if int8 else [])):
        if Path(file).suffix.lower() == ".pt2":
            raise ModelError(f"Claims cannot be tried on {Path(file).name}.", "Convert it to IR or ONNX.")
    (plain,) = build([Spec(model, {})], common_settings(options), allow_pickle=False)
    if int8 is not None:
        check_model(int8, "openvino", allow_pickle=False)
    return plain, int8


def _refuse_too_short(found: Sequence[OwnVerdict], budget: float) -> None:
    from optguide import format as fmt
    from optguide.claims.on_model import NOT_TRIED

    left_out = [verdict for verdict in found if verdict.outcome == NOT_TRIED]
    if left_out and all(verdict.outcome in (NOT_TRIED, "not measurable here") for verdict in found):
        raise OptionError(
            f"In {fmt.duration(budget)}, none of the claims could be tried. {left_out[0].reasons[0]}",
            "Give a larger --budget, such as 2m.",
        )


def _warnings(found: Sequence[OwnVerdict]) -> list[str]:
    from optguide.cli.session import busy

    results = [result for verdict in found for result in verdict.results.values()]
    shares = [result.evidence["others_share"] for result in results if "others_share" in result.evidence]
    return busy(max(shares, default=0.0))


if TYPE_CHECKING:
    from optguide.cli.claims import Line
    from optguide.machine import Machine
    from optguide.records import Records


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

    run(model, options, as_json=as_json)


def _refuse_without_model(options: dict[str, Any]) -> None:
    about_model = ("inputs", "shape", "device", "int8", "only", "budget")
    given = [name for name in about_model if options["shapes" if name == "shape" else name]]
    if given:
        raise OptionError(
            f"--{given[0]} is about a model, and none is named.", "Write optguide claims MODEL with it."
        )


def _show_recorded(folder: Path | None, *, as_json: bool) -> None:
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
            "counts": counts(lines),
            "claims": [line.details for line in lines],
        }
        emit("claims", content)
    else:
        show("Claims", lines, f"{measured_on.summary()}, {newest.finished}")
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
    from optguide.cli.claims import Line

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
