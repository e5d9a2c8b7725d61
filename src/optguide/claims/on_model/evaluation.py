"""Verdicts on the reader's model: the time is split over the probes, and their results decide."""

from __future__ import annotations

import difflib
import math
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from optguide import claims
from optguide import format as fmt
from optguide.bench.variant import Variant
from optguide.claims.model import Claim, Condition, Strict, read, shipped
from optguide.claims.on_model.model import ModelUnderTest, examine
from optguide.claims.on_model.probe import Probe
from optguide.claims.on_model.probes import PROBES
from optguide.claims.verdicts import Verdict, decide, missing_needs
from optguide.errors import ClaimError
from optguide.machine import Machine, measuring_lock
from optguide.records import Result

FILE = "own_model.toml"


class _ModelClaim(Strict, frozen=True):
    """One table of the file: a claim of the guide, with conditions that any model can be held against.

    :param conditions: in place of the guide's, which look at what its examples record.
    :param statement: in place of the guide's, where that names models of the guide.
    """

    id: str
    conditions: tuple[Condition, ...]
    statement: str | None = None


def load(file: Path | None = None, folder: Path | None = None) -> tuple[Claim, ...]:
    """The claims that can be tried on any model: the guide's, with conditions on that model's results.

    :param file: ``conf/own_model.toml`` of the checkout by default, or what was installed with the package.
    """
    guide = {claim.id: claim for claim in claims.load(folder)}
    model_claims = read(file or shipped(FILE), lambda table: _convert(table, guide))
    ids = [claim.id for claim in model_claims]
    if repeated := {id_ for id_ in ids if ids.count(id_) > 1}:
        raise ClaimError(f"{FILE} names the claim {min(repeated)!r} twice.", "Keep one of the two.")
    return tuple(model_claims)


def select(candidates: Sequence[Claim], only: Sequence[str]) -> tuple[Claim, ...]:
    """The ``candidates`` whose identifiers are in ``only``, in their order."""
    ids = [claim.id for claim in candidates]
    for name in only:
        if name not in ids:
            close = difflib.get_close_matches(name, ids, n=3)
            remedy = f"Did you mean {' or '.join(close)}?" if close else f"There are {', '.join(ids)}."
            raise ClaimError(f"There is no claim {name!r} that can be asked of any model.", remedy)
    return tuple(claim for claim in candidates if claim.id in only)


def _convert(table: Any, guide: Mapping[str, Claim]) -> Claim:
    entry = msgspec.convert(table, _ModelClaim)
    if entry.id not in guide:
        raise ClaimError("the guide does not make it.")
    claim = guide[entry.id]
    return msgspec.structs.replace(
        claim, conditions=entry.conditions, statement=entry.statement or claim.statement
    )


def evaluate_model(
    model: Variant,
    seconds: float,
    *,
    int8: str | None = None,
    only: Sequence[str] | None = None,
    label: str = "claims",
    on_verdict: Callable[[Verdict], None] = lambda _: None,
) -> tuple[Verdict, ...]:
    """Try the claims of the guide that make sense for any model on the reader's own.

    :param model: a model in 32-bit floats, with OpenVINO's defaults.
    :param seconds: for everything. Probes that no longer fit leave their claims *not tried*.
    :param int8: file of the same model in 8 bits; claims about it are not measurable without.
    :param only: identifiers of the claims to try; all of them by default.
    :param on_verdict: called with each verdict as soon as it is known.
    :return: in the order of ``conf/own_model.toml``.
    :raises ClaimError: ``only`` names a claim that cannot be tried on any model.
    """
    end = time.monotonic() + seconds
    candidates = load()
    if only is not None:
        candidates = select(candidates, only)
    with measuring_lock(label), tempfile.TemporaryDirectory(prefix="optguide-own-") as folder:
        evaluation = _Evaluation(candidates, examine(model, int8, Path(folder)), end, on_verdict)
        evaluation.run(label)
    return tuple(evaluation.verdicts[claim.id] for claim in candidates)


class _Evaluation:
    """The claims that are still open, the results so far, and the time that is left."""

    def __init__(
        self,
        candidates: Sequence[Claim],
        model: ModelUnderTest,
        end: float,
        on_verdict: Callable[[Verdict], None],
    ) -> None:
        self.model = model
        self.end = end
        self.on_verdict = on_verdict
        self.open = {claim.id: claim for claim in candidates}
        self.verdicts: dict[str, Verdict] = {}
        self.results: dict[str, Result] = {}
        self.obstacles: dict[str, str] = {}

    def run(self, label: str) -> None:
        self._exclude()
        for index, probe in enumerate(PROBES):
            results = self._requested(probe)
            if not results:
                continue
            seconds = self._share(index)
            if seconds is None:
                self._give_up(probe, results)
                continue
            for identifier, result in probe.run(results, self.model, seconds, label).items():
                if isinstance(result, Result):
                    self.results[identifier] = result
                else:
                    self.obstacles[identifier] = result
            self._decide()

    @property
    def seconds_left(self) -> float:
        """Time until the end; negative beyond it."""
        return self.end - time.monotonic()

    def _exclude(self) -> None:
        """Settle the claims that this machine, this device or this model says nothing about."""
        machine = Machine.current()
        for claim in list(self.open.values()):
            if missing := missing_needs(claim, machine):
                self._settle(Verdict.on(claim, "not measurable here", missing))
        for probe in PROBES:
            for identifier in self._requested(probe):
                if obstacle := probe.obstacle(identifier, self.model):
                    self.obstacles[identifier] = obstacle
        self._decide()

    def _requested(self, probe: Probe) -> list[str]:
        """The results of ``probe`` that an open claim looks at and that are not known yet."""
        needed = {condition.result for claim in self.open.values() for condition in claim.conditions}
        return [identifier for identifier in probe.results if identifier in needed - self.results.keys()]

    def _share(self, index: int) -> float | None:
        """Seconds for the probe at ``index``: its part of the time left, by what the probes need at least.

        Where not all of them fit any more, later ones go without. ``None`` if this one does not fit.
        """
        minima = [
            probe.minimum_seconds(results, self.model)
            for probe in PROBES[index:]
            if (results := self._requested(probe))
        ]
        fitting = 0.0
        for seconds in minima:
            if fitting + seconds <= self.seconds_left:
                fitting += seconds
        return self.seconds_left * minima[0] / fitting if minima[0] <= self.seconds_left else None

    def _give_up(self, probe: Probe, results: Sequence[str]) -> None:
        need, left = probe.minimum_seconds(results, self.model), max(0.0, self.seconds_left)
        sentence = f"It takes about {_seconds(math.ceil(need))}, and {_seconds(math.floor(left))} were left."
        for claim in list(self.open.values()):
            if any(condition.result in results for condition in claim.conditions):
                self._settle(Verdict.on(claim, "not tried", [sentence]))

    def _decide(self) -> None:
        """Settle every claim for which all results are known, or one cannot be had."""
        for claim in list(self.open.values()):
            needed = [condition.result for condition in claim.conditions]
            if obstacles := [self.obstacles[result] for result in needed if result in self.obstacles]:
                self._settle(Verdict.on(claim, "not measurable here", dict.fromkeys(obstacles)))
            elif all(result in self.results for result in needed):
                self._settle(decide(claim, self.results))

    def _settle(self, verdict: Verdict) -> None:
        del self.open[verdict.id]
        self.verdicts[verdict.id] = verdict
        self.on_verdict(verdict)


def _seconds(seconds: int) -> str:
    return f"{seconds} s" if seconds < 60 else fmt.duration(seconds)
