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

_MODULES = {
    "bench.cold_start": ("ColdStart", "first_inference"),
    "bench.load": ("LoadPoint", "highest_rate", "limit_rate", "load_curve", "load_curves"),
    "bench.result": ("SessionResult",),
    "bench.session": ("Budget", "measure"),
    "bench.variant": ("Variant",),
    "records": ("Recording",),
    "stats.comparison": ("Comparison",),
    "stats.estimate": ("Estimate",),
    **{module.removeprefix("optguide."): (name,) for module, name in (text.split(":") for text in RUNTIMES)},
}
_HOMES = {name: module for module, names in _MODULES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(f"optguide.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'optguide' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
