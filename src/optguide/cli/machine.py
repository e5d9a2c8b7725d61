"""``optguide machine``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from functools import partial
from typing import Any

import click

from optguide import format as fmt
from optguide.cli import output
from optguide.cli.options import common_options, time_option
from optguide.cli.session import machine_held
from optguide.errors import Busy
from optguide.machine import Machine, NoiseProbe
from optguide.machine import probe as probe_noise
from optguide.runtimes.devices import property_text, readable_properties


@click.command()
@click.option("--properties", is_flag=True, help="Every property that each device supports, with its value.")
@time_option("--seconds", default="2s", help="Length of the probe.")
@common_options
def machine(properties: bool, seconds: float, wait: float, as_json: bool) -> None:
    """Show what this machine is, and how noisy it is now.

    The probe repeats a small piece of work on one core and watches how its times scatter and who else uses
    the CPU. While another measurement is running there is no probe: it would disturb that one.
    """
    noise, busy = _probe(seconds, wait)
    current = Machine.current()
    supported = _properties(current) if properties else None
    output.deliver(
        "machine",
        as_json=as_json,
        content=lambda: _content(current, noise, busy, supported),
        tables=lambda: _print(current, noise, busy, supported or {}),
    )


Properties = Mapping[str, Mapping[str, Mapping[str, str]]]
"""Device to property to its ``value`` and ``access`` (``RO`` or ``RW``)."""


def _probe(seconds: float, wait: float) -> tuple[NoiseProbe | None, str]:
    """The probe, or the sentence that says who is measuring now."""
    try:
        with machine_held("optguide machine", wait):
            return probe_noise(seconds), ""
    except Busy as error:
        return None, error.message


def _content(
    current: Machine, noise: NoiseProbe | None, busy: str, properties: Properties | None
) -> dict[str, Any]:
    return {
        "machine": current.to_dict(),
        "machine_id": current.machine_id,
        "noise": asdict(noise) | {"verdict": noise.verdict, "reasons": noise.reasons} if noise else None,
        "busy": busy,
    } | ({} if properties is None else {"properties": properties})


def _print(current: Machine, noise: NoiseProbe | None, busy: str, properties: Properties) -> None:
    packages = ", ".join(f"{name} {version}" for name, version in current.packages.items())
    software = {"Python": current.python, "Packages": packages, "Machine id": current.machine_id}
    output.facts("Machine", [*current.hardware.items(), *software.items()])
    columns = ("Device", "Name", "Optimized for")
    rows = [(device.name, device.full_name, ", ".join(device.capabilities)) for device in current.devices]
    output.table("OpenVINO devices", columns, rows)
    if noise is None:
        output.facts("Noise now", [("Not probed", busy), ("", "Pass --wait 10m to probe when it has ended.")])
    else:
        signs: list[tuple[str, output.Cell]] = [("Verdict", output.verdict(noise.verdict))]
        signs += [("", reason) for reason in noise.reasons]
        title = f"Noise now, in {fmt.duration(noise.seconds)}"
        output.facts(title, [*signs, *noise.witnesses.items()])
    for device, entries in properties.items():
        output.table(
            f"Properties of {device}",
            ("Property", "Value", "Access"),
            [(key, entry["value"], entry["access"]) for key, entry in entries.items()],
        )


def _properties(current: Machine) -> dict[str, dict[str, dict[str, str]]]:
    import openvino

    core = openvino.Core()
    properties: dict[str, dict[str, dict[str, str]]] = {}
    for device in current.devices:
        access = core.get_property(device.name, "SUPPORTED_PROPERTIES")
        properties[device.name] = {
            key: {"value": "unknown" if value is None else property_text(value), "access": str(access[key])}
            for key, value in sorted(readable_properties(partial(core.get_property, device.name)))
        }
    return properties
