from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import signal, stats

from optguide.errors import NotEnoughSamples
from optguide.stats.estimate import (
    Estimate,
    median_of_rounds,
    percentile_of_blocks,
    ratio_of_estimates,
    ratio_of_totals,
    samples_needed,
)

times = st.floats(1e-3, 1e4)
rounds = st.lists(times, min_size=6, max_size=40)
block_lists = st.lists(st.lists(times, min_size=3, max_size=20), min_size=6, max_size=15)
powers = st.integers(-10, 10).map(lambda exponent: 2.0**exponent)  # scale without rounding


def autocorrelated(random, count, phi):
    """A stationary AR(1) series of unit variance."""
    noise = random.standard_normal(count) * math.sqrt(1 - phi**2)
    noise[0] /= math.sqrt(1 - phi**2)
    return signal.lfilter([1], [1, -phi], noise)


def simulated_blocks(random, count, *, between=0.0, within=0.5, samples=40):
    """Blocks of latencies around 1 ms: each has a level of its own (5 %) and noise inside (5 %)."""
    levels = autocorrelated(random, count, between)
    return [np.exp(0.05 * level + 0.05 * autocorrelated(random, samples, within)) for level in levels]


def coverage(estimator, truth, *, repeats=300, **simulation):
    random = np.random.default_rng(20)
    found = (estimator(simulated_blocks(random, **simulation)) for _ in range(repeats))
    return sum(estimate.low <= truth <= estimate.high for estimate in found) / repeats


MARGINAL = stats.lognorm(math.hypot(0.05, 0.05))
ESTIMATORS = {
    "median": (lambda blocks: percentile_of_blocks(blocks, 50, "ms"), 1.0),
    "95th percentile": (lambda blocks: percentile_of_blocks(blocks, 95, "ms"), MARGINAL.ppf(0.95)),
    "mean time": (
        lambda blocks: ratio_of_totals(
            [block.sum() for block in blocks], [block.size for block in blocks], "ms"
        ),
        MARGINAL.mean(),
    ),
    "median of rounds": (
        lambda blocks: median_of_rounds([float(np.median(block)) for block in blocks], "ms"),
        1.0,
    ),
}


@pytest.mark.parametrize("estimator", ESTIMATORS)
@pytest.mark.parametrize("count", [12, 40])
def test_intervals_cover_the_truth_when_samples_within_a_block_resemble_each_other(estimator, count):
    function, truth = ESTIMATORS[estimator]
    assert coverage(function, truth, count=count) >= 0.90


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_intervals_still_cover_when_neighbouring_blocks_resemble_each_other(estimator):
    """Nearly as often: the correction for drift comes from the same few blocks."""
    function, truth = ESTIMATORS[estimator]
    assert coverage(function, truth, count=40, between=0.5) >= 0.87


def test_intervals_that_ignore_the_blocks_would_not_cover():
    """The simulation is hard enough to tell a wrong method from a right one."""

    def naive(blocks):
        pooled = np.sort(np.concatenate(blocks))
        interval = stats.quantile_test(pooled, p=0.5).confidence_interval(0.95)
        return Estimate(float(np.median(pooled)), interval.low, interval.high, "ms", pooled.size)

    assert coverage(naive, 1.0, count=40) < 0.6


def test_interval_shrinks_with_more_rounds():
    random = np.random.default_rng(3)
    values = random.lognormal(0, 0.05, 400)
    widths = [median_of_rounds(values[:n], "ms").relative_half_width for n in (10, 100, 400)]
    assert widths == sorted(widths, reverse=True)


@pytest.mark.parametrize(("percentile", "needed"), [(50, 6), (95, 72), (99, 368), (5, 72)])
def test_samples_needed(percentile, needed):
    assert samples_needed(percentile) == needed


@pytest.mark.parametrize("percentile", [50, 80, 90, 95, 99, 99.9])
def test_samples_needed_is_the_smallest_number_with_an_upper_bound(percentile):
    """All samples lie below the percentile with a probability of at most 2.5 %; with one fewer, with more."""
    needed = samples_needed(percentile)
    share = percentile / 100
    missed = [math.prod([share] * count) for count in range(1, needed + 1)]
    smallest = next(count for count, chance in enumerate(missed, start=1) if chance <= 0.025)
    assert needed == max(6, smallest)


def test_refuses_a_percentile_one_sample_short():
    even = [[1.0, 2.0] * 6] * 6  # 72 samples
    assert percentile_of_blocks(even, 95, "ms").n == 72
    with pytest.raises(
        NotEnoughSamples, match="71 samples in 6 blocks are too few for the 95th percentile; 72"
    ):
        percentile_of_blocks([*even[:-1], even[-1][:-1]], 95, "ms")


def test_refuses_fewer_than_six_rounds_however_many_samples():
    with pytest.raises(NotEnoughSamples, match="in 5 blocks"):
        percentile_of_blocks([[1.0] * 100] * 5, 50, "ms")
    with pytest.raises(NotEnoughSamples, match="5 rounds"):
        median_of_rounds([1.0] * 5, "ms")
    with pytest.raises(NotEnoughSamples, match="5 rounds"):
        ratio_of_totals([1.0] * 5, [1.0] * 5, "ms")
    with pytest.raises(NotEnoughSamples, match="0 samples in 0 blocks"):
        percentile_of_blocks([], 50, "ms")


def test_empty_blocks_do_not_count_as_blocks():
    with pytest.raises(NotEnoughSamples, match="in 5 blocks"):
        percentile_of_blocks([[1.0] * 9] * 5 + [[]], 50, "ms")


def test_percentile_pools_samples_and_not_blocks():
    """A long block weighs by its samples: nine blocks of one slow sample each, three of forty fast ones."""
    blocks = [[10.0], [10.0], [10.0], [1.0] * 40] * 3
    assert percentile_of_blocks(blocks, 50, "ms").value == 1.0
    assert percentile_of_blocks(blocks, 95, "ms").value == 10.0


def test_rate_is_total_over_total_and_no_mean_of_rates():
    estimate = ratio_of_totals([10.0, 30.0] * 3, [1.0, 1.0] * 3, "inferences/s")
    assert estimate.value == 20.0
    uneven = ratio_of_totals([10.0, 10.0] * 3, [1.0, 4.0] * 3, "inferences/s")
    assert uneven.value == 4.0


@given(rounds)
def test_median_lies_in_its_interval_and_order_statistics_bound_it(values):
    estimate = median_of_rounds(values, "ms")
    assert estimate.low <= estimate.value <= estimate.high
    # On logarithms: an even number of rounds gives the geometric mean of the middle two.
    assert estimate.value == pytest.approx(np.exp(np.median(np.log(values))))
    assert estimate.n == len(values)


def test_median_of_six_independent_rounds_spans_the_data():
    estimate = median_of_rounds([3.0, 1.0, 6.0, 2.0, 5.0, 4.0], "ms")
    assert estimate.low <= 1.0
    assert estimate.high >= 6.0


@given(block_lists, st.sampled_from([25, 50, 75]))
def test_percentile_lies_in_its_interval_within_the_data(blocks, percentile):
    estimate = percentile_of_blocks(blocks, percentile, "ms")
    assert min(map(min, blocks)) <= estimate.low <= estimate.value <= estimate.high <= max(map(max, blocks))
    assert estimate.n == sum(map(len, blocks))


@given(block_lists)
def test_rate_lies_in_its_interval(blocks):
    sums, sizes = [sum(block) for block in blocks], [len(block) for block in blocks]
    estimate = ratio_of_totals(sums, sizes, "ms")
    assert 0 <= estimate.low <= estimate.value <= estimate.high
    assert estimate.value == pytest.approx(sum(sums) / sum(sizes))


@given(block_lists, powers)
def test_another_unit_scales_values_and_intervals(blocks, factor):
    def scaled(estimate):
        return pytest.approx([part * factor for part in (estimate.value, estimate.low, estimate.high)])

    def parts(estimate):
        return [estimate.value, estimate.low, estimate.high]

    bigger = [[value * factor for value in block] for block in blocks]
    first, bigger_first = [block[0] for block in blocks], [block[0] for block in bigger]
    sizes = [len(block) for block in blocks]
    pairs = [
        (percentile_of_blocks(blocks, 50, "ms"), percentile_of_blocks(bigger, 50, "ms")),
        (median_of_rounds(first, "ms"), median_of_rounds(bigger_first, "ms")),
        (ratio_of_totals(first, sizes, "ms"), ratio_of_totals(bigger_first, sizes, "ms")),
    ]
    for small, big in pairs:
        assert parts(big) == scaled(small)


@given(block_lists, st.randoms(use_true_random=False))
def test_order_of_samples_within_a_block_does_not_matter(blocks, random):
    shuffled = [random.sample(block, len(block)) for block in blocks]
    assert percentile_of_blocks(shuffled, 50, "ms") == percentile_of_blocks(blocks, 50, "ms")


@given(rounds)
def test_a_session_read_backwards_says_the_same(values):
    forwards, backwards = median_of_rounds(values, "ms"), median_of_rounds(values[::-1], "ms")
    assert [backwards.value, backwards.low, backwards.high] == pytest.approx(
        [forwards.value, forwards.low, forwards.high], rel=1e-9, abs=1e-9
    )


def test_a_drifting_session_gets_a_wider_interval_than_the_same_rounds_shuffled():
    drifting = np.linspace(1, 2, 40)
    shuffled = np.random.default_rng(0).permutation(drifting)
    for estimator in (
        lambda values: median_of_rounds(values, "ms"),
        lambda values: ratio_of_totals(values, np.ones(values.size), "ms"),
        lambda values: percentile_of_blocks([[value] * 5 for value in values], 50, "ms"),
    ):
        assert estimator(drifting).relative_half_width > 1.5 * estimator(shuffled).relative_half_width


def test_rounds_without_any_noise_have_an_interval_of_no_width():
    for estimate in (
        median_of_rounds([2.0] * 8, "ms"),
        ratio_of_totals([2.0] * 8, [1.0] * 8, "ms"),
        percentile_of_blocks([[2.0] * 8] * 8, 50, "ms"),
    ):
        assert (estimate.low, estimate.value, estimate.high) == (2.0, 2.0, 2.0)


def test_scaled_keeps_low_below_high():
    estimate = Estimate(2.0, 1.0, 3.0, "s", 9, "a method")
    assert estimate.scaled(1e3, "ms") == Estimate(2e3, 1e3, 3e3, "ms", 9, "a method")
    mirrored = estimate.scaled(-1, "s")
    assert (mirrored.low, mirrored.value, mirrored.high) == (-3.0, -2.0, -1.0)


def test_relative_half_width():
    assert Estimate(2.0, 1.5, 2.5, "s", 9).relative_half_width == 0.25
    assert Estimate(0.0, -1.0, 1.0, "s", 9).relative_half_width == math.inf


def test_ratio_of_two_independent_estimates_covers_the_truth():
    random = np.random.default_rng(5)
    inside = 0
    for _ in range(400):
        top, bottom = (
            percentile_of_blocks(simulated_blocks(random, 20), 95, "ms") for _ in ("top", "bottom")
        )
        found = ratio_of_estimates(top.scaled(3.0, "ms"), bottom)
        inside += found.low <= 3.0 <= found.high
    assert 0.93 <= inside / 400 <= 0.99


def test_ratio_of_estimates_mirrors_and_lies_within_the_extremes():
    a, b = Estimate(4.0, 3.0, 6.0, "ms", 80), Estimate(2.0, 1.9, 2.2, "ms", 90)
    found, mirrored = ratio_of_estimates(a, b), ratio_of_estimates(b, a)
    assert (found.value, found.unit, found.n) == (2.0, "ratio", 80)
    assert (1 / mirrored.high, 1 / mirrored.low) == pytest.approx((found.low, found.high))
    assert 3.0 / 2.2 < found.low < 3.0 / 2.0
    assert 6.0 / 2.0 < found.high < 6.0 / 1.9


def test_no_ratio_with_an_interval_down_to_zero():
    with pytest.raises(NotEnoughSamples, match="down to zero"):
        ratio_of_estimates(Estimate(1, 0.5, 2, "ms", 9), Estimate(1, 0, 2, "ms", 9))


@pytest.mark.parametrize(
    ("low", "high", "bounds", "expected"),
    [
        (1.0, 2.0, {"low": 1.0, "high": 2.0}, "inside"),
        (1.0, 2.0, {}, "inside"),
        (1.0, 2.0, {"high": 0.9}, "above"),
        (1.0, 2.0, {"high": 1.0}, "undecided"),
        (1.0, 2.0, {"low": 2.0}, "undecided"),
        (1.0, 2.0, {"low": 2.1}, "below"),
        (1.0, 2.0, {"low": 1.5}, "undecided"),
        (1.0, 2.0, {"low": 1.2, "high": 1.8}, "undecided"),
        (1.0, 1.0, {"low": 1.0, "high": 1.0}, "inside"),
        (math.nan, 2.0, {"low": 1.0, "high": 1.0}, "undecided"),
    ],
)
def test_relation_of_an_interval_to_bounds(low, high, bounds, expected):
    assert Estimate(1.0, low, high, "ratio", 9).relation(**bounds) == expected


@given(times, times, times)
def test_strictly_above_is_the_contrary_of_at_most(one, other, bound):
    estimate = Estimate(1.0, *sorted((one, other)), "ms", 9)
    assert (estimate.relation(high=bound) == "above") == (estimate.low > bound)
    assert (estimate.relation(high=bound) == "inside") == (estimate.high <= bound)
    assert (estimate.relation(low=bound) == "below") == (estimate.high < bound)
    assert (estimate.relation(low=bound) == "inside") == (estimate.low >= bound)
