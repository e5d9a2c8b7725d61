"""Labels: the files that hold them beside the samples, and what they mean to a model.

``labels.npy`` holds labels in the order of the samples; ``labels.csv`` or ``labels.txt`` has a column with
the files' names and one with their labels; ``classes.txt`` lists the names of classes in the order of the
model's outputs, and so does a ``labels.txt`` that names no file. To a model labels are indexes of classes,
numbers to come close to, or whatever a metric takes.
"""

from __future__ import annotations

import csv
import io
import itertools
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from optguide.errors import InputError
from optguide.optimize.data.samples import RawSamples, array_of, load_npy
from optguide.optimize.model import SourceModel
from optguide.references import is_reference
from optguide.runtimes.ports import Port

MOST_CLASSES = 100_000
"""An output with more numbers per sample holds no scores of classes."""

_PLAIN_NUMBER = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?")
"""A text that loses nothing as a number: 007 may be the name of something."""

_METRIC = "Name a metric that takes them with --metric package.module:function."

_COUNT = "Count classes from zero, in the order of the model's outputs"

LABEL_FILES = ("labels.npy", "labels.csv", "labels.txt")

_LABEL_HEADINGS = frozenset(
    {"category", "class", "class_id", "ground_truth", "label", "label_id", "labels", "target", "y"}
)
_COUNTED = re.compile(r"(\d+)[\s:,;]+(.+)")
_INDEX_HEADINGS = ("", "unnamed: 0", "index")
"""What pandas calls the column with the numbers of rows."""


def labels_beside(folder: Path, samples: Sequence[str]) -> Any:
    """The labels that a file in ``folder`` gives to ``samples``; ``None`` without such a file.

    :param samples: paths relative to ``folder``, with slashes; empty where order alone assigns labels.
    :raises InputError: several such files, one that cannot be read, or one that does not cover ``samples``.
    """
    present = [folder / name for name in LABEL_FILES if (folder / name).is_file()]
    if present and not _lists_files(present[-1], samples):
        present.pop()
    if len(present) > 1:
        listing = " and ".join(path.name for path in present)
        raise InputError(f"{folder} holds {listing}.", "Keep the one that is right.")
    if not present:
        return None
    (path,) = present
    if path.suffix == ".npy":
        return load_npy(path)
    if not samples:
        raise InputError(
            f"{folder} holds all samples of an input in one file, so a list of file names labels nothing.",
            "Save the labels in the order of the samples as labels.npy.",
        )
    return _table_labels(path, samples)


def class_names(folder: Path, samples: Sequence[str] = ()) -> tuple[str, ...]:
    """The lines of ``classes.txt`` in ``folder``, or of a ``labels.txt`` that names no sample; else none.

    Numbers in front of the names are left out where they count the lines from zero.
    """
    path = folder / "classes.txt"
    if not path.is_file():
        path = folder / "labels.txt"
        if not path.is_file() or not samples or _lists_files(path, samples):
            return ()
    lines = [line.strip() for line in read_text(path).splitlines() if line.strip()]
    counted = [_COUNTED.fullmatch(line) for line in lines]
    if all(match and match[1] == str(index) for index, match in enumerate(counted)):
        lines = [match[2] for match in counted if match]
    if twice := [line for line in lines if lines.count(line) > 1]:
        raise InputError(f"{path.name} names the class {twice[0]!r} twice.", "Give every class its own name.")
    return tuple(lines)


def read_text(path: Path) -> str:
    """The text of a small file in UTF-8, or in UTF-16 with its mark of byte order.

    :raises InputError: it cannot be read, or is of another encoding.
    """
    try:
        content = path.read_bytes()
        return content.decode("utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read ({error}).", "Write it as a text file in UTF-8.") from error


def _table_labels(path: Path, samples: Sequence[str]) -> list[str]:
    """One label for each of ``samples``, from lines that name a file and its label."""
    index = _index(samples)
    rows = {number: cells for number, cells in _rows(read_text(path), index) if any(cells)}

    def likeness(column: int) -> tuple[int, int, bool]:
        """Names of files with their suffix, those without, and whether the heading allows for names.

        Numbers of rows and labels may be spelt like files without their suffix.
        """
        cells = [row[column] for row in rows.values() if column < len(row)]
        names = [cell for cell in cells if _place(cell, index) is not None]
        is_other = cells[0].lower() in _LABEL_HEADINGS.union(_INDEX_HEADINGS)
        return sum(bool(PurePosixPath(name).suffix) for name in names), len(names), not is_other

    file_column = max(range(max(map(len, rows.values()), default=0)), key=likeness, default=0)
    headings: list[str] = []
    if rows and _are_headings(list(rows.values()), file_column, index):
        headings = [heading.lower() for heading in rows.pop(next(iter(rows)))]
    label_column = _label_column(path, rows, headings, file_column)
    labels: dict[int, str] = {}
    for number, cells in rows.items():
        name, label = ("".join(cells[column : column + 1]) for column in (file_column, label_column))
        if not name or not label:
            raise InputError(
                f"Line {number} of {path.name} is not of the form file,label.",
                "Write one file and one label in every line.",
            )
        place = _place(name, index)
        if place is None:
            raise InputError(
                f"{path.name} has a label for {name}, which is not in {path.parent}.",
                "Correct the name, or take the line out.",
            )
        if place in labels:
            raise InputError(f"{path.name} names {name} twice.", "Keep one of the lines.")
        labels[place] = label
    if missing := [name for place, name in enumerate(samples) if place not in labels]:
        others = f", and {len(missing) - 1} more like it" if len(missing) > 1 else ""
        raise InputError(
            f"{path.name} has no label for {missing[0]}{others}.",
            "Add a line for it, or take the file out of the folder.",
        )
    return [labels[place] for place in range(len(samples))]


def _label_column(path: Path, rows: Mapping[int, list[str]], headings: list[str], file_column: int) -> int:
    width = max(map(len, rows.values()), default=0)
    columns = [column for column in range(width) if column != file_column]
    if headings:
        named = dict(enumerate(headings))
        columns = [c for c in columns if named.get(c) not in _INDEX_HEADINGS] or columns
        if len(columns) > 1:
            columns = [c for c in columns if named.get(c) in _LABEL_HEADINGS] or columns
    if len(columns) == 1:
        return columns[0]
    listing = f"has the columns {', '.join(headings)}" if headings else "has no single label"
    raise InputError(
        f"Line {next(iter(rows), 1)} of {path.name} is not of the form file,label: it {listing}.",
        "Write one file and one label in every line; several numbers per sample belong into labels.npy.",
    )


def _rows(text: str, index: Mapping[str, int]) -> Iterator[tuple[int, list[str]]]:
    """Line numbers and cells."""
    first = next((line for line in text.splitlines() if line.strip()), "")
    delimiter = next((mark for mark in "\t;," if mark in first), None)
    if delimiter is not None:
        lines = io.StringIO(text, newline="")
        reader = csv.reader(lines, delimiter=delimiter, quoting=3 if delimiter == "\t" else 0)
        for cells in reader:
            yield reader.line_num, [cell.strip() for cell in cells]
        return
    for number, line in enumerate(text.splitlines(), start=1):
        cells = line.split(None, 1)  # a label may hold spaces, and so may the name of a file
        whole = cells and _place(cells[0], index) is not None
        yield number, [cell.strip() for cell in (cells if whole else line.rsplit(None, 1))]


def _are_headings(rows: Sequence[list[str]], column: int, index: Mapping[str, int]) -> bool:
    """Whether the first of ``rows`` names columns: no file, and no label that comes again."""
    first, *others = rows
    if not others or len(first) <= column or _place(first[column], index) is not None:
        return False
    if "." in first[column]:
        return False
    used = {cell for cells in others for cell in cells}
    return not any(cell in used or cell.replace(".", "").isdecimal() for cell in first)


def _index(samples: Sequence[str]) -> dict[str, int]:
    """Number of the sample by its path, its name, and both without suffix, where only one has it."""
    index: dict[str, int] = {}
    paths = [PurePosixPath(sample.casefold()) for sample in samples]
    for names in (
        [{str(path), str(path.with_suffix(""))} for path in paths],
        [{path.name, path.stem} for path in paths],
    ):
        counts = Counter(itertools.chain.from_iterable(names))
        unique = {
            name: place for place, spellings in enumerate(names) for name in spellings if counts[name] == 1
        }
        index = unique | index
    return index


def _place(name: str, index: Mapping[str, int]) -> int | None:
    """Number of the sample that a line means by ``name``."""
    path = PurePosixPath(name.replace("\\", "/").casefold())
    return index.get(str(path), index.get(path.name)) if name else None


def _lists_files(path: Path, samples: Sequence[str]) -> bool:
    """Whether ``path`` gives labels to samples; a ``labels.txt`` may instead list the names of classes."""
    if path.name != "labels.txt" or not samples:
        return True
    index = _index(samples)
    return any(_place(cell, index) is not None for _, row in _rows(read_text(path), index) for cell in row)


def classes(port: Port) -> int | None:
    """How many classes an output has scores for; ``None`` where it holds something else."""
    if len(port.shape) < 2 or any(size != 1 for size in port.shape[2:]) or not port.dtype.startswith("float"):
        return None
    count = port.shape[1]
    return count if count is not None and 1 < count <= MOST_CLASSES else None


def class_outputs(model: SourceModel) -> dict[int, int | None]:
    """The number of classes by index of each output that tells one class per input.

    The number is ``None`` where the output is the index of the class and no score for each.
    """
    return {
        index: classes(port)
        for index, port in enumerate(model.outputs)
        if classes(port)
        or (port.dtype.startswith(("int", "uint")) and all(size in (None, 1) for size in port.shape))
    }


def labels_for(raw: RawSamples, metric: str | None, model: SourceModel) -> NDArray[Any]:
    """The labels of ``raw`` as a metric takes them, one per sample in the first dimension.

    A metric of the reader's own gets them as they are; names of listed classes are their indexes there too.
    For other metrics they become indexes of classes where an output of the model tells classes: from numbers
    of any type, names, one-hot rows and probabilities.

    :param metric: as in :class:`~optguide.optimize.candidate.Settings`.
    :raises InputError: their number is not that of the samples, or they fit no output of the model.
    """
    array, count = _as_array(raw.labels), len(raw.samples)
    if array.ndim == 0:
        raise InputError(f"The labels are a single number, {array}.", "Give an array with one per sample.")
    if len(array) != count:
        by_input = len(array) == model.batch * count
        raise InputError(
            f"There are {len(array)} labels and {count} samples"
            + (f" of {model.batch} inputs, the batch of the model." if by_input else "."),
            "Set the batch to one with --shape." if by_input else "Give every sample one label.",
        )
    texts = [str(text) for text in array.ravel()] if array.dtype.kind == "U" else []
    if metric is not None and is_reference(metric):
        are_plain = raw.untyped and all(_PLAIN_NUMBER.fullmatch(text) for text in texts)
        are_indexes = texts and (are_plain or set(texts) <= set(raw.classes))
        return _numbered(texts, [None], raw.classes) if are_indexes else array
    if metric is not None and metric.lower() in ("agreement", "cosine"):
        return array
    if array.dtype.kind == "O":
        raise InputError("The labels hold no numbers and no texts, or differ in length.", _METRIC)
    outputs = {} if metric == "mean-error" else class_outputs(model)
    if texts:
        array = _numbered(texts, list(outputs.values()), raw.classes)
    if outputs:
        array = _indexes(array, list(outputs.values()), model.batch)
    return array.astype(np.int64) if array.dtype.kind in "iub" else array


def _as_array(labels: Any) -> NDArray[Any]:
    """An array of numbers or texts, or of objects where labels are neither."""
    if hasattr(labels, "__iter__") and not hasattr(labels, "ndim"):
        objects = list(labels)
        try:
            labels = np.asarray(objects) if objects else array_of(objects, "The array of labels")
        except (TypeError, ValueError):  # rows of different lengths
            labels = np.asarray(None)
        if labels.dtype.kind == "O":
            labels = np.fromiter(objects, object, len(objects))
    kind = labels.dtype.kind if isinstance(labels, np.ndarray) else ""
    if kind == "S":
        return np.char.decode(labels, "utf-8")
    return labels if kind in ("O", "U") else array_of(labels, "The array of labels")


def _numbered(texts: Sequence[str], counts: Sequence[int | None], names: Sequence[str]) -> NDArray[Any]:
    """Texts as the indexes of the classes that they name, or as the numbers that they spell.

    :param counts: number of classes by output, where the output tells.
    """
    if not all(texts):
        raise InputError(f"Sample {list(texts).index('')} has no label.", "Label it, or leave it out.")
    if not names or not set(texts) <= set(names):
        for number in (np.int64, np.float64):
            try:
                return array_of(np.array([number(text) for text in texts]), "The list of labels")
            except ValueError:
                continue
    if not counts:
        raise InputError("The labels are texts, and no output of the model tells classes.", _METRIC)
    if names and (unknown := sorted(set(texts) - set(names))):
        raise InputError(
            f"The label {unknown[0]!r} is none of the {len(names)} names of classes.",
            "Add it to classes.txt, which lists all of them in the order of the model's outputs.",
        )
    names = names or sorted(set(texts))
    if None not in counts and len(names) not in counts:
        raise InputError(
            f"The labels name {len(names)} classes, and the model has {counts[0]}.",
            "Write all names, one a line in the order of the model's outputs (a class for the background "
            "too), into classes.txt beside the data, or use the indexes of classes as labels.",
        )
    indexes = {name: index for index, name in enumerate(names)}
    return np.array([indexes[text] for text in texts], dtype=np.int64)


def _indexes(labels: NDArray[Any], counts: Sequence[int | None], batch: int) -> NDArray[Any]:
    """Numbers as indexes of classes; numbers that are none come back as they are."""
    rows = labels.reshape(len(labels), -1)
    width = rows.shape[1]
    if width > 1 and width != batch:
        if width not in counts and None not in counts:
            return labels
        if rows.min() >= 0 and np.allclose(rows.sum(axis=1), 1, atol=1e-3):
            return np.asarray(rows.argmax(axis=1))
        if np.isin(rows, (0, 1)).all():
            raise InputError("The labels name several classes, or none, for one sample.", _METRIC)
        return labels
    if not np.array_equal(rows, np.round(rows)):
        return labels
    low, high = int(rows.min()), int(rows.max())
    limit = max((count for count in counts if count is not None), default=None)
    if low < 0 or (limit is not None and None not in counts and high >= limit):
        wrong = low if low < 0 else high
        sample = int(np.argwhere(rows == wrong)[0][0])
        remedy = "Leave samples without a label out, and count classes from zero" if low < 0 else _COUNT
        if low == 1 and high == limit:
            remedy = "Labels seem to count from one: subtract one from each"
        raise InputError(
            f"The label of sample {sample} is {wrong}, and the model has {limit} classes.",
            f"{remedy}, or write names as labels and list them in classes.txt.",
        )
    return rows[:, 0].astype(np.int64) if width == 1 else rows.astype(np.int64)
