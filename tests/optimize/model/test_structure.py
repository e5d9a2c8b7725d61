"""Tests of :mod:`optguide.optimize.model.structure`."""

import numpy as np
import pytest

from optguide.optimize.model.structure import attends, classifies, unbounded_below

WIDTH = 8


@pytest.fixture
def graph():
    """An ``openvino.Model`` with the input ``x`` of shape 1 by 8, read back as a run reads it."""
    import openvino
    from openvino import opset13 as ops

    def build(body, shape=(1, WIDTH)):
        x = ops.parameter(list(shape), np.float32, name="x")
        return openvino.Model([body(ops, x)], [x])

    return build


def weights(*shape):
    return np.random.default_rng(0).standard_normal(shape, dtype=np.float32)


def dense(ops, x, width=4):
    return ops.add(ops.matmul(x, weights(WIDTH, width), False, False), weights(1, width))


def normalised(ops, x):
    """Layer normalisation, as exporters write it."""
    flat = ops.mvn(x, np.array([-1]), True, 1e-5, "INSIDE_SQRT")
    return ops.add(ops.multiply(flat, weights(1, WIDTH)), weights(1, WIDTH))


class TestClassifies:
    @pytest.mark.parametrize(
        "body",
        [
            dense,
            lambda ops, x: ops.softmax(dense(ops, x), 1),
            lambda ops, x: ops.softmax(ops.multiply(x, x), 1),
            lambda ops, x: ops.sigmoid(ops.reshape(dense(ops, x), np.array([1, 4]), False)),
        ],
    )
    def test_a_layer_with_a_bias_or_a_softmax(self, graph, body):
        assert classifies(graph(body))

    @pytest.mark.parametrize(
        "body",
        [
            normalised,
            lambda ops, x: ops.tanh(dense(ops, x)),
            lambda ops, x: ops.matmul(x, weights(WIDTH, 4), False, False),
            lambda ops, x: ops.add(x, dense(ops, x, WIDTH)),
            lambda ops, x: ops.add(dense(ops, x, WIDTH), x),
            lambda ops, x: ops.normalize_l2(dense(ops, x), np.array([1]), 1e-6, "add"),
            lambda ops, x: ops.add(ops.matmul(x, x, False, True), weights(1, 1)),
        ],
    )
    def test_neither_normalised_nor_summed_nor_projected(self, graph, body):
        assert not classifies(graph(body))

    def test_a_convolution_that_is_averaged(self, graph):
        def body(ops, x):
            ones = [1, 1]
            scores = ops.convolution(x, weights(4, 3, 1, 1), ones, [0, 0], [0, 0], ones)
            return ops.reduce_mean(ops.relu(ops.add(scores, weights(1, 4, 1, 1))), np.array([2, 3]), False)

        assert classifies(graph(body, (1, 3, 8, 8)))


class TestAttends:
    def test_products_that_a_softmax_weights(self, graph):
        def body(ops, x):
            scores = ops.softmax(ops.matmul(x, x, False, True), 2)
            return ops.matmul(ops.reshape(scores, np.array([1, 5, 5]), False), x, False, False)

        assert attends(graph(body, (1, 5, WIDTH)))

    def test_the_fused_operation(self, graph):
        def body(ops, x):
            return ops.scaled_dot_product_attention(x, x, x)

        assert attends(graph(body, (1, 5, WIDTH)))

    @pytest.mark.parametrize(
        "body",
        [
            lambda ops, x: ops.softmax(dense(ops, x), 1),
            lambda ops, x: ops.matmul(ops.softmax(x, 1), weights(WIDTH, 4), False, False),
        ],
    )
    def test_no_classifier_does(self, graph, body):
        assert not attends(graph(body))


def test_activations_that_give_negative_numbers(graph):
    assert unbounded_below(graph(lambda ops, x: ops.swish(x))) == "Swish"
    assert unbounded_below(graph(lambda ops, x: ops.relu(x))) == ""
