"""The race as rows: every candidate with its status, its ratio as text and as a drawing, and why it lost."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from optguide.optimize.outcome import Outcome, Standing, Status
from optguide.optimize.report.words import NOTHING, ends, rate
from optguide.stats.estimate import Estimate

__all__ = ["STATUSES", "Row", "Whisker", "rows", "untried", "whiskers"]

STATUSES: dict[Status, tuple[str, str]] = {
    "winner": ("good", "✓"),
    "slower": ("even", "↓"),
    "not distinguishable": ("even", "≈"),
    "too inaccurate": ("bad", "✕"),
    "accuracy not shown": ("open", "?"),
    "over the latency limit": ("bad", "✕"),
    "latency limit not shown": ("open", "?"),
    "failed": ("bad", "!"),
    "not tried": ("even", NOTHING),
}
"""How a status looks: its class on the page, and a mark for those who see no colours."""

WIDTH = 132.0
MARGIN = 6.0
FARTHEST = 2.0
"""A ratio beyond this factor from one is drawn at the edge: its digits stand beside it."""


@dataclass(frozen=True)
class Whisker:
    """An interval on the axis that all rows share, in pixels from its left end.

    :param cut: which ends lie outside and are drawn as arrow heads: ``left``, ``right``.
    :param outside: the value itself does.
    """

    low: float
    value: float
    high: float
    one: float
    cut: tuple[str, ...]
    outside: bool


@dataclass(frozen=True)
class Row:
    """A candidate on the page; texts are empty where nothing was measured.

    :param latency: value and interval apart, as is ``throughput``.
    """

    name: str
    status: Status
    look: str
    mark: str
    why: str
    ratio: tuple[str, str]
    against: str
    whisker: Whisker | None
    latency: tuple[str, str]
    throughput: tuple[str, str]


def rows(outcome: Outcome) -> tuple[Row, ...]:
    """Every candidate that had its turn, the winner first."""
    tried = [standing for standing in outcome.standings if standing.status != "not tried"]
    ordered = sorted(tried, key=lambda standing: standing.candidate.name != outcome.winner)
    drawn = whiskers([standing.ratio for standing in ordered])
    limit = outcome.settings.limit
    key = f"p{limit.percentile}" if limit else "p50"
    return tuple(_row(standing, whisker, key) for standing, whisker in zip(ordered, drawn, strict=True))


def untried(outcome: Outcome) -> tuple[str, ...]:
    """Names of the candidates the budget did not reach."""
    return tuple(s.candidate.name for s in outcome.standings if s.status == "not tried")


def _row(standing: Standing, whisker: Whisker | None, key: str) -> Row:
    look, mark = STATUSES[standing.status]
    speed = standing.speed
    latency = speed.latency.get(key) if speed else None
    return Row(
        standing.candidate.name,
        standing.status,
        look,
        mark,
        standing.why,
        ends(standing.ratio) if standing.ratio else ("", ""),
        standing.against,
        whisker,
        ends(latency) if latency else ("", ""),
        ends(rate(speed.throughput)) if speed else ("", ""),
    )


def whiskers(ratios: Sequence[Estimate | None]) -> tuple[Whisker | None, ...]:
    """Each ratio on one logarithmic axis around one."""
    reach = _reach(ratio for ratio in ratios if ratio is not None)
    return tuple(None if ratio is None else _whisker(ratio, reach) for ratio in ratios)


def _reach(ratios: Iterable[Estimate]) -> float:
    """Half the length of the axis as a logarithm: all intervals, up to a factor of :data:`FARTHEST`."""
    ends = [abs(math.log(end)) for r in ratios for end in (r.low, r.high) if 0 < end < math.inf]
    return min(max([*ends, math.log(1.05)]), math.log(FARTHEST))


def _whisker(ratio: Estimate, reach: float) -> Whisker:
    def place(number: float) -> float:
        share = math.log(number) / reach if 0 < number < math.inf else math.copysign(math.inf, number - 1)
        return round(WIDTH / 2 + min(max(share, -1.0), 1.0) * (WIDTH / 2 - MARGIN), 1)

    cut = {"left": ratio.low < math.exp(-reach), "right": ratio.high > math.exp(reach)}
    return Whisker(
        place(ratio.low),
        place(ratio.value),
        place(ratio.high),
        place(1.0),
        tuple(side for side, beyond in cut.items() if beyond),
        not math.exp(-reach) <= ratio.value <= math.exp(reach),
    )
