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
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from optguide.errors import InputError
from optguide.runtimes.inputs import Arrays, random_inputs
from optguide.runtimes.openvino_models import port_name, set_batch

__all__ = ["attends", "batchable", "classifies", "unbounded_below"]

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


_SIZES = (64, 224)
"""Tried for open sizes other than the batch: sequences take the first, images at the latest the second."""

_TOLERANCE = 1e-3
"""Of answers, relative to the largest of them: other batches take other kernels, which round differently."""

Outputs = list[NDArray[Any]]


def batchable(openvino: Any, model: Any, seed: int) -> bool:
    """Whether twice the batch gives the answers that each half gets alone.

    :param model: an ``openvino.Model``, which is left as it is.
    """
    shapes = [port.partial_shape for port in model.inputs]
    if model.get_sinks() or any(shape.rank.is_dynamic or len(shape) == 0 for shape in shapes):
        return False  # a state is of one batch, and a scalar has none
    firsts = {1 if shape[0].is_dynamic else shape[0].get_length() for shape in shapes}
    if len(firsts) != 1:
        return False
    is_open = any(size.is_dynamic for shape in shapes for size in list(shape)[1:])
    return any(_holds(openvino, model, min(firsts), size, seed) for size in (_SIZES if is_open else (0,)))


def _holds(openvino: Any, model: Any, batch: int, size: int, seed: int) -> bool:
    try:
        sized = model.clone()
        sized.reshape({port: _static(port.partial_shape, batch, size) for port in sized.inputs})
        doubled = sized.clone()
        set_batch(doubled, 2 * batch)
        specs = {
            port_name(port, index): (tuple(port.shape), np.dtype(port.element_type.to_dtype()))
            for index, port in enumerate(sized.inputs)
        }
        halves = [random_inputs(specs, seed + index) for index in range(2)]
        alone = _answers(openvino, sized, halves)
        stacked = {name: np.concatenate([half[name] for half in halves]) for name in specs}
        (together,) = _answers(openvino, doubled, [stacked])
    except (InputError, RuntimeError, TypeError, ValueError):  # whatever in the graph is made for one batch
        return False
    return all(_agree(batch, halves, whole) for *halves, whole in zip(*alone, together, strict=True))


def _static(shape: Any, batch: int, size: int) -> list[int]:
    return [batch, *(size if one.is_dynamic else one.get_length() for one in list(shape)[1:])]


def _answers(openvino: Any, model: Any, sets: Sequence[Arrays]) -> list[Outputs]:
    compiled = openvino.Core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    answers = []
    for arrays in sets:
        results = compiled(list(arrays.values()))
        answers.append([np.array(results[index]) for index in range(len(compiled.outputs))])
    return answers


def _agree(batch: int, alone: Sequence[NDArray[Any]], together: NDArray[Any]) -> bool:
    """Whether ``together`` is what the halves answered, one after the other, with a row for every input."""
    if any(half.ndim == 0 or len(half) != batch for half in alone):
        return False
    expected = np.concatenate(alone)
    if expected.shape != together.shape:
        return False
    expected, found = expected.astype(np.float64), together.astype(np.float64)
    finite = np.abs(expected[np.isfinite(expected)])
    margin = _TOLERANCE * float(finite.max()) if finite.size else 0.0
    return bool(np.allclose(found, expected, rtol=_TOLERANCE, atol=margin, equal_nan=True))
