"""Models that show what a change would gain: every layer in 8 bits, or none."""

import numpy as np
import openvino
import pytest
from openvino import opset13 as ops

from optguide.diagnose import what_if


def quantizer(x, low, high, levels):
    ends = [np.full([1] * 4, end, np.float32) for end in (low, high)]
    return ops.fake_quantize(x, *ends, *ends, levels)


def convolution(x, *, quantized):
    weights = ops.constant(np.random.default_rng(0).standard_normal((8, 8, 3, 3), dtype=np.float32))
    if quantized:
        x, weights = quantizer(x, 0, 6, 256), quantizer(weights, -3, 3, 255)
    return ops.relu(ops.convolution(x, weights, [1, 1], [1, 1], [1, 1], [1, 1]))


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """Four convolutions, of which the second and the third compute in floats."""
    x = ops.parameter([1, 8, 8, 8], np.float32, name="x")
    y = x
    for quantized in (True, False, False, True):
        y = convolution(y, quantized=quantized)
    path = tmp_path_factory.mktemp("what_if") / "islands.xml"
    openvino.save_model(openvino.Model([y], [x]), path, compress_to_fp16=False)
    return path


def changed(model, change):
    target = model.with_name(f"{change}.xml")
    count = what_if.write(str(model), str(target), change)
    return count, openvino.Core().read_model(target)


def test_every_layer_in_floats_gets_quantizers(model):
    count, whole = changed(model, "quantize")
    assert count == 2
    assert what_if.quantizers(whole) == 8
    compiled = openvino.Core().compile_model(whole, "CPU")
    kinds = {
        node.get_friendly_name(): str(node.get_rt_info()["runtimePrecision"].value)
        for node in compiled.get_runtime_model().get_ops()
        if node.get_rt_info()["layerType"].value == "Convolution"
    }
    assert len(kinds) == 4
    assert set(kinds.values()) <= {"i8", "u8"}


def test_a_model_whose_layers_are_quantized_is_left_alone(model):
    changed(model, "quantize")
    again = model.with_name("again.xml")
    assert what_if.write(str(model.with_name("quantize.xml")), str(again), "quantize") == 0


def test_no_quantizer_is_left_in_floats(model):
    count, floats = changed(model, "floats")
    assert count == 4
    assert what_if.quantizers(floats) == 0


def test_stored_whole_numbers_count_as_quantized(tmp_path):
    x = ops.parameter([1, 16], np.float32, name="x")
    stored = ops.convert(ops.constant(np.ones((16, 16), np.int8)), np.float32)
    weights = ops.multiply(ops.subtract(stored, np.float32(1)), np.float32(0.1))
    ends = [np.full([1, 1], end, np.float32) for end in (-1, 1)]
    y = ops.matmul(ops.fake_quantize(x, *ends, *ends, 256), weights, False, False)
    path = tmp_path / "stored.xml"
    openvino.save_model(openvino.Model([y], [x]), path)
    assert what_if.write(str(path), str(tmp_path / "whole.xml"), "quantize") == 0
