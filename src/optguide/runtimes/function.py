"""A function written in an example, shipped by value."""

from __future__ import annotations

import base64
import sys
from typing import Any

from optguide.runtimes.base import Outputs, Runner, as_arrays

__all__ = ["FunctionRunner", "create"]


class FunctionRunner(Runner):
    """Calls the maker once, times what it returns.

    The payload comes from the parent process through its own pipe, never from a file.
    """

    def load(self) -> None:
        with self.stage("import"):
            import cloudpickle
        with self.stage("read"):
            make = cloudpickle.loads(base64.b64decode(self.spec["function"]))
        with self.stage("compile"):
            self.calls = [make()]

    def outputs(self) -> Outputs:
        result = self.calls[0]()
        return [] if result is None else as_arrays(result)

    def effective(self) -> dict[str, str]:
        return {}

    def versions(self) -> dict[str, str]:
        names = ("openvino", "torch", "onnxruntime")
        return {name: str(sys.modules[name].__version__) for name in names if name in sys.modules}


def create(spec: dict[str, Any]) -> FunctionRunner:
    """The runner for ``spec``, not yet loaded."""
    return FunctionRunner(spec)
