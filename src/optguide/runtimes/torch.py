"""PyTorch, eager or compiled with ``torch.compile``."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from optguide import references
from optguide.errors import EnvironmentMissing, InputError, ModelError, first_line
from optguide.runtimes import inputs
from optguide.runtimes.base import Runner, Runtime, frames_of, installed, misfit


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
    keys: ClassVar = {"threads": ()}

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
        if not self.spec["inputs"]:
            raise InputError(
                "A PyTorch module does not declare the shapes of its inputs.",
                "Pass --inputs with an .npz file.",
            )
        read = inputs.from_files(self.spec["inputs"])
        try:
            sets = [
                tuple(map(torch.from_numpy, map(np.ascontiguousarray, arrays.values()))) for arrays in read
            ]
        except TypeError as error:
            raise misfit(first_line(error)) from error
        self.frames = frames_of(sets[0])
        with self.stage("compile"):
            if self.settings.compile:
                module = self._compiled(module, sets)
        self.calls = [partial(self._run, module, arguments) for arguments in sets]

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

    def _compiled(self, module: Any, sets: list[tuple[Any, ...]]) -> Any:
        """Compile for the shape of every input set, which happens at its first call."""
        compiled = self._torch.compile(module)
        try:
            with self._torch.inference_mode():
                for arguments in sets:
                    compiled(*arguments)
        except Exception as error:
            if shutil.which(os.environ.get("CXX", "g++")) is None:
                raise EnvironmentMissing(
                    "torch.compile found no C++ compiler.", "Install g++ and Python's headers."
                ) from error
            raise misfit(first_line(error)) from error
        return compiled

    def _run(self, module: Any, arguments: tuple[Any, ...]) -> Any:
        with self._torch.inference_mode():
            return module(*arguments)

    def effective(self) -> dict[str, str]:
        return {
            "threads": str(self._torch.get_num_threads()),
            "float32_matmul_precision": self._torch.get_float32_matmul_precision(),
            "mkldnn": str(self._torch.backends.mkldnn.is_available()),
            "compiled": "inductor" if self.settings.compile else "no",
        }

    def versions(self) -> dict[str, str]:
        return {"torch": str(self._torch.__version__)}
