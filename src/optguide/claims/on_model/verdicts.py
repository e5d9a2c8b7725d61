"""Verdicts on the reader's model: the time is split over the probes, and their results decide.

The guide's claims with conditions that any model can be held against, from ``conf/own_model.toml``.
"""

from __future__ import annotations

import difflib
import math
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from optguide import claims
from optguide import format as fmt
from optguide.bench.variant import Variant
from optguide.claims.model import Claim, Condition, Strict, read, shipped
from optguide.claims.on_model.model import Subject, look
from optguide.claims.on_model.probe import Probe
from optguide.claims.on_model.probes import PROBES
from optguide.errors import ClaimError
from optguide.machine import Machine, measuring_lock
from optguide.optimize import outcome as tuning
from optguide.records import Result
from optguide.runtimes.openvino import OpenVINO

__all__ = ["FILE", "NOT_TRIED", "OwnVerdict", "chosen", "load", "verdicts"]

FILE = "own_model.toml"


class _Asked(Strict, frozen=True):
    """A claim of the guide, asked of the reader's model.

    :param id: of the claim.
    :param conditions: in place of the guide's, which look at what its examples record.
    :param statement: in place of the guide's, where that names models of the guide.
    """

    id: str
    conditions: tuple[Condition, ...]
    statement: str | None = None


def load(file: Path | None = None, folder: Path | None = None) -> tuple[Claim, ...]:
    """The claims that can be asked of any model: the guide's, with conditions on that model's results.

    :param file: ``conf/own_model.toml`` of the checkout by default, or what was installed with the package.
    :param folder: of the guide's claims, see :func:`optguide.claims.load`.
    :raises ClaimError: the file is missing or not valid, or asks for a claim that the guide does not make.
    """
    guide = {claim.id: claim for claim in claims.load(folder)}
    found = read(file or shipped(FILE), lambda table: _asked(table, guide))
    ids = [claim.id for claim in found]
    if twice := {id_ for id_ in ids if ids.count(id_) > 1}:
        raise ClaimError(f"{FILE} asks for the claim {min(twice)!r} twice.", "Keep one of the two.")
    return tuple(found)


def chosen(known: Sequence[Claim], only: Sequence[str]) -> tuple[Claim, ...]:
    """Those of ``known`` that are named in ``only``, in their order.

    :raises ClaimError: a name that none of them has.
    """
    ids = [claim.id for claim in known]
    for name in only:
        if name not in ids:
            close = difflib.get_close_matches(name, ids, n=3)
            remedy = f"Did you mean {' or '.join(close)}?" if close else f"There are {', '.join(ids)}."
            raise ClaimError(f"There is no claim {name!r} that can be asked of any model.", remedy)
    return tuple(claim for claim in known if claim.id in only)


def _asked(table: Any, guide: Mapping[str, Claim]) -> Claim:
    asked = msgspec.convert(table, _Asked)
    if asked.id not in guide:
        raise ClaimError("the guide does not make it.")
    claim = guide[asked.id]
    return msgspec.structs.replace(
        claim, conditions=asked.conditions, statement=asked.statement or claim.statement
    )


NOT_TRIED = "not tried"
"""Outcome of a claim for which no time was left, beside those of :class:`optguide.claims.Verdict`."""


@dataclass(frozen=True)
class OwnVerdict:
    """A claim of the guide, and what was found out about it on the reader's model.

    :param claim: with the conditions that it has for any model.
    :param outcome: one of :data:`optguide.claims.Outcome`, or :data:`NOT_TRIED`.
    :param reasons: one sentence per condition with the measured interval, or why there is none.
    :param results: that decided it, by identifier.
    """

    claim: Claim
    outcome: str
    reasons: tuple[str, ...]
    results: Mapping[str, Result] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """As JSON, in the form of :meth:`optguide.claims.Verdict.to_dict`, with the results."""
        results = {identifier: asdict(result) for identifier, result in self.results.items()}
        return claims.as_dict(self.claim, self.outcome, self.reasons) | {"results": results}

    def to_outcome(self) -> tuning.Verdict:
        """The form in which a tuning run reports it."""
        claim = self.claim
        return tuning.Verdict(claim.id, claim.statement, self.outcome, self.reasons, claim.page)


def verdicts(  # noqa: PLR0913 - what a model needs to run, and how long
    model: str,
    *,
    inputs: Sequence[str] = (),
    shapes: Mapping[str, tuple[int, ...]] | None = None,
    device: str = "CPU",
    int8: str | None = None,
    seconds: float,
    only: Sequence[str] | None = None,
    label: str = "claims",
    found: Callable[[OwnVerdict], None] = lambda _: None,
) -> tuple[OwnVerdict, ...]:
    """Hold the reader's model against the claims of the guide that make sense for any model.

    :param model: a file that OpenVINO reads, in 32-bit floats.
    :param inputs: ``.npz`` files; random inputs without.
    :param shapes: input name to static shape.
    :param int8: the same model in 8 bits; claims about it are not measurable without.
    :param seconds: for everything. Probes that no longer fit leave their claims *not tried*.
    :param only: identifiers of the claims to try; all of them by default.
    :param label: what progress shows and what another process is told.
    :param found: called with each verdict as soon as it is known.
    :return: in the order of ``conf/own_model.toml``.
    :raises ClaimError: ``only`` names a claim that cannot be asked of any model.
    :raises Busy: another measurement is running.
    :raises OptGuideError: the model, its inputs or the device cannot be used at all.
    """
    end = time.monotonic() + seconds
    asked = load()
    if only is not None:
        asked = chosen(asked, only)
    name = Path(model).stem
    plain = Variant(
        name, model=model, inputs=tuple(inputs), runtime=OpenVINO(device=device, shapes=shapes or {})
    )
    with measuring_lock(label), tempfile.TemporaryDirectory(prefix="optguide-own-") as folder:
        subject = look(plain, int8, Path(folder))
        search = _Search(asked, subject, end, found)
        search.run(label)
    return tuple(search.verdicts[claim.id] for claim in asked)


class _Search:
    """What is known so far, and the time that is left."""

    def __init__(
        self, asked: Sequence[Claim], subject: Subject, end: float, found: Callable[[OwnVerdict], None]
    ) -> None:
        self.subject = subject
        self.end = end
        self.found = found
        self.verdicts: dict[str, OwnVerdict] = {}
        self.results: dict[str, Result] = {}
        self.reasons: dict[str, str] = {}
        self.open = {claim.id: claim for claim in asked}

    def run(self, label: str) -> None:
        """Give every claim its verdict."""
        self._leave_out()
        for place, probe in enumerate(PROBES):
            wanted = self._wanted(probe)
            if not wanted:
                continue
            seconds = self._share(place)
            if seconds is None:
                self._not_tried(probe, wanted)
                continue
            for identifier, result in probe.run(wanted, self.subject, seconds, label).items():
                if isinstance(result, Result):
                    self.results[identifier] = result
                else:
                    self.reasons[identifier] = result
            self._decide()

    @property
    def left(self) -> float:
        """Seconds."""
        return self.end - time.monotonic()

    def _leave_out(self) -> None:
        """Claims that this machine, this device or this model says nothing about."""
        machine = Machine.current()
        for claim in list(self.open.values()):
            if lacking := claims.unmet(claim, machine):
                self._settle(claim, "not measurable here", lacking)
        for probe in PROBES:
            for identifier in self._wanted(probe):
                if why := probe.obstacle(identifier, self.subject):
                    self.reasons[identifier] = why
        self._decide()

    def _wanted(self, probe: Probe) -> list[str]:
        asked = {condition.result for claim in self.open.values() for condition in claim.conditions}
        return [identifier for identifier in probe.results if identifier in asked - self.results.keys()]

    def _share(self, place: int) -> float | None:
        """Seconds for the probe at ``place``: its part of what is left, by what the probes need at least.

        Where not all of them fit any more, later ones go without. ``None`` if this one does.
        """
        needs = [
            probe.least(wanted, self.subject) for probe in PROBES[place:] if (wanted := self._wanted(probe))
        ]
        fitting = 0.0
        for need in needs:
            if fitting + need <= self.left:
                fitting += need
        return self.left * needs[0] / fitting if needs[0] <= self.left else None

    def _not_tried(self, probe: Probe, wanted: Sequence[str]) -> None:
        need, left = probe.least(wanted, self.subject), max(0.0, self.left)
        why = f"It takes about {_whole(math.ceil(need))}, and {_whole(math.floor(left))} were left."
        for claim in list(self.open.values()):
            if any(condition.result in wanted for condition in claim.conditions):
                self._settle(claim, NOT_TRIED, (why,))

    def _decide(self) -> None:
        """Settle every claim about whose results all is known."""
        for claim in list(self.open.values()):
            needed = [condition.result for condition in claim.conditions]
            if missing := [self.reasons[one] for one in needed if one in self.reasons]:
                self._settle(claim, "not measurable here", tuple(dict.fromkeys(missing)))
            elif all(one in self.results for one in needed):
                verdict = claims.decide(claim, self.results)
                results = {one: self.results[one] for one in needed}
                self._settle(claim, verdict.outcome, verdict.reasons, results)

    def _settle(
        self,
        claim: Claim,
        outcome: str,
        reasons: tuple[str, ...],
        results: Mapping[str, Result] | None = None,
    ) -> None:
        del self.open[claim.id]
        self.verdicts[claim.id] = OwnVerdict(claim, outcome, reasons, results or {})
        self.found(self.verdicts[claim.id])


def _whole(seconds: int) -> str:
    return f"{seconds} s" if seconds < 60 else fmt.duration(seconds)
