"""The real tool on the smallest model: whatever a new version changes in its report shows here."""

from __future__ import annotations

import subprocess
import tempfile

import pytest

from optguide.bench import benchmark_app as module
from optguide.bench.benchmark_app import benchmark_app
from optguide.errors import ModelError, OptionError, WorkerError, WorkerHung
from optguide.guide import workloads


@pytest.fixture(autouse=True)
def temporary(tmp_path, monkeypatch):
    """A folder for temporary files of our own: tests neither wait for nor stop a real measurement."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))


@pytest.fixture(scope="module")
def model():
    return workloads.tiny().ir


def test_the_report_is_read_in_full(model, tmp_path):
    report = benchmark_app(model, iterations=400, hint="throughput", requests=2)
    assert report.iterations == 400
    assert report.throughput == pytest.approx(400 / report.seconds, rel=0.01)
    assert 0 < report.latency_median <= report.latency_max
    assert report.read_ms > 0
    assert report.compile_ms > 0
    assert report.first_ms is not None
    assert (report.hint, report.requests) == ("THROUGHPUT", 2)
    assert report.configuration["API"] == "async"
    assert not [path for path in tmp_path.iterdir() if path.is_dir() and "optguide" not in path.name]


@pytest.mark.parametrize(
    ("options", "api", "hint"),
    [
        ({}, "async", "THROUGHPUT"),
        ({"api": "sync"}, "sync", "LATENCY"),
        ({"hint": "latency"}, "sync", "LATENCY"),
        ({"hint": "none"}, "async", ""),
    ],
)
def test_defaults_of_the_tool_are_those_the_guide_describes(model, options, api, hint):
    report = benchmark_app(model, iterations=10, **options)
    assert (report.configuration["API"], report.hint) == (api, hint)
    assert report.configuration["inference_only"] is True


def test_another_percentile_takes_the_place_of_the_median(model):
    options = ("-latency_percentile", "100", "-no_warmup")
    report = benchmark_app(model, iterations=50, api="sync", options=options)
    assert report.latency_median == report.latency_max
    assert report.first_ms is None


def test_seconds_are_rounded_up_to_whole_ones(model, monkeypatch):
    commands = []

    def remember(command, **_):
        commands.append(command)
        return subprocess.CompletedProcess(command, 1, "", "")

    monkeypatch.setattr(module.subprocess, "run", remember)
    with pytest.raises(WorkerError):
        benchmark_app(model, seconds=1.2)
    assert commands[0][commands[0].index("-t") + 1] == "2"


def test_a_missing_model_is_the_users_mistake(tmp_path):
    with pytest.raises(ModelError, match=r"no model gone\.xml"):
        benchmark_app(tmp_path / "gone.xml", iterations=1)


def test_a_corrupt_model_is_reported_with_the_tools_own_words(tmp_path):
    model = tmp_path / "broken.xml"
    model.write_text("<net")
    with pytest.raises(WorkerError, match=r"benchmark_app failed: \S+") as error:
        benchmark_app(model, iterations=1)
    assert "Traceback" in error.value.detail
    assert "\n" not in error.value.message


def test_options_the_tool_refuses(model):
    with pytest.raises(OptionError, match="invalid choice: 'fast'"):
        benchmark_app(model, iterations=1, hint="fast")
    with pytest.raises(WorkerError, match="status 1") as error:
        benchmark_app(model, iterations=1, hint="throughput", options=("-nthreads", "1"))
    assert "fine tune options" in error.value.detail
    with pytest.raises(OptionError, match="needs a length"):
        benchmark_app(model)


def test_a_run_that_does_not_end_is_ended(model, monkeypatch):
    monkeypatch.setattr(module, "GRACE_SECONDS", 0.05)
    with pytest.raises(WorkerHung, match="did not end"):
        benchmark_app(model, iterations=10**9)
