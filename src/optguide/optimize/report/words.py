"""Numbers, times and limits as the page writes them."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from optguide import format as fmt
from optguide.bench.load import LatencyLimit
from optguide.optimize.outcome import RaceRound
from optguide.stats.estimate import Estimate

__all__ = ["NOTHING", "ends", "limit_text", "rate", "session", "when"]

NOTHING = "\N{EN DASH}"


def ends(estimate: Estimate | None) -> tuple[str, str]:
    """Value and interval apart, for where one stands below the other; a dash without either."""
    if estimate is None:
        return NOTHING, ""
    value, _, interval = fmt.estimate(estimate).partition(" (")
    return value, interval.rstrip(")")


def rate(throughput: Estimate) -> Estimate:
    """A throughput in what it counts: of a batch, every input."""
    return replace(throughput, unit="inputs/s")


def limit_text(limit: LatencyLimit) -> str:
    """``p99 ≤ 50 ms``."""
    return f"p{limit.percentile} ≤ {limit.milliseconds:g} ms"


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
