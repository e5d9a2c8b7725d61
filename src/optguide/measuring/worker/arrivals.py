"""The open loop: requests arrive when the schedule says so, however busy the model is.

Latency counts from the *scheduled* arrival. Counting from the moment a request was sent would leave out
the wait of everything that queued behind a slow inference (coordinated omission; G. Tene, "How NOT to
Measure Latency", 2013).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["Arrivals", "poisson", "serve"]


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

    :param rate: mean arrivals per second.
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
