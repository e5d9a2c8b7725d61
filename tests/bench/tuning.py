"""How good the configurations are that ``optguide optimize`` chooses, beside a search of all candidates."""

from __future__ import annotations

import math
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from rich.table import Table

from optguide import Budget, Variant, measure
from optguide.measuring.estimate import Estimate
from optguide.measuring.result import SessionResult
from optguide.tuning.candidate import Candidate, Goal
from optguide.tuning.given.data import read_data, write_inputs
from optguide.tuning.given.subject import decode
from optguide.tuning.outcome import Outcome, Settings
from optguide.tuning.run import begin
from optguide.tuning.state import Store
from tests.bench.models import MODELS

__all__ = ["run"]

SECONDS = 60.0
"""Budget of a run."""

SECONDS_PER_CANDIDATE = 12.0
"""Of the search of all candidates: the default budget of ``optguide measure``."""

AT_ONCE = 6
"""Candidates that take turns in one session of the search, one of which is always the default."""

OUT = ("too inaccurate", "accuracy not shown", "failed")

LABELLED = ("digits",)

GOALS: dict[str, Goal] = {"digits": "latency"}
"""Goals of the models; throughput without an entry."""


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
            "default": by_name[first.outcome.default],
            "hint": by_name[first.outcome.hint],
            "framework": first.reference,
        }
        taking_part = [variant.with_(name) for name, variant in finals.items() if variant is not None]
        final = measure(taking_part, _budget(len(taking_part), share), label=f"{model}, final")
        over = [_over(final, name, goal) for name in ("best", "default", "hint", "framework", "again")]
    times = f"{first.seconds:.0f} of {searched:.0f} s"
    return (f"{model}, {goal}", first.winner.name, best.name, *over, times)


def _chosen(model: str, goal: Goal, share: float, seed: int, folder: Path) -> Chosen:
    place = f"tests.bench.models:{model}"
    settings = Settings(
        place,
        f"{place}_data",
        None if model in LABELLED else "cosine",  # the first choice of random weights is next to chance
        goal=goal,
        budget=max(20.0, SECONDS * share),
        seed=seed,
        unproven=True,
    )
    started = time.monotonic()
    outcome = begin(settings, folder, claims=False).outcome
    seconds = time.monotonic() - started
    state = Store.reopen(folder).state
    subject = decode(state.subject or {})
    data = read_data(settings, subject)
    files = {made.precision: folder / made.file for made in outcome.made if made.file}

    def variant(candidate: Candidate) -> Variant:
        inputs = write_inputs(data, subject, folder / "run" / "inputs", candidate.deployment.batch)
        return candidate.variant(str(files[candidate.precision]), inputs)

    able = [standing.candidate for standing in outcome.standings if standing.fate not in OUT]
    reference = subject.reference
    if reference is not None:
        reference = replace(reference, inputs=write_inputs(data, subject, folder / "run" / "inputs", None))
    winner = variant(outcome.standing(outcome.winner).candidate)
    return Chosen(outcome, winner, tuple(map(variant, able)), reference, seconds)


def _search(chosen: Chosen, goal: Goal, share: float) -> Variant:
    """The candidate with the best ratio to the default, all measured equally long."""
    default = next(one for one in chosen.candidates if one.name == chosen.outcome.default)
    others = [one for one in chosen.candidates if one is not default]
    found = {default.name: 1.0}
    for start in range(0, len(others), AT_ONCE - 1):
        group = [default, *others[start : start + AT_ONCE - 1]]
        session = measure(group, _budget(len(group), share), label=f"search, from {start} of {len(others)}")
        names = [one.name for one in group if one.name in session.series]
        found |= {name: session.compare(default.name, name, goal).ratio.value for name in names[1:]}
    best = max(found, key=lambda name: found[name])
    return next(one for one in chosen.candidates if one.name == best)


def _over(final: SessionResult, other: str, goal: Goal) -> str:
    if other not in final.series:
        return "not here"
    ratio = final.compare(other, "winner", goal).ratio
    return _written(ratio)


def _budget(variants: int, share: float) -> Budget:
    return Budget(max(1.0, SECONDS_PER_CANDIDATE * share) * variants, precision=0.003)


def _written(ratio: Estimate) -> str:
    if not all(map(math.isfinite, (ratio.low, ratio.high))):
        return "unknown"
    return f"{ratio.value:.3f}\n({ratio.low:.3f} to {ratio.high:.3f})"
