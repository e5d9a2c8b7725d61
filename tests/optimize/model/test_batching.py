from __future__ import annotations

import numpy as np
import pytest

from optguide.optimize.model.structure import batchable


def graph(shape, body, dtype=np.float32):
    import openvino
    from openvino import opset13 as ops

    x = ops.parameter(shape, dtype, name="x")
    x.output(0).set_names({"x"})
    return openvino.Model([body(ops, x)], [x])


def holds(model):
    return batchable(model, 0)


WEIGHTS = np.random.default_rng(3).standard_normal((8, 8), dtype=np.float32)


def by_row(ops, x):
    return ops.tanh(ops.matmul(x, WEIGHTS, False, False))


@pytest.mark.parametrize("shape", [[1, 8], [-1, 8], [4, 8], [1, 5, 8], [-1, -1, 8]])
def test_rows_that_do_not_meet_make_a_batch(shape):
    assert holds(graph(shape, by_row))


def test_the_model_is_left_as_it_is():
    model = graph([1, 8], by_row)
    holds(model)
    assert list(model.inputs[0].shape) == [1, 8]


@pytest.mark.parametrize(
    ("shape", "body"),
    [
        ([4, 8], lambda ops, x: ops.softmax(x, 0)),  # over the first dimension
        ([4, 8], lambda ops, x: ops.cum_sum(x, 0)),  # a sequence along it
        ([1, 8], lambda ops, x: ops.reshape(x, [1, 8], False)),  # does not follow the batch
        ([1, 8], lambda ops, x: ops.reshape(x, [-1], False)),  # joins inputs
        ([1, 8], lambda ops, x: ops.reduce_sum(x, [0, 1], False)),  # one number for all
    ],
)
def test_shapes_that_propagate_are_not_enough(shape, body):
    assert not holds(graph(shape, body))


def test_a_state_is_of_one_batch():
    import openvino
    from openvino import opset13 as ops
    from openvino._offline_transformations import apply_make_stateful_transformation

    x, before = (ops.parameter([1, 4], np.float32, name=name) for name in ("x", "before"))
    total = ops.add(x, before)
    for node, name in ((x, "x"), (before, "before"), (total, "after")):
        node.output(0).set_names({name})
    model = openvino.Model([total, ops.relu(total)], [x, before])
    assert holds(model)
    apply_make_stateful_transformation(model, {"before": "after"})
    assert model.get_sinks()
    assert not holds(model)


def test_inputs_of_different_batches():
    import openvino
    from openvino import opset13 as ops

    x, y = ops.parameter([1, 4], np.float32), ops.parameter([3, 4], np.float32)
    assert not holds(openvino.Model([ops.add(x, y)], [x, y]))
