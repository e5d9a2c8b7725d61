from __future__ import annotations

import functools

import pytest

from optguide import errors
from optguide.bench import load_search as module
from optguide.bench.load import LatencyLimit, LoadPoint
from optguide.bench.load_search import length, rates_between, search_load, shares_of
from optguide.bench.session import Budget, measure
from optguide.bench.variant import Variant
from optguide.stats.estimate import Estimate

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


def sleeping(name, seconds):
    def make():
        import time

        def call():
            time.sleep(seconds)
            return [[1.0, 2.0]]

        return call

    return Variant.from_function(name, make)


@pytest.fixture
def shorter(monkeypatch):
    """A short closed loop that has its six rounds on the slowest machine; the results of such loops."""
    results = []

    def measured(*arguments, **options):
        results.append(measure(*arguments, **options))
        return results[-1]

    monkeypatch.setattr(module, "SHORTEST", 0.3)
    monkeypatch.setattr(module, "CAPACITY_SECONDS", 1.0)
    monkeypatch.setattr(module, "Budget", functools.partial(Budget, patience=60.0))
    monkeypatch.setattr(module, "measure", measured)
    return results


def test_rates_are_shares_of_the_fastest_variants_capacity(shorter):
    found = search_load([sleeping("slow", 0.01), sleeping("fast", 0.002)], seconds=0.3)
    (closed,) = shorter
    for name, capacity in found.capacity.items():
        assert capacity.value == closed.throughput(name).value
    assert found.capacity["slow"].value < found.capacity["fast"].value <= 500
    assert found.capacity["fast"].unit == "requests/s"
    rates = [one.offered for one in found.curves["fast"]]
    assert rates == [one.offered for one in found.curves["slow"]]
    assert len(rates) == len(module.SHARES)
    assert rates[0] == pytest.approx(0.2 * found.capacity["fast"].value, rel=0.01)
    assert found.curves["slow"][-1].overloaded


def test_rates_near_the_limit_are_added(shorter, monkeypatch):
    monkeypatch.setattr(module, "SHARES", (0.2, 4.0))  # a busy machine may put the capacity too low
    limit = LatencyLimit(50, 12)
    found = search_load([sleeping("a", 0.004)], seconds=0.4, limit=limit)
    rates = [one.offered for one in found.curves["a"]]
    assert rates == sorted(rates)
    assert len(rates) > len(module.SHARES)


def test_a_variant_that_fails_in_the_closed_loop_gets_no_curve(shorter):
    def make():
        from optguide.errors import DeviceError

        raise DeviceError("There is no such device.")

    found = search_load([Variant.from_function("broken", make), sleeping("a", 0.002)], seconds=0.2)
    assert isinstance(found.failures["broken"], errors.DeviceError)
    assert list(found.curves) == ["a"]
