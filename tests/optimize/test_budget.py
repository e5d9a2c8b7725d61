from types import SimpleNamespace

import pytest

from optguide.optimize.budget import MOST, SHARES, Clock, larger_budget


@pytest.fixture
def time():
    """A clock that stands still until it is told."""
    return SimpleNamespace(now=100.0)


def test_what_a_phase_leaves_over_goes_to_the_next(time):
    clock = Clock(100.0, now=lambda: time.now)
    assert clock.until("making") == pytest.approx(100 * SHARES["making"])
    time.now += 10
    assert clock.spent == 10
    assert clock.until("making") == pytest.approx(100 * SHARES["making"] - 10)
    assert clock.until("racing") == pytest.approx(100 * SHARES["racing"] - 10)
    assert clock.left == 90


def test_no_phase_takes_all_that_is_left(time):
    clock = Clock(100.0, now=lambda: time.now)
    time.now += 30
    assert clock.until("confirmation") == pytest.approx(100 * MOST["confirmation"])
    time.now += 10
    assert clock.until("confirmation") == pytest.approx(100 * MOST["confirmation"] - 10)
    assert clock.until("profile") == pytest.approx(100 * MOST["profile"])


def test_nothing_is_left_of_a_spent_budget(time):
    clock = Clock(100.0, now=lambda: time.now)
    time.now += 500
    assert {clock.until(phase) for phase in SHARES} == {0.0}
    assert clock.left == 0


def test_without_claims_the_others_have_their_time(time):
    clock = Clock(100.0, now=lambda: time.now, claims=False)
    time.now += 90
    assert clock.until("profile") == pytest.approx(10)
    time.now -= 90
    assert clock.until("racing") > 100 * SHARES["racing"]


def test_a_resumed_run_shares_what_is_left(time):
    """What was cut off gets its share of the time that was added, however much of the budget is gone."""
    clock = Clock(100.0, 60.0, now=lambda: time.now)
    time.now += 5
    assert clock.spent == 65
    assert clock.until("making") == pytest.approx(40 * SHARES["making"] - 5)
    assert clock.until("racing") == pytest.approx(40 * SHARES["racing"] - 5)
    assert clock.until("claims") == pytest.approx(100 * MOST["claims"])


def test_the_budget_that_is_named_would_do(time):
    sentence = larger_budget(100.0, 48.0)
    minutes = int(sentence.split("--budget ")[1].split("m")[0])
    for spent in (0.0, 100.0):  # a new run, and one that is resumed
        assert 0.8 * Clock(60.0 * minutes, spent, now=lambda: time.now).until("making") >= 48.0
    assert "48 s" in sentence
