"""A whole run: from a model to its report, in a folder that keeps everything on the way.

Here a run begins or is resumed, and here every end it can have becomes a report: finished, out of time,
interrupted, failed. What it does in between are :mod:`optguide.optimize.phases`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path, PurePath

import msgspec

from optguide.bench.progress import overview
from optguide.errors import DeviceError, OptGuideError, OptionError, RecordsError, StorageError
from optguide.machine import Machine
from optguide.optimize.budget import Clock
from optguide.optimize.candidate import Settings
from optguide.optimize.decision import decide, profiled_beside
from optguide.optimize.outcome import SCHEMA, Ended, Outcome, Resumption, State, SubjectFacts
from optguide.optimize.phases import PHASES, Phase, Run
from optguide.optimize.report import WrittenReport, write_report
from optguide.optimize.search.race import is_unfinished
from optguide.optimize.state import Store, changed, check_new, fingerprints, now
from optguide.runtimes.devices import absent


def begin(settings: Settings, folder: Path, *, phases: Sequence[Phase] = PHASES) -> WrittenReport:
    """Run from the beginning.

    Where something is wrong with the call, the folder is left as it was found.

    :param folder: for the report; new or empty.
    :raises UserError: the model, the data, the metric, the device or the folder cannot be used.
    :raises KeyboardInterrupt: interrupted before there was anything to report.
    """
    _refuse_nothing(settings.budget)
    check_new(folder)
    folder = folder.absolute()  # other processes get paths in it
    machine = Machine.current()
    if missing := absent(settings.device, [device.name for device in machine.devices]):
        available = ", ".join(device.name for device in machine.devices)
        raise DeviceError(f"This machine has no device {missing[0]}.", f"It has {available}.")
    state = State(
        schema=SCHEMA,
        version=machine.packages.get("optguide", ""),
        settings=settings,
        machine=msgspec.json.decode(msgspec.json.encode(machine.to_dict())),  # as it is read again
        started=now(),
        subject=SubjectFacts(settings.model, "", {}),
        resumption=Resumption(str(Path.cwd()), machine.machine_id, fingerprints(settings)),
    )
    existed = folder.is_dir()
    store = Store.begin(folder, state)
    try:
        return _conduct(store, phases)
    except BaseException:
        # What is worth nothing must not keep the next call, with the mistake put right, out of the folder.
        if not store.state.artifacts or (store.state.rounds and not _is_measured(store.state)):
            store.discard(folder=not existed)
        raise


def resume(
    folder: Path,
    *,
    budget: float | None = None,
    claims: bool | None = None,
    phases: Sequence[Phase] = PHASES,
) -> WrittenReport:
    """Go on with a run where it was.

    :param budget: seconds for the whole run in place of the ones it began with.
    :param claims: whether the guide's claims are held against the model, in place of what it began with.
    :raises OptionError: the folder holds no run, or the budget is nothing.
    :raises RecordsError: its state cannot be read, or it belongs to another machine.
    :raises UserError: model, data or metric are not what they were.
    """
    if budget is not None:
        _refuse_nothing(budget)
    store = Store.reopen(folder.absolute())
    state = store.state
    machine = Machine.current()
    if state.resumption.machine_id != machine.machine_id:
        summary = Machine.from_dict(state.machine).summary()
        raise RecordsError(
            f"{folder} was measured on another machine ({summary}), and numbers of two do not mix.",
            "Resume it there, or start a new run here.",
        )
    measured_with = state.machine.get("packages", {}).get("openvino")
    installed = machine.packages.get("openvino")
    if measured_with != installed:
        raise RecordsError(
            f"{folder} was measured with OpenVINO {measured_with}; this is {installed}, and two do not mix.",
            "Resume it with that version, or start a new run.",
        )
    if error := changed(state.settings, state.resumption.fingerprints, state.resumption.place):
        raise error
    settings = replace(
        state.settings,
        budget=state.settings.budget if budget is None else budget,
        claims=state.settings.claims if claims is None else claims,
    )
    resumption = state.resumption
    if settings.budget > state.settings.budget:
        # What there had been no time for gets another chance, the verdicts of claims too.
        resumption = replace(resumption, retry=True, claims_complete=False)
    store.update(replace(state, settings=settings, resumption=resumption, ended=None, errors=()))
    return _conduct(store, phases)


def _refuse_nothing(budget: float) -> None:
    if not budget > 0:
        raise OptionError("A budget of nothing measures nothing.", "Give a --budget such as 10m.")


def _is_measured(state: State) -> bool:
    return any(race_round.speeds for race_round in state.rounds)


def _conduct(store: Store, phases: Sequence[Phase]) -> WrittenReport:
    """Take the phases as far as they go, and report what is known then."""
    settings = store.state.settings
    clock = Clock(settings.budget, store.state.seconds, claims=settings.claims)
    ended: Ended
    errors: tuple[str, ...] = ()
    with overview(f"optimize {PurePath(settings.model).name}", clock.left) as view:
        run = Run(store, clock, view)
        try:
            for phase in phases:
                phase(run)
            ended = "budget spent" if is_unfinished(run.state.race, run.context()) else "finished"
        except KeyboardInterrupt:
            if not run.is_reportable:
                raise
            ended = "interrupted"
        except OptGuideError as error:
            if not run.is_reportable or isinstance(error, StorageError) or not _is_measured(run.state):
                raise
            ended, errors = "failed", (str(error),)
        view.enter("writing the report")
        run.save(replace(run.state, ended=ended, errors=errors, finished=now()))
        return _report(run)


def _report(run: Run) -> WrittenReport:
    decision = decide(run.state)
    state = replace(run.state, resumption=Resumption())
    if run.state.resumption.profiled != profiled_beside(decision.winner):  # of an earlier winner
        state = replace(state, load={}, layers={}, first_inference={})
    if not state.settings.claims:
        state = replace(state, verdicts=())
    candidate = decision.standings[0].candidate
    artifact = state.artifact(candidate.precision)
    return write_report(
        Outcome(state, decision),
        run.store.folder,
        model=run.store.folder / artifact.file if artifact and artifact.file else run.prepared.subject.file,
        inputs=run.prepared.inputs(candidate.deployment.batch),
    )
