from __future__ import annotations

import subprocess
import sys

import pytest

from optguide.errors import EnvironmentMissing
from optguide.machine import cgroup
from optguide.machine.cgroup import cores_here, cpu_quota, limited_group, throttled_seconds


@pytest.fixture
def system(tmp_path):
    """Writes a membership file and control files as a kernel would show them, and reads the quota back."""

    def build(membership: str, files: dict[str, str]) -> float | None:
        (tmp_path / "cgroup").write_text(membership)
        for name, text in files.items():
            path = tmp_path / "mount" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return cpu_quota(tmp_path / "cgroup", tmp_path / "mount")

    return build


def test_version_2_takes_the_tightest_group_around_the_process(system):
    files = {"a/cpu.max": "150000 100000\n", "a/b/cpu.max": "max 100000\n", "cpu.max": "400000 100000\n"}
    assert system("0::/a/b\n", files) == 1.5


def test_version_2_in_a_container_that_shows_the_path_of_its_host(system):
    assert system("0::/docker/0123abcd\n", {"cpu.max": "50000 100000\n"}) == 0.5


@pytest.mark.parametrize("controllers", ["cpu", "cpu,cpuacct"])
def test_version_1(system, controllers):
    files = {
        f"{controllers}/a/cpu.cfs_quota_us": "250000\n",
        f"{controllers}/a/cpu.cfs_period_us": "100000\n",
        f"{controllers}/cpu.cfs_quota_us": "-1\n",
        f"{controllers}/cpu.cfs_period_us": "100000\n",
    }
    assert system(f"5:memory:/a\n3:{controllers}:/a\n", files) == 2.5


def test_version_1_of_another_controller_is_not_a_cpu_quota(system):
    files = {"cpuset/a/cpu.cfs_quota_us": "100000", "cpuset/a/cpu.cfs_period_us": "100000"}
    assert system("4:cpuset:/a\n", files) is None


def test_no_limit(system, tmp_path):
    assert system("0::/\n", {"cpu.max": "max 100000\n"}) is None
    assert cpu_quota(tmp_path / "no such file", tmp_path) is None


@pytest.mark.parametrize(
    ("membership", "folder", "line"),
    [
        ("0::/a\n", "a", "throttled_usec 2500000"),
        ("3:cpu,cpuacct:/a\n", "cpu,cpuacct/a", "throttled_time 2500000000"),
    ],
)
def test_how_long_a_quota_has_stopped_this_group(system, tmp_path, membership, folder, line):
    system(
        membership,
        {f"{folder}/cpu.stat": f"nr_periods 9\nnr_throttled 3\n{line}\n", "cpu.stat": "throttled_usec 7\n"},
    )
    assert throttled_seconds(tmp_path / "cgroup", tmp_path / "mount") == 2.5
    assert throttled_seconds(tmp_path / "no such file", tmp_path) == 0.0


@pytest.mark.parametrize(("quota", "cores"), [(None, 4), (1.5, 2), (0.5, 1), (64.0, 4)])
def test_what_can_run_at_a_time_is_bounded_by_affinity_and_quota(monkeypatch, quota, cores):
    monkeypatch.setattr(cgroup.os, "sched_getaffinity", lambda _: set(range(4)), raising=False)
    monkeypatch.setattr(cgroup, "cpu_quota", lambda: quota)
    assert cores_here() == cores


def test_a_process_in_a_limited_group_has_the_quota_and_the_group_is_removed():
    """The kernel's own files, so only where this process may make groups."""
    code = (
        "import os, pathlib, sys\n"
        "pathlib.Path(sys.argv[1], 'cgroup.procs').write_text(str(os.getpid()))\n"
        "from optguide.machine.cgroup import cpu_quota\n"
        "print(cpu_quota())\n"
    )
    try:
        with limited_group(0.25) as group:
            done = subprocess.run(
                [sys.executable, "-c", code, str(group)], capture_output=True, text=True, check=True
            )
    except EnvironmentMissing as missing:
        pytest.skip(missing.message)
    assert float(done.stdout) == 0.25
    assert not group.exists()


def test_a_group_within_a_group_keeps_to_the_limit_around_it():
    code = (
        "import os, pathlib, sys\n"
        "from optguide.errors import EnvironmentMissing\n"
        "from optguide.machine.cgroup import limited_group\n"
        "pathlib.Path(sys.argv[1], 'cgroup.procs').write_text(str(os.getpid()))\n"
        "for cores in (0.25, 2.0):\n"
        "    try:\n"
        "        with limited_group(cores) as group:\n"
        "            print(group.parent == pathlib.Path(sys.argv[1]))\n"
        "    except EnvironmentMissing:\n"
        "        print('refused')\n"
    )
    try:
        with limited_group(0.5) as group:
            done = subprocess.run(
                [sys.executable, "-c", code, str(group)], capture_output=True, text=True, check=True
            )
    except EnvironmentMissing as missing:
        pytest.skip(missing.message)
    inside, beyond = done.stdout.split()
    assert inside in ("True", "refused")  # version 2 lets no group below one with processes have a controller
    assert beyond in ("True", "refused")  # version 2 takes a larger number, and the tighter limit holds
    assert not group.exists()


@pytest.mark.parametrize("line", ["0::/\n", "1:cpu:/\n", ""])
def test_where_no_quota_can_be_set_nothing_is_left_behind(tmp_path, line):
    """Folders without the kernel's files: a hierarchy whose CPU controller is not there for this process."""
    membership, mount = tmp_path / "cgroup", tmp_path / "mount"
    membership.write_text(line)
    (mount / "cpu").mkdir(parents=True)
    with (
        pytest.raises(EnvironmentMissing, match="may not give another one a CPU quota"),
        limited_group(1.0, membership, mount),
    ):
        pass
    assert [path.name for path in mount.rglob("*")] == ["cpu"]
