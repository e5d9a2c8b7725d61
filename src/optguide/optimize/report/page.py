"""``report.html``: one page that needs no network, no script and no other file."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from optguide import format as fmt
from optguide.machine import Machine
from optguide.optimize.candidate import PRECISIONS, Settings
from optguide.optimize.outcome import Artifact, Kept, LoadSample, Outcome
from optguide.optimize.report import decision, deploy, figures
from optguide.optimize.report.decision import MISSING, per_input, session, value_and_interval, when
from optguide.stats.estimate import Estimate

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
        untried=decision.untried(outcome),
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
    standing = decision.winner_of(outcome)
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
