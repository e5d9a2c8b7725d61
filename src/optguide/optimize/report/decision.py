"""What the page says of candidates: the decision, the session that shows it, and why each one lost.

How it writes numbers and times is at the end.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from optguide import format as fmt
from optguide.optimize.candidate import MEASURES
from optguide.optimize.outcome import Outcome, RaceRound, Speed, Standing, Status
from optguide.stats.estimate import Estimate, Relation

MISSING = "\N{EN DASH}"

Kind = Literal["change", "keep", "limit", "nothing"]
State = Literal["better", "worse", "unclear"]

ENDED = {
    "budget spent": "the budget was spent",
    "interrupted": "interrupted: what was known by then",
    "failed": "the run failed: what was known by then",
}


STATUSES: dict[Status, tuple[str, str]] = {
    "winner": ("good", "✓"),
    "slower": ("even", "↓"),
    "not distinguishable": ("even", "≈"),
    "too inaccurate": ("bad", "✕"),
    "accuracy not shown": ("open", "?"),
    "over the latency limit": ("bad", "✕"),
    "latency limit not shown": ("open", "?"),
    "failed": ("bad", "!"),
    "not tried": ("even", MISSING),
}
"""How a status looks: its class on the page, and a mark for those who see no colours."""

_GAINS: Mapping[Relation, State] = {"above": "better", "below": "worse"}

AXIS_WIDTH = 132.0
AXIS_MARGIN = 6.0
FARTHEST = 2.0
"""A ratio beyond this factor from one is drawn at the edge: its digits stand beside it."""


@dataclass(frozen=True)
class Gain:
    """One thing the winner is held against.

    :param state: ``better`` or ``worse`` where the whole interval says so, otherwise ``unclear``.
    """

    value: str
    interval: str
    text: str
    state: State


@dataclass(frozen=True)
class Headline:
    """The head of the page.

    :param kind: the winner is another configuration than the default; the default; nothing that keeps the
        latency limit; nothing at all.
    :param status: why the run may know less than it could; empty where it finished.
    :param lead: the run's own sentences, without what the title says already.
    """

    kind: Kind
    title: str
    status: str
    lead: tuple[str, ...]
    gains: tuple[Gain, ...]


def winner_of(outcome: Outcome) -> Standing | None:
    """The winner, where it was measured or could at least be deployed."""
    standing = outcome.decision.standing(outcome.decision.winner)
    return None if standing is None or standing.status == "failed" else standing


def headline(outcome: Outcome) -> Headline:
    """What the page says first."""
    kind, title = _headline(outcome)
    gains = () if kind == "nothing" else tuple(_gains(outcome))
    return Headline(kind, title, ENDED.get(outcome.state.ended or "", ""), _lead(outcome, title), gains)


def _headline(outcome: Outcome) -> tuple[Kind, str]:
    limit = outcome.state.settings.limit
    if winner_of(outcome) is None:
        return "nothing", "Nothing could be measured"
    if outcome.decision.met is False and limit is not None:
        return "limit", f"Nothing is shown to keep {limit}"
    if outcome.decision.winner == outcome.decision.default:
        return "keep", "Keep OpenVINO's default"
    return "change", f"Use {outcome.decision.winner}"


def _lead(outcome: Outcome, title: str) -> tuple[str, ...]:
    """``Use INT8: it is faster.`` below the title ``Use INT8`` becomes ``It is faster.``."""
    first, *others = outcome.decision.summary or ("",)
    if first.startswith(f"{title}: "):
        reason = first.removeprefix(f"{title}: ")
        first = reason[:1].upper() + reason[1:]
    elif first == f"{title}.":
        first = ""
    if (
        outcome.decision.met is False
        and outcome.decision.closest
        and not any(outcome.decision.closest in text for text in others)
    ):
        others.append(f"{outcome.decision.closest} comes closest.")
    return tuple(sentence for sentence in (first, *others) if sentence)


def _gains(outcome: Outcome) -> Iterator[Gain]:
    goal = outcome.state.settings.goal
    others = {
        "default": "OpenVINO's default",
        "framework": outcome.state.framework or "its own framework",
        "hint": f"the {goal} hint",
        "f32": "32-bit floats, default settings",
    }
    for key, other in others.items():
        if (ratio := outcome.decision.delivered.get(key)) is not None:
            state = _GAINS.get(ratio.relation(1, 1), "unclear")
            yield Gain(*value_and_interval(ratio), f"{MEASURES[goal]} {other}", state)


def confirmation_rows(outcome: Outcome) -> list[tuple[str, tuple[str, ...], Speed]]:
    """Name, roles and speed of the winner and what it is held against: from the final session, else from the
    last one of each. A role is a name that the reader knows it by: the winner, the default.
    """
    state, decision = outcome.state, outcome.decision
    named = (decision.winner, decision.default, decision.hint)
    measured = {
        s.candidate.name: s.speed for s in decision.standings if s.candidate.name in named and s.speed
    }
    speeds = dict(state.confirmation.speeds) if state.confirmation is not None else measured
    if decision.speed_of_framework is not None:
        speeds[state.framework] = decision.speed_of_framework
    names = sorted(speeds, key=lambda name: (name != decision.winner, name != decision.default))
    return [(name, _roles(outcome, name), speeds[name]) for name in names]


def _roles(outcome: Outcome, name: str) -> tuple[str, ...]:
    roles = {
        "winner": outcome.decision.winner,
        "OpenVINO's default": outcome.decision.default,
        f"{outcome.state.settings.goal} hint": outcome.decision.hint,
        "the model's own framework": outcome.state.framework,
    }
    return tuple(role for role, holder in roles.items() if holder == name)


@dataclass(frozen=True)
class Whisker:
    """An interval on the axis that all rows share, in pixels from its left end."""

    low: float
    value: float
    high: float
    unity: float
    cut: tuple[str, ...]
    outside: bool


def candidate_rows(outcome: Outcome) -> list[tuple[Standing, Whisker | None]]:
    """Every candidate that had its turn, the winner first."""
    tried = [standing for standing in outcome.decision.standings if standing.status != "not tried"]
    ordered = sorted(tried, key=lambda standing: standing.candidate.name != outcome.decision.winner)
    return list(zip(ordered, whiskers([standing.ratio for standing in ordered]), strict=True))


def same_as_winner(outcome: Outcome) -> frozenset[str]:
    """Names of the winner and of what the device resolves to its configuration: no ratio is between them."""
    return frozenset(s.candidate.name for s in outcome.decision.standings if s.speed and s.ratio is None)


def whiskers(ratios: Sequence[Estimate | None]) -> tuple[Whisker | None, ...]:
    """Each ratio on one logarithmic axis around one, which holds all intervals up to :data:`FARTHEST`."""
    ends = [end for ratio in ratios if ratio for end in (ratio.low, ratio.high) if 0 < end < math.inf]
    reach = min(max([*(abs(math.log(end)) for end in ends), math.log(1.05)]), math.log(FARTHEST))
    return tuple(None if ratio is None else _whisker(ratio, reach) for ratio in ratios)


def _whisker(ratio: Estimate, reach: float) -> Whisker:
    def place(number: float) -> float:
        share = math.log(number) / reach if 0 < number < math.inf else math.copysign(math.inf, number - 1)
        return round(AXIS_WIDTH / 2 + min(max(share, -1.0), 1.0) * (AXIS_WIDTH / 2 - AXIS_MARGIN), 1)

    cut = {"left": ratio.low < math.exp(-reach), "right": ratio.high > math.exp(reach)}
    return Whisker(
        place(ratio.low),
        place(ratio.value),
        place(ratio.high),
        place(1.0),
        tuple(side for side, beyond in cut.items() if beyond),
        not math.exp(-reach) <= ratio.value <= math.exp(reach),
    )


def value_and_interval(estimate: Estimate | None) -> tuple[str, str]:
    """Both apart, for where one stands below the other; a dash where nothing was measured."""
    if estimate is None:
        return MISSING, ""
    value, _, interval = fmt.estimate(estimate).partition(" (")
    return value, interval.rstrip(")")


def per_input(throughput: Estimate) -> Estimate:
    """A throughput in the unit of what it counts: of a batch, every input."""
    return replace(throughput, unit="inputs/s")


def when(text: str) -> str:
    """A time such as ``24 November 2026, 12:30 UTC``; what is no ISO 8601 time stays as it is."""
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        return text
    zone = f" {time.tzname()}" if time.tzinfo else ""
    return f"{time.day} {time:%B %Y, %H:%M}{zone}"


def session(race_round: RaceRound) -> str:
    """How long a session was, and how quiet the machine."""
    text = f"{fmt.duration(race_round.seconds)}, {race_round.session_rounds} rounds"
    if race_round.others_share is None:
        return text
    return f"{text}; other processes used {fmt.quantity(race_round.others_share, 'share')} of the CPU"
