"""Whole runs on a tiny model: every end a run can have, and what is left behind."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from optguide.errors import DeviceError, InputError, ModelError, OptionError, RecordsError, WorkerDied
from optguide.tuning import phases, precisions
from optguide.tuning.outcome import Limit, Settings
from optguide.tuning.report import as_json
from optguide.tuning.run import begin, resume
from optguide.tuning.state import Store

WIDTH = 16
BUDGET = 12.0


@pytest.fixture
def without_nncf(monkeypatch):
    """Only the original's precisions: making others takes longer than the tests have."""
    monkeypatch.setattr(precisions, "OTHERS", ())


@pytest.fixture
def start(tmp_path, ir, without_nncf):
    """Begin a run: ``start(budget=1.0)``; its folder is ``tmp_path / "out"``."""

    def run(**options):
        return begin(
            Settings(**{"model": str(ir), "budget": BUDGET, **options}), tmp_path / "out", claims=False
        )

    return run


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out"


def interrupting(after):
    """The race, interrupted once so many heats have been recorded."""
    real = phases.race

    def race(field, rules, *, record, **options):
        seen = []

        def recorded(heat):
            record(heat)
            seen.append(heat)
            if len(seen) == after:
                raise KeyboardInterrupt

        return real(field, rules, record=recorded, **options)

    return race


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_nothing_but_a_model(start, out):
    found = start()
    outcome = found.outcome
    assert outcome.ended in ("finished", "budget spent")
    assert {"report.html", "report.json", "model.xml", "model.bin", "deploy.py"} <= set(names(out))
    assert {file.name for file in found.files} <= set(names(out))
    assert found.files[0].name == "report.html"
    assert outcome.subject.samples == 0
    assert outcome.standings[0].fate == "winner"
    assert outcome.standings[0].candidate.name == outcome.winner
    assert {standing.candidate.precision for standing in outcome.standings} == {"default", "f32"}
    assert outcome.heats
    assert outcome.summary[0].startswith(("Keep OpenVINO's default", "Use "))
    assert "benchmark_app -m model.xml" in found.check
    assert as_json.decode((out / "report.json").read_bytes(), out / "report.json") == outcome
    assert Store.reopen(out).state.ended == outcome.ended


def test_the_final_is_what_is_reported(start):
    outcome = start().outcome
    assert outcome.heats[-1].title == "final"
    assert outcome.winner == outcome.heats[-1].leader
    others = {outcome.default, outcome.hint} - {outcome.winner}
    assert set(outcome.heats[-1].ratios) >= others
    for key, name in (("default", outcome.default), ("hint", outcome.hint)):
        if name != outcome.winner:
            ratio = outcome.heats[-1].ratios[name]
            assert outcome.delivered[key].value == pytest.approx(1 / ratio.value)


def test_a_budget_too_small_keeps_the_default_and_says_so(start, out):
    outcome = start(budget=0.2).outcome
    assert outcome.winner == outcome.default
    assert outcome.heats == ()
    assert "too small to tell anything apart" in outcome.summary[0]
    assert any("larger --budget" in sentence for sentence in outcome.warnings)
    assert (out / "report.html").is_file()
    assert (out / "model.xml").is_file()


def test_a_limit_that_nothing_keeps(start, out):
    outcome = start(limit=Limit(50, 1e-6)).outcome
    assert outcome.met is False
    assert outcome.closest
    assert outcome.summary[0].startswith("Nothing that was tried is shown to keep")
    assert outcome.closest in outcome.summary[1]
    assert (out / "report.html").is_file()


def test_an_interrupted_run_reports_what_is_known_and_goes_on(start, out, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(phases, "race", interrupting(after=1))
        first = start().outcome
    assert first.ended == "interrupted"
    assert len(first.heats) == 1
    assert (out / "report.html").is_file()

    second = resume(out, budget=2 * BUDGET, claims=False).outcome
    assert second.ended != "interrupted"
    assert second.heats[0] == first.heats[0]
    assert len(second.heats) > 1
    assert [heat.title for heat in second.heats].count("final") == 1
    assert second.started == first.started
    assert second.settings == replace(first.settings, budget=2 * BUDGET)
    assert second.seconds > first.seconds


def test_a_finished_run_that_is_resumed_measures_nothing_again(start, out, monkeypatch):
    first = start().outcome
    monkeypatch.setattr(phases, "read_subject", lambda *_: pytest.fail("the model was read again"))
    again = resume(out, claims=False).outcome
    assert again.heats[: len(first.heats) - 1] == first.heats[:-1]
    assert again.winner == first.winner or again.heats[-1] != first.heats[-1]


def test_a_run_that_fails_on_the_way_reports_what_is_known(start, out, monkeypatch):
    def final(*_, **__):
        raise WorkerDied("The machine is on fire.", "Run.")

    monkeypatch.setattr(phases, "final", final)
    outcome = start().outcome
    assert outcome.ended == "failed"
    assert outcome.errors == ("The machine is on fire. Run.",)
    assert outcome.heats
    assert (out / "report.html").is_file()


def test_interrupted_before_anything_is_known_nothing_is_left(start, out, monkeypatch):
    def read(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(phases, "read_subject", read)
    with pytest.raises(KeyboardInterrupt):
        start()
    assert not out.exists()


@pytest.mark.parametrize(
    ("options", "kind", "complaint"),
    [
        ({"data": "nowhere.npz"}, InputError, "nowhere.npz"),
        ({"metric": "top-1"}, OptionError, "no samples to judge"),
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
    @pytest.fixture
    def begun(self, start, tmp_path, ir, monkeypatch):
        """An interrupted run on a model of its own."""
        for suffix in (".xml", ".bin"):
            (tmp_path / f"own{suffix}").write_bytes(Path(ir).with_suffix(suffix).read_bytes())
        with monkeypatch.context() as patch:
            patch.setattr(phases, "race", interrupting(after=1))
            start(model=str(tmp_path / "own.xml"))
        return tmp_path

    def test_another_model_is_refused(self, begun, out):
        weights = bytearray((begun / "own.bin").read_bytes())
        weights[0] ^= 1
        (begun / "own.bin").write_bytes(weights)
        with pytest.raises(ModelError, match=r"own\.xml has changed"):
            resume(out, claims=False)

    def test_a_model_that_is_gone_is_refused(self, begun, out):
        (begun / "own.xml").unlink()
        with pytest.raises(ModelError, match="is not here"):
            resume(out, claims=False)

    def test_another_machine_is_refused(self, begun, out):
        file = out / "run" / "state.json"
        data = json.loads(file.read_text())
        data["machine_id"] = "0" * 12
        data["machine"]["cpu"] = "Another CPU"
        file.write_text(json.dumps(data))
        with pytest.raises(RecordsError, match=r"on another machine .*Another CPU"):
            resume(out, claims=False)

    def test_a_folder_that_was_moved_goes_on(self, begun, out):
        moved = out.with_name("moved")
        out.rename(moved)
        outcome = resume(moved, claims=False).outcome
        assert not any("failed" in standing.fate for standing in outcome.standings)
