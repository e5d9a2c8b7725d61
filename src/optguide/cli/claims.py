"""``optguide claims [MODEL]``: the guide's claims, as it measured them or on the reader's own model."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
import msgspec
from rich.text import Text

from optguide import format as fmt
from optguide.bench.variant import Variant
from optguide.claims import Chance, Verdict, evaluate, on_model
from optguide.claims import load as load_claims
from optguide.cli import output
from optguide.cli.options import common_options, device_option, inputs_option, shape_option, time_option
from optguide.cli.session import machine_held
from optguide.cli.variants import Spec, build, common_settings
from optguide.errors import ModelError, OptionError, RecordsError
from optguide.machine import Machine
from optguide.machine.noise import busy_warnings
from optguide.records import Records
from optguide.records import load as load_records
from optguide.runtimes.models import check_model

BUDGET = 120.0
"""Seconds for trying claims on a model, where the reader gives no budget."""

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
@inputs_option
@shape_option
@device_option
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
@time_option(
    "--budget",
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
@common_options
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
    elif folder is not None:
        raise OptionError(
            "--records is about the guide's own measurements, and a MODEL is named.", "Leave one of them out."
        )
    else:
        _try_on_model(model, options, as_json=as_json)


def _refuse_without_model(options: Mapping[str, Any]) -> None:
    about_model = ("inputs", "shape", "device", "int8", "only", "budget")
    present = [name for name in about_model if options["shapes" if name == "shape" else name]]
    if present:
        raise OptionError(
            f"--{present[0]} is about a model, and none is named.", "Write optguide claims MODEL with it."
        )


def _show_recorded(folder: Path | None, *, as_json: bool) -> None:
    records = load_records(_build_folder(folder) if folder else None)
    if not records.by_example:
        raise RecordsError(f"There are no records in {records.folder}.", "Run `nox -s docs` to measure.")
    newest = max(records.by_example.values(), key=lambda record: record.finished)
    measured_on = Machine.from_dict(newest.machine)
    verdicts = _recorded_verdicts(records, measured_on)
    warnings = [*records.mixed()]
    if newest.machine_id != Machine.current().machine_id:
        warnings.insert(
            0, f"These verdicts are about another machine than this one: {measured_on.summary()}."
        )
    facts = {"machine": measured_on.to_dict(), "measured": newest.finished}
    output.deliver(
        "claims",
        as_json=as_json,
        content=lambda: _content(facts, verdicts, without=["results"]),  # the records hold them
        tables=lambda: _print("Claims", verdicts, f"{measured_on.summary()}, {newest.finished}"),
        warnings=warnings,
    )


def _build_folder(folder: Path) -> Path:
    if not folder.is_dir():
        raise OptionError(f"There is no folder {folder}.", "Name a build folder, or run `nox -s docs`.")
    is_records = folder.name == "records" and not (folder / "records").is_dir()
    return folder.resolve().parent if is_records else folder


def _recorded_verdicts(records: Records, measured_on: Machine) -> list[Verdict]:
    """On all claims in their order, also on those whose results no example has recorded yet."""
    verdicts: list[Verdict] = []
    for claim in load_claims():
        missing = [part.result for part in claim.conditions if not records.covers(part.result)]
        if missing:
            reasons = [f"No example has recorded {result}." for result in missing]
            verdicts.append(Verdict.on(claim, "not recorded", reasons))
        else:
            verdicts += evaluate([claim], records, measured_on)
    return verdicts


def _try_on_model(model: str, options: Mapping[str, Any], *, as_json: bool) -> None:
    """Measure what decides the claims that make sense for any model, and print the verdicts."""
    budget = BUDGET if options["budget"] is None else options["budget"]
    variant, int8 = _checked(model, options)
    with machine_held(f"optguide claims {variant.name}", options["wait"]):
        start = time.monotonic()
        verdicts = on_model.evaluate_model(
            variant,
            budget,
            int8=int8,
            only=options["only"] or None,
            label=f"claims on {variant.name}",
        )
        seconds = time.monotonic() - start
    _refuse_too_short(verdicts, budget)
    machine = Machine.current()
    inputs = f"{'real' if variant.inputs else 'random'} inputs"
    where = f"{machine.summary()}, in {fmt.duration(seconds)}, with {inputs}"
    facts = {
        "machine": machine.to_dict(),
        "variant": variant.to_dict(evidence=True),
        "int8": int8,
        "budget": {"seconds": budget},
        "seconds": seconds,
    }
    output.deliver(
        "claims",
        as_json=as_json,
        content=lambda: _content(facts, verdicts),
        tables=lambda: _print(f"The guide's claims on {variant.name}", verdicts, where, named=True),
        warnings=busy_warnings(_others_share(verdicts)),
    )


def _checked(model: str, options: Mapping[str, Any]) -> tuple[Variant, str | None]:
    """The model with OpenVINO's defaults, and its 8-bit form."""
    int8 = None if options["int8"] is None else str(options["int8"])
    for file in (model, *([int8] if int8 else [])):
        if Path(file).suffix.lower() == ".pt2":
            raise ModelError(f"Claims cannot be tried on {Path(file).name}.", "Convert it to IR or ONNX.")
    (variant,) = build([Spec(model, {})], common_settings(options), allow_pickle=False)
    if int8 is not None:
        check_model(int8, "openvino", allow_pickle=False)
    return variant, int8


def _refuse_too_short(verdicts: Sequence[Verdict], budget: float) -> None:
    not_tried = [verdict for verdict in verdicts if verdict.outcome == "not tried"]
    if not_tried and all(verdict.outcome in ("not tried", "not measurable here") for verdict in verdicts):
        raise OptionError(
            f"In {fmt.duration(budget)}, none of the claims could be tried. {not_tried[0].reasons[0]}",
            "Give a larger --budget, such as 2m.",
        )


def _others_share(verdicts: Sequence[Verdict]) -> float:
    """The largest share of the CPU that other processes used during any of the measurements."""
    results = [result for verdict in verdicts for result in verdict.results.values()]
    return max((result.evidence.get("others_share") or 0.0 for result in results), default=0.0)


def _content(
    facts: Mapping[str, Any], verdicts: Sequence[Verdict], without: Sequence[str] = ()
) -> dict[str, Any]:
    chance = Chance.of(verdicts)
    claims: list[dict[str, Any]] = msgspec.to_builtins(list(verdicts))
    return {
        **facts,
        "counts": Counter(verdict.outcome for verdict in verdicts),
        "chance": {**asdict(chance), "wrong_at_most": chance.wrong_at_most},
        "claims": [{key: value for key, value in claim.items() if key not in without} for claim in claims],
    }


def _print(title: str, verdicts: Sequence[Verdict], where: str, *, named: bool = False) -> None:
    """The table and its summary."""
    rows = []
    for verdict in verdicts:
        note = (f"{verdict.id}, on the page {verdict.page}",) if named else ()
        below = [(f"\n{text}", "dim") for text in (*verdict.reasons, *note)]
        rows.append((output.verdict(verdict.outcome), Text.assemble(verdict.statement, *below)))
    output.table(title, ("Verdict", "Claim, and what decides it"), rows)
    counts = Counter(verdict.outcome for verdict in verdicts).most_common()
    summary = ", ".join(f"{count} {outcome}" for outcome, count in counts) or "no claims"
    output.paragraph(f"{len(rows)} claim{'' if len(rows) == 1 else 's'}: {summary}.")
    output.paragraph(Chance.of(verdicts).text)
    output.paragraph(f"Measured on {where}.")
