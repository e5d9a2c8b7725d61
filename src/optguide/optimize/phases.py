"""The phases of a run, in order. Each keeps what it finds out in the state at once, and leaves out what the
state has already: a resumed run takes the same way as a new one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

from optguide.bench.progress import Overview
from optguide.bench.variant import Variant
from optguide.claims import Verdict
from optguide.claims.on_model import evaluate_model
from optguide.errors import Busy, ModelError, OptGuideError, StorageError, WorkerError
from optguide.optimize import model_profile as portrait
from optguide.optimize.budget import Clock, Phase
from optguide.optimize.candidate import Candidate
from optguide.optimize.compression.artifacts import Compression
from optguide.optimize.data.dataset import Data
from optguide.optimize.evaluation.evaluate import Job
from optguide.optimize.model.source import SourceModel, decode, encode, read_source_model
from optguide.optimize.outcome import Artifact, RaceRound, SubjectFacts
from optguide.optimize.prepared import DEFAULT, F32, Prepared, hint_for
from optguide.optimize.search.planning import SearchContext
from optguide.optimize.search.race import confirm, is_unfinished, race
from optguide.optimize.search.rules import Rules, may_win
from optguide.optimize.search.standings import RaceResult, standings
from optguide.optimize.state import Store
from optguide.runtimes.openvino import OpenVINO

__all__ = ["Phases", "profiled_beside"]

LEAST_SECONDS = 1.0
"""Below this no phase is begun."""


AT_ONCE = 6
"""Candidates of one round at most: with more, a turn of each comes too seldom."""


def profiled_beside(winner: Candidate) -> tuple[str, ...]:
    """Names of what a winner's portrait is about: itself and the default."""
    return tuple(dict.fromkeys((winner.name, DEFAULT.name)))


class Phases:
    """One run, from reading the model to the claims."""

    def __init__(self, store: Store, clock: Clock, view: Overview) -> None:
        self.store, self.clock, self.view = store, clock, view
        self.settings = store.state.settings
        self._prepared: Prepared | None = None

    def run(self) -> None:
        """All phases, as far as the budget reaches."""
        self.read()
        self.make()
        self.compete()
        self.decide()
        self.profile()
        if self.settings.claims:
            self.ask_claims()

    def read(self) -> None:
        """Model and data, and what the device makes of the model under the hint."""
        state = self.store.state
        self.view.enter("reading the model")
        file = self.store.work / "f32.xml"
        if state.subject and file.is_file():
            subject = replace(decode(state.subject), file=file)  # the folder may have been moved
        else:
            subject = read_source_model(self.settings, self.store.work)
        self.view.enter("reading the data")
        self._prepared = Prepared(self.settings, subject, self.store.work)
        self._save(subject=encode(subject), facts=_facts(subject, self.prepared.data))

    def make(self) -> None:
        """Every precision that can be made, and what it loses."""
        again = self.store.state.again
        self.view.enter("making precisions")
        there = [
            m for m in self.store.state.artifacts if not m.file or (self.store.folder / m.file).is_file()
        ]
        known = tuple(artifact for artifact in there if not (again and self._unfinished(artifact)))
        compression = Compression(
            Job(self.settings, self.prepared.subject, self.prepared.metric),
            self.store.folder,
            partial(self.clock.until, "making"),
            self.view.report,
        )
        while (artifact := compression.next(known)) is not None:
            known = (*known, artifact)
            done = {one.precision for one in known}
            self._save(artifacts=(*known, *(one for one in there if one.precision not in done)))
        self._save(again=False)

    def compete(self) -> None:
        """The race."""
        self.view.enter("racing")
        seconds = self.clock.until("racing")
        before = self.store.state.rounds
        if before:
            self.view.lead(before[-1].incumbent)
        if seconds < LEAST_SECONDS:
            return
        race(
            self.context,
            seconds=seconds,
            rounds=before,
            record=self._record,
            progress=lambda title, done: self.view.report(title),
            seed=self.settings.seed,
        )
        rounds = self.store.state.rounds
        if rounds and not any(race_round.speeds for race_round in rounds):
            first = next((why for race_round in rounds for why in race_round.failures.values()), "")
            raise WorkerError(
                f"No candidate could be measured: {first}",
                "Give real inputs with --data, or another --device.",
            )

    def decide(self) -> None:
        """The last session, whose numbers are reported."""
        state = self.store.state
        seconds = self.clock.until("confirmation")
        decided = state.confirmation is not None and state.confirmation.speeds
        if decided or not state.rounds or seconds < LEAST_SECONDS:
            return
        self.view.enter("confirmation")
        race_round = confirm(
            self.context,
            state.rounds,
            seconds=seconds,
            beside=[F32],
            references=self.prepared.references(),
            seed=self.settings.seed,
        )
        self._save(confirmation=race_round)
        self.view.lead(race_round.incumbent)

    def profile(self) -> None:
        """What is told of the winner and the default beside their speed."""
        result = self.result()
        named = profiled_beside(result.winner)
        race_round = self.store.state.confirmation
        if race_round is None or set(named) - race_round.speeds.keys():
            return
        if self.store.state.profiled != named:
            self._save(profiled=named, first_inference={}, layers={}, load={})
        both = [self.variant(c).with_(c.name) for c in dict.fromkeys((DEFAULT, result.winner))]
        capacities = {name: race_round.speeds[name].throughput.value for name in named}
        seed = self.settings.seed
        after = both[1] if len(both) > 1 else None
        # What takes a fixed time comes first; a load curve is as good as the time it gets.
        self._optional(
            "profile", 0.25, "first_inference", lambda s: portrait.first(both, seconds=s, seed=seed)
        )
        self._optional(
            "profile", 0.25, "layers", lambda s: portrait.layers(both[0], after, seconds=s, seed=seed)
        )
        self._optional(
            "profile", 1.0, "load", lambda s: portrait.load(both, capacities, seconds=s, seed=seed)
        )

    def ask_claims(self) -> None:
        """The guide's claims, on this model."""
        if self.store.state.verdicts is not None or not self.store.state.rounds:
            return
        int8 = next((m for m in self.store.state.artifacts if m.precision == "int8" and m.file), None)

        def ask(seconds: float) -> object:
            # Some claims are about the file itself, and about the runtime that it was made for.
            onnx = self.settings.model.lower().endswith(".onnx")
            file = Path(self.settings.model) if onnx else self.prepared.subject.file
            model = Variant(
                file.stem,
                model=str(file),
                inputs=self.prepared.inputs(None),
                runtime=OpenVINO(device=self.settings.device, shapes=self.settings.shapes if onnx else {}),
            )
            int8_file = str(self.store.folder / int8.file) if int8 else None
            return evaluate_model(model, seconds, int8=int8_file, on_verdict=self._hear)

        self._optional("claims", 1.0, "verdicts", ask)

    def _hear(self, verdict: Verdict) -> None:
        others = (earlier for earlier in self.store.state.heard if earlier.id != verdict.id)
        self._save(heard=(*others, verdict))

    @property
    def prepared(self) -> Prepared:
        """Model and data; they have been read."""
        assert self._prepared is not None  # noqa: S101 - read() comes first
        return self._prepared

    @property
    def rules(self) -> Rules:
        """What decides, by what is known of the precisions."""
        able = tuple(
            m.precision for m in self.store.state.artifacts if may_win(m, unproven=self.settings.unproven)
        )
        goal, limit = self.settings.goal, self.settings.limit
        return Rules(goal, DEFAULT, hint_for(goal), able or (DEFAULT.precision,), limit)

    @property
    def context(self) -> SearchContext:
        """Who takes part."""
        rules, artifacts = self.rules, self.store.state.artifacts
        not_eligible = tuple(m.precision for m in artifacts if m.file and m.precision not in rules.precisions)
        largest = max((m.size for m in artifacts), default=0)
        fitting = self.prepared.fitting(largest)
        at_once = min(AT_ONCE, fitting)
        return SearchContext(
            self.prepared.space, rules, self.variant, not_eligible, at_once=at_once, fitting=fitting
        )

    @property
    def known(self) -> bool:
        """Whether enough is known to name candidates."""
        return self._prepared is not None and self.store.state.facts is not None

    @property
    def unfinished(self) -> bool:
        """Whether the race ended because its time did."""
        return is_unfinished(self.store.state.rounds, self.context)

    def result(self) -> RaceResult:
        """Who leads, and how the others fared."""
        state = self.store.state
        rounds = (*state.rounds, *((state.confirmation,) if state.confirmation else ()))
        missing = [Candidate(artifact.precision) for artifact in state.artifacts if not artifact.file]
        candidates = dict.fromkeys((*self.context.entrants, *missing))
        return standings(tuple(candidates), rounds, state.artifacts, self.rules)

    def variant(self, candidate: Candidate) -> Variant:
        """How to run a candidate.

        :raises InputError: samples of different shapes cannot be stacked to its batch.
        :raises ModelError: there is no model of its precision.
        """
        artifact = next(
            artifact for artifact in self.store.state.artifacts if artifact.precision == candidate.precision
        )
        if not artifact.file:
            raise ModelError(artifact.why_not or "It could not be made.")
        return self.prepared.variant(candidate, self.store.folder / artifact.file)

    def _unfinished(self, artifact: Artifact) -> bool:
        """Whether it is not made, or not judged although there are data to judge it by."""
        return not artifact.file or (artifact.quality is None and not self.prepared.data.random)

    def _record(self, race_round: RaceRound) -> None:
        self._save(
            rounds=(*self.store.state.rounds, race_round), confirmation=None
        )  # which has not seen this one
        self.view.lead(race_round.incumbent)

    def _optional(self, phase: Phase, share: float, what: str, measure: Callable[[float], object]) -> None:
        """Measure something the decision does not need, once; if it fails, that is a warning."""
        seconds = share * self.clock.until(phase)
        if getattr(self.store.state, what) or seconds < LEAST_SECONDS:
            return
        said = f"There is no {what.replace('_', ' ')}: "
        warnings = tuple(text for text in self.store.state.warnings if not text.startswith(said))
        self.view.enter(what.replace("_", " "))
        try:
            self._save(**{what: measure(seconds)}, warnings=warnings)
        except (Busy, StorageError):
            raise
        except OptGuideError as error:
            self._save(warnings=(*warnings, f"{said}{error.message}"))

    def _save(self, **found: object) -> None:
        self.store.update(spent=self.clock.spent, **found)


def _facts(subject: SourceModel, data: Data) -> SubjectFacts:
    return SubjectFacts(
        name=subject.name,
        framework=subject.framework,
        inputs={port.name: str(port) for port in subject.ports},
        sha256=subject.sha256,
        samples=0 if data.random else len(data.samples),
        calibration=0 if data.random else len(data.calibration),
        judged=len(data.evaluation),
        labelled=data.labels is not None,
    )
