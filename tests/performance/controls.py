"""A/A: how often a comparison of a model with itself calls a difference."""

from __future__ import annotations

import numpy as np
from rich.table import Table

from optguide import Budget, Comparison, Variant, measure
from optguide.guide import workloads
from tests.performance.disturbance import one_busy_core

__all__ = ["run", "run_disturbed"]

COMPARISONS = 40
SECONDS = 13.0


def run(share: float) -> Table:
    """Forty comparisons on the machine as it is."""
    return _table("A/A, machine as it is (target: at most 2 of 40 call a difference)", share)


def run_disturbed(share: float) -> Table:
    """Forty comparisons while another process burns one core."""
    with one_busy_core():
        return _table("A/A, one core burnt by another process (wide intervals, no false verdict)", share)


def _table(title: str, share: float) -> Table:
    table = Table(title=title, title_justify="left")
    for column in (
        "model",
        "quantity",
        "comparisons",
        "called faster or slower",
        "interval without 1",
        "no difference",
        "median half-width",
        "others' share of the machine",
    ):
        table.add_column(column, justify="left" if column in {"model", "quantity"} else "right")
    count = max(2, round(COMPARISONS / 2 * share))
    for workload in (workloads.tiny(), workloads.resnet50()):
        variant = Variant(workload.title, model=workload.ir, inputs=(workload.inputs,))
        budget = Budget(SECONDS, precision=0.001)
        sessions = [measure([variant], budget, control=True, seed=seed) for seed in range(count)]
        others = float(np.mean([session.others_share for session in sessions]))
        for quantity in ("latency", "throughput", "cpu_time"):
            found = [session.compare(variant.name, str(session.twin), quantity) for session in sessions]
            table.add_row(workload.title, quantity, str(count), *_counts(found), f"{others:.0%}")
    return table


def _counts(found: list[Comparison]) -> tuple[str, str, str, str]:
    called = sum(comparison.verdict in {"faster", "slower"} for comparison in found)
    without_one = sum(not comparison.ratio.low <= 1 <= comparison.ratio.high for comparison in found)
    same = sum(comparison.verdict == "no difference" for comparison in found)
    width = np.median([comparison.ratio.relative_half_width for comparison in found])
    return str(called), str(without_one), str(same), f"±{width:.1%}"
