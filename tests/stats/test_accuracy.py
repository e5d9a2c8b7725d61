from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from optguide.errors import InputError, NotEnoughSamples
from optguide.stats.accuracy import accuracy, compare_accuracy, mean_of_samples, over_groups, similarity

DIFFICULTY = (0.1, 3.0)  # of a beta distribution: most samples are easy, a few are hard for every training
WRONG = DIFFICULTY[0] / sum(DIFFICULTY)


def answers(right, n=1000):
    return np.arange(n) < right


def pairs(both, lost, won, neither=0):
    """Answers of two models with these counts of samples."""
    kinds = np.repeat([0, 1, 2, 3], [both, lost, won, neither])
    return kinds < 2, kinds % 2 == 0


def compared(both, lost, won, neither=0):
    a, b = pairs(both, lost, won, neither)
    return compare_accuracy("a", a, "b", b)


def test_accuracy_is_a_share_with_an_interval_that_never_degenerates():
    found = accuracy(answers(987))
    assert (found.value, found.unit, found.n) == (0.987, "share", 1000)
    assert found.low == pytest.approx(0.978, abs=5e-4)  # Wilson, by hand
    assert found.high == pytest.approx(0.9924, abs=5e-4)
    perfect = accuracy(answers(1000))
    assert perfect.value == 1.0
    assert 0.99 < perfect.low < 1.0


def test_a_drop_counts_the_samples_on_which_two_models_differ():
    found = compared(both=900, lost=30, won=10, neither=60)
    assert (found.a, found.b, found.lost, found.won) == ("a", "b", 30, 10)
    assert (found.drop.value, found.drop.unit, found.drop.n) == (2.0, "points", 1000)
    assert 0.5 < found.drop.low < 1.0
    assert 3.0 < found.drop.high < 3.5
    assert found.verdict == "worse"
    assert found.p_value == pytest.approx(0.0022, abs=1e-4)
    assert found.within(4.0)
    assert not found.within(3.0)
    assert compared(both=900, lost=10, won=30, neither=60).verdict == "better"


def test_a_drop_within_noise_is_not_called_one():
    assert compared(both=994, lost=4, won=2).verdict == "no drop shown"


def test_equal_answers_still_leave_doubt():
    found = compared(both=900, lost=0, won=0, neither=100)
    assert (found.drop.value, found.p_value, found.verdict) == (0.0, 1.0, "no drop shown")
    # z**2 / (n + z**2): a little more than the exact 3.69 / n.
    assert found.drop.high == pytest.approx(100 * 3.8415 / 1003.8415, rel=1e-3)
    assert found.drop.low == -found.drop.high
    assert found.within(1.0)


def test_the_interval_of_a_drop_is_tangos():
    # Airway hyper-responsiveness before and after transplantation, in M. W. Fagerland, S. Lydersen and
    # P. Laake, "Recommended tests and confidence intervals for paired binomial proportions" (2014).
    found = compared(both=1, lost=1, won=7, neither=12)
    assert found.drop.value == pytest.approx(-100 * 6 / 21)
    assert found.drop.low == pytest.approx(-51.7, abs=0.06)
    # There it ends at -2.6, while the exact test says 0.07: the two must not contradict each other.
    assert found.p_value == pytest.approx(0.0703, abs=1e-4)
    assert (found.drop.high, found.verdict) == (0.0, "no drop shown")


@given(st.integers(0, 40), st.integers(0, 40), st.integers(0, 300))
def test_verdict_interval_and_test_agree(lost, won, both):
    assume(lost + won + both > 1)
    found, mirrored = compared(both, lost, won), compared(both, won, lost)
    assert -100 <= found.drop.low <= found.drop.value <= found.drop.high <= 100
    assert found.drop.low < found.drop.high
    shown = "worse" if lost > won else "better"
    assert found.verdict == (shown if found.p_value <= 0.05 else "no drop shown")
    assert mirrored.drop.high == pytest.approx(-found.drop.low, abs=1e-6)


@pytest.mark.parametrize(("lost", "won"), [(2, 0), (1, 1), (3, 0.5), (5, 5), (10, 2), (20, 5), (40, 10)])
def test_the_interval_of_a_drop_holds(lost, won):
    n = 1797
    draws = np.random.default_rng(1).multinomial(n, [1 - (lost + won) / n, lost / n, won / n], size=1500)
    held = 0
    for counts, times in Counter(map(tuple, draws.tolist())).items():
        drop = compared(*counts).drop
        held += times * (drop.low <= 100 * (lost - won) / n <= drop.high)
    assert held / len(draws) > 0.93


@pytest.mark.parametrize("trainings", [2, 3, 5])
@pytest.mark.parametrize("spread", [0.0, 0.005, 0.02])
@pytest.mark.parametrize("one_a", [False, True])
def test_the_interval_over_trainings_holds(trainings, spread, one_a):
    random, held, runs, n = np.random.default_rng(2), 0, 400, 600
    for _ in range(runs):
        difficulty = random.beta(*DIFFICULTY, n)
        wrong_a = random.random((1 if one_a else trainings, n)) < difficulty
        points = 0.06 + spread * random.standard_normal((trainings, 1))  # what each training loses
        wrong_b = wrong_a ^ (random.random((trainings, n)) < points / (1 - 2 * WRONG))
        drop = compare_accuracy("a", ~wrong_a[0] if one_a else ~wrong_a, "b", ~wrong_b).drop
        held += drop.low <= 6.0 <= drop.high
    assert held / runs > 0.93


@pytest.mark.parametrize("spread", [0.0, 0.01])
def test_the_interval_of_a_mean_accuracy_holds(spread):
    random, held, runs = np.random.default_rng(4), 0, 400
    for _ in range(runs):
        wrong = random.random((4, 600)) < random.beta(*DIFFICULTY, 600)
        luck = 0.04 + spread * random.standard_normal((4, 1))
        found = accuracy(~(wrong ^ (random.random((4, 600)) < luck / (1 - 2 * WRONG))))
        held += found.low <= 1 - WRONG - 0.04 <= found.high
    assert held / runs > 0.93


def test_trainings_that_agree_say_no_more_than_one():
    one, three = accuracy(answers(987)), accuracy(np.stack([answers(987)] * 3))
    assert three.value == pytest.approx(one.value)
    assert 1.0 <= (three.high - three.low) / (one.high - one.low) < 1.15
    same = compare_accuracy("a", answers(987), "b", np.stack([answers(987)] * 3))
    assert (same.drop.value, same.verdict, same.p_value) == (0.0, "no drop shown", None)
    alone = compare_accuracy("a", answers(987), "b", answers(987))
    assert same.drop.high == pytest.approx(alone.drop.high, rel=0.05)


def test_a_single_training_is_a_model_by_itself():
    single = compare_accuracy("a", answers(900)[None], "b", answers(880)[None])
    assert single == compare_accuracy("a", answers(900), "b", answers(880))


def test_spread_between_trainings_widens_the_interval():
    steady = np.stack([answers(980), answers(980), answers(980)])
    spread = np.stack([answers(960), answers(980), answers(1000)])
    one, two = (compare_accuracy("FP32", answers(990), "QAT", b) for b in (steady, spread))
    assert one.drop.value == pytest.approx(1.0)
    assert two.drop.value == pytest.approx(1.0)
    assert (one.lost, one.won) == (10, 0)
    # Hardly more than Student's t of the three means, with little more than two degrees of freedom.
    assert two.drop.high - two.drop.value == pytest.approx(4.303 * 2 / 3**0.5, rel=0.15)
    # Ten in a thousand differ, and z**2 imagined ones.
    assert one.drop.high - one.drop.value == pytest.approx(1.96 * (0.99 + 0.38) ** 0.5 / 10**0.5, rel=0.01)
    assert one.verdict == "worse"
    assert two.verdict == "no drop shown"
    assert accuracy(spread).high == 1.0


@pytest.mark.parametrize(
    ("a", "b"),
    [
        (answers(5, 10), answers(5, 11)),
        (np.stack([answers(5, 10)] * 2), np.stack([answers(5, 10)] * 3)),
        (np.zeros(0, bool), np.zeros(0, bool)),
        (np.zeros((0, 5), bool), np.zeros((0, 5), bool)),
        (np.ones(10), np.ones(10)),
        (np.full(10, np.nan), np.full(10, np.nan)),
        (np.array(True), np.array(True)),
        ([[True], [True, False]], [True, False]),
    ],
)
def test_answers_that_cannot_be_paired_are_refused(a, b):
    with pytest.raises(InputError) as caught:
        compare_accuracy("a", a, "b", b)
    assert caught.value.remedy


def test_mean_of_samples():
    values = 1 - np.random.default_rng(3).exponential(0.01, 500)
    found = mean_of_samples(values, "")
    assert found.value == pytest.approx(values.mean())
    assert found.low < found.value < found.high
    assert found.high - found.low == pytest.approx(2 * 1.96 * values.std() / 500**0.5, rel=0.15)
    constant = mean_of_samples([0.5] * 20, "")
    assert (constant.low, constant.high) == (0.5, 0.5)
    assert 0 < mean_of_samples([0.0] * 99 + [1.0], "").high < 0.1
    with pytest.raises(NotEnoughSamples, match="20 are needed"):
        mean_of_samples([0.5] * 19, "")


def test_samples_of_one_source_count_once():
    random = np.random.default_rng(5)
    shares = random.uniform(0.2, 1.0, 20)
    groups = np.tile(np.arange(20), 30)
    values = random.random(600) < shares[groups]
    found = over_groups(values, groups, "share")
    assert (found.value, found.n) == (pytest.approx(values.mean()), 20)
    alone = accuracy(values)  # as if 600 photographs had been taken
    assert found.high - found.low > 1.5 * (alone.high - alone.low)
    unequal = over_groups([1.0] * 10 + [0.0] * 19, [0] * 10 + list(range(1, 20)), "share")
    assert unequal.value == pytest.approx(1 / 20)


def test_groups_without_spread_or_of_another_number_are_refused():
    with pytest.raises(NotEnoughSamples, match="same mean"):
        over_groups(np.ones(40, bool), np.tile(np.arange(20), 2), "share")
    with pytest.raises(NotEnoughSamples, match="20 are needed"):
        over_groups([1.0, 0.0], [0, 1], "share")
    with pytest.raises(InputError, match="2 values have 3 groups"):
        over_groups([1.0, 0.0], [0, 1, 1], "share")


@pytest.mark.parametrize(
    "values", [[0.5, float("nan")], [0.5, float("inf")], [[0.5]], 0.5, ["a"], [None], [[1], [1, 2]]]
)
def test_values_that_are_no_numbers_are_refused(values):
    with pytest.raises(InputError) as caught:
        mean_of_samples(values, "share")
    assert caught.value.remedy


INFINITE = float("inf")


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ([1, 2, 3], [2, 4, 6], 1.0),
        ([1, 0], [0, 1], 0.0),
        ([1, 0], [1, 1], 2**-0.5),
        ([0, 0], [0, 0], 1.0),
        ([0, 0], [0, 1], 0.0),
        ([1, 2, -INFINITE], [2, 4, -INFINITE], 1.0),
        ([-INFINITE], [-INFINITE], 1.0),
        ([1, float("nan")], [1, 0], None),
        ([1, INFINITE], [1, 0], None),
        ([1, INFINITE], [1, -INFINITE], None),
    ],
)
def test_similarity_is_the_cosine_of_what_is_not_masked(first, second, expected):
    value = similarity(np.array(first, np.float32), np.array(second, np.float32))
    assert np.isnan(value) if expected is None else value == pytest.approx(expected)


def test_similarity_of_integers_is_the_share_of_equal_ones():
    assert similarity(np.array([7, 7, 1, 2]), np.array([7, 7, 1, 3])) == 0.75
