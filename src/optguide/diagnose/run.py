"""The course of a diagnosis: the facts, one session with all remedies, and one that decides."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import psutil

from optguide import format as fmt
from optguide.bench.result import SessionResult
from optguide.bench.rotation import THIS_MACHINE, Host
from optguide.bench.session import Budget, measure
from optguide.bench.validity import OTHERS_SHARE
from optguide.bench.variant import Variant
from optguide.claims.on_model.probe import CALLS_PER_TURN, PRECISION, SECONDS_PER_VARIANT
from optguide.diagnose.checks import CHECKS, Check
from optguide.diagnose.diagnosis import (
    Diagnosis,
    Effect,
    Finding,
    Inquiry,
    Remark,
    Symptom,
    Trial,
    judged,
    ranked,
)
from optguide.diagnose.inspections import INSPECTIONS
from optguide.diagnose.subject import DEPLOYED, Goal, Subject, examine, goal_of, renamed, with_sizes
from optguide.errors import Busy, NotEnoughSamples, OptGuideError
from optguide.machine import measuring_lock
from optguide.stats.comparison import Comparison
from optguide.stats.estimate import MINIMUM_ROUNDS, Estimate

SCREENING = 0.4
"""Share of the time that goes into the session with all remedies; those it leaves get what remains."""

DECIDING = 0.9
"""Share of what remains that the second session takes: sessions end with whole sets of processes."""

MEASURING_BEFORE = 0.5
"""Share of the time that is left which a check may take to measure by itself."""

OTHERS = Symptom("Two models slow each other down", "deploy/several-models")

MEMORY = 0.7
"""Share of the free memory that all workers together may take."""


def diagnose(
    variant: Variant,
    seconds: float,
    *,
    goal: Goal | None = None,
    sizes: Sequence[Mapping[str, tuple[int, ...]]] = (),
    prepared: Variant | None = None,
    label: str = "diagnosis",
    host: Host = THIS_MACHINE,
) -> Diagnosis:
    """Say why a model is slow as it is deployed.

    :param variant: the model and how it runs.
    :param seconds: for everything, loading included.
    :param goal: ``latency`` or ``throughput``; by default the one that its hint and its requests serve.
    :param sizes: shapes of random inputs that the model sees in turn; none where they do not change.
    :param prepared: the same, with each input prepared before its call; none where inputs are at hand.
    :raises OptGuideError: the deployment does not run.
    """
    begun = host.clock()
    with tempfile.TemporaryDirectory(prefix="optguide-diagnose-") as folder, measuring_lock(label):
        deployed = renamed(with_sizes(variant, sizes, Path(folder)) if sizes else variant)
        subject = examine(deployed, goal or goal_of(variant), Path(folder), host=host)
        subject = replace(subject, prepared=prepared)
        return _Course(subject, begun, begun + seconds, label).diagnosis()


@dataclass
class _Course:
    """The time that is left, and what is measured in it."""

    subject: Subject
    begun: float
    end: float
    label: str

    def diagnosis(self) -> Diagnosis:
        """Measure what the checks ask for, and judge it."""
        questions, remarks = self._questions()
        trials = [trial for question in questions for trial in question.trials]
        screening = self._session(trials, SCREENING * self._left, "trying remedies")
        promising = [trial for trial in trials if is_promising(screening, trial)]
        deciding = self._session(promising, DECIDING * self._left, "measuring gains")
        answers = [answer(question, screening, deciding) for question in questions]
        sessions = [session for session in (deciding, screening) if session is not None]
        shares = [session.others_share for session in sessions]
        return Diagnosis(
            self.subject.deployed,
            ranked([entry for entry in answers if isinstance(entry, Finding)]),
            (*(entry for entry in answers if isinstance(entry, Remark)), *remarks, *map(others, shares[:1])),
            _warnings(sessions),
            max(shares, default=0.0),
            self.subject.facts.effective,
        )

    @property
    def _left(self) -> float:
        return self.end - self.subject.host.clock()

    def _questions(self) -> tuple[list[Inquiry], list[Remark]]:
        """The questions whose trials fit into the time, and why others are not asked."""
        questions: list[Inquiry] = []
        remarks: list[Remark] = []
        variants = 1
        for check in (*INSPECTIONS, *CHECKS):
            symptom = check.symptom
            try:
                if (question := self._asked(check)) is None:
                    continue
                symptom = question.symptom
                self._require_room(question, variants)
            except Busy:
                raise
            except OptGuideError as error:
                remarks.append(Remark(symptom, error.message, decided=False))
                continue
            questions.append(question)
            variants += len(question.trials)
        return questions, remarks

    def _asked(self, check: Check) -> Inquiry | None:
        """The question of a check."""
        afford = partial(self._require, share=MEASURING_BEFORE)
        return check.ask(replace(self.subject, afford=afford))

    def _require_room(self, question: Inquiry, variants: int) -> None:
        """Refuse trials for which time or memory does not reach beside those of other questions."""
        if question.trials:
            count = variants + len(question.trials)
            self._require_memory(count)
            self._require(self._least(count), SCREENING)

    def _require(self, seconds: float, share: float) -> None:
        """Refuse what takes more than this share of the time that is left."""
        if seconds > share * self._left:
            spent = self.subject.host.clock() - self.begun
            raise NotEnoughSamples(f"It takes a budget of about {fmt.duration(spent + seconds / share)}.")

    def _require_memory(self, variants: int) -> None:
        """Refuse more workers at a time than there is memory for."""
        needed = variants * self.subject.facts.memory
        if needed > MEMORY * psutil.virtual_memory().available:
            raise NotEnoughSamples(f"It takes {fmt.quantity(needed / MEMORY, 'bytes')} of free memory.")

    def _least(self, variants: int) -> float:
        """Seconds of the shortest session of so many variants."""
        facts = self.subject.facts
        turns = max(SECONDS_PER_VARIANT, MINIMUM_ROUNDS * CALLS_PER_TURN * facts.call)
        return variants * (facts.loading / self.subject.host.lanes + turns)

    def _session(self, trials: Sequence[Trial], seconds: float, doing: str) -> SessionResult | None:
        """The deployment and remedies in turns; ``None`` where there is nothing to try."""
        if not trials:
            return None
        variants = {variant.name: variant for trial in trials for variant in _sides(self.subject, trial)}
        budget = Budget(max(seconds, self._least(len(variants))), PRECISION)
        return measure(
            list(variants.values()), budget, label=f"{self.label}: {doing}", host=self.subject.host
        )


def _warnings(sessions: Sequence[SessionResult]) -> tuple[str, ...]:
    """Warnings of sessions, except those about their budgets, which the reader has not chosen."""
    sentences = (s for session in sessions for s in session.warnings if s != session.shortage)
    return tuple(dict.fromkeys(sentences))


def _sides(subject: Subject, trial: Trial) -> tuple[Variant, Variant]:
    return (trial.base or subject.deployed, trial.variant)


def answer(
    question: Inquiry, screening: SessionResult | None, deciding: SessionResult | None
) -> Finding | Remark:
    """Judge a question by the session that decides; remedies that did not come into it, by the first one."""
    effects: list[Effect] = []
    remarks: list[str] = []
    for trial in question.trials:
        try:
            comparison = _compared(deciding if is_promising(screening, trial) else screening, trial)
        except Busy:
            raise
        except OptGuideError as error:
            remarks.append(f"{trial.remedy} It could not be measured: {error.message}")
            continue
        if comparison.same is None:
            effects.append(_effect(trial, comparison))
        else:
            effects.append(
                Effect(f"{trial.remedy} The device resolves both to the same:", trial.quantity, SAME)
            )
    return judged(question, effects, remarks)


def others(share: float) -> Remark:
    """What else ran on the machine."""
    used = fmt.quantity(share, "share")
    evidence = f"Other processes used {used} of the CPU meanwhile, and may do so beside the deployment."
    return Remark(OTHERS, evidence, decided=share <= OTHERS_SHARE)


SAME = Estimate(1.0, 1.0, 1.0, "ratio", 0, "the device resolves both to the same configuration")
"""Gain of a remedy that changes nothing."""


def _compared(session: SessionResult | None, trial: Trial) -> Comparison:
    assert session is not None  # noqa: S101 - there are trials, so there was a session
    base = trial.base.name if trial.base else DEPLOYED
    return session.compare(base, trial.variant.name, trial.quantity)


def is_promising(screening: SessionResult | None, trial: Trial) -> bool:
    """Whether a remedy may gain something, by all that the first session says."""
    try:
        comparison = _compared(screening, trial)
    except OptGuideError:
        return False
    return comparison.same is None and _effect(trial, comparison).is_possible


def _effect(trial: Trial, comparison: Comparison) -> Effect:
    return Effect(trial.remedy, trial.quantity, comparison.ratio)
