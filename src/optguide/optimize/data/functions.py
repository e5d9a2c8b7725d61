"""Samples that a function of the reader's own returns."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence, Sized
from itertools import islice
from typing import Any, cast

import numpy as np

from optguide.errors import InputError, described
from optguide.optimize.data.samples import ArrayRows, RawSamples, Samples, array_of, by_port
from optguide.optimize.model.source import Port
from optguide.references import called

MOST = 2000
"""Samples that are taken from an iterator, which may not end and is kept in memory."""

_RETURN = (
    "Return samples or (samples, labels); samples are a list of arrays, tuples or mappings by input name, or "
    "one mapping from input names to arrays of all samples."
)


def read_function(reference: str, ports: Sequence[Port]) -> RawSamples:
    """What the function returns when it is called without arguments.

    That is ``samples`` or ``(samples, labels)``. Samples are an iterable of mappings, tuples or arrays, or an
    array or mapping of arrays with one sample per row. Of an iterator without a length the first 2000 are
    taken. A sequence that computes its items, such as a PyTorch data set, is read as far as it is needed.

    :raises InputError: the function does not exist, raises, or returns something else.
    """
    samples, labels = called(reference, InputError), None
    if isinstance(samples, tuple):
        if len(samples) != 2:
            raise InputError(f"{reference} returned a tuple of {len(samples)}.", _RETURN)
        samples, labels = samples
    if isinstance(labels, Iterator):
        labels = list(islice(labels, MOST))
    if isinstance(samples, np.ndarray) or hasattr(samples, "detach"):  # a tensor of PyTorch
        if len(ports) != 1:
            raise InputError(
                f"{reference} returned one array, and the model has {len(ports)} inputs.", _RETURN
            )
        samples = {ports[0].name: samples}
    if isinstance(samples, Mapping):
        return RawSamples(_rows(samples, reference, ports), labels)
    is_indexed = hasattr(samples, "__getitem__")
    if isinstance(samples, str | bytes) or not (isinstance(samples, Iterable) or is_indexed):
        raise InputError(f"{reference} returned an object of type {type(samples).__qualname__}.", _RETURN)
    if isinstance(samples, list | tuple):
        return RawSamples(samples, labels)
    if isinstance(samples, Sized) and is_indexed:
        return RawSamples(cast(Samples[Any], samples), labels, lazy=True)
    try:
        first = list(islice(samples, MOST))
    except Exception as error:  # the reader's own code may raise anything
        raise InputError(f"The samples of {reference} raised {described(error)}.", "Correct it.") from error
    if len(first) == MOST and isinstance(labels, Sized):
        labels = labels[:MOST]  # type: ignore[index]  # an array or a list, checked with the other labels
    return RawSamples(first, labels)


def _rows(samples: Mapping[str, Any], reference: str, ports: Sequence[Port]) -> ArrayRows:
    arrays = by_port(samples, ports)
    if arrays is None:
        raise InputError(
            f"{reference} returned samples for {', '.join(map(str, samples)) or 'no input'}, and the model's "
            f"inputs are {', '.join(port.name for port in ports)}.",
            "Give every input one array under its name, and return labels apart.",
        )
    return ArrayRows({name: array_of(part, f"The array of {name!r}") for name, part in arrays.items()}, ports)
