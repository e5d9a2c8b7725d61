"""Whether a model can take more inputs at once than it was made for.

That shapes propagate is not enough: a recurrent network with time in its first dimension takes any number of
steps, and its answers change with them. So the model answers the same random inputs alone and together.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from optguide.runtimes.inputs import Arrays, random_inputs
from optguide.runtimes.openvino import port_name, set_batch

__all__ = ["batchable"]

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
        set_batch(openvino, doubled, 2 * batch)
        specs = {
            port_name(port, index): (tuple(port.shape), np.dtype(port.element_type.to_dtype()))
            for index, port in enumerate(sized.inputs)
        }
        halves = [random_inputs(specs, seed + index) for index in range(2)]
        alone = _answers(openvino, sized, halves)
        stacked = {name: np.concatenate([half[name] for half in halves]) for name in specs}
        (together,) = _answers(openvino, doubled, [stacked])
    except (RuntimeError, TypeError, ValueError):  # whatever in the graph is made for one batch
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
