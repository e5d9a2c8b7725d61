"""ONNX Runtime, CPU execution provider."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, ClassVar

import numpy as np

from optguide.errors import ModelError, first_line
from optguide.runtimes import inputs
from optguide.runtimes.base import Runner, Runtime, dynamic_shape, frames_of, installed
from optguide.runtimes.inputs import InputSpec

_TYPES = {
    "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
    "tensor(double)": np.float64,
    "tensor(int64)": np.int64,
    "tensor(int32)": np.int32,
    "tensor(uint8)": np.uint8,
    "tensor(int8)": np.int8,
    "tensor(bool)": np.bool_,
}


@dataclass(frozen=True)
class ONNXRuntime(Runtime):
    """ONNX Runtime's CPU execution provider.

    :param threads: threads per operation; ``None`` leaves the runtime's default.
    :param shapes: input name to static shape, for the random inputs of a model with dynamic shapes.
    """

    names: ClassVar = {"onnxruntime": {}}
    formats: ClassVar = {".onnx": "ONNX"}
    packages: ClassVar = ("onnxruntime", "onnx")
    keys: ClassVar = {"threads": (), "shape": ()}

    threads: int | None = None
    shapes: Mapping[str, tuple[int, ...]] = field(default_factory=dict)

    def runner(self, spec: dict[str, Any]) -> OnnxRuntimeRunner:
        return OnnxRuntimeRunner(self, spec)


class OnnxRuntimeRunner(Runner[ONNXRuntime]):
    """An ``InferenceSession`` with pinned threads and all graph optimizations."""

    refusals: ClassVar = (Exception,)

    def load(self) -> None:
        with self.stage("import"), installed("onnxruntime"):
            import onnxruntime
        self._runtime = onnxruntime
        options = onnxruntime.SessionOptions()
        if self.settings.threads is not None:
            options.intra_op_num_threads = self.settings.threads
        # Waiting threads of an idle session would otherwise spin into the next variant's turn.
        options.add_session_config_entry("session.force_spinning_stop", "1")
        self.stages["read"] = 0.0  # reading and compiling are one call
        with self.stage("compile"):
            try:
                self.session = onnxruntime.InferenceSession(
                    self.spec["model"], options, providers=["CPUExecutionProvider"]
                )
            except Exception as error:
                raise ModelError(
                    f"ONNX Runtime cannot load the model: {first_line(error)}",
                    "Check that it is a complete ONNX file.",
                ) from error
        nodes, from_files = self.session.get_inputs(), bool(self.spec["inputs"])
        inputs.refuse_unknown(self.settings.shapes, [node.name for node in nodes])
        sets = self.input_sets({node.name: _spec(node, self.settings.shapes, from_files) for node in nodes})
        self.calls = [partial(self.session.run, None, arrays) for arrays in sets]
        self.frames = frames_of(sets[0].values())

    def effective(self) -> dict[str, str]:
        options = self.session.get_session_options()
        return {
            "providers": ", ".join(self.session.get_providers()),
            "intra_op_num_threads": str(options.intra_op_num_threads),
            "graph_optimization_level": str(options.graph_optimization_level).rsplit(".", maxsplit=1)[-1],
        }

    def versions(self) -> dict[str, str]:
        return {"onnxruntime": self._runtime.__version__}


def _spec(node: Any, shapes: Mapping[str, tuple[int, ...]], from_files: bool) -> InputSpec:
    shape = shapes.get(node.name, node.shape)
    if from_files:  # the files have shapes of their own
        shape = ()
    if not all(isinstance(size, int) for size in shape):
        raise dynamic_shape(node.name, list(shape))
    return tuple(shape), np.dtype(_TYPES.get(node.type, np.object_))
