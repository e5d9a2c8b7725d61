"""How good the streams and threads are that the guide's procedure recommends."""

from __future__ import annotations

import openvino
from rich.table import Table

from optguide import Budget, OpenVINO, Variant, measure
from optguide.bench.streams import Setting, alternatives, grid, sweet_spot
from optguide.guide import workloads
from tests.performance.written import written

__all__ = ["run"]

HINT = "THROUGHPUT hint"
SECONDS_PER_VARIANT = 3.0


def run(share: float) -> Table:
    """The procedure, a search of the full grid, and a third session that compares what the two found."""
    table = Table(
        title="Recommended setting (target: within 3 % of the best, at least as fast as the THROUGHPUT hint)",
        title_justify="left",
    )
    for column in ("model", "recommended", "best of the grid", "over the best", "over the hint"):
        table.add_column(column, justify="right" if column.startswith("over") else "left")
    for workload in (workloads.resnet50(), workloads.resnet50_int8(), workloads.sentences()):
        table.add_row(workload.title, *_judged(workload, share))
    return table


def _judged(workload: workloads.Workload, share: float) -> tuple[str, ...]:
    hint = Variant(
        HINT,
        model=workload.ir,
        inputs=(workload.inputs,),
        runtime=OpenVINO(properties={"PERFORMANCE_HINT": "THROUGHPUT"}, requests=0),
    )
    core = openvino.Core()
    processors = core.get_property("CPU", "RANGE_FOR_STREAMS")[1]
    compiled = core.compile_model(workload.ir, "CPU", dict(hint.openvino.properties))
    default = Setting(*(compiled.get_property(key) for key in ("NUM_STREAMS", "INFERENCE_NUM_THREADS")))
    del compiled, core

    near = [hint, *(_asking(hint, setting) for setting in alternatives(default, processors))]
    procedure = measure(near, _budget(near, share), label=f"{workload.title}, procedure")
    recommended = sweet_spot(procedure, HINT, [variant.name for variant in near[1:]])

    streams, threads = grid(processors)
    cells = [_asking(hint, Setting(s, t)) for s in streams for t in threads]
    search = measure(cells, _budget(cells, share), label=f"{workload.title}, grid")
    best = max(search.series, key=lambda name: search.throughput(name).value)

    # The best of many is best by luck too, so it has to show it again.
    names = {variant.name: variant for variant in (*near, *cells)}
    finals = [hint, names[recommended].with_("recommended"), names[best].with_("best")]
    final = measure(finals, _budget(finals, 2 * share), label=f"{workload.title}, final")
    ratios = [final.compare(other, "recommended", "throughput").ratio for other in ("best", HINT)]
    return (recommended, best, *map(written, ratios))


def _asking(hint: Variant, setting: Setting) -> Variant:
    return hint.with_(setting.name, properties=setting.properties)


def _budget(variants: list[Variant], share: float) -> Budget:
    return Budget(max(1.2, SECONDS_PER_VARIANT * share) * len(variants), precision=0.005)
