"""``optguide compare`` from end to end, and what it says when one variant fails."""

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from optguide import isolated
from optguide.bench.process import WorkerProcess
from optguide.bench.result import TWIN, SessionResult
from optguide.bench.series import Block, Series
from optguide.bench.session import Budget
from optguide.bench.variant import Variant
from optguide.cli.session import SessionRun
from optguide.errors import InputError, WorkerDied
from tests.cli.json_shapes import golden, keys

SHORT = ("--budget", "500ms")
DYNAMIC = InputError("Input 'x' has the dynamic shape [1,?].")


def installed_release(package, version):
    """A complete environment whose interpreter is the one that runs the tests; returns it."""
    environment = isolated.release(package, version)
    python = environment.folder / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    (environment.folder / "optguide-requirements").write_text(environment.identity)
    return python


@pytest.mark.usefixtures("processes")
def test_a_model_against_itself_under_other_settings(optguide, ir):
    found = optguide("compare", ir, "@requests=2", "@INFERENCE_PRECISION_HINT=f32,name=pinned", *SHORT)
    assert found.status == 0
    assert "Against linear: above 1 is better" in found.out
    assert "linear (A/A control)" in found.out
    assert "requests=2" in found.out
    assert "pinned" in found.out
    assert "Cosine similarity" in found.out
    assert "requests in flight" in found.out


def test_json_has_every_ratio_to_the_first(optguide, ir, onnx_model):
    pytest.importorskip("onnxruntime")
    found = optguide("compare", ir, onnx_model, f"{onnx_model}@runtime=onnxruntime", *SHORT, "--json")
    assert found.status == 0
    data = json.loads(found.out)
    assert keys(data) == golden("compare")
    assert [one["name"] for one in data["variants"]] == [
        "linear.xml",
        "linear.onnx",
        "linear.onnx, runtime=onnxruntime",
    ]
    assert [one["variant"] for one in data["comparisons"]] == [
        "linear.onnx",
        "linear.onnx, runtime=onnxruntime",
    ]
    for comparison in data["comparisons"]:
        assert comparison["first"] == "linear.xml"
        assert comparison["latency"]["verdict"] in ("faster", "slower", "no difference", "inconclusive")
        assert comparison["throughput"]["ratio"]["unit"] == "ratio"
        assert comparison["latency"]["cpu_ratio"]["n"] >= 3  # sets of processes, or six rounds of one
        assert comparison["agreement"]["cosine"] == pytest.approx(1, abs=1e-3)
    assert data["control"]["b"] == f"linear.xml{TWIN}"


@pytest.mark.usefixtures("simulated")
def test_no_control(optguide, ir):
    found = optguide("compare", ir, "@requests=2", *SHORT, "--no-control", "--json")
    assert json.loads(found.out)["control"] is None


def test_outputs_of_other_shapes_are_not_compared(optguide, ir, dynamic_ir):
    found = optguide("compare", ir, f"{dynamic_ir}@shape.x=2,16", *SHORT, "--no-control")
    assert found.status == 0
    assert "got different inputs" in " ".join(found.out.split())


def test_the_others_are_measured_when_one_fails(optguide, simulated, ir, open_ir):
    simulated.failing["open"] = DYNAMIC
    found = optguide("compare", ir, open_ir, "@shape.x=1,16", *SHORT, "--no-control")
    assert found.status == 2
    assert "open, shape.x=1,16" in found.out
    (said,) = [line for line in found.err.splitlines() if line.startswith("Error")]
    assert said.startswith("Error: 'open' was not measured: Input 'x' has the dynamic shape")


def test_a_first_variant_that_fails_is_said_once(optguide, simulated, ir, open_ir):
    simulated.failing["open"] = DYNAMIC
    found = optguide("compare", open_ir, ir, *SHORT)
    assert found.status == 2
    assert "linear" in found.out
    assert found.err.count("was not measured") == 1


def test_a_worker_killed_during_the_session_costs_only_its_variant(optguide, processes, ir, monkeypatch):
    warm_up = WorkerProcess.warm_up

    def kill(worker, slot=0):
        warm_up(worker, slot)
        if worker.variants[0].name.endswith("requests=2"):
            os.kill(worker.pid, signal.SIGKILL)

    monkeypatch.setattr(WorkerProcess, "warm_up", kill)
    found = optguide("compare", ir, "@requests=2", *SHORT)
    assert found.status == 1
    assert "requests=2' was not measured: The worker" in found.err
    assert "was ended by SIGKILL" in found.err
    assert "linear" in found.out


def test_a_control_that_fails_is_a_warning(optguide, simulated, ir):
    """Nobody asked for it by name."""
    simulated.failing[f"linear{TWIN}"] = WorkerDied("The worker was killed.")
    found = optguide("compare", ir, "@requests=2", *SHORT)
    assert found.status == 0
    assert "There is no A/A control: The worker was killed." in found.err
    assert "requests=2" in found.out


@pytest.mark.usefixtures("simulated")
def test_a_label_is_no_markup(optguide, ir):
    found = optguide("compare", f"{ir}@name=[red]a", "@requests=2,name=:smile:", *SHORT, "--no-control")
    assert "[red]a" in found.out
    assert ":smile:" in found.out


# Warnings, from sessions made up to deserve them


def session(times, others_share=0.0, failures=None, twin=True):
    """A session whose variants take these milliseconds, with a little scatter."""
    random = np.random.default_rng(0)
    series = {}
    for name, milliseconds in times.items():
        blocks = []
        for index in range(20):
            took = milliseconds * random.normal(1, 0.002)
            blocks.append(Block(index, index // 4, np.full(10, took), took / 100, took / 100, 10))
        series[name] = Series(Variant(name, model=f"{name.split()[0]}.xml"), tuple(blocks), {}, {}, 0.1, 1)
    twin_name = f"m{TWIN}" if twin else None
    result = SessionResult(series, failures or {}, "budget spent", 1.0, 20, others_share, twin_name)
    return SessionRun(result, next(iter(series)), 1.5, Budget(1.0, 0.02))


def test_a_control_that_differs_is_a_warning():
    (said,) = session({"m": 10, "n": 5, f"m{TWIN}": 9}).warnings
    assert "m (A/A control) over m, which cannot differ, is 1.1" in said


def test_a_control_that_agrees_is_none():
    assert session({"m": 10, "n": 5, f"m{TWIN}": 10}).warnings == []


def test_a_control_of_a_first_variant_that_failed_is_not_used():
    measured = session({"n": 5, f"m{TWIN}": 10}, failures={"m": WorkerDied("It died.")})
    assert measured.result.control is None
    assert measured.warnings == []
    assert measured.others == []


def with_overhead(milliseconds, inputs, python):
    """A variant whose calls spend these shares on something else than the inference."""
    run = session({"m": milliseconds}, twin=False)
    parts = {"inputs": inputs, "python": python}
    overhead = {part: [1 - share] * 20 for part, share in parts.items() if share}
    series = {"m": replace(run.result.series["m"], overhead=overhead)}
    return replace(run, result=replace(run.result, series=series))


@pytest.mark.parametrize(
    ("milliseconds", "inputs", "python", "said"),
    [
        (0.1, 0.4, 0.6, {"Handing over inputs": "40 %", "Python": "60 %"}),
        (10, 0.4, 0.6, {"Handing over inputs": "40 %"}),
        (0.1, 0.04, 0.2, {"Python": "20 %"}),
        (0.1, None, None, {}),
    ],
)
def test_what_a_call_does_besides_the_inference_is_said_where_it_matters(milliseconds, inputs, python, said):
    run = with_overhead(milliseconds, inputs, python)
    assert {part: share.split(" (")[0] for part, share, _ in run.overhead_rows("m")} == said


@pytest.mark.parametrize(("other", "is_shown"), [("2026.4.1", False), ("2025.4.0", True)])
def test_a_package_differs_where_it_has_several_versions_not_where_a_variant_lacks_it(
    capsys, other, is_shown
):
    run = session({"m": 10, "n": 5, "o": 5}, twin=False)
    versions = {"m": {"openvino": "2026.4.1"}, "n": {"onnxruntime": "1.22.0"}, "o": {"openvino": other}}
    series = {name: replace(one, versions=versions[name]) for name, one in run.result.series.items()}
    replace(run, result=replace(run.result, series=series)).print_effective(verbose=False)
    printed = capsys.readouterr().out
    assert ("openvino" in printed) is is_shown
    assert "onnxruntime" not in printed


def test_a_busy_machine_is_a_warning():
    (said,) = session({"m": 10}, others_share=0.6, twin=False).warnings
    assert said.startswith("Others use 60 % of the machine's CPU.")


def test_releases_take_turns_each_under_its_own_interpreter(optguide, processes, ir, tmp_path, monkeypatch):
    monkeypatch.setattr(isolated, "RELEASES", tmp_path)
    older, newer = (installed_release("openvino", version) for version in ("2025.4", "2026.4"))
    found = optguide("compare", f"{ir}@openvino=2025.4", "@openvino=2026.4", *SHORT, "--no-control", "--json")
    assert found.status == 0
    variants = json.loads(found.out)["variants"]
    assert [one["name"] for one in variants] == ["openvino=2025.4", "openvino=2026.4"]
    assert [one["variant"]["interpreter"] for one in variants] == [str(older), str(newer)]
    assert all(one["versions"]["openvino"] for one in variants)


def test_a_release_of_another_runtime_is_refused(optguide, ir):
    found = optguide("compare", ir, "@onnxruntime=1.20", *SHORT)
    assert found.status == 2
    assert "The runtime openvino has no setting onnxruntime." in found.err


def test_releases_are_listed_and_pruned(optguide, tmp_path, monkeypatch):
    monkeypatch.setattr(isolated, "RELEASES", tmp_path)
    assert "No release is installed" in optguide("environments").out
    python = installed_release("openvino", "2025.4")
    assert "openvino-2025.4" in optguide("environments").out
    listed = json.loads(optguide("environments", "--prune", "--json").out)
    assert list(listed["folders"]) == [str(python.parent.parent)]
    assert keys(listed) == golden("environments")
    assert listed["removed"] is True
    assert not python.exists()


def test_releases_are_not_pruned_under_a_measurement(optguide, tmp_path, monkeypatch):
    monkeypatch.setattr(isolated, "RELEASES", tmp_path / "releases")
    python = installed_release("openvino", "2025.4")
    holder = (
        "from optguide.machine import measuring_lock\nwith measuring_lock('some'): print(flush=True); input()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", holder], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        process.stdout.readline()
        found = optguide("environments", "--prune")
        process.communicate("\n")
    assert found.status == 1
    assert "Another measurement is running" in found.err
    assert python.exists()
