"""The outcome of a run as files: a page, JSON, the winner ready to deploy; and as results of the guide.

::

    decision    what the page says first, and every candidate as a row
    figures     the page's figures
    deploy      the winner's model, deploy.py, and the command that checks it with benchmark_app

``report.html`` is one page that needs no network, no script and no other file.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from optguide import format as fmt
from optguide import plots
from optguide.errors import OptGuideError, StorageError
from optguide.machine import Machine
from optguide.optimize.candidate import PRECISIONS, Settings
from optguide.optimize.outcome import SCHEMA, Artifact, Decision, Kept, LoadSample, Outcome, State
from optguide.optimize.report import decision, deploy, figures
from optguide.optimize.report.decision import MISSING, per_input, session, value_and_interval, when, winner_of
from optguide.records import Recording
from optguide.stats.estimate import Estimate
from optguide.storage import decode_json, encode_json, storage_errors, write_file

PAGE, DATA = "report.html", "report.json"

Row = tuple[str | Estimate, ...]

ROWS = 12
"""Candidates in the table; ``report.html`` has them all."""

OVER = {
    "default": "OpenVINO's default",
    "hint": "the hint alone",
    "f32": "32-bit floats",
    "framework": "its own framework",
}


@dataclass(frozen=True)
class WrittenReport:
    """A report on disk.

    :param outcome: with what went wrong in writing it.
    :param files: the page first.
    :param check: the ``benchmark_app`` command that checks the winner, to be run in the folder; empty where
        there is no model to run.
    """

    outcome: Outcome
    files: tuple[Path, ...]
    check: str = ""


def read_report(file: Path) -> Outcome:
    """The outcome in a ``report.json``, without loss.

    An estimate whose interval has no end on one side is written with ``null`` there, and that is read back as
    an open end; ``docs/reference/report.md`` describes every field.
    """
    read = partial(
        decode_json,
        file.read_bytes(),
        kind="report",
        file=file.name,
        schema=SCHEMA,
        remedy="Run `optguide optimize` again to write it anew.",
        nonfinite=True,
    )
    return Outcome(read(State), read(Decision))


def encode_report(outcome: Outcome) -> bytes:
    """``report.json``: state and decision beside each other, without what only a resumed run needs."""
    content = msgspec.to_builtins(outcome.state) | msgspec.to_builtins(outcome.decision)
    del content["resumption"]
    return encode_json(content) + b"\n"


def write_report(
    outcome: Outcome, folder: Path, *, model: Path | None, inputs: tuple[str, ...] = ()
) -> WrittenReport:
    """Write the report of ``outcome`` into ``folder``; each file is replaced in one step.

    A winner whose model cannot be written costs the files to deploy it, and the report says so.

    :param model: IR of the winner's precision; ``None`` where there is none.
    :raises StorageError: the disk is full or the folder cannot be written.
    """
    with storage_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    standing = winner_of(outcome)
    deployed: deploy.DeployedFiles | None = None
    if standing is not None and model is not None:
        try:
            deployed = deploy.write_files(
                standing.candidate,
                folder,
                model=model,
                inputs=inputs,
                device=outcome.state.settings.device,
                name=outcome.state.subject.name,
                machine=Machine.from_dict(outcome.state.machine).summary(),
            )
        except StorageError:
            raise
        except OptGuideError as error:
            sentence = f"The winner's model could not be written: {error}"
            state = replace(outcome.state, errors=(*outcome.state.errors, sentence))
            outcome = replace(outcome, state=state)
    data = write_file(folder / DATA, encode_report(outcome))
    # A file name on disk may hold bytes that are no text; they become question marks.
    html = page(outcome, out=f"{folder.name}-again", deployed=deployed).encode("utf-8", errors="replace")
    files = deployed.files if deployed is not None else ()
    for name in set(deploy.FILES) - {file.name for file in files}:
        (folder / name).unlink(missing_ok=True)  # of an earlier winner
    check = deployed.check.line if deployed is not None else ""
    return WrittenReport(outcome, (write_file(folder / PAGE, html), data, *files), check)


def add_outcome(record: Recording, prefix: str, outcome: Outcome) -> None:
    """Record what a run delivered and lost, tables of what it tried, and the figure ``candidates``.

    The identifiers are ``prefix.over_default``, ``over_hint``, ``over_f32`` and ``over_framework`` (ratios),
    ``prefix.loss``, ``prefix.candidates``, ``prefix.untried`` and ``prefix.seconds``. The tables are called
    ``precisions`` and ``candidates``, each behind the last part of ``prefix`` and a hyphen.
    """
    state, decision = outcome.state, outcome.decision
    goal = state.settings.goal
    evidence = {"winner": decision.winner, "goal": goal, "ended": state.ended}
    for key, name in OVER.items():
        if key in decision.delivered:
            ratio, label = decision.delivered[key], f"the winner against {name}, {goal}"
            record.add(f"{prefix}.over_{key}", ratio, label=label, evidence=evidence, above="faster")
        else:
            record.unavailable(f"{prefix}.over_{key}", _why_not(key, outcome))
    artifact = state.artifact(outcome.decision.standings[0].candidate.precision)
    quality = artifact.quality if artifact else None
    if quality is not None and quality.loss is not None:
        record.add(f"{prefix}.loss", quality.loss, label=f"loss of the winner: {quality.metric}")
    else:
        record.unavailable(f"{prefix}.loss", "the winner is the original, or nothing could judge it")
    untried = sum(standing.status == "not tried" for standing in decision.standings)
    record.add(f"{prefix}.candidates", len(decision.standings), label="candidates")
    record.add(f"{prefix}.untried", untried, label="candidates that were not tried")
    record.add(f"{prefix}.seconds", state.seconds, unit="s", label="time of the whole run")
    topic = prefix.rpartition(".")[2]
    record.table(
        f"{topic}-precisions",
        ("Precision", "Size", "Answers", "Loss", "Within the limit"),
        [_precision_row(artifact) for artifact in state.artifacts],
        caption="Every precision that was made, and what it loses against 32-bit floats.",
    )
    measured = [standing for standing in decision.standings if standing.speed is not None]
    which = f"The first {ROWS} of {len(measured)} candidates" if len(measured) > ROWS else "Candidates"
    record.table(
        f"{topic}-candidates",
        ("Candidate", "Latency (median)", "Throughput", "What became of it"),
        [
            (
                standing.candidate.name,
                standing.speed.latency["p50"],
                standing.speed.throughput,
                standing.status,
            )
            for standing in measured[:ROWS]
            if standing.speed is not None and "p50" in standing.speed.latency
        ],
        caption=f"{which} that were measured, the winner first, each from its last session.",
    )
    points = figures.points_of(outcome)
    record.figure(
        "candidates",
        lambda: plots.frontier(points, chosen=figures.winner_name(outcome)),
        alt=f"Throughput against latency of {len(points)} configurations.",
        caption="Configurations that came farthest; the ring is the winner.",
    )


def _why_not(key: str, outcome: Outcome) -> str:
    same = {"default": outcome.decision.default, "hint": outcome.decision.hint}
    if same.get(key) == outcome.decision.winner:
        return f"{OVER[key]} is the winner itself"
    if not outcome.decision.delivered:
        return "the run ended before anything was compared with the winner"
    if key == "framework" and not outcome.state.framework:
        return "the model's own framework does not run here"
    return "the device makes the winner's configuration of it, or it did not take part in the last session"


def _precision_row(artifact: Artifact) -> Row:
    size = fmt.quantity(artifact.size, "bytes") if artifact.size else MISSING
    if artifact.quality is None:
        return PRECISIONS[artifact.precision], size, MISSING, MISSING, artifact.why_not or "not judged"
    quality = artifact.quality
    within = quality.kept if quality.loss is not None else "the original"
    return PRECISIONS[artifact.precision], size, quality.value, quality.loss or MISSING, within


KEPT: dict[Kept, tuple[str, str]] = {
    "kept": ("good", "within the limit"),
    "exceeded": ("bad", "over the limit"),
    "open": ("open", "not shown to be within the limit"),
    "not judged": ("even", "not judged"),
}

VERDICTS = {"confirmed": ("good", "✓"), "refuted": ("bad", "✕"), "inconclusive": ("open", "?")}
UNKNOWN = ("even", MISSING)

Fact = tuple[str, str]


def page(outcome: Outcome, *, out: str, deployed: deploy.DeployedFiles | None) -> str:
    """The page as HTML.

    :param out: folder for the command that repeats the run.
    """
    machine = Machine.from_dict(outcome.state.machine)
    devices = {f"Device {device.name}": device.full_name for device in machine.devices}
    return deploy.template("page.html.jinja").render(
        outcome=outcome,
        settings=outcome.state.settings,
        about=_about(outcome),
        decision=decision.headline(outcome),
        compared=decision.confirmation_rows(outcome),
        confirmation=outcome.state.confirmation,
        deployed=_deployed(outcome, deployed),
        trade_off=figures.trade_off(outcome),
        frontier=figures.frontier(outcome),
        rows=decision.candidate_rows(outcome),
        looks=decision.STATUSES,
        untried=[s.candidate.name for s in outcome.decision.standings if s.status == "not tried"],
        same=decision.same_as_winner(outcome),
        rounds=outcome.state.rounds,
        load=list(figures.load(outcome)),
        load_rows=[
            _load_row(name, sample) for name, samples in outcome.state.load.items() for sample in samples
        ],
        layers=list(figures.layers(outcome)),
        precisions=[_precision(artifact) for artifact in outcome.state.artifacts],
        quality=next((artifact.quality for artifact in outcome.state.artifacts if artifact.quality), None),
        verdicts=[(v, *VERDICTS[v.outcome]) for v in outcome.state.verdicts if v.outcome in VERDICTS],
        undecided=[(v, *UNKNOWN) for v in outcome.state.verdicts if v.outcome not in VERDICTS],
        hardware=tuple({**machine.hardware, **devices}.items()),
        model_and_data=tuple(_model_and_data(outcome)),
        versions=tuple({"Python": machine.python, **machine.packages}.items()),
        command=command(outcome.state.settings, out),
        estimate=_estimate,
        ends=value_and_interval,
        per_input=per_input,
        session=session,
        when=when,
        quantity=fmt.quantity,
        duration=fmt.duration,
        percentile=outcome.state.settings.percentile,
    )


def _deployed(outcome: Outcome, deployed: deploy.DeployedFiles | None) -> Mapping[str, Any] | None:
    standing = winner_of(outcome)
    if deployed is None or standing is None:
        return None
    candidate, device = standing.candidate, outcome.state.settings.device
    return {
        "candidate": candidate,
        "snippet": deploy.snippet(candidate, device=device),
        "effective": standing.speed.effective if standing.speed else {},
        "inputs": deployed.inputs,
        "check": deployed.check,
        "size": deployed.size,
    }


def _precision(artifact: Artifact) -> dict[str, Any]:
    quality = artifact.quality
    look, word = KEPT[quality.kept] if quality else KEPT["not judged"]
    return {
        "artifact": artifact,
        "name": PRECISIONS[artifact.precision],
        "notes": " ".join(note for note in (artifact.note, quality.note if quality else "") if note),
        "look": look,
        "word": "the original" if quality and quality.loss is None else word,
        "limit": fmt.quantity(quality.limit, quality.loss.unit) if quality and quality.loss else "",
    }


def _load_row(name: str, sample: LoadSample) -> dict[str, Any]:
    return {
        "name": name,
        "offered": fmt.quantity(sample.offered, "inputs/s"),
        "achieved": fmt.quantity(sample.achieved, "inputs/s"),
        "latencies": [_estimate(sample.latencies.get(key)) for key in ("p50", "p95", "p99")],
        "void": sample.void,
    }


def _estimate(estimate: Estimate | None) -> str:
    return fmt.estimate(estimate) if estimate is not None else MISSING


def _about(outcome: Outcome) -> str:
    settings, subject = outcome.state.settings, outcome.state.subject
    limit = f"limit: {settings.limit}" if settings.limit else ""
    parts = (subject.framework, f"goal: {settings.goal}", limit, f"device {settings.device}")
    return " · ".join(filter(None, parts))


def _model_and_data(outcome: Outcome) -> Iterator[Fact]:
    subject, settings = outcome.state.subject, outcome.state.settings
    yield "Model", settings.model
    yield "Comes from", subject.framework or "unknown"
    for name, description in subject.inputs.items():
        yield f"Input {name}", description
    if subject.sha256:
        yield "SHA-256", subject.sha256
    yield "Data", settings.data or "random numbers, which say nothing about accuracy"
    if subject.samples:
        labels = "with labels" if subject.labelled else "without labels"
        judged = f"{subject.judged:,} others to judge it"
        split = f"{subject.calibration:,} to calibrate the quantization, {judged}"
        yield "Samples", f"{subject.samples:,} {labels}: {split}"


_OPTIONS: Mapping[str, tuple[str, Callable[[Any], str] | None]] = {
    "data": ("--data", str),
    "metric": ("--metric", str),
    "max_drop": ("--max-drop", lambda share: f"{100 * share:g}%"),
    "limit": ("--slo", lambda limit: f"p{limit.percentile}={limit.milliseconds:.9g}ms"),
    "goal": ("--goal", str),
    "budget": ("--budget", lambda seconds: f"{seconds:.9g}s"),
    "device": ("--device", str),
    "unproven": ("--allow-unproven", None),
    "allow_pickle": ("--allow-pickle", None),
    "claims": ("--no-claims", None),
}
"""By field of the settings, the option that changes it and how it writes the value; flags have none."""


def command(settings: Settings, out: str) -> str:
    """The command of this run for a shell, without what is the default anyway."""
    words, default = ["optguide", "optimize", settings.model], Settings(settings.model)
    for name, (option, write) in _OPTIONS.items():
        if (value := getattr(settings, name)) != getattr(default, name):
            words += [option, write(value)] if write else [option]
    for name, shape in settings.shapes.items():
        words += ["--shape", f"{name}={','.join(map(str, shape))}"]
    return shlex.join([*words, "--out", out])
