"""The outcome of a run as results of a recording, so that the guide's pages can quote it."""

from __future__ import annotations

from optguide import format as fmt
from optguide.optimize.candidate import PRECISIONS
from optguide.optimize.outcome import Artifact, Outcome
from optguide.optimize.report.text import MISSING
from optguide.records import Recording
from optguide.stats.estimate import Estimate

Row = tuple[str | Estimate, ...]

ROWS = 12
"""Candidates in the table; ``report.html`` has them all."""

OVER = {
    "default": "OpenVINO's default",
    "hint": "the hint alone",
    "f32": "32-bit floats",
    "framework": "its own framework",
}


def add_outcome(record: Recording, prefix: str, outcome: Outcome) -> None:
    """Record what a run delivered and lost, and tables of what it tried.

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
    precision = decision.standing(decision.winner).candidate.precision
    quality = next(
        (artifact.quality for artifact in state.artifacts if artifact.precision == precision), None
    )
    if quality is not None and quality.loss is not None:
        record.add(f"{prefix}.loss", quality.loss, label=f"loss of the winner: {quality.metric}")
    else:
        record.unavailable(f"{prefix}.loss", "the winner is the original, or nothing could judge it")
    untried = sum(standing.status == "not tried" for standing in decision.standings)
    record.add_value(f"{prefix}.candidates", len(decision.standings), "count", label="candidates")
    record.add_value(f"{prefix}.untried", untried, "count", label="candidates that were not tried")
    record.add_value(f"{prefix}.seconds", state.seconds, "s", label="time of the whole run")
    topic = prefix.rpartition(".")[2]
    record.table(
        f"{topic}-precisions",
        ("Precision", "Size", "Answers", "Loss", "Within the limit"),
        [_precision(artifact) for artifact in state.artifacts],
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


def _why_not(key: str, outcome: Outcome) -> str:
    same = {"default": outcome.decision.default, "hint": outcome.decision.hint}
    if same.get(key) == outcome.decision.winner:
        return f"{OVER[key]} is the winner itself"
    if key == "framework" and not outcome.state.framework:
        return "the model's own framework does not run here"
    return "the device makes the winner's configuration of it, or it did not take part in the last session"


def _precision(artifact: Artifact) -> Row:
    size = fmt.quantity(artifact.size, "bytes") if artifact.size else MISSING
    if artifact.quality is None:
        return PRECISIONS[artifact.precision], size, MISSING, MISSING, artifact.why_not or "not judged"
    quality = artifact.quality
    within = quality.kept if quality.loss is not None else "the original"
    return PRECISIONS[artifact.precision], size, quality.value, quality.loss or MISSING, within
