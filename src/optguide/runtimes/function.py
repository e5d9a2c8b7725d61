"""A function written in an example, shipped by value."""

from __future__ import annotations

import base64
import sys
from dataclasses import dataclass
from typing import Any, ClassVar

from optguide.runtimes.base import Outputs, Runner, Runtime, as_arrays


@dataclass(frozen=True)
class Function(Runtime):
    """Python code itself: a call style, a pipeline. :meth:`optguide.Variant.from_function` makes one.

    :param function: the function that returns what is timed, pickled by value and in base 64.
    """

    names: ClassVar = {"function": {}}
    on_command_line: ClassVar = False  # it needs code

    function: str

    def to_dict(self, *, evidence: bool = False) -> dict[str, Any]:
        return {"function": "the function in the example" if evidence else self.function}

    def runner(self, spec: dict[str, Any]) -> FunctionRunner:
        return FunctionRunner(self, spec)


class FunctionRunner(Runner[Function]):
    """Calls the maker once, times what it returns.

    The payload comes from the parent process through its own pipe, never from a file.
    """

    def load(self) -> None:
        with self.stage("import"):
            import cloudpickle
        with self.stage("read"):
            make = cloudpickle.loads(base64.b64decode(self.settings.function))
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
