"""``optguide machine``."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from optguide.cli.options import Duration, debug_option, json_option, wait_option
from optguide.errors import Busy, OptionError

if TYPE_CHECKING:
    from optguide.machine import Machine, NoiseProbe

__all__ = ["machine"]


@click.command()
@click.option("--properties", is_flag=True, help="Every property that each device supports, with its value.")
@click.option(
    "--seconds", type=Duration(), default="2s", show_default=True, metavar="TIME", help="Length of the probe."
)
@wait_option
@json_option
@debug_option
def machine(properties: bool, seconds: float, wait: float, as_json: bool) -> None:
    """Show what this machine is, and how noisy it is now.

    The probe repeats a small piece of work on one core and watches how its times scatter and who else uses
    the CPU. While another measurement is running there is no probe: it would disturb that one.
    """
    from optguide.cli.as_json import emit
    from optguide.machine import Machine

    if not seconds > 0:
        raise OptionError("A probe of no length shows nothing.", "Use --seconds above zero, such as 2s.")
    noise, busy = _probe(seconds, wait)
    here = Machine.current()
    supported = _properties(here) if properties else {}
    if as_json:
        probed = asdict(noise) | {"verdict": noise.verdict, "reasons": noise.reasons} if noise else None
        emit(
            "machine",
            {
                "machine": here.to_dict(),
                "machine_id": here.machine_id,
                "noise": probed,
                "busy": busy,
                **({"properties": supported} if properties else {}),
            },
        )
        return
    _print(here, noise, busy)
    for device, found in supported.items():
        _print_properties(device, found)


def _probe(seconds: float, wait: float) -> tuple[NoiseProbe | None, str]:
    """The probe, or the sentence that says who is measuring now."""
    from optguide.cli.session import machine_held
    from optguide.machine import probe

    try:
        with machine_held("optguide machine", wait):
            return probe(seconds), ""
    except Busy as error:
        return None, error.message


def _print(here: Machine, noise: NoiseProbe | None, busy: str) -> None:
    from optguide import format as fmt
    from optguide.cli import output as render

    render.facts("Machine", _facts(here))
    columns = ("Device", "Name", "Optimized for")
    rows = [(device.name, device.full_name, ", ".join(device.capabilities)) for device in here.devices]
    render.table("OpenVINO devices", columns, rows)
    if noise is None:
        render.facts("Noise now", [("Not probed", busy), ("", "Pass --wait 10m to probe when it has ended.")])
        return
    numbers: list[tuple[str, render.Cell]] = [
        ("Verdict", render.verdict(noise.verdict)),
        *(("", reason) for reason in noise.reasons),
        ("Spread of equal work", fmt.quantity(noise.spread, "share")),
        ("Wall time per CPU time", fmt.quantity(noise.wall_per_cpu, "ratio")),
        ("CPU used by others", fmt.quantity(noise.others_share, "share")),
        ("CPU taken by the hypervisor", fmt.quantity(noise.steal_share, "share")),
        ("Load average", f"{noise.load_average:.2f}"),
    ]
    render.facts(f"Noise now, in {fmt.duration(noise.seconds)}", numbers)


def _facts(here: Machine) -> list[tuple[str, str]]:
    cores = f"{here.logical_cores} logical"
    if here.physical_cores:
        cores += f", {here.physical_cores} physical"
    if here.available_cores < here.logical_cores:
        cores += f", {here.available_cores:g} available to this process"
    virtual = {True: "yes", False: "no", None: "unknown"}[here.hypervisor]
    return [
        ("Processor", here.cpu),
        ("Cores", cores),
        ("Instruction sets", ", ".join(here.flags) or "unknown"),
        ("Memory", f"{here.memory / 2**30:.1f} GiB"),
        ("System", f"{here.system_name}, kernel {here.kernel}"),
        ("Virtual machine", virtual),
        ("Frequency governor", here.governor or "unknown"),
        ("Python", here.python),
        ("Packages", ", ".join(f"{name} {version}" for name, version in here.packages.items())),
        ("Machine id", here.machine_id),
    ]


def _properties(here: Machine) -> dict[str, dict[str, dict[str, str]]]:
    """Device to property to value and access (``RO`` or ``RW``)."""
    import openvino

    from optguide.runtimes.openvino import property_text

    core = openvino.Core()
    found: dict[str, dict[str, dict[str, str]]] = {}
    for device in here.devices:
        found[device.name] = {}
        for key, access in sorted(core.get_property(device.name, "SUPPORTED_PROPERTIES").items()):
            if key == "SUPPORTED_PROPERTIES":
                continue
            try:
                value = property_text(core.get_property(device.name, key))
            except (RuntimeError, TypeError):  # some devices list properties they then refuse
                value = "unknown"
            found[device.name][key] = {"value": value, "access": str(access)}
    return found


def _print_properties(device: str, found: dict[str, dict[str, str]]) -> None:
    from optguide.cli import output as render

    rows = [(key, entry["value"], entry["access"]) for key, entry in found.items()]
    render.table(f"Properties of {device}", ("Property", "Value", "Access"), rows)
