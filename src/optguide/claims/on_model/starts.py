"""The probe of starts: fresh processes, from the import to the first result and a little beyond."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import partial

from optguide.bench.cold_start import ColdStart, first_inference
from optguide.bench.variant import Variant
from optguide.claims.on_model.model import Subject
from optguide.claims.on_model.probe import Found, gather, reason
from optguide.claims.on_model.sessions import Why, applies
from optguide.errors import OptGuideError
from optguide.stats.comparison import paired
from optguide.stats.estimate import MINIMUM_ROUNDS, Estimate

__all__ = ["STARTS", "Starts"]

STEADY = 10
"""Calls after the second, whose median is what steady means."""

MOST = 15
"""Starts of each variant: more make intervals narrower by little."""


@dataclass(frozen=True)
class _Gain:
    """What one way to start gains over another, or one call over a later one of the same start.

    :param better: key of the variant that is named first.
    :param base: key of the other; of the same start if it is equal.
    :param stage: that is compared; of the same start, the one that is held against the steady calls.
    """

    better: str
    base: str
    stage: str
    label: str
    obstacle: Why = lambda _: ""


_IS_ONNX = applies(
    lambda subject: subject.suffix == ".onnx", "The model is no ONNX file, so no start converts one."
)

_GAINS = {
    "model.start.cached_over_compiled": _Gain("cached", "plain", "total", "model cache over compiling anew"),
    "model.start.mapped_over_copied": _Gain("ir", "copied", "load", "weights mapped over copied, loading"),
    "model.start.ir_over_onnx": _Gain("ir", "plain", "total", "IR over ONNX, first inference", _IS_ONNX),
    "model.start.first_over_steady": _Gain("plain", "plain", "first", "first call over steady ones"),
    "model.start.second_over_steady": _Gain("plain", "plain", "second", "second call over steady ones"),
}


@dataclass(frozen=True)
class Starts:
    """Fresh processes of a few variants, all of them in turn."""

    gains: Mapping[str, _Gain] = field(default_factory=lambda: _GAINS)

    @property
    def results(self) -> Collection[str]:
        """Identifiers of the gains."""
        return tuple(self.gains)

    def obstacle(self, result: str, subject: Subject) -> str:
        """The gain's own."""
        return self.gains[result].obstacle(subject)

    def least(self, wanted: Collection[str], subject: Subject) -> float:
        """Six starts of each variant, and one more that fills the cache."""
        variants = self._needed(wanted, subject)
        filling = 1 if "cached" in variants else 0
        return (filling + MINIMUM_ROUNDS * len(_different(variants))) * _start(subject)

    def run(self, wanted: Collection[str], subject: Subject, seconds: float, label: str) -> Found:
        """Start the variants that ``wanted`` needs, as often as time allows."""
        variants = self._needed(wanted, subject)
        label, different = f"{label}: fresh processes", _different(variants)
        rounds = seconds / (len(different) * _start(subject))
        repeats = int(min(MOST, max(MINIMUM_ROUNDS, rounds)))
        try:
            if cached := variants.get("cached"):
                first_inference([cached], 1, steady=1, label=f"{label}, filling the cache")
            starts = first_inference(different, repeats, steady=STEADY, label=label)
        except OptGuideError as error:
            return dict.fromkeys(wanted, reason(error))
        return gather(
            {
                result: (gain.label, partial(_compared, starts, variants, gain))
                for result, gain in self.gains.items()
                if result in wanted
            }
        )

    def _needed(self, wanted: Collection[str], subject: Subject) -> dict[str, Variant]:
        keys = {key for result in wanted for key in (self.gains[result].base, self.gains[result].better)}
        return {key: variant for key, variant in _variants(subject).items() if key in keys}


def _variants(subject: Subject) -> dict[str, Variant]:
    plain = subject.plain
    ir = plain if plain.model == subject.ir else plain.with_("IR", model=subject.ir)
    return {
        "plain": plain,
        "cached": plain.with_("model cache", cache_dir=str(subject.folder / "cache")),
        "ir": ir,
        "copied": ir.with_("weights copied", properties={"ENABLE_MMAP": "NO"}),
    }


def _different(variants: Mapping[str, Variant]) -> list[Variant]:
    """Each once: a model that is an IR already is its own IR."""
    return list({variant.name: variant for variant in variants.values()}.values())


def _start(subject: Subject) -> float:
    """Seconds of one start."""
    return subject.loading + (2 + STEADY) * subject.inference


def _compared(starts: ColdStart, variants: Mapping[str, Variant], gain: _Gain) -> Estimate:
    base, better = variants[gain.base].name, variants[gain.better].name
    if base != better:
        return starts.compare(base, better, gain.stage).ratio
    return paired(starts.values(base, gain.stage), starts.values(base, "steady"))


STARTS = Starts()
