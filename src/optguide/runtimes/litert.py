"""LiteRT, the runtime of TensorFlow Lite models, with its CPU kernels (XNNPACK)."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from optguide.errors import InputError, ModelError, first_line
from optguide.runtimes.base import Outputs, Runner, Runtime, installed
from optguide.runtimes.inputs import Arrays
from optguide.runtimes.ports import Port, match_shapes


@dataclass(frozen=True)
class LiteRT(Runtime):
    """LiteRT on the CPU.

    :param threads: threads per inference; ``None`` leaves the runtime's default.
    :param shapes: input name to shape, set before the tensors are allocated.
    """

    names: ClassVar = {"litert": {}}
    formats: ClassVar = {".tflite": "TensorFlow Lite"}
    packages: ClassVar = ("ai-edge-litert",)
    keys: ClassVar = {"threads": (), "shape": ()}

    threads: int | None = None
    shapes: Mapping[str, tuple[int, ...]] = field(default_factory=dict)

    def runner(self, spec: dict[str, Any]) -> LiteRTRunner:
        return LiteRTRunner(self, spec)


class LiteRTRunner(Runner[LiteRT]):
    """An ``Interpreter``: inputs are copied in and outputs copied out with every call.

    Its tensors have one shape at a time; a call whose inputs have another allocates them anew.
    """

    refusals: ClassVar = (RuntimeError, ValueError)

    def load(self) -> None:
        with self.stage("import"), installed("LiteRT"):
            from ai_edge_litert.interpreter import Interpreter
        path = Path(self.spec["model"])
        with self.stage("read"):
            try:
                self._interpreter = Interpreter(model_path=str(path), num_threads=self.settings.threads)
            except (RuntimeError, ValueError) as error:
                raise ModelError(
                    f"LiteRT cannot load {path.name}: {first_line(error)}",
                    "Check that it is a complete .tflite file.",
                ) from error
        # Under the names of the tensors, as OpenVINO has them: one --shape and one input file serve both.
        details = self._interpreter.get_input_details()
        self.ports = tuple(
            Port(port["name"], np.dtype(port["dtype"]).name, tuple(map(_size, port["shape_signature"])))
            for port in details
        )
        self._places = {port["name"]: port["index"] for port in details}
        outputs = self._interpreter.get_output_details()
        self.output_names = [[port["name"]] for port in outputs]
        self._outputs = [port["index"] for port in outputs]
        self._chosen = match_shapes(self.settings.shapes, self.ports)
        self.sets = self.input_sets(self.settings.shapes)
        with self.stage("compile"):
            self._allocate(self.sets[0])
        self.calls = [self.bound(arrays) for arrays in self.sets]

    def bound(self, arrays: Arrays) -> Callable[[], Any]:
        return partial(self._call, arrays)

    def _allocate(self, arrays: Arrays) -> None:
        """Give the inputs the shapes of ``arrays``, and find memory for all tensors."""
        try:
            for name, place in self._places.items():
                # Strictly: only dimensions that the model leaves open, unless the reader asks for others.
                strict = name not in self._chosen
                self._interpreter.resize_tensor_input(place, arrays[name].shape, strict=strict)
            self._interpreter.allocate_tensors()
        except (RuntimeError, ValueError) as error:
            shapes = ", ".join(f"{name!r} of shape {list(array.shape)}" for name, array in arrays.items())
            raise InputError(
                f"The model cannot take {shapes}: {first_line(error)}",
                "Check the shapes in the .npz file, or choose a --shape that its layers allow.",
            ) from error
        self._shapes = {name: array.shape for name, array in arrays.items()}

    def _call(self, arrays: Arrays) -> Outputs:
        if self.varied and self._shapes != {name: array.shape for name, array in arrays.items()}:
            self._allocate(arrays)
        for name, array in arrays.items():
            self._interpreter.set_tensor(self._places[name], array)
        self._interpreter.invoke()
        return [self._interpreter.get_tensor(index) for index in self._outputs]

    def effective(self) -> dict[str, str]:
        threads = self.settings.threads  # all that there is to set; LiteRT does not tell what it resolved
        return {"num_threads": "default" if threads is None else str(threads)}

    def versions(self) -> dict[str, str]:
        return {"ai-edge-litert": importlib.metadata.version("ai-edge-litert")}


def _size(size: Any) -> int | None:
    return None if size < 0 else int(size)
