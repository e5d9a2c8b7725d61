"""Why OpenVINO refused something, in a sentence that names who is to blame."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from optguide.errors import (
    DeviceError,
    Failure,
    InputError,
    ModelError,
    OptGuideError,
    PropertyError,
    telling_lines,
)
from optguide.openvino_release import CORE_PROPERTIES, UNCONVERTED, UNREADABLE, VIRTUAL_DEVICES
from optguide.runtimes.devices import absent, named

_LINKED_FILE = re.compile(r"Path '([^']+)' resolves to .* outside the base directory")
_OTHER_FILE = re.compile(r"externally stored data in file \(([^,]+),")

_EXHAUSTED = ("Resource temporarily unavailable", "Cannot allocate memory", "bad_alloc")
"""What the system says where a limit of the process is reached; no device is to blame for that."""

_SEE = "Run `optguide machine --properties` for what the device supports."


def telling_line(error: BaseException) -> str:
    """The sentence a person can use: OpenVINO puts source locations around it."""
    text = telling_lines(error)[-1]
    return text if text.endswith((".", "!")) else f"{text}."


def not_read(path: Path, error: BaseException) -> ModelError:
    """The error for a file that exists and is no model."""
    text = telling_line(error)
    if weights := _LINKED_FILE.search(text):
        return ModelError(
            f"{path.name} cannot be read: {weights[1]}, its weights, is a link out of its folder.",
            "Copy the model and what lies beside it with links followed, as cp -rL does.",
        )
    if weights := _OTHER_FILE.search(text):
        return ModelError(
            f"{path.name} cannot be read: its weights are in {weights[1]}, which is missing or incomplete.",
            f"Put {weights[1]} into the folder of {path.name}.",
        )
    if text.lstrip("- ").startswith(UNCONVERTED):
        return ModelError(
            f"{path.name} cannot be read: {text.lstrip('- ')}",
            "Export it without these operations, or for a runtime that has them.",
        )
    if text.startswith(UNREADABLE):  # followed by a question and a list of all formats
        text = "it is corrupt or in another format."
    beside = "; an IR needs its .bin beside the .xml" if path.suffix == ".xml" else ""
    return ModelError(f"{path.name} cannot be read: {text}", f"Check that the file is complete{beside}.")


def not_imported(path: Path, error: RuntimeError) -> ModelError:
    """The error for a blob that OpenVINO refused."""
    return ModelError(
        f"{path.name} cannot be imported: {telling_line(error)}",
        "Export it again, with the same version of OpenVINO and for the same device.",
    )


def refuse_absent(core: Any, device: str) -> None:
    """Refuse a combination that names a device this machine lacks.

    AUTO, MULTI and HETERO leave out what they do not find without a word, so that ``AUTO:GPU,CPU`` would be
    the label of something that ran on the CPU alone.

    :raises DeviceError: for the first such device.
    """
    available = core.available_devices
    if missing := absent(device, available):
        part = "" if missing[0] == device else f", which {device} asks for"
        raise DeviceError(
            f"There is no device {missing[0]!r} here{part}; OpenVINO finds {', '.join(available)}.",
            "Choose one of those with --device, or install the device's driver.",
        )


def refuse_unknown(core: Any, device: str, config: Mapping[str, str]) -> None:
    """Refuse names that neither a virtual device nor any device behind it supports: it would ignore them.

    :raises PropertyError: for the first such name; other devices say it themselves.
    """
    virtual = device.split(":", maxsplit=1)[0]
    if virtual not in VIRTUAL_DEVICES:
        return
    owners = (virtual, *(named(device) or core.available_devices))
    supported = {key for name in owners for key in core.get_property(name, "SUPPORTED_PROPERTIES")}
    for key in config:
        if key not in supported and key not in CORE_PROPERTIES:
            raise PropertyError(f"No device behind {device} has a property {key}.", _SEE)


def refuse_unbatched(device: str, compiled: Any) -> None:
    """Refuse a ``BATCH`` with a size that came to nothing.

    It compiles a model that it cannot batch as it is and says nothing, so that ``BATCH:CPU(4)`` would be the
    label of single inferences. The graph that is executed tells.

    :raises InputError: its inputs have the shapes that the model has without a batch.
    """
    size = device.removesuffix(")").rpartition("(")[2]
    if not device.startswith("BATCH:") or not size.isdecimal() or int(size) == 1:
        return
    shapes, executed = (
        [port.partial_shape for port in model.inputs] for model in (compiled, compiled.get_runtime_model())
    )
    if shapes == executed:
        raise InputError(
            f"{device} would run one request at a time: it finds no batch of {size} in this model.",
            "Choose a device without BATCH, or give the model itself a batch.",
        )


def not_compiled(core: Any, device: str, config: Mapping[str, str], error: RuntimeError) -> OptGuideError:
    """The error that says whether the device, a property or the model is to blame.

    What a model of one operation is refused for has nothing to do with the reader's model.
    """
    if any(text in str(error) for text in _EXHAUSTED):
        return Failure(
            f"{device} lacks memory or threads to compile the model: {telling_line(error)}",
            "Raise the limits of this process, which ulimit -a shows, or free some memory.",
        )
    trivial = _trivial_model()
    try:
        core.compile_model(trivial, device)
    except RuntimeError as refusal:
        return DeviceError(
            f"There is no way to use {device!r} here: {_about_device(device, refusal)}",
            "Write a device, or AUTO, MULTI, HETERO or BATCH with devices after a colon, as in AUTO:GPU,CPU.",
        )
    for key, value in config.items():
        try:
            core.compile_model(trivial, device, {key: value})
        except RuntimeError as refusal:
            return PropertyError(f"{device} does not take {key}={value}: {telling_line(refusal)}", _SEE)
    return ModelError(f"{device} cannot compile the model: {telling_line(error)}", "Try another device.")


def failed_running(device: str, error: RuntimeError) -> Exception:
    """The error for a call of a compiled model: an accelerator can be lost meanwhile, a CPU cannot."""
    if named(device) == ("CPU",):
        return error
    return DeviceError(
        f"{device} failed while it ran the model: {telling_line(error)}",
        "Check the device's driver and what else uses the device, and run again.",
    )


def _about_device(device: str, refusal: RuntimeError) -> str:
    """OpenVINO's sentence, or ours where it has none."""
    virtual, _, behind = device.partition(":")
    if virtual in ("MULTI", "BATCH") and not behind:
        return f"{virtual} needs a device to work on."
    if virtual == "BATCH" and behind.endswith(")") and not behind[:-1].split("(")[-1].isdecimal():
        return "the batch in brackets is no number."
    return telling_line(refusal)


def _trivial_model() -> Any:
    import openvino
    from openvino import opset13

    parameter = opset13.parameter([1, 1], np.float32)  # BATCH needs a batch
    return openvino.Model([opset13.relu(parameter)], [parameter])
