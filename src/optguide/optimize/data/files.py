"""Samples and labels in files: NumPy's ``.npz`` and ``.npy``, folders of either, and lists of labels.

Nothing is unpickled. ``.npy`` files are mapped into memory, so a folder may be larger than that.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from optguide.errors import InputError, described
from optguide.optimize.data.samples import ArrayRows, RawSamples, by_input, by_port
from optguide.optimize.model.source import Port
from optguide.runtimes.inputs import from_files

__all__ = [
    "class_names",
    "has_arrays",
    "labels_beside",
    "natural_key",
    "read_file",
    "read_folder",
    "read_text",
]

LABELS = "labels"
"""Name of the array of labels in an ``.npz``, unless an input of the model has that name."""

LABEL_FILES = ("labels.npy", "labels.csv", "labels.txt")
"""Beside samples that are files. The array is in the order of the files' names; the others have lines
``file,label``, or ``file label`` where they have no comma."""

NAMELESS = "arr_0"
"""What :func:`numpy.savez` calls a single array that is given no name."""


def read_file(path: Path, ports: Sequence[Port]) -> RawSamples:
    """An ``.npz`` with one array of samples per input, or an ``.npy`` for a single input.

    :raises InputError: the file is neither, or its arrays are not those of the inputs.
    """
    arrays = {NAMELESS: _load_npy(path)} if path.suffix.lower() == ".npy" else _load_npz(path)
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
    classes = class_names(folder)
    whole = _files_by_port(npy, ports)
    if whole is not None:
        rows = ArrayRows({name: _load_npy(file) for name, file in whole.items()}, ports)
        return RawSamples(rows, _labels_in_order(folder), classes=classes)
    if not npz and len(ports) > 1:
        listing = ", ".join(file.name for file in npy[:5]) + (", …" if len(npy) > 5 else "")
        raise InputError(
            f"{folder} holds {listing}, and the model's inputs are {', '.join(port.name for port in ports)}.",
            "Write one .npy with all samples per input, with the input's name, or one .npz per sample.",
        )
    names = tuple(file.name for file in npz or npy)
    samples = _SampleFiles(npz or npy, _load_npz if npz else _load_npy)
    return RawSamples(samples, labels_beside(folder, names), names, classes)


class _SampleFiles:
    """One sample per file, opened on access: there may be more than can be open at once."""

    def __init__(self, files: Sequence[Path], read: Callable[[Path], Any]) -> None:
        self._files = files
        self._read = read

    def __len__(self) -> int:
        return len(self._files)

    def __getitem__(self, index: int) -> Any:
        return self._read(self._files[index])


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


def _load_npy(path: Path) -> NDArray[Any]:
    """The array in an ``.npy`` file, mapped into memory.

    :raises InputError: it is no such file, or holds Python objects, which are never unpickled.
    """
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except Exception as error:  # of many types, depending on which byte of the file is wrong
        raise InputError(
            f"{path.name} is no .npy file of plain numbers ({described(error)}).",
            "Write it with numpy.save(path, array).",
        ) from error
    if not isinstance(array, np.ndarray):
        raise InputError(f"{path.name} is no .npy file.", "Write it with numpy.save(path, array).")
    return array


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


def labels_beside(folder: Path, files: Sequence[str]) -> Any:
    """The labels that a file in ``folder`` gives to ``files``, ``None`` if there is no such file.

    :param files: paths relative to ``folder``, with slashes.
    :raises InputError: several such files, one that cannot be read, or one that does not cover ``files``.
    """
    present = [name for name in LABEL_FILES if (folder / name).is_file()]
    if not present:
        return None
    if len(present) > 1:
        raise InputError(f"{folder} holds {' and '.join(present)}.", "Keep the one that is right.")
    path = folder / present[0]
    if path.suffix == ".npy":
        return _load_npy(path)
    by_file = _labels_by_file(path)
    if missing := [name for name in files if name not in by_file]:
        raise InputError(
            f"{path.name} has no label for {missing[0]}" + _and_others(missing),
            "Add a line for it, or take the file out of the folder.",
        )
    if unknown := sorted(set(by_file) - set(files)):
        raise InputError(
            f"{path.name} has a label for {unknown[0]}, which is not in {folder}" + _and_others(unknown),
            "Correct the name, or take the line out.",
        )
    return [by_file[name] for name in files]


def _labels_in_order(folder: Path) -> Any:
    """Labels of samples that are rows of an array, which only their order assigns."""
    if any((folder / name).is_file() for name in LABEL_FILES[1:]):
        raise InputError(
            f"{folder} holds all samples of an input in one file, so a list of file names labels nothing.",
            "Save the labels in the order of the samples as labels.npy.",
        )
    return labels_beside(folder, ())


def _labels_by_file(path: Path) -> dict[str, str]:
    """Labels in lines ``file,label`` or ``file label``; a first line that names no file is a heading."""
    labels: dict[str, str] = {}
    text = read_text(path)
    rows = csv.reader(text.splitlines()) if "," in text else (line.split() for line in text.splitlines())
    for number, row in enumerate(rows, start=1):
        parts = [part.strip() for part in row]
        if not any(parts) or (number == 1 and [part.lower() for part in parts][1:] in (["label"], ["class"])):
            continue
        if len(parts) != 2 or not all(parts):
            raise InputError(
                f"Line {number} of {path.name} is not of the form file,label.",
                "Write one file and one label in every line.",
            )
        name = parts[0].replace("\\", "/").removeprefix("./")
        if name in labels:
            raise InputError(f"{path.name} names {name} twice.", "Keep one of the lines.")
        labels[name] = parts[1]
    return labels


def class_names(folder: Path) -> tuple[str, ...]:
    """The lines of ``classes.txt`` in ``folder``; none without it."""
    path = folder / "classes.txt"
    if not path.is_file():
        return ()
    return tuple(line.strip() for line in read_text(path).splitlines() if line.strip())


def read_text(path: Path) -> str:
    """The text of a small file.

    :raises InputError: it cannot be read, or is not UTF-8.
    """
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read ({error}).", "Write it as a text file in UTF-8.") from error


def _and_others(names: Sequence[str]) -> str:
    return f", and {len(names) - 1} more like it." if len(names) > 1 else "."
