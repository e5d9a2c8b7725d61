"""What a session measured, and the questions it answers."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any

import numpy as np
import numpy.typing as npt

from optguide.bench.series import Block, Series
from optguide.bench.validity import cannot_differ, controls, shown_to_differ
from optguide.bench.variant import measured_of
from optguide.errors import InputError, NotEnoughSamples, OptGuideError, OptionError
from optguide.runtimes.ports import pairing
from optguide.stats.comparison import Comparison
from optguide.stats.estimate import (
    MINIMUM_PROCESSES,
    Estimate,
    across_processes,
    beyond_one_process,
    median_of_rounds,
    percentile_of_blocks,
    ratio_of_estimates,
    ratio_of_totals,
    student,
)

__all__ = ["QUANTITIES", "TWIN", "Agreement", "SessionResult"]


TWIN = " (A/A control)"
"""What is appended to the name of a variant's second worker."""

QUANTITIES = ("latency", "throughput", "cpu_time")
"""What a session compares variants by."""

INTERIM_CONFIDENCE = 0.999
"""Of intervals that may end a session early, however often they are looked at: the rule of J. L. Haybittle
(1971) and R. Peto (1976). Those that readers see afterwards remain intervals of 95 %, as simulated sessions
confirm."""


@dataclass(frozen=True)
class Agreement:
    """How far two variants' outputs are apart, over all outputs of the first input set.

    :param max_abs: largest absolute difference.
    :param max_rel: ``max_abs`` as a share of the largest value of the first; NaN where that is zero.
    :param cosine: cosine similarity of the flattened outputs; NaN where one of them is zero.
    :param by_order: their order alone says which outputs belong together: they have no names in common.
    """

    max_abs: float
    max_rel: float
    cosine: float
    by_order: bool = False


@dataclass(frozen=True)
class SessionResult:
    """The outcome of one interleaved session.

    :param series: by variant name, without those that failed.
    :param failures: by variant name.
    :param ended: ``"precision reached"`` or ``"budget spent"``.
    :param seconds: time spent measuring, loading excluded.
    :param rounds: completed rounds.
    :param others_share: share of the machine's CPU that other processes used meanwhile (0 to 1); NaN where
        the system does not tell.
    :param twin: name of the A/A control's second worker, if there was one.
    :param alone: no variant ran beside another, so that equal settings make equal variants.
    :param spoiled: rounds that were left out because of what else ran on the machine meanwhile.
    :param competitor: the activity that took the machine in so many rounds that none is left out; or empty.
    :param shortage: why there were too few sets of processes for intervals, and the remedy; empty if enough.
    :param interim: whether intervals are those that may end a session, wider than the ones for readers.
    """

    series: Mapping[str, Series]
    failures: Mapping[str, OptGuideError]
    ended: str
    seconds: float
    rounds: int
    others_share: float
    twin: str | None = None
    alone: bool = True
    spoiled: int = 0
    competitor: str = ""
    shortage: str = ""
    interim: bool = False

    @property
    def disturbed(self) -> str:
        """Why no ratio of this session is to be trusted, as a sentence; empty where there is no reason.

        Either variants that cannot differ, such as the A/A control, do so beyond the margin of equivalence,
        or something else took much of the machine in most rounds.
        """
        return self._disturbance("latency")

    @property
    def warnings(self) -> tuple[str, ...]:
        """One sentence for each reason not to take the numbers at face value."""
        return tuple(filter(None, (self.disturbed, *self._reservations)))

    @property
    def _reservations(self) -> tuple[str, ...]:
        rounds, were = ("round", "was") if self.spoiled == 1 else ("rounds", "were")
        spoiled = f"{self.spoiled} {rounds} in which something else took much of the machine {were} left out."
        return tuple(filter(None, (self.shortage, spoiled if self.spoiled else "")))

    def latency(self, name: str, percentile: float = 50) -> Estimate:
        """A latency percentile in milliseconds.

        :raises NotEnoughSamples: too few samples for this percentile.
        """
        clusters, independent = self._clusters(name)
        samples = [np.concatenate([block.latencies_ms for block in cluster]) for cluster in clusters]
        estimate = percentile_of_blocks(samples, percentile, "ms", independent=independent)
        return self._for_other_processes(name, estimate)

    def throughput(self, name: str) -> Estimate:
        """Completed inputs divided by wall time, per second."""
        clusters, independent = self._clusters(name)
        frames = [self._frames(name, cluster) for cluster in clusters]
        seconds = [sum(block.seconds for block in cluster) for cluster in clusters]
        estimate = ratio_of_totals(frames, seconds, "inferences/s", independent=independent)
        return self._for_other_processes(name, estimate)

    def cpu_time(self, name: str) -> Estimate:
        """CPU time per input in milliseconds, all threads of the worker.

        :raises NotEnoughSamples: another variant was called in the same process at the same time.
        """
        clusters, independent = self._clusters(name)
        if any(math.isnan(block.cpu_seconds) for block in self._of(name).blocks):
            raise NotEnoughSamples(
                f"{name!r} shared its process, so nothing tells its CPU time from the other's.",
                "Measure it in a process of its own.",
            )
        frames = [self._frames(name, cluster) for cluster in clusters]
        spent = [sum(block.cpu_seconds for block in cluster) * 1e3 for cluster in clusters]
        estimate = ratio_of_totals(spent, frames, "ms", independent=independent)
        return self._for_other_processes(name, estimate)

    def overhead(self, name: str, part: str) -> Estimate:
        """Share of a call that a part of :attr:`Series.overhead` takes.

        :raises NotEnoughSamples: it was not measured.
        """
        left = median_of_rounds(self._of(name).overhead.get(part, ()), "share")
        return replace(left, value=1 - left.value, low=1 - left.high, high=1 - left.low)

    def compare(self, a: str, b: str, quantity: str = "latency") -> Comparison:
        """How much better ``b`` is than ``a``, from the rounds in which both took their turn."""
        ratio = self.ratio(a, b, quantity)
        cpu_ratio = self._cpu_ratio(a, b) if quantity != "cpu_time" else None
        facts = (self.seconds, self._same(a, b), self._disturbance(quantity), self._reservations)
        return Comparison(a, b, quantity, ratio, cpu_ratio, *facts)

    def _same(self, a: str, b: str) -> Mapping[str, str] | None:
        """What keeps two variants from differing, see :class:`Comparison`."""
        first, second = self._of(a), self._of(b)
        return cannot_differ(first, second) if self.alone else None

    def _disturbance(self, quantity: str) -> str:
        """Whether others took the machine, or variants that cannot differ are shown to; empty if neither."""
        if self.competitor:
            return f"The session is disturbed: {self.competitor}."
        return shown_to_differ(self._controls, partial(self.ratio, quantity=quantity))

    @cached_property
    def _controls(self) -> list[tuple[str, str]]:
        return controls(self.series) if self.alone else []

    def interaction(self, neither: str, a: str, b: str, both: str, quantity: str = "throughput") -> Estimate:
        """Whether two improvements multiply: the gain of both over the product of the single gains.

        One means that they multiply, less that each takes away from the other. This is the interaction of a
        2x2 factorial design on logarithms (R. A. Fisher, "The Design of Experiments"), paired by round.
        """
        return self._contrast((a, b), (neither, both), quantity)

    def compare_percentile(self, a: str, b: str, percentile: float) -> Estimate:
        """How many times longer a latency percentile is for ``a`` than for ``b``.

        A round holds too few samples for a tail, so this is the ratio of the two percentiles of the session.
        The variants took turns, which correlates these, so the interval is wider than it need be.

        :raises NotEnoughSamples: too few samples for this percentile.
        """
        return ratio_of_estimates(self.latency(a, percentile), self.latency(b, percentile))

    def ratio(self, a: str, b: str, quantity: str = "latency") -> Estimate:
        """That of :meth:`compare` alone, which is quicker."""
        return self._contrast((a,), (b,), quantity)

    def _contrast(self, above: Sequence[str], below: Sequence[str], quantity: str) -> Estimate:
        """Product of the costs ``above`` over that of the costs ``below``, paired by round."""
        names = (*above, *below)
        costs = {name: self._by_round(name, quantity) for name in names}
        generation = {block.round: block.generation for block in self._of(names[0]).blocks}
        rounds = sorted(set.intersection(*(set(by_round) for by_round in costs.values())))
        ratios = [
            math.prod(costs[name][r] for name in above) / math.prod(costs[name][r] for name in below)
            for r in rounds
        ]
        generations = [generation[r] for r in rounds]
        estimate = across_processes(ratios, generations, variants=len(names))
        return self._at_interim(estimate, len(set(generations)))

    def _cpu_ratio(self, a: str, b: str) -> Estimate | None:
        """The second witness; ``None`` where a block has no CPU time or was too short for the CPU clock."""
        costs = [*self._by_round(a, "cpu_time").values(), *self._by_round(b, "cpu_time").values()]
        return self.ratio(a, b, "cpu_time") if all(cost > 0 for cost in costs) else None

    @property
    def control(self) -> Comparison | None:
        """The first variant against its twin: what a comparison says where there is no difference."""
        if self.twin is None or not {self.twin, self.twin.removesuffix(TWIN)} <= self.series.keys():
            return None
        return self.compare(self.twin.removesuffix(TWIN), self.twin)

    def agreement(self, a: str, b: str) -> Agreement:
        """Compare the outputs of two variants on the same inputs.

        :raises OptionError: they have different numbers or shapes of outputs or none, or different inputs.
        """
        first, second, by_order = self._paired_outputs(a, b)
        if [x.shape for x in first] != [x.shape for x in second]:
            raise OptionError(
                f"{a!r} and {b!r} have outputs of different shapes.", "Compare models with the same outputs."
            )
        if not sum(array.size for array in first) or any(array.dtype.kind in "USO" for array in first):
            raise OptionError(
                f"{a!r} and {b!r} return no numbers that could be compared.",
                "Compare models with numeric outputs.",
            )
        x = np.concatenate([np.asarray(array, dtype=np.float64).ravel() for array in first])
        y = np.concatenate([np.asarray(array, dtype=np.float64).ravel() for array in second])
        finite = np.isfinite(x) & np.isfinite(y)
        if not np.array_equal(x[~finite], y[~finite]):
            return Agreement(math.inf, math.inf, math.nan, by_order)
        x, y = x[finite], y[finite]
        largest = float(np.abs(x - y).max())
        norms = float(np.linalg.norm(x) * np.linalg.norm(y))
        scale = float(np.abs(x).max())
        share = largest / scale if scale else math.nan
        return Agreement(largest, share, float(x @ y) / norms if norms else math.nan, by_order)

    def _paired_outputs(self, a: str, b: str) -> tuple[list[npt.NDArray[Any]], list[npt.NDArray[Any]], bool]:
        """The outputs of two variants in one order, and whether nothing but their own order paired them.

        :raises OptionError: they are of different inputs, or only some of their names agree.
        """
        left, right = self._of(a), self._of(b)
        if left.inputs.differ_from(right.inputs):
            raise OptionError(
                f"{a!r} and {b!r} got different inputs, so their outputs say nothing about each other.",
                "Give both the same with --inputs.",
            )
        if len(left.outputs) != len(right.outputs):
            raise OptionError(
                f"{a!r} and {b!r} have outputs of different shapes.", "Compare models with the same outputs."
            )
        try:
            places = pairing(left.first_call.names, right.first_call.names)
        except InputError as error:
            raise OptionError(
                f"The outputs of {a!r} and {b!r} differ: {error.message}", error.remedy
            ) from None
        second = list(right.outputs)
        paired = second if places is None else [second[place] for place in places]
        return list(left.outputs), paired, places is None and len(second) > 1

    def _for_other_processes(self, name: str, estimate: Estimate) -> Estimate:
        """The estimate of a single variant, with an interval that holds for other processes of it too."""
        count = len({block.generation for block in self._of(name).blocks})
        if count < MINIMUM_PROCESSES:
            estimate = beyond_one_process(estimate, 1 / count)
        return self._at_interim(estimate, count)

    def _at_interim(self, estimate: Estimate, generations: int) -> Estimate:
        if not self.interim:
            return estimate
        freedom = max(generations, MINIMUM_PROCESSES) - 1
        return estimate.widened(student(freedom, INTERIM_CONFIDENCE) / student(freedom))

    def _clusters(self, name: str) -> tuple[list[list[Block]], bool]:
        """Blocks that belong together: a generation's where there are three, otherwise each by itself."""
        blocks = self._of(name).blocks
        by_generation: dict[int, list[Block]] = {}
        for block in blocks:
            by_generation.setdefault(block.generation, []).append(block)
        if len(by_generation) >= MINIMUM_PROCESSES:
            return list(by_generation.values()), True
        return [[block] for block in blocks], False

    def _frames(self, name: str, blocks: Sequence[Block]) -> int:
        return sum(block.calls for block in blocks) * self._of(name).frames

    def _of(self, name: str) -> Series:
        return measured_of(name, self.series, self.failures)

    def _by_round(self, name: str, quantity: str) -> dict[int, float]:
        """One number per round, always a cost: lower is better."""
        series = self._of(name)
        if quantity == "latency":
            return {block.round: float(np.median(block.latencies_ms)) for block in series.blocks}
        if quantity not in QUANTITIES:
            raise OptionError(
                f"There is no quantity {quantity!r} to compare.", f"Use one of {', '.join(QUANTITIES)}."
            )
        spent = "seconds" if quantity == "throughput" else "cpu_seconds"
        return {block.round: getattr(block, spent) / (block.calls * series.frames) for block in series.blocks}
