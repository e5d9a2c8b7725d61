"""Five kinds of models for ``nox -s bench -- --part tuning``: PyTorch modules with data to judge them by.

Each pair of functions is what ``optguide optimize`` takes:
``optguide optimize tests.performance.models:digits --data tests.performance.models:digits_data``.
Apart from the digits and the encoder their weights are random: they are about speed, and their data have no
labels.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from optguide.guide.workloads import retrieval

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray

    Samples = list[Mapping[str, NDArray[np.generic]]]

__all__ = ["MODELS"]

MODELS = ("digits", "mobilenet", "resnet50", "sentences", "recurrent")
"""A small network, a convolutional one for phones, one for servers, a transformer that takes any length, and
a recurrent one. Each has a function of this name and one for its data."""

SAMPLES = 64
FRAMES, BANDS, LETTERS = 100, 80, 29


def digits() -> tuple[torch.nn.Module, dict[str, Any]]:
    """The guide's own small network for handwritten digits."""
    import torch

    from optguide.guide.workloads.digits import build

    return build(0), {"image": torch.zeros(1, 1, 8, 8)}


def digits_data() -> tuple[dict[str, NDArray[Any]], NDArray[Any]]:
    """All images that the network was not trained with, and what they show."""
    from optguide.guide.workloads.digits import data

    found = data(0)
    return {"image": found.test_images}, found.test_labels


def mobilenet() -> tuple[torch.nn.Module, dict[str, Any]]:
    """MobileNetV2 with random weights."""
    import torch
    from transformers import MobileNetV2Config, MobileNetV2ForImageClassification

    torch.manual_seed(2)
    return _logits(MobileNetV2ForImageClassification(MobileNetV2Config(num_labels=1000))), _picture()


def resnet50() -> tuple[torch.nn.Module, dict[str, Any]]:
    """ResNet-50 with random weights."""
    from optguide.guide.workloads.resnet50 import build

    return build(), _picture()


def pictures_data() -> Samples:
    """Smooth random pictures."""
    from optguide.guide.workloads.resnet50 import images

    return [{"pixel_values": image[None]} for image in images(SAMPLES, seed=7).numpy()]


mobilenet_data = resnet50_data = pictures_data
sentences, sentences_data = retrieval.encoder, retrieval.texts


def recurrent() -> tuple[torch.nn.Module, dict[str, Any]]:
    """Two bidirectional LSTM layers from a second of spectrum to letters, as speech recognition has them."""
    import torch

    torch.manual_seed(3)

    class Speech(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layers = torch.nn.LSTM(BANDS, 256, num_layers=2, batch_first=True, bidirectional=True)
            self.letters = torch.nn.Linear(512, LETTERS)

        def forward(self, spectrum: torch.Tensor) -> torch.Tensor:
            return self.letters(self.layers(spectrum)[0])

    return Speech().eval(), {"spectrum": torch.zeros(1, FRAMES, BANDS)}


def recurrent_data() -> Samples:
    """Random spectra."""
    import numpy as np

    random = np.random.default_rng(4)
    return [
        {"spectrum": random.standard_normal((1, FRAMES, BANDS), dtype=np.float32)} for _ in range(SAMPLES)
    ]


def _picture() -> dict[str, Any]:
    import torch

    return {"pixel_values": torch.zeros(1, 3, 224, 224)}


def _logits(network: torch.nn.Module) -> torch.nn.Module:
    """``network`` with a plain tensor as its result."""
    import torch

    class Logits(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = network

        def forward(self, pixel_values: torch.Tensor) -> torch.Tensor:
            return self.network(pixel_values).logits

    return Logits().eval()
