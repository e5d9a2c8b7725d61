"""Folders of pictures as samples, and how a picture becomes the input of a model.

A picture is taken as RGB (or grey, for a model with one channel), resized and cropped to the model's input,
scaled to 0-1 and, with three channels, normalised with the mean and deviation of ImageNet, as the models that
are published with torchvision were trained. A file ``preprocess.json`` beside the pictures overrides this.
For an input of integers the pixel values are passed on unchanged.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from optguide.errors import EnvironmentMissing, InputError
from optguide.optimize.data.files import class_names, labels_beside, natural_key, read_text
from optguide.optimize.data.samples import RawSamples
from optguide.optimize.model.source import Port, SourceModel

if TYPE_CHECKING:
    from PIL import Image

__all__ = ["ImageToInput", "Preprocessing", "has_images", "image_to_input", "read_images"]

SUFFIXES = frozenset({".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"})

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


def has_images(folder: Path) -> bool:
    """Whether there are pictures in ``folder`` or in folders below it."""
    return bool(_image_files(folder))


def read_images(folder: Path, model: SourceModel) -> RawSamples:
    """The pictures in ``folder``, labelled by a file in it or by the folders in it that hold them.

    :raises InputError: the model does not take pictures, one does not open, or labels are incomplete.
    :raises EnvironmentMissing: Pillow is not installed.
    """
    convert = image_to_input(model, folder)
    files = _image_files(folder)
    names = tuple(file.relative_to(folder).as_posix() for file in files)
    samples = _ImageFiles(files, convert)
    for index in range(len(files)):
        samples.open(index).close()
    labels = labels_beside(folder, names)
    if labels is None and all("/" in name for name in names):
        labels = [name.split("/")[0] for name in names]
    return RawSamples(samples, labels, names, class_names(folder), lazy=True)


def _image_files(folder: Path) -> list[Path]:
    """Pictures in ``folder`` or, where it has none itself, in the folders below it."""
    for entries in (folder.iterdir(), folder.rglob("*")):
        files = [file for file in entries if file.suffix.lower() in SUFFIXES and file.name[0] != "."]
        if files:
            return sorted(files, key=natural_key)
    return []


class _ImageFiles:
    """One sample per file, decoded on access."""

    def __init__(self, files: Sequence[Path], convert: ImageToInput) -> None:
        self._files = files
        self._convert = convert

    def __len__(self) -> int:
        return len(self._files)

    def __getitem__(self, index: int) -> NDArray[Any]:
        with self.open(index) as picture:
            try:
                picture.load()
            except Exception as error:  # cut off, or with a broken part
                raise self._refusal(index) from error
            return self._convert(picture)

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
        except Exception as error:  # of many types, depending on format and on which byte is wrong
            raise self._refusal(index) from error

    def _refusal(self, index: int) -> InputError:
        return InputError(
            f"Sample {index} ({self._files[index].name}) cannot be opened as a picture.",
            "Copy the file again, or take it out of the folder.",
        )


@dataclass(frozen=True)
class ImageToInput:
    """Turns a picture into the array that the input ``port`` takes, with a batch dimension of one.

    :param channels_last: ``NHWC`` instead of ``NCHW``.
    """

    port: Port
    channels_last: bool
    preprocessing: Preprocessing

    def __call__(self, picture: Image.Image) -> NDArray[Any]:
        """The array of one sample."""
        channels = _channels(self.port, self.channels_last)
        height, width = self.port.shape[1:3] if self.channels_last else self.port.shape[2:4]
        fitted = self._resized(picture.convert("L" if channels == 1 else "RGB"), height, width)
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
    preprocessing = _preprocessing(folder / "preprocess.json", port, channels) if folder else None
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
