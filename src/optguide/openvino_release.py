"""What is true of one release of OpenVINO and may change with the next: all of it in this module.

Upgrading is :data:`RELEASE`, the range in ``pyproject.toml``, ``nox -s lock`` and the tests, which name what
else has changed. Runtimes under foreign interpreters read this, so it imports the standard library only.
"""

from __future__ import annotations

from urllib.parse import urljoin

__all__ = ["DOCUMENTATION", "RELEASE", "TELEMETRY_OFF", "VIRTUAL_DEVICES", "documentation"]

RELEASE = "2026"
"""The release whose documentation the guide reads and quotes."""

DOCUMENTATION = f"https://docs.openvino.ai/{RELEASE}/"
"""Base of every page. Pages of the guide write ``ov:page.html`` for what follows it, claims ``page.html``."""

TELEMETRY_OFF = {"TF_BUILD": "optguide"}
"""Environment variables that keep OpenVINO and NNCF from sending anything.

``openvino_telemetry`` is silent in continuous integration, which it recognises by ``CI``, ``TF_BUILD`` or
``JENKINS_URL``. ``CI`` changes how pip, nox, pytest and rich behave; hardly anything else reads this one.
"""

VIRTUAL_DEVICES = ("AUTO", "MULTI", "HETERO", "BATCH")
"""Devices that hand models on to others; every machine has them."""


def documentation(url: str) -> str:
    """The absolute form of ``url``, a page of OpenVINO's documentation or any other address."""
    return urljoin(DOCUMENTATION, url)
