"""How far repeated ratios of the same two models are apart: interleaved sessions and ``benchmark_app``."""

from __future__ import annotations

import numpy as np
from rich.table import Table

from optguide import Budget, Variant, measure
from optguide.bench.benchmark_app import benchmark_app
from optguide.guide import workloads

__all__ = ["run"]

REPEATS = 6
SECONDS = 12.0
LOADING = 8.0
"""Of a session that starts both models several times; the tool's runs load beside their time."""


def run(share: float) -> Table:
    """Six ratios of 12 s each, by both ways, in turns."""
    models = (workloads.resnet50(), workloads.resnet50_int8())
    seconds = max(1.0, SECONDS * share)
    ratios: dict[str, list[float]] = {}
    for seed in range(REPEATS):
        variants = [Variant(model.title, model=model.ir, inputs=(model.inputs,)) for model in models]
        session = measure(variants, Budget(seconds + LOADING * share, precision=1e-6), seed=seed)
        for quantity in ("latency", "throughput", "cpu_time"):
            ratio = session.compare(models[0].title, models[1].title, quantity).ratio.value
            ratios.setdefault(f"optguide, {quantity}", []).append(ratio)
        slow, fast = (
            benchmark_app(model.ir, seconds=seconds / 2, hint="latency", api="sync") for model in models
        )
        ratios.setdefault("benchmark_app, latency", []).append(slow.latency_median / fast.latency_median)
        ratios.setdefault("benchmark_app, throughput", []).append(fast.throughput / slow.throughput)
    table = Table(
        title=f"Default over INT8, six ratios of {seconds:g} s (target: spread at most 2 %)",
        title_justify="left",
    )
    for column in ("way", "median ratio", "lowest", "highest", "spread"):
        table.add_column(column, justify="left" if column == "way" else "right")
    for way, values in ratios.items():
        middle, low, high = float(np.median(values)), min(values), max(values)
        table.add_row(way, f"{middle:.3f}", f"{low:.3f}", f"{high:.3f}", f"{(high - low) / middle:.1%}")
    return table
