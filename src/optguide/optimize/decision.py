"""What follows from a state: who wins, what that gains, what to beware of, and all of it in a few sentences.

The same sentences stand at the head of the report, in ``report.json`` and on the terminal.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace

from optguide.bench.load import LatencyLimit
from optguide.format import duration, estimate, interval, quantity
from optguide.machine.noise import LIMITS
from optguide.optimize.candidate import DEFAULT, F32, Candidate, hint_for
from optguide.optimize.outcome import Decision, Outcome, Quality, Standing, State, Status
from optguide.optimize.search.planning import entrants
from optguide.optimize.search.race_state import inverse
from optguide.optimize.search.rules import Rules, may_win
from optguide.optimize.search.standings import standings
from optguide.stats.accuracy import FEWEST_SAMPLES
from optguide.stats.estimate import Estimate

__all__ = ["decide", "profiled_beside", "rules_of", "sentences", "told_apart"]

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


def rules_of(state: State) -> Rules:
    """What decides between candidates, by what is known of the precisions."""
    settings = state.settings
    eligible = tuple(a.precision for a in state.artifacts if may_win(a, unproven=settings.unproven))
    hint = hint_for(settings.goal)
    return Rules(settings.goal, DEFAULT, hint, eligible or (DEFAULT.precision,), settings.limit)


def decide(state: State) -> Decision:
    """The decision that a state allows. The deployments to try have to be known."""
    rules, space = rules_of(state), state.resumption.space
    made = [artifact.precision for artifact in state.artifacts if artifact.file]
    missing = [Candidate(artifact.precision) for artifact in state.artifacts if not artifact.file]
    candidates = dict.fromkeys(
        (*entrants(rules, space, (*rules.precisions, *made)), *missing) if space is not None else missing
    )
    result = standings(tuple(candidates), state.rounds, state.artifacts, rules)
    confirmation = state.confirmation
    decision = Decision(
        winner=result.winner.name,
        default=DEFAULT.name,
        hint=rules.hint.name,
        standings=result.standings,
        delivered=_delivered(state, result.winner.name),
        speed_of_framework=confirmation.speeds.get(state.framework) if confirmation else None,
        met=result.met,
        closest=result.closest,
    )
    outcome = Outcome(state, decision)
    warnings = tuple(_warnings(outcome, confirmed=result.confirmed))
    return replace(decision, warnings=warnings, summary=sentences(outcome))


def profiled_beside(winner: str) -> tuple[str, ...]:
    """Names of what the profile of a winner is about: itself and the default."""
    return tuple(dict.fromkeys((winner, DEFAULT.name)))


def _delivered(state: State, winner: str) -> Mapping[str, Estimate]:
    """What the winner gains, from the last round in which it was the incumbent and the other took part."""
    over = {
        "default": DEFAULT.name,
        "hint": hint_for(state.settings.goal).name,
        "f32": F32.name,
        "framework": state.framework,
    }
    led = [race_round for race_round in reversed(state.rounds) if race_round.incumbent == winner]
    ratios = {
        key: next((race_round.ratios[name] for race_round in led if name in race_round.ratios), None)
        for key, name in over.items()
    }
    return {key: inverse(ratio) for key, ratio in ratios.items() if ratio is not None}


def _warnings(outcome: Outcome, *, confirmed: bool) -> Iterator[str]:
    """Reasons not to take the numbers at face value."""
    state = outcome.state
    if not told_apart(outcome):
        if state.ended == "interrupted":
            yield "Nothing had been told apart when the run was interrupted, so OpenVINO's default is kept."
        else:
            yield (
                f"Nothing could be told apart within the budget of {duration(state.settings.budget)}, so"
                " OpenVINO's default is kept; give a larger --budget."
            )
    elif not confirmed:
        yield (
            "No confirmation run measured the winner again, so its numbers are those of the race: the best of"
            " many looks better than it is."
        )
    shares = [played.others_share for played in state.rounds if played.others_share is not None]
    (limit,) = (limit for limit in LIMITS if limit.witness == "others_share")
    if shares and shares[-1] > limit.noisy:
        share = limit.sentence.format(quantity(shares[-1], limit.unit))
        yield f"{share} Latencies and throughputs are those of a busy machine."
    yield from _doubts(state)
    for name, why in state.unmeasured.items():
        yield f"There is no {name.replace('_', ' ')}: {why}"


def _doubts(state: State) -> Iterator[str]:
    """Reasons to mistrust what is said of accuracy."""
    if 0 < state.subject.judged < FEWEST_SAMPLES:
        yield (
            f"The number of samples left to judge accuracy is {state.subject.judged}, which shows nothing:"
            f" give {2 * FEWEST_SAMPLES} or more, of which half calibrate."
        )
    original = next((a.quality for a in state.artifacts if a.precision == "f32"), None)
    if original is not None and original.note:
        yield original.note


def sentences(outcome: Outcome) -> tuple[str, ...]:
    """What a reader has to know, in order of importance."""
    return tuple(_sentences(outcome))


def told_apart(outcome: Outcome) -> bool:
    """Whether anything was compared at all: with a budget too small, nothing is."""
    return any(standing.ratio is not None for standing in outcome.decision.standings)


def _sentences(outcome: Outcome) -> Iterator[str]:
    yield _verdict(outcome)
    if outcome.decision.met is False:
        yield from _closest(outcome)
    elif outcome.decision.met and outcome.state.settings.limit:
        yield from _kept(outcome, outcome.state.settings.limit)
    yield from _gains(outcome)
    yield from _accuracy(outcome)
    yield from _tried(outcome)
    yield from outcome.state.subject.notes
    if outcome.state.ended == "interrupted":
        yield "The run was interrupted: this is what was known by then."


def _verdict(outcome: Outcome) -> str:
    budget = duration(outcome.state.settings.budget)
    others = len(
        [s for s in outcome.decision.standings if s.speed and s.candidate.name != outcome.decision.default]
    )
    if outcome.decision.met is False:
        assert outcome.state.settings.limit is not None  # noqa: S101 - what was not met
        return f"Nothing that was tried is shown to keep {_limit(outcome.state.settings.limit)}."
    if outcome.decision.winner != outcome.decision.default:
        gain = outcome.decision.delivered.get("default")
        if gain is None:
            return f"Use {outcome.decision.winner}."
        verb = _verb(outcome)
        return f"Use {outcome.decision.winner}: it {verb} {_times(gain, outcome)} OpenVINO's default."
    if not told_apart(outcome):
        if outcome.state.ended == "interrupted":
            return "Keep OpenVINO's default: the run was interrupted before anything could be told apart."
        return f"Keep OpenVINO's default: a budget of {budget} is too small to tell anything apart."
    how = "shown to be better"
    if any(
        s.status == "not distinguishable" and s.ratio and s.ratio.low > 1 for s in outcome.decision.standings
    ):
        how = "better by 2 % or more" if outcome.state.confirmation is not None else "confirmed to be better"
    which = f"none of the {others} other candidates that were measured is"
    if others == 1:
        which = "the one other candidate that was measured is not"
    return f"Keep OpenVINO's default: {which} {how}."


def _closest(outcome: Outcome) -> Iterator[str]:
    """By how much the limit is missed."""
    limit = outcome.state.settings.limit
    if limit is None or not outcome.decision.closest:
        return
    standing = _standing(outcome, outcome.decision.closest)
    found = standing.speed.latency.get(f"p{limit.percentile}") if standing and standing.speed else None
    if found is None:
        yield f"{outcome.decision.closest} comes closest."
        return
    over = found.value - limit.milliseconds
    beyond = "within it, but its interval reaches beyond"
    distance = f"{quantity(over, 'ms')} over it" if over > 0 else beyond
    name = f"p{limit.percentile}"
    yield f"{outcome.decision.closest} comes closest: its {name} is {estimate(found)}, {distance}."


def _kept(outcome: Outcome, limit: LatencyLimit) -> Iterator[str]:
    standing = _standing(outcome, outcome.decision.winner)
    found = standing.speed.latency.get(f"p{limit.percentile}") if standing and standing.speed else None
    if found is not None:
        yield f"Its p{limit.percentile} is {estimate(found)}, within the limit of {_milliseconds(limit)}."


def _gains(outcome: Outcome) -> Iterator[str]:
    """Over what the reader might have had without looking."""
    framework = outcome.decision.delivered.get("framework")
    faster = inverse(framework) if framework is not None and framework.high < 1 else None
    over = {
        "hint": f"the {outcome.state.settings.goal.upper()} hint",
        "f32": "32-bit floats under default settings",
        "framework": "" if faster else outcome.state.framework,
    }
    parts = [
        f"{_times(outcome.decision.delivered[key], outcome)} {name}"
        for key, name in over.items()
        if key in outcome.decision.delivered and name
    ]
    if parts:
        what = "The default" if outcome.decision.winner == outcome.decision.default else "It also"
        yield f"{what} {_verb(outcome)} {', '.join(parts)}."
    if faster is not None:
        times = _times(faster, outcome)
        yield f"{outcome.state.framework}, the model's own framework, {_verb(outcome)} {times} this."


def _accuracy(outcome: Outcome) -> Iterator[str]:
    artifact = {artifact.precision: artifact for artifact in outcome.state.artifacts}
    standing = _standing(outcome, outcome.decision.winner)
    own = artifact.get(standing.candidate.precision) if standing else None
    found = own.quality if own else None
    if not outcome.state.subject.samples:
        yield (
            "Inputs were random, so nothing is said about accuracy: precisions that change answers are shown"
            " for their speed and cannot win. Give --data to let them."
        )
    elif found is not None and found.loss is not None and own is not None and own.precision != "f32":
        yield _loss(found)
    if any(m.quality is not None and m.quality.proxy for m in outcome.state.artifacts):
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
    counts: Counter[Status] = Counter(standing.status for standing in outcome.decision.standings)
    measured = sum(standing.speed is not None for standing in outcome.decision.standings)
    lost = ", ".join(f"{counts[status]} {text}" for status, text in _STATUSES.items() if counts[status])
    if lost:
        yield (
            f"{measured} of {len(outcome.decision.standings)} candidates were measured, and the run took"
            f" {duration(outcome.state.seconds)}; those that did not win: {lost}."
        )


def _standing(outcome: Outcome, name: str) -> Standing | None:
    return next((s for s in outcome.decision.standings if s.candidate.name == name), None)


def _verb(outcome: Outcome) -> str:
    return "is" if outcome.state.settings.goal == "latency" else "has"


def _times(ratio: Estimate, outcome: Outcome) -> str:
    what = "as fast as" if outcome.state.settings.goal == "latency" else "the throughput of"
    return f"{estimate(ratio)} {what}"


def _limit(limit: LatencyLimit) -> str:
    return f"a p{limit.percentile} of {_milliseconds(limit)}"


def _milliseconds(limit: LatencyLimit) -> str:
    return f"{limit.milliseconds:g} ms"
