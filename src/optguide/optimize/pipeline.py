"""A whole run: from a model to its report, in a folder that keeps everything on the way.

The budget is split by :mod:`optguide.optimize.budget`, the work is done by :mod:`optguide.optimize.phases`.
Here a run begins or is resumed, and here every end it can have becomes a report: finished, out of time,
interrupted, failed.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path, PurePath

import msgspec

from optguide.bench.progress import Overview, overview
from optguide.claims import Verdict
from optguide.errors import DeviceError, OptGuideError, OptionError, RecordsError, StorageError
from optguide.format import duration, quantity
from optguide.machine import Machine
from optguide.machine.noise import LIMITS
from optguide.optimize import state as states
from optguide.optimize.budget import Clock
from optguide.optimize.config import Settings
from optguide.optimize.fingerprint import changed, fingerprints
from optguide.optimize.outcome import SCHEMA, Ended, Outcome, RaceRound, SubjectFacts
from optguide.optimize.phases import Phases, profiled_beside
from optguide.optimize.prepared import DEFAULT, F32, hint_for
from optguide.optimize.report import WrittenReport, write_report
from optguide.optimize.search.race_state import inverse
from optguide.optimize.state import State, Store
from optguide.optimize.summary import sentences, told_apart
from optguide.runtimes.devices import absent
from optguide.stats.estimate import Estimate

__all__ = ["begin", "resume"]


def begin(settings: Settings, folder: Path) -> WrittenReport:
    """Run from the beginning.

    Where something is wrong with the call, the folder is left as it was found.

    :param folder: for the report; new or empty.
    :raises UserError: the model, the data, the metric, the device or the folder cannot be used.
    :raises StorageError: the folder cannot be written.
    :raises KeyboardInterrupt: interrupted before there was anything to report.
    """
    _refuse_nothing(settings.budget)
    states.check_new(folder)
    folder = folder.absolute()  # other processes get paths in it
    machine = Machine.current()
    if missing := absent(settings.device, [device.name for device in machine.devices]):
        known = ", ".join(device.name for device in machine.devices)
        raise DeviceError(f"This machine has no device {missing[0]}.", f"It has {known}.")
    state = State(
        schema=states.SCHEMA,
        version=machine.packages.get("optguide", ""),
        settings=settings,
        place=str(Path.cwd()),
        machine=msgspec.json.decode(msgspec.json.encode(machine.to_dict())),  # as it is read again
        machine_id=machine.machine_id,
        started=states.now(),
        fingerprints=fingerprints(settings),
    )
    existed = folder.is_dir()
    store = Store.begin(folder, state)
    try:
        return _conduct(store)
    except BaseException:
        # What is worth nothing must not keep the next call, with the mistake put right, out of the folder.
        if not store.state.artifacts or (store.state.rounds and not _measured(store.state)):
            store.discard(folder=not existed)
        raise


def resume(folder: Path, *, budget: float | None = None, claims: bool | None = None) -> WrittenReport:
    """Go on with a run where it was.

    :param folder: of the run.
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
    if state.machine_id != machine.machine_id:
        there = Machine.from_dict(state.machine).summary()
        raise RecordsError(
            f"{folder} was measured on another machine ({there}), and numbers of two do not mix.",
            "Resume it there, or start a new run here.",
        )
    machines = (state.machine, machine.to_dict())
    measured_with, here = (one.get("packages", {}).get("openvino") for one in machines)
    if measured_with != here:
        raise RecordsError(
            f"{folder} was measured with OpenVINO {measured_with}; this is {here}, and two do not mix.",
            "Resume it with that version, or start a new run.",
        )
    if error := changed(state.settings, state.fingerprints, state.place):
        raise error
    began = state.settings
    more = budget is not None and budget > began.budget
    settings = replace(
        began,
        budget=began.budget if budget is None else budget,
        claims=began.claims if claims is None else claims,
    )
    # What there had been no time for gets another chance, the verdicts of claims too.
    chance = {"again": True, "verdicts": None} if more else {}
    store.update(settings=settings, ended=None, **chance)
    return _conduct(store)


def _refuse_nothing(budget: float) -> None:
    if not budget > 0:
        raise OptionError("A budget of nothing measures nothing.", "Give a --budget such as 10m.")


def _measured(state: State) -> bool:
    return any(race_round.speeds for race_round in state.rounds)


def _conduct(store: Store) -> WrittenReport:
    """Take the phases as far as they go, and report what is known then.

    :raises OptGuideError: nothing is known that could be reported.
    """
    state = store.state
    clock = Clock(state.settings.budget, state.spent, claims=state.settings.claims)
    ended: Ended = "failed"
    errors: tuple[str, ...] = ()
    with overview(f"optimize {PurePath(state.settings.model).name}", clock.left) as view:
        phases = Phases(store, clock, view)
        try:
            phases.run()
            ended = "budget spent" if phases.unfinished else "finished"
        except KeyboardInterrupt:
            if not phases.known:
                raise
            ended = "interrupted"
        except OptGuideError as error:
            if not phases.known or isinstance(error, StorageError) or not _measured(store.state):
                raise
            errors = (str(error),)
        return _report(store, phases, clock, view, ended, errors)


def _report(
    store: Store, phases: Phases, clock: Clock, view: Overview, ended: Ended, errors: tuple[str, ...]
) -> WrittenReport:
    view.enter("writing the report")
    store.update(ended=ended, spent=clock.spent)
    outcome = _outcome(store.state, phases, errors)
    standing = outcome.standing(outcome.winner)
    file = next((m.file for m in outcome.artifacts if m.precision == standing.candidate.precision), "")
    model = store.folder / file if file else phases.prepared.subject.file
    inputs = phases.prepared.inputs(standing.candidate.deployment.batch)
    return write_report(outcome, store.folder, model=model, inputs=inputs)


def _outcome(state: State, phases: Phases, errors: tuple[str, ...]) -> Outcome:
    """Everything that is known, with the decision."""
    result = phases.result()
    reference = phases.prepared.subject.reference
    framework = reference.name if reference is not None else ""
    confirmation, hint = state.confirmation, hint_for(state.settings.goal)
    rounds = (*state.rounds, *((confirmation,) if confirmation else ()))
    over = {"default": DEFAULT.name, "hint": hint.name, "f32": F32.name, "framework": framework}
    profiled = state.profiled == profiled_beside(result.winner)
    found = Outcome(
        schema=SCHEMA,
        version=state.version,
        settings=state.settings,
        subject=state.facts or SubjectFacts(state.settings.model, "", {}),
        machine=state.machine,
        started=state.started,
        finished=states.now(),
        seconds=state.spent,
        ended=state.ended or "failed",
        winner=result.winner.name,
        default=DEFAULT.name,
        hint=hint.name,
        artifacts=state.artifacts,
        standings=result.standings,
        rounds=rounds,
        delivered=_delivered(rounds, result.winner.name, over),
        summary=(),
        framework=framework,
        speed_of_framework=confirmation.speeds.get(framework) if confirmation else None,
        load=state.load if profiled else {},
        layers=state.layers if profiled else {},
        first_inference=state.first_inference if profiled else {},
        verdicts=_verdicts(state),
        met=result.met,
        closest=result.closest,
        warnings=state.warnings,
        errors=errors,
    )
    found = replace(found, warnings=(*_warnings(found, confirmed=result.confirmed), *found.warnings))
    return replace(found, summary=sentences(found))


def _verdicts(state: State) -> tuple[Verdict, ...]:
    if not state.settings.claims:
        return ()
    return state.heard if state.verdicts is None else state.verdicts


def _delivered(rounds: tuple[RaceRound, ...], winner: str, over: dict[str, str]) -> dict[str, Estimate]:
    """What the winner gains, from the last session in which it led and the other took part.

    :param over: what it is held against, and the name of that in sessions.
    """
    led = [race_round for race_round in reversed(rounds) if race_round.incumbent == winner]
    found: dict[str, Estimate] = {}
    for key, name in over.items():
        ratio = next((race_round.ratios[name] for race_round in led if name in race_round.ratios), None)
        if ratio is not None:
            found[key] = inverse(ratio)
    return found


def _warnings(outcome: Outcome, *, confirmed: bool) -> list[str]:
    """Reasons not to take the numbers at face value."""
    found = []
    budget = duration(outcome.settings.budget)
    if not told_apart(outcome):
        found.append(
            f"Nothing could be told apart within the budget of {budget}, so OpenVINO's default is kept;"
            " give a larger --budget."
            if outcome.ended != "interrupted"
            else "Nothing had been told apart when the run was interrupted, so OpenVINO's default is kept."
        )
    elif not confirmed:
        found.append(
            "No confirmation run measured the winner again, so its numbers are those of the race: the best"
            " of many looks better than it is."
        )
    shares = [race_round.others_share for race_round in outcome.rounds if race_round.others_share is not None]
    (limit,) = (limit for limit in LIMITS if limit.witness == "others_share")
    if shares and shares[-1] > limit.noisy:
        found.append(
            f"{limit.sentence.format(quantity(shares[-1], limit.unit))} Latencies and throughputs are those"
            " of a busy machine."
        )
    return found
