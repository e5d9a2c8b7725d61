"""What the user asked for, and what can be chosen: precisions, deployments, and which of them to try.

OpenVINO's hint for the goal is where the search begins: it is right or nearly right for most models. What it
does not decide is the batch, and what it decides without knowing the model are streams, threads and requests.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from optguide.bench.load import LatencyLimit
from optguide.bench.streams import Setting
from optguide.bench.variant import Variant
from optguide.runtimes.openvino import OpenVINO

Goal = Literal["latency", "throughput"]

MEASURES: Mapping[Goal, str] = {"latency": "as fast as", "throughput": "the throughput of"}
"""What a ratio of two candidates says, between its digits and the other's name."""

Precision = Literal[
    "f32",
    "default",
    "int8",
    "int8_f32",
    "int8_accuracy",
    "int8_weights",
    "int8_weights_f32",
    "int4_weights",
]


@dataclass(frozen=True)
class Settings:
    """What the user asked for, complete: a run is resumed from this.

    The reference page of ``report.json``, ``docs/reference/report.md``, describes every field.
    """

    model: str
    data: str | None = None
    metric: str | None = None
    max_drop: float = 0.01
    unproven: bool = False
    limit: LatencyLimit | None = None
    goal: Goal = "latency"
    budget: float = 600.0
    device: str = "CPU"
    shapes: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    allow_pickle: bool = False
    claims: bool = True
    seed: int = 0

    @property
    def percentile(self) -> str:
        """That of the latency limit, such as ``p99``; ``p50`` without one."""
        return f"p{self.limit.percentile}" if self.limit else "p50"


PRECISIONS: Mapping[Precision, str] = {
    "default": "default precision",
    "f32": "32-bit floats",
    "int8_weights": "INT8 weights",
    "int8_weights_f32": "INT8 weights among 32-bit floats",
    "int8_accuracy": "INT8 with accuracy control",
    "int8": "INT8",
    "int8_f32": "INT8 among 32-bit floats",
    "int4_weights": "INT4 weights",
}
"""Every precision and what reports call it; of two that are equally fast the earlier is the better choice.
``f32`` and ``default`` are one model: the first pins the inference precision, the second leaves it to the
device, which takes bf16 or f16 where it has them."""

PINNED: Mapping[Precision, Precision] = {
    "f32": "default",
    "int8_f32": "int8",
    "int8_weights_f32": "int8_weights",
}
"""The precision of weights and that of computing are two things. By each precision whose layers compute in
32-bit floats where they are not quantized: the one of the same model that leaves their type to the device."""


@dataclass(frozen=True)
class Deployment:
    """How a compiled model is run; what is ``None`` is left to OpenVINO.

    :param hint: ``None`` where streams and threads are set instead.
    :param requests: infer requests in flight: ``None`` is one synchronous call after another, ``0`` as many
        as the device calls optimal.
    :param batch: inputs per inference; ``None`` leaves the model's own.
    """

    hint: Literal["LATENCY", "THROUGHPUT"] | None = None
    streams: int | None = None
    threads: int | None = None
    requests: int | None = None
    batch: int | None = None

    @property
    def properties(self) -> dict[str, str]:
        """The OpenVINO properties that ask for it."""
        choices = {
            "PERFORMANCE_HINT": self.hint,
            "NUM_STREAMS": self.streams,
            "INFERENCE_NUM_THREADS": self.threads,
        }
        return {key: str(value) for key, value in choices.items() if value is not None}

    @property
    def name(self) -> str:
        """``THROUGHPUT hint``, ``2 streams, 4 threads``; ``default settings`` where nothing is set."""
        parts = [f"{self.hint} hint"] if self.hint else []
        for number, noun in ((self.streams, "stream"), (self.threads, "thread"), (self.requests, "request")):
            if number:  # neither unset nor "as the device likes"
                parts.append(f"{number} {noun}{'' if number == 1 else 's'}")
        if self.requests == 0 and self.hint != "THROUGHPUT":
            parts.append("asynchronous")
        if self.requests is None and self.hint == "THROUGHPUT":
            parts.append("synchronous")
        if self.batch:
            parts.append(f"batch {self.batch}")
        return ", ".join(parts) or "default settings"

    @property
    def settings(self) -> int:
        """How many decisions it takes: of two that cannot be told apart, the one with fewer is better."""
        choices = (self.hint, self.streams, self.threads, self.batch)
        return sum(value is not None for value in choices) + bool(self.requests)


@dataclass(frozen=True)
class Candidate:
    """A model in one precision, deployed in one way."""

    precision: Precision
    deployment: Deployment = field(default_factory=Deployment)

    @property
    def name(self) -> str:
        """Unique among the candidates of a run: ``INT8, THROUGHPUT hint``."""
        return f"{PRECISIONS[self.precision]}, {self.deployment.name}"

    @property
    def properties(self) -> dict[str, str]:
        """All OpenVINO properties that ask for it, the inference precision among them."""
        pinned = {"INFERENCE_PRECISION_HINT": "f32"} if self.precision in PINNED else {}
        return self.deployment.properties | pinned

    def variant(self, model: str, inputs: tuple[str, ...] = (), device: str = "CPU") -> Variant:
        """What measuring needs to know.

        :param model: file of the model in this precision.
        :param inputs: ``.npz`` files with this deployment's batch.
        """
        return Variant(
            self.name,
            model=model,
            runtime=OpenVINO(
                device=device,
                properties=self.deployment.properties,
                precision="f32" if self.precision in PINNED else None,
                requests=self.deployment.requests,
                batch=self.deployment.batch,
            ),
            inputs=inputs,
        )


DEFAULT = Candidate("default")
"""OpenVINO with nothing set."""

F32 = Candidate("f32")
"""The same in 32-bit floats, as the model came."""


def hint_for(goal: Goal) -> Candidate:
    """The hint for the goal with nothing else set."""
    if goal == "throughput":
        return Candidate("default", Deployment(hint="THROUGHPUT", requests=0))
    return Candidate("default", Deployment(hint="LATENCY"))


BATCHES = (4, 16, 64)
"""Inputs per inference to try: what a batch saves per input is nearly all saved at the first of them."""


class Place(NamedTuple):
    """A deployment as numbers.

    :param requests: in flight per stream; zero is synchronous.
    """

    streams: int
    threads: int
    requests: int
    batch: int


@dataclass(frozen=True)
class Space:
    """Deployments to try, the most promising first.

    :param deployments: OpenVINO's default, the hint for the goal, and settings in place of the hint's.
    :param own: streams and threads that the device chooses under the hint.
    """

    deployments: tuple[Deployment, ...]
    own: Setting

    def place(self, deployment: Deployment) -> Place:
        """Where it lies, with the device's choice where none is made."""
        streams = deployment.streams or self.own.streams
        threads = deployment.threads or self.own.threads
        requests = 0 if deployment.requests is None else max(1, deployment.requests // streams)
        return Place(streams, threads, requests, deployment.batch or 1)


def space_of(goal: Goal, *, streams: int, threads: int, processors: int, batchable: bool = False) -> Space:
    """What to try for a goal on this machine.

    Settings that the device would reduce (more streams than threads, more threads than processors) and those
    that it chooses by itself are left out.

    :param streams: number of streams that the device chooses under the hint for the goal.
    :param threads: number of threads that it chooses, for all streams together.
    :param processors: number of logical processors that OpenVINO may use.
    """
    own = Setting(streams, threads)
    if goal == "latency":
        return Space(tuple(dict.fromkeys(_for_latency(own, processors))), own)
    return Space(tuple(dict.fromkeys(_for_throughput(own, processors, batchable))), own)


def _for_latency(own: Setting, processors: int) -> list[Deployment]:
    """One inference at a time: all that can differ is how many threads share it."""
    threads = _steps(processors)
    near = sorted(threads, key=lambda number: abs(math.log2(number / own.threads)))
    others = [Deployment(streams=1, threads=number) for number in near if Setting(1, number) != own]
    return [Deployment(), Deployment(hint="LATENCY"), *others]


def _for_throughput(own: Setting, processors: int, batchable: bool) -> list[Deployment]:
    threads = {own.threads, processors, max(1, processors // 2)}
    settings = {own} | {
        Setting(streams, number) for number in threads for streams in _steps(number) if streams <= number
    }
    batches = (None, *BATCHES) if batchable else (None,)
    choices = itertools.product(settings, (False, True), batches)

    def surprise(choice: tuple[Setting, bool, int | None]) -> tuple[float, ...]:
        """How many choices differ from the hint's, then how far."""
        setting, twice, batch = choice
        streams, threads = setting.streams / own.streams, setting.threads / own.threads
        changes = (streams != 1) + (threads != 1) + twice + (batch is not None)
        return changes, abs(math.log2(streams)) + abs(math.log2(threads)), batch or 0, streams

    hint = Deployment(hint="THROUGHPUT", requests=0)
    return [Deployment(), hint, *(_asynchronous(own, *choice) for choice in sorted(choices, key=surprise))]


def _asynchronous(own: Setting, setting: Setting, twice: bool, batch: int | None) -> Deployment:
    """The hint where it would choose this setting itself, and otherwise the setting."""
    requests = 2 * setting.streams if twice else 0
    if setting == own:
        return Deployment(hint="THROUGHPUT", requests=requests, batch=batch)
    return Deployment(streams=setting.streams, threads=setting.threads, requests=requests, batch=batch)


def _steps(largest: int) -> list[int]:
    """Powers of two up to a number, and the number itself."""
    return sorted({largest, *(2**step for step in range(largest.bit_length()) if 2**step <= largest)})
