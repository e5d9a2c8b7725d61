"""Outputs in the order of their inputs, and no lock-up when a model is dropped right afterwards."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import openvino as ov
import pytest
from openvino import opset13 as opset

from optguide.errors import ModelError
from optguide.runtimes.openvino_models import infer_all, read_model


def _doubling():
    numbers = opset.parameter([-1], np.float32, name="numbers")
    return ov.Model([opset.add(numbers, numbers)], [numbers])


@pytest.mark.parametrize("hint", ["LATENCY", "THROUGHPUT"])
@pytest.mark.parametrize("count", [0, 1, 50])
def test_outputs_come_in_the_order_of_their_inputs(hint, count):
    compiled = ov.Core().compile_model(_doubling(), "CPU", {"PERFORMANCE_HINT": hint})
    inputs = [{0: np.full(index % 7 + 1, index, np.float32)} for index in range(count)]
    assert [output.tolist() for (output,) in infer_all(compiled, inputs)] == [
        (2 * one[0]).tolist() for one in inputs
    ]


def test_a_failed_inference_is_raised():
    compiled = ov.Core().compile_model(_doubling(), "CPU")
    with pytest.raises(RuntimeError):
        list(infer_all(compiled, [{0: np.zeros((2, 2), np.float32)}]))


def test_models_can_be_dropped_at_once():
    code = (
        "import numpy as np, openvino as ov\n"
        "from optguide.runtimes.openvino_models import infer_all\n"
        "from tests.runtimes.test_openvino_models import _doubling\n"
        "core, model = ov.Core(), _doubling()\n"
        "for _ in range(200):\n"
        "    compiled = core.compile_model(model, 'CPU', {'PERFORMANCE_HINT': 'THROUGHPUT'})\n"
        "    list(infer_all(compiled, [{0: np.ones(3, np.float32)}] * 8))\n"
        "    del compiled\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


class TestWeightsInAnotherFile:
    @pytest.fixture
    def model(self, tmp_path):
        """An ONNX model of a product with its weights beside it."""
        onnx = pytest.importorskip("onnx")
        helper, floats = onnx.helper, onnx.TensorProto.FLOAT
        weights = np.arange(64, dtype=np.float32).tobytes()
        graph = helper.make_graph(
            [helper.make_node("MatMul", ["x", "w"], ["y"])],
            "product",
            [helper.make_tensor_value_info("x", floats, [1, 8])],
            [helper.make_tensor_value_info("y", floats, [1, 8])],
            [helper.make_tensor("w", floats, [8, 8], weights, raw=True)],
        )
        path = tmp_path / "model.onnx"
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
        onnx.save(model, path, save_as_external_data=True, location="model.onnx_data", size_threshold=0)
        return path

    def test_that_is_a_link_as_in_the_cache_of_a_hub(self, model, tmp_path):
        snapshot, blobs = tmp_path / "snapshots", tmp_path / "blobs"
        for folder in (snapshot, blobs):
            folder.mkdir()
        for file in (model, model.with_name("model.onnx_data")):
            file.rename(blobs / f"hash-of-{file.stem}{len(file.name)}")
            (snapshot / file.name).symlink_to(blobs / f"hash-of-{file.stem}{len(file.name)}")
        network = read_model(ov.Core(), snapshot / "model.onnx")
        (answer,) = ov.Core().compile_model(network, "CPU")(np.ones((1, 8), np.float32)).values()
        np.testing.assert_allclose(answer[0], np.arange(64).reshape(8, 8).sum(axis=0), rtol=0.01)

    def test_that_is_missing_is_named(self, model):
        model.with_name("model.onnx_data").unlink()
        with pytest.raises(ModelError, match=r"weights are in model\.onnx_data, which is missing") as refused:
            read_model(ov.Core(), model)
        assert "Put model.onnx_data" in refused.value.remedy
