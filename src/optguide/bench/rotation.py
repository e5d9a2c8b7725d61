"""The rotation that every kind of session is written on: processes that take turns on one machine.

Whatever the machine does for longer than a turn, such as a change of clock frequency or another process that
runs for a second, meets all members of a rotation alike and cancels in their ratios. So members are started
and visited in an order that is drawn anew each time, and a member that fails is given up without ending the
others. The processes of a rotation can be replaced by fresh ones as often as a session wants: each set of
them is a *generation*.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import numpy as np

from optguide.bench.process import GRACE_SECONDS, WorkerProcess
from optguide.bench.progress import Update, reporting
from optguide.bench.variant import Variant
from optguide.errors import Failure, OptGuideError
from optguide.machine import OthersMeter, measuring_lock
from optguide.machine.cgroup import cores_here


@contextmanager
def _held(label: str, seconds: float) -> Iterator[Update]:
    with measuring_lock(label), reporting(label, seconds) as update:
        yield update


@dataclass(frozen=True)
class Host:
    """What a rotation needs of the machine that it runs on; tests put one in its place that is simulated.

    :param start: starts a process that will hold the given variants.
    :param clock: seconds from an arbitrary moment.
    :param held: keeps the machine for one measurement and shows its progress, given a label and the seconds
        it is expected to take.
    :param meter: makes a meter of what processes other than the given ones use.
    :param lanes: how many processes load at a time, while nothing is timed.
    """

    start: Callable[..., WorkerProcess] = WorkerProcess
    clock: Callable[[], float] = time.perf_counter
    held: Callable[[str, float], AbstractContextManager[Update]] = _held
    meter: Callable[[Sequence[int]], OthersMeter] = OthersMeter
    lanes: int = field(default_factory=cores_here)


THIS_MACHINE = Host()

Item = TypeVar("Item")


class Rotation:
    """Processes that take turns, and what became of them.

    :param processes: by the name of a member, the variants that its process holds.
    :param seed: seed for the orders in which members are started and visited.
    :param isolating: whether a member that fails is given up; otherwise its failure ends the session.
    :ivar workers: running processes of the present generation by member.
    :ivar failures: why a member was given up.
    :ivar peaks: largest resident memory of a member's processes in bytes.
    :ivar load_seconds: time that starting and loading the present generation takes, failures left out.
    """

    def __init__(
        self,
        processes: Mapping[str, Sequence[Variant]],
        *,
        seed: int = 0,
        isolating: bool = True,
        host: Host = THIS_MACHINE,
    ) -> None:
        self.isolating = isolating
        self.processes = {name: tuple(variants) for name, variants in processes.items()}
        self.host = host
        self.random = np.random.default_rng(seed)
        self._files = {name: _state_of_files(variants) for name, variants in self.processes.items()}
        self.workers: dict[str, WorkerProcess] = {}
        self.failures: dict[str, OptGuideError] = {}
        self.peaks: dict[str, int] = {}
        self.load_seconds = 0.0
        self._reverse: list[str] = []
        self._shares: list[float] = []
        self._update: Update = lambda done, activity: None

    @property
    def alive(self) -> list[str]:
        """Members that have not failed."""
        return [name for name in self.processes if name not in self.failures]

    @property
    def others_share(self) -> float:
        """Share of the machine's CPU (0 to 1) that other processes used while metered; NaN if unknown."""
        shares = [share for share in self._shares if not math.isnan(share)]
        return sum(shares) / len(shares) if shares else math.nan

    @contextmanager
    def held(self, label: str, seconds: float) -> Iterator[None]:
        """Keep the machine for this rotation and show its progress."""
        with self.host.held(label, seconds) as self._update:
            yield
        if not self.alive:
            raise next(self.failures[name] for name in self.processes)

    @contextmanager
    def generation(self, load: Callable[[str, WorkerProcess], None], *, done: float = 0.0) -> Iterator[None]:
        """Start a fresh process for every member, and end them all afterwards.

        On some machines processes that are started first stay slower as long as they live. So every other
        generation is started in a newly drawn order, and the one after it in the reverse of that order, in
        which such an effect has the opposite sign. What others use of the machine is metered in between, and
        the peak memory is noted at the end.

        :param load: prepares a member's process; where it fails, the member is given up.
        :param done: share of the session that is over, for the progress.
        """
        with ExitStack() as stack:
            self._load_all(load, stack, done)
            with self.metered():
                yield
            for name in self.alive:
                with suppress(OptGuideError):  # everything else of it has been measured
                    peak = self.workers[name].ask(GRACE_SECONDS, do="memory")["peak_rss"]
                    self.peaks[name] = max(peak, self.peaks.get(name, 0))

    def _load_all(self, load: Callable[[str, WorkerProcess], None], stack: ExitStack, done: float) -> None:
        """Start members in order, as many at a time as the host has lanes for.

        Only the waiting is left to threads: a worker ends with the thread that started it.
        """
        self.workers, seconds = {}, dict[str, float]()

        def finish(name: str, begun: float) -> None:
            with self.isolated(name):
                load(name, self.workers[name])
                seconds[name] = self.host.clock() - begun

        pending: set[Future[None]] = set()
        with ThreadPoolExecutor(self.host.lanes) as threads:
            try:
                for name in self._starting_order():
                    pending = _all_but(self.host.lanes - 1, pending)
                    self.report(done, f"loading {name}")
                    begun = self.host.clock()
                    with self.isolated(name):
                        self.workers[name] = stack.enter_context(self._started(name))
                        pending.add(threads.submit(finish, name, begun))
                _all_but(0, pending)
            except BaseException:
                for worker in self.workers.values():
                    worker.end()  # which ends the waiting for it, too
                raise
        self.load_seconds = max([*seconds.values(), sum(seconds.values()) / self.host.lanes])

    def _starting_order(self) -> list[str]:
        """Those that have not failed: in a new order, or in the reverse of the last one if that was new."""
        if self._reverse:
            order, self._reverse = [name for name in self._reverse if name in self.alive], []
        else:
            order = self.shuffled(self.alive)
            self._reverse = order[::-1]
        return order

    def _started(self, name: str) -> WorkerProcess:
        """A fresh process of a member.

        :raises Failure: a file that it reads is not the one that the processes before it have read.
        """
        variants = self.processes[name]
        if _state_of_files(variants) != self._files[name]:
            raise Failure(
                f"The model or the inputs of {name!r} were changed while they were measured.",
                "Measure again when nothing writes them any more.",
            )
        return self.host.start(*variants)

    @contextmanager
    def process(self, name: str) -> Iterator[WorkerProcess]:
        """One fresh process of a member for a single turn, metered."""
        with self._started(name) as worker:
            self.workers = {name: worker}
            with self.metered():
                yield worker

    @contextmanager
    def metered(self, *, overall: bool = True) -> Iterator[OthersMeter]:
        """Meter what others than the present workers use; the meter has its share afterwards.

        :param overall: whether it counts for :attr:`others_share`; a part of what is metered does not.
        """
        alive = [worker.pid for name, worker in self.workers.items() if name not in self.failures]
        with self.host.meter([os.getpid(), *alive]) as meter:
            yield meter
        if overall:
            self._shares.append(meter.share)

    def visit(self, turn: Callable[[str], object], *, done: float, doing: str = "{}") -> None:
        """Give every member that has not failed its turn, in a new order.

        :param turn: function of a member's name; where it fails, the member is given up.
        :param done: share of the session that is over, for the progress.
        :param doing: activity to show as progress, with ``{}`` for the member's name.
        """
        for name in self.shuffled(self.alive):
            self.report(done, doing.format(name))
            with self.isolated(name):
                turn(name)

    def shuffled(self, items: Sequence[Item]) -> list[Item]:
        """The items in a new order."""
        return [items[index] for index in self.random.permutation(len(items))]

    def report(self, done: float, doing: str) -> None:
        """Show which share of the session is over, and in a few words what is running."""
        self._update(done, doing)

    @contextmanager
    def isolated(self, name: str) -> Iterator[None]:
        """Give up a member if this fails, and end its process, whose threads would disturb the others."""
        try:
            yield
        except OptGuideError as error:
            if not self.isolating:
                raise
            self.failures[name] = error
            if name in self.workers:
                self.workers[name].end()


def _state_of_files(variants: Sequence[Variant]) -> list[tuple[int, int, int]]:
    """What tells whether a file that variants read has been changed; nothing of what is no file."""
    models = [Path(variant.model) for variant in variants]
    weights = [model.with_suffix(".bin") for model in models if model.suffix.lower() == ".xml"]
    inputs = [Path(file) for variant in variants for file in variant.inputs]
    states = [file.stat() for file in (*models, *weights, *inputs) if file.is_file()]
    return [(state.st_ino, state.st_size, state.st_mtime_ns) for state in states]


def _all_but(count: int, pending: set[Future[None]]) -> set[Future[None]]:
    """Wait until only ``count`` are pending; an error of one of the others is raised."""
    while len(pending) > count:
        finished, pending = wait(pending, return_when=FIRST_COMPLETED)
        for future in finished:
            future.result()
    return pending
