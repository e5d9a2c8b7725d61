"""Why a candidate lost, as a status and one sentence with the numbers that decided it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from optguide import format as text
from optguide.optimize.candidate import PRECISIONS, Candidate, Precision
from optguide.optimize.outcome import Artifact, Quality, RaceRound, Status
from optguide.optimize.search.race_state import RaceState, inverse
from optguide.optimize.search.rules import Rules
from optguide.stats.comparison import EQUIVALENT
from optguide.stats.estimate import Estimate, ratio_of_estimates

__all__ = ["Evidence", "status_of", "victory"]

Reason = tuple[Status, str]


@dataclass(frozen=True)
class Evidence:
    """Everything that decides about a candidate.

    :ivar decided: whether there was a final.
    """

    state: RaceState
    rounds: Sequence[RaceRound]
    artifacts: Mapping[Precision, Artifact]
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


def victory(evidence: Evidence) -> str:
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
    if state.keeps(winner) == "kept" and rules.limit is not None:
        shown = {"exceeded": "exceeds", "open": "is not shown to keep"}.get(state.keeps(rules.base), "")
        if shown:
            return f"It keeps the latency limit, which {base} {shown}."
    return f"It led the race, in which it came to {_better(gain, rules)} {base}."


def _stays(evidence: Evidence) -> str:
    """Why what needs no search wins."""
    rules, state = evidence.rules, evidence.state
    base = "what OpenVINO does by itself" if rules.base == rules.default else rules.base.name
    if rules.limit is not None and state.keeps(state.incumbent) != "kept":
        return "Nothing that is faster is shown to keep the latency limit."
    if state.incumbent != evidence.winner:
        return f"Nothing was confirmed to be better than {base}."
    able = tuple(f"{PRECISIONS[precision]}, " for precision in rules.precisions)
    if any(ratio.low > 1 for name, ratio in state.ratios.items() if name.startswith(able)):
        return f"What is better than {base} is so by less than 2 %, which counts as no difference."
    return f"Nothing was shown to be better than {base}."


def _carried(base: Estimate, winner: Estimate) -> Estimate:
    """How the base does against the winner, from what both do against the leader."""
    return base if winner.low == winner.high == 1 else ratio_of_estimates(base, winner)


def status_of(candidate: Candidate, evidence: Evidence) -> Reason:
    """What became of a candidate that did not win."""
    artifact = evidence.artifacts.get(candidate.precision)
    for reason in (_not_made(artifact), None if evidence.rules.may_win(candidate) else _not_right(artifact)):
        if reason is not None:
            status, why = reason
            return (status if _stands_for_precision(candidate, evidence) else "not tried"), why
    if candidate.name not in evidence.state.speeds:
        return _not_measured(candidate, evidence)
    return _over_limit(candidate, evidence) or _raced(candidate, evidence)


def _stands_for_precision(candidate: Candidate, evidence: Evidence) -> bool:
    """Whether a status of a whole precision is told here: where it was measured, or else at the simplest."""
    return evidence.state.seen(candidate) or candidate.deployment == evidence.rules.default.deployment


def _not_made(artifact: Artifact | None) -> Reason | None:
    return ("failed", artifact.why_not) if artifact is not None and artifact.why_not else None


def _not_right(artifact: Artifact | None) -> Reason:
    quality = artifact.quality if artifact else None
    if quality is None or quality.loss is None or quality.kept in ("kept", "not judged"):
        return "accuracy not shown", "Nothing judged how right its answers are."
    loss = quality.loss
    numbers = f"It loses {text.estimate(loss)} of {quality.metric}{_proxy(quality)}"
    allowed = f"{text.quantity(quality.limit, loss.unit)} is allowed"
    if quality.kept == "exceeded":
        return "too inaccurate", f"{numbers}, and {allowed}."
    return "accuracy not shown", f"{numbers}, too uncertain where {allowed}."


def _proxy(quality: Quality) -> str:
    return " (a proxy)" if quality.proxy else ""


def _not_measured(candidate: Candidate, evidence: Evidence) -> Reason:
    for race_round in reversed(evidence.rounds):
        if candidate.name in race_round.failures:
            return "failed", race_round.failures[candidate.name]
    return "not tried", _untried(candidate, evidence)


def _untried(candidate: Candidate, evidence: Evidence) -> str:
    """Why it had no turn."""
    prefix = f"{PRECISIONS[candidate.precision]}, "
    if not any(name.startswith(prefix) for name in evidence.state.speeds):
        return "The race ended before its precision had a turn."
    return "What it is made of promised too little, or the race ended before its turn."


def _over_limit(candidate: Candidate, evidence: Evidence) -> Reason | None:
    limit, state = evidence.rules.limit, evidence.state
    if limit is None or (keeps := state.keeps(candidate)) == "kept":
        return None
    latency = state.speeds[candidate.name].latency
    name = f"p{limit.percentile}"
    wanted = f"{text.quantity(limit.milliseconds, 'ms')} is the limit of {name}"
    if keeps == "exceeded":
        worst = min((p for p in latency if latency[p].low > limit.milliseconds), key=lambda p: int(p[1:]))
        shown = name if name in latency else worst
        return "over the latency limit", f"Its {shown} is {text.estimate(latency[shown])}; {wanted}."
    if name in latency:
        return "latency limit not shown", f"Its {name} is {text.estimate(latency[name])}; {wanted}."
    return "latency limit not shown", f"It ran too few times to tell its {name}; {wanted}."


def _raced(candidate: Candidate, evidence: Evidence) -> Reason:
    """Slower, or not shown to be faster."""
    state, rules, winner = evidence.state, evidence.rules, evidence.winner
    if state.same_resolved_configuration(candidate, winner):
        plainer = ", which is simpler" if rules.simplicity(winner) < rules.simplicity(candidate) else ""
        return "not distinguishable", f"The device makes the same of it as of {winner.name}{plainer}."
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


def _not_enough(ratio: Estimate, evidence: Evidence) -> str:
    """Why being better than the winner did not count."""
    if not evidence.decided:
        return "the best of many looks better than it is, and no confirmation run has shown it"
    if ratio.high <= 1 + EQUIVALENT:
        return "less than 2 % count as no difference"
    return "the confirmation run did not bear it out"


def _better(ratio: Estimate, rules: Rules) -> str:
    return f"{text.estimate(ratio)} " + ("as fast as" if rules.goal == "latency" else "the throughput of")
