"""OpenVINO's models: reading them, names of inputs, shapes and batches, and many inferences at once."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from optguide.errors import EnvironmentMissing, InputError, ModelError
from optguide.runtimes.base import installed
from optguide.runtimes.openvino_errors import not_read, telling_line
from optguide.runtimes.ports import Port, Shape, all_names, match_shapes

_TYPES = {
    **{f"f{bits}": f"float{bits}" for bits in (16, 32, 64)},
    **{f"i{bits}": f"int{bits}" for bits in (8, 16, 32, 64)},
    **{f"u{bits}": f"uint{bits}" for bits in (8, 16, 32, 64)},
    "boolean": "bool",
    "string": "str",
}
"""Element types that NumPy has too. It lacks ``bf16`` and those of less than a byte."""

_ELSEWHERE = "outside the base directory"
"""What OpenVINO says of weights that lie in another folder than the model."""

SUFFIX = ".blob"
"""Of compiled models: what ``export_model`` wrote, ``import_model`` takes back."""


def read_model(core: Any, path: Path, config: Mapping[str, str] | None = None) -> Any:
    """The ``openvino.Model`` in a file or in the folder of a SavedModel.

    :raises ModelError: it cannot be read, or has no outputs.
    :raises EnvironmentMissing: PyTorch, which reads ``.pt2`` files, is not installed.
    """
    options = {"config": dict(config)} if config else {}
    try:
        exported = path.suffix.lower() == ".pt2"
        model = _read_export(path) if exported else _read_with_weights(core, path, options)
    except EnvironmentMissing:
        raise
    except Exception as error:  # of many types, by which reader and which byte
        raise not_read(path, error) from error
    if not model.outputs:  # the Paddle reader takes any bytes for an empty model
        raise ModelError(f"{path.name} holds a model without outputs.", "Check that the file is complete.")
    return model


def _read_with_weights(core: Any, path: Path, options: Mapping[str, Any]) -> Any:
    """The model with its weights, which may be links into other folders, as in the cache of a model hub."""
    try:
        return core.read_model(path, **options)
    except RuntimeError as error:
        if _ELSEWHERE not in str(error):
            raise
    with tempfile.TemporaryDirectory(prefix="optguide-") as folder:
        for file in path.parent.iterdir():
            if file == path or (file.is_symlink() and file.is_file()):
                try:
                    os.link(file.resolve(), Path(folder, file.name))
                except OSError:  # on another file system
                    shutil.copyfile(file, Path(folder, file.name))
        return core.read_model(Path(folder, path.name), **options)


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


def ports_of(ports: Sequence[Any], kind: str = "input") -> tuple[Port, ...]:
    """What OpenVINO's ports are called everywhere, and what they take.

    :param ports: all inputs or all outputs of a model, compiled or not.
    :param kind: begins the made-up name of a port that has none.
    """
    names = all_names([port.get_names() for port in ports], kind)
    return tuple(
        Port(first, _element_type(port), _sizes(port.partial_shape), _layout(port), tuple(others))
        for port, (first, *others) in zip(ports, names, strict=True)
    )


def _element_type(port: Any) -> str:
    name = str(port.element_type.get_type_name())
    return _TYPES.get(name, name)


def _sizes(shape: Any) -> tuple[int | None, ...]:
    if shape.rank.is_dynamic:
        return (None,)
    return tuple(size.get_length() if size.is_static else None for size in shape)


def _layout(port: Any) -> str:
    """``NCHW`` where the model declares it; OpenVINO writes ``[N,C,H,W]``."""
    layout = getattr(port.node, "layout", None)  # only parameters and results have one
    names = [] if layout is None or layout.empty else layout.to_string().strip("[]").split(",")
    return "".join(names) if all(len(name) == 1 for name in names) else ""


def reshape(model: Any, shapes: Mapping[str, Shape]) -> None:
    """Give inputs static shapes, by any of their names.

    :raises InputError: there is no such input, or a layer does not allow its shape.
    """
    ports = ports_of(model.inputs)
    chosen = match_shapes(shapes, ports)
    places = {index: chosen[port.name] for index, port in enumerate(ports) if port.name in chosen}
    _reshape(model, places, "these shapes")


def reject_open_rank(model: Any) -> None:
    """Refuse an input whose number of dimensions nothing settles, as devices do.

    :raises InputError: for the first such input.
    """
    for port, described in zip(model.inputs, ports_of(model.inputs), strict=True):
        if port.partial_shape.rank.is_dynamic:
            raise InputError(
                f"Input {described.name!r} takes any number of dimensions.",
                f"Choose a shape, as in --shape {described.name}=1,128.",
            )


def close_batch(model: Any) -> bool:
    """Set open batches to one, where nothing else is open; whether there were any.

    :raises InputError: an input has another open size, or a layer does not allow a batch of one.
    """
    shapes = {}
    ports = ports_of(model.inputs)
    for index, port in enumerate(ports):
        closed = port.closed(alone=len(ports) == 1)
        if closed != port:
            shapes[index] = list(closed.shape)
    _reshape(model, shapes, "a batch of 1")
    return bool(shapes)


def set_batch(model: Any, batch: int) -> None:
    """Set the batch of the inputs that have one: by their layout, or in the first dimension where it agrees.

    Scalars have none, nor has a vector of another size than the batch of the others.

    :raises InputError: nothing says which inputs have a batch, or a layer does not allow it.
    """
    ports = dict(enumerate(ports_of(model.inputs)))
    axes = {index: axis for index, port in ports.items() if (axis := port.batch_axis) is not None}
    told = {index for index in axes if ports[index].layout}
    telling = told or {index for index in axes if len(ports[index].shape) > 1} or set(axes)
    sizes = {ports[index].shape[axes[index]] for index in telling}
    if len(sizes - {None}) > 1:
        listed = ", ".join(f"{port.name} {port}" for port in ports.values())
        raise InputError(
            f"Nothing says which inputs have a batch: {listed}.",
            "Give the shape of those that have one, such as "
            f"--shape {_with_batch(ports[max(telling)], batch)}, instead of --batch.",
        )
    batched = {index for index in axes if index in told or ports[index].shape[0] in {None, *sizes}}
    shapes = {}
    for index in sorted(batched):
        shapes[index] = model.inputs[index].partial_shape
        shapes[index][axes[index]] = batch
    _reshape(model, shapes, f"a batch of {batch}")


def _with_batch(port: Port, batch: int) -> str:
    sizes = [batch, *(size or 1 for size in port.shape[1:])]
    return f"{port.name}={','.join(map(str, sizes))}"


def _reshape(model: Any, shapes: Mapping[int, Any], request: str) -> None:
    """Give inputs, by their place, other shapes."""
    if not shapes:
        return
    from openvino import PartialShape

    try:
        model.reshape({model.inputs[index]: PartialShape(shape) for index, shape in shapes.items()})
    except RuntimeError as error:
        listed = ", ".join(f"{port.name} {port}" for port in ports_of(model.inputs))
        raise InputError(
            f"The model cannot take {request}: {telling_line(error)}",
            f"Choose a --shape or --batch that its layers allow; as it is, its inputs are {listed}.",
        ) from error


def plain(tensor: Any) -> npt.NDArray[Any]:
    """A copy of a tensor's values; 32-bit floats where NumPy lacks the element type."""
    name = str(tensor.element_type.get_type_name())
    if name == "string":
        return np.array(tensor.str_data)
    if name in _TYPES:
        return np.array(tensor.data)
    from openvino import op  # not in older releases, which give every other type to NumPy

    values: npt.NDArray[Any] = op.Constant(tensor).get_data(dtype=np.float32)
    return values


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
        outputs = [plain(request.get_output_tensor(index)) for index in range(len(compiled.outputs))]
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
