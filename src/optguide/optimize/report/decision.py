"""What the page says first: what to do, what it brings, and the session that shows it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from optguide.optimize.outcome import Outcome, Speed, Standing
from optguide.optimize.report.words import ends, limit_text
from optguide.stats.estimate import Estimate

__all__ = ["Compared", "Decision", "Gain", "compared", "decide", "winner_of"]

Kind = Literal["change", "keep", "limit", "nothing"]

ENDED = {
    "budget spent": "the budget was spent",
    "interrupted": "interrupted: what was known by then",
    "failed": "the run failed: what was known by then",
}


@dataclass(frozen=True)
class Gain:
    """One thing the winner is held against.

    :param state: ``better`` or ``worse`` where the whole interval says so, otherwise ``unclear``.
    """

    value: str
    interval: str
    text: str
    state: Literal["better", "worse", "unclear"]


@dataclass(frozen=True)
class Decision:
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


@dataclass(frozen=True)
class Compared:
    """A row of the session that decides.

    :param roles: what this configuration is to the reader: the winner, the default.
    :param ratio: how much better it is than the leader of that session.
    """

    name: str
    roles: tuple[str, ...]
    speed: Speed
    ratio: Estimate | None


def winner_of(outcome: Outcome) -> Standing | None:
    """The winner, where it was measured or could at least be deployed."""
    try:
        standing = outcome.standing(outcome.winner)
    except KeyError:
        return None
    return None if standing.status == "failed" else standing


def decide(outcome: Outcome) -> Decision:
    """What the page says first."""
    kind, title = _headline(outcome)
    gains = () if kind == "nothing" else tuple(_gains(outcome))
    return Decision(kind, title, ENDED.get(outcome.ended, ""), _lead(outcome, title), gains)


def _headline(outcome: Outcome) -> tuple[Kind, str]:
    limit = outcome.settings.limit
    if winner_of(outcome) is None:
        return "nothing", "Nothing could be measured"
    if outcome.met is False and limit is not None:
        return "limit", f"Nothing is shown to keep {limit_text(limit)}"
    if outcome.winner == outcome.default:
        return "keep", "Keep OpenVINO's default"
    return "change", f"Use {outcome.winner}"


def _lead(outcome: Outcome, title: str) -> tuple[str, ...]:
    """``Use INT8: it is faster.`` below the title ``Use INT8`` becomes ``It is faster.``."""
    first, *others = outcome.summary or ("",)
    if first.startswith(f"{title}: "):
        rest = first.removeprefix(f"{title}: ")
        first = rest[:1].upper() + rest[1:]
    elif first == f"{title}.":
        first = ""
    if outcome.met is False and outcome.closest and not any(outcome.closest in text for text in others):
        others.append(f"{outcome.closest} comes closest.")
    return tuple(sentence for sentence in (first, *others) if sentence)


def _gains(outcome: Outcome) -> Iterator[Gain]:
    goal = outcome.settings.goal
    others = {
        "default": "OpenVINO's default",
        "framework": outcome.framework or "its own framework",
        "hint": f"the {goal} hint",
        "f32": "32-bit floats, default settings",
    }
    measure = "as fast as" if goal == "latency" else "the throughput of"
    for key, other in others.items():
        if (ratio := outcome.delivered.get(key)) is not None:
            yield Gain(*ends(ratio), f"{measure} {other}", _state(ratio))


def _state(ratio: Estimate) -> Literal["better", "worse", "unclear"]:
    if ratio.low > 1:
        return "better"
    return "worse" if ratio.high < 1 else "unclear"


def compared(outcome: Outcome) -> tuple[Compared, ...]:
    """The winner and what it is held against: from the final session, else from the last one of each."""
    race_round = outcome.confirmation
    if race_round is not None:
        speeds: Mapping[str, Speed] = race_round.speeds
        ratios: Mapping[str, Estimate] = race_round.ratios
    else:
        named = dict.fromkeys((outcome.winner, outcome.default, outcome.hint))
        found = [s for s in outcome.standings if s.candidate.name in named]
        speeds = {s.candidate.name: s.speed for s in found if s.speed is not None}
        ratios = {}
    if outcome.speed_of_framework is not None:
        speeds = {**speeds, outcome.framework: outcome.speed_of_framework}
    first = sorted(speeds, key=lambda name: (name != outcome.winner, name != outcome.default))
    return tuple(Compared(name, _roles(outcome, name), speeds[name], ratios.get(name)) for name in first)


def _roles(outcome: Outcome, name: str) -> tuple[str, ...]:
    roles = {
        "winner": outcome.winner,
        "OpenVINO's default": outcome.default,
        f"{outcome.settings.goal} hint": outcome.hint,
        "the model's own framework": outcome.framework,
    }
    return tuple(role for role, holder in roles.items() if holder == name)
