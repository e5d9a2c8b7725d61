"""Whole runs on a tiny model: every end a run can have, and what is left behind."""

import json
import shutil
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from optguide.bench import process, session
from optguide.bench.load import LatencyLimit
from optguide.claims import Source, Verdict
from optguide.errors import DeviceError, InputError, ModelError, OptionError, RecordsError, WorkerDied
from optguide.optimize import phases as phases_
from optguide.optimize.candidate import F32, Settings
from optguide.optimize.phases import (
    confirm_winner,
    make_artifacts,
    profile_winner,
    race_candidates,
    read_model,
    try_claims,
)
from optguide.optimize.pipeline import begin, resume
from optguide.optimize.report import read_report
from optguide.optimize.state import Store
from tests import in_process
from tests.optimize.simulated import Machine

WIDTH = 16
BUDGET = 90.0


def measured(variants, budget, *, seed, label):
    """A session on a simulated machine, whose time is not this one's."""
    rates = {"THROUGHPUT hint": 200.0, "LATENCY hint": 150.0}
    machine = Machine(
        lambda variant: 1 / next((rate for name, rate in rates.items() if name in variant.name), 100.0)
    )
    return machine.measure(variants, budget, seed=seed, label=label)


def briefly(variants, budget, **options):
    """A short session on this machine, which gets its six rounds however busy that is."""
    return session.measure(variants, replace(budget, seconds=1.0, patience=120.0), **options)


def interrupt(run):
    raise KeyboardInterrupt


original = partial(make_artifacts, precisions=())
one_round = partial(race_candidates, rounds=1, measure=measured)
QUICK = (read_model, original, one_round, partial(confirm_winner, measure=measured), try_claims)
"""A run without other precisions, with one round and a confirmation run that cost no time."""


@pytest.fixture(scope="module")
def model(ir, tmp_path_factory):
    """A model of this module's own, whose files a test may change where it has copied them."""
    folder = tmp_path_factory.mktemp("model")
    for suffix in (".xml", ".bin"):
        (folder / f"own{suffix}").write_bytes(Path(ir).with_suffix(suffix).read_bytes())
    return folder / "own.xml"


@pytest.fixture(autouse=True)
def quick(no_figures, monkeypatch):
    """Reports without figures, and no process for a function; the run that has ``finished`` has both."""
    monkeypatch.setattr(process, "call", in_process.call)
    monkeypatch.setattr("optguide.optimize.prepared.WorkerProcess", in_process.WorkerHere)


def run(model, out, phases=QUICK, **options):
    options = {"model": str(model), "budget": BUDGET, "claims": False, **options}
    return begin(Settings(**options), out, phases=phases)


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out"


@pytest.fixture
def start(model, out):
    """Begin a run in ``out``: ``start(budget=1.0)``."""
    return partial(run, model, out)


@pytest.fixture(scope="module")
def finished(model, tmp_path_factory):
    """A run that took its way to the end on this machine; its folder and what it returned."""
    folder = tmp_path_factory.mktemp("finished") / "out"
    phases = (
        read_model,
        original,
        partial(race_candidates, rounds=1, measure=briefly),
        partial(confirm_winner, measure=briefly),
        partial(profile_winner, most=5.0),
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("optguide.bench.layers.LOADING", 0)  # one set of processes counts them
        return folder, run(model, folder, phases, budget=3000.0)  # six starts take their time if it is busy


@pytest.fixture(scope="module")
def interrupted(model, tmp_path_factory):
    """A run that was interrupted after the first round; its folder and its outcome."""
    folder = tmp_path_factory.mktemp("interrupted") / "out"
    return folder, run(model, folder, (read_model, original, one_round, interrupt)).outcome


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_nothing_but_a_model(finished):
    out, found = finished
    outcome = found.outcome
    assert outcome.state.ended in ("finished", "budget spent")
    assert {"report.html", "report.json", "model.xml", "model.bin", "deploy.py"} <= set(names(out))
    assert {file.name for file in found.files} <= set(names(out))
    assert found.files[0].name == "report.html"
    assert outcome.state.subject.samples == 0
    assert outcome.decision.standings[0].status == "winner"
    assert outcome.decision.standings[0].candidate.name == outcome.decision.winner
    assert {standing.candidate.precision for standing in outcome.decision.standings} == {"default", "f32"}
    assert outcome.decision.summary[0].startswith(("Keep OpenVINO's default", "Use "))
    assert "benchmark_app -m model.xml" in found.check
    default, winner = outcome.decision.default, outcome.decision.winner
    assert set(outcome.state.layers) == {"before", *(["after"] if winner != default else [])}
    assert set(outcome.state.first_inference) == set(outcome.state.load) == {default, winner}
    assert read_report(out / "report.json") == outcome
    assert Store.reopen(out).state.ended == outcome.state.ended


def test_default_and_hint_are_raced_and_confirmed_beside_floats(finished):
    outcome = finished[1].outcome
    first, confirmation = outcome.state.rounds
    assert {outcome.decision.default, outcome.decision.hint} <= set(first.speeds)
    assert not first.failures
    assert not confirmation.failures
    assert F32.name in confirmation.speeds
    assert confirmation.speeds[outcome.decision.default].effective["NUM_STREAMS"]


def test_the_final_is_what_is_reported(finished):
    outcome = finished[1].outcome
    assert outcome.state.rounds[-1].title == "confirmation"
    assert outcome.decision.winner == outcome.state.rounds[-1].incumbent
    for key, name in (("default", outcome.decision.default), ("hint", outcome.decision.hint)):
        if outcome.decision.standing(name).ratio is None:  # the winner, or what the device makes the same of
            assert key not in outcome.decision.delivered
        else:
            ratio = outcome.state.rounds[-1].ratios[name]
            assert outcome.decision.delivered[key].value == pytest.approx(1 / ratio.value)


def test_a_finished_run_that_is_resumed_begins_nothing_anew(finished, out, monkeypatch):
    folder, found = finished
    shutil.copytree(folder, out)
    monkeypatch.setattr(phases_, "read_source_model", lambda *_: pytest.fail("the model was read again"))
    first, again = found.outcome, resume(out, phases=QUICK).outcome
    assert again.state.rounds[: len(first.state.rounds) - 1] == first.state.rounds[:-1]
    assert (again.state.artifacts, again.state.started) == (first.state.artifacts, first.state.started)


def test_a_budget_too_small_keeps_the_default_and_says_so(start, out):
    outcome = start(budget=0.2).outcome
    assert outcome.decision.winner == outcome.decision.default
    assert outcome.state.rounds == ()
    assert "too small to tell anything apart" in outcome.decision.summary[0]
    assert any("larger --budget" in sentence for sentence in outcome.decision.warnings)
    assert (out / "report.html").is_file()
    assert (out / "model.xml").is_file()


def test_a_limit_that_nothing_keeps(start, out):
    outcome = start(limit=LatencyLimit(50, 1e-6)).outcome
    assert outcome.decision.met is False
    assert outcome.decision.closest
    assert outcome.decision.summary[0].startswith("Nothing that was tried is shown to keep")
    assert outcome.decision.closest in outcome.decision.summary[1]
    assert (out / "report.html").is_file()


def test_an_interrupted_run_reports_what_is_known_and_goes_on(interrupted, out):
    folder, first = interrupted
    assert first.state.ended == "interrupted"
    assert len(first.state.rounds) == 1
    assert (folder / "report.html").is_file()

    shutil.copytree(folder, out)  # which is a move, too
    second = resume(out, budget=3 * BUDGET, phases=QUICK).outcome
    assert second.state.ended != "interrupted"
    assert second.state.rounds[0] == first.state.rounds[0]
    assert [race_round.title for race_round in second.state.rounds].count("confirmation") == 1
    assert second.state.started == first.state.started
    assert second.state.settings == replace(first.state.settings, budget=3 * BUDGET)
    assert second.state.verdicts == ()  # it began without the claims
    assert second.state.seconds > first.state.seconds
    assert not any(standing.status == "failed" for standing in second.decision.standings)


def test_a_run_that_fails_on_the_way_reports_what_is_known(start, out):
    def fail(run):
        raise WorkerDied("The machine is on fire.", "Run.")

    outcome = start(phases=(read_model, original, one_round, fail)).outcome
    assert outcome.state.ended == "failed"
    assert outcome.state.errors == ("The machine is on fire. Run.",)
    assert outcome.state.rounds
    assert (out / "report.html").is_file()


def test_claims_heard_before_an_interruption_are_reported_and_asked_again(model, out):
    source = Source(title="T", url="page.html")
    outcomes = [
        Verdict(f"claim-{n}", "measure", "It holds.", source, "page", "confirmed", ("It is 2.",))
        for n in range(3)
    ]

    def hearing(*_, on_verdict, **__):
        for verdict in outcomes[:2]:
            on_verdict(verdict)
        raise KeyboardInterrupt

    quick = QUICK[:-1]
    settings = Settings(str(model), budget=BUDGET)
    first = begin(settings, out, phases=(*quick, partial(try_claims, evaluate=hearing))).outcome
    assert first.state.ended == "interrupted"
    assert list(first.state.verdicts) == outcomes[:2]
    assert "claim-1" in (out / "report.json").read_text("utf-8")
    told = (*quick, partial(try_claims, evaluate=lambda *_, **__: tuple(outcomes)))
    again = resume(out, budget=3 * BUDGET, phases=told).outcome
    assert list(again.state.verdicts) == outcomes
    assert again.state.settings.claims
    without = resume(out, claims=False, phases=quick).outcome
    assert (without.state.settings.claims, without.state.verdicts) == (False, ())
    with_claims = resume(out, claims=True, phases=QUICK).outcome
    assert list(with_claims.state.verdicts) == outcomes  # which were not forgotten


def test_interrupted_before_anything_is_known_nothing_is_left(start, out):
    with pytest.raises(KeyboardInterrupt):
        start(phases=(interrupt,))
    assert not out.exists()


@pytest.mark.parametrize(
    ("options", "kind", "complaint"),
    [
        ({"data": "nowhere.npz"}, InputError, "nowhere.npz"),
        ({"metric": "top-1"}, OptionError, "no samples to score"),
        ({"shapes": {"y": (1, 16)}}, InputError, "y"),
        ({"device": "GPU"}, DeviceError, "no device GPU"),
        ({"budget": 0.0}, OptionError, "budget of nothing"),
    ],
)
def test_a_wrong_call_leaves_nothing_behind(start, out, options, kind, complaint):
    with pytest.raises(kind, match=complaint):
        start(**options)
    assert not out.exists()


def test_a_metric_that_cannot_be_computed_leaves_nothing_behind(start, out, tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "data.npz", x=rng.standard_normal((20, WIDTH), dtype=np.float32))
    (tmp_path / "readers_module.py").write_text(
        "def broken(outputs, labels):\n    raise ValueError('no such thing')\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises((InputError, OptionError), match="no such thing"):
        start(data=str(tmp_path / "data.npz"), metric="readers_module:broken")
    assert not out.exists()


class TestAnswersAsDeployed:
    """The winner's answers are checked in its own settings; here a model goes bad after it was judged."""

    @pytest.fixture
    def data(self, tmp_path):
        rng = np.random.default_rng(0)
        np.savez(tmp_path / "data.npz", x=rng.standard_normal((1200, 1, WIDTH), dtype=np.float32))
        return {"data": str(tmp_path / "data.npz"), "metric": "cosine", "goal": "throughput"}

    @staticmethod
    def quantized(run, spoil=False):
        """As if INT8 had been made and judged, and as if the machine ran it three times as fast."""
        source = run.store.folder / "run" / "f32.xml"
        target = source.with_name("int8.xml")
        target.write_bytes(source.read_bytes())
        weights = np.fromfile(source.with_suffix(".bin"), dtype=np.float32)
        (-weights if spoil else weights).tofile(target.with_suffix(".bin"))
        (default,) = (a for a in run.state.artifacts if a.precision == "default")
        int8 = replace(default, precision="int8", file="run/int8.xml")
        run.save(replace(run.state, artifacts=(*run.state.artifacts, int8)))

    @staticmethod
    def fast(variants, budget, *, seed, label):
        machine = Machine(
            lambda v: 1 / (500.0 if "INT8" in v.name else 200.0 if "THROUGHPUT" in v.name else 100.0)
        )
        return machine.measure(variants, budget, seed=seed, label=label)

    def outcome(self, start, data, *, spoil):
        racing = partial(race_candidates, rounds=2, measure=self.fast)
        confirming = partial(confirm_winner, measure=self.fast)
        quantized = partial(self.quantized, spoil=spoil)
        phases = (read_model, original, quantized, racing, confirming)
        return start(phases=phases, budget=3 * BUDGET, **data).outcome  # only checking takes real time

    def test_a_winner_is_judged_as_it_is_deployed(self, start, data):
        outcome = self.outcome(start, data, spoil=False)
        assert outcome.decision.winner.startswith("INT8")
        checked = outcome.state.deployed[outcome.decision.winner]
        assert checked.quality.kept == "kept"
        assert any("in these settings, it reaches" in sentence for sentence in outcome.decision.summary)
        assert not any("not checked" in sentence for sentence in outcome.decision.warnings)

    def test_one_that_is_wrong_is_dropped_and_the_next_one_taken(self, start, data, out):
        outcome = self.outcome(start, data, spoil=True)
        assert outcome.decision.winner == outcome.decision.hint
        rejected = [name for name, artifact in outcome.state.deployed.items() if name.startswith("INT8")]
        assert rejected
        for name in rejected:
            standing = outcome.decision.standing(name)
            if standing.why != phases_.UNCHECKED:
                assert standing.status == "too inaccurate"
                assert "in these settings" in standing.why
        assert outcome.decision.winner in outcome.state.deployed
        assert outcome.state.rounds[-1].title == "confirmation"
        assert read_report(out / "report.json") == outcome

    def test_none_wins_unchecked_where_its_precision_is_wrong_elsewhere(self, start, data, monkeypatch):
        evaluate, checked = phases_.evaluate, []

        def only_once(artifact, job, folder, seconds, deployment):
            checked.append(deployment)
            if len(checked) > 1:
                raise WorkerDied("The evaluation took too long.")
            return evaluate(artifact, job, folder, seconds, deployment)

        monkeypatch.setattr(phases_, "evaluate", only_once)
        decision = self.outcome(start, data, spoil=True).decision
        assert len(checked) > 1
        assert decision.winner == decision.hint
        assert any("not checked" in sentence for sentence in decision.warnings)


def test_more_budget_makes_what_was_cut_off(start, out, tmp_path):
    """Nearly all of the budget is gone when the run is resumed with half as much again."""
    pytest.importorskip("nncf")
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "data.npz", x=rng.standard_normal((40, 1, WIDTH), dtype=np.float32))
    making = partial(make_artifacts, precisions=("int8",))

    def spend(run):
        run.clock._begun -= 0.95 * BUDGET

    first = start(phases=(read_model, spend, making, one_round), data=str(tmp_path / "data.npz")).outcome
    (int8,) = (artifact for artifact in first.state.artifacts if artifact.precision == "int8")
    assert "The budget left no time to make it. With --budget" in int8.why_not
    again = resume(out, budget=2 * BUDGET, phases=(read_model, making, one_round)).outcome
    (int8,) = (artifact for artifact in again.state.artifacts if artifact.precision == "int8")
    assert (int8.file, int8.why_not) == ("run/int8.xml", "")


class TestResuming:
    @pytest.fixture(autouse=True)
    def begun(self, interrupted, out):
        shutil.copytree(interrupted[0], out)

    @pytest.fixture
    def changed(self, model):
        """Put the model's weights back after a test has changed them."""
        weights = model.with_suffix(".bin")
        content = weights.read_bytes()
        yield weights
        weights.write_bytes(content)

    def test_another_model_is_refused(self, changed, out):
        changed.write_bytes(bytes([changed.read_bytes()[0] ^ 1]) + changed.read_bytes()[1:])
        with pytest.raises(ModelError, match=r"own\.xml has changed"):
            resume(out)

    def test_a_model_that_is_gone_is_refused(self, model, out):
        model.rename(model.with_suffix(".away"))
        try:
            with pytest.raises(ModelError, match="is not here"):
                resume(out)
        finally:
            model.with_suffix(".away").rename(model)

    def test_another_openvino_is_refused(self, out):
        file = out / "run" / "state.json"
        data = json.loads(file.read_text())
        data["machine"]["packages"]["openvino"] = "2020.1"
        file.write_text(json.dumps(data))
        with pytest.raises(RecordsError, match=r"with OpenVINO 2020\.1"):
            resume(out)

    def test_newer_heats_undo_an_older_confirmation(self, out):
        first = resume(out, budget=3 * BUDGET, phases=QUICK).outcome
        assert first.state.rounds[-1].title == "confirmation"

        def another(run):
            run.save(replace(run.state, rounds=(*run.state.race, replace(run.state.race[-1], title="more"))))
            raise KeyboardInterrupt

        second = resume(out, budget=6 * BUDGET, phases=(read_model, another)).outcome
        assert [race_round.title for race_round in second.state.rounds].count("confirmation") == 0
        assert any("No confirmation run" in sentence for sentence in second.decision.warnings)

    def test_another_machine_is_refused(self, out):
        file = out / "run" / "state.json"
        data = json.loads(file.read_text())
        data["resumption"]["machine_id"] = "0" * 12
        data["machine"]["cpu"] = "Another CPU"
        file.write_text(json.dumps(data))
        with pytest.raises(RecordsError, match=r"on another machine .*Another CPU"):
            resume(out)
