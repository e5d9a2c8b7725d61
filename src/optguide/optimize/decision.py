"""What follows from a state: who wins, what that gains, what to beware of, and all of it in a few sentences.

The same sentences stand at the head of the report, in ``report.json`` and on the terminal.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace

from optguide.bench.load import LatencyLimit
from optguide.format import duration, estimate, interval, quantity
from optguide.machine.noise import busy_warnings
from optguide.optimize.candidate import DEFAULT, F32, MEASURES, Candidate, hint_for
from optguide.optimize.outcome import Decision, Outcome, State, Status
from optguide.optimize.search.planning import entrants
from optguide.optimize.search.race_state import Rules, inverse, is_rejected, may_win
from optguide.optimize.search.standings import Judgement
from optguide.stats.accuracy import FEWEST_SAMPLES
from optguide.stats.estimate import Estimate

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
    judged = {artifact.precision: artifact for artifact in state.artifacts}
    rejected = frozenset(
        name
        for name, checked in state.deployed.items()
        if is_rejected(checked, judged.get(checked.precision), unproven=settings.unproven)
    )
    return Rules(settings.goal, DEFAULT, hint, eligible or (DEFAULT.precision,), settings.limit, rejected)


def decide(state: State) -> Decision:
    """The decision that a state allows. The deployments to try have to be known."""
    rules, space = rules_of(state), state.resumption.space
    precisions = [artifact.precision for artifact in state.artifacts if artifact.file]
    candidates = entrants(rules, space, (*rules.precisions, *precisions)) if space is not None else ()
    missing = (Candidate(artifact.precision) for artifact in state.artifacts if not artifact.file)
    everyone = tuple(dict.fromkeys((*candidates, *missing)))
    judgement = Judgement(everyone, state.rounds, state.artifacts, rules, state.deployed)
    confirmation = state.confirmation
    decision = Decision(
        winner=judgement.winner.name,
        default=DEFAULT.name,
        hint=rules.hint.name,
        standings=judgement.standings,
        delivered=_delivered(state, judgement.winner.name, judgement.same),
        speed_of_framework=confirmation.speeds.get(state.framework) if confirmation else None,
        met=judgement.met,
        closest=judgement.closest,
    )
    outcome = Outcome(state, decision)
    warnings = tuple(_warnings(outcome, confirmed=judgement.confirmed))
    return replace(decision, warnings=warnings, summary=tuple(sentences(outcome)))


def profiled_beside(winner: str) -> tuple[str, ...]:
    """Names of what the profile of a winner is about: itself and the default."""
    return tuple(dict.fromkeys((winner, DEFAULT.name)))


def _delivered(state: State, winner: str, same: Collection[str]) -> Mapping[str, Estimate]:
    """What the winner gains, from the last round in which it was the incumbent and the other took part.

    :param same: names of what the device resolves to the same configuration, over which nothing is gained.
    """
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
    return {key: inverse(ratio) for key, ratio in ratios.items() if ratio and over[key] not in same}


def _warnings(outcome: Outcome, *, confirmed: bool) -> Iterator[str]:
    state, decision = outcome.state, outcome.decision
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
    judged = state.artifact(decision.standings[0].candidate.precision)
    checked = state.deployed.get(decision.winner)
    if told_apart(outcome) and judged and judged.quality and (checked is None or checked.is_unchecked):
        yield "The winner's answers were not checked in its own settings, only those of its precision."
    shares = [played.others_share for played in state.rounds if played.others_share is not None]
    yield from busy_warnings(shares[-1] if shares else 0.0)
    if 0 < state.subject.judged < FEWEST_SAMPLES:
        yield (
            f"The number of samples left to judge accuracy is {state.subject.judged}, which shows nothing:"
            f" give {2 * FEWEST_SAMPLES} or more, of which half calibrate."
        )
    original = state.artifact("f32")
    if original and original.quality and original.quality.note:
        yield original.quality.note
    elif original and original.quality is None and state.subject.judged:
        yield f"Nothing is known about accuracy, although there are data for it. {original.note}".strip()
    for name, why in state.unmeasured.items():
        yield f"There is no {name.replace('_', ' ')}: {why}"


def told_apart(outcome: Outcome) -> bool:
    """Whether anything was compared at all: with a budget too small, nothing is."""
    ratios = (standing.ratio for standing in outcome.decision.standings)
    return any(ratios) or any(race_round.ratios for race_round in outcome.state.rounds)


def sentences(outcome: Outcome) -> Iterator[str]:
    """What a reader has to know, in order of importance."""
    state, decision = outcome.state, outcome.decision
    limit = state.settings.limit
    if decision.met is False and limit is not None:
        yield f"Nothing that was tried is shown to keep a p{limit.percentile} of {limit.milliseconds:g} ms."
        if decision.closest:
            yield _closest(outcome, limit)
    else:
        yield from _choice(outcome)
        latency = _limited(outcome, decision.winner)
        if limit is not None and decision.met and latency is not None:
            within = f"within the limit of {limit.milliseconds:g} ms"
            yield f"Its p{limit.percentile} is {estimate(latency)}, {within}."
    yield from _gains(outcome)
    yield from _accuracy(outcome)
    yield from _tried(outcome)
    yield from state.subject.notes
    if state.ended == "interrupted":
        yield "The run was interrupted: this is what was known by then."


def _choice(outcome: Outcome) -> Iterator[str]:
    decision = outcome.decision
    if decision.winner == decision.default:
        yield f"Keep OpenVINO's default: {_why_default(outcome)}."
        return
    gain = decision.delivered.get("default")
    faster = gain and f"it {_verb(outcome)} {_times(gain, outcome)} OpenVINO's default."
    reason = "" if gain is not None and gain.low > 1 else _against_default(decision)
    yield ": ".join(filter(None, (f"Use {decision.winner}", reason or faster or ""))).rstrip(".") + "."
    if reason and faster:
        yield f"{faster[:1].upper()}{faster[1:]}"


def _against_default(decision: Decision) -> str:
    """What keeps the default from winning where it is not speed."""
    standing = decision.standing(decision.default)
    why = standing.why if standing else ""
    match standing and standing.status:
        case "too inaccurate" | "accuracy not shown":
            return f"OpenVINO's default {why.removeprefix('It ')}"
        case "over the latency limit" | "latency limit not shown":
            return f"OpenVINO's default is not shown to keep the latency limit. {why}"
        case "failed":
            return f"OpenVINO's default does not run. {why}"
    return ""


def _why_default(outcome: Outcome) -> str:
    """Why the default stays, for the end of a sentence."""
    state, standings = outcome.state, outcome.decision.standings
    if not told_apart(outcome):
        if state.ended == "interrupted":
            return "the run was interrupted before anything could be told apart"
        return f"a budget of {duration(state.settings.budget)} is too small to tell anything apart"
    ratios = [s.ratio for s in standings if s.status == "not distinguishable" and s.ratio]
    how = "shown to be better"
    if any(ratio.low > 1 for ratio in ratios):
        how = "better by 2 % or more" if state.confirmation is not None else "confirmed to be better"
    others = sum(bool(s.speed) and s.candidate.name != outcome.decision.default for s in standings)
    if others == 1:
        return f"the one other candidate that was measured is not {how}"
    return f"none of the {others} other candidates that were measured is {how}"


def _closest(outcome: Outcome, limit: LatencyLimit) -> str:
    """By how much the limit is missed."""
    closest = f"{outcome.decision.closest} comes closest"
    latency = _limited(outcome, outcome.decision.closest)
    if latency is None:
        return f"{closest}."
    over = latency.value - limit.milliseconds
    beyond = "within it, but its interval reaches beyond"
    distance = f"{quantity(over, 'ms')} over it" if over > 0 else beyond
    return f"{closest}: its p{limit.percentile} is {estimate(latency)}, {distance}."


def _limited(outcome: Outcome, name: str) -> Estimate | None:
    """The latency of a candidate at the percentile of the limit."""
    standing = outcome.decision.standing(name)
    speed = standing.speed if standing else None
    return speed.latency.get(outcome.state.settings.percentile) if speed else None


def _gains(outcome: Outcome) -> Iterator[str]:
    state, decision = outcome.state, outcome.decision
    framework = decision.delivered.get("framework")
    faster = inverse(framework) if framework is not None and framework.high < 1 else None
    over = {
        "hint": f"the {state.settings.goal.upper()} hint",
        "f32": "32-bit floats under default settings",
        "framework": "" if faster else state.framework,
    }
    parts = [
        f"{_times(decision.delivered[key], outcome)} {name}"
        for key, name in over.items()
        if key in decision.delivered and name
    ]
    if parts:
        subject = "The default" if decision.winner == decision.default else "It also"
        yield f"{subject} {_verb(outcome)} {', '.join(parts)}."
    if faster is not None:
        times = _times(faster, outcome)
        yield f"{state.framework}, the model's own framework, {_verb(outcome)} {times} this."


def _accuracy(outcome: Outcome) -> Iterator[str]:
    state, winner = outcome.state, outcome.decision.winner
    standing = outcome.decision.standing(winner)
    precision = standing.candidate.precision if standing else "f32"
    artifact = state.deployed.get(winner) or state.artifact(precision)
    quality = artifact.quality if artifact else None
    if not state.subject.samples:
        yield (
            "Inputs were random, so nothing is said about accuracy: precisions that change answers are shown"
            " for their speed and cannot win. Give --data to let them."
        )
    elif quality is not None and quality.loss is not None and precision != "f32":
        loss = interval(quality.loss.low, quality.loss.high, quality.loss.unit, quality.loss.value)
        settings = ", in these settings" if winner in state.deployed else ""
        yield (
            f"By {quality.metric} on {quality.loss.n:,} samples{settings}, it reaches"
            f" {estimate(quality.value)}, a loss of {loss} against 32-bit floats; the limit is"
            f" {quantity(quality.limit, quality.loss.unit)}."
        )
    if any(artifact.quality is not None and artifact.quality.proxy for artifact in state.artifacts):
        yield (
            "Without labels, answers were compared with those of the 32-bit model: that is a proxy for"
            " accuracy, not accuracy."
        )


def _tried(outcome: Outcome) -> Iterator[str]:
    standings = outcome.decision.standings
    counts: Counter[Status] = Counter(standing.status for standing in standings)
    measured = sum(standing.speed is not None for standing in standings)
    lost = ", ".join(f"{counts[status]} {text}" for status, text in _STATUSES.items() if counts[status])
    if lost:
        yield (
            f"{measured} of {len(standings)} candidates were measured, and the run took"
            f" {duration(outcome.state.seconds)}; those that did not win: {lost}."
        )


def _verb(outcome: Outcome) -> str:
    return "is" if outcome.state.settings.goal == "latency" else "has"


def _times(ratio: Estimate, outcome: Outcome) -> str:
    return f"{estimate(ratio)} {MEASURES[outcome.state.settings.goal]}"
