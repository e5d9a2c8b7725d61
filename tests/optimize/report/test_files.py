"""The files beside the page: the winner's model and deploy.py, run for real."""

from __future__ import annotations

import ast
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from optguide.errors import StorageError
from optguide.optimize.report import deploy, read_report, write_report
from optguide.optimize.report.deploy import WinnerInputs
from optguide.runtimes.ports import Port
from tests.optimize.outcomes import CANDIDATES, FAILED, HOSTILE, RICH, SYNC, TUNED, changed, hostile

pytestmark = pytest.mark.usefixtures("no_figures")

X = WinnerInputs((Port("x", "float32", (1, 16)),), ({"x": (1, 16)},))
OPEN = WinnerInputs((Port("x", "float32", (None, 16)),), ({"x": (2, 16)}, {"x": (3, 16)}, {"x": (2, 16)}))


def won(candidate, outcome=RICH):
    standings = (replace(outcome.decision.standings[0], candidate=candidate), *outcome.decision.standings[1:])
    return changed(outcome, standings=standings, winner=candidate.name)


def run(folder, *arguments):
    """deploy.py in a fresh interpreter that sees nothing of this project's folder."""
    return subprocess.run(
        [sys.executable, "-I", "deploy.py", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def hurry(folder):
    """Let deploy.py measure for a moment only."""
    path = folder / "deploy.py"
    script = path.read_text("utf-8")
    assert script.count("SECONDS = 5\n") == 1
    path.write_text(script.replace("SECONDS = 5\n", "SECONDS = 0.2\n"), "utf-8")


def test_all_files_are_written_and_named(tmp_path, ir, inputs):
    files = write_report(won(SYNC), tmp_path, model=ir, inputs=(str(inputs),)).files
    names = ["report.html", "report.json", "model.xml", "model.bin", "deploy.py"]
    assert [file.name for file in files] == names
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(names)
    assert read_report(files[1]) == won(SYNC)


@pytest.mark.parametrize("name", CANDIDATES)
def test_deploy_runs_as_it_stands(tmp_path, ir, name):
    candidate = CANDIDATES[name]
    write_report(won(candidate), tmp_path, model=ir, inputs=())
    hurry(tmp_path)
    done = run(tmp_path)
    assert done.returncode == 0, done.stderr
    batch = candidate.deployment.batch or 1
    assert f"float32 [{batch}, 16]" in done.stdout
    assert "median of" in done.stdout
    assert f"inputs/s (batch {batch})" in done.stdout


def test_deploy_takes_inputs_from_a_file(tmp_path, dynamic_ir, save_inputs):
    write_report(won(SYNC), tmp_path, model=dynamic_ir, inputs=())
    hurry(tmp_path)
    done = run(tmp_path, str(save_inputs(tmp_path / "five.npz", x=np.zeros((5, 16)))))
    assert done.returncode == 0, done.stderr
    assert "float32 [5, 16]" in done.stdout
    assert "inputs/s (batch 5)" in done.stdout


def test_deploy_fills_dynamic_inputs_with_the_shape_they_were_measured_with(
    tmp_path, dynamic_ir, save_inputs
):
    sets = save_inputs(tmp_path / "set.npz", x=np.zeros((3, 16)))
    write_report(won(SYNC), tmp_path, model=dynamic_ir, inputs=(str(sets),))
    hurry(tmp_path)
    done = run(tmp_path)
    assert done.returncode == 0, done.stderr
    assert "float32 [3, 16]" in done.stdout


def test_deploy_needs_openvino_and_numpy_only():
    tree = ast.parse(deploy.script(TUNED, model="m", device="CPU", machine="cpu", inputs=X))
    imported = {
        (node.names[0].name if isinstance(node, ast.Import) else node.module).partition(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
    }
    assert imported - sys.stdlib_module_names == {"numpy", "openvino"}


@pytest.mark.parametrize("candidate", CANDIDATES.values(), ids=CANDIDATES)
def test_code_to_copy_is_code_with_the_winning_properties(candidate):
    tree = ast.parse(deploy.snippet(candidate, device="CPU"))
    found = [ast.literal_eval(node) for node in ast.walk(tree) if isinstance(node, ast.Dict)]
    assert found == [candidate.properties]


def test_hostile_names_stay_comments_and_strings(tmp_path, ir):
    name = f'{HOSTILE}\nimport os; os.abort() # \u2028"""'
    outcome = changed(won(SYNC, hostile()), subject=replace(hostile().state.subject, name=name))
    write_report(outcome, tmp_path, model=ir, inputs=())
    hurry(tmp_path)
    done = run(tmp_path)
    assert done.returncode == 0, done.stderr
    assert "<script" not in (tmp_path / "report.html").read_text("utf-8")


def test_the_batch_of_the_winner_is_in_its_model(tmp_path, ir):
    import openvino

    placed = deploy.place_model(ir, tmp_path, 4)
    assert [(port.name, port.shape) for port in placed.ports] == [("x", (4, 16))]
    assert (placed.batch, placed.stateful) == (4, False)
    model = openvino.Core().read_model(tmp_path / "model.xml")
    assert list(model.inputs[0].shape) == [4, 16]


def test_time_steps_are_no_batch(tmp_path, save_ir):
    steps = save_ir(tmp_path / "steps.xml", [8, 1], lambda ops, x: ops.cum_sum(x, ops.constant(0)))
    assert deploy.place_model(steps, tmp_path, None).batch == 1
    rows = save_ir(tmp_path / "rows.xml", [8, 1], lambda ops, x: ops.tanh(x))
    assert deploy.place_model(rows, tmp_path, None).batch == 8


def test_a_batch_beside_an_open_size_is_counted_with_the_inputs_that_were_measured(
    tmp_path, save_ir, save_inputs
):
    sets = [str(save_inputs(tmp_path / "set.npz", x=np.arange(24.0).reshape(8, 3)))]
    rows = save_ir(tmp_path / "rows.xml", [8, -1], lambda ops, x: ops.tanh(x))
    assert deploy.place_model(rows, tmp_path, None, sets).batch == 8
    assert deploy.place_model(rows, tmp_path, None, ["gone.npz"]).batch == 8
    steps = save_ir(tmp_path / "steps.xml", [8, -1], lambda ops, x: ops.cum_sum(x, ops.constant(0)))
    assert deploy.place_model(steps, tmp_path, None, sets).batch == 1


def test_a_model_without_a_batch_of_its_own_is_copied_byte_by_byte(tmp_path, ir):
    deploy.place_model(ir, tmp_path, None)
    for suffix in (".xml", ".bin"):
        assert (tmp_path / f"model{suffix}").read_bytes() == ir.with_suffix(suffix).read_bytes()


def test_a_model_that_is_gone_leaves_the_report(tmp_path):
    files = write_report(won(SYNC), tmp_path, model=tmp_path / "gone.xml", inputs=()).files
    assert [file.name for file in files] == ["report.html", "report.json"]
    assert "model could not be written" in files[0].read_text("utf-8")


def test_files_of_an_earlier_winner_do_not_stay(tmp_path, ir):
    write_report(won(CANDIDATES["mixed"]), tmp_path, model=ir)
    assert (tmp_path / "benchmark_app.json").is_file()
    written = write_report(won(SYNC), tmp_path, model=tmp_path / "gone.xml")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["report.html", "report.json"]
    assert written.check == ""
    assert "could not be written" in written.outcome.state.errors[0]


def test_a_failed_run_leaves_the_report(tmp_path):
    files = write_report(FAILED, tmp_path, model=None).files
    assert [file.name for file in files] == ["report.html", "report.json"]


def test_a_report_that_cannot_be_written_leaves_the_old_one(tmp_path, monkeypatch):
    write_report(FAILED, tmp_path, model=None)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(StorageError, match="No space left"):
        write_report(RICH, tmp_path, model=None)
    assert {name: (tmp_path / name).read_bytes() for name in before} == before


def test_inputs_inside_the_folder_are_offered_by_their_place_in_it(tmp_path, save_inputs):
    (tmp_path / "run").mkdir()
    inside = save_inputs(tmp_path / "run" / "a b.npz", x=np.zeros((1, 16)))
    found = deploy.read_inputs((str(inside), "missing.npz"), tmp_path, X)
    assert found.file == "run/a b.npz"
    assert found.quoted_file == "'run/a b.npz'"
    assert found.sets == ({"x": (1, 16)},)


def test_dynamic_inputs_list_each_shape_once():
    assert OPEN.dynamic == ({"x": (2, 16)}, {"x": (3, 16)})
    assert OPEN.filled == {"x": (2, 16)}
    assert X.dynamic == ()
    assert X.filled == {}
