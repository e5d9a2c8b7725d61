"""What a metric makes of answers: right or wrong, a number per sample, or one number for all."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from optguide import references
from optguide.errors import InputError, OptionError, OutputError
from optguide.optimize.evaluation.answers import Answers, Array
from optguide.optimize.evaluation.metrics import Kind, Metric

__all__ = ["Scores", "score"]

_CONVENTION = (
    "It gets a list of outputs by sample and the labels, and returns one boolean or number per sample, or "
    "one number for all."
)


@dataclass(frozen=True)
class Scores:
    """What a metric gives.

    :param values: booleans for ``"correct"``, one per row of a batch; numbers for ``"value"``, one per
        sample; a single number for ``"whole"``.
    """

    kind: Kind
    values: Array


def score(metric: Metric, answers: Answers, original: Answers) -> Scores:
    """What ``metric`` makes of ``answers``.

    :param original: of the 32-bit model to the same samples, for metrics that compare with it.
    :raises InputError: labels or outputs that the metric cannot compare.
    :raises OptionError: a function that raises, or returns NaN or something of another length.
    :raises OutputError: outputs of NaN or infinity.
    """
    if metric.rule == "function":
        return _of_function(metric, answers)
    pairs = zip(answers.outputs, original.outputs, strict=True)
    if metric.rule == "cosine":
        cosines = [_cosine(mine, theirs, index) for index, (mine, theirs) in enumerate(pairs)]
        return _numbers(cosines)
    if metric.rule == "agreement":
        agreed = [_choices(mine[metric.output]) == _choices(theirs[metric.output]) for mine, theirs in pairs]
        return Scores("correct", np.concatenate(agreed))
    if answers.labels is None:
        raise InputError(f"The metric {metric.name} needs labels, and there are none.", "Add labels.")
    labelled = [
        (outputs[metric.output], np.asarray(label))
        for outputs, label in zip(answers.outputs, answers.labels, strict=True)
    ]
    if metric.rule == "top-k":
        right = [_top(output, label, metric.k, index) for index, (output, label) in enumerate(labelled)]
        return Scores("correct", np.concatenate(right))
    return _numbers([_error(*pair, index) for index, pair in enumerate(labelled)])


def _numbers(values: list[float]) -> Scores:
    """One number per sample.

    :raises OutputError: outputs with NaN or infinity have led to none.
    """
    scores = np.array(values)
    if not np.isfinite(scores).all():
        first = int(np.flatnonzero(~np.isfinite(scores))[0])
        raise OutputError(
            f"The answer to judged sample {first} holds NaN or infinity, which cannot be compared.",
            "Name a metric of your own with --metric package.module:function.",
        )
    return Scores("value", scores)


def _choices(output: Array) -> Array:
    """The class that each row chooses: that of the highest score, or the number itself."""
    if output.dtype.kind in "iu":
        return output.reshape(-1)
    return np.asarray(output.reshape(len(output), -1).argmax(axis=1))


def _top(output: Array, label: Array, k: int, index: int) -> Array:
    """Whether the label of each row is among its ``k`` best; of equal scores the first counts as better."""
    wanted = label.reshape(-1).astype(np.int64)
    rows = output.reshape(-1, 1) if output.dtype.kind in "iu" else output.reshape(len(output), -1)
    if len(wanted) != len(rows):
        raise InputError(
            f"Sample {index} has {len(wanted)} label(s), and the model answers with {len(rows)} row(s).",
            "Label each row of a sample with the index of its class.",
        )
    if output.dtype.kind in "iu":
        return np.equal(rows[:, 0], wanted)
    if wanted.min() < 0 or wanted.max() >= rows.shape[1]:
        raise InputError(
            f"The label of sample {index} is {wanted.max() if wanted.min() >= 0 else wanted.min()}, and the "
            f"model has {rows.shape[1]} classes.",
            "Count classes from zero, in the order of the model's output.",
        )
    mine = rows[np.arange(len(rows)), wanted][:, None]
    earlier = np.arange(rows.shape[1])[None] < wanted[:, None]
    before = (rows > mine) | ((rows == mine) & earlier)
    right: Array = np.less(before.sum(axis=1), k) & np.isfinite(mine[:, 0])
    return right


def _cosine(mine: list[Array], theirs: list[Array], index: int) -> float:
    """Of the output that is least similar; outputs of integers count as the share that is equal."""
    similarities = []
    for a, b in zip(mine, theirs, strict=True):
        if a.shape != b.shape:
            raise InputError(
                f"The answers to sample {index} have the shape {list(a.shape)} and, in 32-bit floats, "
                f"{list(b.shape)}, which no cosine compares.",
                "Name a metric of your own with --metric package.module:function.",
            )
        if a.dtype.kind != "f":
            similarities.append(float((a == b).mean()) if a.size else 1.0)
            continue
        x, y = a.astype(np.float64).ravel(), b.astype(np.float64).ravel()
        lengths = float(np.linalg.norm(x) * np.linalg.norm(y))
        similarities.append(float(x @ y) / lengths if lengths else float(not (x.any() or y.any())))
    return float(np.clip(np.min(similarities), -1.0, 1.0))  # NaN stays, unlike with min()


def _error(output: Array, label: Array, index: int) -> float:
    """Mean absolute difference from the label."""
    if output.size != label.size:
        raise InputError(
            f"The label of sample {index} has the shape {list(label.shape)}, and the output has "
            f"{list(output.shape)}.",
            "Give as many numbers per sample as the output has, or name a metric of your own.",
        )
    return float(np.abs(output.astype(np.float64).ravel() - label.astype(np.float64).ravel()).mean())


def _of_function(metric: Metric, answers: Answers) -> Scores:
    returned = _called(references.function(metric.reference, OptionError), metric.reference, answers)
    values = np.asarray(None)
    with contextlib.suppress(TypeError, ValueError):  # what NumPy cannot take, or rows of different lengths
        values = np.asarray(returned)
    if values.dtype.kind not in "biuf":
        raise OptionError(
            f"The metric {metric.reference} returned {type(returned).__name__} and no numbers.", _CONVENTION
        )
    if values.ndim > 1 or (values.ndim == 1 and len(values) != len(answers)):
        raise OptionError(
            f"The metric {metric.reference} returned an array of shape {list(values.shape)} for "
            f"{len(answers)} samples.",
            _CONVENTION,
        )
    if not np.isfinite(values).all():
        what = "NaN" if np.isnan(values).any() else "infinity"
        raise OptionError(
            f"The metric {metric.reference} returned {what}.", "Look for divisions by zero and empty means."
        )
    if values.ndim == 0:
        return Scores("whole", values.astype(np.float64)[None])
    return Scores("correct", values) if values.dtype == bool else Scores("value", values.astype(np.float64))


def _called(function: Callable[..., Any], name: str, answers: Answers) -> Any:
    try:
        return function(answers.outputs, answers.labels)
    except Exception as error:  # whatever the reader's code raises
        said = next(iter(str(error).splitlines()), "no message").rstrip(".")
        raise OptionError(f"The metric {name} raised {type(error).__name__}: {said}.", _CONVENTION) from error
