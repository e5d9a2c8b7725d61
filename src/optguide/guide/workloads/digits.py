"""A classifier of handwritten digits, trained by the guide itself, with an accuracy that means something.

The 1797 images of 8x8 pixels come with scikit-learn. They are divided into :data:`FOLDS` parts, and the
network of each fold has never seen its part: evaluated together, the folds test on all 1797 images, enough to
tell a percentage point. ``from optguide.guide.workloads.digits import data, train`` and so on;
``workloads.digits`` is the function that prepares the files.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from optguide.errors import InputError, OutputError
from optguide.guide.workloads import digits_network, export
from optguide.guide.workloads.artifacts import Recipe, Workload, ensure, package_folder
from optguide.guide.workloads.digits_network import network
from optguide.guide.workloads.digits_network import train as train  # noqa: PLC0414  # examples call digits.train

if TYPE_CHECKING:
    import numpy as np
    import openvino
    import torch
    from numpy.typing import NDArray

FOLDS = 5
"""Number of parts. Each image is in the test part of exactly one."""

EPOCHS = 10  # of the images and their shifted copies
RATE = 0.01

_SPLIT_SEED = 5
_WEIGHTS = "weights.safetensors"
_ONNX_OPSET = 13  # the newest that the Post-training Optimization Tool reads


def digits(fold: int = 0) -> Workload:
    """The network trained without the test part of ``fold``, input ``image`` of static shape 1x1x8x8.

    Training takes a few seconds, once.

    :raises EnvironmentMissing: torch, scikit-learn or an exporter's package is not installed.
    :raises InputError: there is no such fold.
    :raises StorageError: the files cannot be written.
    """
    folder = ensure(_recipe(fold))
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
    module.load_state_dict(load_file(ensure(_recipe(fold)) / _WEIGHTS))
    return module.eval()


@dataclass(frozen=True)
class DigitsData:
    """One division of the images.

    :param train_images: float32, count x 1 x 8 x 8, between 0 and 1.
    :param train_labels: int64, the digit of each image.
    :param test_images: images that no training of this fold may see.
    :param test_labels: its digits.
    """

    train_images: NDArray[np.float32]
    train_labels: NDArray[np.int64]
    test_images: NDArray[np.float32]
    test_labels: NDArray[np.int64]


@cache
def data(fold: int = 0) -> DigitsData:
    """The images divided for ``fold``: about 1438 to learn from, 359 to test with. The arrays are read-only.

    :raises EnvironmentMissing: scikit-learn is not installed.
    :raises InputError: there is no such fold.
    """
    if fold not in range(FOLDS):
        raise InputError(f"There is no fold {fold!r}.", f"Use one of 0 to {FOLDS - 1}.")
    images, labels = _images()
    held_out = _parts(labels) == fold
    parts = (images[~held_out], labels[~held_out], images[held_out], labels[held_out])
    for part in parts:
        part.flags.writeable = False  # every caller gets the same arrays
    return DigitsData(*parts)


def shifted(
    images: NDArray[np.float32], labels: NDArray[np.int64]
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """The images followed by four copies of all of them, moved by one pixel in each direction."""
    import numpy as np

    framed = np.pad(images, ((0, 0), (0, 0), (1, 1), (1, 1)))
    corners = ((1, 1), (0, 1), (2, 1), (1, 0), (1, 2))
    copies = [framed[:, :, top : top + 8, left : left + 8] for top, left in corners]
    return np.concatenate(copies), np.tile(labels, len(corners))


@cache
def _images() -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    import numpy as np

    package_folder("sklearn", distribution="scikit-learn")
    from sklearn.datasets import load_digits

    pixels, labels = load_digits(return_X_y=True)  # counts of dark dots in cells of 4x4: 0 to 16
    return (pixels / 16).astype(np.float32).reshape(-1, 1, 8, 8), labels.astype(np.int64)


def _parts(labels: NDArray[np.int64]) -> NDArray[np.int64]:
    """The fold that holds each image out: every digit is spread evenly, at random."""
    import numpy as np

    shuffled = np.random.default_rng(_SPLIT_SEED).permutation(len(labels))
    by_digit = shuffled[np.argsort(labels[shuffled], kind="stable")]
    parts = np.empty(len(labels), dtype=np.int64)
    parts[by_digit] = np.arange(len(labels)) % FOLDS
    return parts


def correct(compiled: openvino.CompiledModel, fold: int = 0) -> NDArray[np.bool_]:
    """For each image of the test part of ``fold``, whether ``compiled`` recognizes its digit.

    :param compiled: takes images of 1 x 8 x 8, any static or dynamic number, and returns ten logits each.
    :raises InputError: it takes something else.
    :raises OutputError: a logit is not finite.
    """
    import numpy as np
    import openvino

    from optguide.runtimes.openvino_models import infer_all  # needs NumPy, which listing workloads does not

    samples = data(fold)
    shape = compiled.input(0).partial_shape
    if not shape.compatible(openvino.PartialShape([-1, 1, 8, 8])):
        raise InputError(f"The model takes {shape}, no images of 1 x 8 x 8.", "Pass a model of the digits.")
    count = len(samples.test_images)
    size = count if shape[0].is_dynamic else shape[0].get_length()
    padded = np.concatenate([samples.test_images, np.zeros((-count % size, 1, 8, 8), np.float32)])
    batches = padded.reshape(-1, size, 1, 8, 8)
    logits = [outputs[0] for outputs in infer_all(compiled, ({0: batch} for batch in batches))]
    return _is_correct(np.concatenate(logits)[:count], samples.test_labels)


def _is_correct(logits: NDArray[np.float32], labels: NDArray[np.int64]) -> NDArray[np.bool_]:
    import numpy as np

    if not np.isfinite(logits).all():
        raise OutputError("The model returned logits that are not finite.", "Check how it was made.")
    return np.asarray(logits.argmax(axis=1) == labels)


def _recipe(fold: int) -> Recipe:
    data(fold)
    return Recipe(
        "digits",
        lambda folder: _make(folder, fold),
        sources=tuple(Path(module) for module in (__file__, digits_network.__file__, export.__file__)),
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
