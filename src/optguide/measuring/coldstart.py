"""First-inference latency: from a fresh process to the first result, stage by stage.

Every run is a new process, and the variants' runs take turns in shuffled order. The operating system's
file cache is warm from the second run on; dropping it needs administrator rights, so a first start after
boot is slower than anything measured here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from optguide.errors import OptGuideError, OptionError
from optguide.machine import measuring_lock
from optguide.measuring.comparison import Comparison, paired
from optguide.measuring.estimate import Estimate, median_of_rounds
from optguide.measuring.process import GRACE_SECONDS, WorkerProcess
from optguide.measuring.progress import reporting
from optguide.measuring.variant import Variant

__all__ = ["STAGES", "ColdStart", "first_inference"]

STAGES = ("import", "read", "compile", "first", "second", "steady")
"""Import of the runtime, reading the model, compiling it, first and second inference, steady inference."""

SECONDS_PER_RUN = 2.0
"""A guess, for the progress bar only."""


@dataclass(frozen=True)
class ColdStart:
    """Stage durations of repeated fresh processes.

    :param runs: variant name to one mapping of stage to milliseconds per run, in order.
    :param failures: variant name to the error that ended it.
    """

    runs: Mapping[str, tuple[Mapping[str, float], ...]]
    failures: Mapping[str, OptGuideError]

    def estimate(self, name: str, stage: str = "total") -> Estimate:
        """Median of one stage in milliseconds; ``total`` is everything up to the first result.

        :raises NotEnoughSamples: fewer than six runs.
        """
        estimate = median_of_rounds(self.values(name, stage), "ms")
        return replace(estimate, low=max(0.0, estimate.low))

    def compare(self, a: str, b: str, stage: str = "total") -> Comparison:
        """How much shorter the stage is for ``b`` than for ``a``, paired by round."""
        return Comparison(
            a, b, f"first inference, {stage}", paired(self.values(a, stage), self.values(b, stage))
        )

    def warm_up(self, name: str) -> Estimate:
        """How many times longer the first call takes than the steady ones of the same process."""
        return paired(self.values(name, "first"), self.values(name, "steady"))

    def values(self, name: str, stage: str = "total") -> list[float]:
        """Milliseconds of each run.

        :raises OptionError: no such variant or stage.
        """
        if name in self.failures:
            raise self.failures[name]
        if name not in self.runs:
            raise OptionError(f"No variant {name!r} was started.", f"There are {', '.join(self.runs)}.")
        if stage == "total":
            return [sum(run[part] for part in STAGES[:4]) for run in self.runs[name]]
        if stage not in STAGES:
            raise OptionError(f"There is no stage {stage!r}.", f"Use total or one of: {', '.join(STAGES)}.")
        return [run[stage] for run in self.runs[name]]


def first_inference(
    variants: Sequence[Variant],
    repeats: int,
    *,
    steady: int = 20,
    before: Callable[[Variant], object] | None = None,
    seed: int = 0,
    label: str = "first inference",
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
    if not variants or len({variant.name for variant in variants}) != len(variants):
        raise OptionError(
            "A comparison of first inferences needs variants with different names.",
            "Give each one a name of its own.",
        )
    random = np.random.default_rng(seed)
    runs: dict[str, list[Mapping[str, float]]] = {variant.name: [] for variant in variants}
    failures: dict[str, OptGuideError] = {}
    expected = SECONDS_PER_RUN * repeats * len(variants)
    with measuring_lock(label), reporting(label, expected) as update:
        for repeat in range(repeats):
            for index in random.permutation(len(variants)):
                variant = variants[index]
                if variant.name in failures:
                    continue
                update(repeat / repeats, variant.name)
                if before:
                    before(variant)
                try:
                    runs[variant.name].append(_start(variant, steady, check=repeat == 0))
                except OptGuideError as error:
                    failures[variant.name] = error
    if len(failures) == len(variants):
        raise next(iter(failures.values()))
    return ColdStart({name: tuple(done) for name, done in runs.items() if name not in failures}, failures)


def _start(variant: Variant, steady: int, *, check: bool) -> dict[str, float]:
    """One fresh process; milliseconds by stage.

    :param check: look at the outputs too, once everything has been timed.
    """
    with WorkerProcess(variant) as worker:
        stages = worker.load()["stages"]
        durations = worker.ask(GRACE_SECONDS * 5, do="consecutive", count=2 + steady)["durations_ns"]
        if check:
            worker.outputs()
    return {
        **{name: 1e3 * stages[name] for name in STAGES[:3]},
        "first": durations[0] / 1e6,
        "second": durations[1] / 1e6,
        "steady": float(np.median(durations[2:])) / 1e6,
    }
