"""What every runtime's runner provides, and the registry that finds one."""

from __future__ import annotations

import importlib
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt

from optguide.errors import InputError, ModelError, OptionError
from optguide.runtimes import inputs as inputs_module

__all__ = ["Outputs", "Runner", "as_arrays", "create", "first_line", "frames_of", "misfit", "resolve"]

Outputs = list[npt.NDArray[np.generic]]

_MODULES = {
    "openvino": "openvino",
    "onnxruntime": "onnxruntime",
    "torch": "torch",
    "torch.compile": "torch",
    "tensorflow": "tensorflow",
    "function": "function",
}


class Runner(ABC):
    """One variant, loaded in this process.

    :ivar stages: seconds spent in ``import``, ``read`` and ``compile``.
    :ivar calls: one callable per input set; each runs one inference and returns its outputs.
    :ivar frames: inputs that one call processes.
    :ivar varied: whether the input sets differ in shape.
    """

    def __init__(self, spec: dict[str, Any]) -> None:
        self.spec = spec
        self.stages: dict[str, float] = {}
        self.calls: list[Callable[[], Any]] = []
        self.frames: int = spec["frames"]
        self.varied = False

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time one stage of loading."""
        start = time.perf_counter()
        yield
        self.stages[name] = time.perf_counter() - start

    @abstractmethod
    def load(self) -> None:
        """Import the runtime, read and compile the model, bind the inputs."""

    @abstractmethod
    def effective(self) -> dict[str, str]:
        """Properties as the runtime resolved them."""

    @abstractmethod
    def versions(self) -> dict[str, str]:
        """Versions of the packages that execute the model."""

    def blame(self, error: RuntimeError) -> Exception:
        """The error to report for a call that failed although the model had loaded."""
        return error

    def outputs(self) -> Outputs:
        """The outputs of the first input set, as plain arrays."""
        return as_arrays(self.calls[0]())

    def input_sets(self, specs: dict[str, inputs_module.InputSpec]) -> list[inputs_module.Arrays]:
        """The variant's input sets, ordered as ``specs``; random ones where it names no file."""
        if not self.spec["inputs"]:
            return [inputs_module.random_inputs(specs, self.spec["seed"])]
        read = inputs_module.from_files(self.spec["inputs"])
        self.varied = len({tuple(array.shape for array in arrays.values()) for arrays in read}) > 1
        return [inputs_module.match(arrays, list(specs), "The input file") for arrays in read]


def as_arrays(result: Any) -> Outputs:
    """Outputs of any runtime as a list of NumPy arrays."""
    if isinstance(result, Mapping):
        result = list(result.values())
    if not isinstance(result, (list, tuple)):
        result = [result]
    return [np.asarray(item.detach() if hasattr(item, "detach") else item) for item in result]


def first_line(error: BaseException) -> str:
    """The first line of a runtime's message, cut to a length a person reads."""
    lines = str(error).strip().splitlines()
    return lines[0].strip()[:300] if lines else type(error).__name__


def misfit(cause: str) -> InputError:
    """The error for inputs that the loaded model refused, whatever the runtime calls it."""
    return InputError(
        f"The inputs do not fit the model: {cause}", "Check the shapes and element types in the .npz file."
    )


def frames_of(first: Any) -> int:
    """Inputs in one call: the first dimension of the first input, where its rank leaves room for a batch."""
    return int(first.shape[0]) if first.ndim > 1 else 1


def create(spec: dict[str, Any]) -> Runner:
    """The runner for ``spec["runtime"]``, not yet loaded."""
    try:
        module = _MODULES[spec["runtime"]]
    except KeyError:
        raise OptionError(
            f"There is no runtime {spec['runtime']!r}.", f"Use one of: {', '.join(_MODULES)}."
        ) from None
    runner: Runner = importlib.import_module(f"optguide.runtimes.{module}").create(spec)
    return runner


def resolve(reference: str) -> Any:
    """The object named by ``package.module:name``.

    :raises ModelError: it is no such reference, or importing it fails.
    """
    module_name, _, attribute = reference.partition(":")
    try:
        return getattr(importlib.import_module(module_name), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        raise ModelError(
            f"{reference!r} does not name a Python function ({error}).",
            "Write it as package.module:function, importable from here.",
        ) from error
