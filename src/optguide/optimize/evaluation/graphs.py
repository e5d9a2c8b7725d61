"""What the graph of a model tells about its purpose: whether it attends, and whether it classifies.

Both are decided by patterns, because neither is written in a file. Attention is a fused operation of that
name, or a softmax over products whose result weights other activations. A classifier ends in a layer with
constant weights and a bias, apart from what only reshapes, averages or scales its result; an encoder usually
ends in a normalisation, a pooling of sums or a projection without bias.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import openvino

__all__ = ["attends", "classifies", "unbounded_below"]

_RESHAPING = frozenset({"Convert", "Reshape", "Squeeze", "Transpose", "Unsqueeze"})
_CHOOSING = frozenset({"LogSoftmax", "Softmax"})
_AFTER_SCORES = _RESHAPING | {"AvgPool", "MaxPool", "ReduceMean", "Relu", "Sigmoid"}
_WEIGHTED = frozenset({"Convolution", "GroupConvolution", "MatMul"})
_UNPACKING = _RESHAPING | {"Add", "Divide", "FakeConvert", "FakeQuantize", "Multiply", "Subtract"}
_SIGNED = frozenset({"Elu", "Gelu", "HSwish", "Mish", "PRelu", "Selu", "Swish"})


def attends(model: openvino.Model) -> bool:
    """Whether the model has attention, which NNCF quantizes well only if it is told ``TRANSFORMER``."""
    for op in model.get_ops():
        kind = op.get_type_name()
        if kind == "ScaledDotProductAttention" or (kind == "Softmax" and _weights_activations(op)):
            return True
    return False


def classifies(model: openvino.Model, output: int = 0) -> bool:
    """Whether the output ends like that of a classifier."""
    op, biased = _before(model.outputs[output].get_node()), False
    while True:
        kind = op.get_type_name()
        if kind in _CHOOSING:
            return True
        if kind in _WEIGHTED:
            return biased and constant(op.input_value(1))
        if kind in ("Add", "Multiply", "Subtract", "Divide"):
            sides = [index for index in (0, 1) if not constant(op.input_value(index))]
            if len(sides) != 1:
                return False
            biased = biased or kind == "Add"
            op = op.input_value(sides[0]).get_node()
        elif kind in _AFTER_SCORES:
            op = _before(op)
        else:
            return False


def unbounded_below(model: openvino.Model) -> str:
    """Name of an activation that gives negative numbers too, of which 8 bits need asymmetric ranges."""
    return min((kind for op in model.get_ops() if (kind := op.get_type_name()) in _SIGNED), default="")


def constant(value: Any, depth: int = 8) -> bool:
    """Whether an input holds weights: a constant, perhaps unpacked and reshaped on the way.

    :param depth: operations to look back; unpacking takes fewer.
    """
    op = value.get_node()
    kind = op.get_type_name()
    if kind == "Constant":
        return True
    if depth == 0 or kind not in _UNPACKING:
        return False
    return all(constant(op.input_value(index), depth - 1) for index in range(op.get_input_size()))


def _before(op: Any) -> Any:
    return op.input_value(0).get_node()


def _weights_activations(softmax: Any) -> bool:
    """Whether the result of ``softmax`` goes into a product with something that is no constant."""
    products = (op for op in _after(softmax) if op.get_type_name() == "MatMul")
    return any(not any(constant(op.input_value(index)) for index in (0, 1)) for op in products)


def _after(op: Any) -> Iterator[Any]:
    """Operations that take the result of ``op``, through what only reshapes it."""
    for target in op.output(0).get_target_inputs():
        user = target.get_node()
        yield user
        if user.get_type_name() in _RESHAPING:
            yield from _after(user)
