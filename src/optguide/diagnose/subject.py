"""What a diagnosis has to know before it measures: the deployment, loaded once in a process of its own."""

from __future__ import annotations

import math
import os
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

from optguide.bench import process
from optguide.bench.process import GRACE_SECONDS, LOAD_SECONDS, WorkerProcess
from optguide.bench.rotation import THIS_MACHINE, Host
from optguide.bench.variant import Variant
from optguide.diagnose.what_if import quantizers
from optguide.machine import Machine
from optguide.runtimes import runner_for
from optguide.runtimes.inputs import random_inputs, save
from optguide.runtimes.openvino_models import SUFFIX, ports_of, read_model
from optguide.runtimes.ports import match_shapes

Goal = Literal["latency", "throughput"]

DEPLOYED = "as deployed"

CALLS = 3
"""Whose median is the time of a call, after the first one."""

PASSES = 2
"""Over all input sets, in which no size is new any more."""

PASSES_SECONDS = 10.0
"""What all passes may take; they are a remark on a finding, and the budget is for remedies."""

PROPERTY_OF = {"precision": "INFERENCE_PRECISION_HINT", "threads": "INFERENCE_NUM_THREADS"}
"""Settings of a variant that stand for a property."""


@dataclass(frozen=True)
class Facts:
    """What one process told about the deployment.

    :param stages: seconds of ``import``, ``read`` and ``compile``.
    :param first: seconds of the first call.
    :param call: seconds of a later one.
    :param effective: properties as the device resolved them.
    :param default_precision: inference precision that the device takes by itself; empty where it has none.
    :param input_bytes: size of the first input set.
    :param largest: shapes with the largest size of all input sets, by input.
    :param dynamic: whether a size of an input is open in the compiled model.
    :param varied: whether the input sets differ in shape.
    :param quantizers: number of quantizers in the model.
    :param stateful: whether the model keeps a state between calls.
    :param memory: largest resident memory of the process, in bytes.
    :param grown: bytes that a first pass over the input sets added to the process, and :data:`PASSES` more;
        ``None`` where that was not looked at.
    """

    stages: Mapping[str, float]
    first: float
    call: float
    effective: Mapping[str, str]
    default_precision: str = ""
    input_bytes: int = 0
    largest: Mapping[str, tuple[int, ...]] | None = None
    dynamic: bool = False
    varied: bool = False
    quantizers: int = 0
    stateful: bool = False
    memory: int = 0
    grown: tuple[int, int] | None = None

    @property
    def loading(self) -> float:
        """Seconds from a new process to a loaded model; Python and NumPy take as long as the import."""
        return sum(self.stages.values()) + self.stages.get("import", 0.0) + self.first


@dataclass(frozen=True)
class Subject:
    """The deployment that is slow.

    :param goal: ``latency`` or ``throughput``, whichever the deployment is meant to improve.
    :param folder: for files of the checks; it goes when they are done.
    :param prepared: the same, with each input prepared before its call; none where inputs are at hand.
    :param afford: raises :class:`NotEnoughSamples` where a measurement of so many seconds takes too long.
    """

    deployed: Variant
    facts: Facts
    goal: Goal
    folder: Path
    machine: Machine
    host: Host = THIS_MACHINE
    prepared: Variant | None = None
    afford: Callable[[float], None] = lambda _: None

    @property
    def properties(self) -> Mapping[str, str]:
        """What the reader asked of the device, settings that stand for a property among them."""
        runtime = self.deployed.openvino
        settings = {key: getattr(runtime, name) for name, key in PROPERTY_OF.items()}
        return {
            **{key: str(value) for key, value in settings.items() if value is not None},
            **runtime.properties,
        }

    @property
    def in_flight(self) -> int:
        """Infer requests in flight."""
        return self.number("requests in flight", 1)

    @property
    def processors(self) -> int:
        """Hardware threads that the deployment may run on."""
        return min(self.machine.usable_cores, self.deployed.cores or self.machine.usable_cores)

    @property
    def idle_cores(self) -> int:
        """Cores without a thread although none was asked to stay without, as those of another socket."""
        count = self.number("INFERENCE_NUM_THREADS")
        if not count or "INFERENCE_NUM_THREADS" in self.properties:
            return 0
        return max(0, min(self.machine.physical_cores or self.processors, self.processors) - count)

    @property
    def quota(self) -> float:
        """Cores' worth of CPU time that it may use; infinite without a quota."""
        return min(self.deployed.quota or math.inf, self.machine.cpu_quota or math.inf)

    def number(self, key: str, default: int = 0) -> int:
        """An effective property that is a whole number."""
        text = self.facts.effective.get(key, "")
        return int(text) if text.isdecimal() else default

    def without(self, name: str, *keys: str, **changes: Any) -> Variant:
        """The deployment with some properties left to the device, and other changes.

        :param keys: properties, whichever way they were asked for.
        """
        runtime = self.deployed.openvino
        cleared = {setting: None for setting, key in PROPERTY_OF.items() if key in keys}
        properties = {key: value for key, value in runtime.properties.items() if key not in keys}
        changes = {"properties": properties} | cleared | changes
        return self.deployed.with_(name, **changes)


def examine(deployed: Variant, goal: Goal, folder: Path, *, host: Host = THIS_MACHINE) -> Subject:
    """Load the deployment and see what the device makes of it."""
    with host.start(deployed) as worker:
        reply = worker.load()
        (first,) = worker.ask(GRACE_SECONDS * 5, do="consecutive", count=1)["durations_ns"]
        grown = _growth(worker, len(deployed.inputs), first / 1e9)
        worker.first_call()
        durations = worker.ask(GRACE_SECONDS * 5, do="consecutive", count=CALLS)["durations_ns"]
        memory = worker.ask(GRACE_SECONDS, do="memory")["peak_rss"]
        described = worker.ask(
            GRACE_SECONDS * 5,
            do="call",
            function=f"{__name__}:describe",
            arguments={"spec": deployed.to_dict()},
        )
    shapes = {name: tuple(shape) for name, shape in described.pop("largest").items()}
    facts = Facts(
        stages=reply["stages"],
        first=first / 1e9,
        call=statistics.median(durations) / 1e9,
        effective=reply["effective"],
        largest=shapes,
        memory=memory,
        grown=grown,
        **described,
    )
    return Subject(deployed, facts, goal, folder, Machine.current(), host)


def _growth(worker: WorkerProcess, sets: int, call: float) -> tuple[int, int] | None:
    """Bytes that passes over the input sets add.

    :param call: seconds of a call with a new size.
    :return: ``None`` where there is one set, where passes take too long, or where the system does not tell.
    """
    if sets < 2 or (1 + PASSES) * sets * call > PASSES_SECONDS:
        return None
    sizes = []
    for passes in (0, 1, PASSES):
        worker.ask(GRACE_SECONDS * 5, do="consecutive", count=passes * sets)
        sizes.append(worker.ask(GRACE_SECONDS, do="memory")["private"])
    if None in sizes:
        return None
    first, later = (max(0, after - before) for before, after in pairwise(sizes))
    return first, later


def with_sizes(deployed: Variant, sizes: Sequence[Mapping[str, tuple[int, ...]]], folder: Path) -> Variant:
    """The deployment with random inputs of several sizes, in turn.

    :param sizes: shapes by input, one mapping for each set of inputs.
    :raises InputError: the model has no such input, or a size is still open.
    """
    files = process.call(
        f"{__name__}:draw",
        {"model": deployed.model, "sizes": [dict(shapes) for shapes in sizes], "folder": os.fspath(folder)},
        seconds=LOAD_SECONDS,
        activity=f"drawing inputs of {deployed.name}",
    )
    return deployed.with_(deployed.name, inputs=tuple(files))


def draw(model: str, sizes: Sequence[Mapping[str, Sequence[int]]], folder: str) -> list[str]:
    """The child's side of :func:`with_sizes`: the files."""
    import openvino

    ports, files = ports_of(read_model(openvino.Core(), Path(model)).inputs), []
    for number, shapes in enumerate(sizes):
        chosen = match_shapes({name: tuple(shape) for name, shape in shapes.items()}, ports)
        sized = [replace(port, shape=chosen.get(port.name, port.shape)) for port in ports]
        path = Path(folder, f"size-{number}.npz")
        save(path, random_inputs([port.closed(alone=len(ports) == 1) for port in sized], number))
        files.append(str(path))
    return files


def describe(spec: dict[str, Any]) -> dict[str, Any]:
    """The child's side of :func:`examine`: facts about the variant ``spec``, as JSON has them."""
    import openvino

    core = openvino.Core()
    runner: Any = runner_for(spec)
    runner.load()
    path = Path(spec["model"])
    count = 0 if path.suffix == SUFFIX else quantizers(read_model(core, path))
    try:
        precision = core.get_property(spec["device"], "INFERENCE_PRECISION_HINT").get_type_name()
    except (RuntimeError, TypeError, AttributeError):  # a device without it
        precision = ""
    return {
        "default_precision": str(precision),
        "input_bytes": sum(array.nbytes for array in runner.sets[0].values()),
        "largest": _largest(runner.sets),
        "dynamic": any(port.partial_shape.is_dynamic for port in runner.compiled.inputs),
        "varied": runner.varied,
        "quantizers": count,
        "stateful": runner.stateful,
    }


def _largest(sets: Sequence[Mapping[str, Any]]) -> dict[str, tuple[int, ...]]:
    """For every input the shape that holds those of all sets."""
    return {
        name: tuple(max(sizes) for sizes in zip(*(arrays[name].shape for arrays in sets), strict=True))
        for name in sets[0]
    }


def goal_of(deployed: Variant) -> Goal:
    """What a deployment is for, by how it runs."""
    runtime = deployed.openvino
    queued = runtime.properties.get("PERFORMANCE_HINT") in ("THROUGHPUT", "CUMULATIVE_THROUGHPUT")
    return "throughput" if queued or runtime.requests is not None else "latency"


def renamed(variant: Variant) -> Variant:
    """The deployment under the name that all sentences use."""
    return replace(variant, name=DEPLOYED)
