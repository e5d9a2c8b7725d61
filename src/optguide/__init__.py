"""Measure inference the way the OpenVINO Optimization Guide does.

The names below are what scripts need; they are imported on first use, so that ``import optguide`` and the
command's ``--help`` stay fast and so that a worker under another interpreter can import this package.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from optguide.runtimes import RUNTIMES

if TYPE_CHECKING:
    from optguide.bench.cold_start import ColdStart, first_inference
    from optguide.bench.load import LoadPoint, highest_rate, limit_rate, load_curve, load_curves
    from optguide.bench.result import SessionResult
    from optguide.bench.session import Budget, measure
    from optguide.bench.variant import Variant
    from optguide.records import Recording
    from optguide.runtimes.function import Function
    from optguide.runtimes.onnxruntime import ONNXRuntime
    from optguide.runtimes.openvino import OpenVINO
    from optguide.runtimes.tensorflow import TensorFlow
    from optguide.runtimes.torch import PyTorch
    from optguide.stats.comparison import Comparison
    from optguide.stats.estimate import Estimate

__all__ = [
    "Budget",
    "ColdStart",
    "Comparison",
    "Estimate",
    "Function",
    "LoadPoint",
    "ONNXRuntime",
    "OpenVINO",
    "PyTorch",
    "Recording",
    "SessionResult",
    "TensorFlow",
    "Variant",
    "first_inference",
    "highest_rate",
    "limit_rate",
    "load_curve",
    "load_curves",
    "measure",
]

_HOMES = {
    "Budget": "bench.session",
    "ColdStart": "bench.cold_start",
    "Comparison": "stats.comparison",
    "Estimate": "stats.estimate",
    "LoadPoint": "bench.load",
    "Recording": "records",
    "SessionResult": "bench.result",
    "Variant": "bench.variant",
    "first_inference": "bench.cold_start",
    "highest_rate": "bench.load",
    "limit_rate": "bench.load",
    "load_curve": "bench.load",
    "load_curves": "bench.load",
    "measure": "bench.session",
    **{name: module.removeprefix("optguide.") for module, name in (place.split(":") for place in RUNTIMES)},
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(f"optguide.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'optguide' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
