"""The devices OpenVINO can use here and their properties.

Asking for devices imports ``openvino``, so nothing asks before it has to.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
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


def readable_properties(get: Callable[[str], Any]) -> Iterator[tuple[str, Any]]:
    """Each supported property with its value; ``None`` for one that a device lists and then refuses.

    :param get: ``get_property`` of a compiled model, or of a core for one device.
    """
    for key in get("SUPPORTED_PROPERTIES"):
        if key != "SUPPORTED_PROPERTIES":
            try:
                yield key, get(key)
            except (RuntimeError, TypeError):
                yield key, None


def property_text(value: Any) -> str:
    """A property's value as OpenVINO would take it back."""
    if isinstance(value, bool):
        return "YES" if value else "NO"
    if hasattr(value, "get_type_name"):  # ov.Type
        return str(value.get_type_name())
    if hasattr(value, "name"):
        return str(value.name)
    return ", ".join(map(str, value)) if isinstance(value, (list, tuple, set)) else str(value)


def resolved_properties(get: Callable[[str], Any]) -> dict[str, str]:
    """Properties of a compiled model as texts.

    Of a virtual device they are also those of the devices behind it: with several of them, under names such
    as ``GPU.NUM_STREAMS``.
    """
    own: dict[str, str] = {}
    behind: dict[str, str] = {}
    for key, value in readable_properties(get):
        if isinstance(value, dict):
            for device, resolved in value.items():
                prefix = f"{device}." if len(value) > 1 else ""
                entries = dict(resolved) if isinstance(resolved, dict) else {}
                entries.pop("SUPPORTED_PROPERTIES", None)
                behind |= {prefix + name: property_text(entry) for name, entry in entries.items()}
        elif value is not None:
            own[key] = property_text(value)
    return behind | own
