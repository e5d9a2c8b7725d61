"""A/A: how often equal variants are told apart, in sessions of the shapes and budgets that the guide uses."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import scipy
from rich.table import Table

from optguide import Budget, Comparison, Variant, measure
from optguide import format as fmt
from optguide.bench.cold_start import first_inference
from optguide.errors import EnvironmentMissing
from optguide.guide import profiles, workloads
from optguide.guide.workloads import Workload
from optguide.stats.estimate import CONFIDENCE
from tests.performance.disturbance import one_busy_core

__all__ = ["run", "run_disturbed", "run_limited"]

COMPARISONS = 300
QUANTITIES = ("latency", "throughput")
SIZES = (2, 5, 8)
"""Variants in a session."""

QUOTA = 1.0
"""Cores that each worker gets where a quota limits it."""


@dataclass(frozen=True)
class Trial:
    """The comparisons of one session with its first variant.

    :param others_share: of the machine, by other processes; NaN if unknown.
    """

    comparisons: tuple[Comparison, ...]
    others_share: float


def run(share: float) -> Table:
    """Count on the machine as it is."""
    return _table("A/A, machine as it is", share)


def run_disturbed(share: float) -> Table:
    """Count while another process burns one core."""
    with one_busy_core():
        return _table("A/A, one core burnt by another process", share)


def run_limited(share: float) -> Table:
    """Count while a quota gives each worker one core."""
    return _table(f"A/A, a quota of {QUOTA:g} core for each worker", share, QUOTA)


def _table(title: str, share: float, quota: float | None = None) -> Table:
    target = "target: at most 5 % exclude 1, at most 1 % are called faster or slower"
    table = Table(title=f"{title} ({target})", title_justify="left")
    for column in (
        "variants",
        "comparisons",
        "excluded 1",
        "called faster or slower",
        "half-width",
        "others' share",
    ):
        table.add_column(column, justify="left" if column == "variants" else "right")
    trials: list[Trial] = []
    try:
        for shape, trial in _trials(quota, max(1, round(COMPARISONS * share))):
            trials.append(trial)
            table.add_row(shape, *_counts([trial]))
    except EnvironmentMissing as error:
        table.add_row(error.message, *[""] * 5)
    if trials:
        table.add_section()
        table.add_row("all", *_counts(trials))
    return table


def _trials(quota: float | None, count: int) -> Iterator[tuple[str, Trial]]:
    """Sessions of all shapes in turn until there are so many comparisons."""
    models = (workloads.tiny(), workloads.sentences(), workloads.resnet50())
    done = 0
    for seed in itertools.count():
        for size, model in itertools.product(SIZES, models):
            variants = _variants(model, size, quota)
            for kind, trial in (("session", _session), ("start-up", _startup)):
                found = trial(variants, seed)
                done += len(found.comparisons)
                yield f"{size} of {model.title}, {kind}", found
                if done >= count:
                    return


def _variants(model: Workload, size: int, quota: float | None) -> list[Variant]:
    first = Variant("0", model=model.ir, inputs=(model.inputs,), quota=quota)
    return [first.with_(str(number)) for number in range(size)]


def _session(variants: list[Variant], seed: int) -> Trial:
    budget: Budget = profiles.PROFILES["full"].budget
    result = measure(variants, replace(budget, precision=1e-9), seed=seed)
    first, *others = result.series
    pairs = itertools.product(others, QUANTITIES)
    return Trial(
        tuple(result.compare(first, name, quantity) for name, quantity in pairs), result.others_share
    )


def _startup(variants: list[Variant], seed: int) -> Trial:
    result = first_inference(variants, profiles.PROFILES["full"].repeats, seed=seed)
    if result.failures:
        raise next(iter(result.failures.values()))
    first, *others = result.runs
    return Trial(tuple(result.compare(first, name) for name in others), result.others_share)


def _counts(trials: list[Trial]) -> tuple[str, ...]:
    found = [comparison for trial in trials for comparison in trial.comparisons]
    without_one = sum(comparison.ratio.relation(1.0, 1.0) in ("above", "below") for comparison in found)
    called = sum(comparison.verdict in ("faster", "slower") for comparison in found)
    width = float(np.median([comparison.ratio.relative_half_width for comparison in found]))
    others = float(np.mean([trial.others_share for trial in trials]))
    rates = (_rate(count, len(found)) for count in (without_one, called))
    return str(len(found)), *rates, f"±{width:.1%}", fmt.quantity(others, "share")


def _rate(count: int, total: int) -> str:
    """A count with the interval of its share (C. J. Clopper and E. S. Pearson, 1934).

    Comparisons of one session share their first variant, so together they say a little less than that.
    """
    interval = scipy.stats.binomtest(count, total).proportion_ci(CONFIDENCE, method="exact")
    return f"{count} ({interval.low:.1%} to {interval.high:.1%})"
