"""The devices OpenVINO can use here. Asking imports ``openvino``, so nothing asks before it has to."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from optguide.openvino_release import VIRTUAL_DEVICES


@dataclass(frozen=True)
class Device:
    """A device that OpenVINO can compile a model for.

    :param name: the name that ``compile_model`` takes, such as ``GPU.0``.
    :param full_name: the product.
    :param capabilities: its ``OPTIMIZATION_CAPABILITIES``, such as ``BF16``.
    """

    name: str
    full_name: str
    capabilities: tuple[str, ...]

    def answers_to(self, name: str) -> bool:
        """Whether ``name`` means this device: ``GPU`` means ``GPU.0`` too."""
        return name in (self.name, self.name.split(".")[0])


def named(combination: str) -> tuple[str, ...]:
    """The real devices that a name asks for: ``GPU`` and ``CPU`` in ``AUTO:GPU,CPU(2)``, a plain name itself.

    What is excluded is not asked for, as in ``AUTO:-GPU``.
    """
    *heads, tail = combination.split(":")
    parts = [*heads, *(tail.split(",") if heads else [tail])]
    names = [part.split("(")[0].strip() for part in parts if not part.strip().startswith("-")]
    return tuple(name for name in names if name and name not in VIRTUAL_DEVICES)


def absent(combination: str, available: Sequence[str]) -> tuple[str, ...]:
    """The devices in ``combination`` of which none is ``available``; ``GPU`` and ``GPU.1`` are one kind."""
    kinds = {name.split(".")[0] for name in available}
    return tuple(name for name in named(combination) if name.split(".")[0] not in kinds)


@functools.cache
def openvino_devices() -> tuple[Device, ...]:
    """The devices of this machine, in OpenVINO's order."""
    import openvino

    core = openvino.Core()
    return tuple(_device(core, name) for name in core.available_devices)


def _device(core: Any, name: str) -> Device:
    try:
        full_name = core.get_property(name, "FULL_DEVICE_NAME")
        capabilities = core.get_property(name, "OPTIMIZATION_CAPABILITIES")
    except RuntimeError:  # a plugin that lists a device and then fails to open it still is a fact
        return Device(name, "unknown", ())
    return Device(name, full_name, tuple(sorted(capabilities)))
