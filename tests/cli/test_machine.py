import json
import subprocess
import sys

import pytest

from optguide.cli import session
from optguide.machine import measuring_lock
from tests.cli.json_shapes import golden, keys

HOLD = """
import sys
from optguide.machine import measuring_lock
with measuring_lock("a long measurement"):
    print("held", flush=True)
    sys.stdin.read()
"""
SHORT = ("--seconds", "100ms")


@pytest.fixture
def other():
    """Another process that measures until its standard input closes."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_facts_devices_and_noise(optguide):
    found = optguide("machine", *SHORT)
    assert (found.status, found.err) == (0, "")
    for expected in ("Processor", "OpenVINO devices", "CPU", "Noise now", "Spread of equal work"):
        assert expected in found.out
    assert "NUM_STREAMS" not in found.out


def test_properties_of_every_device(optguide):
    found = optguide("machine", *SHORT, "--properties")
    assert "Properties of CPU" in found.out
    assert "NUM_STREAMS" in found.out


def test_json(optguide):
    data = json.loads(optguide("machine", *SHORT, "--properties", "--json").out)
    assert keys(data) == golden("machine")
    assert data["noise"]["verdict"] in ("quiet", "usable", "noisy")
    assert data["busy"] == ""
    assert data["machine"]["devices"][0]["name"] == "CPU"
    assert data["properties"]["CPU"]["NUM_STREAMS"]["access"] == "RW"
    assert len(data["machine_id"]) == 12


def test_no_probe_while_somebody_measures(optguide, other):
    found = optguide("machine", *SHORT)
    assert found.status == 0
    assert "Not probed" in found.out
    assert f"process {other.pid}" in found.out
    data = json.loads(optguide("machine", *SHORT, "--json").out)
    assert data["noise"] is None
    assert "a long measurement" in data["busy"]


def test_two_measurements_at_once_are_refused(optguide, other, ir):
    found = optguide("measure", ir, "--budget", "200ms")
    assert (found.status, found.out) == (1, "")
    assert found.err.startswith(f"Error: Another measurement is running (process {other.pid}, since ")
    assert "--wait" in found.err


def test_waiting_for_the_other(optguide, other, monkeypatch):
    def lock(*arguments):
        other.stdin.close()
        return measuring_lock(*arguments)

    monkeypatch.setattr(session, "measuring_lock", lock)
    found = optguide("machine", *SHORT, "--wait", "60s")
    assert "Spread of equal work" in found.out
    assert (
        found.err
        == f"Waiting up to 1 min for process {other.pid} to end its measurement (a long measurement).\n"
    )
