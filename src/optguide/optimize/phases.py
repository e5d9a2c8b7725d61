"""The phases of a run, in order.

Each phase keeps what it finds out in the state at once, and leaves out what the state has already: a
resumed run takes the same way as a new one. The caller may choose the phases; all of them are
:data:`PHASES`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TypeVar

from optguide.bench import session
from optguide.bench.progress import Overview
from optguide.bench.variant import Variant
from optguide.claims import Verdict
from optguide.claims.on_model import evaluate_model
from optguide.errors import Busy, ModelError, OptGuideError, StorageError, WorkerError
from optguide.optimize import model_profile
from optguide.optimize.budget import LEAST_EVALUATING, LEAST_SECONDS, Clock
from optguide.optimize.candidate import DEFAULT, F32, Candidate, Precision
from optguide.optimize.compression import COMPRESSED, Compression
from optguide.optimize.decision import decide, profiled_beside, rules_of
from optguide.optimize.evaluation import Job, evaluate
from optguide.optimize.model import SourceModel, decode, encode, read_source_model
from optguide.optimize.outcome import Artifact, RaceRound, State, SubjectFacts
from optguide.optimize.prepared import Prepared
from optguide.optimize.search.planning import Measure, SearchContext
from optguide.optimize.search.race import confirm, provisional_winner, race
from optguide.optimize.state import Store
from optguide.runtimes.openvino import OpenVINO

T = TypeVar("T")

UNCHECKED = "Its answers could not be checked in its own settings, where others of its precision are wrong."


class Run:
    """One run: its state, its model and data, and the time that is left.

    :ivar prepared: model and data, from the first phase on.
    """

    prepared: Prepared

    def __init__(self, store: Store, clock: Clock, view: Overview) -> None:
        self.store, self.clock, self.view = store, clock, view

    @property
    def state(self) -> State:
        """What has been found out."""
        return self.store.state

    @property
    def is_reportable(self) -> bool:
        """Whether enough is known to name candidates."""
        return hasattr(self, "prepared")

    def save(self, state: State) -> None:
        """Keep what has been found out."""
        self.store.update(replace(state, seconds=self.clock.spent))

    def context(self, measure: Measure = session.measure) -> SearchContext:
        """Who takes part in the race."""
        rules, artifacts = rules_of(self.state), self.state.artifacts
        not_eligible = tuple(a.precision for a in artifacts if a.file and a.precision not in rules.precisions)
        fitting = self.prepared.fitting(max((artifact.size for artifact in artifacts), default=0))
        return SearchContext(
            self.prepared.space, rules, self.variant, not_eligible, fitting=fitting, measure=measure
        )

    def variant(self, candidate: Candidate) -> Variant:
        """How to run a candidate."""
        artifact = self.state.artifact(candidate.precision)
        if artifact is None or not artifact.file:
            raise ModelError((artifact and artifact.why_not) or "It could not be made.")
        inputs = self.prepared.inputs(candidate.deployment.batch)
        return candidate.variant(str(self.store.folder / artifact.file), inputs, self.state.settings.device)

    def optional(self, name: str, seconds: float, measure: Callable[[float], T]) -> T | None:
        """Measure something that the decision does not need; if it fails, the state says so.

        :return: ``None`` without time, or where it failed.
        """
        if seconds < LEAST_SECONDS:
            return None
        self.view.enter(name.replace("_", " "))
        unmeasured = {key: why for key, why in self.state.unmeasured.items() if key != name}
        try:
            measured = measure(seconds)
        except (Busy, StorageError):
            raise
        except OptGuideError as error:
            self.save(replace(self.state, unmeasured={**unmeasured, name: error.message}))
            return None
        self.save(replace(self.state, unmeasured=unmeasured))
        return measured


Phase = Callable[[Run], None]
"""A part of a run. It returns early where its share of the budget is spent."""


def read_model(run: Run) -> None:
    """Model and data, and what the device makes of the model under the hint."""
    state, work = run.state, run.store.work
    resumption = state.resumption
    run.view.enter("reading the model")
    file = work / "f32.xml"
    if resumption.source and file.is_file():
        source = replace(decode(resumption.source, SourceModel), file=file)  # the folder may have been moved
    else:
        source = read_source_model(state.settings, work)
    run.view.enter("reading the data")
    run.prepared = prepared = Prepared(state.settings, source, work, resumption.space)
    data = prepared.data
    subject = SubjectFacts(
        name=source.name,
        framework=source.framework,
        inputs={port.name: str(port) for port in source.ports},
        sha256=source.sha256,
        samples=0 if data.random else len(data.samples),
        calibration=0 if data.random else len(data.calibration),
        judged=len(data.evaluation),
        labelled=data.labels is not None,
        notes=data.notes,
    )
    resumption = replace(resumption, source=encode(source), space=prepared.space)
    framework = source.reference.name if source.reference is not None else ""
    run.save(replace(state, subject=subject, framework=framework, resumption=resumption))


def make_artifacts(run: Run, precisions: Sequence[Precision] = COMPRESSED) -> None:
    """The model in every precision that can be made, and what it loses."""
    state, prepared = run.state, run.prepared
    run.view.enter("making precisions")

    def is_incomplete(artifact: Artifact) -> bool:
        """Whether it is not made, or not judged although there are data to judge it by."""
        return not artifact.file or (artifact.quality is None and not prepared.data.random)

    present = [a for a in state.artifacts if not a.file or (run.store.folder / a.file).is_file()]
    done = tuple(a for a in present if not (state.resumption.retry and is_incomplete(a)))
    compression = Compression(
        Job(state.settings, prepared.subject, prepared.metric),
        run.store.folder,
        partial(run.clock.until, "making"),
        run.view.report,
        tuple(precisions),
    )
    while (artifact := compression.next(done)) is not None:
        done = (*done, artifact)
        precisions_done = {artifact.precision for artifact in done}
        others = (artifact for artifact in present if artifact.precision not in precisions_done)
        run.save(replace(run.state, artifacts=(*done, *others)))
    deployed = run.state.deployed
    if run.state.resumption.retry:
        deployed = {name: checked for name, checked in deployed.items() if not checked.is_unchecked}
    resumption = replace(run.state.resumption, retry=False)
    run.save(replace(run.state, deployed=deployed, resumption=resumption))


def race_candidates(run: Run, rounds: int | None = None, measure: Measure = session.measure) -> None:
    """The race."""
    run.view.enter("racing")
    seconds = run.clock.until("racing")
    before = run.state.race
    if before:
        run.view.lead(before[-1].incumbent)
    if seconds < LEAST_SECONDS:
        return

    def record(race_round: RaceRound) -> None:
        # Without the confirmation run, which has not seen this round.
        run.save(replace(run.state, rounds=(*run.state.race, race_round)))
        run.view.lead(race_round.incumbent)

    after = race(
        run.context(measure),
        seconds=seconds,
        rounds=before,
        most=rounds,
        record=record,
        progress=run.view.report,
        seed=run.state.settings.seed,
    )
    if after and not any(race_round.speeds for race_round in after):
        reason = next((why for race_round in after for why in race_round.failures.values()), "")
        raise WorkerError(
            f"No candidate could be measured: {reason}",
            "Give real inputs with --data, or another --device.",
        )


def confirm_winner(run: Run, most: float = math.inf, measure: Measure = session.measure) -> None:
    """The confirmation run, whose numbers are reported, of candidates whose answers are right as deployed."""
    state = run.state
    if state.race:
        _check_answers(run, lambda: provisional_winner(run.context(measure), state.race))
    seconds = min(most, run.clock.until("confirmation"))
    if state.confirmation is None and state.race and seconds >= LEAST_SECONDS:
        run.view.enter("confirmation")
        last = confirm(
            run.context(measure),
            state.race,
            seconds=seconds,
            beside=[F32],
            references=run.prepared.references(),
            seed=state.settings.seed,
        )
        run.save(replace(run.state, rounds=(*state.race, last)))
        run.view.lead(last.incumbent)
    if state.race:
        _check_answers(run, lambda: decide(run.state).standings[0].candidate)


def _check_answers(run: Run, favourite: Callable[[], Candidate]) -> None:
    """Evaluate the favourite in its own settings, as in ``deploy.py``, and where it is wrong the next one."""
    judged = {artifact.precision: artifact for artifact in run.state.artifacts}
    job = Job(run.state.settings, run.prepared.subject, run.prepared.metric)
    if job.metric is None or "f32" not in judged or judged["f32"].quality is None:
        return  # there is nothing to compare with
    run.view.enter("checking answers")
    tried: set[str] = set()
    while (candidate := favourite()).name not in tried | run.state.deployed.keys():
        tried.add(candidate.name)
        checked = _checked(run, job, replace(judged[candidate.precision], quality=None, note=""), candidate)
        rejected = (run.state.deployed[name].precision for name in rules_of(run.state).rejected)
        if checked is None and candidate.precision in rejected:
            checked = replace(judged[candidate.precision], quality=None, why_not=UNCHECKED)
        if checked is not None:
            run.save(replace(run.state, deployed={**run.state.deployed, candidate.name: checked}))


def _checked(run: Run, job: Job, artifact: Artifact, candidate: Candidate) -> Artifact | None:
    """The artifact, evaluated in the settings of a candidate; ``None`` where that did not succeed in time."""
    seconds = max(LEAST_EVALUATING, run.clock.until("confirmation") / 2)
    run.view.report(candidate.name)
    try:
        checked = evaluate(artifact, job, run.store.folder, seconds, candidate.deployment)
    except (Busy, StorageError):
        raise
    except OptGuideError:
        return None
    return checked if checked.quality is not None or checked.why_not else None


def profile_winner(run: Run, most: float = math.inf) -> None:
    """What is measured of the winner and the default beside their speed.

    :param most: seconds that the layers may take, and as many for the load curves.
    """
    last, decision = run.state.confirmation, decide(run.state)
    names = profiled_beside(decision.winner)
    if last is None or set(names) - last.speeds.keys():
        return
    if run.state.resumption.profiled != names:
        resumption = replace(run.state.resumption, profiled=names)
        run.save(replace(run.state, resumption=resumption, first_inference={}, layers={}, load={}))
    candidates = dict.fromkeys((DEFAULT, decision.standings[0].candidate))
    both = [run.variant(candidate).with_(candidate.name) for candidate in candidates]
    after = both[1] if len(both) > 1 else None
    capacities = {name: last.speeds[name].throughput.value for name in names}
    seed, until = run.state.settings.seed, partial(run.clock.until, "profile")
    # What takes a fixed time comes first; a load curve is as good as the time it gets.
    if not run.state.first_inference:
        first = run.optional(
            "first_inference", 0.25 * until(), lambda s: model_profile.first(both, seconds=s, seed=seed)
        )
        run.save(replace(run.state, first_inference=first or {}))
    if not run.state.layers:
        layers = run.optional(
            "layers",
            min(most, 0.25 * until()),
            lambda s: model_profile.layers(both[0], after, seconds=s, seed=seed),
        )
        run.save(replace(run.state, layers=layers or {}))
    if not run.state.load:
        load = run.optional(
            "load", min(most, until()), lambda s: model_profile.load(both, capacities, seconds=s, seed=seed)
        )
        run.save(replace(run.state, load=load or {}))


def try_claims(run: Run, evaluate: Callable[..., tuple[Verdict, ...]] = evaluate_model) -> None:
    """The guide's claims, on this model.

    :param evaluate: gives the verdicts, as :func:`optguide.claims.on_model.evaluate_model` does.
    """
    state = run.state
    settings = state.settings
    if not settings.claims or state.resumption.claims_complete or not state.rounds:
        return

    def record(verdict: Verdict) -> None:
        others = (earlier for earlier in run.state.verdicts if earlier.id != verdict.id)
        run.save(replace(run.state, verdicts=(*others, verdict)))

    # Some claims are about the file itself, and about the runtime that it was made for.
    onnx = settings.model.lower().endswith(".onnx")
    file = Path(settings.model) if onnx else run.prepared.subject.file
    runtime = OpenVINO(device=settings.device, shapes=settings.shapes if onnx else {})
    model = Variant(file.stem, model=str(file), inputs=run.prepared.inputs(None), runtime=runtime)
    int8 = state.artifact("int8")
    int8_file = str(run.store.folder / int8.file) if int8 and int8.file else None
    verdicts = run.optional(
        "verdicts",
        run.clock.until("claims"),
        lambda seconds: evaluate(model, seconds, int8=int8_file, on_verdict=record),
    )
    if verdicts is not None:
        resumption = replace(run.state.resumption, claims_complete=True)
        run.save(replace(run.state, verdicts=verdicts, resumption=resumption))


PHASES: tuple[Phase, ...] = (
    read_model,
    make_artifacts,
    race_candidates,
    confirm_winner,
    profile_winner,
    try_claims,
)
"""The phases of a run, as far as the budget reaches."""
