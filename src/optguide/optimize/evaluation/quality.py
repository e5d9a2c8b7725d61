"""What a precision loses against 32-bit floats, and whether that keeps the limit.

Two models answer the same samples, and every interval is of the paired loss:

- *Right or wrong*: :func:`optguide.stats.accuracy.compare_accuracy`, in percentage points.
- *A number per sample*: the loss of the mean as a share of the original's mean, by the bias-corrected and
  accelerated bootstrap over samples (B. Efron, 1987). Where samples are too few or too many for that, the
  linearised ratio with Student's t (W. G. Cochran, "Sampling Techniques", 1977, 6.4) gives the interval.
- *One number for all samples*: computed again for both models on resampled samples, and the percentiles of
  its loss are taken (B. Efron, 1979).

A bootstrap of samples that all agree would claim to know everything. Then the interval of a share takes over,
with the ``z**2`` imagined samples of A. Agresti and B. Coull (1998).
"""

from __future__ import annotations

import math
import time
from typing import Any

import numpy as np
from scipy import stats

from optguide.errors import NotEnoughSamples, OptionError
from optguide.optimize.evaluation.answers import Answers, Array
from optguide.optimize.evaluation.metrics import Metric, score
from optguide.optimize.outcome import Kept, Quality
from optguide.stats.accuracy import FEWEST_SAMPLES, NORMAL, RESAMPLES, accuracy, compare_accuracy
from optguide.stats.estimate import CONFIDENCE, Estimate

__all__ = ["quality", "samples_needed"]

MOST_FOR_BOOTSTRAP = 2000
"""Its jackknife grows with the square of the samples, and by then the mean is as good as normal."""

FEWEST_RESAMPLES = 100
"""Fewer give no 2.5th percentile."""


def quality(
    metric: Metric, original: Answers, other: Answers | None, max_drop: float, *, seconds: float = 60.0
) -> Quality:
    """How right answers are, and what they lose against those of 32-bit floats.

    :param original: of 32-bit floats.
    :param other: to the same samples; ``None`` judges the original itself, which loses nothing.
    :param max_drop: as in :class:`~optguide.optimize.config.Settings`.
    :param seconds: that resampling a metric of all samples may take.
    :raises NotEnoughSamples: fewer than two, or a metric that gives too few numbers for an interval.
    :raises OptionError: the metric raises, or returns NaN or something of another length.
    :raises InputError: labels or outputs that the metric cannot compare.
    """
    if len(original) < 2:
        raise NotEnoughSamples(
            "A single sample judges nothing.", "Give more samples: half of them calibrate, the others judge."
        )
    before = score(metric, original, original)
    points = before.kind == "correct"
    limit = 100 * max_drop if points else max_drop
    after = before if other is None else score(metric, other, original)
    if after.kind != before.kind:
        raise OptionError(
            f"The metric {metric.name} gives one kind of result for one model and another for the next.",
            "Return booleans, numbers, or one number, and always the same.",
        )
    loss: Estimate | None
    if points:
        value = accuracy(after.values)
        loss = compare_accuracy("32-bit floats", before.values, metric.name, after.values).drop
    elif before.kind == "value":
        value = _mean(after.values, metric)
        loss = _relative(before.values, after.values, metric.higher_is_better)
    else:
        value, loss = _resampled(metric, original, other or original, seconds)
    if other is None:
        return Quality(metric.name, metric.proxy, value, None, limit, "kept")
    if loss is None:
        note = "The value of 32-bit floats is too close to zero to give a loss as a share of it."
        return Quality(metric.name, metric.proxy, value, None, limit, "not judged", note)
    if _same(original, other):
        how = "every answer is bit for bit that of 32-bit floats"
        same = Estimate(0.0, 0.0, 0.0, loss.unit, loss.n, how)
        return Quality(metric.name, metric.proxy, value, same, limit, "kept")
    kept, note = _verdict(loss, limit, points)
    return Quality(metric.name, metric.proxy, value, loss, limit, kept, note)


def samples_needed(limit: float) -> int | None:
    """Fewest samples that can show a loss of right answers below ``limit``, in points, where none is lost.

    ``None`` where no number can.
    """
    if limit <= 0:
        return None
    share = min(limit / 100, 1.0)
    return max(FEWEST_SAMPLES, math.ceil(NORMAL**2 * (1 - share) / share))


def _verdict(loss: Estimate, limit: float, points: bool) -> tuple[Kept, str]:
    """What the interval says of the limit, and what would have to be different for it to say more."""
    if loss.n < FEWEST_SAMPLES and not (points and loss.low > limit):
        return "not judged", f"{loss.n} samples judge nothing: at least {FEWEST_SAMPLES} are needed."
    if loss.high <= limit:
        return "kept", ""
    return ("exceeded", "") if loss.low > limit else ("open", _what_it_takes(loss.n, limit, points))


def _what_it_takes(count: int, limit: float, shares: bool) -> str:
    needed = samples_needed(limit) if shares else 0
    if needed is None:
        return "No number of samples can show that nothing at all is lost."
    if count < needed:
        points = f"{limit:g} point{'' if limit == 1 else 's'}"
        return (
            f"{count} samples cannot show a loss below {points}, even if none is lost: that takes {needed}."
        )
    return "The interval of the loss reaches beyond the limit; more samples narrow it."


def _same(original: Answers, other: Answers) -> bool:
    pairs = zip(original.outputs, other.outputs, strict=True)
    return all(
        a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
        for mine, theirs in pairs
        for a, b in zip(mine, theirs, strict=True)
    )


def _mean(values: Array, metric: Metric) -> Estimate:
    low, high, method = _interval(values, np.ones_like(values))
    return Estimate(float(values.mean()), low, high, "", values.size, f"mean {metric.name}, {method}")


def _relative(before: Array, after: Array, higher_is_better: bool) -> Estimate | None:
    """The loss of the mean as a share of the original's; ``None`` where that may be zero."""
    if not before.any() or (before.min() < 0 < before.max() and _around_zero(before)):
        return None
    sign = 1.0 if higher_is_better else -1.0
    lost, size = sign * (before - after), np.sign(before.mean()) * before
    value = float(lost.mean() / size.mean())
    if not lost.any():
        half = _imagined(lost.size) * float(np.abs(size).max() / size.mean())
        return Estimate(0.0, -half, half, "share", lost.size, "no score differs, Agresti and Coull")
    low, high, method = _interval(lost, size)
    return Estimate(value, low, high, "share", lost.size, f"loss of the mean, {method}")


def _varies(spread: Array, values: Array) -> bool:
    """By more than rounding, which a bootstrap cannot do without."""
    return float(np.ptp(spread)) > 1e-9 * float(np.abs(values).max())


def _around_zero(values: Array) -> bool:
    low, high, _ = _interval(values, np.ones_like(values))
    return low <= 0 <= high


def _interval(top: Array, bottom: Array) -> tuple[float, float, str]:
    """Interval of the ratio of two means over the same samples."""
    value = float(top.mean() / bottom.mean())
    spread = top - value * bottom
    if FEWEST_SAMPLES <= top.size <= MOST_FOR_BOOTSTRAP and _varies(spread, top):
        done: Any = stats.bootstrap(
            (top, bottom),
            lambda a, b, axis: a.mean(axis=axis) / b.mean(axis=axis),
            paired=True,
            vectorized=True,
            batch=100,
            n_resamples=RESAMPLES,
            confidence_level=CONFIDENCE,
            rng=np.random.default_rng(0),  # the same samples give the same interval
        )
        low, high = float(done.confidence_interval.low), float(done.confidence_interval.high)
        if math.isfinite(low) and math.isfinite(high):
            return min(low, value), max(high, value), "BCa bootstrap over samples"
    student = float(stats.t.ppf((1 + CONFIDENCE) / 2, top.size - 1))
    half = student * float(spread.std(ddof=1)) / math.sqrt(top.size) / abs(float(bottom.mean()))
    return value - half, value + half, "Student's t"


def _resampled(
    metric: Metric, original: Answers, other: Answers, seconds: float
) -> tuple[Estimate, Estimate | None]:
    """Value and loss of a metric of all samples, by computing it again on resampled ones."""
    before, after = _whole(metric, original, original), _whole(metric, other, original)
    count, until = len(original), time.monotonic() + seconds
    rng, pairs = np.random.default_rng(0), []
    for _ in range(RESAMPLES // 2):
        if time.monotonic() > until:
            break
        indexes = rng.integers(count, size=count)
        mine = original.picked(indexes)
        theirs = mine if other is original else other.picked(indexes)
        try:
            first = _whole(metric, mine, mine)
            pairs.append((first, first if theirs is mine else _whole(metric, theirs, mine)))
        except OptionError:  # a resample without one of the classes, for example, can have no value
            continue
    if len(pairs) < FEWEST_RESAMPLES:
        raise NotEnoughSamples(
            f"The metric {metric.name} gave {len(pairs)} numbers for resampled samples, which is too few for "
            "an interval.",
            "Make it faster, or let it return one number per sample.",
        )
    drawn = np.array(pairs)
    method = f"{len(pairs)} bootstrap resamples, percentiles"
    low, high = _percentiles(drawn[:, 1])
    value = Estimate(after, min(low, after), max(high, after), "", count, method)
    bounds = _percentiles(drawn[:, 0])
    if min(*bounds, before) <= 0 <= max(*bounds, before):
        return value, None
    sign = 1.0 if metric.higher_is_better else -1.0
    losses = sign * (drawn[:, 0] - drawn[:, 1]) / np.abs(drawn[:, 0])
    lost = sign * (before - after) / abs(before)
    if not losses.any():
        half = _imagined(count)
        return value, Estimate(0.0, -half, half, "share", count, "no resample differs, Agresti and Coull")
    low, high = _percentiles(losses)
    return value, Estimate(lost, min(low, lost), max(high, lost), "share", count, method)


def _whole(metric: Metric, answers: Answers, original: Answers) -> float:
    return float(score(metric, answers, original).values[0])


def _percentiles(values: Array) -> tuple[float, float]:
    tail = 100 * (1 - CONFIDENCE) / 2
    low, high = np.percentile(values, [tail, 100 - tail])
    return float(low), float(high)


def _imagined(count: int) -> float:
    """Upper end of the interval of a share of which ``count`` samples had nothing."""
    return NORMAL**2 / (count + NORMAL**2)
