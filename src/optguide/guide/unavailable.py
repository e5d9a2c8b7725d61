"""Variants for devices that not every machine has: which can be measured here, and how to elsewhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from optguide.bench.variant import Variant
from optguide.runtimes.devices import absent

HINTS = {"THROUGHPUT": "throughput", "CUMULATIVE_THROUGHPUT": "cumulative"}
"""The command's short words for the hints under which it keeps several requests in flight."""


def measurable(
    rows: Mapping[str, Variant], available: Sequence[str]
) -> tuple[dict[str, Variant], dict[str, str]]:
    """The rows that a machine with these devices can measure, and why it cannot measure the others.

    A reason comes with the command that measures the row on a machine that has the device.

    :param rows: part of the identifier to variant.
    :param available: names as in ``openvino.Core().available_devices``.
    """
    missing = {part: " and ".join(absent(row.openvino.device, available)) for part, row in rows.items()}
    available_rows = {part: row for part, row in rows.items() if not missing[part]}
    reasons = {
        part: f"this machine has no {names}; where there is one: {command(rows[part])}"
        for part, names in missing.items()
        if names
    }
    return available_rows, reasons


def command(row: Variant) -> str:
    """The command that measures a row's device and properties beside the default, on a reader's model."""
    openvino = row.openvino
    settings = {"device": openvino.device}
    for key, value in openvino.properties.items():
        settings |= {"hint": HINTS[value]} if key == "PERFORMANCE_HINT" and value in HINTS else {key: value}
    if openvino.requests is not None and not (openvino.requests == 0 and "hint" in settings):
        settings["requests"] = str(openvino.requests or "auto")
    return "optguide compare model.xml @" + ",".join(f"{key}={value}" for key, value in settings.items())
