"""Who won, and why every other candidate lost: a status and one sentence with the numbers that decided it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from optguide import format as text
from optguide.optimize.candidate import PRECISIONS, Candidate, Precision
from optguide.optimize.outcome import CONFIRMATION, Artifact, RaceRound, Standing, Status
from optguide.optimize.search.race_state import RaceState, inverse
from optguide.optimize.search.rules import Rules
from optguide.stats.comparison import EQUIVALENT
from optguide.stats.estimate import Estimate, ratio_of_estimates

STRETCH = 1.6
"""How much wider an interval has to be for the best of some thirty comparisons: Bonferroni's correction, by
the quantiles of the normal distribution."""


@dataclass(frozen=True)
class RaceResult:
    """Who won, and how every candidate fared.

    :param standings: the winner first, then the others from the fastest to those never measured.
    :param met: whether the winner is shown to keep the latency limit; ``None`` without one.
    :param closest: name of the candidate that came closest to a limit that none is shown to keep; empty where
        there is none, or nothing was measured.
    :param confirmed: whether the winner is that of a confirmation run.
    :param same: names of the others that the device resolves to the winner's configuration.
    """

    winner: Candidate
    standings: tuple[Standing, ...]
    met: bool | None
    closest: str = ""
    confirmed: bool = False
    same: tuple[str, ...] = ()


Reason = tuple[Status, str]


@dataclass(frozen=True)
class _Evidence:
    """Everything that decides about a candidate.

    :ivar decided: whether there was a confirmation run.
    """

    state: RaceState
    rounds: Sequence[RaceRound]
    artifacts: Mapping[Precision, Artifact]
    deployed: Mapping[str, Artifact]
    rules: Rules
    winner: Candidate
    decided: bool = True

    def paired(self, candidate: Candidate) -> tuple[Estimate | None, str]:
        """How much better it is than whom, in the last session in which it can be told."""
        name = candidate.name
        for race_round in reversed(self.rounds):
            if name in race_round.ratios:
                return race_round.ratios[name], race_round.incumbent
            if name == race_round.incumbent and self.winner.name in race_round.ratios:
                return inverse(race_round.ratios[self.winner.name]), self.winner.name
        return None, ""


def standings(
    candidates: Sequence[Candidate],
    rounds: Sequence[RaceRound],
    artifacts: Sequence[Artifact],
    rules: Rules,
    deployed: Mapping[str, Artifact] | None = None,
) -> RaceResult:
    """Decide between candidates by what was measured.

    The winner is that of the confirmation run. Without one, as in a run that was interrupted, it is the
    race's incumbent if it is better than the hint, or the hint if that is better than the default, by so much
    that choosing it among many does not explain it; otherwise it is the default. Where that one is not shown
    to keep the latency limit, the fastest that is takes its place.

    :param candidates: all of the run, see :func:`optguide.optimize.search.planning.SearchContext.entrants`.
    :param rounds: rounds of the race, with the confirmation run if there was one.
    :param artifacts: the model of every precision, or why there is none.
    """
    state = RaceState.of(rounds, rules, candidates)
    last = rounds[-1] if rounds and rounds[-1].title == CONFIRMATION else None
    decided = last is not None and last.incumbent in last.speeds and last.incumbent == state.incumbent.name
    winner = state.incumbent if decided else _beyond_luck(state)
    if state.limit_relation(winner) != "inside":
        winner = state.fastest_within_limit(candidates) or winner
    confirmed = decided and winner == state.incumbent
    by_precision = {artifact.precision: artifact for artifact in artifacts}
    evidence = _Evidence(state, rounds, by_precision, deployed or {}, rules, winner, decided)
    others = [_standing(candidate, evidence) for candidate in candidates if candidate != winner]
    others.sort(key=lambda standing: -_rank(standing.candidate, state))
    met = (
        None
        if rules.limit is None
        else state.limit_relation(winner) == "inside" and winner.name in state.speeds
    )
    return RaceResult(
        winner,
        (Standing(winner, "winner", _victory(evidence), state.speeds.get(winner.name)), *others),
        met,
        _closest(candidates, state) if met is False else "",
        confirmed,
        tuple(c.name for c in candidates if c != winner and state.same_resolved_configuration(c, winner)),
    )


def _beyond_luck(state: RaceState) -> Candidate:
    """The race's incumbent, the hint or the default: the first that beats the next beyond luck.

    An incumbent that is the best of many looks better than it is.
    """
    rules = state.rules
    has_hint = rules.may_win(rules.hint) and rules.hint.name in state.ratios
    simpler = [rules.hint, rules.base] if has_hint else [rules.base]
    if state.incumbent not in simpler and all(_beats(state.incumbent, other, state) for other in simpler):
        return state.incumbent
    leads = state.incumbent != rules.base and has_hint and _beats(rules.hint, rules.base, state)
    return rules.hint if leads else rules.base


def _beats(candidate: Candidate, simpler: Candidate, state: RaceState) -> bool:
    """Whether it beats a simpler one by more than the luck of the best of many, or that one does not run."""
    if state.limit_relation(simpler) == "above" or state.same_resolved_configuration(candidate, simpler):
        return state.limit_relation(simpler) == "above"
    ratio, own = state.ratios.get(simpler.name), state.ratios.get(candidate.name)
    if ratio is None or own is None:
        return own is not None and simpler.name not in state.speeds and state.is_seen(simpler)
    against = _carried(ratio, own)
    return math.log(against.value) + STRETCH * math.log(against.high / against.value) < 0


def _standing(candidate: Candidate, evidence: _Evidence) -> Standing:
    status, why = _status(candidate, evidence)
    speed = evidence.state.speeds.get(candidate.name)
    if evidence.state.same_resolved_configuration(candidate, evidence.winner):
        return Standing(candidate, status, why, speed)  # a ratio would be that of a thing with itself
    return Standing(candidate, status, why, speed, *evidence.paired(candidate))


def _rank(candidate: Candidate, state: RaceState) -> float:
    ratio = state.ratios.get(candidate.name)
    return ratio.value if ratio else -1.0 if state.is_seen(candidate) else -2.0


def _closest(candidates: Sequence[Candidate], state: RaceState) -> str:
    """Of those that may win, the one with the lowest latency at the highest percentile that all have."""
    limit = state.rules.limit
    eligible = [c.name for c in candidates if state.rules.may_win(c) and c.name in state.speeds]
    if limit is None or not eligible:
        return ""
    latencies = {name: state.speeds[name].latency for name in eligible}
    shared = set.intersection(*(set(latency) for latency in latencies.values()))
    usable = [int(name[1:]) for name in shared if int(name[1:]) <= limit.percentile]
    if not usable:
        return ""
    percentile = f"p{max(usable)}"
    return min(eligible, key=lambda name: latencies[name][percentile].value)


def _victory(evidence: _Evidence) -> str:
    """Why the winner won."""
    rules, state, winner = evidence.rules, evidence.state, evidence.winner
    if not state.speeds:
        return "Nothing was measured, so what OpenVINO does by itself stays."
    base = rules.base.name
    if winner == rules.base:
        return _stays(evidence)
    if base not in state.ratios:
        return f"It runs, and {base} does not."
    gain = inverse(_carried(state.ratios[base], state.ratios[winner.name]))
    if gain.low > 1:
        return f"It is {_better(gain, rules)} {base}."
    if state.limit_relation(winner) == "inside" and rules.limit is not None:
        shown = {"above": "exceeds", "undecided": "is not shown to keep"}.get(
            state.limit_relation(rules.base), ""
        )
        if shown:
            return f"It keeps the latency limit, which {base} {shown}."
    return f"It led the race, in which it came to {_better(gain, rules)} {base}."


def _stays(evidence: _Evidence) -> str:
    """Why what needs no search wins."""
    rules, state = evidence.rules, evidence.state
    base = "what OpenVINO does by itself" if rules.base == rules.default else rules.base.name
    if rules.limit is not None and state.limit_relation(state.incumbent) != "inside":
        return "Nothing that is faster is shown to keep the latency limit."
    if state.incumbent != evidence.winner:
        return f"Nothing was confirmed to be better than {base}."
    eligible = tuple(f"{PRECISIONS[precision]}, " for precision in rules.precisions)
    if any(ratio.low > 1 for name, ratio in state.ratios.items() if name.startswith(eligible)):
        return f"What is better than {base} is so by less than 2 %, which counts as no difference."
    return f"Nothing was shown to be better than {base}."


def _carried(base: Estimate, winner: Estimate) -> Estimate:
    """How the base does against the winner, from what both do against the incumbent."""
    return base if winner.low == winner.high == 1 else ratio_of_estimates(base, winner)


def _status(candidate: Candidate, evidence: _Evidence) -> Reason:
    """What became of a candidate that did not win."""
    if candidate.name in evidence.rules.rejected:
        return _not_right(evidence.deployed.get(candidate.name), " in these settings")
    artifact = evidence.artifacts.get(candidate.precision)
    for reason in (_not_made(artifact), None if evidence.rules.may_win(candidate) else _not_right(artifact)):
        if reason is not None:
            status, why = reason
            return (status if _stands_for_precision(candidate, evidence) else "not tried"), why
    if candidate.name not in evidence.state.speeds:
        return _not_measured(candidate, evidence)
    return _over_limit(candidate, evidence) or _raced(candidate, evidence)


def _stands_for_precision(candidate: Candidate, evidence: _Evidence) -> bool:
    """Whether a status of a whole precision is told here: where it was measured, or else at the simplest."""
    return evidence.state.is_seen(candidate) or candidate.deployment == evidence.rules.default.deployment


def _not_made(artifact: Artifact | None) -> Reason | None:
    return ("failed", artifact.why_not) if artifact is not None and artifact.why_not else None


def _not_right(artifact: Artifact | None, where: str = "") -> Reason:
    if artifact is not None and artifact.why_not:
        return "too inaccurate", artifact.why_not
    quality = artifact.quality if artifact else None
    if quality is None or quality.loss is None or quality.kept in ("kept", "not judged"):
        return "accuracy not shown", "Nothing judged how right its answers are."
    loss = quality.loss
    numbers = f"It loses {text.estimate(loss)} of {quality.metric}{' (a proxy)' * quality.proxy}{where}"
    allowed = f"{text.quantity(quality.limit, loss.unit)} is allowed"
    if quality.kept == "exceeded":
        return "too inaccurate", f"{numbers}, and {allowed}."
    return "accuracy not shown", f"{numbers}, too uncertain where {allowed}."


def _not_measured(candidate: Candidate, evidence: _Evidence) -> Reason:
    for race_round in reversed(evidence.rounds):
        if candidate.name in race_round.failures:
            return "failed", race_round.failures[candidate.name]
    return "not tried", _untried(candidate, evidence)


def _untried(candidate: Candidate, evidence: _Evidence) -> str:
    """Why it had no turn."""
    prefix = f"{PRECISIONS[candidate.precision]}, "
    if not any(name.startswith(prefix) for name in evidence.state.speeds):
        return "The race ended before its precision had a turn."
    return "What it is made of promised too little, or the race ended before its turn."


def _over_limit(candidate: Candidate, evidence: _Evidence) -> Reason | None:
    limit, state = evidence.rules.limit, evidence.state
    if limit is None or (relation := state.limit_relation(candidate)) == "inside":
        return None
    latency = state.speeds[candidate.name].latency
    name = f"p{limit.percentile}"
    bound = f"{text.quantity(limit.milliseconds, 'ms')} is the limit of {name}"
    if relation == "above":
        worst = min((p for p in latency if latency[p].low > limit.milliseconds), key=lambda p: int(p[1:]))
        shown = name if name in latency else worst
        return "over the latency limit", f"Its {shown} is {text.estimate(latency[shown])}; {bound}."
    if name in latency:
        return "latency limit not shown", f"Its {name} is {text.estimate(latency[name])}; {bound}."
    return "latency limit not shown", f"It ran too few times to tell its {name}; {bound}."


def _raced(candidate: Candidate, evidence: _Evidence) -> Reason:
    """Slower, or not shown to be faster."""
    state, rules, winner = evidence.state, evidence.rules, evidence.winner
    if state.same_resolved_configuration(candidate, winner):
        simpler = ", which is simpler" if rules.simplicity(winner) < rules.simplicity(candidate) else ""
        return (
            "not distinguishable",
            f"The device resolves it to the same configuration as {winner.name}{simpler}.",
        )
    ratio, against = evidence.paired(candidate)
    overall = state.ratios.get(candidate.name)
    if ratio is None or overall is None:
        return "not distinguishable", "It met nobody with whom it could be compared."
    met = f"It is {_better(ratio, rules)} {against}"
    if ratio.high < 1:
        return "slower", f"{met}."
    if overall.high < 1 and state.incumbent == winner and against != winner.name:
        return "slower", f"{met}, which {winner.name} beats by more."
    if ratio.low > 1 and against == winner.name:
        return "not distinguishable", f"{met}: {_not_enough(ratio, evidence)}."
    never = "" if against == winner.name else f"; it never met {winner.name}"
    return "not distinguishable", f"{met}{never}: nothing shows that it is better."


def _not_enough(ratio: Estimate, evidence: _Evidence) -> str:
    """Why being better than the winner did not count."""
    if not evidence.decided:
        return "the best of many looks better than it is, and no confirmation run has shown it"
    if ratio.high <= 1 + EQUIVALENT:
        return "less than 2 % count as no difference"
    return "the confirmation run did not bear it out"


def _better(ratio: Estimate, rules: Rules) -> str:
    return f"{text.estimate(ratio)} " + ("as fast as" if rules.goal == "latency" else "the throughput of")
