from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import signal, stats

from optguide.errors import NotEnoughSamples
from optguide.stats.comparison import Comparison, paired, scatter, scatter_ratio
from optguide.stats.estimate import Estimate, across_processes

positive = st.floats(1e-3, 1e4)
pairs = st.lists(st.tuples(positive, positive), min_size=6, max_size=40)


def parts(estimate):
    return [estimate.value, estimate.low, estimate.high]


def drift(random, count, phi):
    noise = random.standard_normal(count) * math.sqrt(1 - phi**2)
    noise[0] /= math.sqrt(1 - phi**2)
    return signal.lfilter([1], [1, -phi], noise)


def two_series(random, count, *, ratio=1.0, shared=0.2, own=0.02, own_phi=0.0):
    """Latencies of two variants on a machine whose speed drifts by 20 %, each with 2 % noise of its own."""
    machine = shared * drift(random, count, 0.8)
    a, b = (np.exp(machine + own * drift(random, count, own_phi)) for _ in range(2))
    return ratio * a, b


@pytest.mark.parametrize("count", [12, 40])
@pytest.mark.parametrize("ratio", [1.0, 1.7])
def test_paired_ratio_covers_the_truth_under_strong_drift(count, ratio):
    random = np.random.default_rng(5)
    found = [paired(*two_series(random, count, ratio=ratio)) for _ in range(400)]
    assert sum(estimate.low <= ratio <= estimate.high for estimate in found) / len(found) >= 0.90


def test_paired_ratio_covers_when_the_variants_drift_apart():
    random = np.random.default_rng(6)
    found = [paired(*two_series(random, 40, own_phi=0.8)) for _ in range(400)]
    assert sum(estimate.low <= 1 <= estimate.high for estimate in found) / len(found) >= 0.90


def test_pairing_removes_what_both_variants_share():
    a, b = two_series(np.random.default_rng(7), 40, ratio=1.5)
    together = paired(a, b)
    apart = paired(a, np.random.default_rng(8).permutation(b))
    assert together.relative_half_width < 0.2 * apart.relative_half_width


@pytest.mark.parametrize("count", [12, 30])
@pytest.mark.parametrize("own_phi", [0.0, 0.5])
def test_a_variant_against_itself_is_hardly_ever_called_different(count, own_phi):
    random = np.random.default_rng(9)
    verdicts = []
    for _ in range(400):
        a, b = two_series(random, count, own_phi=own_phi)
        ratio = across_processes(a / b, [0] * count)
        verdicts.append(Comparison("a", "b", "latency", ratio).verdict)
    called = sum(verdict in ("faster", "slower") for verdict in verdicts)
    assert called / len(verdicts) <= 0.05


def in_processes(random, generations, rounds=4, spread=0.03):
    """Ratios of a variant to itself: pairs of processes are off by ``spread``, each round by 0.5 %."""
    offsets = np.repeat(random.normal(0, spread, generations), rounds)
    labels = np.repeat(np.arange(generations), rounds)
    return np.exp(offsets + random.normal(0, 0.005, labels.size)), labels


@pytest.mark.parametrize("generations", [3, 4, 5, 6])
@pytest.mark.parametrize("spread", [0.003, 0.03, 0.14])
def test_processes_that_differ_are_no_difference_of_the_variants(generations, spread):
    random = np.random.default_rng(11)
    intervals = [
        across_processes(*in_processes(random, generations, spread=spread))
        for _ in range(3000 if generations < 6 else 600)
    ]
    covered = sum(interval.low <= 1 <= interval.high for interval in intervals) / len(intervals)
    assert covered >= 0.94
    assert {interval.n for interval in intervals} == {generations}


@pytest.mark.parametrize("spread", [0.003, 0.03, 0.16])
@pytest.mark.parametrize("generations", [1, 2])
def test_one_or_two_pairs_of_processes_get_an_openly_wide_interval(generations, spread):
    """It holds on every machine that was seen, and says what it is."""
    random = np.random.default_rng(13)
    pairs = math.sqrt(2) * spread  # the ratio of two processes
    intervals = [across_processes(*in_processes(random, generations, 8, pairs)) for _ in range(400)]
    assert sum(interval.low <= 1 <= interval.high for interval in intervals) / len(intervals) >= 0.94
    assert {interval.n for interval in intervals} == {8 * generations}
    assert all("one process per variant" in interval.method for interval in intervals)


def test_the_allowance_is_of_as_many_processes_as_a_value_compares():
    ratios = [1.0, 1.001, 0.999, 1.0, 1.0005, 0.9995]
    for variants in (1, 2, 4):
        found = across_processes(ratios, [0] * 6, variants=variants)
        assert found.high == pytest.approx(math.exp(math.sqrt(variants) * 1.96 * 0.16), rel=1e-3)
        assert found.low == pytest.approx(1 / found.high)


def test_too_few_rounds_of_too_few_generations_are_no_interval():
    ratios, labels = in_processes(np.random.default_rng(12), 2)
    with pytest.raises(NotEnoughSamples):
        across_processes(ratios[:5], labels[:5])


def test_a_real_difference_is_called():
    random = np.random.default_rng(10)
    verdicts = {
        Comparison("a", "b", "latency", paired(*two_series(random, 30, ratio=1.1))).verdict for _ in range(50)
    }
    assert verdicts == {"faster"}


@given(pairs)
def test_exchanging_the_variants_mirrors_the_ratio(values):
    a, b = zip(*values, strict=True)
    forwards, backwards = paired(a, b), paired(b, a)
    mirrored = [1 / forwards.value, 1 / forwards.high, 1 / forwards.low]
    assert parts(backwards) == pytest.approx(mirrored, rel=1e-6)
    opposite = {"faster": "slower", "slower": "faster"}
    verdict = Comparison("a", "b", "latency", forwards).verdict
    edges = [0.98, 1.02, 1.01, 1 / 1.01]
    if not any(math.isclose(part, edge, rel_tol=0.001) for part in parts(forwards) for edge in edges):
        assert Comparison("b", "a", "latency", backwards).verdict == opposite.get(verdict, verdict)


@given(st.lists(positive, min_size=6, max_size=20), st.integers(-6, 6))
def test_a_constant_ratio_is_found_exactly(values, exponent):
    ratio = 2.0**exponent
    estimate = paired([value * ratio for value in values], values)
    assert parts(estimate) == pytest.approx([ratio] * 3)
    assert (estimate.unit, estimate.n) == ("ratio", len(values))


@given(pairs, st.lists(positive, min_size=40, max_size=40))
def test_what_slows_both_in_a_round_cancels(values, slowdowns):
    a, b = zip(*values, strict=True)
    slower = [[value * slow for value, slow in zip(series, slowdowns, strict=False)] for series in (a, b)]
    assert parts(paired(*slower)) == pytest.approx(parts(paired(a, b)), rel=1e-6)


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [
        (1.05, 1.2, "faster"),
        (0.8, 0.95, "slower"),
        (0.99, 1.015, "no difference"),
        (1.001, 1.015, "no difference"),  # excludes one, and is too small to matter
        (0.95, 1.2, "inconclusive"),
        (1.005, 1.2, "inconclusive"),  # excludes one, and may be too small to matter
        (0.8, 0.995, "inconclusive"),
        (1.021, 1.2, "faster"),
        (0.9, 0.979, "slower"),
    ],
)
def test_verdict_looks_at_the_interval(low, high, verdict):
    comparison = Comparison("a", "b", "latency", Estimate((low + high) / 2, low, high, "ratio", 20))
    assert comparison.verdict == verdict


def test_needs_six_rounds_in_pairs():
    with pytest.raises(NotEnoughSamples, match="5 rounds"):
        paired([1.0] * 5, [1.0] * 5)
    with pytest.raises(ValueError, match="broadcast"):
        paired([1.0] * 7, [1.0] * 6)


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
