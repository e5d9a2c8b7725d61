"""The command that checks the winner with benchmark_app: what it says, and that the tool takes it."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys

import numpy as np
import pytest

from optguide.bench.benchmark_app import _RUN
from optguide.optimize.candidate import Candidate
from optguide.optimize.report import deploy
from optguide.optimize.report.deploy import WinnerInputs
from optguide.runtimes.ports import Port
from tests.optimize.outcomes import CANDIDATES, HINTED, MIXED, SYNC, TUNED

X = WinnerInputs((Port("x", "float32", (1, 16)),), ({"x": (1, 16)},))
OPEN = WinnerInputs((Port("x", "float32", (None, 16)),), ({"x": (2, 16)}, {"x": (3, 16)}, {"x": (2, 16)}))


@pytest.mark.parametrize(
    ("candidate", "inputs", "line"),
    [
        (
            SYNC,
            X,
            "-m model.xml -d CPU -hint latency -infer_precision f32 -api sync -inference_only false -t 10",
        ),
        (
            TUNED,
            X,
            "-m model.xml -d CPU -hint none -nstreams 1 -nthreads 1 -api async -nireq 2 "
            "-inference_only false -t 10",
        ),
        (HINTED, X, "-m model.xml -d CPU -hint throughput -api async -inference_only false -t 10"),
        (
            Candidate("default"),
            OPEN,
            "-m model.xml -d CPU -hint none -api async -nireq 1 -data_shape '[2,16][3,16]' "
            "-inference_only false -t 10",
        ),
        (
            MIXED,
            X,
            "-m model.xml -d CPU -hint none -load_config benchmark_app.json -nthreads 1 -api sync "
            "-inference_only false -t 10",
        ),
    ],
)
def test_the_check_asks_for_the_same(candidate, inputs, line):
    assert deploy.cross_check(candidate, device="CPU", inputs=inputs).line == f"benchmark_app {line}"


def test_several_inputs_are_named():
    ports = (Port("ids", "int64", (1, None)), Port("mask", "int64", (1, None)))
    inputs = WinnerInputs(ports, ({"ids": (1, 12), "mask": (1, 12)}, {"ids": (1, 20), "mask": (1, 20)}))
    line = deploy.cross_check(SYNC, device="CPU", inputs=inputs).line
    assert "'ids[1,12][1,20],mask[1,12][1,20]'" in line


@pytest.mark.parametrize("name", CANDIDATES)
def test_benchmark_app_accepts_the_check_and_uses_the_properties(tmp_path, ir, name):
    _accepted(tmp_path, ir, CANDIDATES[name], (), length=("-niter", "8"))


@pytest.mark.parametrize("name", ["sync", "hinted"])
def test_benchmark_app_accepts_the_check_of_a_dynamic_model(tmp_path, dynamic_ir, save_inputs, name):
    sets = [save_inputs(tmp_path / f"{size}.npz", x=np.zeros((size, 16))) for size in (2, 3)]
    _accepted(tmp_path, dynamic_ir, CANDIDATES[name], tuple(map(str, sets)))


def _accepted(folder, model, candidate, inputs, length=("-t", "1")):
    """The printed command, for a moment, with the properties the tool says it set."""
    placed = deploy.place_model(model, folder, candidate.deployment.batch)
    given = deploy.read_inputs(inputs, folder, placed)
    check = deploy.cross_check(candidate, device="CPU", inputs=given, seconds=1)
    if check.configuration:
        (folder / deploy.CONFIGURATION).write_text(json.dumps(check.configuration))
    tool, *arguments = shlex.split(check.line)
    assert tool == "benchmark_app"
    assert arguments[-2:] == ["-t", "1"]
    arguments[-2:] = length
    done = subprocess.run(
        [sys.executable, "-c", _RUN, *arguments, "-dump_config", "used.json"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Throughput:" in done.stdout
    used = json.loads((folder / "used.json").read_text("utf-8"))["CPU"]
    wanted = candidate.properties
    assert {key: str(used.get(key)).upper() for key in wanted} == {k: v.upper() for k, v in wanted.items()}
    if candidate.deployment.hint is None:
        assert "PERFORMANCE_HINT" not in used
