"""Tables about sessions that ``measure`` and ``compare`` share."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

from optguide import format as fmt
from optguide.cli import output as render

if TYPE_CHECKING:
    from optguide.cli.session import Measured

__all__ = ["closing", "differing", "effective", "machine_line"]

RELEVANT = (
    *("PERFORMANCE_HINT", "INFERENCE_PRECISION_HINT", "EXECUTION_MODE_HINT", "NUM_STREAMS"),
    *("INFERENCE_NUM_THREADS", "EXECUTION_DEVICES", "requests in flight"),
    *("providers", "intra_op_num_threads", "threads", "compiled"),
)
"""Effective properties that explain most differences in speed; the others come with ``--verbose``."""


def effective(properties: Mapping[str, str], *, verbose: bool) -> None:
    """What the runtime really chose."""
    rows = [(key, value) for key, value in properties.items() if verbose or key in RELEVANT]
    render.table("Effective properties", ("Property", "Value"), rows)


def differing(measured: Measured, *, verbose: bool) -> None:
    """The effective properties in which the variants differ, one column per variant."""
    names = [measured.first, *measured.others]
    found = {name: measured.result.series[name].effective for name in names}
    keys = dict.fromkeys(key for properties in found.values() for key in properties)
    rows = [
        [key, *(found[name].get(key, "\N{EN DASH}") for name in names)]
        for key in keys
        if (verbose or key in RELEVANT) and len({found[name].get(key) for name in names}) > 1
    ]
    render.table("Effective properties that differ", ("Property", *names), rows)


def closing(measured: Measured) -> None:
    """How the session went."""
    result = measured.result
    others = "unknown" if math.isnan(result.others_share) else fmt.quantity(result.others_share, "share")
    render.paragraph(
        f"{result.rounds} rounds in {fmt.duration(result.seconds)} ({result.ended}), with loading"
        f" {fmt.duration(measured.seconds)}. CPU used by other processes meanwhile: {others}."
    )


def machine_line(measured: Measured) -> None:
    """Where it was measured, with the runtimes' versions."""
    from optguide.machine import Machine

    found = measured.result.series.values()
    versions = {name: version for series in found for name, version in series.versions.items()}
    runtimes = ", ".join(f"{name} {version.partition('-')[0]}" for name, version in versions.items())
    render.paragraph(f"{Machine.current().summary()}; {runtimes}.")
