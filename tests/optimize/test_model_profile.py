"""Which rates a load curve offers in the time there is."""

import itertools

import pytest

from optguide.optimize.model_profile import OVERHEAD, SHORTEST, fewer, rates


def test_rates_are_shares_of_each_capacity_and_apart():
    found = rates([100.0, 210.0])
    assert list(found) == sorted(found)
    assert all(b > 1.15 * a for a, b in itertools.pairwise(found))
    assert 0.9 * 210 < found[-1] < 210


@pytest.mark.parametrize("seconds", [2.0, 6.0, 9.0, 60.0])
@pytest.mark.parametrize("variants", [1, 2])
def test_a_short_time_is_for_fewer_rates(seconds, variants):
    offered = rates([100.0, 210.0])
    kept = fewer(offered, variants, seconds)
    assert set(kept) <= set(offered)
    assert kept[-1] == offered[-1], "where the queue grows is what a curve is for"
    assert len(kept) >= 3
    enough = (1 - OVERHEAD) * seconds >= SHORTEST * len(kept) * variants
    assert enough or len(kept) <= 4
    if seconds == 60.0:
        assert kept == offered
