"""Samples that a function of the reader's returns."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence, Sized
from itertools import islice
from typing import Any

import numpy as np

from optguide.errors import InputError
from optguide.optimize.data.samples import Raw, Rows, array_of
from optguide.optimize.model.source import Port
from optguide.references import called, told

__all__ = ["MOST", "read_function"]

MOST = 2000
"""Samples that are taken from an iterator, which may not end and is kept in memory."""

_RETURN = (
    "Return samples or (samples, labels); samples are a list of arrays, tuples or mappings by input name, or "
    "one mapping from input names to arrays of all samples."
)


def read_function(reference: str, ports: Sequence[Port]) -> Raw:
    """What the function returns when it is called without arguments.

    That is ``samples`` or ``(samples, labels)``. Samples are an iterable of mappings, tuples or arrays, or an
    array or mapping of arrays with one sample per row. Of an iterator without a length the first 2000 are
    taken. A sequence that computes its items, such as a PyTorch data set, is read as far as it is needed.

    :raises InputError: the function does not exist, raises, or returns something else.
    """
    answer = called(reference, InputError)
    labels = None
    if isinstance(answer, tuple):
        if len(answer) != 2:
            raise InputError(f"{reference} returned a tuple of {len(answer)}.", _RETURN)
        answer, labels = answer
    if isinstance(labels, Iterator):
        labels = list(islice(labels, MOST))
    return _raw(answer, labels, reference, ports)


def _raw(samples: Any, labels: Any, reference: str, ports: Sequence[Port]) -> Raw:
    if isinstance(samples, Mapping):
        return Raw(_rows(samples, reference, ports), labels)
    if isinstance(samples, np.ndarray) or hasattr(samples, "detach"):
        if len(ports) != 1:
            raise InputError(
                f"{reference} returned one array, and the model has {len(ports)} inputs.", _RETURN
            )
        return Raw(_rows({ports[0].name: samples}, reference, ports), labels)
    if isinstance(samples, str | bytes) or not (
        isinstance(samples, Iterable) or hasattr(samples, "__getitem__")
    ):
        raise InputError(f"{reference} returned an object of type {type(samples).__qualname__}.", _RETURN)
    if isinstance(samples, list | tuple):
        return Raw(samples, labels)
    if isinstance(samples, Sized) and hasattr(samples, "__getitem__"):
        return Raw(samples, labels, lazy=True)  # type: ignore[arg-type]  # as much of a sequence as is used
    try:
        listed = list(islice(samples, MOST))
    except Exception as error:  # the reader's own code
        raise InputError(f"The samples of {reference} raised {told(error)}.", "Correct it.") from error
    if len(listed) == MOST and isinstance(labels, Sized):
        labels = labels[:MOST]  # type: ignore[index]  # labels of what was left out
    return Raw(listed, labels)


def _rows(samples: Mapping[str, Any], reference: str, ports: Sequence[Port]) -> Rows:
    found = {
        port.name: samples[name] for port in ports for name in (port.name, *port.also) if name in samples
    }
    if len(found) != len(ports) or len(samples) != len(ports):
        raise InputError(
            f"{reference} returned samples for {', '.join(map(str, samples)) or 'no input'}, and the model's "
            f"inputs are {', '.join(port.name for port in ports)}.",
            "Give every input one array under its name, and return labels apart.",
        )
    return Rows({name: array_of(part, f"The array of {name!r}") for name, part in found.items()}, ports)
