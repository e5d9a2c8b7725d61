"""Single calls of fresh processes: from the start to the first result, and call by call from there on.

:func:`first_inference` times every stage of a start, with the memory that it takes. Every run is a new
process, and the variants' runs take turns in shuffled order. Runs of fresh processes count as independent
observations: nothing that one of them leaves behind reaches the next. The operating system's file cache is
warm from the second run on; dropping it needs administrator rights, so a first start after boot is slower
than anything measured here.

Sessions discard what happens once, such as the work for a shape that was never seen before. :func:`trace`
discards nothing; its variants take turns in chunks of calls, so that slow changes of the machine meet all.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np

from optguide.bench.process import GRACE_SECONDS, WorkerProcess
from optguide.bench.rotation import THIS_MACHINE, Host, Rotation
from optguide.bench.series import InputDescription, Series
from optguide.bench.validity import cannot_differ, competition, controls, shown_to_differ
from optguide.bench.variant import Variant, measured_of, require_unique_names
from optguide.errors import NotEnoughSamples, OptGuideError, OptionError
from optguide.stats.comparison import Comparison, paired
from optguide.stats.estimate import Estimate, median_of_rounds

__all__ = ["FOOTPRINTS", "STAGES", "ColdStart", "Trace", "first_inference", "trace"]

Footprint = Mapping[str, int | None]
"""Bytes by kind; ``None`` where the system does not tell."""

STAGES = ("import", "read", "compile", "first", "second", "steady")
"""Import of the runtime, reading the model, compiling it, first and second inference, steady inference."""

SUMS = {"total": STAGES[:4], "load": STAGES[1:3]}
"""Stages that are also looked at together: all up to the first result, and what is done with the model."""

FOOTPRINTS = {"peak": "peak_rss", "private": "private"}
"""``peak`` is the largest resident memory so far, pages of mapped files included. ``private`` is what belongs
to no file at the moment, and so cannot be dropped, or shared with another process that maps the files."""

MOMENTS = ("load", "first")
"""When memory is looked at: once the model is compiled, and after the first inference."""

MEGABYTE = 1e6

SECONDS_PER_RUN, SECONDS_PER_CALL = 2.0, 0.01
"""Guesses, for the progress bar only."""


@dataclass(frozen=True)
class ColdStart:
    """Stage durations and memory of repeated fresh processes.

    :param runs: variant name to one mapping of stage to milliseconds per run, in order.
    :param failures: variant name to the error that ended it.
    :param footprints: variant name to one mapping per run, of moment to bytes by kind.
    :param others_share: share of the machine's CPU that other processes used meanwhile (0 to 1); NaN where
        the system does not tell.
    :param series: by variant name, what it was; without blocks.
    """

    runs: Mapping[str, tuple[Mapping[str, float], ...]]
    failures: Mapping[str, OptGuideError]
    footprints: Mapping[str, tuple[Mapping[str, Footprint], ...]] = field(default_factory=dict)
    others_share: float = math.nan
    series: Mapping[str, Series] = field(default_factory=dict)

    @property
    def inputs(self) -> Mapping[str, InputDescription]:
        """By variant name, description of the model's inputs."""
        return {name: series.inputs for name, series in self.series.items()}

    def estimate(self, name: str, stage: str = "total") -> Estimate:
        """Median of one stage, or of one of :data:`SUMS`, in milliseconds.

        :raises NotEnoughSamples: fewer than six runs.
        """
        estimate = median_of_rounds(self.values(name, stage), "ms", independent=True)
        return replace(estimate, low=max(0.0, estimate.low))

    def compare(self, a: str, b: str, stage: str = "total") -> Comparison:
        """How much shorter the stage is for ``b`` than for ``a``, paired by round."""
        compared = (a, b, f"first inference, {stage}", self._ratio(a, b, stage))
        first, second = self.series.get(a), self.series.get(b)
        same = cannot_differ(first, second) if first and second else None
        return Comparison(*compared, same=same, disturbed=self._disturbance(stage))

    def memory(self, name: str, kind: str = "peak", after: str = "first") -> Estimate:
        """Median of the memory of one process, in megabytes (of a million bytes).

        :param kind: one of :data:`FOOTPRINTS`.
        :param after: ``load`` or ``first``.
        :raises NotEnoughSamples: fewer than six runs, or a system that does not tell this kind.
        """
        return median_of_rounds(self.megabytes(name, kind, after), "MB", independent=True)

    def compare_memory(self, a: str, b: str, kind: str = "peak", after: str = "first") -> Comparison:
        """How many times as much memory ``a`` takes as ``b``, paired by round; raises as :meth:`memory`."""
        ratio = paired(self.megabytes(a, kind, after), self.megabytes(b, kind, after), independent=True)
        return Comparison(a, b, f"{kind} memory", ratio)

    def _ratio(self, a: str, b: str, stage: str) -> Estimate:
        return paired(self.values(a, stage), self.values(b, stage), independent=True)

    def _disturbance(self, stage: str) -> str:
        """Whether others took the machine, or variants that cannot differ are shown to; empty if neither."""
        ratio = partial(self._ratio, stage=stage)
        return competition(self.others_share) or shown_to_differ(controls(self.series), ratio)

    def warm_up(self, name: str) -> Estimate:
        """How many times longer the first call takes than the steady ones of the same process."""
        return paired(self.values(name, "first"), self.values(name, "steady"), independent=True)

    def values(self, name: str, stage: str = "total") -> list[float]:
        """Milliseconds of each run.

        :raises OptionError: no such variant or stage.
        """
        runs = measured_of(name, self.runs, self.failures)
        if stage not in STAGES and stage not in SUMS:
            stages = ", ".join([*SUMS, *STAGES])
            raise OptionError(f"There is no stage {stage!r}.", f"Use one of: {stages}.")
        return [sum(run[part] for part in SUMS.get(stage, (stage,))) for run in runs]

    def megabytes(self, name: str, kind: str = "peak", after: str = "first") -> list[float]:
        """Memory of each run.

        :raises OptionError: no such variant, kind or moment.
        :raises NotEnoughSamples: the system does not tell this kind.
        """
        measured_of(name, self.runs, self.failures)
        for parameter, value, choices in (("kind", kind, FOOTPRINTS), ("moment", after, MOMENTS)):
            if value not in choices:
                raise OptionError(
                    f"There is no {parameter} {value!r} of memory.", f"Use {' or '.join(choices)}."
                )
        sizes = [run[after][FOOTPRINTS[kind]] for run in self.footprints[name]]
        megabytes = [size / MEGABYTE for size in sizes if size is not None]
        if len(megabytes) < len(sizes):
            raise NotEnoughSamples(
                f"This system does not tell the {kind} memory of a process.", "Look at the peak instead."
            )
        return megabytes


def first_inference(
    variants: Sequence[Variant],
    repeats: int,
    *,
    steady: int = 20,
    before: Callable[[Variant], object] | None = None,
    seed: int = 0,
    label: str = "first inference",
    host: Host = THIS_MACHINE,
) -> ColdStart:
    """Start each variant ``repeats`` times in fresh processes.

    :param repeats: runs per variant; six give an interval.
    :param steady: calls after the second whose median is the steady latency.
    :param before: called ahead of every run, outside of what is timed, such as to empty a cache.
    :raises OptGuideError: every variant failed; the first one's error.
    """
    if repeats < 1 or steady < 1:
        raise OptionError(
            f"{min(repeats, steady)} repeats measure nothing.", "Use repeats from 1; six give an interval."
        )
    require_unique_names(variants, "A comparison of first inferences")
    rotation = Rotation({variant.name: (variant,) for variant in variants}, seed=seed, host=host)
    runs: dict[str, list[Mapping[str, float]]] = {variant.name: [] for variant in variants}
    footprints: dict[str, list[Mapping[str, Footprint]]] = {variant.name: [] for variant in variants}
    series: dict[str, Series] = {}

    def start(name: str, *, check: bool) -> None:
        if before:
            before(*rotation.processes[name])
        with rotation.process(name) as worker:
            loaded, milliseconds, footprint = _staged(worker, steady)
            if check:  # once everything has been timed
                (variant,) = rotation.processes[name]
                series[name] = Series.from_reply(variant, loaded, worker.first_call())
            runs[name].append(milliseconds)
            footprints[name].append(footprint)

    with rotation.held(label, SECONDS_PER_RUN * repeats * len(variants)):
        for repeat in range(repeats):
            rotation.visit(partial(start, check=repeat == 0), done=repeat / repeats)
    return ColdStart(
        {name: tuple(runs[name]) for name in rotation.alive},
        rotation.failures,
        {name: tuple(footprints[name]) for name in rotation.alive},
        rotation.others_share,
        {name: series[name] for name in rotation.alive},
    )


def _staged(
    worker: WorkerProcess, steady: int
) -> tuple[dict[str, Any], dict[str, float], dict[str, Footprint]]:
    """What a process that has just been started says of its variant, its stages and its footprints."""
    reply = worker.load()
    stages = reply["stages"]
    loaded = worker.ask(GRACE_SECONDS, do="memory")
    (first,) = worker.ask(GRACE_SECONDS * 5, do="consecutive", count=1)["durations_ns"]
    used = worker.ask(GRACE_SECONDS, do="memory")
    later = worker.ask(GRACE_SECONDS * 5, do="consecutive", count=1 + steady)["durations_ns"]
    milliseconds = {
        **{name: 1e3 * stages[name] for name in STAGES[:3]},
        "first": first / 1e6,
        "second": later[0] / 1e6,
        "steady": float(np.median(later[1:])) / 1e6,
    }
    return reply, milliseconds, {"load": loaded, "first": used}


@dataclass(frozen=True)
class Trace:
    """The calls of one fresh process, in order.

    :param milliseconds: duration of each call.
    :param memory: pairs of calls so far and resident megabytes (of a million bytes), from before any call on;
        the peak so far where the system does not tell what is resident now.
    """

    milliseconds: tuple[float, ...]
    memory: tuple[tuple[int, float], ...]

    def growth(self, start: int) -> Estimate:
        """Memory after later chunks of calls as a multiple of that after the first ``start``; their median.

        :raises OptionError: memory was not looked at after so many calls.
        :raises NotEnoughSamples: fewer than six chunks follow.
        """
        sizes = dict(self.memory)
        if start not in sizes:
            raise OptionError(
                f"Memory was not looked at after {start} calls.", f"Use one of {', '.join(map(str, sizes))}."
            )
        later = [size / sizes[start] for calls, size in self.memory if calls > start]
        return median_of_rounds(later, "ratio")


def trace(
    variants: Sequence[Variant],
    calls: int,
    *,
    every: int,
    host: Host = THIS_MACHINE,
) -> Mapping[str, Trace]:
    """Call each variant ``calls`` times in a fresh process of its own.

    A function goes on where it stopped; a variant with several input sets starts again in every chunk.

    :param every: calls of one chunk; memory is looked at after each.
    :raises Busy: another measurement is running.
    :raises OptGuideError: a variant failed.
    """
    if not 1 <= every <= calls:
        raise OptionError(f"{calls} calls have no chunks of {every}.", "Use at least one call per chunk.")
    require_unique_names(variants, "A trace")
    names = [variant.name for variant in variants]
    rotation = Rotation({v.name: (v,) for v in variants}, isolating=False, host=host)
    durations: dict[str, list[float]] = {name: [] for name in names}
    memory: dict[str, list[tuple[int, float]]] = {}

    def load(name: str, worker: WorkerProcess) -> None:
        worker.load()
        memory[name] = [(0, _resident(worker))]

    def turn(name: str, *, chunk: int) -> None:
        worker = rotation.workers[name]
        reply = worker.ask(GRACE_SECONDS * chunk, do="consecutive", count=chunk)
        durations[name] += [nanoseconds / 1e6 for nanoseconds in reply["durations_ns"]]
        memory[name].append((len(durations[name]), _resident(worker)))

    with rotation.held("call by call", SECONDS_PER_CALL * calls * len(names)), rotation.generation(load):
        for start in range(0, calls, every):
            rotation.visit(partial(turn, chunk=min(every, calls - start)), done=start / calls)
    return {name: Trace(tuple(durations[name]), tuple(memory[name])) for name in names}


def _resident(worker: WorkerProcess) -> float:
    sizes = worker.ask(GRACE_SECONDS, do="memory")
    now = sizes["rss"] if sizes["rss"] is not None else sizes["peak_rss"]
    return float(now) / MEGABYTE
