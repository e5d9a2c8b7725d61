"""TensorFlow: the serving signature of a SavedModel, usually in an isolated environment."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

from optguide.errors import ModelError
from optguide.runtimes.base import Runner, Runtime, installed
from optguide.runtimes.inputs import Arrays
from optguide.runtimes.ports import Port


@dataclass(frozen=True)
class TensorFlow(Runtime):
    """TensorFlow on the CPU; a SavedModel does not declare the shapes of its inputs.

    :param threads: threads per operation, with one operation at a time; ``None`` leaves the defaults.
    """

    names: ClassVar = {"tensorflow": {}}
    formats: ClassVar = {"": "the folder of a TensorFlow SavedModel"}
    needs_inputs: ClassVar = "a SavedModel is measured on real inputs"
    packages: ClassVar = ("tensorflow",)
    on_command_line: ClassVar = False  # it needs an environment of its own

    threads: int | None = None

    def runner(self, spec: dict[str, Any]) -> TensorFlowRunner:
        return TensorFlowRunner(self, spec)


class TensorFlowRunner(Runner[TensorFlow]):
    """A concrete function with pinned threads."""

    def load(self) -> None:
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        with self.stage("import"), installed("TensorFlow", "Run: nox -s environments."):
            import tensorflow
        self._tensorflow = tensorflow
        threads = self.settings.threads
        if threads is not None:
            tensorflow.config.threading.set_intra_op_parallelism_threads(threads)
            tensorflow.config.threading.set_inter_op_parallelism_threads(1)
        with self.stage("read"):
            try:
                self._model = tensorflow.saved_model.load(self.spec["model"])
                function = self._model.signatures["serving_default"]
            except (OSError, KeyError) as error:
                raise ModelError(
                    f"{Path(self.spec['model']).name} is no SavedModel with a serving signature.",
                    "Export it with tf.saved_model.save(module, path, signatures=...).",
                ) from error
        self.stages["compile"] = 0.0  # the graph is optimized at the first call
        self._function = function
        self.settings.require_inputs(self.spec["inputs"])
        signature = function.structured_input_signature[1]
        self.ports = tuple(
            Port(name, "str" if spec.dtype.name == "string" else spec.dtype.name, ())
            for name, spec in signature.items()
        )
        self.output_names = [[name] for name in function.structured_outputs]
        self.sets = self.input_sets()
        self.calls = [self.bound(arrays) for arrays in self.sets]

    def bound(self, arrays: Arrays) -> Callable[[], Any]:
        tensors = {name: self._tensorflow.constant(array) for name, array in arrays.items()}
        return partial(self._function, **tensors)

    def effective(self) -> dict[str, str]:
        threading = self._tensorflow.config.threading
        return {
            "intra_op_parallelism_threads": str(threading.get_intra_op_parallelism_threads()),
            "inter_op_parallelism_threads": str(threading.get_inter_op_parallelism_threads()),
        }

    def versions(self) -> dict[str, str]:
        return {"tensorflow": str(self._tensorflow.__version__)}
