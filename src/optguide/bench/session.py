"""Interleaved measurement: variants take turns in short blocks, in a new order every round.

Whatever the machine does for longer than a block, such as a change of clock frequency or another process
that runs for a second, meets all variants alike and cancels in their ratios. Each variant has a process of
its own, so none inherits another's thread pools, allocator state or environment.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace

import numpy as np

from optguide.bench.process import GRACE_SECONDS, WorkerProcess
from optguide.bench.progress import Update, reporting
from optguide.bench.result import Block, Series, SessionResult
from optguide.bench.variant import Variant, require_unique_names
from optguide.errors import OptGuideError, OptionError
from optguide.machine import OthersMeter, measuring_lock
from optguide.stats.comparison import paired_processes
from optguide.stats.estimate import MINIMUM_ROUNDS, median_of_rounds

__all__ = ["Budget", "measure"]

TWIN = " (A/A control)"

ROUNDS_BEFORE_STOPPING = 12
"""Precision is not asked before this many rounds: an interval of few rounds is narrow by luck too often."""

ROUNDS_PER_GENERATION = 3
"""Rounds after which workers are replaced, where they are and measuring has taken as long as loading."""

OVERTIME = 4.0
"""How many times its seconds the first six rounds or generations of a budget may take."""


@dataclass(frozen=True)
class Budget:
    """How long to measure and when to stop earlier.

    :param seconds: time for blocks, shared by all variants; loading comes on top.
    :param precision: stop once the interval of every variant's throughput ratio to the first, or of the rate
        of a single variant, has a half-width of at most this share.
    :param block: length of one turn in seconds.
    :param patience: seconds that the first six rounds or generations may take, if that is more than four
        times ``seconds``. Without them there is no interval at all, which some callers cannot do without.
    """

    seconds: float = 12.0
    precision: float = 0.02
    block: float = 0.2
    patience: float = 0.0

    def __post_init__(self) -> None:
        for what, value in (("budget", self.seconds), ("block", self.block), ("precision", self.precision)):
            if not value > 0:
                raise OptionError(f"A {what} of {value:g} measures nothing.", f"Use a {what} above zero.")

    @property
    def longest(self) -> float:
        """Seconds that the first six rounds or generations may take."""
        return max(OVERTIME * self.seconds, self.patience)


def measure(
    variants: Sequence[Variant],
    budget: Budget | None = None,
    *,
    control: bool = False,
    seed: int = 0,
    label: str = "measuring",
) -> SessionResult:
    """Measure variants against each other in one session.

    A variant that fails is reported in ``failures`` and the others are measured all the same.

    :param control: add a second worker of the first variant, the A/A control.
    :param seed: of the order of turns.
    :param label: what progress shows and what another process is told while this one holds the machine.
    :raises Busy: another measurement is running.
    :raises OptGuideError: every variant failed; the first one's error.
    """
    require_unique_names(variants, "A session")
    names = [variant.name for variant in variants]
    twin = names[0] + TWIN if control else None
    if twin in names:
        raise OptionError(f"{twin!r} is the name of the A/A control.", "Give the variant another name.")
    everyone = [*variants, variants[0].with_(twin)] if twin else list(variants)
    session = _Session(everyone, budget or Budget(), seed)
    with measuring_lock(label), reporting(label, session.budget.seconds) as update:
        session.run(update)
    if not session.series():
        raise next(session.failures[name] for name in session.variants if name in session.failures)
    return SessionResult(
        session.series(),
        session.failures,
        session.ended,
        session.spent,
        session.rounds,
        session.others_share(),
        twin,
    )


class _Session:
    """State of one run: who is alive, what was measured, how much is left."""

    def __init__(self, variants: Sequence[Variant], budget: Budget, seed: int) -> None:
        self.variants = {variant.name: variant for variant in variants}
        self.budget = budget
        self.random = np.random.default_rng(seed)
        self.workers: dict[str, WorkerProcess] = {}
        self.loaded: dict[str, Series] = {}
        self.blocks: dict[str, list[Block]] = {name: [] for name in self.variants}
        self.failures: dict[str, OptGuideError] = {}
        self.spent = 0.0
        self.rounds = 0
        self.generation = 0
        self.replaced = False
        self.others: list[float] = []
        # Six rounds have to fit: slow variants get shorter blocks, down to a single call.
        self.block = min(budget.block, budget.seconds / (MINIMUM_ROUNDS * len(variants)))

    def run(self, update: Update) -> None:
        """Measure with one set of workers, or with one after the other where loading is quick."""
        while self._goes_on():
            begun = time.perf_counter()
            with ExitStack() as stack:
                self._start(stack, update)
                load_seconds = time.perf_counter() - begun
                if self.generation == 0:
                    self._plan(load_seconds)
                meter = OthersMeter([os.getpid(), *(worker.pid for worker in self.workers.values())])
                meter.start()
                self._take_turns(load_seconds, update)
                self.others.append(meter.stop())
                self._remember_memory()
            self.generation += 1

    def _plan(self, load_seconds: float) -> None:
        """Where inference is short, two processes differ noticeably, and there loading is quick too."""
        self.replaced = (MINIMUM_ROUNDS - 1) * load_seconds <= self.budget.seconds
        if self.replaced:
            turns = ROUNDS_PER_GENERATION * MINIMUM_ROUNDS * len(self.variants)
            self.block = min(self.budget.block, self.budget.seconds / turns)

    def _goes_on(self) -> bool:
        """Whether another set of workers is due."""
        if self.generation == 0 or not self.alive():
            return self.generation == 0
        if not self.replaced:
            return False
        if self.generation < MINIMUM_ROUNDS:
            return self.spent < self.budget.longest
        return self.spent < self.budget.seconds and not self._precise()

    def alive(self) -> list[str]:
        """Variants that have not failed."""
        return [name for name in self.variants if name not in self.failures]

    def series(self) -> dict[str, Series]:
        """What is known of every variant that did not fail."""
        return {name: replace(self.loaded[name], blocks=tuple(self.blocks[name])) for name in self.alive()}

    @property
    def ended(self) -> str:
        """Why measuring stopped."""
        return "precision reached" if self._precise() else "budget spent"

    def others_share(self) -> float:
        """Mean over the generations, which are of about equal length."""
        known = [share for share in self.others if not math.isnan(share)]
        return sum(known) / len(known) if known else math.nan

    def _start(self, stack: ExitStack, update: Update) -> None:
        self.workers = {}
        # In a new order every time: what loading leaves behind must not always meet the same variant.
        for name in map(str, self.random.permutation(self.alive())):
            update(self.spent / self.budget.seconds, f"loading {name}")
            worker = None
            try:
                worker = stack.enter_context(WorkerProcess(self.variants[name]))
                reply = worker.load()
                outputs = self.loaded[name].outputs if name in self.loaded else worker.outputs()
                worker.warm_up()
            except OptGuideError as error:
                self.failures[name] = error
                if worker is not None:
                    worker.end()
                continue
            self.workers[name] = worker
            if name not in self.loaded:
                self.loaded[name] = Series.from_reply(self.variants[name], reply, outputs)

    def _take_turns(self, load_seconds: float, update: Update) -> None:
        rounds, spent = self.rounds, self.spent
        while self.alive():
            for name in map(str, self.random.permutation(self.alive())):
                update(self.spent / self.budget.seconds, f"{name}{self._so_far()}")
                self._turn(name)
            self.rounds += 1
            if self._enough(self.rounds - rounds, self.spent - spent, load_seconds):
                return

    def _enough(self, rounds: int, spent: float, load_seconds: float) -> bool:
        """Whether these workers have done their part, after ``rounds`` in ``spent`` seconds."""
        if self.replaced:
            part = self.budget.seconds / MINIMUM_ROUNDS
            return spent >= part or (rounds >= ROUNDS_PER_GENERATION and spent >= load_seconds)
        if rounds < MINIMUM_ROUNDS:
            return spent >= self.budget.longest
        return spent >= self.budget.seconds or self._precise()

    def _turn(self, name: str) -> None:
        start = time.perf_counter()
        try:
            reply = self.workers[name].ask(
                self.block + GRACE_SECONDS, do="block", seconds=self.block, discard=self.block / 10
            )
        except OptGuideError as error:
            self.failures[name] = error
            self.workers[name].end()  # its threads may still be busy, and the others go on
            return
        # A turn that failed is not counted: one that hung would have used up the budget of the others.
        self.spent += time.perf_counter() - start
        self.blocks[name].append(Block.from_reply(self.rounds, self.generation, reply))

    def _precise(self) -> bool:
        return self.rounds >= ROUNDS_BEFORE_STOPPING and self._widest() <= self.budget.precision

    def _widest(self) -> float:
        """The largest relative half-width of what readers will look at; infinite before six rounds."""
        taken = [self.blocks[name] for name in self.alive()]
        if not taken or len(taken[0]) < MINIMUM_ROUNDS:
            return math.inf
        first, *others = (np.array([block.seconds / block.calls for block in blocks]) for blocks in taken)
        generations = [block.generation for block in taken[0]]
        found = [
            paired_processes(first / other, generations, float(min(np.median(first), np.median(other))))
            for other in others
            if other.size == first.size
        ]
        return max(ratio.relative_half_width for ratio in found or [median_of_rounds(first, "s")])

    def _so_far(self) -> str:
        widest = self._widest()
        return f", interval so far ±{widest:.1%}" if math.isfinite(widest) else ""

    def _remember_memory(self) -> None:
        for name, worker in self.workers.items():
            if name in self.failures:
                continue
            try:
                peak = worker.ask(GRACE_SECONDS, do="memory")["peak_rss"]
            except OptGuideError:
                continue  # everything else of it has been measured
            known = self.loaded[name]
            self.loaded[name] = replace(known, peak_rss=max(peak, known.peak_rss))
