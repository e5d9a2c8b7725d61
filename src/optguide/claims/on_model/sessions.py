"""Probes that compare variants in one interleaved session.

Ways of calling a compiled model from Python, as variants.

The model is loaded by the runner that measures all other variants, so shapes, inputs and errors are the same.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from optguide.bench.result import SessionResult
from optguide.bench.session import Budget, measure
from optguide.bench.variant import Variant
from optguide.claims.on_model.model import Subject
from optguide.claims.on_model.probe import Asked, Found, gather, reason
from optguide.errors import OptGuideError
from optguide.runtimes.openvino import OpenVINO
from optguide.stats.estimate import MINIMUM_ROUNDS

__all__ = ["Quantity", "Ratio", "Session", "Style", "Why", "applies", "calling", "on_the_cpu"]

Style = Literal["infer", "start and wait", "inputs copied", "inputs shared"]


def calling(style: Style, plain: Variant, frames: int) -> Variant:
    """A variant that calls the model of ``plain`` in one of these ways.

    :param frames: inputs that one inference processes.
    """
    spec = plain.to_dict()

    def make() -> Callable[[], Any]:
        # By name: this function is shipped by value, and what it needs is imported in the worker.
        from optguide.runtimes import runner_for

        runner: Any = runner_for(spec)
        runner.load()
        sets = itertools.cycle([list(arrays.values()) for arrays in runner.sets])
        compiled, request = runner.compiled, runner.compiled.create_infer_request()

        def start_and_wait() -> Any:
            request.start_async(next(sets))
            request.wait()
            return request.results

        ways = {
            # Both read the results as views, so that they differ in nothing but the waiting.
            "infer": lambda: request.infer(next(sets), share_outputs=True),
            "start and wait": start_and_wait,
            "inputs copied": lambda: compiled(next(sets), share_inputs=False),
            "inputs shared": lambda: compiled(next(sets), share_inputs=True),
        }
        return ways[style]

    return Variant.from_function(style, make, frames=frames)


PRECISION = 0.01
"""Sessions end early at this half-width: claims ask whether something stays within 2 %."""

SECONDS_EACH = 1.0
"""Of measuring for every variant, with less of which hardly any interval decides anything."""

CALLS = 3.0
"""Inferences that a turn takes at least: those that are discarded, and one that counts."""

Quantity = Literal["latency", "throughput"]
Why = Callable[[Subject], str]
"""Why something means nothing for a model, in one sentence; empty if it does."""


@dataclass(frozen=True)
class Ratio:
    """How much better one variant is than another; variants are named by their keys.

    :param result: identifier.
    :param obstacle: why it means nothing for a model, if so.
    """

    result: str
    better: str
    base: str
    quantity: Quantity
    obstacle: Why = lambda _: ""


@dataclass(frozen=True)
class Session:
    """Variants that take turns, and the ratios that are wanted of them.

    :param title: what progress shows.
    :param variants: made for a model, by key.
    :param ratios: only the variants that the wanted ones need are measured.
    """

    title: str
    variants: Callable[[Subject], Mapping[str, Variant]]
    ratios: tuple[Ratio, ...]

    @property
    def results(self) -> Collection[str]:
        """Identifiers of the ratios."""
        return tuple(ratio.result for ratio in self.ratios)

    def obstacle(self, result: str, subject: Subject) -> str:
        """The ratio's own."""
        return next(ratio.obstacle(subject) for ratio in self.ratios if ratio.result == result)

    def least(self, wanted: Collection[str], subject: Subject) -> float:
        """Loading once, and six rounds or a second for each variant."""
        variants = self._needed(wanted, subject).values()
        inferences = MINIMUM_ROUNDS * sum(_inferences(variant, subject) for variant in variants)
        measuring = max(SECONDS_EACH * len(variants), inferences * subject.inference)
        return subject.loading * len(variants) + measuring

    def run(self, wanted: Collection[str], subject: Subject, seconds: float, label: str) -> Found:
        """Measure the variants that ``wanted`` needs, and compare them."""
        variants = self._needed(wanted, subject)
        budget = Budget(max(seconds, self.least(wanted, subject)), PRECISION)
        try:
            session = measure(list(variants.values()), budget, label=f"{label}: {self.title}")
        except OptGuideError as error:
            return dict.fromkeys(wanted, reason(error))
        return gather(
            {
                ratio.result: _asked(session, variants[ratio.base].name, variants[ratio.better].name, ratio)
                for ratio in self.ratios
                if ratio.result in wanted
            },
            {"others_share": session.others_share, "rounds": session.rounds, "seconds": session.seconds},
        )

    def _needed(self, wanted: Collection[str], subject: Subject) -> dict[str, Variant]:
        keys = {key for ratio in self.ratios if ratio.result in wanted for key in (ratio.base, ratio.better)}
        return {key: variant for key, variant in self.variants(subject).items() if key in keys}


def applies(holds: Callable[[Subject], bool], why_not: str) -> Why:
    """An obstacle where ``holds`` says no: ``why_not``, a sentence."""
    return lambda subject: "" if holds(subject) else why_not


def on_the_cpu(subject: Subject) -> str:
    """The obstacle of ratios that say something about the CPU."""
    return "" if subject.on_cpu else f"It is about the CPU, and the device is {subject.device}."


def _asked(session: SessionResult, base: str, better: str, ratio: Ratio) -> Asked:
    """What sentences call a ratio, and how it is estimated."""
    label = f"{better} over {base}, {ratio.quantity}"
    return label, lambda: session.compare(base, better, ratio.quantity).ratio


def _inferences(variant: Variant, subject: Subject) -> float:
    """What a turn takes at least, in inferences one after another: as many as optimal overlap."""
    if not isinstance(variant.runtime, OpenVINO):
        return CALLS
    in_flight = max(1, variant.runtime.requests or 0)
    return CALLS * (variant.runtime.batch or 1) * max(1.0, in_flight / subject.requests)
