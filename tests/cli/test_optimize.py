"""``optguide optimize`` as a command: what it refuses, prints and returns, and what Ctrl-C does."""

import json
import signal
import subprocess
import sys
from functools import partial

import pytest

from optguide.cli import optimize as command
from optguide.optimize import phases, pipeline
from tests.optimize.simulated import Machine

pytestmark = pytest.mark.usefixtures("no_figures")

COMMAND = [sys.executable, "-m", "optguide", "optimize"]


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """Every test in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_help_says_all_that_is_needed(optguide):
    found = optguide("optimize", "--help")
    assert found.status == 0
    for expected in (
        "optguide optimize model.onnx",
        "Exit status:",
        "130",
        "--resume",
        "package.module:function",
    ):
        assert expected in found.out


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ([], "Missing argument 'MODEL'"),
        (["missing.xml"], "There is no model 'missing.xml'."),
        (["{model}", "--slo", "p99"], "is no latency limit"),
        (["{model}", "--slo", "p42=5ms"], "is no latency limit"),
        (["{model}", "--max-drop", "200%"], "not a share between 0 and 1"),
        (["{model}", "--budget", "soon"], "is not a duration"),
        (["{model}", "--budget", "0s"], "'0s' is no time at all."),
        (["{model}", "--goal", "fast"], "'fast' is not one of"),
        (["{model}", "--shape", "x=-1,16"], "is no static shape"),
        (["{model}", "--device", "GPU"], "no device GPU"),
        (["{model}", "--data", "nowhere"], "nowhere"),
        (["{model}", "--metric", "top-1"], "no samples to score"),
        (["--resume", "nowhere"], "holds no run"),
        (["--resume", "nowhere", "--goal", "latency"], "keeps its settings, and --goal"),
        (["{model}", "--resume", "nowhere"], "keeps its settings, and MODEL"),
    ],
)
def test_a_wrong_call_is_one_sentence_and_leaves_nothing(optguide, ir, here, arguments, complaint):
    found = optguide("optimize", *(argument.format(model=ir) for argument in arguments))
    assert (found.status, found.out) == (2, "")
    errors = [line for line in found.err.splitlines() if line.startswith("Error: ")]
    assert len(errors) == 1
    assert complaint in errors[0]
    assert list(here.iterdir()) == []


def test_files_that_would_unpickle_are_refused(optguide, here):
    for name, complaint in (("m.pt", "unpickling"), ("m.pt2", "--allow-pickle")):
        (here / name).write_bytes(b"x")
        found = optguide("optimize", name)
        assert found.status == 2
        assert complaint in found.err


def test_a_folder_in_use_is_refused(optguide, ir, here):
    (here / "full").mkdir()
    (here / "full" / "a.txt").write_text("x")
    found = optguide("optimize", ir, "--out", "full")
    assert found.status == 2
    assert "full holds other files" in found.err


@pytest.fixture
def brief(monkeypatch):
    """A race of one round and a confirmation run on a simulated machine, and no profile."""

    measure = Machine(lambda variant: 0.001).measure
    brief_phases = (
        phases.read_model,
        partial(phases.make_artifacts, precisions=()),
        partial(phases.race_candidates, rounds=1, measure=measure),
        partial(phases.confirm_winner, measure=measure),
    )
    for name in ("begin", "resume"):
        monkeypatch.setattr(command, name, partial(getattr(pipeline, name), phases=brief_phases))
    return ("--budget", "90s", "--no-claims")


def test_from_model_to_report_and_a_second_call(optguide, ir, here, brief):
    found = optguide("optimize", ir, *brief)
    assert found.status == 0
    assert found.out.startswith(("Keep OpenVINO's default", "Use "))
    for expected in ("What became of it", "winner", "report.html", "deploy.py", "benchmark_app -m model.xml"):
        assert expected in found.out
    folder = here / "optguide-linear"
    assert (folder / "report.html").is_file()

    again = optguide("optimize", ir)
    assert again.status == 2
    assert "holds another run" in again.err
    assert "--resume optguide-linear" in again.err

    resumed = optguide("optimize", "--resume", folder, "--json", "--debug")
    assert resumed.status == 0
    assert json.loads(resumed.out) == json.loads((folder / "report.json").read_text())
    assert json.loads(resumed.out)["settings"]["claims"] is False  # as it began


def test_a_budget_too_small_is_a_warning(optguide, ir):
    found = optguide("optimize", ir, "--budget", "200ms", "--no-claims")
    assert found.status == 0
    assert found.out.startswith("Keep OpenVINO's default: a budget of 200 ms is too small")
    assert "Warning: Nothing could be told apart" in found.err


def test_a_limit_that_nothing_keeps_is_status_one(optguide, ir, brief):
    found = optguide("optimize", ir, "--slo", "p50=0.000001ms", *brief)
    assert found.status == 1
    assert "comes closest" in found.out
    assert "report.html" in found.out


def started(ir, until):
    """The command as a process of its own, once it has said so much."""
    process = subprocess.Popen(
        [*COMMAND, str(ir), "--budget", "90s", "--out", "out", "--no-claims"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    wait_for(process, until)
    return process


def wait_for(process, text):
    for line in process.stderr:
        if text in line:
            return
    pytest.fail(f"it ended before it said {text!r}")


@pytest.mark.slow
@pytest.mark.usefixtures("interruptible")
def test_ctrl_c_writes_the_report_of_what_is_known(ir, here):
    process = started(ir, "leader: ")
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 130
    assert "The run was interrupted" in out
    assert "--resume out" in err
    assert json.loads((here / "out" / "report.json").read_text())["ended"] == "interrupted"


@pytest.mark.slow
@pytest.mark.usefixtures("interruptible")
def test_a_second_ctrl_c_ends_at_once(ir, here):
    process = started(ir, "racing")
    process.send_signal(signal.SIGINT)
    wait_for(process, "writing the report")
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 130
    assert "--resume out" in err
    assert (here / "out" / "run" / "state.json").is_file()


def test_an_interruption_before_anything_is_known(optguide, ir, here, monkeypatch):
    def read(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(phases, "read_source_model", read)
    found = optguide("optimize", ir)
    assert found.status == 130
    assert "nothing of it is kept" in found.err
    assert list(here.iterdir()) == []
