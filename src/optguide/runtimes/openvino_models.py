"""OpenVINO's models: reading them, names of inputs, shapes and batches, and many inferences at once."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from optguide.errors import EnvironmentMissing, InputError, ModelError
from optguide.runtimes.base import installed
from optguide.runtimes.inputs import refuse_unknown
from optguide.runtimes.openvino_errors import not_read, telling_line

SUFFIX = ".blob"
"""Of compiled models: what ``export_model`` wrote, ``import_model`` takes back."""


def read_model(core: Any, path: Path, config: Mapping[str, str] | None = None) -> Any:
    """The ``openvino.Model`` in a file or in the folder of a SavedModel.

    :param core: an ``openvino.Core``.
    :param config: properties for reading.
    :raises ModelError: it cannot be read, or has no outputs.
    :raises EnvironmentMissing: PyTorch, which reads ``.pt2`` files, is not installed.
    """
    options = {"config": dict(config)} if config else {}
    try:
        exported = path.suffix.lower() == ".pt2"
        model = _read_export(path) if exported else core.read_model(path, **options)
    except EnvironmentMissing:
        raise
    except Exception as error:  # of many types, by which reader and which byte
        raise not_read(path, error) from error
    if not model.outputs:  # the Paddle reader takes any bytes for an empty model
        raise ModelError(f"{path.name} holds a model without outputs.", "Check that the file is complete.")
    return model


def _read_export(path: Path) -> Any:
    """The model in a torch export, with the shapes it was exported for."""
    import openvino

    with installed("PyTorch, which reads .pt2 files,"):
        import torch
    program = torch.export.load(path)
    values = {node.name: node.meta.get("val") for node in program.graph.nodes if node.op == "placeholder"}
    shapes = [
        [size if isinstance(size, int) else -1 for size in values[name].shape]
        for name in program.graph_signature.user_inputs
    ]
    model = openvino.convert_model(program)
    model.reshape(dict(enumerate(openvino.PartialShape(shape) for shape in shapes)))
    return model


def port_name(port: Any, index: int) -> str:
    """What an input is called everywhere: the first of its names, or its number where it has none."""
    names = sorted(port.get_names())
    return names[0] if names else f"input{index}"


def reshape(model: Any, shapes: Mapping[str, Sequence[int]]) -> None:
    """Give inputs static shapes, by their names.

    :raises InputError: there is no such input, or a layer does not allow its shape.
    """
    names = [port_name(port, index) for index, port in enumerate(model.inputs)]
    refuse_unknown(shapes, names)
    if not shapes:
        return
    ports = zip(names, model.inputs, strict=True)
    try:
        model.reshape({port: list(shapes[name]) for name, port in ports if name in shapes})
    except RuntimeError as error:
        raise _not_reshaped("these shapes", error) from error


def set_batch(model: Any, batch: int) -> None:
    """Set the batch, assuming it is the first dimension where the model does not say.

    :raises InputError: a layer does not allow it.
    """
    import openvino

    try:
        for port in model.inputs:
            if not port.node.layout.empty or port.partial_shape.rank.get_length() == 0:
                continue
            dimensions = "N" + "?" * (port.partial_shape.rank.get_length() - 1)
            port.node.layout = openvino.Layout(dimensions)
        openvino.set_batch(model, batch)
    except RuntimeError as error:
        raise _not_reshaped(f"a batch of {batch}", error) from error


def _not_reshaped(request: str, error: RuntimeError) -> InputError:
    return InputError(
        f"The model cannot take {request}: {telling_line(error)}",
        "Choose a --shape or --batch that its layers allow.",
    )


def read_blob(path: Path, *, mapped: bool) -> Any:
    """The content of a blob, for ``import_model``.

    :param mapped: map the file into memory instead of copying it. The compiled model then uses those pages:
        the tensor has to live as long as the model, and the process crashes if it does not.
    :raises ModelError: the file is missing or empty.
    """
    import openvino

    try:
        if not mapped:
            return path.read_bytes()
        # Copy on write: OpenVINO shares only arrays that can be written, and the file must stay as it is.
        return openvino.Tensor(np.memmap(path, np.uint8, "c"), shared_memory=True)
    except (OSError, ValueError) as error:  # a file of no bytes cannot be mapped
        raise ModelError(
            f"{path.name} cannot be read: {telling_line(error)}", "Check the path, or export the model again."
        ) from error


def infer_all(
    compiled: Any, samples: Iterable[Mapping[Any, npt.NDArray[Any]]], requests: int = 0
) -> Iterator[list[npt.NDArray[Any]]]:
    """Copies of all outputs for each of ``samples``, in the order of the samples.

    A model that keeps a state runs one at a time, and its state is reset before each sample.

    :param requests: inferences in flight; 0 is as many as the device calls optimal for the model's hint.
    """
    # No AsyncInferQueue with a callback: its ``wait_all`` returns while the thread of the last callback may
    # still want the interpreter's lock once more. A compiled model that is dropped at that moment holds this
    # lock while it waits for its threads, and both wait for ever: seen with OpenVINO 2026.4.1 on a busy
    # machine, where models were evaluated one after the other. Requests that are only waited for never call
    # into Python.
    idle = [compiled.create_infer_request()]
    stateful = bool(idle[0].query_state())
    if not stateful:
        in_flight = requests or int(compiled.get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS"))
        idle += [compiled.create_infer_request() for _ in range(in_flight - 1)]
    running: deque[Any] = deque()

    def collect() -> list[npt.NDArray[Any]]:
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
