"""What workers report of a variant: what they loaded, what the first call gave, and every timed block."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from optguide.bench.variant import Variant

__all__ = ["Block", "FirstCall", "InputDescription", "Series"]


@dataclass(frozen=True)
class Block:
    """One turn of one variant.

    :param round: number of the session's round, from zero.
    :param generation: number of the variant's worker, from zero; a session may replace its workers.
    :param latencies_ms: latencies of single inferences: all of them, or a regular sample.
    :param seconds: length of the timed window.
    :param cpu_seconds: CPU time of the worker in the window, all threads; NaN where it held another variant
        that was called at the same time.
    :param calls: inferences completed in the window.
    """

    round: int
    generation: int
    latencies_ms: npt.NDArray[np.float64]
    seconds: float
    cpu_seconds: float
    calls: int

    @classmethod
    def from_reply(cls, round: int, generation: int, reply: Mapping[str, Any]) -> Block:  # noqa: A002
        """The block that a worker reports, see ``TimedBlock``."""
        latencies = np.asarray(reply["latencies_ns"], dtype=np.float64) / 1e6
        seconds, cpu_seconds = reply["wall_ns"] / 1e9, reply["cpu_ns"] / 1e9
        return cls(round, generation, latencies, seconds, cpu_seconds, reply["calls"])


@dataclass(frozen=True)
class InputDescription:
    """What a model was called with.

    :param random: values drawn from a seed, not the reader's own.
    :param shapes: element type and sizes of the first set, by input: ``{"x": ("float32", 1, 16)}``.
    :param notes: choices made without being asked for, in sentences.
    """

    random: bool = True
    shapes: Mapping[str, tuple[str | int, ...]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @classmethod
    def from_reply(cls, reply: Mapping[str, Any]) -> InputDescription:
        """What a worker says when it has loaded a variant."""
        shapes = {name: tuple(shape) for name, shape in reply["shapes"].items()}
        return cls(reply["random"], shapes, tuple(reply["notes"]))

    def differ_from(self, other: InputDescription) -> bool:
        """Whether two models got different values: real and random ones, or others by name, shape or kind."""
        if not self.shapes or not other.shapes:
            return False
        return self.random != other.random or (self.random and self._drawn() != other._drawn())

    def _drawn(self) -> list[tuple[str, bool, list[str | int]]]:
        """What random values depend on; a single input gets the same ones whatever it is called."""
        alone = len(self.shapes) == 1
        return sorted(
            ("" if alone else name.partition(":")[0], str(dtype).startswith("float"), sizes)
            for name, (dtype, *sizes) in self.shapes.items()
        )

    def __str__(self) -> str:
        """``random values for x float32 [1,16]``, with the notes."""
        kind = "random values" if self.random else "real values"
        ports = ", ".join(
            f"{name} {dtype} [{','.join(map(str, sizes))}]" for name, (dtype, *sizes) in self.shapes.items()
        )
        return " ".join([f"{kind} for {ports}." if ports else "of its own.", *self.notes])


@dataclass(frozen=True)
class FirstCall:
    """What the first input set gave.

    :param outputs: one array for each output that NumPy can hold.
    :param names: the real names of each of them; none where the runtime does not tell.
    :param frames: inputs that one call processes.
    :param counted_by: evidence for that; empty where nothing speaks for more than one.
    :param oddities: possible faults of the outputs, in sentences.
    """

    outputs: tuple[npt.NDArray[Any], ...] = ()
    names: tuple[tuple[str, ...], ...] = ()
    frames: int = 1
    counted_by: str = ""
    oddities: tuple[str, ...] = ()


@dataclass(frozen=True)
class Series:
    """Everything measured of one variant.

    :param effective: properties as the runtime resolved them.
    :param versions: versions of the packages that executed the model.
    :param load_seconds: import, read and compile of the first worker; NaN where others loaded beside it.
    :param peak_rss: peak resident memory of the worker in bytes.
    :param inputs: description of the model's inputs.
    :param first_call: description of the first call's result.
    :param overhead: what is left of a call without a part of it, as shares of the call: without handing over
        ``inputs``, or all that is ``python`` around the runtime; what was not measured is missing.
    """

    variant: Variant
    blocks: tuple[Block, ...]
    effective: Mapping[str, str]
    versions: Mapping[str, str]
    load_seconds: float
    peak_rss: int
    inputs: InputDescription = InputDescription()
    first_call: FirstCall = field(repr=False, default=FirstCall())
    overhead: Mapping[str, Sequence[float]] = field(default_factory=dict)

    @property
    def outputs(self) -> tuple[npt.NDArray[Any], ...]:
        """On the first input set."""
        return self.first_call.outputs

    @property
    def frames(self) -> int:
        """Inputs that one inference processes."""
        return self.first_call.frames

    @classmethod
    def from_reply(
        cls, variant: Variant, reply: Mapping[str, Any], first_call: FirstCall, *, alone: bool = False
    ) -> Series:
        """What a worker says of the variant it has loaded; nothing is measured yet.

        :param alone: whether nothing else was loaded at the same time.
        """
        load_seconds = sum(reply["stages"].values()) if alone else math.nan
        inputs = InputDescription.from_reply(reply["inputs"])
        return cls(variant, (), reply["effective"], reply["versions"], load_seconds, 0, inputs, first_call)
