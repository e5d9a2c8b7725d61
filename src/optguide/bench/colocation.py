"""Variants that run at the same time, measured against each running alone.

Groups take turns in short blocks and in a new order every round, as variants do in a session. In each turn
all variants of the group are called at once, so each of them runs beside the others for the whole of its
timed window. Statistics are those of a session.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from optguide.bench.process import GRACE_SECONDS
from optguide.bench.result import Block, Series, SessionResult
from optguide.bench.rotation import THIS_MACHINE, Host, Rotation, WorkerHandle
from optguide.bench.session import DISCARD, Budget, Plan, Spent
from optguide.bench.variant import Variant, require_unique_names
from optguide.errors import OptGuideError, OptionError
from optguide.stats.estimate import Estimate, across_processes

__all__ = ["Group", "Sharing", "colocate", "work_done"]

Sharing = Literal["processes", "process", "turns"]
ProcessGroup = tuple[Variant, ...]
"""Variants that share a process."""

LINGER = 0.2
"""Share of a block that is called after the timed window, so that windows which do not end in the same moment
still lie within the calls of the others; what is discarded does the same at the beginning."""


@dataclass(frozen=True)
class Group:
    """Variants that run at the same time.

    :param name: name in tables, such as ``two processes``.
    :param variants: with different names; a single one runs alone.
    :param sharing: ``processes`` gives each a process of its own. With ``process`` they share one, and each
        is called by a thread of its own. ``turns`` is the same with one call at a time, in the order in which
        they are asked for; a latency then includes the wait for the turn.
    """

    name: str
    variants: tuple[Variant, ...]
    sharing: Sharing = "processes"

    def __post_init__(self) -> None:
        require_unique_names(self.variants, f"The group {self.name!r}")
        if self.sharing == "turns" and any(variant.runtime.asynchronous for variant in self.variants):
            raise OptionError(
                f"In {self.name!r} variants take turns, which those with requests in flight cannot.",
                "Leave out requests.",
            )

    def of(self, variant: str) -> str:
        """The name of a variant's results in this group: ``ResNet-50, two processes``."""
        return f"{variant}, {self.name}"

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the results, one per variant."""
        return tuple(self.of(variant.name) for variant in self.variants)

    @property
    def processes(self) -> tuple[ProcessGroup, ...]:
        """The variants by process."""
        if self.sharing == "processes":
            return tuple((variant,) for variant in self.variants)
        return (self.variants,)


def colocate(
    groups: Sequence[Group],
    budget: Budget | None = None,
    *,
    seed: int = 0,
    label: str = "several models at once",
    host: Host = THIS_MACHINE,
) -> SessionResult:
    """Measure groups against each other in one session, for the whole budget: tails need many samples.

    Processes are shared between groups where the variants are equal: a variant alone and the same one beside
    another are measured in the same process. A group that fails is reported in ``failures``, and the others
    are measured all the same.

    :param budget: its ``precision`` is not used.
    :return: results under the names of :meth:`Group.of`.
    :raises Busy: another measurement is running.
    :raises OptionError: two results would have one name.
    :raises OptGuideError: every group failed; the first one's error.
    """
    names = [name for group in groups for name in group.names]
    if not names or len(set(names)) != len(names):
        raise OptionError("Groups need different names or variants.", "Give each group a name of its own.")
    session = _Colocation(groups, budget or Budget(), seed, host)
    session.run(label)
    return session.result()


def work_done(result: SessionResult, group: Group, alone: str) -> Estimate:
    """The rates of all variants of a group, each as a share of its rate alone, added up.

    1 is what taking turns without any loss would give: with less, running side by side costs work; with more,
    the variants fill each other's gaps. It is the system throughput of S. Eyerman and L. Eeckhout,
    "System-Level Performance Metrics for Multiprogram Workloads" (2008), paired by round.

    :param alone: name of the groups in which each of the variants runs alone.
    """
    pairs = [(group.of(v.name), replace(group, name=alone).of(v.name)) for v in group.variants]
    rates = {name: _rates(result, name) for pair in pairs for name in pair}
    rounds = sorted(set.intersection(*(set(by_round) for by_round in rates.values())))
    sums = [sum(rates[name][r] / rates[other][r] for name, other in pairs) for r in rounds]
    generations = {block.round: block.generation for block in result.series[pairs[0][0]].blocks}
    return across_processes(sums, [generations[r] for r in rounds])


def _rates(result: SessionResult, name: str) -> dict[int, float]:
    if name in result.failures:
        raise result.failures[name]
    return {block.round: block.calls / block.seconds for block in result.series[name].blocks}


class _Colocation:
    """State of one session: what was measured in each group and what it cost."""

    def __init__(self, groups: Sequence[Group], budget: Budget, seed: int, host: Host) -> None:
        self.groups = tuple(groups)
        self.budget = budget
        self.labels: dict[str, str] = {}
        processes: dict[str, ProcessGroup] = {}
        for variants in (variants for group in groups for variants in group.processes):
            title = " and ".join(variant.name for variant in variants)
            label = self.labels.setdefault(_key(variants), f"{title}, process {len(self.labels) + 1}")
            processes[label] = variants
        self.rotation = Rotation(processes, seed=seed, host=host)
        self.plan = Plan(self.budget, 0.0, len(groups))
        self.spent = Spent()
        self.loaded: dict[str, list[Series]] = {}
        self.blocks: dict[str, list[Block]] = {name: [] for group in groups for name in group.names}

    def run(self, label: str) -> None:
        """Take turns with one set of processes after the other until the budget is spent."""
        with self.rotation.held(label, self.budget.seconds):
            self._generation()
            while self._alive() and self.plan.wants_generation(self.spent):
                self._generation()

    def _generation(self) -> None:
        rotation = self.rotation
        done = self.spent.seconds / self.budget.seconds
        with rotation.generation(self._load, done=done):
            if self.spent.generations == 0:
                self.plan = replace(self.plan, load_seconds=rotation.load_seconds)
            self.spent.start_generation(rotation.load_seconds)
            while self._alive():
                self._round()
                if not self.plan.wants_round(self.spent):
                    return

    def _round(self) -> None:
        for group in self.rotation.shuffled(self._alive()):
            self.rotation.report(self.spent.seconds / self.budget.seconds, group.name)
            if self._failure(group) is None:
                self._turn(group)
        self.spent.add_round()

    def result(self) -> SessionResult:
        """What is known of every variant in every group that did not fail.

        :raises OptGuideError: every group failed.
        """
        failures: dict[str, OptGuideError] = {}
        series: dict[str, Series] = {}
        for group in self.groups:
            error = self._failure(group)
            if error is None:
                series |= {
                    name: replace(loaded, blocks=tuple(self.blocks[name]), peak_rss=peak)
                    for name, (loaded, peak) in zip(group.names, self._of(group), strict=True)
                }
            else:
                failures |= dict.fromkeys(group.names, error)
        if not series:
            raise next(iter(failures.values()))
        spent, others = self.spent, self.rotation.others_share
        return SessionResult(
            series,
            failures,
            "budget spent",
            spent.measuring,
            spent.rounds,
            others,
            shortage=self.plan.shortage(spent),
            alone=False,
        )

    def _of(self, group: Group) -> Iterator[tuple[Series, int]]:
        """What was loaded of each variant of a group, and the peak memory of its process."""
        for label in self._labels(group):
            for series in self.loaded[label]:
                yield series, self.rotation.peaks.get(label, 0)

    def _labels(self, group: Group) -> list[str]:
        return [self.labels[_key(variants)] for variants in group.processes]

    def _alive(self) -> list[Group]:
        return [group for group in self.groups if self._failure(group) is None]

    def _failure(self, group: Group) -> OptGuideError | None:
        """Why a group cannot be measured: one of its processes failed, and it runs beside the others."""
        labels = self._labels(group)
        return next((error for label, error in self.rotation.failures.items() if label in labels), None)

    def _load(self, label: str, worker: WorkerHandle) -> None:
        loaded = []
        for slot, variant in enumerate(self.rotation.processes[label]):
            reply = worker.load(slot)
            known = label in self.loaded
            first_call = self.loaded[label][slot].first_call if known else worker.first_call(slot)
            loaded.append(Series.from_reply(variant, reply, first_call))
            worker.warm_up(slot)
        self.loaded.setdefault(label, loaded)

    def _turn(self, group: Group) -> None:
        clock = self.rotation.host.clock
        start = clock()
        for label in self._labels(group):
            self.rotation.workers[label].send(**self._request(group))
        # Every process that was asked has to be heard, also after one of them has failed.
        blocks = [block for label in self._labels(group) for block in self._received(label)]
        if len(blocks) < len(group.variants):
            return  # a turn that failed is not counted
        self.spent.add_turn(clock() - start)
        for name, block in zip(group.names, blocks, strict=True):
            self.blocks[name].append(block)

    def _request(self, group: Group) -> dict[str, Any]:
        length = self.plan.block
        times = {"seconds": length, "discard": DISCARD * length, "linger": LINGER * length}
        if group.sharing == "processes":
            return {"do": "block", **times}
        return {"do": "colocated", "turns": group.sharing == "turns", **times}

    def _received(self, label: str) -> list[Block]:
        """The blocks of one process; none where it failed."""
        blocks: list[Block] = []
        with self.rotation.isolated(label):
            reply = self.rotation.workers[label].receive(2 * self.plan.block + GRACE_SECONDS)
            replies = reply.get("blocks", [reply])
            blocks = [
                Block.from_reply(self.spent.rounds, self.spent.generations - 1, block) for block in replies
            ]
        if len(self.rotation.processes[label]) == 1:
            return blocks
        return [replace(block, cpu_seconds=math.nan) for block in blocks]


def _key(variants: ProcessGroup) -> str:
    """Equal for equal variants; a variant itself holds mappings and cannot be a key."""
    return json.dumps([variant.to_dict() for variant in variants], sort_keys=True)
