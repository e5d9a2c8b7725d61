"""What happens in the process that :func:`optguide.optimize.model.subject.read_subject` starts."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import msgspec

from optguide.bench.variant import Variant
from optguide.errors import EnvironmentMissing, InputError, ModelError, StorageError
from optguide.optimize.config import Settings
from optguide.optimize.data.batching import batchable
from optguide.optimize.model.subject import Port, Subject, encode
from optguide.references import is_reference
from optguide.runtimes.inputs import refuse_unknown
from optguide.runtimes.openvino import exported, port_name
from optguide.runtimes.openvino_errors import not_read, telling_line

__all__ = ["FRAMEWORKS", "read"]

FRAMEWORKS = {
    ".xml": "OpenVINO IR",
    ".onnx": "ONNX",
    ".tflite": "TensorFlow Lite",
    ".pdmodel": "PaddlePaddle",
    ".pb": "TensorFlow",
    ".pt2": "PyTorch",
}

_TYPES = {
    **{f"f{bits}": f"float{bits}" for bits in (16, 32, 64)},
    **{f"i{bits}": f"int{bits}" for bits in (8, 16, 32, 64)},
    **{f"u{bits}": f"uint{bits}" for bits in (8, 16, 32, 64)},
    "boolean": "bool",
}
"""Element types that NumPy has too."""


def read(settings: Mapping[str, Any], folder: str) -> dict[str, Any]:
    """Read the model of ``settings`` and write it as IR; arguments and result as JSON has them.

    :raises UserError: as :func:`optguide.optimize.model.subject.read_subject` says.
    """
    import openvino

    given = msgspec.convert(settings, Settings)
    positional = True
    if is_reference(given.model):
        from optguide.optimize.model.modules import converted

        model, positional = converted(given)
    else:
        model = _from_file(openvino, Path(given.model))
    _refuse_unfit(model, given.model)
    _name(model)
    _reshape(model, given)
    _refuse_open(model, is_random=given.data is None)
    file = Path(folder, "f32.xml")
    _save(openvino, model, file)
    return encode(
        Subject(
            name=given.model.rpartition(":")[2] if is_reference(given.model) else Path(given.model).stem,
            framework=_framework(given.model),
            file=file,
            ports=tuple(_ports(model.inputs)),
            outputs=tuple(_ports(model.outputs)),
            sha256="" if is_reference(given.model) else _digest(Path(given.model)),
            reference=_reference(given.model) if positional else None,
            batchable=batchable(openvino, model, given.seed),
        )
    )


def _from_file(openvino: Any, path: Path) -> Any:
    try:
        model = (
            exported(openvino, path) if path.suffix.lower() == ".pt2" else openvino.Core().read_model(path)
        )
    except EnvironmentMissing:
        raise
    except Exception as error:  # of many types, by which reader and which byte
        raise not_read(path, error) from error
    if not model.outputs:  # the Paddle reader takes any bytes for an empty model
        raise ModelError(f"{path.name} holds a model without outputs.", "Check that the file is complete.")
    return model


def _refuse_unfit(model: Any, name: str) -> None:
    """Refuse a model whose inputs are no arrays of numbers, or that has none."""
    if not model.inputs:
        raise ModelError(
            f"The model {name} has no input, so there is nothing to run it on.", "Export it with its inputs."
        )
    for index, port in enumerate(model.inputs):
        kind = port.element_type.get_type_name()
        if kind not in _TYPES:
            raise ModelError(
                f"Input {port_name(port, index)!r} of the model takes elements of type {kind}, "
                "which NumPy does not have.",
                "Use a model whose inputs are numbers, and do the conversion before it.",
            )


def _name(model: Any) -> None:
    """Give every port a name, so that whoever reads the IR again finds the same ones."""
    for index, port in enumerate(model.inputs):
        if not port.get_names():
            port.get_tensor().set_names({port_name(port, index)})
    for index, port in enumerate(model.outputs):
        if not port.get_names():
            port.get_tensor().set_names({f"output{index}"})


def _reshape(model: Any, given: Settings) -> None:
    names = [port_name(port, index) for index, port in enumerate(model.inputs)]
    refuse_unknown(given.shapes, names)
    if not given.shapes:
        return
    try:
        model.reshape(
            {
                port: list(given.shapes[name])
                for name, port in zip(names, model.inputs, strict=True)
                if name in given.shapes
            }
        )
    except RuntimeError as error:
        raise InputError(
            f"The model cannot take these shapes: {telling_line(error)}",
            "Choose a --shape that its layers allow.",
        ) from error


def _refuse_open(model: Any, *, is_random: bool) -> None:
    """Refuse sizes that nothing settles. Random data makes an open batch one, and has no value for others."""
    for index, port in enumerate(model.inputs):
        name, shape = port_name(port, index), port.partial_shape
        if shape.rank.is_dynamic:
            raise InputError(
                f"Input {name!r} takes any number of dimensions.",
                f"Choose a shape, as in --shape {name}=1,128.",
            )
        if is_random and any(size.is_dynamic for size in list(shape)[1:]):
            raise InputError(
                f"Input {name!r} has the dynamic shape {shape}, for which random data needs sizes.",
                f"Pass them, as in --shape {name}=1,128, or --data with real samples.",
            )


def _save(openvino: Any, model: Any, file: Path) -> None:
    """Write both files of the IR; the one that is read first appears last."""
    unfinished = file.with_name("unfinished.xml")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        openvino.save_model(model, unfinished, compress_to_fp16=False)
        unfinished.with_suffix(".bin").replace(file.with_suffix(".bin"))
        unfinished.replace(file)
    except (OSError, RuntimeError) as error:
        cause = error.strerror if isinstance(error, OSError) else telling_line(error).rstrip(".")
        raise StorageError(
            f"The model cannot be written into {file.parent}: {cause}.",
            "Free some space there, or choose another folder with --out.",
        ) from error


def _ports(ports: Iterable[Any]) -> Iterable[Port]:
    for port in ports:
        shape, kind = port.partial_shape, port.element_type.get_type_name()
        if shape.rank.is_dynamic:
            sizes: tuple[int | None, ...] = (None,)
        else:
            sizes = tuple(size.get_length() if size.is_static else None for size in shape)
        first, *others = sorted(port.get_names())
        yield Port(first, _TYPES.get(kind, kind), sizes, _layout(port), tuple(others))


def _layout(port: Any) -> str:
    """``NCHW`` where the model says it; OpenVINO writes ``[N,C,H,W]``."""
    layout = getattr(port.node, "layout", None)  # only parameters and results have one
    text = "" if layout is None or layout.empty else layout.to_string().strip("[]").replace(",", "")
    return text if text.isalpha() else ""


def _framework(model: str) -> str:
    if is_reference(model):
        return FRAMEWORKS[".pt2"]
    return "TensorFlow" if Path(model).is_dir() else FRAMEWORKS[Path(model).suffix.lower()]


def _reference(model: str) -> Variant | None:
    """The model in its own framework, where that is installed; PyTorch is what has just read it."""
    suffix = "" if is_reference(model) else Path(model).suffix.lower()
    if is_reference(model) or suffix == ".pt2":
        return Variant("PyTorch", runtime="torch", model=model)
    if suffix == ".onnx" and find_spec("onnxruntime") is not None:
        return Variant("ONNX Runtime", runtime="onnxruntime", model=model)
    return None


def _digest(path: Path) -> str:
    """Of the file, of both files of an IR, or of all files in a folder and their names."""
    if not path.is_dir() and path.suffix.lower() != ".xml":
        files = [path]
    elif path.is_dir():
        files = sorted(file for file in path.rglob("*") if file.is_file())
    else:
        files = [file for file in (path, path.with_suffix(".bin")) if file.is_file()]
    digest = hashlib.sha256()
    for file in files:
        with file.open("rb") as opened:
            one = hashlib.file_digest(opened, "sha256")
        if len(files) == 1:
            return one.hexdigest()
        digest.update(f"{file.relative_to(path.parent).as_posix()}\0{one.hexdigest()}\n".encode())
    return digest.hexdigest()
