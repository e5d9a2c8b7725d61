"""Whether labels mean what the model answers: looked at once, with the answers of 32-bit floats.

Data that are read wrongly give a low accuracy and no error. What betrays them: a model no better than
guessing, the same answer to every sample, and labels that fit far better once they are shifted or reordered.
"""

from __future__ import annotations

from collections import Counter
from itertools import islice

import numpy as np

from optguide.errors import InputError
from optguide.format import quantity
from optguide.optimize.evaluation.answers import Answers, Array
from optguide.optimize.evaluation.metrics import Metric, chosen_classes
from optguide.optimize.outcome import Quality
from optguide.stats.accuracy import accuracy

_LOOK = "Check the labels, the order of classes and how inputs are prepared: no accuracy here can be trusted."


def doubt(metric: Metric, answers: Answers, quality: Quality) -> str:
    """Why the answers of 32-bit floats do not show how accurate the model is; empty without a reason.

    :param answers: the 32-bit model's answers.
    :param quality: the metric of these answers.
    :raises InputError: labels are shown to be in another order than the model's classes.
    """
    if metric.rule == "top-k":
        _reject_order(_labels(answers).reshape(-1), _chosen(metric, answers))
        reason = _of_classes(metric, answers, quality)
    elif metric.rule == "mean error":
        reason = _of_values(answers, quality)
    else:
        is_share = not metric.proxy and quality.value.unit == "share"
        reason = "are right on no sample" if is_share and quality.value.value == 0 else ""
    return f"32-bit floats {reason}. {_LOOK}" if reason else ""


def _of_classes(metric: Metric, answers: Answers, quality: Quality) -> str:
    labels, chosen, share = _labels(answers), _chosen(metric, answers), quality.value
    if len(np.unique(chosen)) == 1 < len(np.unique(labels)):
        return f"answer every sample with class {chosen[0]}"
    scores = answers.outputs[0][metric.output]
    count = max(2, scores[0].size if scores.dtype.kind == "f" else len(np.union1d(labels, chosen)))
    if share.low > metric.k / count:
        return ""
    right = f"are right on {quantity(share.value, 'share')} of {share.n} samples"
    return f"{right}, which is not shown to be better than guessing among {count} classes"


def _of_values(answers: Answers, quality: Quality) -> str:
    labels = _labels(answers).reshape(len(answers), -1).astype(np.float64)
    guessing = float(np.abs(labels - np.median(labels, axis=0)).mean())
    if not 0 < guessing <= quality.value.high:
        return ""
    return (
        f"miss the labels by {quality.value.value:.3g}, which is not shown to be better than always "
        f"answering with their median ({guessing:.3g})"
    )


def _reject_order(labels: Array, chosen: Array) -> None:
    """Raise where answers follow the labels in another order, far better than as they are."""
    if len(labels) < 2:
        return
    share = accuracy(labels == chosen)

    def reject_if_better(hits: Array, cause: str, remedy: str) -> None:
        other = accuracy(hits) if len(hits) > 1 else share
        if other.low > max(share.high, 0.5):
            before, after = (quantity(estimate.value, "share") for estimate in (share, other))
            cause = f"32-bit floats are right on {before} of samples, and on {after} {cause}."
            raise InputError(cause, remedy)

    for step, change in ((1, "higher"), (-1, "lower")):
        cause = f"if every label is one {change}: labels and outputs do not count from the same class"
        remedy = f"Make every label one {change}; a model may have a class for the background."
        reject_if_better(labels + step == chosen, cause, remedy)
    # Half of the samples tell the order, the other half whether it holds: any order fits single samples.
    order, tested = _order(labels[::2], chosen[::2]), zip(labels[1::2], chosen[1::2], strict=True)
    examples = (f"{label} with {other}" for label, other in order.items() if label != other)
    reject_if_better(
        np.array([order[label] == answer for label, answer in tested if label in order]),
        f"with classes in another order: they answer label {', '.join(islice(examples, 3))}",
        "List the names of classes in the order of the model's outputs, one a line, in classes.txt beside "
        "the data, or correct the labels.",
    )


def _order(labels: Array, chosen: Array) -> dict[int, int]:
    """The class that is most often answered to each label; empty where two labels share one."""
    counts: dict[int, Counter[int]] = {}
    for label, answer in zip(labels.tolist(), chosen.tolist(), strict=True):
        counts.setdefault(label, Counter())[answer] += 1
    order = {label: answers.most_common(1)[0][0] for label, answers in counts.items()}
    return order if len(set(order.values())) == len(order) else {}


def _labels(answers: Answers) -> Array:
    return np.asarray(answers.labels)


def _chosen(metric: Metric, answers: Answers) -> Array:
    """The class that each row of the answers chooses."""
    return np.concatenate([chosen_classes(outputs[metric.output]) for outputs in answers.outputs])
