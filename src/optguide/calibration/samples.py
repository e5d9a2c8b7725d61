"""Samples that fit a model, in the form that NNCF takes."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from optguide.calibration.models import kind_of
from optguide.errors import InputError

__all__ = ["checked"]

Array = npt.NDArray[np.generic]


def checked(model: object, samples: Iterable[Any]) -> list[Any]:
    """``samples`` in the form that ``nncf.Dataset`` needs for ``model``.

    A sample is one array, a sequence of arrays in the order of the inputs, or a mapping from their names. It
    has the batch dimension of the model. Numbers of the same kind are converted (``float64`` to ``float32``),
    and so are tensors to arrays and back.

    :param model: an ``openvino.Model``, whose dynamic dimensions take any size, or a ``torch.nn.Module``,
        which is run once for every shape that the samples have.
    :raises InputError: no samples, or one that does not fit the model or holds NaN or infinity.
    :raises ModelError: ``model`` is neither.
    """
    kind = kind_of(model)
    listed = _listed(samples)
    prepared = _for_module(model, listed) if kind == "torch" else _for_graph(model, listed)
    _refuse_constant(prepared)
    return prepared


def _listed(samples: Any) -> list[Any]:
    if isinstance(samples, str | bytes | Mapping) or not isinstance(samples, Iterable):
        raise InputError(
            f"The calibration data, of type {type(samples).__qualname__}, is no sequence of samples.",
            "Pass a list of samples; what this function returns goes into nncf.Dataset.",
        )
    listed = list(samples)
    if not listed:
        raise InputError(
            "There is no calibration data.", "Pass some 100 to 300 samples of what the model will see."
        )
    return listed


def _for_graph(model: Any, samples: Sequence[Any]) -> list[Any]:
    names = [_names(port) for port in model.inputs]
    prepared = []
    for index, sample in enumerate(samples):
        parts = _parts(sample, names, index)
        arrays = tuple(
            _fitting(_array(part, index), port, index) for part, port in zip(parts, model.inputs, strict=True)
        )
        prepared.append(arrays if len(arrays) > 1 else arrays[0])
    return prepared


def _names(port: Any) -> list[str]:
    """The names of an input; that of its node where it has none."""
    return sorted(port.get_names()) or [port.get_node().get_friendly_name()]


def _parts(sample: Any, names: Sequence[Sequence[str]], index: int) -> list[Any]:
    """What ``sample`` gives each input, in their order.

    :param names: of each input, which may have several.
    """
    shown = ", ".join(alternatives[0] for alternatives in names)
    if isinstance(sample, Mapping):
        unknown = [key for key in sample if not any(key in alternatives for alternatives in names)]
        found = [[sample[key] for key in alternatives if key in sample] for alternatives in names]
        if unknown or not all(found):
            raise InputError(
                f"Calibration sample {index} has the names {', '.join(map(str, sample))}, and the model's "
                f"inputs are {shown}.",
                "Give every input one array under its name.",
            )
        return [values[0] for values in found]
    parts = list(sample) if isinstance(sample, tuple | list) else [sample]
    if len(parts) != len(names):
        raise InputError(
            f"Calibration sample {index} has {len(parts)} part(s), and the model has {len(names)} input(s): "
            f"{shown}.",
            "Give one array per input, and leave labels out.",
        )
    return parts


def _array(part: Any, index: int) -> Array:
    """``part`` as an array of finite numbers."""
    torch, openvino = sys.modules.get("torch"), sys.modules.get("openvino")
    try:
        if torch is not None and isinstance(part, torch.Tensor):
            array: Array = part.detach().cpu().numpy()
        elif openvino is not None and isinstance(part, openvino.Tensor):
            array = part.data
        else:
            array = np.asarray(part)
    except (TypeError, ValueError):  # a type that NumPy lacks, or rows of different lengths
        array = np.asarray(None)
    if array.dtype.kind not in "fiub" or array.size == 0:
        what = "is empty" if array.size == 0 else f"holds {type(part).__qualname__} and no numbers"
        raise InputError(f"Calibration sample {index} {what}.", "Pass NumPy arrays of numbers, or tensors.")
    _refuse_endless(array, index)
    return array


def _refuse_endless(array: Array, index: int) -> None:
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        what = "NaN" if np.isnan(array).any() else "infinity"
        raise InputError(
            f"Calibration sample {index} holds {what}, from which NNCF would take useless ranges.",
            "Leave the sample out, or correct what prepares it.",
        )


def _fitting(array: Array, port: Any, index: int) -> Array:
    """``array`` with the element type of the input ``port``."""
    import openvino

    which = f"input {_names(port)[0]!r}"
    wanted: Any = port.get_element_type().to_dtype()
    if not port.get_partial_shape().compatible(openvino.PartialShape(list(array.shape))):
        raise InputError(
            f"Calibration sample {index} has shape {list(array.shape)}, and {which} takes "
            f"{port.get_partial_shape()}.",
            "Prepare samples as for inference; the batch dimension belongs to it.",
        )
    if _family(array.dtype) != _family(wanted):
        raise InputError(
            f"Calibration sample {index} is of type {array.dtype}, and {which} takes {wanted}.",
            "Prepare samples as for inference, with the same scaling of pixels.",
        )
    with np.errstate(over="ignore"):  # what is too large for the narrower type becomes infinity
        converted = array.astype(wanted, copy=False)
    _refuse_endless(converted, index)
    return converted


def _family(dtype: np.dtype[Any]) -> str:
    """Types among which a conversion keeps the meaning."""
    return "i" if dtype.kind == "u" else dtype.kind


def _for_module(model: Any, samples: Sequence[Any]) -> list[Any]:
    prepared, tried = [], set()
    with _inference(model):
        for index, sample in enumerate(samples):
            made = _tensors(sample, index)
            shape = str([(key, tensor.shape, tensor.dtype) for key, tensor in _tensors_of(made)])
            if shape not in tried:
                _try(model, made, index)
                tried.add(shape)
            prepared.append(made)
    return prepared


@contextlib.contextmanager
def _inference(model: Any) -> Iterator[None]:
    """``model`` as it is for inference; every part is back in its own mode afterwards."""
    modes = [(part, part.training) for part in model.modules()]
    model.eval()
    try:
        with sys.modules["torch"].no_grad():
            yield
    finally:
        for part, training in modes:
            part.training = training


def _tensors(sample: Any, index: int) -> Any:
    """``sample`` with tensors for arrays, in the forms that NNCF hands to a module."""
    torch = sys.modules["torch"]
    if isinstance(sample, Mapping):
        return {key: torch.as_tensor(_array(part, index)) for key, part in sample.items()}
    if isinstance(sample, tuple | list):
        return tuple(torch.as_tensor(_array(part, index)) for part in sample)
    return torch.as_tensor(_array(sample, index))


def _tensors_of(sample: Any) -> list[tuple[Any, Any]]:
    """The parts of a prepared sample, by what identifies them."""
    if isinstance(sample, Mapping):
        return list(sample.items())
    return list(enumerate(sample if isinstance(sample, tuple) else [sample]))


def _try(model: Any, sample: Any, index: int) -> None:
    try:
        if isinstance(sample, Mapping):
            model(**sample)
        else:
            model(*(part for _, part in _tensors_of(sample)))
    except Exception as error:  # whatever the module's own code raises
        said = next(iter(str(error).splitlines()), type(error).__name__).rstrip(".")
        raise InputError(
            f"The module does not take calibration sample {index}: {said}.",
            "Prepare samples as for inference, one tensor per argument, and leave labels out.",
        ) from error


def _refuse_constant(samples: Sequence[Any]) -> None:
    """Refuse data in which no input ever changes: it has no range."""
    ranges: dict[Any, tuple[float, float]] = {}
    for sample in samples:
        for key, part in _tensors_of(sample):
            low, high = ranges.get(key, (np.inf, -np.inf))
            ranges[key] = min(low, float(part.min())), max(high, float(part.max()))
    if all(low == high for low, high in ranges.values()):
        raise InputError(
            "All calibration samples hold one and the same number, which gives no range to quantize.",
            "Pass samples of what the model will see.",
        )
