"""How good the configurations are that ``optguide optimize`` chooses, beside a search of all candidates."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from rich.table import Table

from optguide import Budget, Variant, measure
from optguide.bench.result import SessionResult
from optguide.errors import NotEnoughSamples
from optguide.optimize.candidate import Candidate, Goal, Settings
from optguide.optimize.data import read_data, write_inputs
from optguide.optimize.model import SourceModel, decode
from optguide.optimize.outcome import Outcome
from optguide.optimize.pipeline import begin
from optguide.optimize.search.race_state import may_win
from optguide.optimize.state import Store
from tests.performance.models import MODELS
from tests.performance.written import written

__all__ = ["run"]

SECONDS = 75.0
"""Budget of a run: the default of ten minutes would ask for a search of hours beside it."""

SECONDS_PER_CANDIDATE = 5.0
"""Loading included, for every candidate there is; the best of them are then measured longer."""

SECONDS_PER_FINALIST = 18.0
"""Loading included, for the best of the search and for the comparison."""

AT_ONCE = 6
"""Candidates that take turns in one session of the search, one of which is always the default."""

LABELLED = ("digits",)

GOALS: dict[str, Goal] = {"digits": "latency", "resnet50": "latency"}
"""Goals of the models; throughput without an entry. Every batch of ResNet-50 takes an hour to search."""


@dataclass(frozen=True)
class Chosen:
    """What one run chose.

    :param seconds: that the run took.
    """

    outcome: Outcome
    winner: Variant
    candidates: tuple[Variant, ...]
    reference: Variant | None
    seconds: float


def run(share: float, models: Sequence[str] = MODELS) -> Table:
    """Two runs per model, a search of all candidates that may win, and a session that compares them."""
    table = Table(
        title="Chosen configurations (targets: within 3 % of the best, never slower than default and hint,"
        " a tenth of the search's time, two runs within 2 %)",
        title_justify="left",
    )
    for column in ("model, goal", "chosen", "best of all"):
        table.add_column(column)
    for column in ("over the best", "over default", "over hint", "over framework", "run 2", "times"):
        table.add_column(column, justify="right")
    for model in models:
        table.add_row(*_judged(model, GOALS.get(model, "throughput"), share))
    return table


def _judged(model: str, goal: Goal, share: float) -> tuple[str, ...]:
    with tempfile.TemporaryDirectory() as folder:
        first, second = (_chosen(model, goal, share, seed, Path(folder, str(seed))) for seed in (0, 1))
        started = time.monotonic()
        best = _search(first, goal, share)
        searched = time.monotonic() - started
        by_name = {variant.name: variant for variant in first.candidates}
        finals = {
            "winner": first.winner,
            "again": second.winner,
            "best": best,
            "default": by_name[first.outcome.decision.default],
            "hint": by_name[first.outcome.decision.hint],
            "framework": first.reference,
        }
        taking_part = [variant.with_(name) for name, variant in finals.items() if variant is not None]
        session = measure(taking_part, _budget(taking_part, share), label=f"{model}, final")
        over = [_over(session, name, goal) for name in ("best", "default", "hint", "framework", "again")]
    times = f"{first.seconds:.0f} of {searched:.0f} s\n{len(first.candidates)} candidates"
    chosen = dict.fromkeys((first.winner.name, second.winner.name))
    return (f"{model}, {goal}", "\nthen ".join(chosen), best.name, *over, times)


def _chosen(model: str, goal: Goal, share: float, seed: int, folder: Path) -> Chosen:
    place = f"tests.performance.models:{model}"
    settings = Settings(
        place,
        f"{place}_data",
        None if model in LABELLED else "cosine",  # the first choice of random weights is next to chance
        goal=goal,
        budget=max(20.0, SECONDS * share),
        seed=seed,
        unproven=True,
        claims=False,
    )
    started = time.monotonic()
    outcome = begin(settings, folder).outcome
    seconds = time.monotonic() - started
    state = Store.reopen(folder).state
    subject = decode(state.resumption.source, SourceModel)
    data = read_data(settings, subject)
    files = {
        artifact.precision: folder / artifact.file for artifact in outcome.state.artifacts if artifact.file
    }

    def variant(candidate: Candidate) -> Variant:
        inputs = write_inputs(data, subject, folder / "run" / "inputs", candidate.deployment.batch)
        return candidate.variant(str(files[candidate.precision]), inputs)

    precisions = {
        artifact.precision
        for artifact in outcome.state.artifacts
        if may_win(artifact, unproven=settings.unproven)
    }
    able = [
        standing.candidate
        for standing in outcome.decision.standings
        if standing.candidate.precision in precisions and standing.status != "failed"
    ]
    reference = subject.reference
    if reference is not None:
        reference = replace(reference, inputs=write_inputs(data, subject, folder / "run" / "inputs", None))
    winner = variant(outcome.decision.standing(outcome.decision.winner).candidate)
    return Chosen(outcome, winner, tuple(map(variant, able)), reference, seconds)


def _search(chosen: Chosen, goal: Goal, share: float) -> Variant:
    """The candidate with the best ratio to the default: all measured equally long, the best of them again."""
    default = next(one for one in chosen.candidates if one.name == chosen.outcome.decision.default)
    others = [one for one in chosen.candidates if one is not default]
    found: dict[str, float] = {}
    for start in range(0, len(others), AT_ONCE - 1):
        group = [default, *others[start : start + AT_ONCE - 1]]
        label = f"search, from {start} of {len(others)}"
        found |= _ratios(group, goal, Budget(_least(share, SECONDS_PER_CANDIDATE) * len(group)), label)
    best = sorted(others, key=lambda one: -found.get(one.name, 0.0))[: AT_ONCE - 1]
    again = _ratios([default, *best], goal, _budget([default, *best], share), "search, the best of all")
    return max([default, *best], key=lambda one: again.get(one.name, 1.0 if one is default else 0.0))


def _ratios(group: Sequence[Variant], goal: Goal, budget: Budget, label: str) -> dict[str, float]:
    """How much better than the first each of the others is; those that failed are left out."""
    session = measure(group, budget, label=label)
    names = [one.name for one in group[1:] if one.name in session.series]
    try:
        return {name: session.compare(group[0].name, name, goal).ratio.value for name in names}
    except NotEnoughSamples:  # of large batches, six rounds take longer
        return _ratios(group, goal, replace(budget, seconds=2 * budget.seconds), label)


def _over(final: SessionResult, other: str, goal: Goal) -> str:
    if other not in final.series:
        return "not here"
    ratio = final.compare(other, "winner", goal).ratio
    return written(ratio, between="\n")


def _budget(variants: Sequence[Variant], share: float) -> Budget:
    return Budget(_least(share, SECONDS_PER_FINALIST) * len(variants), precision=0.003)


def _least(share: float, seconds: float) -> float:
    return max(1.0, seconds * share)
