"""A folder of pictures as samples."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from optguide.errors import EnvironmentMissing, InputError
from optguide.tuning.given.arrays import by_number
from optguide.tuning.given.labels import class_names, labels_beside
from optguide.tuning.given.lazy import Lazy
from optguide.tuning.given.pixels import Pixels, pixels_for
from optguide.tuning.given.samples import Raw
from optguide.tuning.given.subject import Subject

if TYPE_CHECKING:
    from PIL import Image

__all__ = ["has_images", "read_images"]

SUFFIXES = frozenset({".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"})


def has_images(folder: Path) -> bool:
    """Whether there are pictures in ``folder``, or in folders in it."""
    return bool(_pictures(folder))


def read_images(folder: Path, subject: Subject) -> Raw:
    """The pictures in ``folder``, labelled by a file in it or by the folders in it that hold them.

    :raises InputError: the model does not take pictures, one does not open, or labels are incomplete.
    :raises EnvironmentMissing: Pillow is not installed.
    """
    pixels = pixels_for(subject, folder)
    files = _pictures(folder)
    names = tuple(file.relative_to(folder).as_posix() for file in files)
    samples = _Pictures(files, pixels)
    for index in range(len(files)):
        samples.open(index).close()
    labels = labels_beside(folder, names)
    if labels is None and all("/" in name for name in names):
        labels = [name.split("/")[0] for name in names]
    return Raw(samples, labels, names, class_names(folder), lazy=True)


class _Pictures(Lazy[NDArray[Any]]):
    """One sample per file, decoded when it is read."""

    def __init__(self, files: Sequence[Path], pixels: Pixels) -> None:
        self._files = files
        self._pixels = pixels

    def __len__(self) -> int:
        return len(self._files)

    def open(self, index: int) -> Image.Image:
        """The picture, of which only the header has been read."""
        try:
            from PIL import Image
        except ImportError as error:
            raise EnvironmentMissing(
                "Pillow, which reads pictures, is not installed.", 'Run: pip install "optguide[models]".'
            ) from error
        try:
            return Image.open(self._files[index])
        except Exception as error:  # of many types, by format and by which byte is wrong
            raise self._refusal(index) from error

    def at(self, index: int) -> NDArray[Any]:
        """See :class:`Lazy`."""
        with self.open(index) as picture:
            try:
                picture.load()
            except Exception as error:  # cut off, or with a broken part
                raise self._refusal(index) from error
            return self._pixels(picture)

    def _refusal(self, index: int) -> InputError:
        return InputError(
            f"Sample {index} ({self._files[index].name}) cannot be opened as a picture.",
            "Copy the file again, or take it out of the folder.",
        )


def _pictures(folder: Path) -> list[Path]:
    """Pictures in ``folder`` and, where it has none itself, in the folders below it."""
    for found in (folder.iterdir(), folder.rglob("*")):
        files = [file for file in found if file.suffix.lower() in SUFFIXES and not file.name.startswith(".")]
        if files:
            return sorted(files, key=by_number)
    return []
