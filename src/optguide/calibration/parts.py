"""What a sample gives each input of a model, as arrays of finite numbers."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from optguide.errors import InputError

__all__ = ["array_of", "parts_of", "reject_non_finite"]


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
