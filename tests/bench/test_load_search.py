from __future__ import annotations

import functools
from dataclasses import replace

import pytest

from optguide import errors
from optguide.bench import load_search as module
from optguide.bench.load import LatencyLimit, LoadPoint, load_curves
from optguide.bench.load_search import length, rates_between, search_load, shares_of
from optguide.bench.session import measure
from optguide.bench.variant import Variant
from optguide.stats.estimate import Estimate
from tests.optimize.simulated import Machine

LIMIT = LatencyLimit(95, 10.0)


def point(rate, low=1.0, high=2.0, *, void="", overloaded=False, enough=True):
    latencies = {95: Estimate((low + high) / 2, low, high, "ms", 100)} if enough else {}
    return LoadPoint(rate, rate, latencies, 100, void, overloaded)


def test_a_point_keeps_or_breaks_a_limit_with_its_whole_interval():
    assert point(5, 8, 9.9).against(LIMIT) == "kept"
    assert point(5, 10.1, 12).against(LIMIT) == "broke"
    assert point(5, 9, 11).against(LIMIT) == "open"
    assert point(5, enough=False).against(LIMIT) == "open"
    assert point(5, void="late").against(LIMIT) == "open"
    assert point(5, void="the queue grew", overloaded=True).against(LIMIT) == "broke"


def test_shares_end_above_the_capacity():
    rates = shares_of(123.456)
    assert rates[0] == 24.7
    assert rates[-1] > 123.456 > rates[-2]


def test_a_rate_is_as_long_as_its_percentile_needs():
    assert length([100, 50], None) == 5
    assert length([100, 50], LatencyLimit(99, 1)) == 9  # 368 requests, and a fifth to spare, at 50 per second
    assert length([1000], LatencyLimit(99, 1)) == 5
    assert length([0.1], LatencyLimit(99, 1)) == 60


def test_the_next_rate_lies_between_the_ones_that_keep_and_break_the_limit():
    curve = (point(50), point(100), point(200, 11, 12))
    assert rates_between(curve, LIMIT) == (141.0,)
    assert rates_between((*curve, point(141, 9, 11)), LIMIT) == ()
    assert rates_between((point(100), point(105, 11, 12)), LIMIT) == ()
    assert rates_between(curve, None) == ()


def test_the_next_rate_lies_below_the_lowest_that_breaks_the_limit():
    assert rates_between((point(50, 11, 12), point(100, 20, 21)), LIMIT) == (25.0,)
    assert rates_between((point(50, enough=False), point(100, 20, 21)), LIMIT) == ()
    assert rates_between((point(50), point(100)), LIMIT) == ()


COSTS = {"slow": 0.01, "fast": 0.002, "a": 0.004}


@pytest.fixture
def closed(monkeypatch):
    """A simulated machine, and what its closed loops have measured; ``broken`` cannot be loaded there."""

    def cost(variant):
        if variant.name == "broken":
            raise errors.DeviceError("There is no such device.")
        return COSTS[variant.name]

    host, results = Machine(cost, drift=0.0).host, []

    def measured(*arguments, **options):
        results.append(measure(*arguments, host=host, **options))
        return results[-1]

    monkeypatch.setattr(module, "measure", measured)
    monkeypatch.setattr(module, "load_curves", functools.partial(load_curves, host=host))
    return results


def test_rates_are_shares_of_the_fastest_variants_capacity(closed):
    found = search_load([Variant("slow"), Variant("fast")], seconds=4)
    (session,) = closed
    assert found.capacity == {
        name: replace(session.throughput(name), unit="requests/s") for name in found.capacity
    }
    assert found.capacity["slow"].value == pytest.approx(100, rel=0.05)
    assert found.capacity["fast"].value == pytest.approx(500, rel=0.05)
    rates = [one.offered for one in found.curves["fast"]]
    assert rates == [one.offered for one in found.curves["slow"]]
    assert rates == list(shares_of(found.capacity["fast"].value))
    assert found.curves["slow"][-1].overloaded
    assert not found.curves["fast"][0].void


def test_rates_near_the_limit_are_added(closed):
    limit = LatencyLimit(50, 12)
    found = search_load([Variant("a")], seconds=4, limit=limit)
    states = {one.offered: one.against(limit) for one in found.curves["a"]}
    offered = shares_of(found.capacity["a"].value)
    assert list(states) == sorted(states)
    added = states.keys() - set(offered)
    assert 1 <= len(added) <= module.REFINEMENTS
    kept = max(rate for rate in offered if states[rate] == "kept")
    assert all(kept < rate < min(r for r in offered if r > kept and states[r] == "broke") for rate in added)


def test_with_a_limit_the_lowest_rate_is_left_out_and_the_next_has_the_requests_it_needs(closed):
    limit = LatencyLimit(99, 1000)
    found = search_load([Variant("a")], limit=limit)
    offered = shares_of(found.capacity["a"].value)[1:]
    rates = [one.offered for one in found.curves["a"]]
    assert rates[0] == offered[0]
    assert set(offered) <= set(rates)
    assert found.seconds == length(offered, limit)


def test_a_variant_that_fails_in_the_closed_loop_gets_no_curve(closed):
    found = search_load([Variant("broken"), Variant("a")], seconds=1)
    assert isinstance(found.failures["broken"], errors.DeviceError)
    assert list(found.curves) == ["a"]
