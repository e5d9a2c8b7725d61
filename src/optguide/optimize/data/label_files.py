"""Labels and names of classes that are written in files beside the samples.

``labels.npy`` holds labels in the order of the samples; ``labels.csv`` or ``labels.txt`` has a column with
the files' names and one with their labels; ``classes.txt`` lists the names of classes in the order of the
model's outputs, and so does a ``labels.txt`` that names no file.
"""

from __future__ import annotations

import csv
import io
import itertools
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from optguide.errors import InputError
from optguide.optimize.data.samples import load_npy

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
    return _LabelTable.read(path, samples).labels(samples, folder)


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


@dataclass(frozen=True)
class _LabelTable:
    """Rows of a file with labels.

    :param rows: cells by line number, without the headings.
    :param headings: empty where the first line is a row.
    :param column: index of the column with the files' names.
    :param index: number of the sample by every way to write its name.
    """

    path: Path
    rows: Mapping[int, list[str]]
    headings: list[str]
    column: int
    index: Mapping[str, int]

    @classmethod
    def read(cls, path: Path, samples: Sequence[str]) -> _LabelTable:
        """The rows of ``path``, whose columns are separated by tabs, semicolons, commas or spaces."""
        index = _index(samples)
        rows = {number: cells for number, cells in _rows(read_text(path), index) if any(cells)}
        width = max(map(len, rows.values()), default=0)
        hits = [
            sum(_place(cells[column], index) is not None for cells in rows.values() if column < len(cells))
            for column in range(width)
        ]
        column = hits.index(max(hits)) if hits else 0
        first = next(iter(rows), 0)
        headings = rows[first] if first and _are_headings(list(rows.values()), column, index) else []
        if headings:
            del rows[first]
        return cls(path, rows, [heading.lower() for heading in headings], column, index)

    def labels(self, samples: Sequence[str], folder: Path) -> list[str]:
        """One label for each of ``samples``."""
        labels: dict[int, str] = {}
        column = self._label_column()
        for number, cells in self.rows.items():
            if len(cells) <= max(column, self.column) or not cells[column] or not cells[self.column]:
                raise InputError(
                    f"Line {number} of {self.path.name} is not of the form file,label.",
                    "Write one file and one label in every line.",
                )
            name = cells[self.column]
            place = _place(name, self.index)
            if place is None:
                raise InputError(
                    f"{self.path.name} has a label for {name}, which is not in {folder}.",
                    "Correct the name, or take the line out.",
                )
            if place in labels:
                raise InputError(f"{self.path.name} names {name} twice.", "Keep one of the lines.")
            labels[place] = cells[column]
        if missing := [name for place, name in enumerate(samples) if place not in labels]:
            others = f", and {len(missing) - 1} more like it." if len(missing) > 1 else "."
            raise InputError(
                f"{self.path.name} has no label for {missing[0]}" + others,
                "Add a line for it, or take the file out of the folder.",
            )
        return [labels[place] for place in range(len(samples))]

    def _label_column(self) -> int:
        width = max(map(len, self.rows.values()), default=0)
        columns = [column for column in range(width) if column != self.column]
        if self.headings:
            headings = dict(enumerate(self.headings))
            columns = [c for c in columns if headings.get(c) not in _INDEX_HEADINGS] or columns
            if len(columns) > 1:
                columns = [c for c in columns if headings.get(c) in _LABEL_HEADINGS] or columns
        if len(columns) == 1:
            return columns[0]
        listing = f"has the columns {', '.join(self.headings)}" if self.headings else "has no single label"
        first = next(iter(self.rows), 1)
        raise InputError(
            f"Line {first} of {self.path.name} is not of the form file,label: it {listing}.",
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
        for place, spellings in enumerate(names):
            for name in spellings:
                if counts[name] == 1:
                    index.setdefault(name, place)
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
