"""Many inferences at once, without callbacks of Python's.

With an ``AsyncInferQueue`` and a callback, ``wait_all`` returns while the thread of the last callback may
still want the interpreter's lock once more. A compiled model that is dropped in that moment holds this lock
while it waits for its threads, and both wait for ever: seen with OpenVINO 2026.4.1 on a busy machine, where
models were judged one after the other. Requests that are only waited for call nothing of Python's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import openvino
    from numpy.typing import NDArray

__all__ = ["first_outputs"]


def first_outputs(
    compiled: openvino.CompiledModel, inputs: Sequence[Mapping[Any, NDArray[Any]]]
) -> list[NDArray[Any]]:
    """The first output for each of ``inputs``, in their order.

    As many inferences are in flight as the device calls optimal for the model's performance hint.
    """
    count = min(len(inputs), compiled.get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS"))
    requests = [compiled.create_infer_request() for _ in range(count)]
    results: list[NDArray[Any]] = []

    def collect() -> None:
        request = requests[len(results) % count]
        request.wait()
        results.append(request.get_output_tensor(0).data.copy())

    for index, one in enumerate(inputs):
        if index >= count:
            collect()
        requests[index % count].start_async(dict(one))
    while len(results) < len(inputs):
        collect()
    return results
