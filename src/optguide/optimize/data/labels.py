"""Labels of any source as numbers, one per sample."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from optguide.errors import InputError
from optguide.optimize.data.samples import array_of
from optguide.optimize.model.source import SourceModel

__all__ = ["LABEL_FILES", "as_labels", "class_names", "labels_beside", "number_of_classes"]

LABEL_FILES = ("labels.npy", "labels.csv", "labels.txt")
"""Beside samples that are files. The array is in the order of the files' names; the others have lines
``file,label``, or ``file label`` where they have no comma."""


def as_labels(labels: Any, count: int, subject: SourceModel, classes: Sequence[str] = ()) -> NDArray[Any]:
    """``labels`` as integers (classes) or floats (values), one per sample.

    :param labels: numbers, or names of classes. Names become numbers in the order of ``classes``.
    :param classes: all names in the order of the model's outputs; without it, the names in alphabetical
        order, which have to be as many as the model tells apart.
    :raises InputError: there are more or fewer than samples, or they are no labels.
    """
    if not isinstance(labels, np.ndarray) and hasattr(labels, "__iter__") and not hasattr(labels, "ndim"):
        labels = list(labels)
    texts = np.asarray(labels) if _is_text(labels) else None
    array = (
        _numbered(texts, subject, classes) if texts is not None else array_of(labels, "The array of labels")
    )
    if array.ndim == 0:
        raise InputError(f"The labels are a single number, {array}.", "Give an array with one per sample.")
    if len(array) != count:
        by_input = len(array) == subject.batch * count
        raise InputError(
            f"There are {len(array)} labels and {count} samples"
            + (f" of {subject.batch} inputs, the batch of the model." if by_input else "."),
            "Set the batch to one with --shape." if by_input else "Give every sample one label.",
        )
    return array.astype(np.int64) if array.dtype.kind in "iub" else array


def number_of_classes(subject: SourceModel) -> int | None:
    """How many classes the first output tells apart, if it has one score for each."""
    shape = subject.outputs[0].shape
    return shape[1] if len(shape) == 2 else None


def _is_text(labels: Any) -> bool:
    if isinstance(labels, np.ndarray):
        return labels.dtype.kind in "US"
    return isinstance(labels, list) and bool(labels) and all(isinstance(label, str) for label in labels)


def _numbered(texts: NDArray[Any], subject: SourceModel, classes: Sequence[str]) -> NDArray[Any]:
    names = [str(text) for text in texts.astype(str).ravel()]
    for kind in (np.int64, np.float64):
        try:
            return array_of(np.array([kind(name) for name in names]), "The list of labels")
        except ValueError:
            continue
    known = list(classes) or sorted(set(names))
    if missing := sorted(set(names) - set(known)):
        raise InputError(
            f"The label {missing[0]!r} is none of the {len(known)} names in classes.txt.", "Add it there."
        )
    expected = number_of_classes(subject)
    if expected is not None and len(known) != expected:
        raise InputError(
            f"There are {len(known)} names of classes, and the model tells {expected} apart.",
            "Write all names, one a line in the order of the model's outputs, into classes.txt beside the "
            "data, or use the numbers of the classes as labels.",
        )
    numbers = {name: index for index, name in enumerate(known)}
    return np.array([numbers[name] for name in names], dtype=np.int64)


def labels_beside(folder: Path, files: Sequence[str]) -> Any:
    """The labels that a file in ``folder`` gives to ``files``, ``None`` if there is no such file.

    :param files: paths relative to ``folder``, with slashes.
    :raises InputError: several such files, one that cannot be read, or one that does not cover ``files``.
    """
    found = [name for name in LABEL_FILES if (folder / name).is_file()]
    if not found:
        return None
    if len(found) > 1:
        raise InputError(f"{folder} holds {' and '.join(found)}.", "Keep the one that is right.")
    path = folder / found[0]
    if path.suffix == ".npy":
        return load(path)
    by_file = _lines(path)
    if missing := [name for name in files if name not in by_file]:
        raise InputError(
            f"{path.name} has no label for {missing[0]}" + _and_others(missing),
            "Add a line for it, or take the file out of the folder.",
        )
    if missing := sorted(set(by_file) - set(files)):
        raise InputError(
            f"{path.name} has a label for {missing[0]}, which is not in {folder}" + _and_others(missing),
            "Correct the name, or take the line out.",
        )
    return [by_file[name] for name in files]


def class_names(folder: Path) -> tuple[str, ...]:
    """The lines of ``classes.txt`` in ``folder``; none without it."""
    path = folder / "classes.txt"
    if not path.is_file():
        return ()
    return tuple(line.strip() for line in read_text(path).splitlines() if line.strip())


def load(path: Path) -> NDArray[Any]:
    """The array in an ``.npy`` file, mapped into memory.

    :raises InputError: it is no such file, or holds Python objects, which are never unpickled.
    """
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except Exception as error:  # of many types, by which byte of the file is wrong
        raise InputError(
            f"{path.name} is no .npy file of plain numbers ({_first_line(error)}).",
            "Write it with numpy.save(path, array).",
        ) from error
    if not isinstance(array, np.ndarray):
        raise InputError(f"{path.name} is no .npy file.", "Write it with numpy.save(path, array).")
    return array


def read_text(path: Path) -> str:
    """The text of a small file.

    :raises InputError: it cannot be read, or is no UTF-8.
    """
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read ({error}).", "Write it as a text file in UTF-8.") from error


def _lines(path: Path) -> dict[str, str]:
    """Labels by file in lines ``file,label`` or ``file label``; a first line without a file is a heading."""
    found: dict[str, str] = {}
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
        if name in found:
            raise InputError(f"{path.name} names {name} twice.", "Keep one of the lines.")
        found[name] = parts[1]
    return found


def _and_others(names: Sequence[str]) -> str:
    return f", and {len(names) - 1} more like it." if len(names) > 1 else "."


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0][:200].rstrip(".") if lines else type(error).__name__
