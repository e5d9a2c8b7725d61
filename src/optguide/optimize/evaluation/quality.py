"""What a precision loses against 32-bit floats, whether that is within the limit, and whether to believe it.

Two models answer the same samples, and every interval is that of the paired loss:

- *Right or wrong*: :func:`optguide.stats.accuracy.compare_accuracy`, in percentage points.
- *A number per sample*: the loss of the mean as a share of the original's mean, by the bias-corrected and
  accelerated bootstrap over samples (B. Efron, 1987). Where samples are too few or too many for that, the
  linearised ratio with Student's t (W. G. Cochran, "Sampling Techniques", 1977, 6.4) gives the interval.
- *One number for all samples*: computed again for both models on resampled samples, and the percentiles of
  its loss are taken (B. Efron, 1979).

A bootstrap of samples that all agree has an interval of no width, whatever their number. There the interval
of a share takes over, with the ``z**2`` imagined samples of A. Agresti and B. Coull (1998).

Data that are read wrongly give a low accuracy and no error. What betrays them, in the answers of 32-bit
floats: a model no better than guessing, the same answer to every sample, and labels that fit far better once
they are shifted or reordered.
"""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from itertools import islice
from typing import Any

import numpy as np

from optguide.errors import InputError, NotEnoughSamples, OptionError
from optguide.format import quantity
from optguide.optimize.evaluation.answers import Answers, Array
from optguide.optimize.evaluation.metrics import Metric, chosen_classes, score
from optguide.optimize.outcome import Kept, Quality
from optguide.stats.accuracy import FEWEST_SAMPLES, NORMAL, RESAMPLES, accuracy, compare_accuracy
from optguide.stats.estimate import CONFIDENCE, Estimate, Relation

MOST_FOR_BOOTSTRAP = 2000
"""Its jackknife grows with the square of the samples, and by then the mean is as good as normal."""

FEWEST_RESAMPLES = 100
"""Fewer give no 2.5th percentile."""

_LOOK = "Check the labels, the order of classes and how inputs are prepared: no accuracy here can be trusted."


_KEPT: Mapping[Relation, Kept] = {"inside": "kept", "above": "exceeded", "undecided": "open"}
"""What reports call the relation of a loss to its limit."""


def evaluated(
    metric: Metric, original: Answers, other: Answers | None, max_drop: float, *, seconds: float = 60.0
) -> Quality:
    """How right the answers of a model are, and what it loses against 32-bit floats.

    :param other: the model's answers to the same samples; ``None`` evaluates the original, which has no loss.
    :raises NotEnoughSamples: fewer than two, or a metric that gives too few numbers for an interval.
    :raises OptionError: the metric raises, or returns NaN or something of another length.
    :raises InputError: labels or outputs that the metric cannot compare.
    """
    if len(original) < 2:
        raise NotEnoughSamples(
            "A single sample shows nothing about accuracy.",
            "Give more samples: half of them calibrate, the others evaluate.",
        )
    before = score(metric, original, original)
    after = before if other is None else score(metric, other, original)
    if after.kind != before.kind:
        raise OptionError(
            f"The metric {metric.name} gives one kind of result for one model and another for the next.",
            "Return booleans, numbers, or one number, and always the same.",
        )
    in_points = before.kind == "correct"
    if before.kind == "whole":
        value, loss = _resampled(metric, original, other or original, seconds)
    else:
        value, loss = _by_sample(metric, before.values, after.values, in_points=in_points)
    limit = 100 * max_drop if in_points else max_drop
    quality = Quality(metric.name, metric.proxy, value, None, limit, "kept")
    if other is None:
        return quality
    if loss is None:
        note = "The value of 32-bit floats is too close to zero to give a loss as a share of it."
        return replace(quality, kept="not judged", note=note)
    if _identical(original, other):
        method = "every answer is bit for bit that of 32-bit floats"
        return replace(quality, loss=Estimate(0.0, 0.0, 0.0, loss.unit, loss.n, method))
    outcome, note = _kept(loss, quality.limit, in_points=in_points)
    return replace(quality, loss=loss, kept=outcome, note=note)


def _by_sample(
    metric: Metric, before: Array, after: Array, *, in_points: bool
) -> tuple[Estimate, Estimate | None]:
    if in_points:
        return accuracy(after), compare_accuracy("32-bit floats", before, metric.name, after).drop
    return _mean(after, metric), _relative_loss(before, after, metric)


def samples_to_show(limit: float) -> int | None:
    """Fewest samples that can show a loss of right answers below ``limit``, in points, where none is lost.

    ``None`` where no number of them can.
    """
    if limit <= 0:
        return None
    share = min(limit / 100, 1.0)
    return max(FEWEST_SAMPLES, math.ceil(NORMAL**2 * (1 - share) / share))


def _kept(loss: Estimate, limit: float, *, in_points: bool) -> tuple[Kept, str]:
    """Whether the loss is within the limit; where that stays open, what it would take to tell."""
    relation = loss.relation(high=limit)
    if loss.n < FEWEST_SAMPLES and not (in_points and relation == "above"):
        return "not judged", f"{loss.n} samples show nothing: at least {FEWEST_SAMPLES} are needed."
    if relation != "undecided":
        return _KEPT[relation], ""
    needed = samples_to_show(limit) if in_points else 0
    if needed is None:
        note = "No number of samples can show that nothing at all is lost."
    elif loss.n < needed:
        points = f"{limit:g} point{'' if limit == 1 else 's'}"
        note = (
            f"{loss.n} samples cannot show a loss below {points}, even if none is lost: that takes {needed}."
        )
    else:
        note = "The interval of the loss reaches beyond the limit; more samples narrow it."
    return "open", note


def _identical(original: Answers, other: Answers) -> bool:
    return all(
        before.dtype == after.dtype and before.shape == after.shape and before.tobytes() == after.tobytes()
        for outputs in zip(original.outputs, other.outputs, strict=True)
        for before, after in zip(*outputs, strict=True)
    )


def _mean(values: Array, metric: Metric) -> Estimate:
    low, high, method = _ratio_interval(values, np.ones_like(values))
    return Estimate(float(values.mean()), low, high, "", values.size, f"mean {metric.name}, {method}")


def _relative_loss(before: Array, after: Array, metric: Metric) -> Estimate | None:
    """The loss of the mean as a share of the original's mean; ``None`` where that mean may be zero."""
    if not before.any():
        return None
    if before.min() < 0 < before.max() and _mean(before, metric).relation(0, 0) not in ("below", "above"):
        return None
    lost, size = metric.sign * (before - after), np.sign(before.mean()) * before
    if not lost.any():
        half = _imagined_share(lost.size) * float(np.abs(size).max() / size.mean())
        return Estimate(0.0, -half, half, "share", lost.size, "no score differs, Agresti and Coull")
    value = float(lost.mean() / size.mean())
    low, high, method = _ratio_interval(lost, size)
    return Estimate(value, low, high, "share", lost.size, f"loss of the mean, {method}")


def _ratio_interval(numerators: Array, denominators: Array) -> tuple[float, float, str]:
    """Interval of the ratio of two means over the same samples, and its method."""
    from scipy import stats  # half a second, which starting the command need not take

    value = float(numerators.mean() / denominators.mean())
    residuals = numerators - value * denominators
    # Values that differ by no more than rounding give the bootstrap nothing to work with.
    varies = float(np.ptp(residuals)) > 1e-9 * float(np.abs(numerators).max())
    if FEWEST_SAMPLES <= numerators.size <= MOST_FOR_BOOTSTRAP and varies:
        bootstrap: Any = stats.bootstrap(
            (numerators, denominators),
            lambda top, bottom, axis: top.mean(axis=axis) / bottom.mean(axis=axis),
            paired=True,
            vectorized=True,
            batch=100,
            n_resamples=RESAMPLES,
            confidence_level=CONFIDENCE,
            rng=np.random.default_rng(0),  # the same samples give the same interval
        )
        low, high = map(float, bootstrap.confidence_interval)
        if math.isfinite(low) and math.isfinite(high):
            return min(low, value), max(high, value), "BCa bootstrap over samples"
    student = float(stats.t.ppf((1 + CONFIDENCE) / 2, numerators.size - 1))
    error = float(residuals.std(ddof=1)) / math.sqrt(numerators.size) / abs(float(denominators.mean()))
    return value - student * error, value + student * error, "Student's t"


def _resampled(
    metric: Metric, original: Answers, other: Answers, seconds: float
) -> tuple[Estimate, Estimate | None]:
    """Value and loss of a metric of all samples, by computing it again on resampled ones."""
    before, after = _score_of_all(metric, original), _score_of_all(metric, other)
    resamples = _resample(metric, original, other, seconds)
    count, method = len(original), f"{len(resamples)} bootstrap resamples, percentiles"
    low, high = _percentiles(resamples[:, 1])
    value = Estimate(after, min(low, after), max(high, after), "", count, method)
    original_bounds = _percentiles(resamples[:, 0])
    if min(*original_bounds, before) <= 0 <= max(*original_bounds, before):
        return value, None
    losses = metric.sign * (resamples[:, 0] - resamples[:, 1]) / np.abs(resamples[:, 0])
    if not losses.any():
        half = _imagined_share(count)
        return value, Estimate(0.0, -half, half, "share", count, "no resample differs, Agresti and Coull")
    loss = metric.sign * (before - after) / abs(before)
    low, high = _percentiles(losses)
    return value, Estimate(loss, min(low, loss), max(high, loss), "share", count, method)


def _resample(metric: Metric, original: Answers, other: Answers, seconds: float) -> Array:
    """Scores of both models, one row per resample of the samples, as many as there is time for."""
    count, until = len(original), time.monotonic() + seconds
    rng, scores = np.random.default_rng(0), []
    for _ in range(RESAMPLES // 2):
        if time.monotonic() > until:
            break
        indexes = rng.integers(count, size=count)
        try:
            before = _score_of_all(metric, original.picked(indexes))
            after = before if other is original else _score_of_all(metric, other.picked(indexes))
        except OptionError:  # a resample without one of the classes, for example, can have no value
            continue
        scores.append((before, after))
    if len(scores) < FEWEST_RESAMPLES:
        raise NotEnoughSamples(
            f"The metric {metric.name} gave {len(scores)} numbers for resampled samples, too few for an "
            "interval.",
            "Make it faster, or let it return one number per sample.",
        )
    return np.array(scores)


def _score_of_all(metric: Metric, answers: Answers) -> float:
    """Of a metric that gives one number for all samples, which only functions of the reader's do."""
    return float(score(metric, answers, answers).values[0])


def _percentiles(values: Array) -> tuple[float, float]:
    tail = 100 * (1 - CONFIDENCE) / 2
    low, high = np.percentile(values, [tail, 100 - tail])
    return float(low), float(high)


def _imagined_share(count: int) -> float:
    """Upper end of the interval of a share that is zero in ``count`` samples."""
    return NORMAL**2 / (count + NORMAL**2)


def doubt(metric: Metric, answers: Answers, quality: Quality) -> str:
    """Why the answers of 32-bit floats do not show how accurate the model is; empty without a reason.

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
    return np.concatenate([chosen_classes(outputs[metric.output]) for outputs in answers.outputs])
