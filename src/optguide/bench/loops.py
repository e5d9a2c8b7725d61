"""The timed loops of a worker.

The closed loop calls a model again as soon as it has answered, in short blocks, so that variants can take
turns within seconds. The first calls of a block are discarded, because after another variant's turn the
caches hold that one's weights. What is discarded is a length of time and at least one call: a large model
recovers in one, and a tiny one needs hundreds.

In the open loop, requests arrive when the schedule says so, however busy the model is. Latency counts from
the *scheduled* arrival. Counting from the moment a request was sent would leave out the wait of everything
that queued behind a slow inference (coordinated omission; G. Tene, "How NOT to Measure Latency", 2013).
"""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

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
    """Input sets one after another, without end; a block continues where the previous one stopped.

    Sets of different shapes take different times. A block that stopped anywhere would measure whatever mix
    of sets it reached, and a slow variant would get another mix than a fast one. So blocks count whole passes
    over the sets, unless a pass takes too long.

    :param sets: whatever one call or one start is given.
    :param varied: whether their shapes differ.
    """

    def __init__(self, sets: Sequence[Any], *, varied: bool = False) -> None:
        self._sets = itertools.cycle(sets) if sets else itertools.repeat(None)
        self.whole = max(1, len(sets)) if varied else 1
        """Calls of one pass over the sets; 1 where all have the same shapes."""

    def __next__(self) -> Any:
        return next(self._sets)


def synchronous(turn: Turn, seconds: float, discard: float, linger: float = 0.0) -> TimedBlock:
    """Call one after another for ``seconds``, at least once, after ``discard`` seconds that do not count.

    :param turn: callables without parameters. To complete a pass the block takes up to twice its time.
    :param linger: seconds to go on calling for afterwards, uncounted, so that what is measured at the same
        time has company to its end.
    """
    clock = time.perf_counter_ns
    ready = clock() + int(discard * 1e9)
    next(turn)()
    while clock() < ready:
        next(turn)()
    cpu = time.process_time_ns()
    start, end, latest = _window(seconds)
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


def _window(seconds: float) -> tuple[int, int, int]:
    """Start of a block, now; its end, and its end at the latest, where it completes a pass."""
    start = time.perf_counter_ns()
    return start, start + int(seconds * 1e9), start + int(LONGEST * seconds * 1e9)


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

    :param turn: endless arguments of the starts: an input set, or nothing where they were set
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
    start, end, latest = _window(seconds)
    now, calls = start, 0
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


@dataclass
class Arrivals:
    """What happened to the requests of one schedule; nanoseconds, one entry per request that was sent.

    :ivar scheduled: arrivals in the schedule.
    :ivar latencies_ns: from the scheduled arrival to completion.
    :ivar served_ns: of the same requests, from the start of the inference to completion, as the runtime
        reports it: the wait for a free infer request is left out.
    :ivar lateness_ns: how late the generator itself woke up; only where it had been waiting for the arrival.
    :ivar window_ns: from the start of the schedule to the last completion.
    """

    scheduled: int
    latencies_ns: list[int]
    served_ns: list[int]
    lateness_ns: list[int]
    window_ns: int


def poisson(rate: float, seconds: float, seed: int) -> list[int]:
    """Arrival times of a Poisson process in nanoseconds from its start, seeded.

    The number of arrivals is the expected one, and given their number the arrivals of a Poisson process are
    independent and uniform (W. Feller, vol. II, I.3). A drawn number would put a short schedule several per
    cent beside the rate, which near capacity decides whether a queue lasts or drains.
    """
    count = round(rate * seconds)
    times = np.random.default_rng(seed).uniform(0, seconds * 1e9, count)
    return sorted(int(at) for at in times)


def serve(
    queue: Any,
    calls: Sequence[Callable[[], Any]],
    feeds: Sequence[Any],
    schedule: Sequence[int],
    patience: float,
) -> Arrivals:
    """Send each request at its time and wait for the last to complete.

    :param queue: an ``AsyncInferQueue``, or ``None`` for one synchronous server.
    :param calls: used in turn without a queue.
    :param feeds: input sets used in turn with a queue; empty when they were set beforehand.
    :param patience: seconds after which the rest of the schedule is given up.
    """
    clock = time.perf_counter_ns
    done: dict[int, int] = {}
    served: dict[int, int] = {}

    def completed(request: Any, index: int) -> None:
        done[index] = clock()
        served[index] = int(request.latency * 1e6)  # in milliseconds

    if queue is not None:
        queue.set_callback(completed)
    lateness: list[int] = []
    start = clock()
    give_up = start + int(patience * 1e9)
    for index, at in enumerate(schedule):
        due = start + at
        now = clock()
        if now > give_up:
            break
        if now < due:
            time.sleep((due - now) / 1e9)
            lateness.append(clock() - due)
        if queue is None:
            begun = clock()
            calls[index % len(calls)]()
            done[index] = clock()
            served[index] = done[index] - begun
        else:
            queue.start_async(feeds[index % len(feeds)] if feeds else None, userdata=index)
    if queue is not None:
        queue.wait_all()
    sent = sorted(done)
    return Arrivals(
        scheduled=len(schedule),
        latencies_ns=[done[index] - start - schedule[index] for index in sent],
        served_ns=[served[index] for index in sent],
        lateness_ns=lateness,
        window_ns=max(done.values(), default=start) - start,
    )
