"""Samples from any source, as the arrays that the inputs of a model take."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from optguide.errors import Failure, InputError, described
from optguide.optimize.model import SourceModel
from optguide.runtimes.ports import Port

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

Sample = dict[str, NDArray[Any]]
"""One array for each input of a model, by the name of its port."""

_AS_FOR_INFERENCE = (
    "Prepare samples as for inference, with the same scaling and the same order of dimensions."
)


class Samples(Protocol[T_co]):
    """As much of a sequence as reading samples needs; an item may be decoded or computed on access."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> T_co: ...


@dataclass(frozen=True)
class RawSamples:
    """What a source holds, before it is known to fit the model.

    :param samples: as :class:`FittedSamples` takes them.
    :param labels: numbers or names of classes, one per sample, or ``None``.
    :param titles: names of the samples in errors, such as file names; empty calls them by number.
    :param classes: names of all classes in the order of the model's outputs, where the source lists them.
    :param lazy: a sample is decoded or computed on access, so not all of them are read beforehand.
    :param untyped: labels come as texts from where numbers are texts too, such as names of folders.
    :param notes: assumptions about the samples, in sentences.
    """

    samples: Samples[Any]
    labels: Any = None
    titles: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()
    lazy: bool = False
    untyped: bool = False
    notes: tuple[str, ...] = ()


class Mapped:
    """One sample per item, computed on access: files may be more than can be open at once."""

    def __init__(self, items: Sequence[T], compute: Callable[[T], Any]) -> None:
        self._items, self._compute = items, compute

    def __len__(self) -> int:
        return len(self._items)

    def __getitem__(self, index: int) -> Any:
        return self._compute(self._items[index])


class FittedSamples:
    """Raw samples as arrays by port, each checked on access.

    A raw sample is a mapping from input names, a tuple or list in the order of the inputs, or an array for a
    single input. Numbers of the same kind are converted, and a missing batch dimension of one is added.

    :param titles: names of the samples in errors; empty calls them by number.
    """

    def __init__(self, raw: Samples[Any], model: SourceModel, titles: Sequence[str] = ()) -> None:
        self._raw = raw
        self._ports = model.ports
        self._batchable = model.batchable  # otherwise an open first dimension may be a sequence
        self._titles = titles

    def __len__(self) -> int:
        return len(self._raw)

    def __getitem__(self, index: int) -> Sample:
        if not 0 <= index < len(self):
            raise IndexError(index)
        title = f"Sample {index}" + (f" ({self._titles[index]})" if self._titles else "")
        try:
            raw = self._raw[index]
        except (Failure, MemoryError):
            raise
        except Exception as error:  # a picture that is cut off, or a sequence of the reader's own
            reason = error.message.rstrip(".") if isinstance(error, InputError) else described(error)
            remedy = error.remedy if isinstance(error, InputError) else "Correct it, or leave it out."
            raise InputError(f"{title} cannot be read: {reason}.", remedy) from error
        parts = zip(parts_of(raw, self._ports, title), self._ports, strict=True)
        return {port.name: self._fitting(array_of(part, title), port, title) for part, port in parts}

    def _fitting(self, array: NDArray[Any], port: Port, title: str) -> NDArray[Any]:
        """``array`` in the shape and element type of ``port``."""
        if array.ndim == len(port.shape) - 1 and port.shape[0] in (1, None):
            array = array[None]
        if array.ndim != len(port.shape) or any(
            expected not in (None, size) for size, expected in zip(array.shape, port.shape, strict=True)
        ):
            raise InputError(
                f"{title} has shape {list(array.shape)}, and input {port.name!r} takes {port}.",
                _AS_FOR_INFERENCE,
            )
        if self._batchable and port.shape[0] is None and len(array) > 1:  # each has a label of its own
            raise InputError(
                f"{title} holds a batch of {len(array)} inputs for {port.name!r}.",
                "Give every input as a sample of its own.",
            )
        return converted(array, np.dtype(port.dtype), port.name, title)


class ArrayRows:
    """Samples side by side in one array per input.

    An array with one dimension more than its port holds samples in its first dimension; one with as many
    holds single inputs there, and the model's own batch of them makes a sample.

    :param arrays: by port name.
    :raises InputError: an array has other dimensions, or the inputs have different numbers of samples.
    """

    def __init__(self, arrays: Mapping[str, NDArray[Any]], ports: Sequence[Port]) -> None:
        self._arrays = {port.name: _by_sample(arrays[port.name], port) for port in ports}
        counts = {name: len(array) for name, array in self._arrays.items()}
        if len(set(counts.values())) > 1:
            listing = ", ".join(f"{count} of {name}" for name, count in counts.items())
            raise InputError(
                f"The inputs differ in the number of samples: {listing}.", "Give as many of every input."
            )
        self._count = next(iter(counts.values()))

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: int) -> Sample:
        return {name: array[index] for name, array in self._arrays.items()}


def by_port(values: Mapping[Any, T], ports: Sequence[Port], *, exact: bool = True) -> dict[str, T] | None:
    """Values by the name of their port, in the order of the ports; any of a port's names will do.

    :param exact: whether a value that belongs to no port is an error.
    :return: ``None`` where a port has no value or, if ``exact``, there are more values than ports.
    """
    owned = {p.name: values[name] for p in ports for name in reversed(p.names) if name in values}
    return None if len(owned) < len(ports) or (exact and len(values) > len(ports)) else owned


def unlike_inputs(has: str, ports: Sequence[Port], remedy: str) -> InputError:
    """The error that ``has``, the first half of its sentence, is not what the model takes."""
    return InputError(f"{has}, and the model's inputs are {', '.join(port.name for port in ports)}.", remedy)


def parts_of(sample: Any, ports: Sequence[Port], title: str) -> list[Any]:
    """The part of ``sample`` that each input gets, in the order of the inputs.

    :param sample: a mapping from names, a tuple or list in the order of inputs, or what a single input takes.
    :param title: name of the sample in errors, such as ``Sample 3``.
    :raises InputError: an input gets nothing, or a part belongs to no input.
    """
    if isinstance(sample, Mapping):
        owned = by_port(sample, ports)
        if owned is None:
            has = f"{title} has the names {', '.join(map(str, sample))}"
            raise unlike_inputs(has, ports, "Give every input one array under its name, and nothing else.")
        return list(owned.values())
    parts = list(sample) if isinstance(sample, tuple | list) else [sample]
    if len(parts) != len(ports):
        counts = [
            f"{len(side)} {noun}{'s' * (len(side) != 1)}"
            for side, noun in ((parts, "part"), (ports, "input"))
        ]
        raise InputError(
            f"{title} has {counts[0]}, and the model has {counts[1]}: {', '.join(p.name for p in ports)}.",
            "Give one array per input, and labels apart from the samples.",
        )
    return parts


def array_of(part: Any, title: str) -> NDArray[Any]:
    """``part`` as an array of finite numbers.

    :param part: an array, a tensor of PyTorch or OpenVINO, or anything else that NumPy turns into an array.
    :param title: name of the sample in errors, such as ``Sample 3``.
    :raises InputError: it is not an array of numbers, is empty, or holds NaN or infinity.
    """
    torch, openvino = sys.modules.get("torch"), sys.modules.get("openvino")
    try:
        if torch is not None and isinstance(part, torch.Tensor):
            part = part.detach().cpu().numpy()
        elif openvino is not None and isinstance(part, openvino.Tensor):
            part = part.data
        array: NDArray[Any] = np.asarray(part)
    except (TypeError, ValueError):  # a type that NumPy lacks, or rows of different lengths
        array = np.asarray(None)
    is_empty = array.size == 0 and (array.ndim < 2 or len(array) == 0)  # a cache may begin with no steps
    if array.dtype.kind not in "fiub" or is_empty:
        problem = "is empty" if is_empty else f"holds {type(part).__qualname__} and no numbers"
        if isinstance(part, np.ndarray) and array.size:
            problem = f"holds elements of type {array.dtype} and no numbers"
        raise InputError(f"{title} {problem}.", "Pass NumPy arrays of numbers, or tensors.")
    _reject_non_finite(array, title)
    return array


def natural_key(path: Path) -> list[Any]:
    """Sort key under which ``2.npy`` comes before ``10.npy``."""
    return [
        (int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", path.as_posix())
    ]


def load_npy(path: Path) -> NDArray[Any]:
    """The array in an ``.npy`` file, mapped into memory.

    :raises InputError: it is no such file, or holds Python objects, which are never unpickled.
    """
    try:
        return np.lib.format.open_memmap(path, mode="r")
    except Exception as error:  # of many types, depending on which byte of the file is wrong
        raise InputError(
            f"{path.name} is no .npy file of plain numbers ({described(error)}).",
            "Write it with numpy.save(path, array).",
        ) from error


def converted(array: NDArray[Any], dtype: np.dtype[Any], name: str, title: str) -> NDArray[Any]:
    """``array`` with the element type of the input ``name``, where that keeps the meaning of its numbers.

    :raises InputError: they are of another kind, or too large for the type.
    """
    if array.dtype == dtype:
        return array
    kinds = (array.dtype.kind, dtype.kind)
    integers = kinds[0] in "iub" and kinds[1] in "iu"  # a mask of booleans keeps its meaning
    if kinds != ("f", "f") and not integers:
        raise InputError(
            f"{title} is of type {array.dtype}, and input {name!r} takes {dtype}.", _AS_FOR_INFERENCE
        )
    with np.errstate(over="ignore", invalid="ignore"):
        narrowed = array.astype(dtype)
    if integers and not np.array_equal(narrowed, array):
        misfit = array[narrowed != array].flat[0]
        raise InputError(
            f"{title} holds {misfit}, which does not fit into {dtype}, the type of input {name!r}.",
            _AS_FOR_INFERENCE,
        )
    _reject_non_finite(narrowed, title)  # a value too large for the narrower type became infinity
    return narrowed


def _reject_non_finite(array: NDArray[Any], title: str) -> None:
    """Raise for NaN and infinity, which have no range and lead to no meaningful output."""
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        value = "NaN" if np.isnan(array).any() else "infinity"
        raise InputError(f"{title} holds {value}.", "Leave it out, or correct what prepares it.")


def _by_sample(array: NDArray[Any], port: Port) -> NDArray[Any]:
    """``array`` with samples in its first dimension."""
    if array.ndim == len(port.shape) + 1:
        return array
    if array.ndim != len(port.shape) or array.ndim == 0:
        raise InputError(
            f"The array of input {port.name!r} has shape {list(array.shape)}, and the input takes {port}.",
            "Put the samples side by side in the first dimension.",
        )
    batch = port.shape[0] or 1
    if len(array) % batch:
        raise InputError(
            f"The {len(array)} rows of input {port.name!r} do not make whole batches of {batch}, which the "
            "model takes.",
            f"Give a multiple of {batch}, or set the batch to one with --shape.",
        )
    return array.reshape(len(array) // batch, batch, *array.shape[1:])
