"""Asynchronous throughput as the guide's loop and as ``benchmark_app`` measure it, in turns."""

from __future__ import annotations

import numpy as np
from rich.table import Table

from optguide import Budget, OpenVINO, Variant, measure
from optguide.bench.benchmark_app import benchmark_app
from optguide.guide import workloads
from optguide.stats.comparison import paired

__all__ = ["run"]

PAIRS = 8
SECONDS = 4.0
REQUESTS = 4


def run(share: float) -> Table:
    """A model of about 50 us and ResNet-50: same hint, same number of requests, inputs set once."""
    seconds = max(1.0, SECONDS * share)
    table = Table(
        title="Throughput, optguide over benchmark_app (target: at least 1.0)", title_justify="left"
    )
    for column in ("model", "optguide /s", "benchmark_app /s", "ratio", "95 % interval"):
        table.add_column(column, justify="left" if column == "model" else "right")
    random = np.random.default_rng(0)
    for workload in (workloads.tiny(), workloads.resnet50()):
        rates: dict[bool, list[float]] = {True: [], False: []}
        for _ in range(PAIRS):
            for ours in random.permutation([True, False]):
                rates[bool(ours)].append((_ours if ours else _theirs)(workload, seconds))
        ratio = paired(rates[True], rates[False])
        middles = (f"{np.median(rates[ours]):,.0f}" for ours in (True, False))
        table.add_row(workload.title, *middles, f"{ratio.value:.3f}", f"{ratio.low:.3f} to {ratio.high:.3f}")
    return table


def _ours(workload: workloads.Workload, seconds: float) -> float:
    variant = Variant(
        workload.title,
        model=workload.ir,
        inputs=(workload.inputs,),
        runtime=OpenVINO(properties={"PERFORMANCE_HINT": "THROUGHPUT"}, requests=REQUESTS, feed="preset"),
    )
    return measure([variant], Budget(2 * seconds, precision=1e-6)).throughput(variant.name).value


def _theirs(workload: workloads.Workload, seconds: float) -> float:
    return benchmark_app(workload.ir, seconds=seconds, hint="throughput", requests=REQUESTS).throughput
