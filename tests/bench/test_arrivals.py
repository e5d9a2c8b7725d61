from __future__ import annotations

import threading
import time
from types import SimpleNamespace

import numpy as np
import pytest
from scipy import stats

from optguide.bench.loops import poisson, serve

MS = 1_000_000


class ThreadedQueue:
    """A stand-in for ``AsyncInferQueue`` with one request in flight that takes ``seconds``."""

    def __init__(self, seconds):
        self.seconds, self.callback, self.feeds, self.thread = seconds, None, [], None

    def set_callback(self, callback):
        self.callback = callback

    def start_async(self, feed, userdata):
        self.wait_all()
        self.feeds.append(feed)
        self.thread = threading.Thread(target=self._work, args=(userdata,))
        self.thread.start()

    def _work(self, index):
        time.sleep(self.seconds)
        self.callback(SimpleNamespace(latency=self.seconds * 1e3), index)

    def wait_all(self):
        if self.thread is not None:
            self.thread.join()


def test_schedule_is_poisson():
    rate, seconds = 500.0, 40.0
    times = np.array(poisson(rate, seconds, seed=3)) / 1e9
    assert times[0] > 0
    assert times[-1] < seconds
    assert stats.kstest(np.diff(times), stats.expon(scale=1 / rate).cdf).pvalue > 0.01
    counts = np.histogram(times, bins=400, range=(0, seconds))[0]
    assert counts.var() / counts.mean() == pytest.approx(1, abs=0.25)  # even gaps would give 0
    assert abs(np.corrcoef(np.diff(times)[1:], np.diff(times)[:-1])[0, 1]) < 0.03


def test_schedule_is_seeded():
    assert poisson(100, 1, seed=1) == poisson(100, 1, seed=1)
    assert poisson(100, 1, seed=1) != poisson(100, 1, seed=2)


def test_even_a_short_schedule_offers_its_rate():
    """No arrivals are missing at its end either."""
    assert [len(poisson(rate, 1.5, seed=0)) for rate in (0.2, 2, 333.0, 334)] == [0, 3, 500, 501]
    ends = [poisson(2.0, 1.0, seed)[-1] / 1e9 for seed in range(400)]
    assert stats.kstest(ends, lambda x: np.asarray(x) ** 2).pvalue > 0.01  # the later of two uniform times


def test_a_stall_shows_in_every_arrival_that_waited_behind_it():
    """Ten arrivals 2 ms apart, the first takes 50 ms: the others wait for what is left of it."""
    durations = iter([0.05] + [0.0] * 9)
    schedule = [2 * MS * index for index in range(10)]
    arrivals = serve(None, [lambda: time.sleep(next(durations))], [], schedule, patience=60.0)
    assert arrivals.scheduled == 10
    assert len(arrivals.latencies_ns) == 10
    for index, latency in enumerate(arrivals.latencies_ns):
        assert latency >= 50 * MS - 2 * MS * index
    assert arrivals.served_ns[0] >= 50 * MS
    assert sum(arrivals.served_ns) <= arrivals.window_ns  # waiting is no part of it, or it would be much more
    assert arrivals.window_ns >= 50 * MS


def test_a_stall_in_a_queue_shows_too():
    schedule = [MS * index for index in range(4)]
    queue = ThreadedQueue(0.02)
    arrivals = serve(queue, [], ["a", "b"], schedule, patience=60.0)
    for index, latency in enumerate(arrivals.latencies_ns):
        assert latency >= 20 * MS * (index + 1) - MS * index
    assert queue.feeds == ["a", "b", "a", "b"]
    assert arrivals.served_ns == [20 * MS] * 4  # as the queue reports it


def test_no_request_is_sent_before_its_time():
    sent = []
    schedule = [5 * MS, 20 * MS, 21 * MS]
    start = time.perf_counter_ns()
    arrivals = serve(None, [lambda: sent.append(time.perf_counter_ns())], [], schedule, patience=60.0)
    assert all(moment - start >= at for moment, at in zip(sent, schedule, strict=True))
    assert all(late >= 0 for late in arrivals.lateness_ns)
    assert len(arrivals.lateness_ns) >= 1


def test_lateness_is_only_that_of_the_generator():
    """Arrivals that were due while the model was busy say nothing about the generator."""
    durations = iter([0.05] + [0.0] * 4)
    arrivals = serve(None, [lambda: time.sleep(next(durations))], [], [0, MS, 2 * MS, 3 * MS, 4 * MS], 60.0)
    assert len(arrivals.lateness_ns) <= 1


def test_a_hopeless_schedule_is_given_up():
    """100 arrivals at once, 10 ms each, patience for about five."""
    arrivals = serve(None, [lambda: time.sleep(0.01)], [], [0] * 100, patience=0.05)
    assert arrivals.scheduled == 100
    assert 1 <= len(arrivals.latencies_ns) <= 6
    assert len(arrivals.latencies_ns) < arrivals.scheduled


def test_an_empty_schedule():
    arrivals = serve(None, [lambda: None], [], [], patience=1.0)
    assert (arrivals.scheduled, arrivals.latencies_ns, arrivals.window_ns) == (0, [], 0)


def test_calls_take_turns():
    order = []
    calls = [lambda index=index: order.append(index) for index in range(3)]
    serve(None, calls, [], [0] * 7, patience=60.0)
    assert order == [0, 1, 2, 0, 1, 2, 0]


def test_a_real_queue(ir):
    import openvino

    compiled = openvino.compile_model(ir, "CPU")
    queue = openvino.AsyncInferQueue(compiled, 2)
    feed = [np.ones(port.shape, np.float32) for port in compiled.inputs]
    schedule = poisson(500, 0.1, seed=0)
    arrivals = serve(queue, [], [feed], schedule, patience=60.0)
    assert len(arrivals.latencies_ns) == len(schedule) == arrivals.scheduled
    assert min(arrivals.latencies_ns) > 0
    assert len(arrivals.served_ns) == len(schedule)
    assert min(arrivals.served_ns) > 0
    assert arrivals.window_ns >= schedule[-1]
