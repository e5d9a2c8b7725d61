"""The result of a run in a few plain sentences, the decision first.

The same sentences stand at the head of the report, in ``report.json`` and on the terminal.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from optguide.bench.load import LatencyLimit
from optguide.format import duration, estimate, interval, quantity
from optguide.optimize.outcome import Outcome, Quality, Standing, Status
from optguide.optimize.search.race_state import inverse
from optguide.stats.estimate import Estimate

__all__ = ["sentences", "told_apart"]

_STATUSES: dict[Status, str] = {
    "slower": "slower",
    "not distinguishable": "not distinguishable",
    "too inaccurate": "too inaccurate",
    "accuracy not shown": "of an accuracy that nothing shows",
    "over the latency limit": "over the latency limit",
    "latency limit not shown": "not shown to keep the latency limit",
    "failed": "failed",
    "not tried": "not tried",
}


def sentences(outcome: Outcome) -> tuple[str, ...]:
    """What a reader has to know, in order of importance."""
    return tuple(_sentences(outcome))


def told_apart(outcome: Outcome) -> bool:
    """Whether anything was compared at all: with a budget too small, nothing is."""
    return any(standing.ratio is not None for standing in outcome.standings)


def _sentences(outcome: Outcome) -> Iterator[str]:
    yield _decision(outcome)
    if outcome.met is False:
        yield from _closest(outcome)
    elif outcome.met and outcome.settings.limit:
        yield from _kept(outcome, outcome.settings.limit)
    yield from _gains(outcome)
    yield from _accuracy(outcome)
    yield from _tried(outcome)
    if outcome.ended == "interrupted":
        yield "The run was interrupted: this is what was known by then."


def _decision(outcome: Outcome) -> str:
    budget = duration(outcome.settings.budget)
    others = len([s for s in outcome.standings if s.speed and s.candidate.name != outcome.default])
    if outcome.met is False:
        assert outcome.settings.limit is not None  # noqa: S101 - what was not met
        return f"Nothing that was tried is shown to keep {_limit(outcome.settings.limit)}."
    if outcome.winner != outcome.default:
        gain = outcome.delivered.get("default")
        if gain is None:
            return f"Use {outcome.winner}."
        verb = _verb(outcome)
        return f"Use {outcome.winner}: it {verb} {_times(gain, outcome)} OpenVINO's default."
    if not told_apart(outcome):
        if outcome.ended == "interrupted":
            return "Keep OpenVINO's default: the run was interrupted before anything could be told apart."
        return f"Keep OpenVINO's default: a budget of {budget} is too small to tell anything apart."
    how = "shown to be better"
    if any(s.status == "not distinguishable" and s.ratio and s.ratio.low > 1 for s in outcome.standings):
        how = "better by 2 % or more" if outcome.confirmation is not None else "confirmed to be better"
    which = f"none of the {others} other candidates that were measured is"
    if others == 1:
        which = "the one other candidate that was measured is not"
    return f"Keep OpenVINO's default: {which} {how}."


def _closest(outcome: Outcome) -> Iterator[str]:
    """By how much the limit is missed."""
    limit = outcome.settings.limit
    if limit is None or not outcome.closest:
        return
    standing = _standing(outcome, outcome.closest)
    found = standing.speed.latency.get(f"p{limit.percentile}") if standing and standing.speed else None
    if found is None:
        yield f"{outcome.closest} comes closest."
        return
    over = found.value - limit.milliseconds
    beyond = "within it, but its interval reaches beyond"
    distance = f"{quantity(over, 'ms')} over it" if over > 0 else beyond
    yield f"{outcome.closest} comes closest: its p{limit.percentile} is {estimate(found)}, {distance}."


def _kept(outcome: Outcome, limit: LatencyLimit) -> Iterator[str]:
    standing = _standing(outcome, outcome.winner)
    found = standing.speed.latency.get(f"p{limit.percentile}") if standing and standing.speed else None
    if found is not None:
        yield f"Its p{limit.percentile} is {estimate(found)}, within the limit of {_milliseconds(limit)}."


def _gains(outcome: Outcome) -> Iterator[str]:
    """Over what the reader might have had without looking."""
    framework = outcome.delivered.get("framework")
    faster = inverse(framework) if framework is not None and framework.high < 1 else None
    over = {
        "hint": f"the {outcome.settings.goal.upper()} hint",
        "f32": "32-bit floats under default settings",
        "framework": "" if faster else outcome.framework,
    }
    parts = [
        f"{_times(outcome.delivered[key], outcome)} {name}"
        for key, name in over.items()
        if key in outcome.delivered and name
    ]
    if parts:
        what = "The default" if outcome.winner == outcome.default else "It also"
        yield f"{what} {_verb(outcome)} {', '.join(parts)}."
    if faster is not None:
        times = _times(faster, outcome)
        yield f"{outcome.framework}, the model's own framework, {_verb(outcome)} {times} this."


def _accuracy(outcome: Outcome) -> Iterator[str]:
    artifact = {artifact.precision: artifact for artifact in outcome.artifacts}
    standing = _standing(outcome, outcome.winner)
    own = artifact.get(standing.candidate.precision) if standing else None
    found = own.quality if own else None
    if not outcome.subject.samples:
        yield (
            "Inputs were random, so nothing is said about accuracy: precisions that change answers are shown"
            " for their speed and cannot win. Give --data to let them."
        )
    elif found is not None and found.loss is not None and own is not None and own.precision != "f32":
        yield _loss(found)
    if any(m.quality is not None and m.quality.proxy for m in outcome.artifacts):
        yield (
            "Without labels, answers were compared with those of the 32-bit model: that is a proxy for"
            " accuracy, not accuracy."
        )


def _loss(found: Quality) -> str:
    assert found.loss is not None  # noqa: S101 - the caller has looked
    loss = interval(found.loss.low, found.loss.high, found.loss.unit, found.loss.value)
    return (
        f"By {found.metric} on {found.loss.n:,} samples it reaches {estimate(found.value)}, a loss of {loss}"
        f" against 32-bit floats; the limit is {quantity(found.limit, found.loss.unit)}."
    )


def _tried(outcome: Outcome) -> Iterator[str]:
    counts: Counter[Status] = Counter(standing.status for standing in outcome.standings)
    measured = sum(standing.speed is not None for standing in outcome.standings)
    lost = ", ".join(f"{counts[status]} {text}" for status, text in _STATUSES.items() if counts[status])
    if lost:
        yield (
            f"{measured} of {len(outcome.standings)} candidates were measured, and the run took"
            f" {duration(outcome.seconds)}; those that did not win: {lost}."
        )


def _standing(outcome: Outcome, name: str) -> Standing | None:
    return next((s for s in outcome.standings if s.candidate.name == name), None)


def _verb(outcome: Outcome) -> str:
    return "is" if outcome.settings.goal == "latency" else "has"


def _times(ratio: Estimate, outcome: Outcome) -> str:
    what = "as fast as" if outcome.settings.goal == "latency" else "the throughput of"
    return f"{estimate(ratio)} {what}"


def _limit(limit: LatencyLimit) -> str:
    return f"a p{limit.percentile} of {_milliseconds(limit)}"


def _milliseconds(limit: LatencyLimit) -> str:
    return f"{limit.milliseconds:g} ms"
