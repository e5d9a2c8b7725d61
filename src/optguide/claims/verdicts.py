"""What results say about a claim, and why, in sentences."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from optguide import format as fmt
from optguide.claims.model import Claim, Condition, Source
from optguide.errors import ClaimError
from optguide.machine import Machine
from optguide.records import Records, Result
from optguide.stats.estimate import CONFIDENCE, Relation, relation

ConditionState = Literal["holds", "fails", "open"]

EQUAL = Result(1.0, 1.0, 1.0, "ratio", 1, "read back")
"""The ratio of two sides that cannot differ."""

HOPELESS = 100.0
"""How many times as much measuring is called out of reach."""

_NO_DIFFERENCE = {"ratio": 1.0, "points": 0.0}
"""The result of comparing equals, by unit."""


def is_read_back(result: Result) -> bool:
    """Whether the two sides were asked for differently and the device resolved them to the same."""
    return bool(result.evidence.get("same"))


def disturbance(result: Result) -> str:
    """Why the session of ``result`` decides nothing, as a sentence; empty where nothing is known of that.

    A comparison of a variant with itself is what shows it, and stands for itself.
    """
    return "" if "same" in result.evidence else str(result.evidence.get("disturbed", ""))


def sentence(condition: Condition, result: Result, state: ConditionState) -> str:
    """What was measured and how it stands to the bound: ``A: 40 ms (39 to 41), below 50 ms.``"""
    label = result.label or condition.result
    if is_read_back(result):
        return f"{label}: {_read_back(result.evidence['same'])}."
    measured = f"{label}: {result.text}"
    if disturbed := disturbance(result):
        return f"{measured}, which decides nothing. {disturbed}"
    if condition.side == "between":
        return f"{measured}, {_beside_range(condition, result, state)}."
    if condition.margin is not None:
        return f"{measured}, {_beside_margin(condition, condition.margin, result, state)}."
    return f"{measured}{_beside_bound(condition, result, state)}."


def _read_back(same: Mapping[str, str]) -> str:
    values = " and ".join(f"{key} is {value}" for key, value in same.items())
    return f"{values} on both sides, so they cannot differ; read back, not timed"


def _beside_bound(condition: Condition, result: Result, state: ConditionState) -> str:
    bound = condition.edges[0]
    if result.above and bound == 1:  # its direction is the answer
        return f"; {_more_time(bound, result)}" if state == "open" else ""
    text = f"{condition.side} {_bound(bound, result.unit)}"
    if result.above:
        # More than 0.98 is less than 1.02 the other way round.
        extent = "more than" if (condition.side == "above") is (bound > 1) else "less than"
        text = f"{extent} {_turned(bound, result.above)}"
    if state == "open":
        return f", which leaves open whether it is {text}; {_more_time(bound, result)}"
    return f", {text}" if state == "holds" else f", not {text}"


def _beside_margin(condition: Condition, margin: float, result: Result, state: ConditionState) -> str:
    word = result.above or "higher"
    largest = result.high - 1
    if condition.side == "above":
        word, largest = fmt.OPPOSITES.get(word, "lower"), 1 - result.low
    allowed = fmt.quantity(margin, "share")
    if state == "open":
        return f"{word} by no more than {_tenths_up(largest, 'ratio')}, where the claim allows {allowed}"
    return f"{'' if state == 'fails' else 'not '}{word} by more than {allowed}"


def _beside_range(condition: Condition, result: Result, state: ConditionState) -> str:
    low, high = condition.edges
    equal = _NO_DIFFERENCE.get(result.unit)
    ends = [_turned(end, result.above) if result.above else _bound(end, result.unit) for end in (low, high)]
    text = f"the range {' to '.join(ends)}"
    if condition.margin is not None and state == "fails":
        return f"a difference of more than {fmt.quantity(condition.margin, 'share')}"
    if equal is None or not low <= equal <= high or state == "fails" or result.low == result.high:
        return {"holds": "within", "fails": "outside", "open": "which reaches beyond"}[state] + f" {text}"
    largest = _tenths_up(max(abs(result.low - equal), abs(result.high - equal)), result.unit)
    if state == "holds":
        return f"no difference larger than {largest} here"
    if condition.margin is None:
        return f"no difference larger than {largest}, which reaches beyond {text}"
    allowed = fmt.quantity(condition.margin, "share")
    return f"no difference larger than {largest}, where the claim allows {allowed}"


def _turned(bound: float, above: str) -> str:
    """A bound of a ratio, which was written by hand, in words: ``1.02x slower``."""
    word = above if bound >= 1 else fmt.OPPOSITES[above]
    return f"{max(bound, 1 / bound):.4g}\N{MULTIPLICATION SIGN} {word}"


def _more_time(bound: float, result: Result) -> str:
    """How much more measuring would decide it: half-widths shrink with the square root of the time."""
    distance = result.value - bound
    half = result.value - result.low if distance > 0 else result.high - result.value
    times = (half / distance) ** 2 if distance else math.inf
    if times > HOPELESS:
        return "it lies so close to that bound that more time will hardly decide it"
    times = max(2, math.ceil(round(times, 6)))  # binary fractions: 4.0000001 is four
    seconds = result.evidence.get("seconds")
    if seconds:
        much = f"as much measuring, {fmt.duration(times * seconds)},"
    else:
        much = "as many samples" if result.unit == "points" else "as much measuring"
    return f"at this value about {times} times {much} would decide it"


def _tenths_up(difference: float, unit: str) -> str:
    """A difference, rounded up to a tenth of a per cent or of a point."""
    unit, tenth = ("share", 1000) if unit == "ratio" else (unit, 10)
    # Binary fractions: 1 - 0.979 is a little more than 0.021, which is not a reason to say 2.2 %.
    return fmt.quantity(math.ceil(round(difference * tenth, 6)) / tenth, unit)


def _bound(value: float, unit: str) -> str:
    # A ratio's bound was written by hand and is quoted as written: "above 1", without digits.
    return f"{value:g}" if unit == "ratio" else fmt.quantity(value, unit)


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


def judge(condition: Condition, interval: fmt.Estimated) -> ConditionState:
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
