from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from optguide.errors import NotEnoughSamples
from optguide.stats.repeatability import scatter, scatter_ratio


def test_scatter_is_the_deviation_of_logarithms():
    values = [1.0, np.e, np.e**2]
    found = scatter(values)
    assert found.value == pytest.approx(1.0)
    assert (found.unit, found.n) == ("share", 3)
    assert found.low < found.value < found.high
    assert scatter([10 * value for value in values]).value == pytest.approx(found.value)


def test_intervals_cover_the_truth_in_95_of_100_samples():
    random = np.random.default_rng(5)
    one = two = 0
    for _ in range(2_000):
        wide, narrow = np.exp(0.06 * random.standard_normal(8)), np.exp(0.02 * random.standard_normal(12))
        one += scatter(wide).low <= 0.06 <= scatter(wide).high
        ratio = scatter_ratio(wide, narrow)
        two += ratio.low <= 3 <= ratio.high
    for hits in (one, two):
        assert stats.binomtest(hits, 2_000, 0.95).pvalue > 0.001


def test_ratio_mirrors():
    random = np.random.default_rng(6)
    a, b = np.exp(random.standard_normal((2, 9)))
    one, other = scatter_ratio(a, b), scatter_ratio(b, a)
    assert (one.value, one.low, one.high) == pytest.approx((1 / other.value, 1 / other.high, 1 / other.low))


def test_too_little_is_refused():
    with pytest.raises(NotEnoughSamples, match="2 repeats"):
        scatter([1.0, 1.1])
    with pytest.raises(NotEnoughSamples, match="equal"):
        scatter_ratio([1.0, 1.1, 1.2], [2.0, 2.0, 2.0])
