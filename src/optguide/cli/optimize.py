"""``optguide optimize MODEL``."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource
from rich.text import Text

from optguide.bench.load import LatencyLimit
from optguide.cli import output
from optguide.cli.errors import line, warn
from optguide.cli.options import (
    LATENCY_LIMIT,
    SHARE,
    allow_pickle_option,
    common_options,
    shape_option,
    time_option,
)
from optguide.cli.session import machine_held
from optguide.cli.variants import canonical, common_settings, to_variant
from optguide.errors import OptGuideError, OptionError
from optguide.machine import Machine
from optguide.optimize.candidate import Settings
from optguide.optimize.outcome import Outcome, Standing
from optguide.optimize.pipeline import begin, resume
from optguide.optimize.report import WrittenReport
from optguide.optimize.state import Store, check_new
from optguide.references import is_reference
from optguide.runtimes.models import check_model

INTERRUPTED = 130

ROWS = 10
"""Candidates in the table; the page has them all."""

EXPLAINED = ("failed", "too inaccurate", "over the latency limit", "latency limit not shown")
"""Statuses that the ratio does not explain; the reason is given for as many as the table has rows."""

AFTERWARDS = ("resume", "budget", "wait", "as_json", "claims", "debug")
"""Options that go with ``--resume``; all others stay as the run began, and so do these where not given."""

EPILOG = """\b
Examples:
  optguide optimize model.onnx
  optguide optimize model.xml --data samples.npz --max-drop 0.5% --out tuned
  optguide optimize model.onnx --data images/ --metric top-5 --goal throughput --slo p99=50ms
  optguide optimize package.module:build --data package.module:samples --budget 30m
  optguide optimize --resume tuned --budget 1h

\b
Data:
  FILE.npz      one array per input, first dimension samples; labels in the array labels
  FOLDER        .npy files (one per input, or one per sample) or .npz files (one per sample) with
                labels.npy, or images with labels.csv or in one folder per class
  package.module:function
                returns samples, or (samples, labels)
  hub:NAME      a data set of the Hugging Face hub, where there is internet; also hub:NAME:SPLIT and
                hub:NAME:CONFIGURATION:SPLIT
Without data inputs are random. Then nothing is said about accuracy, and only the model's own precisions win.

\b
Metrics: top-1, top-5 and other top-k, agreement, cosine, mean-error, package.module:function. Without labels
answers are compared with those of the 32-bit model, which is a proxy for accuracy.

\b
Exit status:
  0    the report is written, also where the answer is to keep OpenVINO's default
  1    the run failed, or nothing keeps the limit of --slo (the report is written and says what came closest)
  2    the call has to change: model, data, metric, device, options, a folder that is not empty
  130  interrupted: once model and data are read, the report of what was known by then is written, and
       --resume goes on
"""


@click.command(epilog=EPILOG)
@click.argument("model", required=False, type=click.Path())
@click.option("--data", metavar="DATA", help="Samples, see below. Random without it.")
@click.option("--metric", metavar="NAME", help="How right answers are, see below. By default labels decide.")
@click.option(
    "--max-drop",
    type=SHARE,
    default="1%",
    show_default=True,
    metavar="SHARE",
    help="Largest loss that is acceptable: points of a share of right answers, otherwise part of the value.",
)
@click.option(
    "--allow-unproven",
    is_flag=True,
    help="Accept a precision whose measured loss keeps --max-drop even if its interval does not.",
)
@click.option("--slo", type=LATENCY_LIMIT, metavar="LIMIT", help="Latency limit, such as p99=50ms.")
@click.option(
    "--goal",
    type=click.Choice(["latency", "throughput"]),
    default="latency",
    show_default=True,
    help="What the winner is best in.",
)
@time_option(
    "--budget",
    default="10m",
    help="Time for everything: making, judging, measuring, claims; with --resume, of the whole run.",
)
@click.option("--device", default="CPU", show_default=True, metavar="NAME", help="OpenVINO device.")
@shape_option
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Folder for the report, new or empty. By default optguide-<name of the model>.",
)
@click.option(
    "--resume", type=click.Path(path_type=Path), metavar="DIR", help="Go on with the run in this folder."
)
@allow_pickle_option
@click.option(
    "--claims/--no-claims",
    default=True,
    help="Hold the guide's claims against the model too; with --resume, as the run began.",
)
@common_options
@click.pass_context
def optimize(ctx: click.Context, /, model: str | None, **options: Any) -> int:
    """Find the fastest way to run a model on this machine, and prove it.

    MODEL is anything OpenVINO reads, or package.module:function, which returns a PyTorch module with example
    inputs. Precisions and deployments race each other until nothing is open or their time is over. DIR then
    holds report.html, which says why the others lost, report.json, the winner as model.xml, and deploy.py,
    which runs it. Press Ctrl-C to end early with a report of what is known; press it twice to end at once.
    """
    if options["resume"] is not None:
        _refuse_beside_resume(ctx)
        folder = options["resume"]
        for name in ("budget", "claims"):
            if ctx.get_parameter_source(name) is ParameterSource.DEFAULT:
                options[name] = None  # what it began with
    elif model is None:
        raise click.MissingParameter(ctx=ctx, param_hint="'MODEL'", param_type="argument")
    else:
        folder = options["out"] or Path(f"optguide-{_stem(model)}")
    try:
        report = _run(model, folder, options)
    except KeyboardInterrupt:
        if not (folder / "run" / "state.json").exists():
            raise
        click.echo(f"Interrupted. `{_resume_command(folder)}` goes on with what is known.", err=True)
        return INTERRUPTED
    if options["as_json"]:
        _print_json(report)
    else:
        _print(report, folder)
    return _status(report.outcome)


def _run(model: str | None, folder: Path, options: dict[str, Any]) -> WrittenReport:
    if options["resume"] is not None:
        Store.reopen(folder)  # refused before waiting for the machine
        with machine_held(f"optguide optimize --resume {folder}", options["wait"]):
            return resume(folder, budget=options["budget"], claims=options["claims"])
    settings = _settings(str(model), options)
    _check(settings, folder)
    with machine_held(f"optguide optimize {model}", options["wait"]):
        return begin(settings, folder)


def _settings(model: str, options: dict[str, Any]) -> Settings:
    """The settings that the options describe."""
    variant = to_variant("model", model, canonical(common_settings({"shapes": options["shapes"]})))
    limit = LatencyLimit(*options["slo"]) if options["slo"] else None
    of_the_same_name = ("data", "metric", "max_drop", "goal", "budget", "device", "allow_pickle", "claims")
    return Settings(
        model,
        unproven=options["allow_unproven"],
        limit=limit,
        shapes=variant.openvino.shapes,
        **{name: options[name] for name in of_the_same_name},
    )


def _check(settings: Settings, folder: Path) -> None:
    check_model(
        settings.model,
        "torch" if is_reference(settings.model) else "openvino",
        allow_pickle=settings.allow_pickle,
    )
    check_new(folder)


def _refuse_beside_resume(ctx: click.Context) -> None:
    """A run goes on as it began, so what would change it is refused rather than ignored."""
    refused = [
        parameter
        for parameter in ctx.command.params
        if parameter.name
        and ctx.get_parameter_source(parameter.name) is not ParameterSource.DEFAULT
        and parameter.name not in AFTERWARDS
    ]
    if refused:
        option = refused[0].opts[0] if refused[0].opts[0].startswith("-") else "MODEL"
        raise OptionError(
            f"A run that is resumed keeps its settings, and {option} would be another.",
            "Leave it out, or start a new run without --resume.",
        )


def _stem(model: str) -> str:
    path = Path(model)
    return model.rpartition(":")[2] if ":" in path.name and not path.exists() else path.stem


def _status(outcome: Outcome) -> int:
    if outcome.state.ended == "interrupted":
        return INTERRUPTED
    return 1 if outcome.state.ended == "failed" or outcome.decision.met is False else 0


def _print_json(report: WrittenReport) -> None:
    (file,) = (file for file in report.files if file.name == "report.json")
    click.echo(file.read_text("utf-8"), nl=False)
    _print_problems(report.outcome)


def _print(report: WrittenReport, folder: Path) -> None:
    outcome = report.outcome
    for sentence in outcome.decision.summary:
        output.paragraph(sentence)
    output.paragraph("")
    _print_candidates(outcome)
    names = ", ".join(file.name for file in report.files)
    output.paragraph(f"The report is in {folder}: {names}.")
    if report.check:
        output.paragraph(f"To cross-check the winner: cd {shlex.quote(str(folder))} && {report.check}")
    output.paragraph(f"{Machine.from_dict(outcome.state.machine).summary()}.")
    _print_problems(outcome)
    if outcome.state.ended == "interrupted":
        click.echo(f"Interrupted; `{_resume_command(folder)}` goes on.", err=True)


def _resume_command(folder: Path) -> str:
    return shlex.join(["optguide", "optimize", "--resume", str(folder)])


def _print_candidates(outcome: Outcome) -> None:
    standings = outcome.decision.standings
    measured = [s for s in standings if s.speed is not None or s.status == "winner"]
    rows = [_row(standing, outcome.decision.winner) for standing in measured[:ROWS]]
    output.table(
        "Candidates (95 % interval; above 1 is better than the winner)",
        ("Candidate", "Latency, median", "Throughput", "Against the winner", "What became of it"),
        rows,
    )
    for standing in [standing for standing in standings if standing.status in EXPLAINED][:ROWS]:
        output.paragraph(f"{standing.candidate.name} ({standing.status}): {standing.why}")
    if hidden := len(standings) - len(rows):
        untried = sum(standing.status == "not tried" for standing in standings)
        of_them = f", {untried} of them not tried" if untried else ""
        output.paragraph(f"{hidden} more candidates are in report.html{of_them}.")


def _row(standing: Standing, winner: str) -> list[output.Cell]:
    speed = standing.speed
    return [
        standing.candidate.name,
        output.two_lines(speed.latency.get("p50") if speed else None),
        output.two_lines(speed.throughput if speed else None),
        output.two_lines(standing.ratio if standing.against == winner else None),
        Text(standing.status, "green" if standing.status == "winner" else ""),
    ]


def _print_problems(outcome: Outcome) -> None:
    for sentence in outcome.decision.warnings:
        warn(sentence)
    for sentence in outcome.state.errors:
        click.echo(f"Error: {line(OptGuideError(sentence))}", err=True)
