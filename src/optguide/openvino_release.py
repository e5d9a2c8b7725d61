"""What is true of one release of OpenVINO and may change with the next: all of it in this module.

Upgrading is :data:`RELEASE`, the range in ``pyproject.toml``, ``nox -s lock`` and the tests, which name what
else has changed. Runtimes under foreign interpreters read this, so it imports the standard library only.
"""

from __future__ import annotations

from urllib.parse import urljoin

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

CORE_PROPERTIES = (
    *("CACHE_DIR", "CACHE_MODE", "ENABLE_MMAP", "FORCE_TBB_TERMINATE", "DEVICE_ID", "DEVICE_PROPERTIES"),
    *("ALLOW_AUTO_BATCHING", "AUTO_BATCH_TIMEOUT", "AUTO_BATCH_DEVICE_CONFIG"),
)
"""Properties that OpenVINO handles before a device sees them, so no device lists them as supported."""

CPU_PROPERTIES = {
    "CACHE_DIR": (),
    "CPU_DENORMALS_OPTIMIZATION": ("YES", "NO"),
    "DYNAMIC_QUANTIZATION_GROUP_SIZE": ("0", "32", "64"),
    "ENABLE_CPU_PINNING": ("YES", "NO"),
    "ENABLE_CPU_RESERVATION": ("YES", "NO"),
    "ENABLE_HYPER_THREADING": ("YES", "NO"),
    "ENABLE_MMAP": ("YES", "NO"),
    "EXECUTION_MODE_HINT": ("PERFORMANCE", "ACCURACY"),
    "INFERENCE_NUM_THREADS": (),
    "INFERENCE_PRECISION_HINT": ("f32", "bf16", "f16"),
    "KV_CACHE_PRECISION": ("u8", "bf16", "f16", "f32"),
    "MODEL_DISTRIBUTION_POLICY": (),
    "NUM_STREAMS": ("AUTO", "1", "2", "4"),
    "PERFORMANCE_HINT": ("LATENCY", "THROUGHPUT", "CUMULATIVE_THROUGHPUT"),
    "PERFORMANCE_HINT_NUM_REQUESTS": (),
    "PERF_COUNT": ("YES", "NO"),
    "SCHEDULING_CORE_TYPE": ("ANY_CORE", "PCORE_ONLY", "ECORE_ONLY"),
}
"""Properties of the CPU that can be set, with values worth offering. Others can be written all the same."""

KEY_VALUE_CACHE_PROPERTIES = frozenset(
    (
        *("KV_CACHE_PRECISION", "KEY_CACHE_PRECISION", "VALUE_CACHE_PRECISION"),
        *("KEY_CACHE_GROUP_SIZE", "VALUE_CACHE_GROUP_SIZE"),
    )
)
"""Properties of the CPU that mean nothing for a model that keeps no keys and values; it reports them all the
same."""

LOCATION_PREFIXES = ("Exception from", "Check '", "[ERROR]")
"""How the lines of an error begin that say where in OpenVINO's code it was raised."""

UNCONVERTED = "No conversion rule found"
"""How the error begins for operations that no reader knows; their names follow."""

UNREADABLE = "Unable to read the model"
"""How the error begins for a file that no reader takes; a question and a list of all formats follow."""


def documentation(url: str) -> str:
    """The absolute form of ``url``, a page of OpenVINO's documentation or any other address."""
    return urljoin(DOCUMENTATION, url)
