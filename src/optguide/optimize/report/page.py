"""``report.html``: one page that needs no network, no script and no other file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from optguide import format as fmt
from optguide.optimize.candidate import PRECISIONS
from optguide.optimize.outcome import Artifact, Kept, LoadSample, Outcome
from optguide.optimize.report import decision, deploy, facts, figures, race, words
from optguide.optimize.report.benchmark_app import Check
from optguide.optimize.report.templates import environment
from optguide.optimize.report.winner import Inputs
from optguide.stats.estimate import Estimate

__all__ = ["Deployed", "page"]

KEPT: dict[Kept, tuple[str, str]] = {
    "kept": ("good", "within the limit"),
    "exceeded": ("bad", "over the limit"),
    "open": ("open", "not shown to be within the limit"),
    "not judged": ("even", "not judged"),
}

VERDICTS = {"confirmed": ("good", "✓"), "refuted": ("bad", "✕"), "inconclusive": ("open", "?")}
UNKNOWN = ("even", words.NOTHING)


@dataclass(frozen=True)
class Deployed:
    """The files beside the page.

    :param size: bytes of the winner's model and weights.
    """

    inputs: Inputs
    check: Check
    size: int


def page(outcome: Outcome, *, out: str, deployed: Deployed | None) -> str:
    """The page.

    :param out: folder for the command that repeats the run.
    :param deployed: what was written beside it; ``None`` where there is no winner's model.
    """
    template = environment().get_template("page.html.jinja")
    text: str = template.render(
        outcome=outcome,
        settings=outcome.settings,
        decision=decision.decide(outcome),
        compared=decision.compared(outcome),
        confirmation=outcome.confirmation,
        deployed=_deployed(outcome, deployed),
        trade_off=figures.trade_off(outcome),
        frontier=figures.frontier(outcome),
        rows=race.rows(outcome),
        untried=race.untried(outcome),
        rounds=outcome.rounds,
        load=list(figures.load(outcome)),
        load_rows=[_load_row(name, sample) for name, found in outcome.load.items() for sample in found],
        layers=list(figures.layers(outcome)),
        precisions=[_precision(artifact) for artifact in outcome.artifacts],
        quality=next((artifact.quality for artifact in outcome.artifacts if artifact.quality), None),
        verdicts=[(v, *VERDICTS[v.outcome]) for v in outcome.verdicts if v.outcome in VERDICTS],
        undecided=[(v, *UNKNOWN) for v in outcome.verdicts if v.outcome not in VERDICTS],
        facts=facts,
        command=facts.command(outcome.settings, out),
        estimate=_estimate,
        ends=words.ends,
        words=words,
        quantity=fmt.quantity,
        duration=fmt.duration,
        percentile=f"p{outcome.settings.limit.percentile}" if outcome.settings.limit else "p50",
    )
    return text


def _deployed(outcome: Outcome, deployed: Deployed | None) -> Mapping[str, Any] | None:
    standing = decision.winner_of(outcome)
    if deployed is None or standing is None:
        return None
    candidate, device = standing.candidate, outcome.settings.device
    return {
        "candidate": candidate,
        "snippet": deploy.snippet(candidate, device=device),
        "properties": deploy.properties(candidate),
        "effective": standing.speed.effective if standing.speed else {},
        "inputs": deployed.inputs,
        "check": deployed.check,
        "size": deployed.size,
    }


def _precision(artifact: Artifact) -> dict[str, Any]:
    quality = artifact.quality
    look, word = KEPT[quality.kept] if quality else KEPT["not judged"]
    return {
        "made": artifact,
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
    """Value and interval; a dash where there is none."""
    return fmt.estimate(estimate) if estimate is not None else words.NOTHING
