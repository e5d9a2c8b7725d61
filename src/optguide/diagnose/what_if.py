"""Models that nobody would deploy, made to show what a change would gain before anybody works for it.

Their answers mean nothing; their speed is that of the model after the change.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from optguide.runtimes.openvino_models import read_model

COMPUTING = ("Convolution", "GroupConvolution", "MatMul")
"""Operations that take most of the time, and that run in 8 bits where both of their inputs are quantized."""

_PASSING = ("Reshape", "Squeeze", "Unsqueeze", "Transpose", "MaxPool", "Split", "VariadicSplit", "Convert")
"""Operations that hand quantized values on, so that no quantizer stands right before the next layer."""

_RANGE = 8.0
"""Of made-up quantizers: speed does not depend on it."""


def quantizers(model: Any) -> int:
    """Number of quantizers in a model."""
    return sum(node.get_type_name() == "FakeQuantize" for node in model.get_ops())


def write(source: str, target: str, change: str) -> int:
    """Write the model in ``source``, changed, to ``target``; the number of changes.

    :param change: ``quantize`` every layer that computes in floats, or ``floats`` for no quantizer at all.
    """
    import openvino

    changes: dict[str, Callable[[Any], int]] = {"quantize": _quantize, "floats": _to_floats}
    model = read_model(openvino.Core(), Path(source))
    count = changes[change](model)
    model.validate_nodes_and_infer_types()
    openvino.save_model(model, target, compress_to_fp16=False)
    return count


def _quantize(model: Any) -> int:
    """Put a quantizer before every input of a layer that has none; the number of layers."""
    layers = [(node, list(_open_inputs(node))) for node in _computing(model)]
    for node, places in layers:
        for place in places:
            source = node.input_value(place)
            node.input(place).replace_source_output(_quantizer(source).output(0))
    return sum(bool(places) for _, places in layers)


def _to_floats(model: Any) -> int:
    """Take every quantizer out; their number."""
    nodes = [node for node in model.get_ordered_ops() if node.get_type_name() == "FakeQuantize"]
    for node in nodes:
        for target in node.output(0).get_target_inputs():
            target.replace_source_output(node.input_value(0))
    return len(nodes)


def _quantizer(source: Any) -> Any:
    from openvino import opset13

    constant = source.get_node().get_type_name() == "Constant"
    levels, high = (255, _RANGE) if constant else (256, _RANGE * 127 / 128)
    low = -high if constant else -_RANGE
    ends = [np.full([1] * len(source.get_partial_shape()), end, np.float32) for end in (low, high)]
    return opset13.fake_quantize(source, *ends, *ends, levels)


def _computing(model: Any) -> Iterator[Any]:
    return (node for node in model.get_ordered_ops() if node.get_type_name() in COMPUTING)


def _open_inputs(node: Any) -> Iterator[int]:
    """Places of the two inputs that hold floats which nothing has quantized."""
    for place in (0, 1):
        if node.input_value(place).get_element_type().is_real() and not _is_quantized(
            node.input_value(place)
        ):
            yield place


def _is_quantized(source: Any) -> bool:
    """Whether values come from a quantizer, or from whole numbers that were stored and are scaled back."""
    node = source.get_node()
    kind = node.get_type_name()
    if kind == "FakeQuantize":
        return True
    if kind == "Constant":
        return bool(source.get_element_type().is_integral())
    if kind in _PASSING or (kind in ("Multiply", "Subtract") and _is_scale(node)):
        return _is_quantized(node.input_value(0))
    return False


def _is_scale(node: Any) -> bool:
    """Whether a node scales stored weights back."""
    first = node.input_value(0).get_node()
    return first.get_type_name() in ("Convert", "Subtract", "Multiply")
