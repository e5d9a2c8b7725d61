"""The timed loops: blocks of closed-loop calls.

A block is short, so that variants can take turns within the same seconds. Its first calls are
discarded: after another variant's turn the caches hold that one's weights. How long is a duration and at
least one call, because a large model recovers in one and a tiny one needs hundreds.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

__all__ = ["TimedBlock", "asynchronous", "consecutive", "synchronous"]

# Reading a request's latency takes a few microseconds of the loop's own time; sampling it at most once in
# this interval keeps the loop from slowing a model whose inference is as short as that.
LATENCY_SAMPLING_NS = 100_000


@dataclass
class TimedBlock:
    """What one block measured.

    :ivar latencies_ns: of single inferences, in nanoseconds; all of them, or a regular sample.
    :ivar wall_ns: length of the timed window in nanoseconds.
    :ivar cpu_ns: CPU time of this process, all threads, in the same window.
    :ivar calls: inferences completed in the window.
    """

    latencies_ns: list[int] = field(default_factory=list)
    wall_ns: int = 0
    cpu_ns: int = 0
    calls: int = 0


def synchronous(
    calls: Sequence[Callable[[], Any]], seconds: float, discard: float, linger: float = 0.0
) -> TimedBlock:
    """Call one after another for ``seconds``, at least once, after ``discard`` seconds that do not count.

    :param linger: seconds to go on calling for afterwards, uncounted: whoever measures at the same time has
        this one's company to the end.
    """
    turn = itertools.cycle(calls)
    clock = time.perf_counter_ns
    ready = clock() + int(discard * 1e9)
    next(turn)()
    while clock() < ready:
        next(turn)()
    cpu = time.process_time_ns()
    start = clock()
    end = start + int(seconds * 1e9)
    stamps = [start]
    while stamps[-1] < end:
        call = next(turn)
        call()
        stamps.append(clock())
    cpu = time.process_time_ns() - cpu
    leave = clock() + int(linger * 1e9)
    while clock() < leave:
        next(turn)()
    latencies = [b - a for a, b in itertools.pairwise(stamps)]
    return TimedBlock(latencies, stamps[-1] - start, cpu, len(latencies))


def consecutive(calls: Sequence[Callable[[], Any]], count: int) -> list[int]:
    """Durations of the very next ``count`` calls in nanoseconds, nothing discarded."""
    turn = itertools.cycle(calls)
    durations = []
    for _ in range(count):
        call = next(turn)
        start = time.perf_counter_ns()
        call()
        durations.append(time.perf_counter_ns() - start)
    return durations


def asynchronous(
    queue: Any, feeds: Sequence[Any], seconds: float, discard: float, linger: float = 0.0
) -> TimedBlock:
    """Keep every request of an ``AsyncInferQueue`` in flight for ``seconds``.

    The window opens when the queue is full and closes before it drains, so each start in it stands for
    one completion: ``calls`` divided by the window is the steady-state rate. Requests on several streams
    complete in clumps, and a window that ends within one would miss the rest of it; so the calls are a
    multiple of the queue's size, and the window ends where it began in the sequence of requests.

    A latency is the time from start to completion as the runtime reports it.

    :param feeds: input sets handed over with each start; empty when they were set beforehand.
    :param linger: as for :func:`synchronous`.
    """
    turn = itertools.cycle(feeds) if feeds else itertools.repeat(None)
    clock = time.perf_counter_ns
    begun, fill = clock(), 0
    while fill < 2 * len(queue) or clock() - begun < discard * 1e9:
        queue.start_async(next(turn))
        fill += 1
    every = max(1, LATENCY_SAMPLING_NS // max(1, (clock() - begun) // fill))
    latencies: list[int] = []
    cpu = time.process_time_ns()
    start = now = clock()
    end = start + int(seconds * 1e9)
    calls = 0
    while now < end or calls % len(queue):
        if calls % every == 0:
            latencies.append(int(queue[queue.get_idle_request_id()].latency * 1e6))
        queue.start_async(next(turn))
        calls += 1
        now = clock()
    cpu = time.process_time_ns() - cpu
    leave = clock() + int(linger * 1e9)
    while clock() < leave:
        queue.start_async(next(turn))
    queue.wait_all()
    return TimedBlock(latencies, now - start, cpu, calls)
