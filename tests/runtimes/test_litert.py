"""LiteRT on tiny models, which TensorFlow 2.20 wrote::

    @tf.function(input_signature=[tf.TensorSpec([None, 4], tf.float32, name="x")])
    def linear(x):  # weights = np.random.default_rng(0).standard_normal((4, 3))
        return {"y": tf.tanh(x @ tf.constant(weights, tf.float32))}

    tf.lite.TFLiteConverter.from_concrete_functions([linear.get_concrete_function()], module).convert()

``int8.tflite`` is the product alone, quantized for one row with 8-bit input and output; ``two_inputs.tflite``
is ``b - 2 * a`` of two arrays of shape 2 x 3, the input ``b`` first.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from optguide.bench.process import WorkerProcess
from optguide.bench.variant import Variant
from optguide.cli.variants import build, parse
from optguide.errors import EnvironmentMissing, InputError, ModelError
from optguide.runtimes import runner_for
from optguide.runtimes.litert import LiteRT

DATA = Path(__file__).parent / "data"
LINEAR, INT8, TWO = DATA / "linear.tflite", DATA / "int8.tflite", DATA / "two_inputs.tflite"
INPUT = "serving_default_x:0"
WEIGHTS = np.random.default_rng(0).standard_normal((4, 3)).astype(np.float32)


@pytest.fixture(autouse=True)
def litert():
    pytest.importorskip("ai_edge_litert")


def loaded(model, inputs=(), **settings):
    runner = runner_for(Variant("v", model, LiteRT(**settings), inputs).to_dict())
    runner.load()
    return runner


def both(model, *inputs, **shapes):
    """First outputs of OpenVINO and LiteRT on the same inputs."""
    openvino = Variant("v", model, inputs=inputs).with_("v", precision="f32", **shapes)
    runners = [runner_for(openvino.to_dict()), loaded(model, inputs, **shapes)]
    runners[0].load()
    return [runner.outputs()[0] for runner in runners]


def test_a_worker_runs_it(save_inputs, tmp_path):
    x = np.random.default_rng(1).standard_normal((2, 4)).astype(np.float32)
    path = save_inputs(tmp_path / "x.npz", x=x)
    with WorkerProcess(Variant("v", LINEAR, LiteRT(threads=1), (path,))) as worker:
        reply = worker.load()
        first_call = worker.first_call()
        (output,) = first_call.outputs
        assert worker.ask(60, do="block", seconds=0.01, discard=0.0)["calls"] >= 1
    np.testing.assert_allclose(output, np.tanh(x @ WEIGHTS), atol=1e-5)
    assert (first_call.frames, reply["effective"]) == (2, {"num_threads": "1"})
    assert reply["versions"]["ai-edge-litert"]


def test_an_open_batch_is_one_unless_it_is_given():
    assert loaded(LINEAR).outputs()[0].shape == (1, 3)
    np.testing.assert_allclose(*both(LINEAR, shapes={INPUT: (3, 4)}), atol=1e-5)
    found = loaded(LINEAR, shapes={INPUT: (3, 4)})
    assert found.frames(found.outputs())[0] == 3
    with pytest.raises(InputError, match="has no input 'y'"):
        loaded(LINEAR, shapes={"y": (3, 4)})


def test_input_sets_of_different_shapes_take_turns(save_inputs, tmp_path):
    sizes = (1, 3, 2)
    sets = [save_inputs(tmp_path / f"{n}.npz", x=np.full((n, 4), n, np.float32)) for n in sizes]
    runner = loaded(LINEAR, tuple(sets))
    assert runner.varied
    for _ in range(2):
        for call, size in zip(runner.calls, sizes, strict=True):
            expected = np.tanh(np.full((size, 4), size, np.float32) @ WEIGHTS)
            np.testing.assert_allclose(call()[0], expected, atol=1e-5)


@pytest.mark.parametrize(
    ("model", "arrays", "message"),
    [
        (LINEAR, {"x": np.ones((1, 5), np.float32)}, "cannot take 'serving_default_x:0' of shape"),
        (LINEAR, {"x": np.ones((4,), np.float32)}, "cannot take 'serving_default_x:0' of shape"),
        (LINEAR, {"x": np.ones((1, 4), np.int64)}, "takes float32 and the file has int64"),
        (INT8, {"x": np.ones((1, 4), np.float32)}, "takes int8 and the file has float32"),
        (INT8, {"x": np.ones((2, 4), np.int8)}, "cannot take"),
        (TWO, {"x": np.ones((2, 3), np.float32)}, "inputs.npz holds x"),
    ],
)
def test_inputs_that_do_not_fit(save_inputs, tmp_path, model, arrays, message):
    path = save_inputs(tmp_path / "inputs.npz", **arrays)
    with pytest.raises(InputError, match=message):
        loaded(model, (path,))


def test_shapes_that_its_layers_do_not_allow():
    with pytest.raises(InputError, match="cannot take"):
        loaded(LINEAR, shapes={INPUT: (3, 5)})


def test_quantized_inputs_are_taken_as_they_are(save_inputs, tmp_path):
    path = save_inputs(tmp_path / "x.npz", x=np.array([[-90, 3, 40, 101]], np.int8))
    for outputs in (both(INT8), both(INT8, path)):
        assert outputs[1].dtype == np.int8
        assert np.abs(outputs[0].astype(int) - outputs[1].astype(int)).max() <= 1


def test_several_inputs_keep_names_and_order(save_inputs, tmp_path):
    np.testing.assert_allclose(*both(TWO), atol=1e-5)
    a, b = np.ones((2, 3), np.float32), np.full((2, 3), 5, np.float32)
    for names in (("b", "a"), ("serving_default_b:0", "serving_default_a:0")):
        path = save_inputs(tmp_path / f"{names[0][:3]}.npz", **dict(zip(names, (b, a), strict=True)))
        np.testing.assert_allclose(loaded(TWO, (path,)).outputs()[0], 3)


@pytest.mark.parametrize("content", [None, b"", b"nothing like a model", LINEAR.read_bytes()[:200]])
def test_models_that_cannot_be_loaded(tmp_path, content):
    path = tmp_path / "model.tflite"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ModelError, match=r"LiteRT cannot load model\.tflite"):
        loaded(path)


def test_without_the_package(monkeypatch):
    monkeypatch.setitem(sys.modules, "ai_edge_litert.interpreter", None)
    with pytest.raises(EnvironmentMissing, match="LiteRT is not installed"):
        loaded(LINEAR)


def test_on_the_command_line(tmp_path):
    common = {"threads": "2", f"shape.{INPUT}": "1,4"}
    openvino, litert = build(parse([str(LINEAR), "@runtime=litert"]), common, allow_pickle=False)
    assert litert.runtime == LiteRT(threads=2, shapes={INPUT: (1, 4)}) != openvino.runtime
    other = tmp_path / "m.onnx"
    other.write_text("x")
    with pytest.raises(ModelError, match=r"litert does not read m\.onnx"):
        build(parse([f"{other}@runtime=litert"]), {}, allow_pickle=False)
