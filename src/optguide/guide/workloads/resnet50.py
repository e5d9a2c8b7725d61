"""ResNet-50 as ``transformers`` builds it, with random weights: a workload for speed, never for accuracy.

Its TensorFlow SavedModel is written under an interpreter that has TensorFlow. Examples that begin with an
image file take scikit-learn's photograph.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from optguide.errors import OutputError
from optguide.guide import environments
from optguide.guide.workloads import export
from optguide.guide.workloads.artifacts import Recipe, Workload, ensure, key, package_folder

if TYPE_CHECKING:
    import torch

OUTPUT = "logits"

_SEED = 50
_SIDE = 224
_WEIGHTS = "weights.safetensors"
_TENSORFLOW_SCRIPT = Path(__file__).with_name("tensorflow_resnet50.py")
_TENSORFLOW_TOLERANCE = 1e-3  # absolute, of logits with a standard deviation near 1


def resnet50() -> Workload:
    """ResNet-50 v1.5 with 1000 classes, input ``pixel_values`` of static shape 1x3x224x224.

    :raises EnvironmentMissing: torch, transformers or an exporter's package is not installed.
    :raises StorageError: the files cannot be written.
    """
    folder = ensure(recipe())
    return Workload(
        name="resnet50",
        title="ResNet-50",
        description="Convolutional image classifier, 25.6 million random weights, one image of 224x224.",
        ir=folder / "model.xml",
        onnx=folder / "model.onnx",
        torch="optguide.guide.workloads.resnet50:build",
        inputs=folder / "inputs.npz",
    )


def resnet50_savedmodel() -> Workload:
    """:func:`~optguide.guide.workloads.resnet50` with the same weights as a SavedModel too.

    The signature ``serving_default`` takes ``pixel_values`` in NCHW, so the same inputs fit. It is written in
    the isolated environment ``tensorflow`` (:mod:`optguide.guide.environments`).

    :raises EnvironmentMissing: that environment or a package of ``resnet50`` is missing.
    :raises Failure: TensorFlow cannot write the model.
    :raises OutputError: TensorFlow's result differs from PyTorch's.
    :raises StorageError: the files cannot be written.
    """
    tensorflow = environments.environment("tensorflow")
    tensorflow.python()  # raises where it is missing
    original = resnet50()
    conversion = Recipe(
        "resnet50_savedmodel",
        lambda folder: _make_savedmodel(original, folder),
        sources=(Path(__file__), _TENSORFLOW_SCRIPT),
        packages=("numpy",),
        ingredients=(key(recipe()), tensorflow.identity),
    )
    return replace(original, savedmodel=ensure(conversion) / "savedmodel")


def build() -> torch.nn.Module:
    """The network in evaluation mode with the weights that IR and ONNX have."""
    network = _network()
    network.load_state_dict(_weights())
    return _logits(network)


def _weights() -> Mapping[str, torch.Tensor]:
    """The network's weights and statistics by their names in ``transformers``."""
    from safetensors.torch import load_file

    loaded: Mapping[str, torch.Tensor] = load_file(ensure(recipe()) / _WEIGHTS)
    return loaded


def images(count: int, seed: int) -> torch.Tensor:
    """``count`` smooth random images, standardised, as a tensor in NCHW.

    White noise has the same local statistics everywhere, and the average pooling at the network's end would
    make all such images look alike. Blurred noise differs from image to image.
    """
    import torch

    generator = torch.Generator().manual_seed(seed)
    coarse = torch.randn(count, 3, 8, 8, generator=generator)
    return torch.nn.functional.interpolate(coarse, size=(_SIDE, _SIDE), mode="bicubic")


def sample_image() -> Path:
    """The JPEG photograph of 640x427 pixels that scikit-learn carries.

    :raises EnvironmentMissing: scikit-learn is not installed.
    """
    return package_folder("sklearn", distribution="scikit-learn") / "datasets" / "images" / "china.jpg"


def recipe() -> Recipe:
    """What the files depend on."""
    return Recipe(
        "resnet50",
        _make,
        sources=(Path(__file__), Path(export.__file__)),
        packages=("torch", "transformers", "safetensors", "openvino", "onnx", "onnxscript"),
        ingredients=(f"seed {_SEED}",),
    )


def _make(folder: Path) -> None:
    import numpy as np
    import torch
    from safetensors.torch import save_file

    torch.manual_seed(_SEED)
    network = _network()
    _settle(network)
    save_file(network.state_dict(), folder / _WEIGHTS)

    module = _logits(network)
    example = {"pixel_values": images(1, seed=_SEED + 1)}
    np.savez(folder / "inputs.npz", **{name: tensor.numpy() for name, tensor in example.items()})
    export.save_ir(export.to_ir(module, example, output=OUTPUT), folder / "model.xml")
    export.to_onnx(module, example, folder / "model.onnx", output=OUTPUT)


def _network() -> torch.nn.Module:
    from transformers import ResNetConfig, ResNetForImageClassification

    return ResNetForImageClassification(ResNetConfig(num_labels=1000))


def _settle(network: torch.nn.Module) -> None:
    """Give every batch normalisation the statistics of real activations.

    Untrained ones normalise by 0 and 1, so activations grow from block to block.
    """
    import torch

    network.train()
    with torch.no_grad():
        for layer in network.modules():
            if isinstance(layer, torch.nn.BatchNorm2d):
                layer.momentum = None  # a plain average, so that one batch replaces the initial values
        network(images(16, seed=_SEED + 2))


def _logits(network: torch.nn.Module) -> torch.nn.Module:
    """``network`` with a plain tensor as its result."""
    import torch

    class Logits(torch.nn.Module):  # type: ignore[misc]  # mypy skips torch
        def __init__(self) -> None:
            super().__init__()
            self.network = network

        def forward(self, pixel_values: torch.Tensor) -> torch.Tensor:
            return self.network(pixel_values).logits

    return Logits().eval()


def _make_savedmodel(original: Workload, folder: Path) -> None:
    import numpy as np
    import torch

    with np.load(original.inputs) as inputs, torch.inference_mode():
        expected = build()(torch.from_numpy(inputs["pixel_values"])).numpy()
    with tempfile.TemporaryDirectory() as scratch:
        weights, logits = Path(scratch, "weights.npz"), Path(scratch, "logits.npy")
        np.savez(weights, **{name: tensor.numpy() for name, tensor in _weights().items()})
        paths = (weights, original.inputs, folder / "savedmodel", logits)
        environments.run("tensorflow", _TENSORFLOW_SCRIPT, *paths)
        difference = float(np.abs(np.load(logits) - expected).max())
    if not difference <= _TENSORFLOW_TOLERANCE:
        raise OutputError(
            f"TensorFlow's logits of ResNet-50 differ from PyTorch's by {difference:.2g}.",
            "Report it together with the version of TensorFlow.",
        )
