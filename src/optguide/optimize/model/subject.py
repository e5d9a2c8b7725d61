"""The model of a run, as the reader has it and as 32-bit IR."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from optguide.bench import child
from optguide.bench.variant import Variant
from optguide.optimize.config import Settings
from optguide.references import is_reference

__all__ = ["Port", "Subject", "decode", "encode", "read_subject"]

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

    def __str__(self) -> str:
        """``float32 [1,3,?,?]``."""
        return f"{self.dtype} [{','.join('?' if size is None else str(size) for size in self.shape)}]"


@dataclass(frozen=True)
class Subject:
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


def read_subject(settings: Settings, folder: Path) -> Subject:
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
            "optguide.optimize.model.reading:read", arguments, seconds=_SECONDS, what="reading the model"
        )
    )


def encode(subject: Subject) -> dict[str, Any]:
    """``subject`` as what JSON has, for another process or a file."""
    import msgspec

    data: dict[str, Any] = msgspec.to_builtins(subject, enc_hook=str)
    return data


def decode(data: Mapping[str, Any]) -> Subject:
    """The subject that :func:`encode` was given.

    :raises msgspec.ValidationError: ``data`` is something else.
    """
    import msgspec

    return msgspec.convert(dict(data), Subject, dec_hook=lambda kind, value: kind(value))
