"""What people's models take, each with its value: scalars, nothing, texts, all element types, a state."""

from __future__ import annotations

import numpy as np
import pytest

from optguide.bench.variant import Variant
from optguide.errors import InputError, ModelError, OptionError
from optguide.runtimes import runner_for

openvino = pytest.importorskip("openvino")
ops = openvino.opset13


def save(path, outputs, parameters, sinks=()):
    for name, parameter in parameters.items():
        parameter.output(0).set_names({name})
    model = openvino.Model([ops.result(output) for output in outputs], list(sinks), list(parameters.values()))
    openvino.save_model(model, path, compress_to_fp16=False)
    return path


def loaded(model, **changes):
    runner = runner_for(Variant("m", model).with_("m", precision="f32", **changes).to_dict())
    runner.load()
    return runner


def called(runner):
    """Outputs of a call, or of a request in the queue."""
    if runner.queue is None:
        return np.array(runner.calls[0]()[0])
    feeds = runner.feeds()
    runner.queue.start_async(feeds[0] if feeds else None)
    runner.queue.wait_all()
    return np.array(runner.queue[0].get_output_tensor(0).data)


MODES = ({}, {"requests": 1}, {"feed": "preset"}, {"requests": 1, "feed": "preset"})


@pytest.mark.parametrize("changes", MODES)
@pytest.mark.parametrize("shape", [(), (1, 2, 0, 8)])
def test_a_scalar_and_an_input_of_length_zero(tmp_path, changes, shape):
    x = ops.parameter(list(shape), np.float32)
    path = save(tmp_path / "m.xml", [ops.add(x, np.float32(1))], {"x": x})
    np.savez(tmp_path / "x.npz", x=np.full(shape, 2, np.float32))
    found = called(loaded(path, inputs=(tmp_path / "x.npz",), **changes))
    np.testing.assert_array_equal(found, np.full(shape, 3, np.float32))


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("bf16", [1, 2.5, -3, 0.125]),
        ("f8e4m3", [1, 2.5, -3, 0.125]),
        ("f8e5m2", [1, 2.5, -3, 0.125]),
        ("u4", [0, 15, 3, 1]),
        ("i4", [-8, 7, 3, 1]),
        ("u2", [0, 1, 2, 3]),
        *((kind, [0, 1, 100, 3]) for kind in ("u8", "u16", "u32", "u64", "i8", "i16", "i32", "i64")),
        *((kind, [0, 1, 100, 2.5]) for kind in ("f16", "f32", "f64")),
    ],
)
def test_every_element_type_arrives_as_it_was_given(tmp_path, kind, values):
    x = ops.parameter([1, 4], getattr(openvino.Type, kind))
    path = save(tmp_path / "m.xml", [ops.convert(x, "f32")], {"x": x})
    dtype = {"i": np.int64, "u": np.uint64, "b": np.float32, "f": np.float32}[kind[0]]
    plain = x.get_element_type().to_dtype() if kind[1:] in ("8", "16", "32", "64") else dtype
    np.savez(tmp_path / "x.npz", x=np.array([values], plain))
    np.testing.assert_array_equal(loaded(path, inputs=(tmp_path / "x.npz",)).outputs()[0], [values])


def test_numbers_that_the_type_does_not_hold_are_refused(tmp_path):
    x = ops.parameter([1, 2], openvino.Type.u4)
    path = save(tmp_path / "m.xml", [ops.convert(x, "f32")], {"x": x})
    np.savez(tmp_path / "x.npz", x=np.array([[1, 16]]))
    with pytest.raises(InputError, match="does not hold all of these numbers"):
        loaded(path, inputs=(tmp_path / "x.npz",))


@pytest.mark.parametrize("changes", MODES)
def test_texts(tmp_path, changes):
    from openvino import opset15

    text = opset15.parameter([2], openvino.Type.string)
    parts = opset15.string_tensor_unpack(text)
    lengths = opset15.convert(opset15.subtract(parts.output(1), parts.output(0)), "f32")
    path = save(tmp_path / "m.xml", [lengths], {"text": text})
    np.savez(tmp_path / "x.npz", text=np.array(["Oslo", "Grüße"]))
    found = called(loaded(path, inputs=(tmp_path / "x.npz",), **changes))
    np.testing.assert_array_equal(found, [4, 7])
    with pytest.raises(InputError, match="'text' takes text"):
        loaded(path)


@pytest.fixture(scope="module")
def counter(tmp_path_factory):
    """A model that adds its input to a state and returns the sum."""
    from openvino.op.util import Variable, VariableInfo

    info = VariableInfo()
    info.data_shape, info.data_type, info.variable_id = (
        openvino.PartialShape([1, 2]),
        openvino.Type.f32,
        "sum",
    )
    variable, x = Variable(info), ops.parameter([1, 2], np.float32)
    total = ops.add(ops.read_value(ops.constant(np.zeros((1, 2), np.float32)), variable), x)
    folder = tmp_path_factory.mktemp("state")
    np.savez(folder / "x.npz", x=np.ones((1, 2), np.float32))
    path = save(folder / "m.xml", [total], {"x": x}, [ops.assign(total, variable)])
    return {"model": path, "inputs": (folder / "x.npz",)}


@pytest.mark.parametrize("changes", MODES)
def test_a_state_is_reset_before_each_call(counter, changes):
    runner = loaded(**counter, **changes)
    for _ in range(3):
        np.testing.assert_array_equal(called(runner), [[1, 1]])
    assert runner.notes == ["The model keeps a state, which is reset before each inference."]


def test_a_sequence_of_steps_is_one_call(counter):
    runner = loaded(**counter, steps=5)
    for _ in range(2):
        np.testing.assert_array_equal(called(runner), [[5, 5]])
    assert runner.frames(runner.outputs()) == (5, "--steps")
    with pytest.raises(OptionError, match="follow each other"):
        loaded(**counter, steps=5, requests=2)


def test_steps_of_a_model_without_a_state_are_refused(ir):
    with pytest.raises(OptionError, match="keeps no state"):
        loaded(ir, steps=5)


@pytest.mark.parametrize("kind", [np.float32, np.int64, bool])
@pytest.mark.parametrize("rows", [None, [[0]] * 4, [[1]] * 4, [[1], [0], [0], [0]]])
@pytest.mark.parametrize(
    ("body", "frames"),
    [
        (lambda x: ops.cum_sum(x, ops.constant(np.int64(0))), 1),
        (lambda x: ops.cum_sum(x, ops.constant(np.int64(0)), reverse=True), 1),
        (ops.tanh, 4),
    ],
    ids=["each row with those before it", "each row with those after it", "each row alone"],
)
def test_rows_that_depend_on_each_other_are_no_batch(tmp_path, kind, rows, body, frames):
    """Whatever is in them: in a file, or drawn, all may be the same."""
    x = ops.parameter([4, 1], kind)
    files = ()
    if rows is not None:
        files = (tmp_path / "x.npz",)
        np.savez(files[0], x=np.array(rows, kind))
    runner = loaded(save(tmp_path / "m.xml", [body(ops.convert(x, "f32"))], {"x": x}), inputs=files)
    assert runner.frames(runner.outputs())[0] == frames


@pytest.mark.parametrize(
    ("layout", "frames"), [("NTC", 2), ("TNC", 3), ("?NC", 3), ("N...", 1), ("[rows,N,names]", 1), ("TCH", 1)]
)
def test_the_layout_tells_the_batch(tmp_path, layout, frames):
    """Where it has single letters for all dimensions; these rows depend on each other."""
    x = ops.parameter([2, 3, 4], np.float32)
    x.set_layout(openvino.Layout(layout))
    path = save(tmp_path / "m.xml", [ops.cum_sum(x, ops.constant(np.int64(0)))], {"x": x})
    runner = loaded(path)
    assert runner.frames(runner.outputs())[0] == frames


@pytest.mark.parametrize("inputs", [True, False])
def test_an_open_rank_needs_a_shape(tmp_path, inputs):
    x = ops.parameter(openvino.PartialShape.dynamic(), np.float32)
    path = save(tmp_path / "m.xml", [ops.tanh(x)], {"x": x})
    np.savez(tmp_path / "x.npz", x=np.ones((2, 3), np.float32))
    files = (tmp_path / "x.npz",) if inputs else ()
    with pytest.raises(InputError, match="any number of dimensions"):
        loaded(path, inputs=files)
    assert loaded(path, inputs=files, shapes={"x": (2, 3)}).outputs()[0].shape == (2, 3)


def test_operations_that_no_reader_knows_are_named(tmp_path):
    onnx = pytest.importorskip("onnx")
    x, y = (onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [1, 4]) for name in "xy")
    node = onnx.helper.make_node("Fancy", ["x"], ["y"], domain="my.ops")
    domains = [onnx.helper.make_opsetid("", 17), onnx.helper.make_opsetid("my.ops", 1)]
    graph = onnx.helper.make_graph([node], "g", [x], [y])
    path = tmp_path / "m.onnx"
    path.write_bytes(onnx.helper.make_model(graph, opset_imports=domains, ir_version=9).SerializeToString())
    with pytest.raises(
        ModelError, match=r"No conversion rule found for operations: my\.ops\.Fancy"
    ) as refused:
        loaded(path)
    assert "complete" not in refused.value.remedy


def test_a_batch_is_that_of_the_inputs_that_have_one(tmp_path):
    image, means = ops.parameter([1, 3, 4, 4], np.float32), ops.parameter([3], np.float32)
    centred = ops.subtract(image, ops.reshape(means, ops.constant(np.array([1, 3, 1, 1])), False))
    path = save(tmp_path / "m.xml", [centred], {"image": image, "means": means})
    runner = loaded(path, batch=4)
    assert [array.shape for array in runner.sets[0].values()] == [(4, 3, 4, 4), (3,)]
    assert runner.frames(runner.outputs()) == (4, "--batch")
