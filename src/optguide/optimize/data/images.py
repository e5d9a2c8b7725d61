"""From a picture to the input of a model.

A picture is taken as RGB (or grey, for a model with one channel), resized and cropped to the model's input,
scaled to 0-1 and, with three channels, normalised with the mean and deviation of ImageNet, as the models that
are published with torchvision were trained. A file ``preprocess.json`` beside the pictures says otherwise.
For an input of integers pixels stay what they are.

A folder of pictures as samples.
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
from optguide.optimize.data.files import by_number
from optguide.optimize.data.labels import class_names, labels_beside, read_text
from optguide.optimize.data.samples import Lazy, Raw
from optguide.optimize.model.source import Port, SourceModel

__all__ = ["Pixels", "Preprocessing", "has_images", "pixels_for", "read_images"]

if TYPE_CHECKING:
    from PIL import Image


SUFFIXES = frozenset({".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"})


def has_images(folder: Path) -> bool:
    """Whether there are pictures in ``folder``, or in folders in it."""
    return bool(_pictures(folder))


def read_images(folder: Path, subject: SourceModel) -> Raw:
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


if TYPE_CHECKING:
    from PIL import Image


_MARGIN = 256 / 224
"""The short side is resized to this much more than is cropped out, as in the ImageNet recipe."""


class Preprocessing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``preprocess.json``: an input is ``(pixel * scale - mean) / std`` for pixels from 0 to 255.

    :param mean: one number, or one per channel.
    :param std: likewise.
    :param scale: what pixels are multiplied with.
    :param fit: ``crop`` keeps proportions and the middle, ``stretch`` keeps everything.
    :param order: of the channels.
    """

    mean: float | tuple[float, ...] = 0.0
    std: float | tuple[float, ...] = 1.0
    scale: float = 1 / 255
    fit: Literal["crop", "stretch"] = "crop"
    order: Literal["rgb", "bgr"] = "rgb"


_IMAGENET = Preprocessing(mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))
_PLAIN = Preprocessing()


@dataclass(frozen=True)
class Pixels:
    """From a picture to the one input of a model.

    :param port: it goes into.
    :param channels_last: ``NHWC`` instead of ``NCHW``.
    """

    port: Port
    channels_last: bool
    preprocessing: Preprocessing

    @property
    def channels(self) -> int:
        """One for grey, three for colours."""
        return self.port.shape[3 if self.channels_last else 1] or 3

    def __call__(self, picture: Image.Image) -> NDArray[Any]:
        """The array of one sample, with a batch dimension of one."""
        height, width = self.port.shape[1:3] if self.channels_last else self.port.shape[2:4]
        fitted = self._resized(picture.convert("L" if self.channels == 1 else "RGB"), height, width)
        values = np.asarray(fitted).reshape(fitted.height, fitted.width, self.channels)
        if self.preprocessing.order == "bgr":
            values = values[..., ::-1]
        dtype = np.dtype(self.port.dtype)
        if dtype.kind == "f":
            how = self.preprocessing
            scaled = values.astype(np.float32) * np.float32(how.scale)
            values = ((scaled - np.asarray(how.mean, np.float32)) / np.asarray(how.std, np.float32)).astype(
                dtype
            )
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


def pixels_for(subject: SourceModel, folder: Path | None = None) -> Pixels:
    """How pictures become inputs of ``subject``.

    :param folder: which may hold a ``preprocess.json``.
    :raises InputError: the model has not one input of pictures, or the file is not understood.
    """
    if len(subject.ports) != 1:
        names = ", ".join(port.name for port in subject.ports)
        raise InputError(
            f"Pictures fit a model with one input, and this one has {len(subject.ports)}: {names}.",
            "Prepare the inputs yourself and save them as .npz.",
        )
    port = subject.ports[0]
    channels_last = _channels_last(port)
    channels = port.shape[3 if channels_last else 1] or 3
    how = _preprocessing(folder / "preprocess.json") if folder else None
    is_float = np.dtype(port.dtype).kind == "f"
    if (
        how is not None
        and not is_float
        and (how.mean, how.std, how.scale) not in ((0.0, 1.0, 1 / 255), (0.0, 1.0, 1.0))
    ):
        raise InputError(
            f"Input {port.name!r} takes {port.dtype}, so pixels go in as they are.",
            "Take mean, std and scale out of preprocess.json.",
        )
    return Pixels(
        port, channels_last, _checked(how, channels) if how else (_IMAGENET if channels == 3 else _PLAIN)
    )


def _channels_last(port: Port) -> bool:
    layout = port.layout
    if len(port.shape) == 4 and (port.shape[0] or 1) == 1:
        if layout in ("NCHW", "NHWC"):
            return layout == "NHWC"
        if port.shape[1] in (1, 3):
            return False
        if port.shape[3] in (1, 3):
            return True
    raise InputError(
        f"Input {port.name!r} takes {port}, which is no batch of one picture with one or three channels.",
        "Prepare the inputs yourself and save them as .npz, or set the shape, as in "
        f"--shape {port.name}=1,3,224,224.",
    )


def _preprocessing(path: Path) -> Preprocessing | None:
    if not path.is_file():
        return None
    try:
        return msgspec.json.decode(read_text(path), type=Preprocessing)
    except msgspec.DecodeError as error:
        raise InputError(
            f"{path} is not understood: {error}.",
            'Write it like {"mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5], "scale": 0.00392}.',
        ) from error


def _checked(how: Preprocessing, channels: int) -> Preprocessing:
    for name, value in (("mean", how.mean), ("std", how.std)):
        values = np.atleast_1d(value)
        if (
            len(values) not in (1, channels)
            or not np.isfinite(values).all()
            or (name == "std" and not values.all())
        ):
            raise InputError(
                f"The {name} {value} in preprocess.json does not fit {channels} channel(s).",
                f"Give one number, or {channels}; a std is never zero.",
            )
    return how
