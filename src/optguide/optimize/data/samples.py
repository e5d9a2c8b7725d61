"""Samples of any source in the form that a model takes.

Sequences whose elements are made when they are asked for.
"""

from __future__ import annotations

import sys
from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar, overload

import numpy as np
from numpy.typing import NDArray

from optguide.errors import InputError
from optguide.optimize.model.source import Port, SourceModel

__all__ = ["Fitted", "Lazy", "Raw", "Rows", "Sample", "array_of", "parts_of", "reject_non_finite"]

T = TypeVar("T")


class Lazy(Sequence[T]):
    """A sequence of whatever :meth:`at` makes; slices are made whole."""

    @abstractmethod
    def at(self, index: int) -> T:
        """The element at ``index``.

        :raises IndexError: there is none.
        """

    @overload
    def __getitem__(self, index: int) -> T: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[T]: ...

    def __getitem__(self, index: int | slice) -> T | Sequence[T]:
        if isinstance(index, slice):
            return [self.at(one) for one in range(*index.indices(len(self)))]
        return self.at(index)


Sample = dict[str, NDArray[Any]]

_AS_FOR_INFERENCE = (
    "Prepare samples as for inference, with the same scaling and the same order of dimensions."
)


@dataclass(frozen=True)
class Raw:
    """What a source has, before it is known to fit.

    :param samples: as :class:`Fitted` takes them.
    :param labels: numbers, or names of classes.
    :param titles: of samples in errors; numbers where empty.
    :param classes: names of all classes in the order of the model's outputs, where the source says it.
    :param lazy: a sample is decoded or computed when it is read, so not all are looked at beforehand.
    """

    samples: Sequence[Any]
    labels: Any = None
    titles: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()
    lazy: bool = False


class Fitted(Lazy[Sample]):
    """``raw`` samples as arrays by port, each checked as it is read.

    A raw sample is a mapping from input names, a tuple or list in their order, or an array for a single
    input. Numbers of the same kind are converted, and a missing batch dimension of one is added.

    :param raw: what the source has.
    :param titles: of samples in errors, such as file names; numbers where empty.
    """

    def __init__(self, raw: Sequence[Any], subject: SourceModel, titles: Sequence[str] = ()) -> None:
        self._raw = raw
        self._ports = subject.ports
        self._is_batch = subject.batchable  # and not a sequence of any length, in the first dimension
        self._titles = titles

    def __len__(self) -> int:
        return len(self._raw)

    def at(self, index: int) -> Sample:
        """See :class:`Lazy`."""
        if not -len(self) <= index < len(self):
            raise IndexError(index)
        index %= len(self)
        which = f"Sample {index}" + (f" ({self._titles[index]})" if self._titles else "")
        try:
            raw = self._raw[index]
        except (InputError, MemoryError):
            raise
        except Exception as error:  # a sequence of the reader's own
            raise InputError(
                f"{which} cannot be read: {type(error).__name__}: {error}.", "Correct what reads it."
            ) from error
        parts = parts_of(raw, [(port.name, *port.also) for port in self._ports], which)
        sample = {
            port.name: _fitting(array_of(part, which), port, which)
            for part, port in zip(parts, self._ports, strict=True)
        }
        if self._is_batch:
            _refuse_several(sample, self._ports, which)
        return sample

    def __iter__(self) -> Iterator[Sample]:
        return (self[index] for index in range(len(self)))


class Rows(Lazy[Sample]):
    """Samples side by side in one array per input.

    An array with one dimension more than its port holds samples in its first; one with as many holds inputs
    there, of which the model's own batch makes a sample.

    :param arrays: by port name.
    :raises InputError: dimensions that are neither, or different numbers of samples.
    """

    def __init__(self, arrays: Mapping[str, NDArray[Any]], ports: Sequence[Port]) -> None:
        self._arrays = {port.name: _by_sample(arrays[port.name], port) for port in ports}
        counts = {name: len(array) for name, array in self._arrays.items()}
        if len(set(counts.values())) > 1:
            shown = ", ".join(f"{count} of {name}" for name, count in counts.items())
            raise InputError(
                f"The inputs differ in the number of samples: {shown}.", "Give as many of every input."
            )
        self._count = next(iter(counts.values()))

    def __len__(self) -> int:
        return self._count

    def at(self, index: int) -> Sample:
        """See :class:`Lazy`."""
        return {name: array[index] for name, array in self._arrays.items()}


def _fitting(array: NDArray[Any], port: Port, which: str) -> NDArray[Any]:
    """``array`` in shape and element type of ``port``."""
    if array.ndim == len(port.shape) - 1 and port.shape[0] in (1, None):
        array = array[None]
    fits = len(array.shape) == len(port.shape) and all(
        wanted in (None, size) for size, wanted in zip(array.shape, port.shape, strict=True)
    )
    if not fits:
        raise InputError(
            f"{which} has shape {list(array.shape)}, and input {port.name!r} takes {port}.", _AS_FOR_INFERENCE
        )
    return _converted(array, port, which)


def _refuse_several(sample: Sample, ports: Sequence[Port], which: str) -> None:
    """Refuse a batch where the model takes any: each of its inputs is a sample, with a label of its own."""
    for port in ports:
        if port.shape[0] is None and len(sample[port.name]) > 1:
            raise InputError(
                f"{which} holds a batch of {len(sample[port.name])} inputs for {port.name!r}.",
                "Give every input as a sample of its own.",
            )


def _converted(array: NDArray[Any], port: Port, which: str) -> NDArray[Any]:
    wanted = np.dtype(port.dtype)
    if array.dtype == wanted:
        return array
    kinds = (array.dtype.kind, wanted.kind)
    integers = kinds[0] in "iub" and kinds[1] in "iu"  # a mask of booleans keeps its meaning
    if kinds != ("f", "f") and not integers:
        raise InputError(
            f"{which} is of type {array.dtype}, and input {port.name!r} takes {wanted}.", _AS_FOR_INFERENCE
        )
    with np.errstate(over="ignore", invalid="ignore"):
        converted = array.astype(wanted)
    if integers and not np.array_equal(converted, array):
        worst = array[converted != array].flat[0]
        raise InputError(
            f"{which} holds {worst}, which does not fit into {wanted}, the type of input {port.name!r}.",
            _AS_FOR_INFERENCE,
        )
    reject_non_finite(converted, which)  # what is too large for the narrower type
    return converted


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


def parts_of(sample: Any, names: Sequence[Sequence[str]], which: str) -> list[Any]:
    """What ``sample`` gives each input, in their order.

    :param sample: a mapping from names, a tuple or list in the order of inputs, or what a single input takes.
    :param names: of each input, which may have several.
    :param which: what it is, for errors: ``Sample 3``.
    :raises InputError: an input gets nothing, or something is for no input.
    """
    shown = ", ".join(alternatives[0] for alternatives in names)
    if isinstance(sample, Mapping):
        found = [[sample[name] for name in alternatives if name in sample] for alternatives in names]
        known = {name for alternatives in names for name in alternatives}
        if not all(found) or not known.issuperset(sample):
            raise InputError(
                f"{which} has the names {', '.join(map(str, sample))}, and the model's inputs are {shown}.",
                "Give every input one array under its name, and nothing else.",
            )
        return [values[0] for values in found]
    parts = list(sample) if isinstance(sample, tuple | list) else [sample]
    if len(parts) != len(names):
        raise InputError(
            f"{which} has {_count(len(parts), 'part')}, and the model has {_count(len(names), 'input')}: "
            f"{shown}.",
            "Give one array per input, and labels apart from the samples.",
        )
    return parts


def array_of(part: Any, which: str) -> NDArray[Any]:
    """``part`` as an array of numbers.

    :param part: an array, a tensor of PyTorch or OpenVINO, or what NumPy makes an array of.
    :param which: what it is, for errors: ``Sample 3``.
    :raises InputError: it is no array, is empty, or holds NaN or infinity.
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
    if array.dtype.kind not in "fiub" or array.size == 0:
        what = "is empty" if array.size == 0 else f"holds {type(part).__qualname__} and no numbers"
        if isinstance(part, np.ndarray) and array.size:
            what = f"holds elements of type {array.dtype} and no numbers"
        raise InputError(f"{which} {what}.", "Pass NumPy arrays of numbers, or tensors.")
    reject_non_finite(array, which)
    return array


def reject_non_finite(array: NDArray[Any], which: str) -> None:
    """Refuse NaN and infinity, of which no range and no answer can be made.

    :raises InputError: there is one.
    """
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        what = "NaN" if np.isnan(array).any() else "infinity"
        raise InputError(f"{which} holds {what}.", "Leave it out, or correct what prepares it.")


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
