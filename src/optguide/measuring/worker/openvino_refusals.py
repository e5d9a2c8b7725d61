"""Why OpenVINO refused something, in a sentence that names who is to blame."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from optguide.errors import DeviceError, ModelError, OptGuideError, PropertyError

__all__ = ["not_compiled", "not_read", "refuse_unknown", "telling_line"]

VIRTUAL = ("AUTO", "MULTI", "HETERO", "BATCH")
"""Devices that hand models on to others. They take any property name without a word."""

OF_CORE = (
    *("CACHE_DIR", "CACHE_MODE", "ENABLE_MMAP", "FORCE_TBB_TERMINATE", "DEVICE_ID", "DEVICE_PROPERTIES"),
    *("ALLOW_AUTO_BATCHING", "AUTO_BATCH_TIMEOUT", "AUTO_BATCH_DEVICE_CONFIG"),
)
"""Properties that OpenVINO handles before a device sees them, so no device lists them as supported."""

_SEE = "Run `optguide machine --properties` for what the device supports."


def telling_line(error: BaseException) -> str:
    """The sentence a person can use: OpenVINO puts source locations around it."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    telling = [line for line in lines if not line.startswith(("Exception from", "Check '", "[ERROR]"))]
    text = (telling or lines or [type(error).__name__])[-1][:300]
    return text if text.endswith((".", "!")) else f"{text}."


def not_read(path: Path, error: BaseException) -> ModelError:
    """The error for a file that exists and is no model."""
    text = telling_line(error)
    if text.startswith("Unable to read the model"):  # followed by a question and a list of all formats
        text = "it is corrupt or in another format."
    weights = "; an IR needs its .bin beside the .xml" if path.suffix == ".xml" else ""
    return ModelError(f"{path.name} cannot be read: {text}", f"Check that the file is complete{weights}.")


def refuse_unknown(core: Any, device: str, config: Mapping[str, str]) -> None:
    """Refuse names that neither a virtual device nor any device behind it supports.

    :raises PropertyError: for the first such name; other devices say it themselves.
    """
    virtual = device.split(":", maxsplit=1)[0]
    if virtual not in VIRTUAL:
        return
    owners = (virtual, *core.available_devices)
    known = {key for name in owners for key in core.get_property(name, "SUPPORTED_PROPERTIES")}
    for key in config:
        if key not in known and key not in OF_CORE:
            raise PropertyError(f"No device behind {device} has a property {key}.", _SEE)


def not_compiled(core: Any, device: str, config: Mapping[str, str], error: RuntimeError) -> OptGuideError:
    """The error that says whether the device, a property or the model is to blame."""
    available = core.available_devices
    present = {name.split(".")[0] for name in available} | set(available) | set(VIRTUAL)
    missing = [name for name in _named(device) if not {name, name.split(".")[0]} & present]
    if missing:
        return DeviceError(
            f"There is no device {missing[0]!r} here; OpenVINO finds {', '.join(available)}.",
            "Choose one of those with --device, or install the device's driver.",
        )
    # What a model of one operation is refused for has nothing to do with the reader's model.
    trivial = _trivial_model()
    for key, value in config.items():
        try:
            core.compile_model(trivial, device, {key: value})
        except RuntimeError as refusal:
            return PropertyError(f"{device} does not take {key}={value}: {telling_line(refusal)}", _SEE)
    return ModelError(f"{device} cannot compile the model: {telling_line(error)}", "Try another device.")


def _named(device: str) -> list[str]:
    """The devices in a name: ``GPU`` and ``CPU`` in ``AUTO:GPU,CPU(2)``, and a plain name itself."""
    return [part.split("(")[0].lstrip("-") for part in device.rsplit(":", maxsplit=1)[-1].split(",")]


def _trivial_model() -> Any:
    import openvino
    from openvino import opset13

    parameter = opset13.parameter([1], np.float32)
    return openvino.Model([opset13.relu(parameter)], [parameter])
