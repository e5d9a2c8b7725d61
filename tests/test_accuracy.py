from __future__ import annotations

import numpy as np
import pytest

from optguide.accuracy import accuracy, compare_accuracy, mean_of_samples, over_trainings
from optguide.errors import InputError, NotEnoughSamples


def answers(right, n=1000):
    return np.arange(n) < right


def test_accuracy_is_a_share_with_an_interval_that_never_degenerates():
    found = accuracy(answers(987))
    assert (found.value, found.unit, found.n) == (0.987, "share", 1000)
    assert found.low == pytest.approx(0.978, abs=5e-4)  # Wilson, by hand
    assert found.high == pytest.approx(0.9924, abs=5e-4)
    perfect = accuracy(answers(1000))
    assert perfect.value == 1.0
    assert 0.99 < perfect.low < 1.0


def test_a_drop_counts_the_samples_on_which_two_models_differ():
    a, b = np.ones(1000, bool), np.ones(1000, bool)
    b[:30] = False
    a[30:40] = False
    found = compare_accuracy("FP32", a, "INT8", b)
    assert (found.lost, found.won) == (30, 10)
    assert found.drop.value == pytest.approx(2.0)
    assert found.drop.unit == "points"
    assert 0.5 < found.drop.low < 1.0
    assert 3.0 < found.drop.high < 3.5
    assert found.verdict == "worse"
    assert found.p_value == pytest.approx(0.0022, abs=1e-4)
    assert found.within(4.0)
    assert not found.within(3.0)
    assert compare_accuracy("INT8", b, "FP32", a).verdict == "better"


def test_a_drop_within_noise_is_not_called_one():
    a, b = np.ones(1000, bool), np.ones(1000, bool)
    b[:4] = False
    a[4:6] = False
    assert compare_accuracy("a", a, "b", b).verdict == "no drop shown"


def test_equal_answers_still_leave_doubt():
    found = compare_accuracy("a", answers(900), "b", answers(900))
    assert (found.drop.value, found.p_value) == (0.0, 1.0)
    assert found.drop.low < 0 < found.drop.high < 0.5


@pytest.mark.parametrize("differing", [0.004, 0.02, 0.1])
def test_the_interval_of_a_drop_holds_in_simulation(differing):
    random, true, n = np.random.default_rng(1), 0.25 * differing, 1500
    hits = 0
    for _ in range(600):
        kind = random.random(n)
        lost, won = kind < 0.625 * differing, (kind >= 0.625 * differing) & (kind < differing)
        drop = compare_accuracy("a", ~won, "b", ~lost).drop
        hits += drop.low <= 100 * true <= drop.high
    assert hits / 600 > 0.93


@pytest.mark.parametrize("spread", [0.0, 0.02])
def test_the_interval_over_trainings_holds_in_simulation(spread):
    random, n, trainings, hits = np.random.default_rng(2), 1000, 4, 0
    for _ in range(400):
        difficulty = random.random(n) ** 8 * 0.4  # most samples are easy, and so for every training
        shift = spread * random.standard_normal((trainings, 1))
        b = random.random((trainings, n)) > np.clip(difficulty + 0.01 + shift, 0, 1)
        a = random.random((trainings, n)) > difficulty
        drop = compare_accuracy("a", a, "b", b).drop
        hits += drop.low <= 1.0 <= drop.high
    assert hits / 400 > 0.92


def test_spread_between_trainings_widens_the_interval():
    steady = np.stack([answers(980), answers(980), answers(980)])
    spread = np.stack([answers(960), answers(980), answers(1000)])
    one, two = (compare_accuracy("FP32", answers(990), "QAT", b) for b in (steady, spread))
    assert one.drop.value == pytest.approx(1.0)
    assert two.drop.value == pytest.approx(1.0)
    assert two.drop.high - two.drop.low > 3 * (one.drop.high - one.drop.low)
    assert accuracy(spread).high == 1.0
    assert one.p_value is None


@pytest.mark.parametrize(
    ("a", "b"),
    [
        (answers(5, 10), answers(5, 11)),
        (np.stack([answers(5, 10)] * 2), np.stack([answers(5, 10)] * 3)),
        (np.zeros(0, bool), np.zeros(0, bool)),
        (np.ones(10), np.ones(10)),
        (np.array(True), np.array(True)),
    ],
)
def test_answers_that_cannot_be_paired_are_refused(a, b):
    with pytest.raises(InputError):
        compare_accuracy("a", a, "b", b)


def test_mean_of_samples():
    values = 1 - np.random.default_rng(3).exponential(0.01, 500)
    found = mean_of_samples(values, "")
    assert found.value == pytest.approx(values.mean())
    assert found.low < found.value < found.high
    assert found.high - found.low == pytest.approx(2 * 1.96 * values.std() / 500**0.5, rel=0.15)
    assert mean_of_samples([0.5] * 4, "").high == 0.5
    with pytest.raises(InputError):
        mean_of_samples([1.0, float("nan")], "")


def test_over_trainings():
    found = over_trainings([0.97, 0.98, 0.99], "share")
    assert found.value == pytest.approx(0.98)
    assert found.high - found.value == pytest.approx(4.303 * 0.01 / 3**0.5, rel=1e-3)
    with pytest.raises(NotEnoughSamples):
        over_trainings([0.97], "share")
