from __future__ import annotations

import itertools
import threading
import time

import pytest

from optguide.bench import loops as blocks


class Counter:
    """A callable that keeps the clock at its start and end."""

    def __init__(self, seconds=0.0):
        self.seconds = seconds
        self.calls = []

    def __call__(self):
        start = time.perf_counter_ns()
        if self.seconds:
            time.sleep(self.seconds)
        self.calls.append((start, time.perf_counter_ns()))


class ManualClock:
    """Time that only passes where a test says so."""

    def __init__(self, monkeypatch):
        self.now = 0
        monkeypatch.setattr(blocks.time, "perf_counter_ns", lambda: self.now)
        monkeypatch.setattr(blocks.time, "process_time_ns", lambda: 3 * self.now)

    def call(self, *milliseconds):
        """A callable that takes each of these durations in turn, the last one for ever."""
        durations = itertools.chain(milliseconds, itertools.repeat(milliseconds[-1]))

        def work():
            self.now += int(next(durations) * 1e6)

        return work


@pytest.fixture
def clock(monkeypatch):
    return ManualClock(monkeypatch)


def test_synchronous_block_of_known_durations(clock):
    block = blocks.synchronous(blocks.Turn([clock.call(50, 10)]), seconds=0.1, discard=0.03)
    assert block.latencies_ns == [10_000_000] * 10
    assert block.calls == 10
    assert block.wall_ns == 100_000_000
    assert block.cpu_ns == 300_000_000


def test_discarded_calls_leave_no_trace(clock):
    """Three slow calls after the switch fill the discarded time; none is in the block."""
    block = blocks.synchronous(blocks.Turn([clock.call(20, 20, 20, 5)]), seconds=0.05, discard=0.06)
    assert set(block.latencies_ns) == {5_000_000}
    assert block.wall_ns == 50_000_000


def test_at_least_one_call_is_discarded_and_one_is_timed(clock):
    block = blocks.synchronous(blocks.Turn([clock.call(1000, 500)]), seconds=0.001, discard=0.0)
    assert block.latencies_ns == [500_000_000]
    assert (block.calls, block.wall_ns) == (1, 500_000_000)


def test_lingering_goes_on_uncounted(clock):
    block = blocks.synchronous(blocks.Turn([clock.call(10)]), seconds=0.1, discard=0.0, linger=0.05)
    assert (block.calls, block.wall_ns) == (10, 100_000_000)
    assert clock.now == 10_000_000 + 100_000_000 + 50_000_000  # the discarded call, the window, the rest


def test_synchronous_block_on_the_real_clock():
    call = Counter(0.001)
    block = blocks.synchronous(blocks.Turn([call]), seconds=0.02, discard=0.005)
    assert block.calls == len(block.latencies_ns) >= 1
    assert sum(block.latencies_ns) == block.wall_ns >= 20_000_000
    assert len(call.calls) > block.calls
    assert min(block.latencies_ns) >= 1_000_000


def test_synchronous_block_takes_the_calls_in_turn(clock):
    order = []
    work = clock.call(10)
    calls = [lambda index=index: (order.append(index), work()) for index in range(3)]
    blocks.synchronous(blocks.Turn(calls), seconds=0.1, discard=0.0)
    assert order == [index % 3 for index in range(len(order))]


def test_a_block_goes_on_where_the_one_before_it_ended(clock):
    order = []
    work = clock.call(10)
    turn = blocks.Turn([lambda index=index: (order.append(index), work()) for index in range(7)])
    for _ in range(3):
        blocks.synchronous(turn, seconds=0.1, discard=0.0)
    assert order == [index % 7 for index in range(len(order))]
    assert len(order) == 33


def of_lengths(clock, *milliseconds):
    """Sets of different shapes: each takes a time of its own."""
    return blocks.Turn([clock.call(length) for length in milliseconds], varied=True)


def test_a_synchronous_block_of_varied_inputs_counts_whole_passes(clock):
    """Ending after 100 ms would leave out the long one of the second pass: 40 per second."""
    block = blocks.synchronous(of_lengths(clock, 10, 10, 10, 60), seconds=0.1, discard=0.0)
    assert block.calls == 8
    assert block.calls / (block.wall_ns / 1e9) == pytest.approx(4 / 0.09)


def test_a_pass_that_is_too_long_is_spread_over_blocks(clock):
    turn = of_lengths(clock, *[10] * 50, *[30] * 50)
    blocks_of_it = [blocks.synchronous(turn, seconds=0.1, discard=0.0) for _ in range(30)]
    assert all(block.wall_ns <= 230_000_000 for block in blocks_of_it)
    calls, wall = (sum(getattr(block, what) for block in blocks_of_it) for what in ("calls", "wall_ns"))
    assert calls / (wall / 1e9) == pytest.approx(50, rel=0.1)


@pytest.mark.parametrize("size", [1, 2, 3])
def test_an_asynchronous_block_of_varied_inputs_counts_whole_passes(clock, size):
    queue = FakeQueue(clock, size)
    block = blocks.asynchronous(queue, blocks.Turn("abcd", varied=True), seconds=0.1, discard=0.0)
    counted = queue.feeds[-block.calls :]
    assert len({counted.count(feed) for feed in "abcd"}) == 1


def test_cpu_time_counts_all_threads_of_the_process():
    def call():
        thread = threading.Thread(target=lambda: sum(range(200_000)))
        thread.start()
        thread.join()

    block = blocks.synchronous(blocks.Turn([call]), seconds=0.02, discard=0.0)
    assert block.cpu_ns > 0


def test_consecutive_discards_nothing(clock):
    assert blocks.consecutive([clock.call(90, 30, 10)], 4) == [90_000_000, 30_000_000, 10_000_000, 10_000_000]


class Request:
    latency = 0.0


class FakeQueue:
    """What is used of an ``AsyncInferQueue``, on manual time: one request completes every ``period`` ms."""

    def __init__(self, clock, size, period=10.0):
        self.clock, self.size, self.period = clock, size, int(period * 1e6)
        self.requests = [Request() for _ in range(size)]
        self.started = []  # (request, moment) in flight, oldest first
        self.idle = list(range(size))
        self.log, self.feeds, self.drained = [], [], None

    def __len__(self):
        return self.size

    def __getitem__(self, index):
        return self.requests[index]

    def get_idle_request_id(self):
        if not self.idle:
            index, moment = self.started.pop(0)
            self.clock.now += self.period
            self.requests[index].latency = (self.clock.now - moment) / 1e6
            self.idle.append(index)
        return self.idle[0]

    def start_async(self, feed):
        index = self.get_idle_request_id()
        self.idle.remove(index)
        self.started.append((index, self.clock.now))
        self.log.append((self.clock.now, len(self.started)))
        self.feeds.append(feed)

    def wait_all(self):
        self.drained = self.clock.now
        self.started.clear()


def test_asynchronous_block_opens_full_and_closes_before_it_drains(clock):
    queue = FakeQueue(clock, size=4)
    block = blocks.asynchronous(queue, blocks.Turn([]), seconds=0.2, discard=0.0)
    assert block.calls == 20
    assert block.wall_ns == 200_000_000
    assert queue.drained is not None
    timed = queue.log[-block.calls :]
    assert {in_flight for _, in_flight in timed} == {4}
    assert timed[-1][0] - timed[0][0] == 190_000_000


def test_asynchronous_rate_is_that_of_the_model(clock):
    """Two requests in flight, one completion every 5 ms: 200 per second, and each takes 10 ms."""
    block = blocks.asynchronous(
        FakeQueue(clock, size=2, period=5.0), blocks.Turn([]), seconds=0.1, discard=0.02
    )
    assert block.calls / (block.wall_ns / 1e9) == pytest.approx(200)
    assert set(block.latencies_ns) == {10_000_000}


def test_asynchronous_discard_is_a_duration(clock):
    queue = FakeQueue(clock, size=2)
    block = blocks.asynchronous(queue, blocks.Turn([]), seconds=0.01, discard=0.5)
    assert len(queue.log) - block.calls >= 50


def test_asynchronous_lingering_keeps_the_queue_full_uncounted(clock):
    queue = FakeQueue(clock, size=2)
    block = blocks.asynchronous(queue, blocks.Turn([]), seconds=0.1, discard=0.0, linger=0.05)
    assert (block.calls, block.wall_ns) == (10, 100_000_000)
    assert queue.drained == queue.log[0][0] + 20_000_000 + 100_000_000 + 50_000_000
    assert queue.log[-1][1] == 2


def test_asynchronous_block_has_at_least_one_call_and_latency_of_every_request(clock):
    block = blocks.asynchronous(
        FakeQueue(clock, size=3, period=2000.0), blocks.Turn([]), seconds=0.001, discard=0.0
    )
    assert block.calls == 3
    assert len(block.latencies_ns) == 3


class ClumpedQueue(FakeQueue):
    """Requests on two streams: two of them complete at the same moment, every ``period`` ms."""

    def get_idle_request_id(self):
        if not self.idle:
            self.clock.now += self.period
            for index, moment in self.started[:2]:
                self.requests[index].latency = (self.clock.now - moment) / 1e6
                self.idle.append(index)
            del self.started[:2]
        return self.idle[0]


@pytest.mark.parametrize("milliseconds", [15, 95, 100, 105])
@pytest.mark.parametrize("size", [2, 4])
def test_asynchronous_rate_is_right_where_requests_complete_in_clumps(clock, milliseconds, size):
    block = blocks.asynchronous(
        ClumpedQueue(clock, size), blocks.Turn([]), seconds=milliseconds / 1e3, discard=0.0
    )
    assert block.calls / block.wall_ns == pytest.approx(2 / 10e6)


def test_asynchronous_latencies_of_a_fast_model_are_sampled(clock):
    """Completions every 10 us: reading each latency would slow the loop, so every tenth is read."""
    block = blocks.asynchronous(
        FakeQueue(clock, size=2, period=0.01), blocks.Turn([]), seconds=0.01, discard=0.001
    )
    assert block.calls == 1000
    assert 90 <= len(block.latencies_ns) <= 130
    assert set(block.latencies_ns) == {20_000}


def test_sampled_latencies_are_of_all_sets(clock):
    """Every tenth of sets that repeat after ten would be the same one for ever."""
    queue = FakeQueue(clock, size=2, period=0.01)
    read = set()
    own = queue.get_idle_request_id

    def watched():
        index = own()
        if len(queue.feeds) > 200:
            read.add(queue.feeds[-1] if queue.feeds else None)
        return index

    queue.get_idle_request_id = watched
    started = queue.start_async
    queue.start_async = lambda feed: (
        setattr(queue, "get_idle_request_id", own),
        started(feed),
        setattr(queue, "get_idle_request_id", watched),
    )
    blocks.asynchronous(queue, blocks.Turn("abcdefghij", varied=True), seconds=0.01, discard=0.001)
    assert read == set("abcdefghij")


def test_asynchronous_feeds_take_turns(clock):
    queue = FakeQueue(clock, size=2)
    blocks.asynchronous(queue, blocks.Turn(["a", "b", "c"]), seconds=0.1, discard=0.0)
    assert queue.feeds == ["abc"[index % 3] for index in range(len(queue.feeds))]
    preset = FakeQueue(clock, size=2)
    blocks.asynchronous(preset, blocks.Turn([]), seconds=0.1, discard=0.0)
    assert set(preset.feeds) == {None}


def test_asynchronous_block_with_a_real_queue(ir):
    import openvino

    compiled = openvino.compile_model(ir, "CPU")
    queue = openvino.AsyncInferQueue(compiled, 2)
    finished = []
    queue.set_callback(lambda _request, _data: finished.append(1))
    block = blocks.asynchronous(queue, blocks.Turn([[next(_inputs(compiled))]]), seconds=0.02, discard=0.002)
    assert block.calls >= 1
    assert len(finished) >= block.calls + 4
    assert block.latencies_ns
    assert all(latency >= 0 for latency in block.latencies_ns)
    assert block.wall_ns >= 20_000_000
    assert block.cpu_ns > 0


def _inputs(compiled):
    import numpy

    for port in compiled.inputs:
        yield numpy.ones(port.shape, numpy.float32)
