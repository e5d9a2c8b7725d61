"""The guide's models quantized to 8 bits by NNCF, for examples that only need the result."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from optguide.guide.workloads import export, minilm
from optguide.guide.workloads.artifacts import Recipe, Workload, ensure, key
from optguide.guide.workloads.resnet50 import images, recipe, resnet50

_SAMPLES = 8
_SEED = 8

_TEXTS = 300
"""What OpenVINO's guide suggests for calibration."""


def resnet50_int8() -> Workload:
    """:func:`~optguide.guide.workloads.resnet50` after post-training quantization with 8 random images.

    For speed only: the weights are random, and so is the accuracy.

    :raises EnvironmentMissing: nncf, torch or transformers is not installed.
    :raises StorageError: the files cannot be written.
    """
    original = resnet50()
    quantization = Recipe(
        "resnet50_int8",
        lambda folder: _quantize_images(original.ir, folder),
        sources=(Path(__file__), Path(export.__file__)),
        packages=("nncf", "openvino"),
        ingredients=(key(recipe()), f"seed {_SEED}"),
    )
    description = "ResNet-50 with random weights, quantized to 8 bits on random images."
    return _quantized(original, quantization, description)


def sentences_int8() -> Workload:
    """:func:`~optguide.guide.workloads.sentences` quantized with 300 texts, declared a transformer to NNCF.

    :raises EnvironmentMissing: nncf, torch, transformers or the model's package is not installed.
    :raises StorageError: the files cannot be written.
    """
    from optguide.guide.workloads import retrieval

    original, dynamic = minilm.sentences(), minilm.sentences_dynamic()
    quantization = Recipe(
        "sentences_int8",
        lambda folder: _quantize_texts(dynamic.ir, folder),
        sources=(Path(__file__), Path(export.__file__), Path(retrieval.__file__)),
        packages=("nncf", "openvino", "numpy"),
        ingredients=(original.ir.parent.name,),
    )
    description = "Sentence encoder all-MiniLM-L6-v2, quantized to 8 bits on docstrings."
    return _quantized(original, quantization, description)


def _quantized(original: Workload, recipe: Recipe, description: str) -> Workload:
    return replace(
        original,
        name=recipe.name,
        title=f"{original.title}, INT8",
        description=description,
        ir=ensure(recipe) / "model.xml",
        onnx=None,
        torch="",
    )


def _quantize_images(original: Path, folder: Path) -> None:
    import nncf
    import openvino

    samples = images(_SAMPLES, seed=_SEED).numpy()
    model = nncf.quantize(
        openvino.Core().read_model(original),
        nncf.Dataset([samples[index : index + 1] for index in range(_SAMPLES)]),
        subset_size=_SAMPLES,
    )
    export.save_ir(model, folder / "model.xml")


def _quantize_texts(dynamic: Path, folder: Path) -> None:
    import nncf
    import openvino

    from optguide.guide.workloads import retrieval

    # With dynamic shapes, texts keep their lengths: padding would be most of what calibration sees.
    model = nncf.quantize(
        openvino.Core().read_model(dynamic),
        nncf.Dataset(retrieval.tokens(retrieval.calibration(_TEXTS))),
        subset_size=_TEXTS,
        model_type=nncf.ModelType.TRANSFORMER,
    )
    model.reshape({port.any_name: [1, minilm.LENGTH] for port in model.inputs})
    export.save_ir(model, folder / "model.xml")
