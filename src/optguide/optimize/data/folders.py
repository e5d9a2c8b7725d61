"""Folders of pictures: which files are samples, and what the folders say about them.

Names of folders are labels where pictures lie in folders only. Parts of a data set, such as ``train`` and
``val``, are no classes: one of them is read. What could be read in two ways is refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from optguide.errors import InputError
from optguide.optimize.data.files import natural_key
from optguide.optimize.data.label_files import class_names, labels_beside

SUFFIXES = frozenset({".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"})

_PARTS = (
    ("val", "valid", "validation", "dev"),
    ("test", "testing", "eval"),
    ("train", "training"),
)
"""Names of folders with parts of a data set. The first that exists is read: a model looks too good on what it
was trained on."""


@dataclass(frozen=True)
class LabelledPictures:
    """Pictures of a data set.

    :param names: paths relative to ``root``, with slashes.
    :param labels: one per picture, or ``None``.
    :param classes: names of all classes in the order of the model's outputs; empty where nothing lists them.
    :param notes: assumptions, in sentences.
    """

    root: Path
    names: tuple[str, ...]
    labels: Any = None
    classes: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def has_pictures(folder: Path) -> bool:
    """Whether there are pictures in ``folder`` or in folders below it."""
    return bool(_names(folder))


def labelled_pictures(folder: Path) -> LabelledPictures:
    """The pictures in ``folder`` with what labels them: a file in it, or the folders that hold them.

    :raises InputError: labels are incomplete, or the folders can be read in two ways.
    """
    root, notes = folder, list[str]()
    listed: tuple[str, ...] = ()
    class_folders: set[str] = set()
    while True:
        names = _names(root)
        labels = labels_beside(root, names)
        listed = class_names(root, names) or listed
        if labels is not None:
            return LabelledPictures(root, names, labels, listed, tuple(notes))
        holding = sorted({name.split("/")[0] for name in names if "/" in name})
        loose = [name for name in names if "/" not in name]
        if holding and loose:
            raise InputError(
                f"{root} holds {_listing(loose)} beside folders with pictures ({_listing(holding)}), so it "
                "is open whether the folders are classes.",
                "Move the pictures into the folder of their class, or one of the two elsewhere.",
            )
        if parts := _parts_of(root, holding):
            class_folders = {name for part in parts for name in _folders(root / part)}
            notes.append(f"Samples are those in {parts[0]}; {_listing(parts[1:])} was left out.")
            root /= parts[0]
        elif len(holding) == 1 and not class_folders and all(name.count("/") > 1 for name in names):
            root /= holding[0]  # as archives unpack
        else:
            break
    class_folders.update(_folders(root))
    if not holding or (len(class_folders) == 1 and holding[0] not in listed):
        notes += [f"Pictures have no labels: {root} has neither labels.csv nor a folder for each class."]
        return LabelledPictures(root, names, notes=tuple(notes))
    classes, order = _in_order(class_folders, listed)
    labels = [name.split("/")[0] for name in names]
    return LabelledPictures(root, names, labels, classes, (*notes, *order))


def _in_order(folders: Iterable[str], listed: tuple[str, ...]) -> tuple[tuple[str, ...], list[str]]:
    """Names of classes in the order of the model's outputs, and what was assumed about it.

    There are none for numbers, which are the indexes of classes.
    """
    if listed:
        return listed, []
    names = sorted(folders)
    if not all(name.isdecimal() for name in names):
        return tuple(names), ["Classes are in the alphabetical order of their folders."]
    if sorted(names, key=int) == names:
        return (), []
    return (), [
        f"The names of folders are the indexes of classes: {max(names, key=int)} is class "
        f"{max(map(int, names))}. A model that was trained with torchvision's ImageFolder, which sorts names "
        "as texts, needs a classes.txt with the names in that order."
    ]


def _names(folder: Path) -> tuple[str, ...]:
    """Paths of pictures, relative to ``folder``; what is hidden is left out."""
    files = (file for file in folder.rglob("*") if file.suffix.lower() in SUFFIXES)
    paths = (file.relative_to(folder) for file in files)
    shown = (path for path in paths if not any(part.startswith((".", "__MACOSX")) for part in path.parts))
    return tuple(path.as_posix() for path in sorted(shown, key=natural_key))


def _folders(folder: Path) -> list[str]:
    """Names of folders in ``folder``, those without pictures too: an empty class is one."""
    hidden = (".", "__")
    return [path.name for path in folder.iterdir() if path.is_dir() and not path.name.startswith(hidden)]


def _parts_of(root: Path, folders: Sequence[str]) -> list[str]:
    """The folders, in order of preference, where they are parts of a data set and not classes."""
    parts = [name for part in _PARTS for name in folders if name.lower() in part]
    if len(parts) < 2:  # "train" may be a class of vehicles
        return []
    if others := [name for name in folders if name not in parts]:
        raise InputError(
            f"{root} holds {_listing(parts)}, which are parts of a data set, and {_listing(others)}.",
            f"Name one of them, as in --data {root / parts[0]}.",
        )
    return parts


def _listing(names: Sequence[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
