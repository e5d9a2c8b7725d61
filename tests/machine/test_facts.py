from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace

import pytest

from optguide.errors import ClaimError, RecordsError
from optguide.machine import Machine
from optguide.runtimes.devices import Device

GPU_BOX = Machine(
    cpu="Test CPU",
    flags=("avx2", "avx512f"),
    physical_cores=4,
    logical_cores=8,
    usable_cores=8,
    cpu_quota=None,
    memory=16 * 2**30 - 12345,
    system="linux",
    system_name="Test Linux 1",
    kernel="6.1",
    hypervisor=False,
    governor="performance",
    python="3.11.9",
    packages={"openvino": "2026.4.1"},
    known_devices=(Device("CPU", "Test CPU", ("FP32",)), Device("GPU.0", "Test GPU", ("FP16", "FP32"))),
)


def test_importing_the_package_imports_nothing_heavy():
    code = "import sys, optguide.machine; from optguide.machine import Machine, probe, measuring_lock;"
    code += "print(sorted({'openvino', 'scipy', 'matplotlib', 'numpy', 'torch'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_current_describes_this_machine():
    machine = Machine.current()
    assert machine is Machine.current()
    assert machine.cpu
    assert 1 <= machine.usable_cores <= machine.logical_cores == os.cpu_count()
    assert machine.memory > 2**28
    assert machine.packages["openvino"].startswith("20")
    assert any(device.name == "CPU" and device.capabilities for device in machine.devices)
    assert machine.supports("device:CPU")
    assert machine.supports("cores:1")


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="needs processor affinity")
def test_usable_cores_follow_the_affinity_of_the_process():
    code = "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))});"
    code += "from optguide.machine import Machine; print(Machine.current().usable_cores)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "1"


def test_round_trip_through_json():
    for machine in (GPU_BOX, Machine.current()):
        read = Machine.from_dict(json.loads(json.dumps(machine.to_dict())))
        assert read.to_dict() == machine.to_dict()
        assert read.machine_id == machine.machine_id
        assert read.devices == machine.devices


@pytest.mark.parametrize("broken", [{"cpu": 3}, {"devices": "none"}, {"memory": None}])
def test_from_dict_refuses_what_is_no_machine(broken):
    with pytest.raises(RecordsError, match="cannot be read"):
        Machine.from_dict(GPU_BOX.to_dict() | broken)
    with pytest.raises(RecordsError, match="cannot be read"):
        Machine.from_dict({})


@pytest.mark.parametrize(
    "change",
    [
        {"packages": {"openvino": "2025.0"}},
        {"kernel": "6.9"},
        {"python": "3.13.1"},
        {"memory": 16 * 2**30},
        {"governor": None},
        {"known_devices": GPU_BOX.devices[::-1]},
    ],
)
def test_machine_id_stays_where_numbers_can_be_compared(change):
    assert replace(GPU_BOX, **change).machine_id == GPU_BOX.machine_id


@pytest.mark.parametrize(
    "change",
    [
        {"cpu": "Other CPU"},
        {"logical_cores": 16},
        {"usable_cores": 4},
        {"cpu_quota": 1.5},
        {"memory": 32 * 2**30},
        {"system": "windows"},
        {"known_devices": GPU_BOX.devices[:1]},
    ],
)
def test_machine_id_changes_where_they_cannot(change):
    assert replace(GPU_BOX, **change).machine_id != GPU_BOX.machine_id


@pytest.mark.parametrize(
    "need", ["cpu:avx2", "device:GPU", "device:GPU.0", "device:CPU", "os:linux", "cores:8"]
)
def test_supports(need):
    assert GPU_BOX.supports(need)


@pytest.mark.parametrize(
    "need", ["cpu:amx_int8", "device:NPU", "device:GPU.1", "device:G", "os:darwin", "cores:9"]
)
def test_does_not_support(need):
    assert not GPU_BOX.supports(need)


def test_cores_are_those_a_quota_leaves():
    limited = replace(GPU_BOX, cpu_quota=1.5)
    assert limited.supports("cores:1")
    assert not limited.supports("cores:2")
    assert "(1.5 available)" in limited.summary()


@pytest.mark.parametrize(
    "need", ["gpu:yes", "cpu:avx513", "os:plan9", "cores:many", "cores:-1", "device:", "", "avx2"]
)
def test_needs_that_cannot_be_judged(need):
    with pytest.raises(ClaimError, match="The need"):
        GPU_BOX.supports(need)


def test_summary_is_one_line():
    assert GPU_BOX.summary() == "Test CPU, 8 logical cores, 16 GiB, Test Linux 1"
    assert replace(GPU_BOX, hypervisor=True).summary().endswith("virtual machine")
