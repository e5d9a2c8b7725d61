"""OpenVINO's ``benchmark_app``, run as a process of its own and read through its JSON report.

The report is the interface: what the tool prints is meant for people and differs between versions. Two things
to know about it: latencies have two decimals of a millisecond, and the performance hint that was used is not
in it, so that is read from the file of ``-dump_config``.
"""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from optguide.errors import ModelError, OptionError, WorkerError, WorkerHung
from optguide.machine import measuring_lock

__all__ = ["BenchmarkReport", "benchmark_app"]

# `python -m openvino.tools.benchmark.main` defines main() and leaves without calling it, and the script
# `benchmark_app` is on PATH only where the environment has been activated.
_RUN = "from openvino.tools.benchmark.main import main; main()"

_USAGE_STATUS = 2

GRACE_SECONDS = 300.0
"""What a run may take beyond its measured time: reading and compiling the model, above all."""


@dataclass(frozen=True)
class BenchmarkReport:
    """One run of ``benchmark_app``.

    :param latency_median: in milliseconds; with ``-latency_percentile`` among the options, that percentile.
    :param latency_max: in milliseconds.
    :param throughput: inputs per second.
    :param iterations: inferences that were measured.
    :param seconds: measured time, from the first start to the last completion.
    :param read_ms: reading the model.
    :param compile_ms: compiling it.
    :param first_ms: the one inference ahead of the measured ones; ``None`` with ``-no_warmup``.
    :param hint: performance hint the tool set; empty where it left that to the device.
    :param configuration: the report's own section on how it measured, such as ``API``.
    """

    latency_median: float
    latency_max: float
    throughput: float
    iterations: int
    seconds: float
    read_ms: float
    compile_ms: float
    first_ms: float | None
    hint: str
    configuration: Mapping[str, Any]

    @property
    def requests(self) -> int:
        """Infer requests in flight."""
        return int(self.configuration["number of parallel infer requests"])


def benchmark_app(
    model: str | os.PathLike[str],
    *,
    seconds: float | None = None,
    iterations: int | None = None,
    hint: str | None = None,
    api: str | None = None,
    requests: int | None = None,
    options: Sequence[str] = (),
) -> BenchmarkReport:
    """Run ``benchmark_app -m model`` and read its report. What is left out is left to the tool's defaults.

    :param seconds: ``-t``, which takes whole seconds, so it is rounded up.
    :param iterations: ``-niter``; with ``seconds`` too, the tool goes on until both are reached.
    :param hint: ``-hint``: ``latency``, ``throughput``, ``none``...
    :param api: ``-api``: ``sync`` or ``async``.
    :param requests: ``-nireq``.
    :param options: further options as on the command line. Those about reports are taken.
    :raises ModelError: there is no such file.
    :raises OptionError: the tool does not take an option, or no length was given.
    :raises WorkerError: it failed; the message is the one in its report.
    :raises WorkerHung: it did not end in time.
    :raises Busy: another measurement is running.
    """
    if not Path(model).exists():
        raise ModelError(f"There is no model {Path(model).name}.", "Check the path.")
    if not (seconds or iterations):
        raise OptionError("A run of benchmark_app needs a length.", "Give seconds or iterations above zero.")
    flags = {
        "-t": math.ceil(seconds) if seconds else None,
        "-niter": iterations,
        "-hint": hint,
        "-api": api,
        "-nireq": requests,
    }
    arguments = [text for flag, value in flags.items() if value is not None for text in (flag, str(value))]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        report_options = ["-report_type", "no_counters", "-report_folder", name, "-json_stats"]
        command = [*arguments, *options, *report_options, "-dump_config", str(folder / "config.json")]
        with measuring_lock(f"benchmark_app -m {Path(model).name}"):
            done = _run(["-m", os.fspath(model), *command], (seconds or 0.0) + GRACE_SECONDS)
        report = _json(folder / "benchmark_report.json")
        if done.returncode != 0:
            raise _explain(done, report)
        return _report(report, _json(folder / "config.json"))


def _run(arguments: Sequence[str], timeout: float) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            [sys.executable, "-c", _RUN, *arguments],
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=timeout,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise WorkerHung(
            f"benchmark_app did not end within {timeout:.0f} s and was ended.", "Try a shorter run."
        ) from None


def _json(path: Path) -> dict[str, Any]:
    return dict(json.loads(path.read_text("utf-8"))) if path.exists() else {}


def _explain(done: subprocess.CompletedProcess[str], report: Mapping[str, Any]) -> Exception:
    printed = f"{done.stdout}\n{done.stderr}".strip()
    if done.returncode == _USAGE_STATUS:
        usage = printed.splitlines()[-1].partition("error: ")[2]
        return OptionError(f"benchmark_app does not take these options: {usage}.", "See benchmark_app -h.")
    error_lines = str(report.get("execution_results", {}).get("error", "")).strip().splitlines()
    cause = error_lines[-1] if error_lines else f"it ended with status {done.returncode}"
    return WorkerError(
        f"benchmark_app failed: {cause}.", "Run again with --debug for what it printed.", detail=printed
    )


def _report(report: Mapping[str, Any], config: Mapping[str, Any]) -> BenchmarkReport:
    results = report["execution_results"]
    # The percentile is part of the key: "latency (ms)", "latency (99 percentile) (ms)".
    (latency,) = (value for key, value in results.items() if key.startswith("latency ("))
    hints = [properties.get("PERFORMANCE_HINT", "") for properties in config.values()]
    first = results.get("first inference time (ms)")
    return BenchmarkReport(
        latency_median=float(latency),
        latency_max=float(results["max latency"]),
        throughput=float(results["throughput"]),
        iterations=int(results["total number of iterations"]),
        seconds=float(results["total execution time (ms)"]) / 1e3,
        read_ms=float(results["read model time (ms)"]),
        compile_ms=float(results["compile model time (ms)"]),
        first_ms=None if first is None else float(first),
        hint=hints[0] if hints else "",
        configuration=report["configuration_setup"],
    )
