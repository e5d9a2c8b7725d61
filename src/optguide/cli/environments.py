"""``optguide environments``."""

from __future__ import annotations

from pathlib import Path

import click

from optguide import format as fmt
from optguide.cli import output
from optguide.cli.options import json_option, wait_option
from optguide.cli.session import machine_held
from optguide.isolated import prune, releases


@click.command()
@click.option(
    "--prune", "remove", is_flag=True, help="Remove all of them; they are installed again when needed."
)
@wait_option
@json_option
def environments(remove: bool, wait: float, as_json: bool) -> None:
    """List the releases that variants such as MODEL@openvino=2025.4 have installed."""
    folders = {str(folder): size for folder, size in (_pruned(wait) if remove else releases()).items()}
    action = "Removed" if remove else "Installed"
    output.deliver(
        "environments",
        as_json=as_json,
        content=lambda: {"folders": folders, "removed": remove},
        tables=lambda: output.table(
            f"{action} releases",
            ("Folder", ">Size"),
            [(folder, fmt.quantity(size, "bytes")) for folder, size in folders.items()],
        ),
    )
    if not folders and not as_json:
        click.echo("No release is installed.")


def _pruned(wait: float) -> dict[Path, int]:
    """Remove the releases, which a measurement that is running may need."""
    with machine_held("optguide environments --prune", wait):
        return prune()
