from __future__ import annotations

import math
import os
import subprocess
import sys
import time
from dataclasses import fields, replace

import psutil
import pytest

from optguide.machine import NoiseProbe, OthersMeter, probe
from optguide.machine.noise import LIMITS, stalled_seconds

QUIET = NoiseProbe(
    seconds=2.0,
    repetitions=1000,
    spread=0.01,
    wall_per_cpu=1.001,
    others_share=0.01,
    steal_share=0.0,
    load_average=3.0,
)


@pytest.fixture
def burner():
    process = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    yield process
    process.kill()
    process.wait()


def test_probe_measures_this_machine():
    found = probe(0.1)
    assert found.repetitions >= 2
    assert found.seconds >= 0.1
    assert found.spread >= 0
    assert found.wall_per_cpu > 0.9
    assert 0 <= found.others_share <= 1
    assert found.verdict in ("quiet", "usable", "noisy")


def test_verdict_of_a_quiet_machine_needs_no_reason():
    assert QUIET.verdict == "quiet"
    assert QUIET.reasons == ()


@pytest.mark.parametrize("limit", LIMITS, ids=lambda limit: limit.witness)
def test_each_witness_alone_decides(limit):
    assert limit.witness in {field.name for field in fields(NoiseProbe)}
    at = {
        value: replace(QUIET, **{limit.witness: value})
        for value in (limit.quiet, limit.noisy, limit.noisy * 2)
    }
    assert at[limit.quiet].verdict == "quiet"
    assert at[limit.noisy].verdict == "usable"
    assert at[limit.noisy * 2].verdict == "noisy"
    (reason,) = at[limit.noisy * 2].reasons
    assert "{}" not in reason


def test_reasons_give_the_value():
    assert replace(QUIET, others_share=0.31).reasons == ("Others use 31 % of the machine's CPU.",)


def test_an_unknown_witness_is_no_reason():
    assert replace(QUIET, steal_share=math.nan, others_share=math.nan).verdict == "quiet"


def test_others_are_all_but_the_given_processes(burner):
    with_burner, without = OthersMeter([os.getpid()]), OthersMeter([os.getpid(), burner.pid])
    process = psutil.Process(burner.pid)
    with_burner.start()
    without.start()
    start = process.cpu_times().user
    while process.cpu_times().user < start + 0.3:
        time.sleep(0.02)
    assert with_burner.stop() > without.stop()


def test_own_work_is_not_others():
    """Everything this machine does is somebody's: counting all processes as own leaves almost nothing."""
    mine, everybody = OthersMeter([os.getpid()]), OthersMeter([])
    mine.start()
    everybody.start()
    end = time.process_time() + 0.3
    while time.process_time() < end:
        pass
    assert mine.stop() < everybody.stop()
    assert 0 <= mine.share <= 1


def test_a_process_that_ended_leaves_the_share_unknown(burner):
    meter = OthersMeter([burner.pid])
    meter.start()
    burner.kill()
    burner.wait()
    assert math.isnan(meter.stop())
    with OthersMeter([burner.pid]) as late:
        pass
    assert math.isnan(late.share)


def test_meter_can_be_used_block_after_block():
    meter = OthersMeter([os.getpid()])
    for _ in range(3):
        with meter:
            time.sleep(0.01)
        assert 0 <= meter.share <= 1


def test_what_the_system_tells_of_lacking_memory_and_of_heat(tmp_path):
    assert stalled_seconds(tmp_path) == 0
    pressure = tmp_path / "proc/pressure/memory"
    pressure.parent.mkdir(parents=True)
    pressure.write_text("some avg10=0.10 avg60=0.00 avg300=0.00 total=1500000\nfull avg10=0.00 total=9\n")
    assert stalled_seconds(tmp_path) == pytest.approx(1.5)
    for core, milliseconds in (("cpu0", 250), ("cpu1", 100)):
        heat = tmp_path / f"sys/devices/system/cpu/{core}/thermal_throttle/core_throttle_total_time_ms"
        heat.parent.mkdir(parents=True)
        heat.write_text(f"{milliseconds}\n")
    assert stalled_seconds(tmp_path) == pytest.approx(1.75)
    assert 0 <= stalled_seconds() < 1e9
