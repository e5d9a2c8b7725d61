"""PyTorch, eager or compiled with ``torch.compile``."""

from __future__ import annotations

import inspect
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from optguide import references
from optguide.errors import EnvironmentMissing, InputError, ModelError, first_line
from optguide.runtimes import inputs
from optguide.runtimes.base import Runner, Runtime, installed, misfit
from optguide.runtimes.inputs import Arrays


@dataclass(frozen=True)
class PyTorch(Runtime):
    """PyTorch in inference mode.

    A model is a ``.pt2`` file, or ``package.module:function``: the function takes no argument and returns an
    ``nn.Module``, or a tuple that begins with one.

    :param compile: whether ``torch.compile`` compiles the module.
    :param threads: threads per operation; ``None`` leaves PyTorch's default.
    """

    names: ClassVar = {"torch": {"compile": False}, "torch.compile": {"compile": True}}
    formats: ClassVar = {".pt2": "torch.export"}
    reads_references: ClassVar = True
    needs_inputs: ClassVar = "a PyTorch module does not declare their shapes"
    packages: ClassVar = ("torch",)
    distribution: ClassVar = "torch"
    keys: ClassVar = {"threads": (), "torch": ()}

    compile: bool = False
    threads: int | None = None

    def runner(self, spec: dict[str, Any]) -> TorchRunner:
        return TorchRunner(self, spec)


class TorchRunner(Runner[PyTorch]):
    """A module in inference mode; the compiler's work is timed as the stage ``compile``."""

    refusals: ClassVar = (RuntimeError, TypeError, ValueError, AssertionError)

    def load(self) -> None:
        with self.stage("import"), installed("PyTorch"):
            import torch
        self._torch = torch
        if self.settings.threads is not None:
            torch.set_num_threads(self.settings.threads)
        with self.stage("read"):
            module = self._module()
        self.settings.require_inputs(self.spec["inputs"])
        self.sets = inputs.from_files(self.spec["inputs"])
        self._names = self._argument_names(module)
        with self.stage("compile"):
            if self.settings.compile:
                module = self._compiled(module, self.sets)
        self._runnable = module
        self.calls = [self.bound(arrays) for arrays in self.sets]

    def bound(self, arrays: Arrays) -> Callable[[], Any]:
        return partial(self._run, self._runnable, *self._arguments(arrays))

    def _argument_names(self, module: Any) -> list[str]:
        """Arrays that go by position, then those that go by name; all by position where no name fits."""
        try:
            parameters = list(inspect.signature(module.forward).parameters)
        except (AttributeError, TypeError, ValueError):  # written in C, or no module
            parameters = []
        arrays = list(self.sets[0])
        fitting = [name for name in parameters if name in arrays]
        if fitting and len(fitting) < len(arrays):
            raise InputError(
                f"The input file holds {', '.join(arrays)}, and forward() takes {', '.join(parameters)}.",
                "Save one array per argument, under its name.",
            )
        if not fitting and len(arrays) > 1:
            self.note(
                "No name in the input file is that of an argument of forward(), so the order decided: "
                f"{', '.join(arrays)}."
            )
        self._positional = fitting in ([], parameters[: len(fitting)])
        return fitting or arrays

    def _arguments(self, arrays: Arrays) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """By position and by name."""
        try:
            tensors = {
                name: self._torch.from_numpy(np.array(arrays[name], order="C")) for name in self._names
            }
        except (KeyError, TypeError) as error:
            raise misfit(first_line(error)) from error
        return (tuple(tensors.values()), {}) if self._positional else ((), tensors)

    def _module(self) -> Any:
        model = self.spec["model"]
        if not model.endswith(".pt2"):
            module = references.function(model, ModelError)()
            if isinstance(module, tuple):  # with examples of its inputs, for whoever converts it
                module = module[0]
            return module.eval() if hasattr(module, "eval") else module
        try:
            return self._torch.export.load(Path(model)).module()
        except Exception as error:
            raise ModelError(
                f"{Path(model).name} cannot be read as a torch export: {first_line(error)}",
                "Write it with torch.export.save(torch.export.export(module, args), path).",
            ) from error

    def _compiled(self, module: Any, sets: list[Arrays]) -> Any:
        """Compile for the shape of every input set, which happens at its first call."""
        compiled = self._torch.compile(module)
        try:
            with self._torch.inference_mode():
                for arrays in sets:
                    arguments, keywords = self._arguments(arrays)
                    compiled(*arguments, **keywords)
        except Exception as error:
            if shutil.which(os.environ.get("CXX", "g++")) is None:
                raise EnvironmentMissing(
                    "torch.compile found no C++ compiler.", "Install g++ and Python's headers."
                ) from error
            raise misfit(first_line(error)) from error
        return compiled

    def _run(self, module: Any, arguments: tuple[Any, ...], keywords: dict[str, Any]) -> Any:
        with self._torch.inference_mode():
            return module(*arguments, **keywords)

    def effective(self) -> dict[str, str]:
        return {
            "threads": str(self._torch.get_num_threads()),
            "float32_matmul_precision": self._torch.get_float32_matmul_precision(),
            "mkldnn": str(self._torch.backends.mkldnn.is_available()),
            "compiled": "inductor" if self.settings.compile else "no",
        }

    def versions(self) -> dict[str, str]:
        return {"torch": str(self._torch.__version__)}
