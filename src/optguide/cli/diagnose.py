"""``optguide diagnose MODEL``."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import click
from rich.text import Text

from optguide import format as fmt
from optguide.cli import output
from optguide.cli.completion import complete_variant
from optguide.cli.options import DURATION, common_options, settings_options
from optguide.cli.session import busy_warnings, machine_held, read_variants
from optguide.diagnose import Diagnosis, Finding, Remark
from optguide.diagnose import diagnose as run_diagnosis
from optguide.errors import OptionError
from optguide.machine import Machine

EPILOG = """\b
Examples:
  optguide diagnose model.xml
  optguide diagnose model.xml --hint throughput --requests 1
  optguide diagnose model.onnx --inputs short.npz --inputs long.npz
  optguide diagnose model.xml --threads 8 --set NUM_STREAMS=2 --json

\b
Describe how you run the model with the options of `optguide measure`. Without --feed the loop is taken to be
one that hands arrays to infer(), which copies them.
"""


@click.command(epilog=EPILOG)
@click.argument("model", shell_complete=complete_variant)
@click.option(
    "--budget",
    type=DURATION,
    default="2m",
    show_default=True,
    metavar="TIME",
    help="Time for everything, loading included; what no longer fits is named.",
)
@click.option(
    "--goal",
    type=click.Choice(["latency", "throughput"]),
    help="What the deployment is for. By default throughput under a throughput hint or with requests in"
    " flight, and latency otherwise.",
)
@settings_options
@common_options
def diagnose(model: str, budget: float, goal: Any, **options: Any) -> None:
    """Say why a model is slow as you run it, and what would make it faster here.

    Each cause is shown by its remedy, which takes turns with your deployment: what it gains, with an
    interval, what to do, and the page of the guide. What was looked at and is fine is listed too.
    """
    if not budget > 0:
        raise OptionError("A budget of 0 s diagnoses nothing.", "Use a budget above zero.")
    (variant,) = read_variants([model], {**options, "feed": options["feed"] or "copied"})
    with machine_held(f"optguide diagnose {variant.name}", options["wait"]):
        start = time.monotonic()
        diagnosis = run_diagnosis(variant, budget, goal=goal, label=f"diagnosing {variant.name}")
        seconds = time.monotonic() - start
    output.deliver(
        "diagnose",
        as_json=options["as_json"],
        content=lambda: _content(diagnosis, budget, seconds),
        tables=lambda: _print(diagnosis, variant.name, seconds),
        warnings=[*diagnosis.warnings, *busy_warnings(diagnosis.others_share)],
    )


def _content(diagnosis: Diagnosis, budget: float, seconds: float) -> dict[str, Any]:
    return {
        "machine": Machine.current().to_dict(),
        "variant": diagnosis.deployed.to_dict(evidence=True),
        "effective": diagnosis.effective,
        "budget": {"seconds": budget},
        "seconds": seconds,
        "others_share": diagnosis.others_share,
        "findings": [_finding_fields(finding) for finding in diagnosis.findings],
        "fine": [_remark_fields(entry) for entry in diagnosis.fine],
        "open": [_remark_fields(entry) for entry in diagnosis.open],
        "warnings": list(diagnosis.warnings),
    }


def _finding_fields(finding: Finding) -> dict[str, Any]:
    return {
        "symptom": finding.symptom.title,
        "page": finding.symptom.page,
        "evidence": finding.evidence,
        "remedy": finding.effect.remedy,
        "quantity": finding.effect.quantity,
        "effect": asdict(finding.effect.ratio),
        "other_remedies": list(finding.others),
    }


def _remark_fields(entry: Remark) -> dict[str, str]:
    return {"symptom": entry.symptom.title, "page": entry.symptom.page, "evidence": entry.evidence}


def _print(diagnosis: Diagnosis, name: str, seconds: float) -> None:
    rows = [(str(place), _described(finding)) for place, finding in enumerate(diagnosis.findings, 1)]
    output.table(f"Why {name} is slow", ("", "Symptom, evidence, remedy and its gain here"), rows)
    if not rows:
        remark = f", {len(diagnosis.open)} questions are open" if diagnosis.open else ""
        output.paragraph(f"Nothing found that makes {name} slow{remark}.\n")
    _print_remarks("Open: the budget or a busy machine decided nothing", diagnosis.open)
    _print_remarks("Looked at, and fine", diagnosis.fine)
    output.paragraph(f"In {fmt.duration(seconds)}.")
    output.machine_line()


def _described(finding: Finding) -> Text:
    return Text.assemble(
        (finding.symptom.title, "bold"),
        f"\n{finding.evidence}\n",
        f"Do: {finding.effect.remedy}\n",
        (f"Gain: {finding.effect.text}", "green"),
        *(f"\nOr: {other}" for other in finding.others),
        (f"\nPage: {finding.symptom.page}", "dim"),
    )


def _print_remarks(title: str, entries: Sequence[Remark]) -> None:
    rows = [(entry.symptom.title, entry.evidence) for entry in entries]
    output.table(title, ("Symptom", "Evidence"), rows)
