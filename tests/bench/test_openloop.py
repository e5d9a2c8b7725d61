from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from optguide import errors
from optguide.bench import load as openloop
from optguide.bench.load import LoadPoint, highest_rate, limit_rate, load_curve, load_curves
from optguide.bench.process import WorkerProcess
from optguide.bench.variant import Variant
from optguide.runtimes.openvino import OpenVINO
from optguide.stats.estimate import Estimate
from tests.optimize.simulated import Machine, SimulatedWorker


def point(rate, p95=None, *, void="", half=0.0):
    found = {} if p95 is None else {95: Estimate(p95, p95 - half, p95 + half, "ms", 100)}
    return LoadPoint(rate, rate, found, 100, void)


def reply(latencies_ms, *, served_ms=None, scheduled=None, lateness_ms=(0.001,), window=1.0):
    """What a worker would answer."""
    return {
        "latencies_ns": [int(value * 1e6) for value in latencies_ms],
        "served_ns": [int(value * 1e6) for value in (latencies_ms if served_ms is None else served_ms)],
        "lateness_ns": [int(value * 1e6) for value in lateness_ms],
        "scheduled": len(latencies_ms) if scheduled is None else scheduled,
        "window_ns": int(window * 1e9),
    }


def judged(*arguments, rate=100.0, seconds=1.0, **fields):
    return openloop._point(rate, [openloop._Part(seconds, reply(*arguments, **fields), 0.0)])


def test_a_sustained_point():
    found = judged([5.0, 6.0] * 50, window=1.01)
    assert found.void == ""
    assert (found.offered, found.n) == (100.0, 100)
    assert found.achieved == pytest.approx(100 / 1.01)
    assert found.p50.value == 5.0
    assert found.p95.value == 6.0
    assert found.p50.unit == "ms"


def test_percentiles_without_enough_samples_are_missing():
    found = judged([5.0] * 100)
    assert found.p95 is not None
    assert found.p99 is None
    few = judged([5.0] * 5, rate=5.0)
    assert (few.p50, few.p95, few.p99, few.void) == (None, None, None, "")
    assert judged([5.0] * 400, rate=400.0).p99 is not None


def test_a_window_shorter_than_the_point_does_not_raise_the_rate():
    assert judged([5.0] * 100, window=0.7).achieved == 100.0


def test_percentiles_of_a_point_or_why_there_are_none():
    found = judged([5.0, 6.0] * 50, served_ms=[4.0, 4.5] * 50)
    assert found.latency(95) is found.p95
    assert found.service_time(50).value == 4.0
    with pytest.raises(errors.NotEnoughSamples, match="100 requests are too few for the 99th"):
        found.latency(99)
    late = judged([5.0] * 100, lateness_ms=[0.6] * 100)
    with pytest.raises(errors.NotEnoughSamples, match=r"The generator itself was 0\.6 ms late"):
        late.service_time(50)


def test_overload_is_void():
    """Each arrival waits longer than the one before, and the last is done half a second late."""
    found = judged(np.linspace(10, 510, 100), window=1.5)
    assert found.void == "only 66.7 of 100 requests/s were completed: the queue kept growing"


def test_a_schedule_that_was_given_up_is_void():
    found = judged([500.0, 900.0], scheduled=100, window=2.0)
    assert found.void.startswith("only 1 of 100 requests/s")


def test_a_single_slow_request_at_the_end_is_no_growing_queue():
    """Ten requests of 70 ms in one second; the last arrived just before the end, and nobody waited."""
    assert judged([70.0] * 10, rate=10.0, window=1.068).void == ""


def test_the_void_is_judged_by_the_schedule_and_not_by_its_expectation():
    """Poisson arrivals may be fewer than the rate says: the model is not to blame."""
    assert judged([5.0] * 80, scheduled=80).void == ""


def test_a_late_generator_is_void():
    assert judged([5.0] * 100, lateness_ms=[0.4] * 100).void == ""
    found = judged([5.0] * 100, lateness_ms=[0.6] * 100)
    assert found.void == "the generator itself was 0.6 ms late, too much beside a latency of 5 ms"
    assert judged([5.0] * 100, lateness_ms=[0.1] * 99 + [50.0]).void == ""
    assert judged([5.0] * 100, lateness_ms=[]).void == ""


def test_no_arrivals_is_a_point_without_percentiles():
    found = judged([], lateness_ms=[], window=0.0)
    assert (found.n, found.achieved, found.void, found.p50) == (0, 0.0, "", None)


def parts(*latencies_ms):
    return [openloop._Part(1.0, reply(values, window=1.5), 0.0) for values in latencies_ms]


def test_a_point_of_several_processes_has_the_interval_of_what_they_differ_by():
    """Their medians are 4 to 6 ms, while each of them answers alike."""
    medians = [4.0, 4.5, 5.0, 5.5, 6.0, 5.0]
    found = openloop._point(100.0, parts(*([ms + 0.001 * (n % 7) for n in range(100)] for ms in medians)))
    assert found.n == 600
    assert found.p50.low < 4.6
    assert found.p50.high > 5.4
    alone = openloop._point(100.0, parts([5.0 + 0.001 * (n % 7) for n in range(600)]))
    assert alone.p50.high == pytest.approx(5 * np.exp(1.96 * 0.16), rel=0.01)
    assert "one process per variant" in alone.p50.method


def test_a_rate_that_some_processes_keep_is_not_overload():
    growing, steady = np.linspace(10, 510, 100), [5.0] * 200
    assert openloop._point(100.0, parts(growing, growing, growing)).overloaded
    some = openloop._point(100.0, parts(growing, growing, steady))
    assert "the queue kept growing" in some.void
    assert not some.overloaded
    assert openloop._point(100.0, parts(growing, steady, steady)).void == ""


@pytest.mark.parametrize(
    ("seconds", "highest", "affordable", "sets"),
    [
        (3.5, 100, 99, 6),
        (1.0, 500, 99, 3),
        (0.8, 500, 99, 1),
        (3.5, 20, 99, 1),
        (60, 5, 99, 6),
        (9, 100, 4, 4),
    ],
)
def test_processes_share_a_point_where_each_has_time_for_its_queue(seconds, highest, affordable, sets):
    assert openloop._sets(seconds, highest, affordable) == sets


def test_highest_rate_within_the_limit():
    points = [point(10, 5.0), point(20, 8.0), point(30, 15.0)]
    assert highest_rate(points, 95, 10.0) is points[1]
    assert highest_rate(points[::-1], 95, 10.0) is points[1]
    assert highest_rate(points, 95, 4.0) is None
    assert highest_rate([], 95, 10.0) is None


def test_highest_rate_looks_at_the_whole_interval():
    points = [point(10, 5.0), point(20, 9.0, half=2.0)]
    assert highest_rate(points, 95, 10.0) is points[0]
    assert highest_rate(points, 95, 11.0) is points[1]


def test_rates_above_a_failing_one_do_not_count():
    assert highest_rate([point(10, 5.0), point(20, 15.0), point(30, 8.0)], 95, 10.0).offered == 10
    assert highest_rate([point(10, 5.0), point(20, 5.0, void="late"), point(30, 5.0)], 95, 10.0).offered == 10


def test_rates_with_too_few_requests_neither_pass_nor_fail():
    """A p99 needs 368 requests, which the lowest rates do not send."""
    assert highest_rate([point(10), point(20, 5.0), point(30, 15.0)], 95, 10.0).offered == 20
    assert highest_rate([point(10), point(20)], 95, 10.0) is None


def test_a_limit_is_reached_between_the_last_rate_that_keeps_it_and_the_first_that_breaks_it():
    points = [point(10, 5.0), point(20, 8.0), point(30, 10.0, half=2.0), point(40, 15.0), point(50, 20.0)]
    found = limit_rate(points, 95, 10.0)
    assert (found.value, found.low, found.high, found.unit) == (20, 20, 40, "inferences/s")


def test_overload_breaks_every_limit_and_a_late_generator_none():
    overload = LoadPoint(20, 15, {}, 100, "the queue kept growing", overloaded=True)
    assert limit_rate([point(10, 5.0), overload], 95, 10.0).high == 20
    late = point(20, 50.0, void="the generator was late")
    assert limit_rate([point(10, 5.0), late, point(30, 50.0)], 95, 10.0).high == 30


def test_a_limit_that_is_not_reached_has_no_rate():
    with pytest.raises(errors.NotEnoughSamples, match=r"surely kept a p95 of 10 ms"):
        limit_rate([point(10, 15.0), point(20, 20.0)], 95, 10.0)
    with pytest.raises(errors.NotEnoughSamples, match=r"surely broke a p95 of 10 ms"):
        limit_rate([point(10, 5.0), point(20, 9.0, half=2.0)], 95, 10.0)


def test_variants_of_one_load_need_different_names():
    for variants in ([], [Variant("a"), Variant("a", runtime=OpenVINO(requests=2))]):
        with pytest.raises(errors.OptionError, match="different names"):
            load_curves(variants, [10.0], seconds=1.0)


def test_only_the_wait_is_missing_from_the_time_that_the_runtime_reports():
    found = judged(np.linspace(10, 60, 100), served_ms=[10.0] * 100)
    assert found.served[95].value == 10.0
    assert found.p95.value > 50


def test_an_overloaded_point_says_so():
    assert judged(np.linspace(10, 510, 100), window=1.5).overloaded
    assert not judged([5.0] * 100, lateness_ms=[0.6] * 100).overloaded


@pytest.mark.parametrize(("rates", "seconds"), [([], 1), ([0], 1), ([10, -1], 1), ([10], 0), ([10], -1)])
def test_rates_and_lengths_that_measure_nothing(rates, seconds):
    with pytest.raises(errors.OptionError, match="above zero"):
        load_curve(Variant("a"), rates, seconds=seconds)


class Recorded(list):
    """What was asked of simulated workers, and the host that records it."""


@pytest.fixture
def requests():
    """What the worker was asked to serve, in order."""
    asked = Recorded()

    class Recording(SimulatedWorker):
        def load(self, slot=0):
            asked.append({"do": "load"})
            return super().load(slot)

        def first_call(self, slot=0):
            asked.append({"do": "check"})
            return super().first_call(slot)

        def ask(self, timeout, **request):
            asked.append(request)
            return super().ask(timeout, **request)

    machine = Machine(lambda _: 1e-4)
    asked.host = replace(machine.host, start=partial(Recording, machine))
    return asked


def test_points_are_offered_in_shuffled_order_and_come_back_sorted(requests):
    rates = [100.0, 50.0, 400.0, 200.0, 300.0]
    points = load_curves([Variant("a")], rates, seconds=0.1, seed=1, host=requests.host)["a"]
    assert [point.offered for point in points] == sorted(rates)
    offered = [request["rate"] for request in requests if request["do"] == "serve"]
    assert sorted(offered) == sorted(rates)
    assert offered not in (rates, sorted(rates), sorted(rates, reverse=True))
    assert len({request["seed"] for request in requests if request["do"] == "serve"}) == len(rates)
    # The outputs are looked at, and the model is warm before the first point.
    assert [request["do"] for request in requests[:4]] == ["load", "check", "block", "serve"]
    for found in points:
        assert found.n > 0


def test_variants_meet_the_same_arrivals_at_each_rate(requests):
    rates = [50.0, 100.0, 200.0]
    curves = load_curves([Variant("a"), Variant("twin")], rates, seconds=0.1, seed=1, host=requests.host)
    assert list(curves) == ["a", "twin"]
    assert all([found.offered for found in points] == rates for points in curves.values())
    served = [(request["rate"], request["seed"]) for request in requests if request["do"] == "serve"]
    assert served[::2] == served[1::2]  # one after the other
    assert len(set(served)) == len(rates)
    warm = [request["do"] for request in requests if request["do"] in ("block", "serve")]
    assert warm == ["block", "serve"] * (2 * len(rates))


def stalling(every, seconds):
    """A server that is instant and stalls on every n-th call."""

    def make():
        import time

        calls = [0]

        def call():
            calls[0] += 1
            if calls[0] % every == 0:
                time.sleep(seconds)

        return call

    return Variant.from_function("stalling", make)


def test_stalls_are_felt_by_those_who_arrive_meanwhile():
    """Stalls of 50 ms take 2 % of the calls and half of the time: in a closed loop the median is instant."""
    (found,) = load_curve(stalling(50, 0.05), [500.0], seconds=1.0)
    assert found.p95.value > 10
    assert found.served[95].value < 1  # what the model reports of itself


def test_a_server_that_cannot_keep_up_is_void():
    (found,) = load_curve(stalling(1, 0.02), [200.0], seconds=0.4)
    assert "the queue kept growing" in found.void
    assert found.achieved < 100
    assert highest_rate([found], 50, 1e9) is None


def test_a_variant_that_cannot_be_loaded():
    with pytest.raises(errors.ModelError, match=r"cannot be read|does not exist"):
        load_curve(Variant("missing", model="missing.xml"), [10.0], seconds=0.1)


def test_openvino_with_requests_in_flight(ir):
    variant = Variant(
        "two", model=ir, runtime=OpenVINO(requests=2, properties={"PERFORMANCE_HINT": "THROUGHPUT"})
    )
    with WorkerProcess(variant) as worker:
        worker.load()
        reply = worker.ask(60, do="serve", rate=200.0, seconds=0.5, seed=0, patience=60.0)
    assert len(reply["latencies_ns"]) == len(reply["served_ns"]) == reply["scheduled"] == 100
    assert min(reply["latencies_ns"] + reply["served_ns"]) > 0


def test_a_model_that_returns_nan_has_no_load_curve():
    def make():
        return lambda: [[float("nan"), 1.0]]

    with pytest.raises(errors.OutputError):
        load_curve(Variant.from_function("nan", make), [50.0], seconds=0.1)


def test_a_point_beside_a_competitor_decides_nothing():
    quiet, busy = (LoadPoint(10.0, 10.0, {}, 100, others_share=share) for share in (0.2, 0.4))
    assert quiet.disturbed == ""
    assert "others used 40 %" in busy.disturbed
