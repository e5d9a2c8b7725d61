"""The directive ``machine``: what measured the numbers of this guide, and how steady it was.

How noisy the machine was when the gallery ran is kept beside the records.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import msgspec
from docutils import nodes

from optguide.guide.sphinxext.elements import facts
from optguide.guide.sphinxext.pages import GuideDirective, depend_on_all, measuring_machine
from optguide.machine import NoiseProbe, probe
from optguide.paths import records_dir
from optguide.storage import storage_errors, write_file

if TYPE_CHECKING:
    from collections.abc import Mapping

    from docutils.nodes import Node
    from sphinx.application import Sphinx

_NAME = "noise.json"  # not in a chapter's folder, where records are


def setup(app: Sphinx) -> None:
    """Register the directive."""
    app.add_directive("machine", MachineFacts)


class MachineFacts(GuideDirective):
    """The machine of the newest record: hardware, system, versions, devices, noise."""

    def build(self) -> list[Node]:
        """One section for each group of facts."""
        depend_on_all(self.env)
        machine = measuring_machine()
        return [
            _section("Hardware and system", machine.hardware),
            _section(
                "OpenVINO devices",
                {
                    device.name: f"{device.full_name} ({', '.join(device.capabilities)})"
                    for device in machine.devices
                },
            ),
            _section("Versions", {"Python": machine.python, **machine.packages}),
            _section("Noise", _noise(recorded_noise())),
        ]


def record_noise() -> None:
    """Probe the machine and keep the result; the caller holds the measuring lock.

    :raises StorageError: a full disk or a folder that cannot be written.
    """
    folder, measured = records_dir(), msgspec.json.encode(probe())
    with storage_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    write_file(folder / _NAME, measured)


def recorded_noise() -> NoiseProbe | None:
    """The probe of the last build that measured; ``None`` when there is none that can be read."""
    try:
        recorded = msgspec.json.decode((records_dir() / _NAME).read_bytes(), type=dict[str, Any])
        # JSON has no NaN, which a probe holds for what the system does not report.
        return msgspec.convert(
            {name: math.nan if value is None else value for name, value in recorded.items()}, NoiseProbe
        )
    except (OSError, msgspec.DecodeError, msgspec.ValidationError):
        return None


def _noise(noise: NoiseProbe | None) -> dict[str, str]:
    if noise is None:
        return {"Probe": "This build did not probe the noise."}
    return {"Verdict": ": ".join([noise.verdict, *noise.reasons[:1]]), **noise.witnesses}


def _section(title: str, values: Mapping[str, str]) -> nodes.section:
    return nodes.section("", nodes.title("", title), facts(values.items()), ids=[nodes.make_id(title)])
