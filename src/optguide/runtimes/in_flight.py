"""Many inferences of one OpenVINO model at once, without Python callbacks.

With an ``AsyncInferQueue`` and a callback, ``wait_all`` returns while the thread of the last callback may
still want the interpreter's lock once more. A compiled model that is dropped at that moment holds this lock
while it waits for its threads, and both wait for ever: seen with OpenVINO 2026.4.1 on a busy machine, where
models were evaluated one after the other. Requests that are only waited for never call into Python.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import openvino
    from numpy.typing import NDArray

__all__ = ["infer_all"]


def infer_all(
    compiled: openvino.CompiledModel, samples: Iterable[Mapping[Any, NDArray[Any]]]
) -> Iterator[list[NDArray[Any]]]:
    """Copies of all outputs for each of ``samples``, in the order of the samples.

    As many inferences are in flight as the device calls optimal for the model's performance hint. A model
    that keeps a state runs one at a time, and its state is reset before each sample.
    """
    idle = [compiled.create_infer_request()]
    stateful = bool(idle[0].query_state())
    if not stateful:
        optimal = int(compiled.get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS"))
        idle += [compiled.create_infer_request() for _ in range(optimal - 1)]
    running: deque[Any] = deque()

    def collect() -> list[NDArray[Any]]:
        request = running.popleft()
        request.wait()
        outputs = [request.get_output_tensor(index).data.copy() for index in range(len(compiled.outputs))]
        idle.append(request)
        return outputs

    for sample in samples:
        if not idle:
            yield collect()
        request = idle.pop()
        if stateful:
            request.reset_state()
        request.start_async(dict(sample))
        running.append(request)
    while running:
        yield collect()
