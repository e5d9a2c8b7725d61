"""What labels mean to a model: indexes of classes, numbers to come close to, or whatever a metric takes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from optguide.errors import InputError
from optguide.optimize.data.samples import RawSamples, array_of
from optguide.optimize.model.source import Port, SourceModel
from optguide.references import is_reference

MOST_CLASSES = 100_000
"""An output with more numbers per sample holds no scores of classes."""

_PLAIN_NUMBER = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?")
"""A text that loses nothing as a number: 007 may be the name of something."""

_METRIC = "Name a metric that takes them with --metric package.module:function."


def classes(port: Port) -> int | None:
    """How many classes an output has scores for; ``None`` where it holds something else."""
    if len(port.shape) < 2 or any(size != 1 for size in port.shape[2:]) or not port.dtype.startswith("float"):
        return None
    count = port.shape[1]
    return count if count is not None and 1 < count <= MOST_CLASSES else None


def class_outputs(model: SourceModel) -> dict[int, int | None]:
    """The number of classes by index of each output that tells one class per input.

    The number is ``None`` where the output is the index of the class and no score for each.
    """
    return {
        index: classes(port)
        for index, port in enumerate(model.outputs)
        if classes(port)
        or (port.dtype.startswith(("int", "uint")) and all(size in (None, 1) for size in port.shape))
    }


def labels_for(raw: RawSamples, metric: str | None, model: SourceModel) -> NDArray[Any]:
    """The labels of ``raw`` as a metric takes them, one per sample in the first dimension.

    A metric of the reader's own gets them as they are; names of listed classes are their indexes there too.
    For other metrics they become indexes of classes where an output of the model tells classes: from numbers
    of any type, names, one-hot rows and probabilities.

    :param metric: as in :class:`~optguide.optimize.config.Settings`.
    :raises InputError: their number is not that of the samples, or they fit no output of the model.
    """
    array, count = _as_array(raw.labels), len(raw.samples)
    if array.ndim == 0:
        raise InputError(f"The labels are a single number, {array}.", "Give an array with one per sample.")
    if len(array) != count:
        by_input = len(array) == model.batch * count
        raise InputError(
            f"There are {len(array)} labels and {count} samples"
            + (f" of {model.batch} inputs, the batch of the model." if by_input else "."),
            "Set the batch to one with --shape." if by_input else "Give every sample one label.",
        )
    texts = [str(text) for text in array.ravel()] if array.dtype.kind == "U" else []
    if metric is not None and is_reference(metric):
        named = bool(texts) and set(texts) <= set(raw.classes)
        if named or (raw.untyped and all(_PLAIN_NUMBER.fullmatch(text) for text in texts)):
            return _numbered(texts, [None], raw.classes) if texts else array
        return array
    if metric is not None and metric.lower() in ("agreement", "cosine"):
        return array
    if array.dtype.kind == "O":
        raise InputError("The labels hold no numbers and no texts, or differ in length.", _METRIC)
    outputs = {} if metric == "mean-error" else class_outputs(model)
    if texts:
        array = _numbered(texts, list(outputs.values()), raw.classes)
    if outputs:
        array = _indexes(array, list(outputs.values()), model.batch)
    return array.astype(np.int64) if array.dtype.kind in "iub" else array


def _as_array(labels: Any) -> NDArray[Any]:
    """An array of numbers or texts, or of objects where labels are neither."""
    if hasattr(labels, "__iter__") and not hasattr(labels, "ndim"):
        objects = list(labels)
        try:
            labels = np.asarray(objects) if objects else array_of(objects, "The array of labels")
        except (TypeError, ValueError):  # rows of different lengths
            labels = np.asarray(None)
        if labels.dtype.kind == "O":
            labels = np.empty(len(objects), object)
            for index, label in enumerate(objects):
                labels[index] = label
    kind = labels.dtype.kind if isinstance(labels, np.ndarray) else ""
    if kind == "S":
        return np.char.decode(labels, "utf-8")
    return labels if kind in ("O", "U") else array_of(labels, "The array of labels")


def _numbered(texts: Sequence[str], counts: Sequence[int | None], names: Sequence[str]) -> NDArray[Any]:
    """Texts as the indexes of the classes that they name, or as the numbers that they spell.

    :param counts: number of classes by output, where the output tells.
    """
    if not all(texts):
        raise InputError(f"Sample {list(texts).index('')} has no label.", "Label it, or leave it out.")
    if not names or not set(texts) <= set(names):
        for number in (np.int64, np.float64):
            try:
                return array_of(np.array([number(text) for text in texts]), "The list of labels")
            except ValueError:
                continue
    if not counts:
        raise InputError("The labels are texts, and no output of the model tells classes.", _METRIC)
    if names and (unknown := sorted(set(texts) - set(names))):
        raise InputError(
            f"The label {unknown[0]!r} is none of the {len(names)} names of classes.",
            "Add it to classes.txt, which lists all of them in the order of the model's outputs.",
        )
    names = names or sorted(set(texts))
    if None not in counts and len(names) not in counts:
        raise InputError(
            f"The labels name {len(names)} classes, and the model has {counts[0]}.",
            "Write all names, one a line in the order of the model's outputs (a class for the background "
            "too), into classes.txt beside the data, or use the indexes of classes as labels.",
        )
    indexes = {name: index for index, name in enumerate(names)}
    return np.array([indexes[text] for text in texts], dtype=np.int64)


def _indexes(labels: NDArray[Any], counts: Sequence[int | None], batch: int) -> NDArray[Any]:
    """Numbers as indexes of classes; numbers that are none come back as they are."""
    rows = labels.reshape(len(labels), -1)
    width = rows.shape[1]
    if width > 1 and width != batch:
        if width not in counts and None not in counts:
            return labels
        if rows.min() >= 0 and np.allclose(rows.sum(axis=1), 1, atol=1e-3):
            return np.asarray(rows.argmax(axis=1))
        if np.isin(rows, (0, 1)).all():
            raise InputError("The labels name several classes, or none, for one sample.", _METRIC)
        return labels
    if not np.array_equal(rows, np.round(rows)):
        return labels
    low, high = int(rows.min()), int(rows.max())
    limit = max((count for count in counts if count is not None), default=None)
    if low < 0 or (limit is not None and None not in counts and high >= limit):
        wrong = low if low < 0 else high
        sample = int(np.argwhere(rows == wrong)[0][0])
        remedy = "Count classes from zero, in the order of the model's outputs"
        if low == 1 and high == limit:
            remedy = "Labels seem to count from one: subtract one from each"
        raise InputError(
            f"The label of sample {sample} is {wrong}, and the model has {limit} classes.",
            f"{remedy}, or write names as labels and list them in classes.txt.",
        )
    return rows[:, 0].astype(np.int64) if width == 1 else rows.astype(np.int64)
