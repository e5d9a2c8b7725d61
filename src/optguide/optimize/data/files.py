"""Samples in files: NumPy's ``.npz`` and ``.npy``, and folders of either.

Nothing is unpickled. ``.npy`` files are mapped into memory, so a folder may be larger than that.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from optguide.errors import InputError
from optguide.optimize.data.label_files import LABEL_FILES, class_names, labels_beside
from optguide.optimize.data.samples import ArrayRows, Mapped, RawSamples, by_input, by_port, load_npy
from optguide.optimize.model.source import Port
from optguide.runtimes.inputs import from_files

LABELS = "labels"
"""Name of the array of labels in an ``.npz``, unless an input of the model has that name."""

NAMELESS = "arr_0"
"""What :func:`numpy.savez` calls a single array that is given no name."""


def read_file(path: Path, ports: Sequence[Port]) -> RawSamples:
    """An ``.npz`` with one array of samples per input, or an ``.npy`` for a single input.

    :raises InputError: the file is neither, or its arrays are not those of the inputs.
    """
    arrays = {NAMELESS: load_npy(path)} if path.suffix.lower() == ".npy" else _load_npz(path)
    is_input = any(LABELS in port.names for port in ports)
    labels = None if is_input else arrays.pop(LABELS, None)
    rows = ArrayRows(_arrays_by_port(arrays, ports, path.name), ports)
    return RawSamples(rows, labels, classes=class_names(path.parent))


def has_arrays(folder: Path) -> bool:
    """Whether ``folder`` holds samples as ``.npy`` or ``.npz``."""
    return bool(_sample_files(folder, ".npy") or _sample_files(folder, ".npz"))


def read_folder(folder: Path, ports: Sequence[Port]) -> RawSamples:
    """A folder with one ``.npy`` per input, or one ``.npz`` (or ``.npy``, for a single input) per sample.

    :raises InputError: its files are not those of the inputs, or it holds both kinds.
    """
    npy, npz = _sample_files(folder, ".npy"), _sample_files(folder, ".npz")
    if npy and npz:
        raise InputError(
            f"{folder} holds samples as .npy and as .npz.", "Keep one kind in the folder, and labels.npy."
        )
    whole = _files_by_port(npy, ports)
    if whole is not None:
        rows = ArrayRows({name: load_npy(file) for name, file in whole.items()}, ports)
        return RawSamples(rows, labels_beside(folder, ()), classes=class_names(folder))
    if not npz and len(ports) > 1:
        listing = ", ".join(file.name for file in npy[:5]) + (", …" if len(npy) > 5 else "")
        raise InputError(
            f"{folder} holds {listing}, and the model's inputs are {', '.join(port.name for port in ports)}.",
            "Write one .npy with all samples per input, with the input's name, or one .npz per sample.",
        )
    names = tuple(file.name for file in npz or npy)
    samples = Mapped(npz or npy, _load_npz if npz else load_npy)
    labels, classes = labels_beside(folder, names), class_names(folder, names)
    return RawSamples(samples, labels, names, classes, untyped=isinstance(labels, list))


def _sample_files(folder: Path, suffix: str) -> list[Path]:
    return sorted(
        (
            file
            for file in folder.iterdir()
            if file.suffix.lower() == suffix
            and not file.name.startswith(".")
            and file.name not in LABEL_FILES
        ),
        key=natural_key,
    )


def natural_key(path: Path) -> list[Any]:
    """Sort key under which ``2.npy`` comes before ``10.npy``."""
    return [
        (int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", path.as_posix())
    ]


def _load_npz(path: Path) -> dict[str, NDArray[Any]]:
    return from_files([str(path)])[0]


def _arrays_by_port(
    arrays: dict[str, NDArray[Any]], ports: Sequence[Port], source: str
) -> dict[str, NDArray[Any]]:
    """``arrays`` by the name of their port; a single array without a name belongs to a single input."""
    if len(ports) == 1 and arrays.keys() == {NAMELESS}:
        return {ports[0].name: arrays[NAMELESS]}
    matches = by_port(arrays, ports)
    if matches is None:
        raise InputError(
            f"{source} holds {', '.join(arrays) or 'no samples'}, and the model's inputs are "
            f"{', '.join(port.name for port in ports)}.",
            f"Save one array of samples per input under its name, and labels as {LABELS!r}.",
        )
    return matches


def _files_by_port(files: Sequence[Path], ports: Sequence[Port]) -> dict[str, Path] | None:
    """Files by port where every port has one; underscores stand for characters no file name has."""
    if len(files) == 1 and len(ports) == 1:
        return {ports[0].name: files[0]}
    stems = {_file_name(file.stem): file for file in files}
    inputs = [[_file_name(name) for name in port.names] for port in ports]
    matches = by_input(stems, inputs) if len(files) == len(ports) else None
    return None if matches is None else dict(zip((port.name for port in ports), matches, strict=True))


def _file_name(name: str) -> str:
    return re.sub(r"[^\w.-]", "_", name)
