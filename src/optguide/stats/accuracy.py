"""Accuracy as a measurement: shares of correct answers, and what a changed model loses of them.

Two models that answer the same questions are compared on the questions on which they differ; all others say
nothing about the difference. Methods:

- *One share*: the interval of E. B. Wilson (1927), :meth:`scipy.stats.binomtest.proportion_ci`.
- *The drop between two models*: the score interval for matched proportions (T. Tango, "Equivalence test and
  confidence interval for the difference in proportions for the paired-sample design", 1998) and the exact
  test of Q. McNemar (1947). The interval takes zero in wherever that test sees no difference, so that the two
  never contradict each other. With few differing answers the adjusted Wald interval of A. Agresti and Y. Min
  (2005) held in 87 % of simulated tests only, this one in 94 % and more.
- *Several trainings*: their answers to the same samples form a matrix. Samples and trainings are two crossed
  random samples, and the sum of their two variances is taken, which errs to the wide side (A. B. Owen, "The
  pigeonhole bootstrap", 2007), with the degrees of freedom of F. E. Satterthwaite (1946). As in the interval
  of A. Agresti and B. Coull (1998), ``z**2`` imagined answers keep it from vanishing where no answer differs.
- *A mean of samples*, such as similarities: the bias-corrected and accelerated bootstrap (B. Efron, 1987).
  Where several samples have one source, it draws sources.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from statistics import NormalDist
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import scipy  # loads scipy.stats when it is first used: it takes longer than all the rest of a command

from optguide.errors import InputError, NotEnoughSamples
from optguide.stats.estimate import CONFIDENCE, Estimate, Relation, student

RESAMPLES = 2000

FEWEST_SAMPLES = 20
"""With fewer, the bootstrap's interval of a mean holds in clearly less than 95 % of all cases."""

NORMAL = NormalDist().inv_cdf((1 + CONFIDENCE) / 2)

Answers = npt.NDArray[np.bool_]
DropOutcome = Literal["worse", "better", "no drop shown"]


@dataclass(frozen=True)
class AccuracyComparison:
    """What model ``b`` loses against model ``a`` on the same test samples.

    :param drop: accuracy of ``a`` less that of ``b`` in percentage points (unit ``points``); positive where
        ``b`` is less accurate.
    :param lost: samples that ``a`` has right and ``b`` has not; a mean over trainings.
    :param won: the reverse.
    :param p_value: two-sided p-value of McNemar's exact test; ``None`` where several trainings are compared.
    """

    a: str
    b: str
    drop: Estimate
    lost: float
    won: float
    p_value: float | None

    @property
    def verdict(self) -> DropOutcome:
        """A drop whose interval contains zero is not called one."""
        outcomes: dict[Relation, DropOutcome] = {"above": "worse", "below": "better"}
        return outcomes.get(self.drop.relation(0.0, 0.0), "no drop shown")

    def within(self, points: float) -> bool:
        """Whether the drop is shown to be smaller than ``points``: its whole interval is.

        ``False`` says that a larger drop is not ruled out, not that there is one.
        """
        return self.drop.relation(low=points) == "below"


def accuracy(correct: npt.ArrayLike) -> Estimate:
    """Share of correct answers.

    :param correct: one boolean per test sample, or a matrix of them (trainings x samples), whose interval
        is for the mean of all possible trainings. A single row counts as a model by itself.
    :raises InputError: something else, or nothing.
    """
    answers = _answers(correct)
    samples = answers.shape[-1]
    if answers.ndim == 1:
        hits = int(answers.sum())
        interval: Any = scipy.stats.binomtest(hits, samples).proportion_ci(CONFIDENCE, method="wilson")
        low, high = float(interval.low), float(interval.high)
        return Estimate(hits / samples, low, high, "share", samples, "Wilson interval")
    value, half = _crossed(answers.astype(np.float64))
    return Estimate(value, max(0.0, value - half), min(1.0, value + half), "share", samples, _method(answers))


def compare_accuracy(name_a: str, a: npt.ArrayLike, name_b: str, b: npt.ArrayLike) -> AccuracyComparison:
    """The drop from ``a`` to ``b``, paired by test sample.

    :param a: one boolean per test sample, or a matrix of them (trainings x samples). Where both are matrices,
        row by row they are pairs, such as a training and what was quantized from it. Where one is a matrix,
        the other is one given model beside which each of the trainings stands.
    :raises InputError: something else, or different samples or trainings.
    """
    first, second = _answers(a), _answers(b)
    if first.shape[-1] != second.shape[-1] or (first.ndim == second.ndim and first.shape != second.shape):
        raise InputError(
            f"The answers of {name_a} and {name_b} do not pair up: their shapes are {first.shape} and "
            f"{second.shape}.",
            "Compare answers to the same test samples, and as many trainings of each.",
        )
    first, second = np.broadcast_arrays(first, second)
    lost, won = first & ~second, second & ~first
    trainings = first.shape[0] if first.ndim == 2 else 1
    counts = int(lost.sum()), int(won.sum())
    means = counts[0] / trainings, counts[1] / trainings
    if first.ndim == 1:
        p_value = float(scipy.stats.binomtest(counts[0], sum(counts)).pvalue) if sum(counts) else 1.0
        drop = _matched(*counts, first.size, differs=p_value <= 1 - CONFIDENCE)
        return AccuracyComparison(name_a, name_b, drop, *means, p_value)
    _, half = _crossed(lost.astype(np.float64) - won)
    value = (
        counts[0] - counts[1]
    ) / first.size  # from whole numbers: equal accuracies differ by exactly zero
    low, high = max(-1.0, value - half), min(1.0, value + half)
    drop = Estimate(100 * value, 100 * low, 100 * high, "points", first.shape[1], _method(first))
    return AccuracyComparison(name_a, name_b, drop, *means, None)


def mean_of_samples(values: npt.ArrayLike, unit: str) -> Estimate:
    """Mean of one number per sample, such as a similarity; without an interval where all are equal.

    :raises NotEnoughSamples: fewer than 20 samples.
    :raises InputError: a value that is no finite number.
    """
    array = _numbers(values)
    if array.size < FEWEST_SAMPLES:
        raise NotEnoughSamples(
            f"{array.size} samples are too few for the interval of a mean; {FEWEST_SAMPLES} are needed.",
            "Take more test samples.",
        )
    mean = float(array.mean())
    low = high = mean
    if float(np.ptp(array)) > 0:
        random = np.random.default_rng(0)  # the same samples give the same interval
        done: Any = scipy.stats.bootstrap(
            (array,), np.mean, n_resamples=RESAMPLES, confidence_level=CONFIDENCE, rng=random
        )
        low, high = float(done.confidence_interval.low), float(done.confidence_interval.high)
    return Estimate(mean, low, high, unit, array.size, "mean, BCa bootstrap over samples")


def over_groups(values: npt.ArrayLike, groups: npt.ArrayLike, unit: str) -> Estimate:
    """Mean of samples of which several have one source, such as crops of one photograph.

    A new source is what the interval has to hold for, so each counts once, by the mean of its samples.

    :param values: one number per sample: whether it is right, or what a model lost on it.
    :param groups: the source of each sample.
    :raises NotEnoughSamples: fewer than 20 sources, or all have the same mean, which has no spread to go by.
    :raises InputError: a value that is no finite number, or another number of groups than of values.
    """
    array, sources = np.asarray(values, dtype=np.float64), np.asarray(groups)
    if array.shape != sources.shape:
        raise InputError(
            f"{array.size} values have {sources.size} groups.", "Say of each sample what it was made from."
        )
    means = [float(array[sources == source].mean()) for source in np.unique(sources)]
    if len(set(means)) == 1:
        raise NotEnoughSamples(
            "All groups of samples have the same mean, which says nothing about its spread.",
            "Take more sources.",
        )
    return replace(mean_of_samples(means, unit), method="mean of groups, BCa bootstrap over groups")


def _matched(lost: int, won: int, n: int, *, differs: bool) -> Estimate:
    """The drop in percentage points, with an interval that leaves zero out only where ``differs`` allows."""
    low, high = _lower_score(lost, won, n), -_lower_score(won, lost, n)
    if not differs:
        low, high = min(low, 0.0), max(high, 0.0)
    method = "matched proportions, Tango's score interval and the exact McNemar test"
    return Estimate(100 * (lost - won) / n, 100 * low, 100 * high, "points", n, method)


def _lower_score(lost: int, won: int, n: int) -> float:
    """The smallest difference of proportions that the score test does not reject (Tango, 1998)."""
    if won == n:
        return -1.0

    def rejected(drop: float) -> float:
        """Positive where ``drop`` is too far from what was seen."""
        linear = (2 * n - lost + won) * drop - lost - won
        root = math.sqrt(max(0.0, linear**2 + 8 * n * won * drop * (1 - drop)))
        cell = (root - linear) / (4 * n)  # most likely share of samples won, if the drop were this
        variance = n * (2 * cell + drop * (1 - drop))
        return (lost - won - n * drop) ** 2 - NORMAL**2 * variance

    # Just beside the estimate, where it is zero if no answer differs.
    return float(scipy.optimize.brentq(rejected, -1.0, (lost - won) / n - 1e-12))


def _crossed(matrix: npt.NDArray[np.float64]) -> tuple[float, float]:
    """Mean of a matrix (two trainings or more x samples) and half its interval."""
    trainings, samples = matrix.shape
    imagined = NORMAL**2
    by_sample = float(matrix.mean(axis=0).var(ddof=1)) / samples + imagined / (samples + imagined) ** 2
    by_training = float(matrix.mean(axis=1).var(ddof=1)) / trainings
    if trainings == 2:
        # Degrees of freedom cannot be estimated from two: simulated, such intervals held in 86 % of cases.
        return float(matrix.mean()), math.hypot(
            student(samples - 1) * math.sqrt(by_sample), student(1) * math.sqrt(by_training)
        )
    total = by_sample + by_training
    freedom = total**2 / (by_sample**2 / (samples - 1) + by_training**2 / (trainings - 1))
    return float(matrix.mean()), student(freedom) * math.sqrt(total)


def _method(matrix: Answers) -> str:
    trainings, samples = matrix.shape
    how = "Student's t for each" if trainings == 2 else "Satterthwaite's t"
    return f"{trainings} trainings and {samples} samples, crossed, {how}"


def _answers(correct: npt.ArrayLike) -> Answers:
    """``correct`` as an array of one or two dimensions, the second only for several trainings."""
    array = _array(correct)
    if array.dtype != np.bool_ or array.ndim not in (1, 2) or array.shape[-1] < 2 or array.size == 0:
        raise InputError(
            f"Answers came as an array of {array.dtype} with shape {array.shape}.",
            "Pass one boolean per test sample, two samples or more, or a matrix of trainings x samples.",
        )
    return array[0] if array.ndim == 2 and len(array) == 1 else array


def _numbers(values: npt.ArrayLike) -> npt.NDArray[np.float64]:
    array = _array(values)
    if array.ndim != 1 or array.dtype.kind not in "iuf" or not np.isfinite(array).all():
        raise InputError(
            f"The values, an array of {array.dtype} with shape {array.shape}, are no row of finite numbers.",
            "Pass one number per sample, and look for NaN in what computed them.",
        )
    return array.astype(np.float64)


def _array(values: npt.ArrayLike) -> npt.NDArray[Any]:
    try:
        return np.asarray(values)
    except ValueError as error:  # rows of different lengths
        raise InputError(
            f"The values are no array: {error}.", "Give every training as many samples as the others."
        ) from error


def similarity(first: npt.NDArray[Any], second: npt.NDArray[Any]) -> float:
    """How similar two answers of one shape are: the cosine, or of integers the share of equal elements.

    Places in which both are infinite in the same way, as in logits of what may not be chosen, are left out.

    :return: from -1 to 1; NaN where a number that is left is not finite.
    """
    if first.dtype.kind != "f":
        return float((first == second).mean()) if first.size else 1.0
    x, y = first.astype(np.float64).ravel(), second.astype(np.float64).ravel()
    is_masked = np.isinf(x) & (x == y)
    x, y = x[~is_masked], y[~is_masked]
    lengths = float(np.linalg.norm(x) * np.linalg.norm(y))
    if not lengths:
        return float(not (x.any() or y.any()))
    with np.errstate(invalid="ignore"):
        return float(np.clip(x @ y / lengths, -1.0, 1.0))
