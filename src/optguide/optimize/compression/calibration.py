"""What goes into quantization, checked before NNCF sees it.

NNCF 3.4 accepts much without a warning and returns a model that runs and answers nonsense: samples with NaN
or infinity, samples that are all zero, ``None`` in place of a sample, images of integers for an input of
floats. A model that is already quantized it quantizes once more, and one without a layer to quantize it
returns unchanged. Where it does raise, the message is often that of the runtime below it. The two functions
here check first; what they accept is left to NNCF::

    quantizable(model)
    nncf.quantize(model, nncf.Dataset(checked(model, samples)))
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from optguide.errors import InputError, ModelError
from optguide.optimize.data.samples import array_of, converted, parts_of
from optguide.runtimes.ports import Port

Array = npt.NDArray[np.generic]

QUANTIZERS = ("FakeQuantize", "FakeConvert")
MULTIPLYING = frozenset(
    {
        "Convolution",
        "ConvolutionBackpropData",
        "DeformableConvolution",
        "GroupConvolution",
        "GroupConvolutionBackpropData",
        "GRUSequence",
        "If",  # NNCF quantizes inside its branches
        "LSTMSequence",
        "MatMul",
    }
)
"""Types of operations that compute in 8 bits. NNCF quantizes a lone sum or mean too, without a gain."""

_COMPRESSED = ("i8", "u8", "i4", "u4", "u2", "nf4", "f8e4m3", "f8e5m2", "f4e2m1")
_AGAIN = "Start from the original model."


def quantizable(model: object) -> None:
    """Raise for a model that ``nncf.quantize`` cannot quantize, or would spoil.

    :raises ModelError: another object, a model that is quantized or compressed already, or one without a
        layer that computes with weights.
    """
    graph = _graph(model)
    types = {op.get_type_name() for op in graph.get_ops()}
    if quantizers := types.intersection(QUANTIZERS):
        raise ModelError(f"The model is quantized already: it has {min(quantizers)} operations.", _AGAIN)
    if any(_compressed(op) for op in graph.get_ops()):
        raise ModelError("The weights of the model are compressed to integers already.", _AGAIN)
    if not types & MULTIPLYING:
        raise ModelError(
            "The model has no convolution, matrix multiplication or recurrent layer to quantize.",
            "Leave it as it is: there is nothing in it that 8 bits would make faster.",
        )


def _graph(model: object) -> Any:
    """``model`` where it is an ``openvino.Model``, without importing what has not been imported already."""
    openvino = sys.modules.get("openvino")
    if openvino is not None and isinstance(model, openvino.Model):
        return model
    if isinstance(model, str | os.PathLike):
        raise ModelError(
            f"{os.fspath(model)!r} is the path of a model and not a model.",
            "Read it with openvino.Core().read_model(path).",
        )
    if openvino is not None and isinstance(model, openvino.CompiledModel):
        raise ModelError(
            "A compiled model cannot be quantized any more.", "Pass the openvino.Model that was compiled."
        )
    name = f"{type(model).__module__}.{type(model).__qualname__}".removeprefix("builtins.")
    raise ModelError(
        f"An object of type {name} cannot be quantized.",
        "Pass an openvino.Model; openvino.convert_model and read_model make one from other frameworks and "
        "from ONNX.",
    )


def _compressed(op: Any) -> bool:
    """Whether ``op`` holds weights that are decompressed as the model runs."""
    if op.get_type_name() != "Constant" or op.get_element_type().get_type_name() not in _COMPRESSED:
        return False
    users = (user.get_node().get_type_name() for user in op.output(0).get_target_inputs())
    return len(op.get_output_shape(0)) > 1 and "Convert" in users


def checked(model: object, samples: Iterable[Any]) -> list[Any]:
    """``samples`` in the form that ``nncf.Dataset`` needs for ``model``.

    A sample is one array, a sequence of arrays in the order of the inputs, or a mapping from their names. It
    has the batch dimension of the model. Numbers of the same kind are converted (``float64`` to ``float32``),
    and so are tensors to arrays.

    :param model: an ``openvino.Model``, whose dynamic dimensions take any size.
    :raises InputError: no samples, or one that does not fit the model or holds NaN or infinity.
    """
    graph = _graph(model)
    if isinstance(samples, str | bytes | Mapping) or not isinstance(samples, Iterable):
        raise InputError(
            f"The calibration data, of type {type(samples).__qualname__}, is no sequence of samples.",
            "Pass a list of samples; what this function returns goes into nncf.Dataset.",
        )
    names = [sorted(port.get_names()) or [port.get_node().get_friendly_name()] for port in graph.inputs]
    ports = [Port(first, "", (), also=tuple(others)) for first, *others in names]
    prepared: list[Any] = []
    for index, sample in enumerate(samples):
        title = f"Calibration sample {index}"
        parts = zip(parts_of(sample, ports, title), graph.inputs, ports, strict=True)
        arrays = tuple(_fitting(part, port, named.name, title) for part, port, named in parts)
        prepared.append(arrays if len(arrays) > 1 else arrays[0])
    if not prepared:
        raise InputError(
            "There is no calibration data.", "Pass some 100 to 300 samples of what the model will see."
        )
    _reject_constant(prepared)
    return prepared


def _fitting(part: Any, port: Any, name: str, title: str) -> Array:
    """A part of a sample as an array with the element type of the input ``port``, which it fits."""
    import openvino

    array, shape = array_of(part, title), port.get_partial_shape()
    if not shape.compatible(openvino.PartialShape(list(array.shape))):
        raise InputError(
            f"{title} has shape {list(array.shape)}, and input {name!r} takes {shape}.",
            "Prepare samples as for inference, with the batch dimension.",
        )
    return converted(array, np.dtype(port.get_element_type().to_dtype()), name, title)


def _reject_constant(samples: Sequence[Any]) -> None:
    """Raise for data in which no input ever changes: it has no range."""
    ranges: dict[int, tuple[float, float]] = {}
    for sample in samples:
        for index, part in enumerate(sample if isinstance(sample, tuple) else [sample]):
            if 0 in part.shape:
                continue
            low, high = ranges.get(index, (np.inf, -np.inf))
            ranges[index] = min(low, float(part.min())), max(high, float(part.max()))
    if all(low == high for low, high in ranges.values()):
        raise InputError(
            "All calibration samples hold one and the same number, which gives no range to quantize.",
            "Pass samples of what the model will see.",
        )
