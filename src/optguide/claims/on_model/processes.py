"""Probes that need fresh processes instead of a session: starts, and the exactness of a precision."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import partial
from typing import Any

from optguide.bench import process
from optguide.bench.cold_start import ColdStart, first_inference
from optguide.bench.process import LOAD_SECONDS
from optguide.bench.variant import Variant
from optguide.claims.on_model.model import ModelUnderTest
from optguide.claims.on_model.probe import (
    Outcomes,
    Probe,
    Ratio,
    measured,
    on_the_cpu,
    unless,
)
from optguide.records import Result
from optguide.records.model import comparison_evidence, result_of
from optguide.stats.comparison import paired
from optguide.stats.estimate import MINIMUM_ROUNDS, median_of_rounds

STEADY_CALLS = 10
"""Calls after the second, whose median is what steady means."""

MOST_STARTS = 15
"""Of each variant; more make intervals narrower by little."""

DRAWN = 12
"""Sets of random inputs, where the reader gives none; six bound a median."""

ERROR = "model.default.error"


class StartProbe(Probe):
    """Fresh processes of a few variants, in turn: from the import to the first result and a little beyond.

    A ratio of a variant with itself compares a stage of its starts with the steady calls of the same starts.
    """

    def minimum_seconds(self, results: Collection[str], model: ModelUnderTest) -> float:
        """Six starts of each variant, and one more that fills the cache."""
        variants = self.needed(results, model)
        filling = 1 if "cached" in variants else 0
        return (filling + MINIMUM_ROUNDS * len(_distinct(variants))) * _seconds_per_start(model)

    def measure(
        self, results: Collection[str], model: ModelUnderTest, seconds: float, label: str
    ) -> Outcomes:
        """Start the variants as often as time allows."""
        variants = self.needed(results, model)
        distinct = _distinct(variants)
        affordable = seconds / (len(distinct) * _seconds_per_start(model))
        repeats = int(min(MOST_STARTS, max(MINIMUM_ROUNDS, affordable)))
        if cached := variants.get("cached"):
            first_inference([cached], 1, steady=1, label=f"{label}, filling the cache")
        starts = first_inference(distinct, repeats, steady=STEADY_CALLS, label=label)
        return {
            ratio.result: measured(partial(_gain, starts, variants, ratio))
            for ratio in self.requested(results)
        }


def _variants(model: ModelUnderTest) -> dict[str, Variant]:
    plain = model.plain
    ir = plain if plain.model == model.ir else plain.with_("IR", model=model.ir)
    return {
        "plain": plain,
        "cached": plain.with_("model cache", cache_dir=str(model.folder / "cache")),
        "ir": ir,
        "copied": ir.with_("weights copied", properties={"ENABLE_MMAP": "NO"}),
    }


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


_IS_ONNX = unless(
    lambda model: model.suffix == ".onnx", "The model is no ONNX file, so no start converts one."
)


def _start(name: str, better: str, base: str, stage: str, label: str) -> Ratio:
    obstacle = _IS_ONNX if name == "ir_over_onnx" else lambda _: ""
    above = "longer" if better == base else "faster"  # one call against others of the same start
    return Ratio(f"model.start.{name}", better, base, stage, obstacle, label, above)


STARTS = StartProbe(
    "fresh processes",
    _variants,
    (
        _start("cached_over_compiled", "cached", "plain", "total", "model cache against compiling anew"),
        _start("mapped_over_copied", "ir", "copied", "load", "weights mapped against copied, loading"),
        _start("ir_over_onnx", "ir", "plain", "total", "IR against ONNX, first inference"),
        _start("first_over_steady", "plain", "plain", "first", "first call against steady ones"),
        _start("second_over_steady", "plain", "plain", "second", "second call against steady ones"),
    ),
)


def _about_exactness(model: ModelUnderTest) -> str:
    """Another device, or too few inputs."""
    count = len(model.plain.inputs)
    if 0 < count < MINIMUM_ROUNDS:
        return f"It takes {MINIMUM_ROUNDS} sets of inputs to judge it, and this is {count}."
    return on_the_cpu(model)


class ExactnessProbe(Probe):
    """How far the default precision moves the first output from that of 32-bit floats, input by input."""

    def minimum_seconds(self, _results: Collection[str], model: ModelUnderTest) -> float:
        """Loading both precisions, and all inferences."""
        return 2 * (model.loading + (len(model.plain.inputs) or DRAWN) * model.inference)

    def measure(
        self, _results: Collection[str], model: ModelUnderTest, _seconds: float, _label: str
    ) -> Outcomes:
        """Compute the outputs in both precisions. Nothing is timed."""
        values = process.call(
            f"{__name__}:errors",
            {"spec": model.plain.to_dict(), "draws": DRAWN},
            seconds=2 * LOAD_SECONDS,
            activity=f"comparing precisions of {model.plain.name}",
        )
        inputs = "these" if model.plain.inputs else "random"
        label = f"default precision, error of the first output on {inputs} inputs"
        return {
            ERROR: measured(
                lambda: result_of(
                    median_of_rounds(values, "share", independent=True), "the error", label=label
                )
            )
        }


EXACTNESS = ExactnessProbe(
    "exactness", lambda _: {}, (Ratio(ERROR, "default", "f32", "error", _about_exactness),)
)


def errors(spec: Mapping[str, Any], draws: int, precision: str | None = None) -> list[float]:
    """The child's side: the error of every input set, or of ``draws`` random ones.

    :param precision: the one to hold against 32-bit floats; the device's default without it.
    """
    exact, other = (_first_outputs({**spec, "precision": asked}, draws) for asked in ("f32", precision))
    return [_cosine_distance(a, b) for a, b in zip(exact, other, strict=True)]


def _first_outputs(spec: dict[str, Any], draws: int) -> list[Any]:
    from optguide.runtimes import runner_for
    from optguide.runtimes.inputs import random_inputs

    runner: Any = runner_for(spec)
    runner.load()
    sets = runner.sets if spec["inputs"] else [random_inputs(runner.ports, seed) for seed in range(draws)]
    return [runner.answer(arrays)[0] for arrays in sets]


def _cosine_distance(a: Any, b: Any) -> float:
    """One minus the cosine of two outputs; one where one of them is zero, or no number."""
    import numpy as np

    x, y = (np.asarray(array, dtype=np.float64).ravel() for array in (a, b))
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        return 1.0
    norms = float(np.linalg.norm(x) * np.linalg.norm(y))
    return max(0.0, 1.0 - float(x @ y) / norms) if norms else float(bool((x != y).any()))
