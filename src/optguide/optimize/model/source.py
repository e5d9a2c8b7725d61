"""The model of a run, as the reader has it and as 32-bit IR."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import msgspec

from optguide.bench import child
from optguide.bench.variant import Variant
from optguide.errors import InputError, ModelError, StorageError
from optguide.optimize.config import Settings
from optguide.optimize.model.structure import batchable
from optguide.references import is_reference, split
from optguide.runtimes.onnxruntime import ONNXRuntime
from optguide.runtimes.openvino_errors import telling_line
from optguide.runtimes.openvino_models import port_name, read_model, reshape
from optguide.runtimes.torch import PyTorch

__all__ = ["FRAMEWORKS", "Port", "SourceModel", "decode", "encode", "read", "read_source_model"]

_SECONDS = 1800.0
"""After which reading a model is given up: it hangs, since this is longer than the largest ones take."""


@dataclass(frozen=True)
class Port:
    """One input or output.

    :param name: the first of its names in alphabetical order, as everywhere in measuring.
    :param dtype: NumPy's name of the element type: ``float32``, ``int64``, ``bool``.
    :param shape: ``None`` where a size is dynamic; an output of unknown rank has ``(None,)``.
    :param layout: as the model declares it, such as ``NCHW``; empty where it does not.
    :param also: its other names.
    """

    name: str
    dtype: str
    shape: tuple[int | None, ...]
    layout: str = ""
    also: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """All its names, the first one first."""
        return (self.name, *self.also)

    def __str__(self) -> str:
        """``float32 [1,3,?,?]``."""
        return f"{self.dtype} [{','.join('?' if size is None else str(size) for size in self.shape)}]"


@dataclass(frozen=True)
class SourceModel:
    """A model, read once and kept as IR with the weights that it came with.

    :param name: for headings: the stem of the file, or the function. Never trusted in HTML.
    :param framework: what it came from, for readers: ``ONNX``, ``OpenVINO IR``, ``PyTorch``.
    :param file: the IR, ``f32.xml`` in the run's folder. Every input has the name of its port.
    :param sha256: of the files of the model; empty for a function.
    :param reference: the model in its own framework, without inputs, where that framework is installed here.
    :param batchable: whether a larger batch gives every one of its inputs the answer that it has alone.
    """

    name: str
    framework: str
    file: Path
    ports: tuple[Port, ...]
    outputs: tuple[Port, ...]
    sha256: str = ""
    reference: Variant | None = None
    batchable: bool = False

    @property
    def batch(self) -> int:
        """Inputs of one inference of the model as it is; one where the batch is dynamic."""
        sizes = [port.shape[0] for port in self.ports if len(port.shape) > 1]
        return (sizes[0] or 1) if sizes else 1

    @property
    def dynamic(self) -> bool:
        """Whether a size other than the batch is left open."""
        return any(size is None for port in self.ports for size in port.shape[1:])


def read_source_model(settings: Settings, folder: Path) -> SourceModel:
    """Read the model of ``settings`` in a process of its own, and write ``f32.xml`` into ``folder``.

    :raises ModelError: the model is missing, corrupt, not supported, or would need unpickling.
    :raises InputError: ``settings.shapes`` do not fit, or random data meets a dynamic shape.
    """
    import msgspec

    from optguide.runtimes.models import check_model

    runtime = "torch" if is_reference(settings.model) else "openvino"
    check_model(settings.model, runtime, allow_pickle=settings.allow_pickle)
    arguments = {"settings": msgspec.to_builtins(settings), "folder": str(folder)}
    return decode(
        child.call(
            "optguide.optimize.model.source:read", arguments, seconds=_SECONDS, what="reading the model"
        )
    )


def encode(subject: SourceModel) -> dict[str, Any]:
    """``subject`` as what JSON has, for another process or a file."""
    import msgspec

    data: dict[str, Any] = msgspec.to_builtins(subject, enc_hook=str)
    if subject.reference is not None:
        data["reference"] = subject.reference.to_dict()
    return data


def decode(data: Mapping[str, Any]) -> SourceModel:
    """The subject that :func:`encode` was given.

    :raises msgspec.ValidationError: ``data`` is something else.
    """
    import msgspec

    # A variant knows itself of which class its runtime is.
    reference = Variant.from_dict(data["reference"]) if data.get("reference") else None
    plain = {**data, "reference": None}
    model = msgspec.convert(plain, SourceModel, dec_hook=lambda kind, value: kind(value))
    return replace(model, reference=reference)


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

    :raises UserError: as :func:`optguide.optimize.model.source.read_source_model` says.
    """
    import openvino

    given = msgspec.convert(settings, Settings)
    positional = True
    if is_reference(given.model):
        from optguide.optimize.model.pytorch import converted

        model, positional = converted(given)
    else:
        model = read_model(openvino.Core(), Path(given.model))
    _refuse_unfit(model, given.model)
    _name(model)
    reshape(model, given.shapes)
    _refuse_open(model, is_random=given.data is None)
    file = Path(folder, "f32.xml")
    _save(openvino, model, file)
    return encode(
        SourceModel(
            name=split(given.model)[1] if is_reference(given.model) else Path(given.model).stem,
            framework=_framework(given.model),
            file=file,
            ports=tuple(_ports(model.inputs)),
            outputs=tuple(_ports(model.outputs)),
            sha256="" if is_reference(given.model) else _digest(Path(given.model)),
            reference=_reference(given.model) if positional else None,
            batchable=batchable(openvino, model, given.seed),
        )
    )


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
        return Variant("PyTorch", runtime=PyTorch(), model=model)
    if suffix == ".onnx" and find_spec("onnxruntime") is not None:
        return Variant("ONNX Runtime", runtime=ONNXRuntime(), model=model)
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
