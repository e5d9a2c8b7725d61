"""What this machine is, how noisy it is now, and the lock that keeps two measurements apart."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from optguide.machine.facts import Machine
    from optguide.machine.lock import measuring_lock
    from optguide.machine.noise import NoiseProbe, OthersMeter, probe

__all__ = ["Machine", "NoiseProbe", "OthersMeter", "measuring_lock", "probe"]

_HOMES = {
    "Machine": "facts",
    "NoiseProbe": "noise",
    "OthersMeter": "noise",
    "measuring_lock": "lock",
    "probe": "noise",
}


def __getattr__(name: str) -> Any:
    """Import the module behind a name when it is first used (PEP 562)."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
