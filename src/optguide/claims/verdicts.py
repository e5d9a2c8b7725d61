"""What results say about a claim, and why, in sentences."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import msgspec

from optguide.claims.model import Claim, Condition, Source
from optguide.claims.reasons import EQUAL, ConditionState, disturbance, is_read_back, sentence
from optguide.errors import ClaimError
from optguide.machine import Machine
from optguide.records import Records, Result
from optguide.stats.estimate import CONFIDENCE, Interval, Relation, relation

ClaimOutcome = Literal[
    "confirmed", "refuted", "inconclusive", "not measurable here", "not tried", "not recorded"
]
"""``not tried``: no time was left. ``not recorded``: the example that measures it has not run yet."""

BUILD_OUTCOMES: tuple[ClaimOutcome, ...] = ("confirmed", "refuted", "inconclusive", "not measurable here")
"""Those that a complete build of the guide can have."""


@dataclass(frozen=True)
class Verdict:
    """What measurements say about a claim, as plain data; with what a reader needs of the claim itself.

    :param outcome: ``refuted`` if any condition fails, ``confirmed`` if all hold, ``inconclusive`` if an
        interval leaves one open, ``not measurable here`` if the machine or the model lacks something.
    :param reasons: one sentence per condition with the measured interval, or per thing that is lacking.
    :param results: the results that decided it, by identifier; empty where nothing did.
    """

    id: str
    chapter: str
    statement: str
    source: Source
    page: str
    outcome: ClaimOutcome
    reasons: tuple[str, ...]
    results: Mapping[str, Result] = field(default_factory=dict)

    @classmethod
    def on(
        cls,
        claim: Claim,
        outcome: ClaimOutcome,
        reasons: Iterable[str],
        results: Mapping[str, Result] | None = None,
    ) -> Verdict:
        """The verdict on ``claim``."""
        parts = (claim.id, claim.chapter, claim.statement, claim.source, claim.page)
        return cls(*parts, outcome, tuple(reasons), results or {})

    def to_dict(self) -> dict[str, Any]:
        """All fields, as JSON has them."""
        return msgspec.to_builtins(self)  # type: ignore[no-any-return]  # a dataclass becomes a dictionary


def judge(condition: Condition, interval: Interval) -> ConditionState:
    """Whether ``condition`` holds, fails or is left open by a measured interval."""
    states: Mapping[Relation, ConditionState]
    if condition.side == "between":
        place = relation(interval, *condition.edges)
        states = {"inside": "holds", "below": "fails", "above": "fails"}
    elif condition.side == "above":
        place = relation(interval, high=condition.edges[0])
        states = {"above": "holds", "inside": "fails"}
    else:
        place = relation(interval, low=condition.edges[0])
        states = {"below": "holds", "inside": "fails"}
    return states.get(place, "open")


def decide(claim: Claim, results: Mapping[str, Result]) -> Verdict:
    """The verdict that results allow, wherever they come from.

    Two sides that the device resolved to the same are not held against each other by the clock: their ratio
    is one. That confirms a claim that nothing is lost, and leaves one of a difference without a subject. What
    a session with a disturbed control has measured decides nothing.

    :param results: by identifier, those of all conditions and possibly others.
    """
    pairs = [(condition, results[condition.result]) for condition in claim.conditions]
    states = [_state(condition, result) for condition, result in pairs]
    reasons = [
        sentence(condition, result, state) for (condition, result), state in zip(pairs, states, strict=True)
    ]
    without_subject = [
        reason
        for (_, result), state, reason in zip(pairs, states, reasons, strict=True)
        if state == "fails" and is_read_back(result)
    ]
    if without_subject:
        return Verdict.on(claim, "not measurable here", without_subject)
    outcome: ClaimOutcome = "inconclusive"
    if "fails" in states:
        outcome = "refuted"
    elif "open" not in states:
        outcome = "confirmed"
    return Verdict.on(claim, outcome, reasons, {condition.result: result for condition, result in pairs})


def _state(condition: Condition, result: Result) -> ConditionState:
    if is_read_back(result):
        return judge(condition, EQUAL)
    return "open" if disturbance(result) else judge(condition, result)


def evaluate(claims: Iterable[Claim], records: Records, machine: Machine) -> tuple[Verdict, ...]:
    """Give every claim its verdict, in order.

    :param machine: the one that made ``records``.
    :raises ClaimError: a claim looks at a result that no example recorded, or needs something that is not
        understood.
    """
    return tuple(_verdict(claim, records, machine) for claim in claims)


@dataclass(frozen=True)
class Chance:
    """What chance may have done to a family of verdicts.

    An interval of 95 % lies wholly on the wrong side of the true value in 2.5 of 100 cases. So of conditions
    that were held against sampled intervals that share is decided wrongly on average where every true value
    lies just at its bound, and less where it does not, however the intervals depend on each other.

    :param conditions: number that were held against sampled intervals; not those counted or read back, nor of
        disturbed sessions.
    :param read_back: conditions whose two sides cannot differ.
    """

    conditions: int
    read_back: int

    @classmethod
    def of(cls, verdicts: Iterable[Verdict]) -> Chance:
        """Of a list of verdicts."""
        results = [result for verdict in verdicts for result in verdict.results.values()]
        sampled = [result for result in results if result.low < result.high and not disturbance(result)]
        read_back = sum(map(is_read_back, results))
        return cls(sum(not is_read_back(result) for result in sampled), read_back)

    @property
    def wrong_at_most(self) -> float:
        """How many verdicts are wrong by chance, on average and in the worst case."""
        return self.conditions * (1 - CONFIDENCE) / 2

    @property
    def text(self) -> str:
        """For readers, in whole sentences."""
        read_back = f" {self.read_back} more were read back, not timed." if self.read_back else ""
        if not self.conditions:
            return f"No verdict rests on a sampled interval, so none is wrong by chance.{read_back}"
        return (
            f"Sampled intervals of 95 % were held against {self.conditions} conditions of these claims. On"
            f" average at most {self.wrong_at_most:.1f} of the verdicts are wrong by chance, and that many"
            f" only if every true value lies just at its bound.{read_back}"
        )


def missing_needs(claim: Claim, machine: Machine) -> tuple[str, ...]:
    """Sentences about what the claim needs and the machine does not have."""
    return tuple(_missing(need) for need in claim.needs if not machine.supports(need))


def _verdict(claim: Claim, records: Records, machine: Machine) -> Verdict:
    if obstacles := _obstacles(claim, records, machine):
        return Verdict.on(claim, "not measurable here", obstacles)
    return decide(claim, records.results)


def _obstacles(claim: Claim, records: Records, machine: Machine) -> tuple[str, ...]:
    """Sentences about what keeps the claim from being measured here."""
    try:
        needs = missing_needs(claim, machine)
        owners = {condition.result: records.record_of(condition.result) for condition in claim.conditions}
    except ClaimError as error:
        raise ClaimError(f"Claim {claim.id!r}: {error.message}", error.remedy) from error
    gaps = [(owner, owner.gap(id_)) for id_, owner in owners.items()]
    reasons = [owner.unavailable[gap] for owner, gap in gaps if gap is not None]
    return (*needs, *dict.fromkeys(f"Not measurable here: {reason.rstrip('.')}." for reason in reasons))


_NEEDS = {
    "cpu": "the instruction set {}",
    "device": "an OpenVINO device {}",
    "os": "the operating system {}",
    "cores": "{} cores",
}


def _missing(need: str) -> str:
    """A need of the form ``cpu:amx_int8``, as a sentence about this machine."""
    kind, _, name = need.partition(":")
    return f"This machine does not have {_NEEDS[kind].format(name)}."
