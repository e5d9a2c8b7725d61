"""ONNX Runtime, CPU execution provider."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, ClassVar

from optguide.errors import ModelError, first_line
from optguide.runtimes.base import Runner, Runtime, installed
from optguide.runtimes.inputs import Arrays
from optguide.runtimes.ports import Port

_TYPES = {"float": "float32", "double": "float64", "string": "str"}
"""Element types that ONNX Runtime calls something else than NumPy does."""


@dataclass(frozen=True)
class ONNXRuntime(Runtime):
    """ONNX Runtime's CPU execution provider.

    :param threads: threads per operation; ``None`` leaves the runtime's default.
    :param shapes: input name to static shape, for the random inputs of a model with dynamic shapes.
    """

    names: ClassVar = {"onnxruntime": {}}
    formats: ClassVar = {".onnx": "ONNX"}
    packages: ClassVar = ("onnxruntime", "onnx")
    distribution: ClassVar = "onnxruntime"
    keys: ClassVar = {"threads": (), "shape": (), "onnxruntime": ()}

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
        if not self.session.get_outputs():
            raise ModelError("The model has no outputs.", "Export it with its outputs.")
        self.ports = tuple(map(_port, self.session.get_inputs()))
        self.output_names = [[node.name] for node in self.session.get_outputs()]
        self.sets = self.input_sets(self.settings.shapes)
        self.calls = [self.bound(arrays) for arrays in self.sets]

    def bound(self, arrays: Arrays) -> Callable[[], Any]:
        return partial(self.session.run, None, arrays)

    def effective(self) -> dict[str, str]:
        options = self.session.get_session_options()
        return {
            "providers": ", ".join(self.session.get_providers()),
            "intra_op_num_threads": str(options.intra_op_num_threads),
            "graph_optimization_level": str(options.graph_optimization_level).rsplit(".", maxsplit=1)[-1],
        }

    def versions(self) -> dict[str, str]:
        return {"onnxruntime": self._runtime.__version__}


def _port(node: Any) -> Port:
    dtype = node.type.removeprefix("tensor(").removesuffix(")")
    sizes = tuple(size if isinstance(size, int) else None for size in node.shape)
    return Port(node.name, _TYPES.get(dtype, dtype), sizes)
