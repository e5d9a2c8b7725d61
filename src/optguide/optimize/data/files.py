"""Samples in files that NumPy wrote: an ``.npz``, an ``.npy``, or a folder of either.

Nothing is unpickled. ``.npy`` files are mapped into memory, so a folder may be larger than that.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from optguide.errors import InputError
from optguide.optimize.data.labels import LABEL_FILES, class_names, labels_beside, load
from optguide.optimize.data.samples import Lazy, Raw, Rows
from optguide.optimize.model.source import Port

__all__ = ["by_number", "has_arrays", "read_file", "read_folder"]

LABELS = "labels"
"""Name of the array of labels in an ``.npz``, unless an input of the model is called so."""

NAMELESS = "arr_0"
"""What :func:`numpy.savez` calls a single array that is given no name."""


def read_file(path: Path, ports: Sequence[Port]) -> Raw:
    """An ``.npz`` with one array of samples per input, or an ``.npy`` for a single input.

    :raises InputError: the file is neither, or its arrays are not those of the inputs.
    """
    if path.suffix.lower() == ".npy":
        arrays: dict[str, NDArray[Any]] = {NAMELESS: load(path)}
    else:
        arrays = _unpacked(path)
    is_input = any(LABELS in (port.name, *port.also) for port in ports)
    labels = None if is_input else arrays.pop(LABELS, None)
    return Raw(Rows(_by_port(arrays, ports, path.name), ports), labels, classes=class_names(path.parent))


def has_arrays(folder: Path) -> bool:
    """Whether ``folder`` holds samples as ``.npy`` or ``.npz``."""
    return bool(_files(folder, ".npy") or _files(folder, ".npz"))


def read_folder(folder: Path, ports: Sequence[Port]) -> Raw:
    """A folder with one ``.npy`` per input, or one ``.npz`` (or ``.npy``, for a single input) per sample.

    :raises InputError: its files are not those of the inputs, or it holds both kinds.
    """
    single, packed = _files(folder, ".npy"), _files(folder, ".npz")
    if single and packed:
        raise InputError(
            f"{folder} holds samples as .npy and as .npz.", "Keep one kind in the folder, and labels.npy."
        )
    classes = class_names(folder)
    if packed:
        names = tuple(file.name for file in packed)
        return Raw(_Files(packed, _unpacked), labels_beside(folder, names), names, classes)
    if (by_input := _by_input(single, ports)) is not None:
        rows = Rows({name: load(file) for name, file in by_input.items()}, ports)
        return Raw(rows, _whole_labels(folder), classes=classes)
    if len(ports) > 1:
        found, wanted = ", ".join(file.name for file in single[:5]), ", ".join(port.name for port in ports)
        raise InputError(
            f"{folder} holds {found}{', …' if len(single) > 5 else ''}, and the model's inputs are {wanted}.",
            "Write one .npy with all samples per input, called like it, or one .npz per sample.",
        )
    names = tuple(file.name for file in single)
    return Raw(_Files(single, load), labels_beside(folder, names), names, classes)


class _Files(Lazy[Any]):
    """One sample per file, opened when it is read: there may be more than can be open at once."""

    def __init__(self, files: Sequence[Path], read: Callable[[Path], Any]) -> None:
        self._files = files
        self._read = read

    def __len__(self) -> int:
        return len(self._files)

    def at(self, index: int) -> Any:
        """See :class:`Lazy`."""
        return self._read(self._files[index])


def _unpacked(path: Path) -> dict[str, NDArray[Any]]:
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
    except Exception as error:  # of many types, by which byte of the file is wrong
        text = (str(error).strip().splitlines() or [type(error).__name__])[0][:200].rstrip(".")
        raise InputError(
            f"{path.name} is not an .npz file of plain arrays ({text}).",
            "Write it with numpy.savez(path, input_name=array).",
        ) from error
    if not arrays:
        raise InputError(f"{path.name} holds no array.", "Save one array per model input.")
    return arrays


def _by_port(arrays: dict[str, NDArray[Any]], ports: Sequence[Port], source: str) -> dict[str, NDArray[Any]]:
    """``arrays`` by the name of their port; a lone array without a name belongs to a lone input."""
    if len(ports) == 1 and arrays.keys() == {NAMELESS}:
        return {ports[0].name: arrays[NAMELESS]}
    found = {port.name: arrays[name] for port in ports for name in (port.name, *port.also) if name in arrays}
    known = {name for port in ports for name in (port.name, *port.also)}
    if len(found) < len(ports) or not known.issuperset(arrays):
        wanted = ", ".join(port.name for port in ports)
        raise InputError(
            f"{source} holds {', '.join(arrays) or 'no samples'}, and the model's inputs are {wanted}.",
            f"Save one array of samples per input under its name, and labels as {LABELS!r}.",
        )
    return found


def _by_input(files: Sequence[Path], ports: Sequence[Port]) -> dict[str, Path] | None:
    """Files by port where every port has one; characters that files cannot have are underscores there."""
    stems = {_plain(file.stem): file for file in files}
    if len(files) == 1 and len(ports) == 1:
        return {ports[0].name: files[0]}
    found = {
        port.name: stems[_plain(name)]
        for port in ports
        for name in (port.name, *port.also)
        if _plain(name) in stems
    }
    return found if len(found) == len(ports) == len(files) else None


def _whole_labels(folder: Path) -> Any:
    """Labels of samples that are rows and no files, so that only their order tells which is whose."""
    if any((folder / name).is_file() for name in LABEL_FILES[1:]):
        raise InputError(
            f"{folder} holds all samples of an input in one file, so a list of file names labels nothing.",
            "Save the labels in the order of the samples as labels.npy.",
        )
    return labels_beside(folder, ())


def _plain(name: str) -> str:
    return re.sub(r"[^\w.-]", "_", name)


def _files(folder: Path, suffix: str) -> list[Path]:
    """Samples in the order of their names, with numbers in them as numbers."""
    return sorted(
        (
            file
            for file in folder.iterdir()
            if file.suffix.lower() == suffix
            and not file.name.startswith(".")
            and file.name not in LABEL_FILES
        ),
        key=by_number,
    )


def by_number(path: Path) -> list[Any]:
    """Sort key under which ``2.npy`` comes before ``10.npy``."""
    return [
        (int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", path.as_posix())
    ]
