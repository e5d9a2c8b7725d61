"""The real models, built once into the shared build folder: all formats are the same network.

What has to build or quantize one of the large models first is slow.
"""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import openvino
import pytest

from optguide.errors import EnvironmentMissing
from optguide.guide import environments
from optguide.guide.workloads import (
    Workload,
    digits,
    resnet50,
    resnet50_int8,
    resnet50_savedmodel,
    sample_image,
    sentences,
    sentences_dynamic,
    sentences_int8,
    tiny,
)

Arrays = dict[str, np.ndarray[Any, Any]]


def inputs_of(workload: Workload) -> Arrays:
    with np.load(workload.inputs) as arrays:
        return dict(arrays)


def infer(path: object, inputs: Arrays) -> np.ndarray[Any, Any]:
    compiled = openvino.Core().compile_model(path, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    return compiled(inputs)[0]


def run_torch(workload: Workload, inputs: Arrays) -> np.ndarray[Any, Any]:
    import torch

    module, function = workload.torch.split(":")
    network = getattr(importlib.import_module(module), function)()
    with torch.inference_mode():
        return network(*map(torch.from_numpy, inputs.values())).numpy()


@pytest.mark.parametrize(
    "make",
    [digits, pytest.param(resnet50, marks=pytest.mark.slow), pytest.param(sentences, marks=pytest.mark.slow)],
)
def test_torch_onnx_and_ir_agree(make: Callable[[], Workload]):
    import onnxruntime

    workload = make()
    inputs = inputs_of(workload)
    expected = run_torch(workload, inputs)
    session = onnxruntime.InferenceSession(workload.onnx, providers=["CPUExecutionProvider"])
    for found in (infer(workload.ir, inputs), infer(workload.onnx, inputs), session.run(None, inputs)[0]):
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, expected, atol=1e-4)


@pytest.mark.slow
def test_resnet50_is_the_usual_network_and_answers_differently_to_different_images():
    from optguide.guide.workloads.resnet50 import build, images

    weights = openvino.Core().read_model(resnet50().ir).get_ops()
    constants = [op for op in weights if op.get_type_name() == "Constant"]
    assert {op.get_element_type().to_string() for op in constants} <= {"f32", "i64", "i32"}
    assert sum(p.numel() for p in build().parameters()) == 25_557_032
    assert inputs_of(resnet50())["pixel_values"].shape == (1, 3, 224, 224)

    samples = images(4, seed=1).numpy()
    logits = np.concatenate([infer(resnet50().ir, {"pixel_values": samples[i : i + 1]}) for i in range(4)])
    assert np.isfinite(logits).all()
    assert 0.05 < logits.std() < 20
    assert logits.std(axis=0).mean() > 0.1 * logits.std()


@pytest.mark.slow
def test_savedmodel_has_the_same_result():
    try:
        python = environments.python_of("tensorflow")
    except EnvironmentMissing as missing:
        pytest.skip(str(missing))
    workload = resnet50_savedmodel()
    code = (
        "import json, sys, numpy as np, tensorflow as tf;"
        "run = tf.saved_model.load(sys.argv[1]).signatures['serving_default'];"
        "print(json.dumps(run(**dict(np.load(sys.argv[2])))['logits'].numpy().tolist()))"
    )
    done = subprocess.run(
        [python, "-I", "-c", code, workload.savedmodel, workload.inputs],
        capture_output=True,
        text=True,
        check=True,
    )
    expected = infer(workload.ir, inputs_of(workload))
    np.testing.assert_allclose(json.loads(done.stdout), expected, atol=1e-3)


def test_savedmodel_without_tensorflow_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("OPTGUIDE_BUILD", str(tmp_path))
    with pytest.raises(EnvironmentMissing, match="tensorflow is not installed") as caught:
        resnet50_savedmodel()
    assert "nox -s environments" in caught.value.remedy
    assert not list(tmp_path.iterdir())  # nothing is made for a conversion that cannot follow


def test_sentence_embeddings_have_length_one_and_ignore_padding():
    static = inputs_of(sentences())
    assert {(v.shape, v.dtype.name) for v in static.values()} == {((1, 128), "int64")}
    assert list(static) == ["input_ids", "attention_mask", "token_type_ids"]

    short = inputs_of(sentences_dynamic())
    assert short["input_ids"].shape[1] < 128
    embedding = infer(sentences_dynamic().ir, short)
    np.testing.assert_allclose(np.linalg.norm(embedding), 1, atol=1e-5)
    missing = 128 - short["input_ids"].shape[1]
    padded = {name: np.pad(array, ((0, 0), (0, missing))) for name, array in short.items()}
    np.testing.assert_allclose(infer(sentences().ir, padded), embedding, atol=1e-5)
    np.testing.assert_allclose(run_torch(sentences(), short), embedding, atol=1e-4)


@pytest.mark.slow
def test_sentences_dynamic_takes_any_batch_and_length():
    static = inputs_of(sentences())
    two = {name: np.repeat(array[:, :40], 2, axis=0) for name, array in static.items()}
    found = infer(sentences_dynamic().ir, two)
    assert found.shape == (2, 384)
    np.testing.assert_allclose(found, run_torch(sentences(), two), atol=1e-4)


@pytest.mark.slow
def test_similar_sentences_are_closer_than_others():
    """The published weights are really in use: random ones would not know this."""
    from optguide.guide.workloads.minilm import tokenize

    texts = ("Sort the list in place.", "Order the items of a sequence.", "Open a network connection.")
    a, b, c = (
        infer(sentences_dynamic().ir, {k: v.numpy() for k, v in tokenize(text).items()})[0] for text in texts
    )
    assert a @ b > a @ c + 0.2


@pytest.mark.slow
def test_int8_model_is_quantized_and_takes_the_same_inputs():
    workload = resnet50_int8()
    model = openvino.Core().read_model(workload.ir)
    kinds = [op.get_type_name() for op in model.get_ops()]
    assert kinds.count("FakeQuantize") > 50
    assert (
        workload.ir.with_suffix(".bin").stat().st_size < resnet50().ir.with_suffix(".bin").stat().st_size / 3
    )
    original = infer(resnet50().ir, inputs_of(workload)).ravel()
    quantized = infer(workload.ir, inputs_of(workload)).ravel()
    assert np.corrcoef(original, quantized)[0, 1] > 0.9


@pytest.mark.slow
def test_quantized_encoder_finds_as_many_texts_as_the_original():
    from optguide.guide.workloads import retrieval

    workload = sentences_int8()
    model = openvino.Core().read_model(workload.ir)
    assert {tuple(port.shape) for port in model.inputs} == {(1, 128)}
    size = workload.ir.with_suffix(".bin").stat().st_size
    assert size < sentences().ir.with_suffix(".bin").stat().st_size / 3

    texts = [text for pair in retrieval.pairs(50) for text in pair]
    original, quantized = (
        openvino.Core().compile_model(ir, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
        for ir in (sentences().ir, workload.ir)
    )
    found = []
    for compiled in (original, quantized):
        rows = [compiled(_padded(one))[0][0].copy() for one in retrieval.tokens(texts)]
        found.append(np.stack(rows))
    cosines = (found[0] * found[1]).sum(axis=1)
    assert cosines.min() > 0.95  # without the model type it is 0.65 on average
    hits = [retrieval.hits(rows[::2], rows[1::2]).sum() for rows in found]
    assert abs(int(hits[0]) - int(hits[1])) <= 2


def _padded(tokens: Mapping[str, np.ndarray[Any, Any]]) -> Arrays:
    return {name: np.pad(array, ((0, 0), (0, 128 - array.shape[1]))) for name, array in tokens.items()}


def test_tiny_computes_something():
    workload = tiny()
    output = infer(workload.ir, inputs_of(workload))
    assert output.shape == (1, 256)
    assert output.std() > 0.1


def test_sample_image_is_a_photograph():
    from PIL import Image

    with Image.open(sample_image()) as image:
        assert (image.format, image.size) == ("JPEG", (640, 427))


@pytest.mark.slow
def test_files_exist():
    for workload in (
        tiny(),
        digits(),
        resnet50(),
        resnet50_int8(),
        sentences(),
        sentences_dynamic(),
        sentences_int8(),
    ):
        assert all(path.stat().st_size > 0 for path in workload.files)
        assert workload.ir.with_suffix(".bin") in workload.files


def test_importing_is_light():
    code = (
        "import sys, optguide.guide.workloads;"
        "print(*sorted({'torch', 'openvino', 'nncf', 'transformers', 'sklearn', 'numpy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
