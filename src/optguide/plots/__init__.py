"""The guide's figures: plain data and estimates in, a Matplotlib figure out.

One function per figure. Each takes numbers with their intervals, draws every interval it was given, and
returns a :class:`matplotlib.figure.Figure` that pyplot does not know about. Colours and font sizes come from
:func:`style`; :func:`darkened` makes the SVG of the dark page from that of the light one.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from optguide.plots.comparing import bars, ratios, steps
    from optguide.plots.curves import latency_throughput, load_curve, sweep
    from optguide.plots.parts import layer_profile, stages
    from optguide.plots.themes import darkened, style
    from optguide.plots.trade_off import frontier, pareto

__all__ = [
    "bars",
    "darkened",
    "frontier",
    "latency_throughput",
    "layer_profile",
    "load_curve",
    "pareto",
    "ratios",
    "stages",
    "steps",
    "style",
    "sweep",
]

_NAMES = {
    "comparing": ("bars", "ratios", "steps"),
    "curves": ("latency_throughput", "load_curve", "sweep"),
    "parts": ("layer_profile", "stages"),
    "themes": ("darkened", "style"),
    "trade_off": ("frontier", "pareto"),
}
_MODULES = {name: module for module, names in _NAMES.items() for name in names}


def __getattr__(name: str) -> Any:
    # Matplotlib takes a good part of a second to import: only whoever draws pays for it.
    if name in _MODULES:
        return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
