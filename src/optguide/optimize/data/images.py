"""Pictures as samples: which files of a folder count, what labels them, and how one becomes an input.

Names of folders are labels where pictures lie in folders only. Parts of a data set, such as ``train`` and
``val``, are no classes: one of them is read. What could be read in two ways is refused.

A picture is taken as RGB (or grey, for a model with one channel), resized and cropped to the model's input,
scaled to 0-1 and, with three channels, normalised with the mean and deviation of ImageNet, as the models that
are published with torchvision were trained. A file ``preprocess.json`` beside the pictures overrides this.
For an input of integers the pixel values are passed on unchanged.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from optguide.errors import EnvironmentMissing, InputError
from optguide.optimize.data.labels import class_names, labels_beside, read_text
from optguide.optimize.data.samples import Mapped, RawSamples, natural_key
from optguide.optimize.model import SourceModel
from optguide.runtimes.ports import Port

if TYPE_CHECKING:
    from PIL import Image


SUFFIXES = frozenset(
    (
        *(".bmp", ".gif", ".jfif", ".jpe", ".jpeg", ".jpg", ".pbm", ".pgm", ".png", ".pnm", ".ppm", ".tga"),
        *(".tif", ".tiff", ".webp"),
        *(".avif", ".heic", ".heif", ".jp2"),  # a sample that Pillow cannot open is refused, not left out
    )
)

_PARTS = (
    ("val", "valid", "validation", "dev"),
    ("test", "testing", "eval"),
    ("train", "training"),
)
"""Names of folders with parts of a data set. The first that exists is read: a model looks too good on what it
was trained on."""

PREPROCESSING = "preprocess.json"

_MARGIN = 256 / 224
"""The short side is resized to this multiple of the crop, as in the ImageNet recipe."""


class Preprocessing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``preprocess.json``: an input is ``(pixel * scale - mean) / std`` for pixels from 0 to 255.

    :param mean: one number, or one per channel, as is ``std``.
    :param fit: ``crop`` keeps proportions and the middle, ``stretch`` keeps everything.
    """

    mean: float | tuple[float, ...] = 0.0
    std: float | tuple[float, ...] = 1.0
    scale: float = 1 / 255
    fit: Literal["crop", "stretch"] = "crop"
    order: Literal["rgb", "bgr"] = "rgb"


_IMAGENET = Preprocessing(mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))


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
    root, notes, listed, class_folders = folder, list[str](), tuple[str, ...](), set[str]()
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
    """Paths of pictures, relative to ``folder``, links to folders followed; what is hidden is left out."""
    paths: list[Path] = []
    for base, folders, files in os.walk(folder, followlinks=True):
        shown = [name for name in folders if not name.startswith((".", "__MACOSX"))]
        folders[:] = (name for name in shown if not _leads_back(Path(base, name)))
        pictures = (name for name in files if Path(name).suffix.lower() in SUFFIXES)
        paths += (Path(base, name).relative_to(folder) for name in pictures if not name.startswith("."))
    return tuple(path.as_posix() for path in sorted(paths, key=natural_key))


def _leads_back(folder: Path) -> bool:
    """Whether a folder is a link to one that holds it, or that holds a link on the way to it."""
    if not folder.is_symlink():
        return False
    target = folder.resolve()
    return any(passed.resolve().is_relative_to(target) for passed in folder.parents)


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


def read_images(folder: Path, model: SourceModel) -> RawSamples:
    """The pictures in ``folder``, labelled by a file in it or by the folders in it that hold them.

    :raises InputError: the model does not take pictures, or labels are incomplete.
    """
    pictures = labelled_pictures(folder)
    convert = image_to_input(model, pictures.root if (pictures.root / PREPROCESSING).is_file() else folder)
    samples = Mapped([pictures.root / name for name in pictures.names], lambda path: convert(_opened(path)))
    notes = (*pictures.notes, convert.assumption)
    return RawSamples(
        samples, pictures.labels, pictures.names, pictures.classes, lazy=True, untyped=True, notes=notes
    )


def _opened(path: Path) -> Image.Image:
    """The picture, of which only the header has been read."""
    try:
        from PIL import Image
    except ImportError as error:
        raise EnvironmentMissing(
            "Pillow, which reads pictures, is not installed.", 'Run: pip install "optguide[models]".'
        ) from error
    return Image.open(path)


@dataclass(frozen=True)
class ImageToInput:
    """Turns a picture into the array that the input ``port`` takes, with a batch dimension of one.

    :param channels: one for grey, three for colours.
    :param channels_last: ``NHWC`` instead of ``NCHW``.
    """

    port: Port
    channels: int
    channels_last: bool
    preprocessing: Preprocessing

    @property
    def assumption(self) -> str:
        """How pictures are prepared, in one sentence."""
        how = self.preprocessing
        size = "resized to the input" if how.fit == "stretch" else "resized and cropped to the input"
        values = "pixels go in as they are"
        if np.dtype(self.port.dtype).kind == "f":
            values = f"pixels are multiplied by {how.scale:.3g}"
            if (how.mean, how.std) != (0.0, 1.0):
                name = " of ImageNet" if how == _IMAGENET else ""
                values += f" and normalised with the mean {how.mean} and the deviation {how.std}{name}"
        order = "" if self.channels == 1 else f" in the order {how.order.upper()}"
        return f"Pictures are {size}{order}, and {values}; a file {PREPROCESSING} says otherwise."

    def __call__(self, picture: Image.Image) -> NDArray[Any]:
        """The array of one sample.

        :raises InputError: the picture does not say what its values mean.
        """
        height, width = self.port.shape[1:3] if self.channels_last else self.port.shape[2:4]
        fitted = self._resized(_upright(picture, "L" if self.channels == 1 else "RGB"), height, width)
        values = np.asarray(fitted).reshape(fitted.height, fitted.width, self.channels)
        preprocessing, dtype = self.preprocessing, np.dtype(self.port.dtype)
        if preprocessing.order == "bgr":
            values = values[..., ::-1]
        if dtype.kind == "f":
            values = values.astype(np.float32) * np.float32(preprocessing.scale)
            values = values - np.asarray(preprocessing.mean, np.float32)
            values = values / np.asarray(preprocessing.std, np.float32)
        if not self.channels_last:
            values = values.transpose(2, 0, 1)
        return np.ascontiguousarray(values, dtype=dtype)[None]

    def _resized(self, picture: Image.Image, height: int | None, width: int | None) -> Image.Image:
        from PIL import Image

        if height is None or width is None or (picture.height, picture.width) == (height, width):
            return picture
        if self.preprocessing.fit == "stretch":
            return picture.resize((width, height), Image.Resampling.BILINEAR)
        factor = _MARGIN * max(height / picture.height, width / picture.width)
        larger = picture.resize(
            (max(width, round(picture.width * factor)), max(height, round(picture.height * factor))),
            Image.Resampling.BILINEAR,
        )
        left, top = (larger.width - width) // 2, (larger.height - height) // 2
        return larger.crop((left, top, left + width, top + height))


def _upright(picture: Image.Image, mode: str) -> Image.Image:
    """``picture`` in 8 bits, turned as its EXIF tag says; the first frame of several.

    Pillow cuts 16-bit and floating-point values off at 255, so they are scaled here.

    :raises InputError: the file does not say which value is white.
    """
    from PIL import Image, ImageOps

    depth, is_png = picture.mode, picture.format == "PNG"
    picture = ImageOps.exif_transpose(picture)
    if depth == "F" or depth.startswith("I"):
        values = np.asarray(picture)
        low, high = float(values.min()), float(values.max())
        if depth == "F" and 0 <= low <= high <= 1:
            white = 1.0
        elif depth.startswith("I;16") or is_png:
            white = 65535.0
        else:
            kind = "floats" if depth == "F" else "32-bit integers"
            raise InputError(
                f"its values are {kind} from {low:g} to {high:g}, and nothing says which of them is white.",
                "Save floats from 0 to 1, or integers of 8 or 16 bits.",
            )
        picture = Image.fromarray(np.round(values * (255 / white)).astype(np.uint8))
    return picture.convert(mode)


def image_to_input(model: SourceModel, folder: Path | None = None) -> ImageToInput:
    """How pictures become inputs of ``model``.

    :param folder: may hold a ``preprocess.json``.
    :raises InputError: the model has several inputs or one that takes no picture, or the file is invalid.
    """
    if len(model.ports) != 1:
        names = ", ".join(port.name for port in model.ports)
        raise InputError(
            f"Pictures fit a model with one input, and this one has {len(model.ports)}: {names}.",
            "Prepare the inputs yourself and save them as .npz.",
        )
    port = model.ports[0]
    channels_last = _channels_last(port)
    channels = port.shape[3 if channels_last else 1] or 3
    preprocessing = _IMAGENET if channels == 3 else Preprocessing()
    if folder is not None and (folder / PREPROCESSING).is_file():
        preprocessing = _preprocessing(folder / PREPROCESSING, port, channels)
    return ImageToInput(port, channels, channels_last, preprocessing)


def _channels_last(port: Port) -> bool:
    if len(port.shape) == 4 and (port.shape[0] or 1) == 1:
        if port.layout in ("NCHW", "NHWC"):
            return port.layout == "NHWC"
        if port.shape[1] in (1, 3):
            return False
        if port.shape[3] in (1, 3):
            return True
    raise InputError(
        f"Input {port.name!r} takes {port}, which is no batch of one picture with one or three channels.",
        "Prepare the inputs yourself and save them as .npz, or set the shape, as in "
        f"--shape {port.name}=1,3,224,224.",
    )


def _preprocessing(path: Path, port: Port, channels: int) -> Preprocessing:
    """What ``path`` says, checked against the input."""
    try:
        preprocessing = msgspec.json.decode(read_text(path), type=Preprocessing)
    except msgspec.DecodeError as error:
        raise InputError(
            f"{path} is not understood: {error}.",
            'Write it like {"mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5], "scale": 0.00392}.',
        ) from error
    scaling = (preprocessing.mean, preprocessing.std, preprocessing.scale)
    if np.dtype(port.dtype).kind != "f" and scaling not in ((0.0, 1.0, 1 / 255), (0.0, 1.0, 1.0)):
        raise InputError(
            f"Input {port.name!r} takes {port.dtype}, so pixels go in as they are.",
            "Take mean, std and scale out of preprocess.json.",
        )
    for name, value in (("mean", preprocessing.mean), ("std", preprocessing.std)):
        values = np.atleast_1d(value)
        is_valid = np.isfinite(values).all() and (name != "std" or values.all())
        if len(values) not in (1, channels) or not is_valid:
            raise InputError(
                f"The {name} {value} in preprocess.json does not fit {channels} channel(s).",
                f"Give one number, or {channels}; a std is never zero.",
            )
    return preprocessing
