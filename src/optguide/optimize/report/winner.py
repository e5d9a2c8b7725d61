"""The winner's model, put beside the report as it won, and what it takes as input."""

from __future__ import annotations

import os
import shlex
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from optguide.bench import child
from optguide.optimize.model.source import Port
from optguide.storage import storage_errors

__all__ = ["MODEL", "Inputs", "place", "read_inputs"]

MODEL = "model.xml"
"""Name of the winner's model, beside the report."""

PATIENCE = 600.0
"""Seconds for reading and writing a model, which takes as long as its disk does."""

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Inputs:
    """What the model takes, and what it was measured with.

    :param ports: inputs of the model.
    :param sets: for each set of inputs, the shape of every array by name.
    :param file: a set to try the model with, relative to the report; empty where there is none.
    """

    ports: tuple[Port, ...] = ()
    sets: Sequence[Mapping[str, Shape]] = field(default_factory=tuple)
    file: str = ""

    @property
    def dynamic(self) -> tuple[dict[str, Shape], ...]:
        """The different shapes that the dynamic inputs were measured with; empty for a static model."""
        names = [port.name for port in self.ports if None in port.shape]
        found = [{name: shapes[name] for name in names} for shapes in self.sets if set(names) <= set(shapes)]
        return tuple(shapes for index, shapes in enumerate(found) if shapes and shapes not in found[:index])

    @property
    def quoted_file(self) -> str:
        """:attr:`file` as a word of a shell command."""
        return shlex.quote(self.file)

    @property
    def filled(self) -> dict[str, Shape]:
        """A static shape for every dynamic input: the first it was measured with, else ones."""
        given = self.dynamic[0] if self.dynamic else {}
        ones = {
            port.name: tuple(size or 1 for size in port.shape) for port in self.ports if None in port.shape
        }
        return ones | given


def read_inputs(files: Sequence[str], folder: Path, ports: Sequence[Port]) -> Inputs:
    """What is in the ``.npz`` files the winner was measured with, those that are still there."""
    from optguide.runtimes.inputs import from_files

    present = [file for file in files if Path(file).is_file()]
    sets = [{name: array.shape for name, array in arrays.items()} for arrays in from_files(present)]
    inside = [Path(file).resolve() for file in present]
    root = folder.resolve()
    first = next((file.relative_to(root).as_posix() for file in inside if file.is_relative_to(root)), "")
    return Inputs(tuple(ports), tuple(sets), first)


def place(model: Path, folder: Path, batch: int | None) -> tuple[Port, ...]:
    """Write ``model.xml`` and ``model.bin`` into ``folder``, with the winner's batch in their shapes.

    A process of its own reads the model, so that one which takes OpenVINO down leaves the report.

    :raises StorageError: the disk is full or the folder cannot be written; what was there is unchanged.
    :raises OptGuideError: the model cannot be read, or does not take the batch.
    """
    with storage_errors(folder), tempfile.TemporaryDirectory(prefix=".model-", dir=folder) as name:
        made = Path(name) / MODEL
        arguments = {"model": os.fspath(model), "target": os.fspath(made), "batch": batch}
        answer = child.call(f"{__name__}:write", arguments, seconds=PATIENCE, what="writing the model")
        for part in (made.with_suffix(".bin"), made):
            part.replace(folder / part.name)
    return tuple(Port(port["name"], port["dtype"], tuple(port["shape"])) for port in answer)


def write(model: str, target: str, batch: int | None) -> list[dict[str, Any]]:
    """The child's side of :func:`place`: the model at ``target``; its inputs."""
    import numpy as np
    import openvino

    from optguide.runtimes.openvino_models import port_name, set_batch

    read = openvino.Core().read_model(model)
    if batch is None:
        source = Path(model)
        shutil.copyfile(source, target)
        shutil.copyfile(source.with_suffix(".bin"), Path(target).with_suffix(".bin"))
    else:
        set_batch(read, batch)
        openvino.save_model(read, target, compress_to_fp16=False)
    return [
        {
            "name": port_name(port, index),
            "dtype": np.dtype(port.element_type.to_dtype()).name,
            "shape": [None if size.is_dynamic else size.get_length() for size in port.partial_shape],
        }
        for index, port in enumerate(read.inputs)
    ]
