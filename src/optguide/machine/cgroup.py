"""The CPU quota that a container or a service manager gives this process.

A quota is the limit that ``os.cpu_count`` and the scheduler affinity do not show: a container started with
``--cpus 1.5`` sees every core of its host and is stopped for the rest of each period once its share is used.
"""

from __future__ import annotations

import itertools
import math
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from optguide.errors import EnvironmentMissing

MEMBERSHIP = Path("/proc/self/cgroup")
MOUNT = Path("/sys/fs/cgroup")

PERIOD = 100_000
"""Microseconds after which the kernel grants the quota anew: its default, and what containers use."""

LEAVING_SECONDS = 5.0
"""How long a group that is to be removed may still hold a process that is ending."""

_THROTTLED = {"throttled_usec": 1e-6, "throttled_time": 1e-9}
"""Fields of version 2 and of version 1 of control groups, and their units in seconds."""

_numbers = itertools.count()


def cpu_quota(membership: Path = MEMBERSHIP, mount: Path = MOUNT) -> float | None:
    """CPU time this process may use per second of wall time, in cores (``1.5``); ``None`` without a limit.

    The tightest limit among the process's control group and those around it counts, in version 1 and
    version 2 hierarchies and in mixed ones. Systems without control groups have no limit.

    :param membership: file that names the groups of a process, one hierarchy a line.
    :param mount: where the hierarchies are mounted.
    """
    limits = [
        limit
        for line in _text(membership).splitlines()
        for folder in _folders(line, mount)
        if (limit := _limit(folder)) is not None
    ]
    return min(limits, default=None)


def cores_here() -> int:
    """Processes that can run at a time here: the cores of this process's affinity, or of a smaller quota."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(usable, math.ceil(cpu_quota() or usable)))


def throttled_seconds(membership: Path = MEMBERSHIP, mount: Path = MOUNT) -> float:
    """How long its quota has stopped this process's control group so far; 0 where nothing tells.

    Parameters are those of :func:`cpu_quota`. Groups around it are left out: their limits stop others too.
    """
    for folder in _own_folders(membership, mount):
        for line in _text(folder / "cpu.stat").splitlines():
            name, _, value = line.partition(" ")
            if name in _THROTTLED:
                return int(value) * _THROTTLED[name]
    return 0.0


@contextmanager
def limited_group(cores: float, membership: Path = MEMBERSHIP, mount: Path = MOUNT) -> Iterator[Path]:
    """A control group with a quota, as a container has one; it is removed afterwards.

    A process joins it, with its threads and later children, by writing its identifier to the file
    ``cgroup.procs`` in the folder, and has to end before the group is removed.

    :param cores: CPU time per second of wall time.
    :param membership: as for :func:`cpu_quota`, and so is ``mount``.
    """
    group = _made(cores, membership, mount)
    try:
        yield group
    finally:
        _remove(group)


def _made(cores: float, membership: Path, mount: Path) -> Path:
    # The group around the process, and none further up, where it would escape limits that it has itself.
    for folder in _own_folders(membership, mount):
        group = folder / f"optguide-{os.getpid()}-{next(_numbers)}"
        try:
            group.mkdir()
        except OSError:
            continue
        try:
            if (group / "cpu.max").exists():
                (group / "cpu.max").write_text(f"{round(cores * PERIOD)} {PERIOD}")
                return group
            if (group / "cpu.cfs_quota_us").exists():
                (group / "cpu.cfs_period_us").write_text(f"{PERIOD}")
                (group / "cpu.cfs_quota_us").write_text(f"{round(cores * PERIOD)}")
                return group
        except OSError:
            pass
        _remove(group)
    raise EnvironmentMissing(
        "This process may not give another one a CPU quota.",
        "Run as an administrator on Linux, or start a container with a quota, such as --cpus 1.",
    )


def _remove(group: Path) -> None:
    end = time.monotonic() + LEAVING_SECONDS
    while True:
        try:
            return group.rmdir()
        except OSError:  # a process that has just ended can still be in it
            if time.monotonic() > end:
                return None
            time.sleep(0.01)


def _own_folders(membership: Path, mount: Path) -> Iterator[Path]:
    """The group around the process in every hierarchy."""
    for line in _text(membership).splitlines():
        yield from itertools.islice((folder for folder in _folders(line, mount) if folder.is_dir()), 1)


def _folders(line: str, mount: Path) -> Iterator[Path]:
    """Folders of the group on one line of the membership file, from its own up to the hierarchy's root."""
    _, controllers, group = line.split(":", 2)
    if not controllers:
        roots = [mount, mount / "unified"]
    elif "cpu" in controllers.split(","):
        roots = [mount / "cpu", mount / controllers]
    else:
        return
    path = Path(group.lstrip("/"))
    for root in roots:
        # Inside a container the path is often the host's and does not exist under the mount; the loop then
        # ends at the root, which is the container's own group.
        for part in (path, *path.parents):
            yield root / part


def _limit(folder: Path) -> float | None:
    """Version 2 writes ``max`` and version 1 writes ``-1`` for a group without a limit."""
    for names in (["cpu.max"], ["cpu.cfs_quota_us", "cpu.cfs_period_us"]):
        words = " ".join(_text(folder / name) for name in names).split()
        if len(words) == 2 and all(word.isdigit() and int(word) for word in words):
            return int(words[0]) / int(words[1])
    return None


def _text(file: Path) -> str:
    """What is in ``file``; empty where it is missing."""
    try:
        return file.read_text()
    except OSError:
        return ""
