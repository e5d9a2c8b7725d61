"""Causes planted in real deployments: how often each is what ``optguide diagnose`` names first."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import openvino
from openvino import opset13
from rich.table import Table

from optguide import OpenVINO, Variant
from optguide.diagnose import diagnose
from optguide.diagnose.checks import COPIES, IDLE, PRECISION, SHAPES
from optguide.diagnose.diagnosis import Symptom
from optguide.diagnose.inspections import INT8, START, THROTTLED
from optguide.errors import OptGuideError

__all__ = ["run"]

SECONDS = 90.0
RUNS = 10
"""Deployments without a fault; each planted one is diagnosed a third as often."""

Body = Callable[[Any, Any], Any]


@dataclass(frozen=True)
class Plant:
    """A deployment, and the symptom that a diagnosis should name first; ``None`` where nothing is wrong."""

    name: str
    shape: tuple[int, ...]
    body: Body
    symptom: Symptom | None
    runtime: OpenVINO = OpenVINO()  # noqa: RUF009 - frozen
    sizes: tuple[int, ...] = ()
    quota: float | None = None


def _weights(*shape: int) -> np.ndarray:
    fan_in = shape[0] if len(shape) == 2 else int(np.prod(shape[1:]))
    return np.random.default_rng(0).standard_normal(shape, dtype=np.float32) / np.float32(fan_in**0.5)


def _network(ops: Any, x: Any, quantized: Sequence[int] = ()) -> Any:
    """Six convolutions of equal size, some of them quantized."""
    y = ops.relu(ops.convolution(x, ops.constant(_weights(64, 3, 3, 3)), [1, 1], [1, 1], [1, 1], [1, 1]))
    for layer in range(6):
        weights = ops.constant(_weights(64, 64, 3, 3))
        if layer in quantized:
            ends = [[np.full([1] * 4, end, np.float32) for end in pair] for pair in ((0, 6), (-1, 1))]
            y = ops.fake_quantize(y, *ends[0], *ends[0], 256)
            weights = ops.fake_quantize(weights, *ends[1], *ends[1], 255)
        y = ops.relu(ops.convolution(y, weights, [1, 1], [1, 1], [1, 1], [1, 1]))
    return ops.reduce_mean(y, [2, 3], False)


def _layers(ops: Any, x: Any, count: int, width: int) -> Any:
    for _ in range(count):
        x = ops.tanh(ops.matmul(x, ops.constant(_weights(width, width)), False, False))
    return x


PLANTS = (
    Plant(
        "one request under THROUGHPUT",
        (1, 3, 56, 56),
        _network,
        IDLE,
        OpenVINO(properties={"PERFORMANCE_HINT": "THROUGHPUT"}),
    ),
    Plant("32-bit floats pinned", (1, 3, 56, 56), _network, PRECISION, OpenVINO(precision="f32")),
    Plant(
        "a loop that copies 20 MB",
        (1, 5_000_000),
        lambda ops, x: ops.reduce_max(x, [1], True),
        COPIES,
        OpenVINO(feed="copied"),
    ),
    Plant(
        "a new length with each call",
        (1, -1, 128),
        partial(_layers, count=40, width=128),
        SHAPES,
        sizes=(20, 31, 47, 64),
    ),
    Plant("layers in floats within INT8", (1, 3, 56, 56), partial(_network, quantized=(0, 1, 5)), INT8),
    Plant("a slow compilation, no cache", (1, 128), partial(_layers, count=2000, width=128), START),
    Plant("a quota of half a core", (1, 3, 56, 56), _network, THROTTLED, quota=0.5),
    Plant(
        "nothing",
        (1, 3, 56, 56),
        _network,
        None,
        OpenVINO(properties={"PERFORMANCE_HINT": "LATENCY"}),
    ),
)


def run(share: float) -> Table:
    """Diagnose each deployment several times."""
    table = Table(
        title="Planted causes (target: each is named first, nothing is found where nothing is wrong)",
        title_justify="left",
    )
    for column in ("planted", "named first", "of", "instead"):
        table.add_column(column, justify="right" if column in ("named first", "of") else "left")
    with tempfile.TemporaryDirectory() as folder:
        for plant in PLANTS:
            runs = max(1, round(RUNS * share * (1 if plant.symptom is None else 1 / 3)))
            firsts = list(_firsts(plant, Path(folder), runs))
            wanted = plant.symptom.title if plant.symptom else ""
            others = sorted({first or "no finding" for first in firsts if first != wanted})
            table.add_row(plant.name, str(firsts.count(wanted)), str(runs), "; ".join(others))
    return table


def _firsts(plant: Plant, folder: Path, runs: int) -> Iterator[str]:
    """The title of each run's first finding, empty without one; the reason where it was not possible."""
    x = opset13.parameter(openvino.PartialShape(list(plant.shape)), np.float32, name="x")
    x.output(0).set_names({"x"})
    model = folder / "model.xml"
    openvino.save_model(openvino.Model([plant.body(opset13, x)], [x]), model, compress_to_fp16=False)
    variant = Variant("model", model=model, runtime=plant.runtime, quota=plant.quota)
    sizes = [{"x": (1, length, *plant.shape[2:])} for length in plant.sizes]
    for _ in range(runs):
        try:
            findings = diagnose(variant, SECONDS, sizes=sizes).findings
        except OptGuideError as error:
            yield error.message
        else:
            yield findings[0].symptom.title if findings else ""
