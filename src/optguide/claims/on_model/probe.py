"""A probe: one short measurement of the reader's model, whose results decide conditions of claims.

Most compare variants pairwise; in a :class:`SessionProbe` these take turns in an interleaved session.
"""

from __future__ import annotations

import itertools
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

from optguide.bench.result import SessionResult
from optguide.bench.session import Budget, measure
from optguide.bench.variant import Variant
from optguide.claims.on_model.model import ModelUnderTest
from optguide.errors import OptGuideError
from optguide.records import Result
from optguide.records.model import comparison_evidence, result_of
from optguide.runtimes.openvino import OpenVINO
from optguide.stats.estimate import MINIMUM_ROUNDS

PRECISION = 0.01
"""Sessions end early at this half-width: claims ask whether something stays within 5 %."""

SECONDS_PER_VARIANT = 1.0
"""Of measuring; with less hardly any interval decides anything."""

CALLS_PER_TURN = 3.0
"""Inferences that a turn takes at least: those that are discarded, and one that counts."""

Outcomes = Mapping[str, Result | str]
"""Results by identifier, or why there is none, in one sentence."""

Obstacle = Callable[[ModelUnderTest], str]
"""Why something means nothing for a model, in one sentence; empty if it does mean something."""


def unless(applies: Callable[[ModelUnderTest], bool], sentence: str) -> Obstacle:
    """An obstacle, ``sentence``, for models to which something does not apply."""
    return lambda model: "" if applies(model) else sentence


def on_the_cpu(model: ModelUnderTest) -> str:
    """The obstacle of results that say something about the CPU."""
    return "" if model.on_cpu else f"It is about the CPU, and the device is {model.device}."


def measured(result: Callable[[], Result]) -> Result | str:
    """What ``result`` gives, or why it gives nothing."""
    try:
        return result()
    except OptGuideError as error:
        return error.message


@dataclass(frozen=True)
class Ratio:
    """How much better one variant is than another; variants are named by their keys.

    :param quantity: ``latency``, ``throughput``, or a stage of the start.
    :param obstacle: why it means nothing for a model, if so.
    :param label: name of the ratio in sentences; made of both variants' names where empty.
    """

    result: str
    better: str
    base: str
    quantity: str
    obstacle: Obstacle = lambda _: ""
    label: str = ""
    above: str = "faster"


@dataclass(frozen=True)
class Probe(ABC):
    """One short measurement. Only the results that are asked for are measured and returned.

    :param variants: made for a model, by key.
    """

    title: str
    variants: Callable[[ModelUnderTest], Mapping[str, Variant]]
    ratios: tuple[Ratio, ...]

    @abstractmethod
    def minimum_seconds(self, results: Collection[str], model: ModelUnderTest) -> float:
        """An estimate of the seconds that it needs to yield ``results``, loading included."""

    @abstractmethod
    def measure(
        self, results: Collection[str], model: ModelUnderTest, seconds: float, label: str
    ) -> Outcomes:
        """All of ``results``, or why there is none.

        :param seconds: for everything, loading included.
        """

    def run(self, results: Collection[str], model: ModelUnderTest, seconds: float, label: str) -> Outcomes:
        """The same, where a failure is the reason why there are no results."""
        try:
            return self.measure(results, model, seconds, f"{label}: {self.title}")
        except OptGuideError as error:
            return dict.fromkeys(results, error.message)

    @property
    def results(self) -> Collection[str]:
        """Identifiers of all results that it can yield."""
        return tuple(ratio.result for ratio in self.ratios)

    def obstacle(self, result: str, model: ModelUnderTest) -> str:
        """Why a result means nothing for this model or device, in one sentence; empty if it does."""
        return next(ratio.obstacle(model) for ratio in self.ratios if ratio.result == result)

    def requested(self, results: Collection[str]) -> list[Ratio]:
        """The ratios whose identifiers are in ``results``."""
        return [ratio for ratio in self.ratios if ratio.result in results]

    def needed(self, results: Collection[str], model: ModelUnderTest) -> dict[str, Variant]:
        """The variants that these ratios compare, by key."""
        keys = {key for ratio in self.requested(results) for key in (ratio.base, ratio.better)}
        return {key: variant for key, variant in self.variants(model).items() if key in keys}


class SessionProbe(Probe):
    """Variants that take turns in one session."""

    def minimum_seconds(self, results: Collection[str], model: ModelUnderTest) -> float:
        """Loading once, and six rounds or a second for each variant."""
        variants = self.needed(results, model).values()
        inferences = MINIMUM_ROUNDS * sum(_inferences(variant, model) for variant in variants)
        measuring = max(SECONDS_PER_VARIANT * len(variants), inferences * model.inference)
        return model.loading * len(variants) + measuring

    def measure(
        self, results: Collection[str], model: ModelUnderTest, seconds: float, label: str
    ) -> Outcomes:
        """Measure the variants and compare them."""
        variants = self.needed(results, model)
        budget = Budget(max(seconds, self.minimum_seconds(results, model)), PRECISION)
        session = measure(list(variants.values()), budget, label=label)
        return {
            ratio.result: measured(partial(_compared, session, variants, ratio))
            for ratio in self.requested(results)
        }


def _compared(session: SessionResult, variants: Mapping[str, Variant], ratio: Ratio) -> Result:
    base, better = variants[ratio.base].name, variants[ratio.better].name
    comparison = session.compare(base, better, ratio.quantity)
    share = None if math.isnan(session.others_share) else session.others_share
    evidence = {**comparison_evidence(comparison), "others_share": share, "rounds": session.rounds}
    label = f"{better} against {base}, {ratio.quantity}"
    return result_of(comparison.ratio, label, label=label, evidence=evidence, above=ratio.above)


def _inferences(variant: Variant, model: ModelUnderTest) -> float:
    """The least length of a turn, in inferences one after another: as many as optimal overlap."""
    if not isinstance(variant.runtime, OpenVINO):
        return CALLS_PER_TURN
    in_flight = max(1, variant.runtime.requests or 0)
    return CALLS_PER_TURN * (variant.runtime.batch or 1) * max(1.0, in_flight / model.requests)


CallStyle = Literal["infer", "start and wait", "inputs copied", "inputs shared"]


def calling(style: CallStyle, plain: Variant, frames: int) -> Variant:
    """A variant that calls the compiled model of ``plain`` from Python in one of these ways.

    The runner that measures all other variants loads the model, so shapes, inputs and errors are the same.
    """
    spec = plain.to_dict()

    def make() -> Callable[[], Any]:
        # By name: this function is shipped by value, and what it needs is imported in the worker.
        from optguide.runtimes import runner_for

        runner: Any = runner_for(spec)
        runner.load()
        sets = itertools.cycle([runner.handed_over(arrays) for arrays in runner.sets])
        compiled, request = runner.compiled, runner.compiled.create_infer_request()

        def start_and_wait() -> Any:
            request.start_async(next(sets))
            request.wait()
            return request.results

        calls = {
            # Both read the results as views, so that they differ in nothing but the waiting.
            "infer": lambda: request.infer(next(sets), share_outputs=True),
            "start and wait": start_and_wait,
            "inputs copied": lambda: compiled(next(sets), share_inputs=False),
            "inputs shared": lambda: compiled(next(sets), share_inputs=True),
        }
        return calls[style]

    return Variant.from_function(style, make, frames=frames)
