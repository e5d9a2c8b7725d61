"""Variants that run at the same time, measured against each running alone.

The scenes take turns in short blocks and in a new order every round, as variants do in a session. In each
turn all variants of the scene are called at once, so each of them has the others' company for the whole of
its timed window. Statistics are those of a session.
"""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from optguide.bench.process import GRACE_SECONDS, WorkerProcess
from optguide.bench.progress import Update, reporting
from optguide.bench.result import Block, Series, SessionResult
from optguide.bench.session import Budget, Plan
from optguide.bench.variant import Variant, require_unique_names
from optguide.errors import OptGuideError, OptionError
from optguide.machine import OthersMeter, measuring_lock
from optguide.stats.comparison import paired_processes
from optguide.stats.estimate import MINIMUM_ROUNDS, Estimate

__all__ = ["Scene", "Sharing", "together", "work_done"]

Sharing = Literal["processes", "process", "turns"]
Crew = tuple[Variant, ...]
"""Variants in one process."""

DISCARD = 0.1
LINGER = 0.2
"""Shares of a block that are called before and after the timed window, so that windows which do not begin and
end in the same moment still lie within the others' company."""


@dataclass(frozen=True)
class Scene:
    """Variants that run at the same time.

    :param name: what tables call it, such as ``two processes``.
    :param variants: with different names; a single one runs alone.
    :param sharing: ``processes`` gives each a process of its own. With ``process`` they share one, and each
        is called by a thread of its own. ``turns`` is the same with one call at a time, in the order in which
        they are asked for; a latency then includes the wait for the turn.
    """

    name: str
    variants: tuple[Variant, ...]
    sharing: Sharing = "processes"

    def __post_init__(self) -> None:
        require_unique_names(self.variants, f"The scene {self.name!r}")
        if self.sharing == "turns" and any(variant.runtime.asynchronous for variant in self.variants):
            raise OptionError(
                f"In {self.name!r} variants take turns, which those with requests in flight cannot.",
                "Leave out requests.",
            )

    def of(self, variant: str) -> str:
        """The name of a variant's results in this scene: ``ResNet-50, two processes``."""
        return f"{variant}, {self.name}"

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the results, one per variant."""
        return tuple(self.of(variant.name) for variant in self.variants)

    @property
    def crews(self) -> tuple[Crew, ...]:
        """The variants by process."""
        if self.sharing == "processes":
            return tuple((variant,) for variant in self.variants)
        return (self.variants,)


def together(
    scenes: Sequence[Scene],
    budget: Budget | None = None,
    *,
    seed: int = 0,
    label: str = "several models at once",
) -> SessionResult:
    """Measure scenes against each other in one session, for the whole budget: tails need many samples.

    Processes are shared between scenes where the variants are equal: a variant alone and the same one beside
    another are measured in the same process. A scene that fails is reported in ``failures``, and the others
    are measured all the same.

    :param budget: its ``precision`` is not used.
    :return: results under the names of :meth:`Scene.of`.
    :raises Busy: another measurement is running.
    :raises OptionError: two results would have one name.
    :raises OptGuideError: every scene failed; the first one's error.
    """
    names = [name for scene in scenes for name in scene.names]
    if not names or len(set(names)) != len(names):
        raise OptionError("Scenes need different names or variants.", "Give each scene a name of its own.")
    session = _Session(scenes, budget or Budget(), seed)
    with measuring_lock(label), reporting(label, session.budget.seconds) as update:
        session.run(update)
    if not session.series():
        raise session.failures[names[0]]
    ended, others = "budget spent", session.others_share
    return SessionResult(session.series(), session.failures, ended, session.spent, session.rounds, others)


def work_done(result: SessionResult, scene: Scene, alone: str) -> Estimate:
    """The rates of all variants of a scene, each as a share of its rate alone, added up.

    1 is what taking turns without any loss would give: with less, company costs work; with more, the variants
    fill each other's gaps. It is the system throughput of S. Eyerman and L. Eeckhout, "System-Level
    Performance Metrics for Multiprogram Workloads" (2008), paired by round.

    :param alone: name of the scenes in which each of the variants runs alone.
    """
    pairs = [(scene.of(v.name), replace(scene, name=alone).of(v.name)) for v in scene.variants]
    rates = {name: _rates(result, name) for pair in pairs for name in pair}
    rounds = sorted(set.intersection(*(set(found) for found in rates.values())))
    sums = [sum(rates[name][r] / rates[other][r] for name, other in pairs) for r in rounds]
    fastest = 1 / max(float(np.median(list(found.values()))) for found in rates.values())
    return paired_processes(sums, [0] * len(sums), fastest, result.others_share)


def _rates(result: SessionResult, name: str) -> dict[int, float]:
    if name in result.failures:
        raise result.failures[name]
    return {block.round: block.calls / block.seconds for block in result.series[name].blocks}


class _Session:
    """State of one run: the processes, what was measured, how much is left."""

    def __init__(self, scenes: Sequence[Scene], budget: Budget, seed: int) -> None:
        self.scenes = tuple(scenes)
        self.budget = budget
        self.random = np.random.default_rng(seed)
        self.workers: dict[str, WorkerProcess] = {}
        self.loaded: dict[str, list[Series]] = {}
        self.peaks: dict[str, int] = {}
        self.blocks: dict[str, list[Block]] = {name: [] for scene in scenes for name in scene.names}
        self.failures: dict[str, OptGuideError] = {}
        self.spent = 0.0
        self.rounds = 0
        self.others_share = math.nan
        self.plan = Plan(budget, 0.0, len(scenes), replaceable=False)
        self.block = self.plan.block

    def run(self, update: Update) -> None:
        """Load everything, then take turns until the budget is spent."""
        begun = time.perf_counter()
        with ExitStack() as stack:
            for crew in {_key(crew): crew for scene in self.scenes for crew in scene.crews}.values():
                update(0.0, f"loading {' and '.join(variant.name for variant in crew)}")
                self._start(stack, crew)
            self.plan = replace(self.plan, load_seconds=time.perf_counter() - begun)
            self.block = self.plan.block
            meter = OthersMeter([os.getpid(), *(worker.pid for worker in self.workers.values())])
            meter.start()
            while self.alive() and not self._enough():
                for index in self.random.permutation(len(self.scenes)):
                    update(self.spent / self.plan.measuring, self.scenes[index].name)
                    self._turn(self.scenes[index])
                self.rounds += 1
            self.others_share = meter.stop()
            self._remember_memory()

    def alive(self) -> list[Scene]:
        """Scenes that have not failed."""
        return [scene for scene in self.scenes if scene.names[0] not in self.failures]

    def series(self) -> dict[str, Series]:
        """What is known of every variant in every scene that did not fail."""
        found = {}
        for scene in self.alive():
            members = [(_key(crew), slot) for crew in scene.crews for slot in range(len(crew))]
            for name, (key, slot) in zip(scene.names, members, strict=True):
                known, blocks = self.loaded[key][slot], tuple(self.blocks[name])
                found[name] = replace(known, blocks=blocks, peak_rss=self.peaks.get(key, 0))
        return found

    def _enough(self) -> bool:
        if self.rounds < MINIMUM_ROUNDS:
            return self.spent >= self.budget.longest
        return self.spent >= self.plan.measuring

    def _start(self, stack: ExitStack, crew: Crew) -> None:
        worker = None
        try:
            worker = stack.enter_context(WorkerProcess(*crew))
            found = []
            for slot, variant in enumerate(crew):
                reply = worker.load(slot)
                found.append(Series.from_reply(variant, reply, worker.outputs(slot)))
                worker.warm_up(slot)
        except OptGuideError as error:
            self._fail(crew, error)
            if worker is not None:
                worker.end()
            return
        self.workers[_key(crew)], self.loaded[_key(crew)] = worker, found

    def _fail(self, crew: Crew, error: OptGuideError) -> None:
        """Give up every scene that needs this process: nobody in it has the company that was wanted."""
        for scene in self.alive():
            if _key(crew) in map(_key, scene.crews):
                self.failures |= dict.fromkeys(scene.names, error)

    def _turn(self, scene: Scene) -> None:
        if scene.names[0] in self.failures:
            return
        start = time.perf_counter()
        for crew in scene.crews:
            self.workers[_key(crew)].send(**self._request(scene))
        found = [block for crew in scene.crews for block in self._received(crew)]
        if len(found) < len(scene.variants):
            return  # a turn that failed is not counted
        self.spent += time.perf_counter() - start
        for name, block in zip(scene.names, found, strict=True):
            self.blocks[name].append(block)

    def _request(self, scene: Scene) -> Mapping[str, Any]:
        times = {"seconds": self.block, "discard": DISCARD * self.block, "linger": LINGER * self.block}
        if scene.sharing == "processes":
            return {"do": "block", **times}
        return {"do": "company", "turns": scene.sharing == "turns", **times}

    def _received(self, crew: Crew) -> list[Block]:
        """The blocks of one process; none where it failed. Every process that was asked has to be heard."""
        worker = self.workers[_key(crew)]
        try:
            reply = worker.receive(2 * self.block + GRACE_SECONDS)
        except OptGuideError as error:
            self._fail(crew, error)
            worker.end()
            return []
        blocks = [Block.from_reply(self.rounds, 0, block) for block in reply.get("blocks", [reply])]
        return blocks if len(crew) == 1 else [replace(block, cpu_seconds=math.nan) for block in blocks]

    def _remember_memory(self) -> None:
        for key in {_key(crew) for scene in self.alive() for crew in scene.crews}:
            try:
                self.peaks[key] = self.workers[key].ask(GRACE_SECONDS, do="memory")["peak_rss"]
            except OptGuideError:
                continue  # everything else of it has been measured


def _key(crew: Crew) -> str:
    """Equal for crews of equal variants; a variant itself holds mappings and cannot be a key."""
    return json.dumps([variant.to_dict() for variant in crew], sort_keys=True)
