"""What can be chosen: the precision of a model, and how it is deployed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from optguide.bench.variant import Variant
from optguide.runtimes.openvino import OpenVINO

Goal = Literal["latency", "throughput"]
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

PRECISIONS: Mapping[Precision, str] = {
    "f32": "32-bit floats",
    "default": "default precision",
    "int8": "INT8",
    "int8_f32": "INT8 among 32-bit floats",
    "int8_accuracy": "INT8 with accuracy control",
    "int8_weights": "INT8 weights",
    "int8_weights_f32": "INT8 weights among 32-bit floats",
    "int4_weights": "INT4 weights",
}
"""Every precision and what reports call it. ``f32`` and ``default`` are one model: the first pins the
inference precision, the second leaves it to the device, which takes bf16 or f16 where it has them."""

PINNED: Mapping[Precision, Precision] = {
    "f32": "default",
    "int8_f32": "int8",
    "int8_weights_f32": "int8_weights",
}
"""The precision of weights and that of computing are two things. By each precision whose layers compute in
32-bit floats where they are not quantized: the one of the same model that leaves their type to the device."""


@dataclass(frozen=True)
class Deployment:
    """How a compiled model is run.

    :param hint: performance hint; ``None`` where streams and threads are set instead.
    :param streams: ``NUM_STREAMS``; ``None`` leaves it to the hint.
    :param threads: ``INFERENCE_NUM_THREADS``; ``None`` leaves it to the device.
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
    """A model in one precision, deployed in one way.

    :param deployment: OpenVINO's defaults where nothing is set.
    """

    precision: Precision
    deployment: Deployment = field(default_factory=Deployment)

    @property
    def name(self) -> str:
        """Unique among the candidates of a run: ``INT8, THROUGHPUT hint``."""
        return f"{PRECISIONS[self.precision]}, {self.deployment.name}"

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
