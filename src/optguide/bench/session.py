"""Interleaved measurement: variants take turns in short blocks, in a new order every round.

Each variant has a process of its own, so none inherits another's thread pools, allocator state or
environment. Two processes of the same variant differ too, and where loading is quick a session replaces its
processes and measures several of each variant.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from optguide.bench.budget import Budget, Plan, Spent
from optguide.bench.process import GRACE_SECONDS, WorkerProcess
from optguide.bench.result import TWIN, SessionResult
from optguide.bench.rotation import THIS_MACHINE, Host, Rotation
from optguide.bench.series import Block, Series
from optguide.bench.validity import RoundConditions, spoiling
from optguide.bench.variant import Variant, require_unique_names
from optguide.errors import NotEnoughSamples, OptGuideError, OptionError
from optguide.stats.estimate import MINIMUM_PROCESSES, MINIMUM_ROUNDS

__all__ = ["Budget", "measure"]

DISCARD = 0.1
"""Share of a block that is called before its timed window."""

EXTENSION = 2.0
"""How many times its budget a session with open questions may take, where others have saved the time."""


def measure(
    variants: Iterable[Variant],
    budget: Budget | None = None,
    *,
    control: bool = False,
    seed: int = 0,
    label: str = "measuring",
    host: Host = THIS_MACHINE,
) -> SessionResult:
    """Measure variants against each other in one session.

    A variant that fails is reported in ``failures`` and the others are measured all the same.

    :param control: add a second worker of the first variant, the A/A control.
    :param seed: seed for the order of turns.
    :param label: activity shown as progress and to other processes that wait for the machine.
    :param host: where the workers run.
    :raises Busy: another measurement is running.
    :raises OptGuideError: every variant failed; the first one's error.
    """
    measured = list(variants)
    require_unique_names(measured, "A session")
    names = [variant.name for variant in measured]
    twin = names[0] + TWIN if control else None
    if twin in names:
        raise OptionError(f"{twin!r} is the name of the A/A control.", "Give the variant another name.")
    everyone = [*measured, measured[0].with_(twin)] if twin else measured
    processes = {variant.name: (variant,) for variant in everyone}
    return ClosedLoop(
        [Member(name, (name,), (name,), {"do": "block"}) for name in processes],
        processes,
        budget or Budget(),
        compared=tuple(processes),
        twin=twin,
        seed=seed,
        host=host,
    ).run(label)


@dataclass(frozen=True)
class Member:
    """What has one turn in a round: a process, or several that are called at the same time.

    :param results: names of the results, one for each variant of the processes, in their order.
    :param processes: names of the processes.
    :param request: the block that each of them is asked for, without its length.
    :param linger: share of a block that is called after the timed window.
    """

    name: str
    results: tuple[str, ...]
    processes: tuple[str, ...]
    request: Mapping[str, Any]
    linger: float = 0.0


class ClosedLoop:
    """One session: members take turns, with one set of processes after the other.

    :param processes: variants by process; one that fails takes its members with it.
    :param compared: results whose ratios to the first are to become as narrow as the budget asks; of none,
        the whole budget is spent.
    """

    def __init__(
        self,
        members: Sequence[Member],
        processes: Mapping[str, Sequence[Variant]],
        budget: Budget,
        *,
        compared: Sequence[str] = (),
        twin: str | None = None,
        seed: int = 0,
        host: Host = THIS_MACHINE,
    ) -> None:
        self.members, self.budget, self.compared, self.twin = members, budget, compared, twin
        self.rotation = Rotation(processes, seed=seed, host=host)
        self.plan = Plan(budget, 0.0, len(members))
        self.spent = Spent()
        self.ended = "budget spent"
        self.widest = math.inf
        self.loaded: dict[str, list[Series]] = {}
        self.blocks: dict[str, list[Block]] = {name: [] for member in members for name in member.results}
        self.conditions: list[RoundConditions] = []

    def run(self, label: str) -> SessionResult:
        """Measure until the plan is fulfilled."""
        questions = self.budget.questions
        with self.rotation.held(label, self.budget.seconds):
            self._generation()
            while self._alive() and (
                self.plan.wants_generation(self.spent, answered=self._answered()) or self._extended()
            ):
                self.ended = "budget spent"
                self._generation()
        left = self.budget.seconds - self.spent.seconds
        if questions and self.ended != "budget spent" and left > 0:
            questions.save(left)
        return self.result()

    def result(self, *, interim: bool = False) -> SessionResult:
        """What was measured of every member that did not fail."""
        spent, spoiled = self.spent, spoiling(self.conditions)
        series = {
            name: replace(
                loaded,
                blocks=tuple(block for block in self.blocks[name] if block.round not in spoiled.rounds),
                peak_rss=self.rotation.peaks.get(process, 0),
            )
            for member in self._alive()
            for name, (process, loaded) in zip(member.results, self._loaded(member), strict=True)
        }
        failures = {
            name: error
            for member in self.members
            if (error := self._failure(member))
            for name in member.results
        }
        if not series:
            raise next(iter(failures.values()))
        return SessionResult(
            series,
            failures,
            self.ended,
            spent.measuring,
            spent.rounds - len(spoiled.rounds),
            self.rotation.others_share,
            self.twin,
            alone=all(len(member.results) == 1 for member in self.members),
            spoiled=len(spoiled.rounds),
            competitor=spoiled.competitor,
            shortage=self.plan.shortage(spent),
            interim=interim,
        )

    def _loaded(self, member: Member) -> Iterator[tuple[str, Series]]:
        return ((process, series) for process in member.processes for series in self.loaded[process])

    def _alive(self) -> list[Member]:
        return [member for member in self.members if self._failure(member) is None]

    def _failure(self, member: Member) -> OptGuideError | None:
        """Why a member cannot be measured: one of its processes failed."""
        failures = self.rotation.failures
        return next((failures[process] for process in member.processes if process in failures), None)

    @property
    def _done(self) -> float:
        return self.spent.seconds / self.budget.seconds

    def _generation(self) -> None:
        rotation = self.rotation
        so_far = f", interval so far ±{self.widest:.1%}" if math.isfinite(self.widest) else ""
        with rotation.generation(self._load, done=self._done):
            if self.spent.generations == 0:
                self.plan = replace(self.plan, load_seconds=rotation.load_seconds)
                if self.budget.overhead:
                    rotation.visit(self._time_overhead, done=0.0)
            self.spent.start_generation(rotation.load_seconds)
            while self._alive():
                self._round(so_far)
                if not self.plan.wants_round(self.spent):
                    break
        self.widest = self._widest()

    def _load(self, process: str, worker: WorkerProcess) -> None:
        variants, series, earlier = self.rotation.processes[process], [], self.loaded.get(process)
        alone = len(self.rotation.processes) == len(variants) == 1
        for slot, variant in enumerate(variants):
            reply = worker.load(slot)
            first_call = earlier[slot].first_call if earlier else worker.first_call(slot)
            worker.warm_up(slot)
            series.append(Series.from_reply(variant, reply, first_call, alone=alone))
        self.loaded.setdefault(process, series)

    def _time_overhead(self, process: str) -> None:
        worker = self.rotation.workers[process]
        self.loaded[process] = [
            replace(series, overhead=worker.ask(GRACE_SECONDS, do="overhead", slot=slot))
            for slot, series in enumerate(self.loaded[process])
        ]

    def _round(self, so_far: str) -> None:
        before, rotation = self.spent.measuring, self.rotation
        with rotation.metered(overall=False) as meter:
            for member in rotation.shuffled(self._alive()):
                rotation.report(self._done, member.name + so_far)
                if self._failure(member) is None:
                    self._turn(member)
        seconds = self.spent.measuring - before
        readings = (meter.share, meter.throttled, meter.stalled)
        self.conditions.append(RoundConditions(self.spent.generations, seconds, *readings))
        self.spent.add_round()

    def _turn(self, member: Member) -> None:
        clock, length = self.rotation.host.clock, self.plan.block
        lengths = {"seconds": length, "discard": DISCARD * length, "linger": member.linger * length}
        start = clock()
        for process in member.processes:
            self.rotation.workers[process].send(**member.request, **lengths)
        # Every process that was asked has to be heard, also after one of them has failed.
        blocks = [block for process in member.processes for block in self._received(process)]
        # A turn that failed is not counted: one that hung would have used up the budget of the others.
        if len(blocks) == len(member.results):
            self.spent.add_turn(max(0.0, clock() - start))
            for name, block in zip(member.results, blocks, strict=True):
                self.blocks[name].append(block)

    def _received(self, process: str) -> list[Block]:
        """The blocks of one process; none where it failed."""
        place = (self.spent.rounds, self.spent.generations - 1)
        with self.rotation.isolated(process):
            reply = self.rotation.workers[process].receive(2 * self.plan.block + GRACE_SECONDS)
            blocks = [Block.from_reply(*place, block) for block in reply.get("blocks", [reply])]
            shared = len(self.rotation.processes[process]) > 1
            return [replace(block, cpu_seconds=math.nan) for block in blocks] if shared else blocks
        return []

    def _answered(self) -> bool:
        """Whether every interval is as narrow as the budget asks for, or its questions are decided."""
        if self.spent.generations < MINIMUM_ROUNDS:
            return False
        if self.widest <= self.budget.precision:
            self.ended = "precision reached"
        elif self.budget.questions and self.budget.questions.decided(self.result(interim=True)):
            self.ended = "decided"
        return self.ended != "budget spent"

    def _extended(self) -> bool:
        """Draw the time of another set of workers from what others have saved, if a question is open."""
        questions, spent = self.budget.questions, self.spent
        if questions is None or self.plan.generations == 1 or self.ended != "budget spent":
            return False
        seconds = spent.seconds / spent.generations
        if spent.seconds + seconds > EXTENSION * self.budget.seconds:
            return False
        return questions.decided(self.result(interim=True)) is False and questions.draw(seconds)

    def _widest(self) -> float:
        """The largest relative half-width that readers will look at; infinite while processes are too few."""
        alive = [name for member in self._alive() for name in member.results if name in self.compared]
        if not alive or self.spent.generations < MINIMUM_PROCESSES:
            return math.inf
        first, *others = alive
        result = self.result()
        try:
            if not others:
                return result.throughput(first).relative_half_width
            ratios = [result.ratio(first, other, "throughput") for other in others]
        except (NotEnoughSamples, OptionError):
            return math.inf
        return max(ratio.relative_half_width for ratio in ratios)
