"""Ways of calling a compiled model from Python, as variants.

The model is loaded by the runner that measures all other variants, so shapes, inputs and errors are the same.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any, Literal

from optguide.measuring.variant import Variant

__all__ = ["Style", "calling"]

Style = Literal["infer", "start and wait", "inputs copied", "inputs shared"]


def calling(style: Style, plain: Variant, frames: int) -> Variant:
    """A variant that calls the model of ``plain`` in one of these ways.

    :param frames: inputs that one inference processes.
    """
    spec = plain.to_dict()

    def make() -> Callable[[], Any]:
        # By name: this function is shipped by value, and what it needs is imported in the worker.
        from optguide.measuring.worker import openvino_runner

        runner = openvino_runner.create(spec)
        runner.load()
        sets = itertools.cycle([list(arrays.values()) for arrays in runner.sets])
        compiled, request = runner.compiled, runner.compiled.create_infer_request()

        def start_and_wait() -> Any:
            request.start_async(next(sets))
            request.wait()
            return request.results

        ways = {
            # Both read the results as views, so that they differ in nothing but the waiting.
            "infer": lambda: request.infer(next(sets), share_outputs=True),
            "start and wait": start_and_wait,
            "inputs copied": lambda: compiled(next(sets), share_inputs=False),
            "inputs shared": lambda: compiled(next(sets), share_inputs=True),
        }
        return ways[style]

    return Variant.from_function(style, make, frames=frames)
