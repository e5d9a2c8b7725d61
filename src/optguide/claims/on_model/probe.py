"""Probes: short measurements of the reader's model, whose results decide conditions of claims.

Most compare variants pairwise; in a :class:`SessionProbe` these take turns in an interleaved session. Starts,
and the exactness of a precision, need fresh processes instead.
"""

from __future__ import annotations

import itertools
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from optguide.bench.cold_start import ColdStart, first_inference
from optguide.bench.result import SessionResult
from optguide.bench.session import Budget, measure
from optguide.bench.variant import Variant
from optguide.claims.on_model.model import DRAWN, ModelUnderTest, precision_error
from optguide.errors import OptGuideError
from optguide.records import Result
from optguide.records.model import comparison_evidence, result_of
from optguide.runtimes.openvino import OpenVINO
from optguide.stats.comparison import paired
from optguide.stats.estimate import MINIMUM_ROUNDS

PRECISION = 0.01
"""Sessions end early at this half-width: claims ask whether something stays within 5 %."""

SECONDS_PER_VARIANT = 1.0
"""Of measuring; with less hardly any interval decides anything."""

CALLS_PER_TURN = 3.0
"""Inferences that a turn takes at least: those that are discarded, and one that counts."""

STEADY_CALLS = 10
"""Calls after the second, whose median is what steady means."""

MOST_STARTS = 15
"""Of each variant; more make intervals narrower by little."""

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
    def least(self, variants: Mapping[str, Variant], model: ModelUnderTest) -> float:
        """An estimate of the seconds that measuring these variants takes at least, loading included."""

    @abstractmethod
    def measure(
        self, variants: Mapping[str, Variant], model: ModelUnderTest, seconds: float, label: str
    ) -> Callable[[Ratio], Result]:
        """Measure these variants; what it returns gives the result of a ratio, or raises why there is none.

        :param seconds: for everything, loading included.
        """

    def minimum_seconds(self, results: Collection[str], model: ModelUnderTest) -> float:
        """An estimate of the seconds that it needs to yield ``results``, loading included."""
        return self.least(self.needed(results, model), model)

    def run(self, results: Collection[str], model: ModelUnderTest, seconds: float, label: str) -> Outcomes:
        """All of ``results``, where a failure is the reason why there is none."""
        try:
            variants = self.needed(results, model)
            result = self.measure(variants, model, seconds, f"{label}: {self.title}")
        except OptGuideError as error:
            return dict.fromkeys(results, error.message)
        return {ratio.result: measured(partial(result, ratio)) for ratio in self.requested(results)}

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

    def least(self, variants: Mapping[str, Variant], model: ModelUnderTest) -> float:
        """Loading once, and six rounds or a second for each variant."""
        inferences = MINIMUM_ROUNDS * sum(_inferences(variant, model) for variant in variants.values())
        measuring = max(SECONDS_PER_VARIANT * len(variants), inferences * model.inference)
        return model.loading * len(variants) + measuring

    def measure(
        self, variants: Mapping[str, Variant], model: ModelUnderTest, seconds: float, label: str
    ) -> Callable[[Ratio], Result]:
        """Measure the variants and compare them."""
        budget = Budget(max(seconds, self.least(variants, model)), PRECISION)
        session = measure(list(variants.values()), budget, label=label)
        return partial(_compared, session, variants)


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


class StartProbe(Probe):
    """Fresh processes of a few variants, in turn: from the import to the first result and a little beyond.

    A ratio of a variant with itself compares a stage of its starts with the steady calls of the same starts.
    """

    def least(self, variants: Mapping[str, Variant], model: ModelUnderTest) -> float:
        """Six starts of each variant, and one more that fills the cache."""
        filling = 1 if "cached" in variants else 0
        return (filling + MINIMUM_ROUNDS * len(_distinct(variants))) * _seconds_per_start(model)

    def measure(
        self, variants: Mapping[str, Variant], model: ModelUnderTest, seconds: float, label: str
    ) -> Callable[[Ratio], Result]:
        """Start the variants as often as time allows."""
        distinct = _distinct(variants)
        affordable = seconds / (len(distinct) * _seconds_per_start(model))
        repeats = int(min(MOST_STARTS, max(MINIMUM_ROUNDS, affordable)))
        if cached := variants.get("cached"):
            first_inference([cached], 1, steady=1, label=f"{label}, filling the cache")
        starts = first_inference(distinct, repeats, steady=STEADY_CALLS, label=label)
        return partial(_gain, starts, variants)


def _distinct(variants: Mapping[str, Variant]) -> list[Variant]:
    """Each once: a model that is an IR already is its own IR."""
    return list({variant.name: variant for variant in variants.values()}.values())


def _seconds_per_start(model: ModelUnderTest) -> float:
    return model.loading + (2 + STEADY_CALLS) * model.inference


def _gain(starts: ColdStart, variants: Mapping[str, Variant], ratio: Ratio) -> Result:
    base, better = variants[ratio.base].name, variants[ratio.better].name
    if base != better:
        comparison = starts.compare(base, better, ratio.quantity)
        gain, evidence = comparison.ratio, comparison_evidence(comparison)
    else:
        gain = paired(starts.values(base, ratio.quantity), starts.values(base, "steady"), independent=True)
        evidence = {}
    return result_of(gain, ratio.label, label=ratio.label, evidence=evidence, above=ratio.above)


class ExactnessProbe(Probe):
    """How far the default precision moves the first output from that of 32-bit floats, input by input."""

    def least(self, _variants: Mapping[str, Variant], model: ModelUnderTest) -> float:
        """Loading both precisions, and all inferences."""
        return 2 * (model.loading + (len(model.plain.inputs) or DRAWN) * model.inference)

    def measure(
        self, _variants: Mapping[str, Variant], model: ModelUnderTest, _seconds: float, _label: str
    ) -> Callable[[Ratio], Result]:
        """Compute the outputs in both precisions. Nothing is timed."""
        inputs = "these" if model.plain.inputs else "random"
        label = f"default precision, error of the first output on {inputs} inputs"
        error = precision_error(model.plain)
        return lambda _: result_of(error, "the error", label=label)


def calling(name: str, plain: Variant, frames: int, *, waiting: bool = False) -> Variant:
    """A variant that calls the compiled model of ``plain`` from Python: by infer(), or by start and wait.

    The runner that measures all other variants loads the model, so shapes, inputs and errors are the same.
    Both read the results as views, so that they differ in nothing but the waiting.
    """
    spec = plain.to_dict()

    def make() -> Callable[[], Any]:
        # By name: this function is shipped by value, and what it needs is imported in the worker.
        from optguide.runtimes import runner_for

        runner: Any = runner_for(spec)
        runner.load()
        sets = itertools.cycle([runner.handed_over(arrays) for arrays in runner.sets])
        request = runner.compiled.create_infer_request()

        def start_and_wait() -> Any:
            request.start_async(next(sets))
            request.wait()
            return request.results

        return start_and_wait if waiting else lambda: request.infer(next(sets), share_outputs=True)

    return Variant.from_function(name, make, frames=frames)
