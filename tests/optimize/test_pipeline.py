"""Whole runs on a tiny model: every end a run can have, and what is left behind."""

import json
import shutil
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from optguide.bench.load import LatencyLimit
from optguide.claims import Source, Verdict
from optguide.errors import DeviceError, InputError, ModelError, OptionError, RecordsError, WorkerDied
from optguide.optimize import phases
from optguide.optimize.compression import artifacts
from optguide.optimize.config import Settings
from optguide.optimize.pipeline import begin, resume
from optguide.optimize.report import read_report
from optguide.optimize.state import Store

WIDTH = 16
BUDGET = 90.0
RACE, CONFIRM, PROFILE = phases.race, phases.confirm, phases.Phases.profile


@pytest.fixture(autouse=True, scope="module")
def quick():
    """Short runs: only the original's precisions, one round, a short final."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(artifacts, "COMPRESSED", ())
        patch.setattr(phases, "race", one_round)
        patch.setattr(phases, "confirm", short_final)
        patch.setattr(phases.Phases, "profile", lambda self: None)
        yield


@pytest.fixture(scope="module")
def model(ir, tmp_path_factory):
    """A model of this module's own, whose files a test may change where it has copied them."""
    folder = tmp_path_factory.mktemp("model")
    for suffix in (".xml", ".bin"):
        (folder / f"own{suffix}").write_bytes(Path(ir).with_suffix(suffix).read_bytes())
    return folder / "own.xml"


def run(model, out, **options):
    return begin(Settings(**{"model": str(model), "budget": BUDGET, "claims": False, **options}), out)


class Over(Exception):  # noqa: N818
    """One round has been run."""


def one_round(field, rules, *, record, then=Over, **options):
    """The race up to its first round."""

    def recorded(race_round):
        record(race_round)
        raise then

    try:
        RACE(field, rules, record=recorded, **options)
    except Over:
        return


def short_final(*arguments, seconds, **options):
    return CONFIRM(*arguments, **options, seconds=min(seconds, 4.0))


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out"


@pytest.fixture
def start(model, out):
    """Begin a run in ``out``: ``start(budget=1.0)``."""
    return partial(run, model, out)


@pytest.fixture(scope="module")
def finished(model, tmp_path_factory):
    """A run that took its way to the end; its folder and what it returned."""
    folder = tmp_path_factory.mktemp("finished") / "out"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(phases.Phases, "profile", PROFILE)
        return folder, run(model, folder)


@pytest.fixture(scope="module")
def interrupted(model, tmp_path_factory):
    """A run that was interrupted after the first round; its folder and its outcome."""
    folder = tmp_path_factory.mktemp("interrupted") / "out"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(phases, "race", partial(one_round, then=KeyboardInterrupt))
        return folder, run(model, folder).outcome


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_nothing_but_a_model(finished):
    out, found = finished
    outcome = found.outcome
    assert outcome.ended in ("finished", "budget spent")
    assert {"report.html", "report.json", "model.xml", "model.bin", "deploy.py"} <= set(names(out))
    assert {file.name for file in found.files} <= set(names(out))
    assert found.files[0].name == "report.html"
    assert outcome.subject.samples == 0
    assert outcome.standings[0].status == "winner"
    assert outcome.standings[0].candidate.name == outcome.winner
    assert {standing.candidate.precision for standing in outcome.standings} == {"default", "f32"}
    assert outcome.rounds
    assert outcome.summary[0].startswith(("Keep OpenVINO's default", "Use "))
    assert "benchmark_app -m model.xml" in found.check
    assert set(outcome.layers) >= {"before"}
    assert set(outcome.first_inference) == {outcome.default, outcome.winner}
    assert read_report(out / "report.json") == outcome
    assert Store.reopen(out).state.ended == outcome.ended


def test_the_final_is_what_is_reported(finished):
    outcome = finished[1].outcome
    assert outcome.rounds[-1].title == "confirmation"
    assert outcome.winner == outcome.rounds[-1].incumbent
    for key, name in (("default", outcome.default), ("hint", outcome.hint)):
        if name != outcome.winner:
            ratio = outcome.rounds[-1].ratios[name]
            assert outcome.delivered[key].value == pytest.approx(1 / ratio.value)


def test_a_finished_run_that_is_resumed_begins_nothing_anew(finished, out, monkeypatch):
    folder, found = finished
    shutil.copytree(folder, out)
    monkeypatch.setattr(phases, "read_source_model", lambda *_: pytest.fail("the model was read again"))
    first, again = found.outcome, resume(out).outcome
    assert again.rounds[: len(first.rounds) - 1] == first.rounds[:-1]
    assert (again.artifacts, again.started) == (first.artifacts, first.started)


def test_a_budget_too_small_keeps_the_default_and_says_so(start, out):
    outcome = start(budget=0.2).outcome
    assert outcome.winner == outcome.default
    assert outcome.rounds == ()
    assert "too small to tell anything apart" in outcome.summary[0]
    assert any("larger --budget" in sentence for sentence in outcome.warnings)
    assert (out / "report.html").is_file()
    assert (out / "model.xml").is_file()


def test_a_limit_that_nothing_keeps(start, out):
    outcome = start(limit=LatencyLimit(50, 1e-6)).outcome
    assert outcome.met is False
    assert outcome.closest
    assert outcome.summary[0].startswith("Nothing that was tried is shown to keep")
    assert outcome.closest in outcome.summary[1]
    assert (out / "report.html").is_file()


def test_an_interrupted_run_reports_what_is_known_and_goes_on(interrupted, out):
    folder, first = interrupted
    assert first.ended == "interrupted"
    assert len(first.rounds) == 1
    assert (folder / "report.html").is_file()

    shutil.copytree(folder, out)  # which is a move, too
    second = resume(out, budget=3 * BUDGET).outcome
    assert second.ended != "interrupted"
    assert second.rounds[0] == first.rounds[0]
    assert [race_round.title for race_round in second.rounds].count("confirmation") == 1
    assert second.started == first.started
    assert second.settings == replace(first.settings, budget=3 * BUDGET)
    assert second.verdicts == ()  # it began without the claims
    assert second.seconds > first.seconds
    assert not any(standing.status == "failed" for standing in second.standings)


def test_a_run_that_fails_on_the_way_reports_what_is_known(start, out, monkeypatch):
    def confirmation(*_, **__):
        raise WorkerDied("The machine is on fire.", "Run.")

    monkeypatch.setattr(phases, "confirm", confirmation)
    outcome = start().outcome
    assert outcome.ended == "failed"
    assert outcome.errors == ("The machine is on fire. Run.",)
    assert outcome.rounds
    assert (out / "report.html").is_file()


def test_claims_heard_before_an_interruption_are_reported_and_asked_again(model, out, monkeypatch):
    source = Source(title="T", url="page.html")
    outcomes = [
        Verdict(f"claim-{n}", "measure", "It holds.", source, "page", "confirmed", ("It is 2.",))
        for n in range(3)
    ]

    def hearing(*_, on_verdict, **__):
        for verdict in outcomes[:2]:
            on_verdict(verdict)
        raise KeyboardInterrupt

    monkeypatch.setattr(phases, "evaluate_model", hearing)
    settings = Settings(str(model), budget=BUDGET)
    first = begin(settings, out).outcome
    assert first.ended == "interrupted"
    assert list(first.verdicts) == outcomes[:2]
    assert "claim-1" in (out / "report.json").read_text("utf-8")
    monkeypatch.setattr(phases, "evaluate_model", lambda *_, **__: tuple(outcomes))
    again = resume(out, budget=3 * BUDGET).outcome
    assert list(again.verdicts) == outcomes
    assert again.settings.claims
    without = resume(out, claims=False).outcome
    assert (without.settings.claims, without.verdicts) == (False, ())
    assert list(resume(out, claims=True).outcome.verdicts) == outcomes  # which were not forgotten


def test_interrupted_before_anything_is_known_nothing_is_left(start, out, monkeypatch):
    def read(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(phases, "read_source_model", read)
    with pytest.raises(KeyboardInterrupt):
        start()
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
    (tmp_path / "mine.py").write_text("def broken(outputs, labels):\n    raise ValueError('no such thing')\n")
    monkeypatch.chdir(tmp_path)
    with pytest.raises((InputError, OptionError), match="no such thing"):
        start(data=str(tmp_path / "data.npz"), metric="mine:broken")
    assert not out.exists()


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

    def test_newer_heats_undo_an_older_final(self, out, monkeypatch):
        first = resume(out, budget=3 * BUDGET).outcome
        assert first.rounds[-1].title == "confirmation"

        def another(field, rules, *, record, rounds, **_):
            record(replace(rounds[-1], title="more"))
            raise KeyboardInterrupt

        monkeypatch.setattr(phases, "race", another)
        second = resume(out, budget=6 * BUDGET).outcome
        assert [race_round.title for race_round in second.rounds].count("confirmation") == 0
        assert any("No confirmation run" in sentence for sentence in second.warnings)

    def test_another_machine_is_refused(self, out):
        file = out / "run" / "state.json"
        data = json.loads(file.read_text())
        data["machine_id"] = "0" * 12
        data["machine"]["cpu"] = "Another CPU"
        file.write_text(json.dumps(data))
        with pytest.raises(RecordsError, match=r"on another machine .*Another CPU"):
            resume(out)
