"""What the graph of a model and a few inferences tell: does it attend, classify, and take larger batches?

Attention and classification are recognised by patterns, because neither is written in a file. Attention is a
fused operation of that name, or a softmax over products whose result weights other activations. A classifier
ends in a layer with constant weights and a bias, apart from what only reshapes, averages or scales its
result; an encoder usually ends in a normalisation, a pooling of sums or a projection without bias.

For batches it is not enough that shapes propagate: a recurrent network with time in its first dimension takes
any number of steps, and its answers change with them. So the model answers the same random inputs alone and
together.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from optguide.errors import InputError
from optguide.runtimes.inputs import Arrays, random_inputs
from optguide.runtimes.openvino_models import ports_of, set_batch

if TYPE_CHECKING:
    import openvino


_RESHAPING = frozenset({"Convert", "Reshape", "Squeeze", "Transpose", "Unsqueeze"})
_CHOOSING = frozenset({"LogSoftmax", "Softmax"})
_AFTER_SCORES = _RESHAPING | {"AvgPool", "MaxPool", "ReduceMean", "Relu", "Sigmoid"}
_WEIGHTED = frozenset({"Convolution", "GroupConvolution", "MatMul"})
_UNPACKING = _RESHAPING | {"Add", "Divide", "FakeConvert", "FakeQuantize", "Multiply", "Subtract"}
_SIGNED = frozenset({"Elu", "Gelu", "HSwish", "Mish", "PRelu", "Selu", "Swish"})

_SIZES = (64, 224)
"""Tried for open sizes other than the batch: sequences take the first, images the second if not the first."""

_TOLERANCE = 1e-3
"""Of answers, relative to the largest of them: other batches take other kernels, which round differently."""


def attends(model: openvino.Model) -> bool:
    """Whether the model has attention, which NNCF quantizes well only if it is told ``TRANSFORMER``."""
    for op in model.get_ops():
        kind = op.get_type_name()
        if kind == "ScaledDotProductAttention" or (kind == "Softmax" and _weights_activations(op)):
            return True
    return False


def is_probability(model: openvino.Model, output: int) -> bool:
    """Whether an output ends in a sigmoid, apart from what only reshapes it."""
    op = _before(model.outputs[output].get_node())
    while op.get_type_name() in _RESHAPING:
        op = _before(op)
    return str(op.get_type_name()) == "Sigmoid"


def classifies(model: openvino.Model) -> bool:
    """Whether the first output ends like that of a classifier."""
    op, biased = _before(model.outputs[0].get_node()), False
    while True:
        kind = op.get_type_name()
        if kind in _CHOOSING:
            return True
        if kind in _WEIGHTED:
            return biased and _is_constant(op.input_value(1))
        if kind in ("Add", "Multiply", "Subtract", "Divide"):
            sides = [index for index in (0, 1) if not _is_constant(op.input_value(index))]
            if len(sides) != 1:
                return False
            biased = biased or kind == "Add"
            op = op.input_value(sides[0]).get_node()
        elif kind in _AFTER_SCORES:
            op = _before(op)
        else:
            return False


def unbounded_below(model: openvino.Model) -> str:
    """Name of an activation that gives negative numbers too, whose 8-bit ranges are to be asymmetric."""
    return min((kind for op in model.get_ops() if (kind := op.get_type_name()) in _SIGNED), default="")


def _is_constant(value: Any, depth: int = 8) -> bool:
    """Whether an input holds weights: a constant, perhaps unpacked and reshaped on the way."""
    op = value.get_node()
    kind = op.get_type_name()
    if kind == "Constant":
        return True
    if depth == 0 or kind not in _UNPACKING:
        return False
    return all(_is_constant(op.input_value(index), depth - 1) for index in range(op.get_input_size()))


def _before(op: Any) -> Any:
    return op.input_value(0).get_node()


def _weights_activations(softmax: Any) -> bool:
    """Whether the result of ``softmax`` goes into a product with something that is no constant."""
    products = (op for op in _after(softmax) if op.get_type_name() == "MatMul")
    return any(not any(_is_constant(op.input_value(index)) for index in (0, 1)) for op in products)


def _after(op: Any) -> Iterator[Any]:
    """Operations that take the result of ``op``, through what only reshapes it."""
    for target in op.output(0).get_target_inputs():
        user = target.get_node()
        yield user
        if user.get_type_name() in _RESHAPING:
            yield from _after(user)


def batchable(model: openvino.Model, seed: int) -> bool:
    """Whether twice the batch gives the answers that each half gets alone; ``model`` is left as it is."""
    shapes = [port.partial_shape for port in model.inputs]
    if model.get_sinks() or any(shape.rank.is_dynamic or len(shape) == 0 for shape in shapes):
        return False  # a state belongs to one batch, and a scalar has none
    batches = {1 if shape[0].is_dynamic else shape[0].get_length() for shape in shapes}
    if len(batches) != 1:
        return False
    is_open = any(size.is_dynamic for shape in shapes for size in list(shape)[1:])
    return any(_doubles(model, min(batches), size, seed) for size in (_SIZES if is_open else (0,)))


def _doubles(model: openvino.Model, batch: int, size: int, seed: int) -> bool:
    """Whether both halves of a double batch get their own answers, with ``size`` for open sizes."""
    try:
        single = model.clone()
        single.reshape({port: _static(port.partial_shape, batch, size) for port in single.inputs})
        double = single.clone()
        set_batch(double, 2 * batch)
        ports = ports_of(single.inputs)
        halves = [random_inputs(ports, seed + index) for index in range(2)]
        separate = _outputs(single, halves)
        stacked = {name: np.concatenate([half[name] for half in halves]) for name in halves[0]}
        (joint,) = _outputs(double, [stacked])
    except (InputError, RuntimeError, TypeError, ValueError):  # something in the graph is made for one batch
        return False
    return all(_agree(batch, parts, whole) for *parts, whole in zip(*separate, joint, strict=True))


def _static(shape: Any, batch: int, size: int) -> list[int]:
    others = list(shape)[1:]
    return [batch, *(size if other.is_dynamic else other.get_length() for other in others)]


def _outputs(model: openvino.Model, inputs: Sequence[Arrays]) -> list[list[NDArray[Any]]]:
    import openvino

    compiled = openvino.Core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    return [[np.array(output) for output in compiled(list(arrays.values())).to_tuple()] for arrays in inputs]


def _agree(batch: int, parts: Sequence[NDArray[Any]], whole: NDArray[Any]) -> bool:
    """Whether ``whole`` is the ``parts``, one after the other, with a row for every input."""
    if any(part.ndim == 0 or len(part) != batch for part in parts):
        return False
    expected = np.concatenate(parts)
    if expected.shape != whole.shape:
        return False
    expected, whole = expected.astype(np.float64), whole.astype(np.float64)
    magnitudes = np.abs(expected[np.isfinite(expected)])
    margin = _TOLERANCE * float(magnitudes.max()) if magnitudes.size else 0.0
    return bool(np.allclose(whole, expected, rtol=_TOLERANCE, atol=margin, equal_nan=True))
