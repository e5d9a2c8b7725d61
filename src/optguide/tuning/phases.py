"""The phases of a run, in order. Each keeps what it finds out in the state at once, and leaves out what the
state has already: a resumed run takes the same way as a new one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import psutil

from optguide.errors import Busy, OptGuideError, StorageError, WorkerError
from optguide.machine import Machine
from optguide.measuring.process import WorkerProcess
from optguide.measuring.progress import Overview
from optguide.measuring.sweet_spot import Setting
from optguide.measuring.variant import Variant
from optguide.tuning import portrait
from optguide.tuning.candidate import Candidate, Deployment, Goal
from optguide.tuning.clock import Clock, Phase
from optguide.tuning.given.data import Data, read_data, write_inputs
from optguide.tuning.given.subject import Subject, decode, encode, read_subject
from optguide.tuning.outcome import Heat, SubjectFacts
from optguide.tuning.precisions.metrics import Metric, resolve
from optguide.tuning.precisions.workshop import Workshop
from optguide.tuning.search.finals import final
from optguide.tuning.search.heats import Field
from optguide.tuning.search.race import entrants, race
from optguide.tuning.search.rules import Rules, may_win
from optguide.tuning.search.space import BATCHES, Space, space_of
from optguide.tuning.search.standings import Result, standings
from optguide.tuning.state import Store

__all__ = ["DEFAULT", "F32", "Phases", "hint_for"]

DEFAULT = Candidate("default")
"""OpenVINO with nothing set."""

F32 = Candidate("f32")
"""The same in 32-bit floats, as the model came."""

WORKER_BYTES = 400e6
"""Memory of a worker beside its model: the interpreter, OpenVINO and its code cache."""

LEAST_SECONDS = 1.0
"""Below this no phase is begun."""


def hint_for(goal: Goal) -> Candidate:
    """The hint for the goal with nothing else set."""
    if goal == "throughput":
        return Candidate("default", Deployment(hint="THROUGHPUT", requests=0))
    return Candidate("default", Deployment(hint="LATENCY"))


class Phases:
    """One run, from reading the model to the claims.

    :ivar spent_up: whether the race ended because its time did.
    """

    def __init__(self, store: Store, clock: Clock, view: Overview) -> None:
        self.store, self.clock, self.view = store, clock, view
        self.settings = store.state.settings
        self.spent_up = False
        self._subject: Subject | None = None
        self._data: Data | None = None
        self._metric: Metric | None = None
        self._space: Space | None = None
        self._inputs: dict[int | None, tuple[str, ...]] = {}

    def run(self, *, claims: bool) -> None:
        """All phases, as far as the budget reaches."""
        self.read()
        self.make()
        self.compete()
        self.decide()
        self.portray()
        if claims:
            self.ask_claims()

    def read(self) -> None:
        """Model and data, and what the device makes of the model under the hint."""
        state = self.store.state
        self.view.enter("reading the model")
        file = self.store.work / "f32.xml"
        if state.subject and file.is_file():
            self._subject = replace(decode(state.subject), file=file)  # the folder may have been moved
        else:
            self._subject = read_subject(self.settings, self.store.work)
        self.view.enter("reading the data")
        self._data = read_data(self.settings, self.subject)
        self._metric = None if self._data.random and self.settings.metric is None else self._resolved()
        self._space = self._look()
        self._save(subject=encode(self.subject), facts=_facts(self.subject, self._data))

    def make(self) -> None:
        """Every precision that can be made, and what it loses."""
        self.view.enter("making precisions")
        files = {made.precision: made.file for made in self.store.state.made}
        gone = {name for name, file in files.items() if file and not (self.store.folder / file).is_file()}
        known = tuple(made for made in self.store.state.made if made.precision not in gone)
        workshop = Workshop(
            self.settings,
            self.subject,
            self.data,
            self._metric,
            self.store.folder,
            partial(self.clock.until, "making"),
            self.view.report,
        )
        while (made := workshop.next(known)) is not None:
            known = (*known, made)
            self._save(made=known)

    def compete(self) -> None:
        """The race."""
        self.view.enter("racing")
        seconds = self.clock.until("racing")
        before = self.store.state.heats
        if before:
            self.view.lead(before[-1].leader)
        if seconds < LEAST_SECONDS:
            self.spent_up = not before
            return
        race(
            self.field,
            self.rules,
            seconds=seconds,
            heats=before,
            record=self._record,
            progress=lambda what, done: self.view.report(what.partition(", leader")[0]),
            seed=self.settings.seed,
        )
        self.spent_up = self.clock.until("racing") < LEAST_SECONDS
        heats = self.store.state.heats
        if len(heats) > len(before):
            self._save(final=None)
        if heats and not any(heat.speeds for heat in heats):
            first = next((why for heat in heats for why in heat.failures.values()), "")
            raise WorkerError(
                f"No candidate could be measured: {first}",
                "Give real inputs with --data, or another --device.",
            )

    def decide(self) -> None:
        """The last session, whose numbers are reported."""
        state = self.store.state
        seconds = self.clock.until("final")
        if state.final is not None or not state.heats or seconds < LEAST_SECONDS:
            return
        self.view.enter("final")
        heat = final(
            self.field,
            self.rules,
            state.heats,
            seconds=seconds,
            beside=[F32],
            references=self._references(),
            seed=self.settings.seed,
        )
        self._save(final=heat)
        self.view.lead(heat.leader)

    def portray(self) -> None:
        """What is told of the winner and the default beside their speed."""
        result = self.result()
        named = tuple(dict.fromkeys((result.winner.name, DEFAULT.name)))
        heat = self.store.state.final
        if self.store.state.portrayed == named or heat is None or set(named) - heat.speeds.keys():
            return
        both = [self.variant(c).with_(c.name) for c in dict.fromkeys((DEFAULT, result.winner))]
        capacities = {name: heat.speeds[name].throughput.value for name in named}
        seed = self.settings.seed
        after = both[1] if len(both) > 1 else None
        # What takes a fixed time comes first; a load curve is as good as the time it gets.
        self._optional(
            "portrait", 0.4, "first_inference", lambda s: portrait.first(both, seconds=s, seed=seed)
        )
        self._optional(
            "portrait", 0.4, "layers", lambda s: portrait.layers(both[0], after, seconds=s, seed=seed)
        )
        self._optional(
            "portrait", 1.0, "load", lambda s: portrait.load(both, capacities, seconds=s, seed=seed)
        )
        self._save(portrayed=named)

    def ask_claims(self) -> None:
        """The guide's claims, on this model."""
        if self.store.state.verdicts is not None or not self.store.state.heats:
            return
        int8 = next((m for m in self.store.state.made if m.precision == "int8" and m.file), None)

        def ask(seconds: float) -> object:
            from optguide.own.verdicts import verdicts

            file = str(self.store.folder / int8.file) if int8 else None
            # Some claims are about the file itself, and about the runtime that it was made for.
            onnx = self.settings.model.lower().endswith(".onnx")
            found = verdicts(
                self.settings.model if onnx else str(self.subject.file),
                inputs=self.inputs(None),
                shapes=self.settings.shapes if onnx else None,
                device=self.settings.device,
                int8=file,
                seconds=seconds,
            )
            return tuple(verdict.to_outcome() for verdict in found)

        self._optional("claims", 1.0, "verdicts", ask)

    @property
    def subject(self) -> Subject:
        """The model; it has been read."""
        assert self._subject is not None  # noqa: S101 - read() comes first
        return self._subject

    @property
    def data(self) -> Data:
        """The data; they have been read."""
        assert self._data is not None  # noqa: S101
        return self._data

    @property
    def rules(self) -> Rules:
        """What decides, by what is known of the precisions."""
        able = tuple(
            m.precision for m in self.store.state.made if may_win(m, unproven=self.settings.unproven)
        )
        goal, limit = self.settings.goal, self.settings.limit
        return Rules(goal, DEFAULT, hint_for(goal), able or (DEFAULT.precision,), limit)

    @property
    def field(self) -> Field:
        """Who takes part."""
        assert self._space is not None  # noqa: S101
        able = self.rules.precisions
        made = self.store.state.made
        exhibits = tuple(m.precision for m in made if m.file and m.precision not in able)
        return Field(self._space, self.variant, exhibits, at_once=self._at_once())

    @property
    def known(self) -> bool:
        """Whether enough is known to name candidates."""
        return self._space is not None and self.store.state.facts is not None

    def result(self) -> Result:
        """Who leads, and how the others fared."""
        state = self.store.state
        heats = (*state.heats, *((state.final,) if state.final else ()))
        missing = [Candidate(made.precision) for made in state.made if not made.file]
        candidates = (*entrants(self.field, self.rules), *missing)
        return standings(candidates, heats, state.made, self.rules)

    def variant(self, candidate: Candidate) -> Variant:
        """How to run a candidate.

        :raises InputError: samples of different shapes cannot be stacked to its batch.
        """
        made = {made.precision: made.file for made in self.store.state.made}
        file = self.store.folder / made[candidate.precision]
        return candidate.variant(str(file), self.inputs(candidate.deployment.batch), self.settings.device)

    def inputs(self, batch: int | None) -> tuple[str, ...]:
        """Files with inputs of a batch, written when they are first needed."""
        if batch not in self._inputs:
            folder = self.store.work / "inputs"
            self._inputs[batch] = write_inputs(self.data, self.subject, folder, batch)
        return self._inputs[batch]

    def _resolved(self) -> Metric:
        return resolve(self.settings, self.data, self.subject)

    def _look(self) -> Space:
        """What there is to try, from what the device makes of the hint.

        :raises ModelError: the device does not take the model.
        """
        goal, device = self.settings.goal, self.settings.device
        hint = hint_for(goal)
        plain = hint.variant(str(self.subject.file), self.inputs(None), device)
        with WorkerProcess(plain) as worker:
            chosen = worker.load()["effective"]
        streams = _number(chosen.get("NUM_STREAMS"))
        threads = _number(chosen.get("INFERENCE_NUM_THREADS"))
        batchable = self.subject.batchable and self.data.uniform
        if device == "CPU" and streams and threads:
            processors = max(threads, Machine.current().usable_cores)
            return space_of(
                goal, streams=streams, threads=threads, processors=processors, batchable=batchable
            )
        # Other devices have neither threads to set nor a number of streams worth guessing.
        hints = [hint.deployment]
        if goal == "throughput" and batchable:
            hints += [replace(hint.deployment, batch=batch) for batch in BATCHES]
        return Space((DEFAULT.deployment, *hints), Setting(streams or 1, threads or 1))

    def _at_once(self) -> int:
        """How many workers fit into memory together."""
        size = max((made.size for made in self.store.state.made), default=0)
        fitting = int(0.7 * psutil.virtual_memory().available / (WORKER_BYTES + 3 * size))
        return max(2, min(6, fitting))

    def _references(self) -> list[Variant]:
        reference = self.subject.reference
        return [replace(reference, inputs=self.inputs(None))] if reference is not None else []

    def _record(self, heat: Heat) -> None:
        self._save(heats=(*self.store.state.heats, heat))
        self.view.lead(heat.leader)

    def _optional(self, phase: Phase, share: float, what: str, measure: Callable[[float], object]) -> None:
        """Measure something the decision does not need; if it fails, that is a warning."""
        seconds = share * self.clock.until(phase)
        if seconds < LEAST_SECONDS:
            return
        self.view.enter(what.replace("_", " "))
        try:
            self._save(**{what: measure(seconds)})
        except (Busy, StorageError):
            raise
        except OptGuideError as error:
            sentence = f"There is no {what.replace('_', ' ')}: {error.message}"
            self._save(warnings=(*self.store.state.warnings, sentence))

    def _save(self, **found: object) -> None:
        self.store.update(spent=self.clock.spent, **found)


def _number(text: str | None) -> int:
    return int(text) if text and text.isdecimal() else 0


def _facts(subject: Subject, data: Data) -> SubjectFacts:
    return SubjectFacts(
        name=subject.name,
        framework=subject.framework,
        inputs={port.name: str(port) for port in subject.ports},
        sha256=subject.sha256,
        samples=0 if data.random else len(data.samples),
        calibration=0 if data.random else len(data.calibration),
        judged=len(data.judged),
        labelled=data.labels is not None,
    )
