"""What probes have to know of a model before they plan anything: examined once, in a process of its own."""

from __future__ import annotations

import math
import os
import statistics
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from optguide.bench import process
from optguide.bench.process import LOAD_SECONDS
from optguide.bench.variant import Variant
from optguide.bench.worker import Worker
from optguide.machine import Machine
from optguide.runtimes import runner_for
from optguide.runtimes.devices import named
from optguide.runtimes.inputs import random_inputs
from optguide.runtimes.openvino_models import read_model
from optguide.stats.accuracy import similarity
from optguide.stats.estimate import Estimate, median_of_rounds

CALLS = 3
"""Inferences whose median is the time of one, after those that check the outputs."""


@dataclass(frozen=True)
class ModelUnderTest:
    """The reader's model and what it takes to run it.

    :param plain: the variant with OpenVINO's defaults, from which the others are made.
    :param int8: the same model in 8 bits, if the reader has one.
    :param ir: an IR of the model: its own file, or one that was made for this.
    :param drawn: inputs as ``.npz``: the reader's, or one set of random ones.
    :param folder: for files of the probes; it goes when they are done.
    :param loading: seconds from a new process to a loaded model.
    :param inference: seconds of one inference, by a model that was compiled for throughput.
    :param requests: infer requests that the device calls optimal under the THROUGHPUT hint.
    :param shapes: input shapes by name, taken from the first input set.
    :param input_bytes: size of the first input set.
    :param batch: inputs that one inference processes.
    :param dynamic: whether a shape of the model itself leaves a size open.
    """

    plain: Variant
    int8: str | None
    ir: str
    drawn: tuple[str, ...]
    folder: Path
    loading: float
    inference: float
    requests: int
    shapes: Mapping[str, tuple[int, ...]]
    input_bytes: int
    batch: int
    dynamic: bool

    @property
    def suffix(self) -> str:
        """Of the model's file; empty for a folder."""
        return "" if Path(self.plain.model).is_dir() else Path(self.plain.model).suffix.lower()

    @property
    def device(self) -> str:
        """OpenVINO's name of the device or the combination of devices."""
        return self.plain.openvino.device

    @property
    def on_cpu(self) -> bool:
        """Whether the device is the CPU under its own name."""
        return named(self.device) == ("CPU",) == (self.device,)

    @property
    def processors(self) -> int:
        """Hardware threads that the model may run on."""
        return Machine.current().usable_cores


def examine(plain: Variant, int8: str | None, folder: Path) -> ModelUnderTest:
    """Load the model once and see what it is."""
    throughput = {"PERFORMANCE_HINT": "THROUGHPUT"}
    spec = plain.with_(plain.name, properties=throughput, requests=0).to_dict()
    facts = process.call(
        "optguide.claims.on_model.model:examine_here",
        {"spec": spec, "folder": os.fspath(folder)},
        seconds=LOAD_SECONDS,
        activity=f"looking at {plain.name}",
    )
    facts["drawn"] = plain.inputs or (facts["drawn"],)
    facts["shapes"] = {name: tuple(shape) for name, shape in facts["shapes"].items()}
    return ModelUnderTest(plain, int8, folder=folder, **facts)


def examine_here(spec: dict[str, Any], folder: str) -> dict[str, Any]:
    """The child's side of :func:`examine`: facts about the variant ``spec``, as JSON has them."""
    import numpy as np
    import openvino

    begun = time.perf_counter()
    worker = Worker()
    reply = worker.load(spec)
    answered = worker.check(os.path.join(folder, "outputs.npz"))  # noqa: PTH118 - plain strings in the child
    # A worker's own start, Python and NumPy, takes about as long as the import of OpenVINO.
    loading = time.perf_counter() - begun + reply["stages"]["import"]
    durations = worker.consecutive(CALLS)["durations_ns"]
    arrays = worker.runner.sets[0]
    # In the model's order: what takes them does not look at the names.
    drawn = os.path.join(folder, "drawn.npz")  # noqa: PTH118
    np.savez(drawn, *arrays.values())
    # Read again, because the runner may have given the model other shapes.
    model, ir = read_model(openvino.Core(), Path(spec["model"])), spec["model"]
    if not ir.lower().endswith(".xml"):
        ir = os.path.join(folder, "model.xml")  # noqa: PTH118
        openvino.save_model(model, ir, compress_to_fp16=False)
    return {
        "ir": ir,
        "dynamic": any(port.partial_shape.is_dynamic for port in model.inputs),
        "drawn": drawn,
        "loading": loading,
        "inference": statistics.median(durations) / 1e9,
        "requests": int(reply["effective"]["requests in flight"]),
        "shapes": {name: array.shape for name, array in arrays.items()},
        "input_bytes": sum(array.nbytes for array in arrays.values()),
        "batch": answered["frames"],
    }


DRAWN = 12
"""Sets of random inputs, where the reader gives none; six bound a median."""


def precision_error(variant: Variant, precision: str | None = None) -> Estimate:
    """How far a precision moves the first output from that of 32-bit floats: the median over the inputs.

    The error is one minus the cosine of the two outputs, as a share.

    :param precision: the one to hold against 32-bit floats; the device's default without it.
    """
    values = process.call(
        f"{__name__}:errors",
        {"spec": variant.to_dict(), "draws": DRAWN, "precision": precision},
        seconds=2 * LOAD_SECONDS,
        activity=f"comparing precisions of {variant.name}",
    )
    return median_of_rounds(values, "share", independent=True)


def errors(spec: Mapping[str, Any], draws: int, precision: str | None = None) -> list[float]:
    """The child's side of :func:`precision_error`: of every input set, or of ``draws`` random ones."""
    exact, other = (_first_outputs({**spec, "precision": asked}, draws) for asked in ("f32", precision))
    alike = (similarity(a, b) for a, b in zip(exact, other, strict=True))
    return [1.0 if math.isnan(value) else max(0.0, round(1.0 - value, 12)) for value in alike]


def _first_outputs(spec: dict[str, Any], draws: int) -> list[Any]:
    runner: Any = runner_for(spec)
    runner.load()
    sets = runner.sets if spec["inputs"] else [random_inputs(runner.ports, seed) for seed in range(draws)]
    return [runner.answer(arrays)[0] for arrays in sets]
