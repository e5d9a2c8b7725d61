"""ResNet-50 quantized to 8 bits, for speed only: its weights are random, so is its accuracy."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from optguide.workloads import export, residual, store
from optguide.workloads.workload import Workload

__all__ = ["resnet50_int8"]

_SAMPLES = 8
_SEED = 8


def resnet50_int8() -> Workload:
    """:func:`~optguide.workloads.resnet50` after NNCF's post-training quantization with 8 random images.

    :raises EnvironmentMissing: nncf, torch or transformers is not installed.
    :raises StorageError: the files cannot be written.
    """
    original = residual.resnet50()
    recipe = store.Recipe(
        "resnet50_int8",
        lambda folder: _make(original.ir, folder),
        sources=(Path(__file__), Path(export.__file__)),
        packages=("nncf", "openvino"),
        ingredients=(store.key(residual.recipe()), f"seed {_SEED}"),
    )
    return replace(
        original,
        name="resnet50_int8",
        title="ResNet-50, INT8",
        description="ResNet-50 with random weights, quantized to 8 bits on random images.",
        ir=store.ensure(recipe) / "model.xml",
        onnx=None,
        torch="",
    )


def _make(original: Path, folder: Path) -> None:
    import nncf
    import openvino

    samples = residual.images(_SAMPLES, seed=_SEED).numpy()
    model = nncf.quantize(
        openvino.Core().read_model(original),
        nncf.Dataset([samples[index : index + 1] for index in range(_SAMPLES)]),
        subset_size=_SAMPLES,
    )
    export.save_ir(model, folder / "model.xml")
