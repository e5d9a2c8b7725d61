"""The timed loops: blocks of closed-loop calls.

A block is short, so that variants can take turns within the same seconds. Its first calls are
discarded: after another variant's turn the caches hold that one's weights. How long is a duration and at
least one call, because a large model recovers in one and a tiny one needs hundreds.
"""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

__all__ = ["TimedBlock", "Turn", "asynchronous", "consecutive", "synchronous"]

# Reading a request's latency takes a few microseconds of the loop's own time; sampling it at most once in
# this interval keeps the loop from slowing a model whose inference is as short as that.
LATENCY_SAMPLING_NS = 100_000

LONGEST = 2.0
"""How many times its time a block may take to complete a pass of its input sets."""


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


class Turn(Iterator[Any]):
    """Input sets one after another, for ever; a block goes on where the block before it ended.

    Sets of different shapes take different times. A block that ends anywhere would have measured the mix of
    sets that it happened to reach, and a slow variant another mix than a fast one. So it counts whole passes
    where a pass is not too long.

    :param sets: whatever one call or one start is given.
    :param varied: whether their shapes differ.
    """

    def __init__(self, sets: Sequence[Any], *, varied: bool = False) -> None:
        self._sets = itertools.cycle(sets) if sets else itertools.repeat(None)
        self.whole = max(1, len(sets)) if varied else 1
        """How many make a whole: one where all are alike."""

    def __next__(self) -> Any:
        return next(self._sets)


def synchronous(turn: Turn, seconds: float, discard: float, linger: float = 0.0) -> TimedBlock:
    """Call one after another for ``seconds``, at least once, after ``discard`` seconds that do not count.

    :param turn: of callables without parameters. To complete a pass the block takes up to twice its time.
    :param linger: seconds to go on calling for afterwards, uncounted: whoever measures at the same time has
        this one's company to the end.
    """
    clock = time.perf_counter_ns
    ready = clock() + int(discard * 1e9)
    next(turn)()
    while clock() < ready:
        next(turn)()
    cpu = time.process_time_ns()
    start = clock()
    end, latest = start + int(seconds * 1e9), start + int(LONGEST * seconds * 1e9)
    stamps = [start]
    while stamps[-1] < end or ((len(stamps) - 1) % turn.whole and stamps[-1] < latest):
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


def asynchronous(queue: Any, turn: Turn, seconds: float, discard: float, linger: float = 0.0) -> TimedBlock:
    """Keep every request of an ``AsyncInferQueue`` in flight for ``seconds``.

    The window opens when the queue is full and closes before it drains, so each start in it stands for
    one completion: ``calls`` divided by the window is the steady-state rate. Requests on several streams
    complete in clumps, and a window that ends within one would miss the rest of it; so the calls are a
    multiple of the queue's size, and the window ends where it began in the sequence of requests.

    A latency is the time from start to completion as the runtime reports it.

    :param turn: of what is handed over with each start: an input set, or nothing where they were set
        beforehand. To complete a pass the block takes up to twice its time.
    :param linger: as for :func:`synchronous`.
    """
    clock = time.perf_counter_ns
    begun, fill = clock(), 0
    while fill < 2 * len(queue) or clock() - begun < discard * 1e9:
        queue.start_async(next(turn))
        fill += 1
    every = max(1, LATENCY_SAMPLING_NS // max(1, (clock() - begun) // fill))
    while math.gcd(every, turn.whole) > 1:  # else some sets would never be read
        every += 1
    latencies: list[int] = []
    cpu = time.process_time_ns()
    start = now = clock()
    end, latest = start + int(seconds * 1e9), start + int(LONGEST * seconds * 1e9)
    calls = 0
    while now < end or calls % len(queue) or (calls % turn.whole and now < latest):
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
