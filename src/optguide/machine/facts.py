"""What a machine is: everything a reader needs to judge whether a number may be theirs too."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import importlib.metadata
import json
import math
import os
import platform
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import psutil

from optguide.errors import ClaimError, RecordsError
from optguide.machine.cgroup import cpu_quota
from optguide.runtimes import runtime_classes
from optguide.runtimes.devices import Device, openvino_devices

FLAGS = (
    # x86: vector width, fused multiply-add, half precision, 8-bit and bfloat16 dot products, tiles
    *("sse4_2", "avx", "avx2", "fma", "f16c", "avx_vnni", "avx_vnni_int8", "avx_ne_convert"),
    *("avx512f", "avx512bw", "avx512dq", "avx512vl", "avx512_vnni", "avx512_bf16", "avx512_fp16"),
    *("amx_tile", "amx_int8", "amx_bf16", "amx_fp16", "avx10_1", "avx10_2"),
    # Arm: vectors, half precision, dot products, matrix multiplication, scalable vectors
    *("asimd", "asimdhp", "asimddp", "i8mm", "bf16", "sve", "sve2", "sme"),
)
"""Instruction sets that decide which kernels an inference runtime picks, under their Linux names."""

_SYSTEMS = ("linux", "windows", "darwin")


@dataclass(frozen=True)
class Machine:
    """The facts about one machine and the software that measured on it.

    :param cpu: product name of the processor.
    :param flags: those of :data:`FLAGS` that the processor reports.
    :param physical_cores: cores without counting hardware threads; ``None`` where the system does not tell.
    :param logical_cores: hardware threads.
    :param usable_cores: hardware threads this process may be scheduled on.
    :param cpu_quota: CPU seconds per second that the control group allows; ``None`` without a limit.
    :param memory: bytes of main memory.
    :param system: ``linux``, ``windows`` or ``darwin``.
    :param system_name: the operating system as a reader knows it, with its version.
    :param kernel: version of the kernel.
    :param hypervisor: whether this is a virtual machine; ``None`` where that cannot be told.
    :param governor: CPU frequency governor; ``None`` where it cannot be read, as in most virtual machines.
    :param python: version of the interpreter.
    :param packages: versions of those :func:`packages` that are installed.
    :param known_devices: the OpenVINO devices of a machine that was read from a record; ``None`` on this
        machine, where :attr:`devices` asks OpenVINO.
    """

    cpu: str
    flags: tuple[str, ...]
    physical_cores: int | None
    logical_cores: int
    usable_cores: int
    cpu_quota: float | None
    memory: int
    system: str
    system_name: str
    kernel: str
    hypervisor: bool | None
    governor: str | None
    python: str
    packages: Mapping[str, str] = field(default_factory=dict)
    known_devices: tuple[Device, ...] | None = None

    @classmethod
    @functools.cache
    def current(cls) -> Machine:
        """The machine this runs on. The first call takes about a second, to identify the processor."""
        import cpuinfo  # takes long, and most commands need no facts

        info = cpuinfo.get_cpu_info()
        reported = {_plain(flag) for flag in info.get("flags", ())}
        logical = psutil.cpu_count() or 1
        return cls(
            cpu=info.get("brand_raw") or platform.processor() or platform.machine(),
            flags=tuple(flag for flag in FLAGS if _plain(flag) in reported),
            physical_cores=psutil.cpu_count(logical=False),
            logical_cores=logical,
            usable_cores=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else logical,
            cpu_quota=cpu_quota(),
            memory=psutil.virtual_memory().total,
            system=platform.system().lower(),
            system_name=_system_name(),
            kernel=platform.release(),
            hypervisor=_hypervisor(reported, info.get("arch", "")),
            governor=_governor(),
            python=platform.python_version(),
            packages=_versions(),
        )

    @property
    def devices(self) -> tuple[Device, ...]:
        """The OpenVINO devices. The first use on this machine imports ``openvino``."""
        return openvino_devices() if self.known_devices is None else self.known_devices

    @property
    def available_cores(self) -> float:
        """Cores' worth of CPU time this process can get: its affinity, or its quota where that is less."""
        return min(self.usable_cores, self.cpu_quota or math.inf)

    @property
    def machine_id(self) -> str:
        """Twelve hexadecimal digits that are equal where numbers may be put side by side.

        They cover the processor, the cores and the quota, the memory in GiB, the operating system and the
        devices. Versions of the kernel and of packages are left out: comparing those is what a reader wants.
        """
        same = [
            *(self.cpu, self.flags, self.physical_cores, self.logical_cores, self.available_cores),
            *(round(self.memory / 2**30), self.system),
            sorted((device.name, device.full_name) for device in self.devices),
        ]
        return hashlib.sha256(json.dumps(same).encode()).hexdigest()[:12]

    def supports(self, need: str) -> bool:
        """Whether this machine has what a claim needs.

        :param need: ``cpu:<flag>`` with one of :data:`FLAGS`, ``device:<name>``, ``os:<system>`` or
            ``cores:<number>`` (available to this process).
        :raises ClaimError: the need is of another kind, or it names a flag or system that does not exist.
        """
        kind, _, name = need.partition(":")
        match kind:
            case "cpu" if name in FLAGS:
                return name in self.flags
            case "device" if name:
                return any(device.answers_to(name) for device in self.devices)
            case "os" if name in _SYSTEMS:
                return self.system == name
            case "cores" if name.isdecimal():
                return self.available_cores >= int(name)
            case "cpu":
                raise ClaimError(
                    f"The need {need!r} names no known flag.", f"Use one of: {', '.join(FLAGS)}."
                )
        raise ClaimError(
            f"The need {need!r} is not understood.",
            f"Write cpu:<flag>, device:<name>, os:<{'|'.join(_SYSTEMS)}> or cores:<number>.",
        )

    def summary(self) -> str:
        """The machine in one line, such as ``AMD EPYC, 2 logical cores, 8 GiB, Debian GNU/Linux 12``."""
        cores = f"{self.logical_cores} logical cores"
        if self.available_cores < self.logical_cores:
            cores += f" ({self.available_cores:g} available)"
        virtual = ["virtual machine"] if self.hypervisor else []
        return ", ".join([self.cpu, cores, f"{self.memory / 2**30:.0f} GiB", self.system_name, *virtual])

    @property
    def hardware(self) -> dict[str, str]:
        """Name and text of each fact about hardware and system, for readers."""
        cores = f"{self.logical_cores} logical"
        if self.physical_cores:
            cores += f", {self.physical_cores} physical"
        if self.available_cores < self.logical_cores:
            cores += f", {self.available_cores:g} available to a process"
        return {
            "Processor": self.cpu,
            "Cores": cores,
            "Instruction sets": ", ".join(self.flags) or "unknown",
            "Memory": f"{self.memory / 2**30:.1f} GiB",
            "System": f"{self.system_name}, kernel {self.kernel}",
            "Virtual machine": {True: "yes", False: "no", None: "unknown"}[self.hypervisor],
            "Frequency governor": self.governor or "unknown",
        }

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready facts, the devices among them (which imports ``openvino`` on this machine)."""
        data = asdict(self)
        del data["known_devices"]
        return data | {"devices": [asdict(device) for device in self.devices]}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Machine:
        """The machine that :meth:`to_dict` wrote, also when it went through JSON.

        :raises RecordsError: a fact is missing or of another type.
        """
        facts = {key: value for key, value in data.items() if key != "devices"}
        try:
            return msgspec.convert(facts | {"known_devices": data.get("devices", ())}, cls)
        except msgspec.ValidationError as error:
            raise RecordsError(
                f"The description of a machine in the records cannot be read: {error}.",
                "Measure again with: nox -s docs.",
            ) from error


def _plain(flag: str) -> str:
    """Systems spell one flag as ``avx512_vnni``, ``avx512vnni`` or ``sse4.2``."""
    return re.sub(r"[._]", "", flag.lower())


def _hypervisor(reported: set[str], architecture: str) -> bool | None:
    """The ``hypervisor`` bit of CPUID, which exists on x86 only and which macOS does not pass on."""
    if "hypervisor" in reported:
        return True
    reliable = architecture.startswith("X86") and bool(reported) and platform.system() != "Darwin"
    return False if reliable else None


def _governor(folder: Path = Path("/sys/devices/system/cpu/cpufreq")) -> str | None:
    """Governors of all frequency policies; more than one name where cores differ."""
    try:
        names = {file.read_text().strip() for file in folder.glob("policy*/scaling_governor")}
    except OSError:
        return None
    return ", ".join(sorted(names)) or None


def _system_name() -> str:
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except (OSError, KeyError):
        return f"{platform.system()} {platform.release()}"


def packages() -> tuple[str, ...]:
    """Distributions whose versions are facts about a number, those of the runtimes among them."""
    of_runtimes = [package for runtime in runtime_classes() for package in runtime.packages]
    return ("optguide", *of_runtimes, "transformers", "numpy", "scipy", "scikit-learn", "pillow")


def _versions() -> dict[str, str]:
    versions = {}
    for name in packages():
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            versions[name] = importlib.metadata.version(name)
    return versions
