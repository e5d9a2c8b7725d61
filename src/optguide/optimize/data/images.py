"""Folders of pictures as samples, and how a picture becomes the input of a model.

A picture is taken as RGB (or grey, for a model with one channel), resized and cropped to the model's input,
scaled to 0-1 and, with three channels, normalised with the mean and deviation of ImageNet, as the models that
are published with torchvision were trained. A file ``preprocess.json`` beside the pictures overrides this.
For an input of integers the pixel values are passed on unchanged.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from optguide.errors import EnvironmentMissing, InputError
from optguide.optimize.data.folders import labelled_pictures
from optguide.optimize.data.label_files import read_text
from optguide.optimize.data.samples import Mapped, RawSamples
from optguide.optimize.model.source import Port, SourceModel

if TYPE_CHECKING:
    from PIL import Image


PREPROCESSING = "preprocess.json"

_MARGIN = 256 / 224
"""The short side is resized to this multiple of the crop, as in the ImageNet recipe."""


class Preprocessing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``preprocess.json``: an input is ``(pixel * scale - mean) / std`` for pixels from 0 to 255.

    :param mean: one number, or one per channel.
    :param std: one number, or one per channel.
    :param fit: ``crop`` keeps proportions and the middle, ``stretch`` keeps everything.
    :param order: order of the channels.
    """

    mean: float | tuple[float, ...] = 0.0
    std: float | tuple[float, ...] = 1.0
    scale: float = 1 / 255
    fit: Literal["crop", "stretch"] = "crop"
    order: Literal["rgb", "bgr"] = "rgb"


_IMAGENET = Preprocessing(mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))
_PLAIN = Preprocessing()


def read_images(folder: Path, model: SourceModel) -> RawSamples:
    """The pictures in ``folder``, labelled by a file in it or by the folders in it that hold them.

    :raises InputError: the model does not take pictures, or labels are incomplete.
    """
    pictures = labelled_pictures(folder)
    convert = image_to_input(model, pictures.root if _has_preprocessing(pictures.root) else folder)
    samples = Mapped([pictures.root / name for name in pictures.names], lambda path: convert(_opened(path)))
    notes = (*pictures.notes, convert.assumption)
    return RawSamples(
        samples, pictures.labels, pictures.names, pictures.classes, lazy=True, untyped=True, notes=notes
    )


def _has_preprocessing(folder: Path) -> bool:
    return (folder / PREPROCESSING).is_file()


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

    :param channels_last: ``NHWC`` instead of ``NCHW``.
    """

    port: Port
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
        order = "" if _channels(self.port, self.channels_last) == 1 else f" in the order {how.order.upper()}"
        return f"Pictures are {size}{order}, and {values}; a file {PREPROCESSING} says otherwise."

    def __call__(self, picture: Image.Image) -> NDArray[Any]:
        """The array of one sample.

        :raises InputError: the picture does not say what its values mean.
        """
        channels = _channels(self.port, self.channels_last)
        height, width = self.port.shape[1:3] if self.channels_last else self.port.shape[2:4]
        fitted = self._resized(_upright(picture, "L" if channels == 1 else "RGB"), height, width)
        values = np.asarray(fitted).reshape(fitted.height, fitted.width, channels)
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
    channels = _channels(port, channels_last)
    preprocessing = _preprocessing(folder / PREPROCESSING, port, channels) if folder else None
    return ImageToInput(port, channels_last, preprocessing or (_IMAGENET if channels == 3 else _PLAIN))


def _channels(port: Port, channels_last: bool) -> int:
    """One for grey, three for colours."""
    return port.shape[3 if channels_last else 1] or 3


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


def _preprocessing(path: Path, port: Port, channels: int) -> Preprocessing | None:
    """What ``path`` says, checked against the input; ``None`` without such a file."""
    if not path.is_file():
        return None
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
