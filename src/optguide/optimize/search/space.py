"""Which deployments are worth trying.

OpenVINO's hint for the goal is where the search begins: it is right or nearly right for most models. What it
does not decide is the batch, and what it decides without knowing the model are streams, threads and requests.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import NamedTuple

from optguide.bench.streams import Setting
from optguide.optimize.candidate import Deployment, Goal

BATCHES = (4, 16, 64)
"""Inputs per inference to try: what a batch saves per input is nearly all saved at the first of them."""


class Place(NamedTuple):
    """A deployment as numbers.

    :param requests: in flight per stream; zero is synchronous.
    """

    streams: int
    threads: int
    requests: int
    batch: int


@dataclass(frozen=True)
class Space:
    """Deployments to try, the most promising first.

    :param deployments: OpenVINO's default, the hint for the goal, and settings in place of the hint's.
    :param own: streams and threads that the device chooses under the hint.
    """

    deployments: tuple[Deployment, ...]
    own: Setting

    def place(self, deployment: Deployment) -> Place:
        """Where it lies, with the device's choice where none is made."""
        streams = deployment.streams or self.own.streams
        threads = deployment.threads or self.own.threads
        requests = 0 if deployment.requests is None else max(1, deployment.requests // streams)
        return Place(streams, threads, requests, deployment.batch or 1)


def space_of(goal: Goal, *, streams: int, threads: int, processors: int, batchable: bool = False) -> Space:
    """What to try for a goal on this machine.

    Settings that the device would reduce (more streams than threads, more threads than processors) and those
    that it chooses by itself are left out.

    :param streams: number of streams that the device chooses under the hint for the goal.
    :param threads: number of threads that it chooses, for all streams together.
    :param processors: number of logical processors that OpenVINO may use.
    :param batchable: whether the batch of the model can be changed.
    """
    own = Setting(streams, threads)
    if goal == "latency":
        return Space(tuple(dict.fromkeys(_for_latency(own, processors))), own)
    return Space(tuple(dict.fromkeys(_for_throughput(own, processors, batchable))), own)


def _for_latency(own: Setting, processors: int) -> list[Deployment]:
    """One inference at a time: all that can differ is how many threads share it."""
    threads = _steps(processors)
    near = sorted(threads, key=lambda number: abs(math.log2(number / own.threads)))
    others = [Deployment(streams=1, threads=number) for number in near if Setting(1, number) != own]
    return [Deployment(), Deployment(hint="LATENCY"), *others]


def _for_throughput(own: Setting, processors: int, batchable: bool) -> list[Deployment]:
    threads = {own.threads, processors, max(1, processors // 2)}
    settings = {own} | {
        Setting(streams, number) for number in threads for streams in _steps(number) if streams <= number
    }
    batches = (None, *BATCHES) if batchable else (None,)
    choices = itertools.product(settings, (False, True), batches)

    def surprise(choice: tuple[Setting, bool, int | None]) -> tuple[float, ...]:
        """How many choices differ from the hint's, then how far."""
        setting, twice, batch = choice
        streams, threads = setting.streams / own.streams, setting.threads / own.threads
        changes = (streams != 1) + (threads != 1) + twice + (batch is not None)
        return changes, abs(math.log2(streams)) + abs(math.log2(threads)), batch or 0, streams

    hint = Deployment(hint="THROUGHPUT", requests=0)
    return [Deployment(), hint, *(_asynchronous(own, *choice) for choice in sorted(choices, key=surprise))]


def _asynchronous(own: Setting, setting: Setting, twice: bool, batch: int | None) -> Deployment:
    """The hint where it would choose this setting itself, and otherwise the setting."""
    requests = 2 * setting.streams if twice else 0
    if setting == own:
        return Deployment(hint="THROUGHPUT", requests=requests, batch=batch)
    return Deployment(streams=setting.streams, threads=setting.threads, requests=requests, batch=batch)


def _steps(largest: int) -> list[int]:
    """Powers of two up to a number, and the number itself."""
    return sorted({largest, *(2**step for step in range(largest.bit_length()) if 2**step <= largest)})
