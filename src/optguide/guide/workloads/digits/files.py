"""The trained networks as files, one per fold."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from optguide.guide.workloads import export, store
from optguide.guide.workloads.digits.network import network, train
from optguide.guide.workloads.digits.samples import data, shifted
from optguide.guide.workloads.store import Workload

if TYPE_CHECKING:
    import torch

__all__ = ["build", "digits"]

EPOCHS = 10  # of the images and their shifted copies
RATE = 0.01

_WEIGHTS = "weights.safetensors"
_ONNX_OPSET = 13  # the newest that the Post-training Optimization Tool reads


def digits(fold: int = 0) -> Workload:
    """The network trained without the test part of ``fold``, input ``image`` of static shape 1x1x8x8.

    Training takes a few seconds, once.

    :raises EnvironmentMissing: torch, scikit-learn or an exporter's package is not installed.
    :raises InputError: there is no such fold.
    :raises StorageError: the files cannot be written.
    """
    folder = store.ensure(_recipe(fold))
    return Workload(
        name="digits",
        title="Digits CNN",
        description="Depthwise-separable network trained by the guide to read digits, one image of 8x8.",
        ir=folder / "model.xml",
        onnx=folder / "model.onnx",
        torch="" if fold else "optguide.guide.workloads.digits:build",
        inputs=folder / "inputs.npz",
    )


def build(fold: int = 0) -> torch.nn.Module:
    """The trained network of ``fold`` in evaluation mode, with the weights that IR and ONNX have.

    Raises what :func:`digits` raises.
    """
    from safetensors.torch import load_file

    module = network()
    module.load_state_dict(load_file(store.ensure(_recipe(fold)) / _WEIGHTS))
    return module.eval()


def _recipe(fold: int) -> store.Recipe:
    data(fold)
    here = sorted(Path(__file__).parent.glob("*.py"))
    return store.Recipe(
        "digits",
        lambda folder: _make(folder, fold),
        sources=(*here, Path(export.__file__)),
        packages=("torch", "numpy", "scikit-learn", "safetensors", "openvino", "onnx"),
        ingredients=(f"fold {fold}",),
    )


def _make(folder: Path, fold: int) -> None:
    import numpy as np
    import torch
    from safetensors.torch import save_file

    samples = data(fold)
    module = network(seed=fold)
    images, labels = shifted(samples.train_images, samples.train_labels)
    train(module, images, labels, epochs=EPOCHS, rate=RATE, seed=fold)
    save_file(module.state_dict(), folder / _WEIGHTS)

    example = {"image": torch.tensor(samples.test_images[:1])}
    np.savez(folder / "inputs.npz", image=samples.test_images[:1])
    export.save_ir(export.to_ir(module, example, output="logits"), folder / "model.xml")
    torch.onnx.export(
        module,
        tuple(example.values()),
        folder / "model.onnx",
        input_names=["image"],
        output_names=["logits"],
        dynamo=False,  # the newer exporter cannot write this opset
        opset_version=_ONNX_OPSET,
    )
