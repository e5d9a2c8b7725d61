"""The user's model: read once in a process of its own, described, and kept as 32-bit IR."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from optguide.bench import process
from optguide.bench.variant import Variant
from optguide.errors import ModelError, StorageError
from optguide.optimize.candidate import Settings
from optguide.optimize.model.pytorch import converted
from optguide.optimize.model.structure import batchable
from optguide.references import is_reference, split
from optguide.runtimes.inputs import numpy_type
from optguide.runtimes.models import check_model
from optguide.runtimes.onnxruntime import ONNXRuntime
from optguide.runtimes.openvino_errors import telling_line
from optguide.runtimes.openvino_models import ports_of, read_model, reject_open_rank, reshape
from optguide.runtimes.ports import Port, count_frames
from optguide.runtimes.torch import PyTorch
from optguide.storage import storage_errors

T = TypeVar("T")


OUT_REMEDY = "Free some space there, or name another folder with --out."
"""What to do where the run's folder cannot be written."""

_FRAMEWORKS = {
    ".xml": "OpenVINO IR",
    ".onnx": "ONNX",
    ".tflite": "TensorFlow Lite",
    ".pdmodel": "PaddlePaddle",
    ".pb": "TensorFlow",
    ".pt2": "PyTorch",
}

_SECONDS = 1800.0
"""Limit for reading a model, longer than the largest ones take: beyond it the process hangs."""


@dataclass(frozen=True)
class SourceModel:
    """A model, read once and kept as IR with the weights that it came with.

    :param name: for headings: the stem of the file, or the function. Never trusted in HTML.
    :param framework: where it comes from, for readers: ``ONNX``, ``OpenVINO IR``, ``PyTorch``.
    :param file: the IR, ``f32.xml`` in the run's folder. Every input has the name of its port.
    :param sha256: checksum of the model's files; empty for a function.
    :param original: path or reference, where the model's own framework can run it here; else empty.
    :param batchable: whether a larger batch gives every one of its inputs the answer that it has alone.
    """

    name: str
    framework: str
    file: Path
    ports: tuple[Port, ...]
    outputs: tuple[Port, ...]
    sha256: str = ""
    original: str = ""
    batchable: bool = False

    @property
    def reference(self) -> Variant | None:
        """The model in its own framework, without inputs; ``None`` where that cannot be run here."""
        if self.original.lower().endswith(".onnx"):
            return Variant("ONNX Runtime", runtime=ONNXRuntime(), model=self.original)
        return Variant("PyTorch", runtime=PyTorch(), model=self.original) if self.original else None

    @property
    def batch(self) -> int:
        """Inputs of one inference of the model as it is; one where the batch is dynamic."""
        return batch_of(self.ports, self.outputs)

    @property
    def dynamic(self) -> bool:
        """Whether a size other than the batch is left open."""
        return any(size is None for port in self.ports for size in port.shape[1:])


def batch_of(ports: Sequence[Port], outputs: Sequence[Port]) -> int:
    """Inputs of one inference of a model with these ports; one where the batch is dynamic."""
    shapes = ([[size or 1 for size in port.shape] for port in side] for side in (ports, outputs))
    return count_frames(ports, *shapes)[0]


def encode(value: object) -> dict[str, Any]:
    """A model, or plain data with one in it, as JSON has it: for another process or a file."""
    data: dict[str, Any] = msgspec.to_builtins(value, enc_hook=str)
    return data


def decode(data: Mapping[str, Any], kind: type[T]) -> T:
    """What :func:`encode` was given."""
    return msgspec.convert(data, kind, dec_hook=lambda path, text: path(text))


def read_source_model(settings: Settings, folder: Path) -> SourceModel:
    """Read the model of ``settings`` in a process of its own, and write ``f32.xml`` into ``folder``.

    :raises ModelError: the model is missing, corrupt, not supported, or would need unpickling.
    :raises InputError: ``settings.shapes`` do not fit, or do not settle how many dimensions an input has.
    """
    runtime = "torch" if is_reference(settings.model) else "openvino"
    check_model(settings.model, runtime, allow_pickle=settings.allow_pickle)
    answer = process.call(
        f"{__name__}:{read_as_json.__name__}",
        {"settings": msgspec.to_builtins(settings), "folder": str(folder)},
        seconds=_SECONDS,
        activity="reading the model",
    )
    return decode(answer, SourceModel)


def read_as_json(settings: Mapping[str, Any], folder: str) -> dict[str, Any]:
    """What :func:`read_source_model` has done in a process of its own; arguments and result are JSON's."""
    import openvino

    config, positional = msgspec.convert(settings, Settings), True
    path, is_function = Path(config.model), is_reference(config.model)
    if is_function:
        model, positional = converted(config)
    else:
        model = read_model(openvino.Core(), path)
    _reject_unusable(model, config.model)
    _name_ports(model)
    reshape(model, config.shapes)
    reject_open_rank(model)
    file = Path(folder, "f32.xml")
    write_ir(model, file)
    return encode(
        SourceModel(
            name=split(config.model)[1] if is_function else path.stem,
            framework=_framework(config.model),
            file=file,
            ports=ports_of(model.inputs),
            outputs=ports_of(model.outputs, "output"),
            sha256="" if is_function else _digest(path),
            original=config.model if positional and _runs_in_own_framework(config.model) else "",
            batchable=batchable(model, config.seed),
        )
    )


def _reject_unusable(model: Any, name: str) -> None:
    """Raise for a model that has no input, or one whose elements NumPy does not have."""
    if not model.inputs:
        raise ModelError(
            f"The model {name} has no input, so there is nothing to run it on.", "Export it with its inputs."
        )
    for port in ports_of(model.inputs):
        if numpy_type(port) is None:
            takes = f"elements of type {port.dtype}, which NumPy does not have"
            raise ModelError(
                f"Input {port.name!r} of the model takes {'text' if port.dtype == 'str' else takes}.",
                "Use a model whose inputs are numbers, and do the conversion before it.",
            )


def _name_ports(model: Any) -> None:
    """Give every port a name, so that it has the same one wherever the IR is read again."""
    for ports, kind in ((model.inputs, "input"), (model.outputs, "output")):
        for port, described in zip(ports, ports_of(ports, kind), strict=True):
            if not port.get_names():
                port.get_tensor().set_names({described.name})


def write_ir(model: Any, file: Path) -> None:
    """Write an ``openvino.Model`` with its weights as they are; ``file`` appears last, and complete.

    :param file: the ``.xml``; its ``.bin`` lies beside it.
    """
    import openvino

    draft = file.with_suffix(".part")
    with storage_errors(file.parent, OUT_REMEDY):
        shutil.rmtree(draft, ignore_errors=True)
        try:
            draft.mkdir(parents=True)
            unfinished = draft / file.name
            openvino.save_model(model, unfinished, compress_to_fp16=False)
            openvino.Core().read_model(unfinished)
            file.unlink(missing_ok=True)  # never beside the weights of another model
            unfinished.with_suffix(".bin").replace(file.with_suffix(".bin"))
            unfinished.replace(file)
        except RuntimeError as error:  # how OpenVINO says that the disk is full
            raise StorageError(
                f"The model cannot be written into {file.parent}: {telling_line(error)}", OUT_REMEDY
            ) from error
        finally:
            shutil.rmtree(draft, ignore_errors=True)


def _framework(model: str) -> str:
    if is_reference(model):
        return "PyTorch"
    return "TensorFlow" if Path(model).is_dir() else _FRAMEWORKS[Path(model).suffix.lower()]


def _runs_in_own_framework(model: str) -> bool:
    """Whether the model's own framework can run it here; PyTorch is what has just read its own."""
    if is_reference(model):
        return True
    suffix = Path(model).suffix.lower()
    return suffix == ".pt2" or (suffix == ".onnx" and find_spec("onnxruntime") is not None)


def _digest(path: Path) -> str:
    """Of the file, of both files of an IR, or of all files in a folder and their names."""
    if path.is_dir():
        files = sorted(file for file in path.rglob("*") if file.is_file())
    elif path.suffix.lower() == ".xml":
        files = [file for file in (path, path.with_suffix(".bin")) if file.is_file()]
    else:
        files = [path]
    digest = hashlib.sha256()
    for file in files:
        with file.open("rb") as content:
            file_digest = hashlib.file_digest(content, "sha256")
        if len(files) == 1:
            return file_digest.hexdigest()
        digest.update(f"{file.relative_to(path.parent).as_posix()}\0{file_digest.hexdigest()}\n".encode())
    return digest.hexdigest()
