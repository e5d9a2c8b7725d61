"""Accuracy as a measurement: shares of correct answers, and what a changed model loses of them.

Two models that answer the same questions are compared on the questions on which they differ; all others say
nothing about the difference. Methods:

- *One share*: the interval of E. B. Wilson (1927), :meth:`scipy.stats.binomtest.proportion_ci`.
- *The drop between two models*: the adjusted Wald interval for matched proportions (A. Agresti and Y. Min,
  "Simple improved confidence intervals for comparing matched proportions", 2005), and the exact test of
  Q. McNemar (1947).
- *Several trainings*: answers of the trainings to the same questions form a matrix. Questions and trainings
  are two crossed samples, and the sum of their variances is taken, which errs to the wide side (A. B. Owen,
  "The pigeonhole bootstrap", 2007), with the degrees of freedom of F. E. Satterthwaite (1946).
- *A mean of samples*, such as similarities: the bias-corrected and accelerated bootstrap (B. Efron, 1987).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from scipy import stats

from optguide.errors import InputError, NotEnoughSamples
from optguide.measuring.estimate import CONFIDENCE, Estimate

__all__ = ["AccuracyComparison", "accuracy", "compare_accuracy", "mean_of_samples", "over_trainings"]

RESAMPLES = 2000

Answers = npt.NDArray[np.bool_]
Verdict = Literal["worse", "better", "no drop shown"]


@dataclass(frozen=True)
class AccuracyComparison:
    """What model ``b`` loses against model ``a`` on the same test samples.

    :param drop: accuracy of ``a`` less that of ``b`` in percentage points (unit ``points``); positive where
        ``b`` is less accurate.
    :param lost: samples that ``a`` has right and ``b`` has not, a mean over trainings.
    :param won: the reverse.
    :param p_value: of McNemar's exact test; ``None`` with several trainings, for which it does not exist.
    """

    a: str
    b: str
    drop: Estimate
    lost: float
    won: float
    p_value: float | None

    @property
    def verdict(self) -> Verdict:
        """A drop whose interval contains zero is not called one."""
        if self.drop.low > 0:
            return "worse"
        return "better" if self.drop.high < 0 else "no drop shown"

    def within(self, points: float) -> bool:
        """Whether the whole interval is below a loss of ``points`` percentage points."""
        return self.drop.high < points


def accuracy(correct: npt.ArrayLike) -> Estimate:
    """Share of correct answers.

    :param correct: one boolean per test sample, or a matrix of them (trainings x samples).
    :raises InputError: something else, or nothing.
    """
    answers = _answers(correct)
    if answers.ndim == 1:
        hits, n = int(answers.sum()), answers.size
        found: Any = stats.binomtest(hits, n).proportion_ci(CONFIDENCE, method="wilson")
        return Estimate(hits / n, float(found.low), float(found.high), "share", n, "Wilson interval")
    value, half = _crossed(answers.astype(np.float64))
    return Estimate(
        value, max(0.0, value - half), min(1.0, value + half), "share", answers.shape[1], _method(answers)
    )


def compare_accuracy(name_a: str, a: npt.ArrayLike, name_b: str, b: npt.ArrayLike) -> AccuracyComparison:
    """The drop from ``a`` to ``b``, paired by test sample.

    :param a: one boolean per test sample, or a matrix of them (trainings x samples). Where only one of the
        two is a matrix, the other stands beside each of its trainings; where both are, trainings are paired.
    :raises InputError: something else, or different samples or trainings.
    """
    first, second = _answers(a), _answers(b)
    if first.shape[-1] != second.shape[-1] or (first.ndim == second.ndim and first.shape != second.shape):
        raise InputError(
            f"{name_a} and {name_b} were not tested on the same samples: {first.shape} and {second.shape}.",
            "Compare answers to the same test set, and as many trainings of each.",
        )
    first, second = np.broadcast_arrays(first, second)
    lost, won = first & ~second, second & ~first
    trainings = first.shape[0] if first.ndim == 2 else 1
    counts = float(lost.sum() / trainings), float(won.sum() / trainings)
    if first.ndim == 1:
        drop, p_value = _matched(int(counts[0]), int(counts[1]), first.size)
        return AccuracyComparison(name_a, name_b, drop, *counts, p_value)
    value, half = _crossed(lost.astype(np.float64) - won)
    drop = Estimate(
        100 * value, 100 * (value - half), 100 * (value + half), "points", first.shape[1], _method(first)
    )
    return AccuracyComparison(name_a, name_b, drop, *counts, None)


def mean_of_samples(values: npt.ArrayLike, unit: str) -> Estimate:
    """Mean of one number per sample, such as a similarity.

    :raises InputError: fewer than two numbers, or one that is not finite.
    """
    array = _numbers(values, at_least=2)
    mean = float(array.mean())
    low = high = mean
    if float(np.ptp(array)) > 0:
        done: Any = stats.bootstrap(
            (array,),
            np.mean,
            n_resamples=RESAMPLES,
            confidence_level=CONFIDENCE,
            method="BCa",
            vectorized=True,
            rng=np.random.default_rng(0),
        )
        low, high = float(done.confidence_interval.low), float(done.confidence_interval.high)
    return Estimate(mean, low, high, unit, array.size, "mean, BCa bootstrap over samples")


def over_trainings(values: Sequence[float], unit: str) -> Estimate:
    """Mean over trainings that differ in their seed, with Student's interval.

    :raises NotEnoughSamples: a single training has no spread.
    :raises InputError: a number is not finite.
    """
    array = _numbers(values, at_least=1)
    if array.size < 2:
        raise NotEnoughSamples(
            "One training has no spread.", "Train with two seeds or more; three give a usable interval."
        )
    mean, error = float(array.mean()), float(array.std(ddof=1)) / math.sqrt(array.size)
    half = _student(array.size - 1) * error
    return Estimate(mean, mean - half, mean + half, unit, array.size, "mean over trainings, Student's t")


def _matched(lost: int, won: int, n: int) -> tuple[Estimate, float]:
    """Drop in percentage points, and the p-value of no difference."""
    more = n + 2  # half a sample is added to each of the four cells
    centre = (lost - won) / more
    error = math.sqrt((lost + won + 1) / more - centre**2) / math.sqrt(more)
    half = float(stats.norm.ppf((1 + CONFIDENCE) / 2)) * error
    value = (lost - won) / n
    low, high = min(value, centre - half), max(value, centre + half)
    drop = Estimate(100 * value, 100 * low, 100 * high, "points", n, "matched proportions, adjusted Wald")
    return drop, float(stats.binomtest(lost, lost + won).pvalue) if lost + won else 1.0


def _crossed(matrix: npt.NDArray[np.float64]) -> tuple[float, float]:
    """Mean of a matrix (trainings x samples) and half its interval."""
    trainings, samples = matrix.shape
    # One discordant answer more would be possible in any sample, so certainty has a lower bound.
    by_sample = max(float(matrix.mean(axis=0).var(ddof=1)) / samples, 1 / (samples + 2) ** 2)
    by_training = float(matrix.mean(axis=1).var(ddof=1)) / trainings if trainings > 1 else 0.0
    total = by_sample + by_training
    freedom = total**2 / (
        by_sample**2 / (samples - 1) + (by_training**2 / (trainings - 1) if trainings > 1 else 0.0)
    )
    return float(matrix.mean()), _student(freedom) * math.sqrt(total)


def _student(freedom: float) -> float:
    return float(stats.t.ppf((1 + CONFIDENCE) / 2, freedom))


def _method(matrix: Answers) -> str:
    return f"{matrix.shape[0]} trainings and {matrix.shape[1]} samples as crossed samples, Satterthwaite's t"


def _answers(correct: npt.ArrayLike) -> Answers:
    array = np.asarray(correct)
    if array.dtype != np.bool_ or array.ndim not in (1, 2) or array.shape[-1] < 2 or array.size == 0:
        raise InputError(
            f"Answers are an array of {array.dtype} with shape {array.shape}.",
            "Pass one boolean per test sample, or a matrix of trainings x samples.",
        )
    return array


def _numbers(values: npt.ArrayLike, *, at_least: int) -> npt.NDArray[np.float64]:
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1 or array.size < at_least or not np.isfinite(array).all():
        raise InputError(
            f"{array.size} values with shape {array.shape} are no {at_least} or more finite numbers.",
            "Check what was measured for NaN and for missing samples.",
        )
    return array
