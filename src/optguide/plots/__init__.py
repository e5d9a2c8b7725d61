"""The guide's figures: plain data and estimates in, a Matplotlib figure out.

One function per figure. Each takes numbers with their intervals, draws every interval it was given, and
returns a :class:`matplotlib.figure.Figure` that pyplot does not know about. Colours and font sizes come from
:func:`style`, so the same call gives the figure of the light and of the dark page.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from optguide.plots.comparing import bars, percentile_samples, ratios, repeat_ratios, steps
    from optguide.plots.grid import heat_map
    from optguide.plots.load import latency_throughput, load_curve
    from optguide.plots.over_time import memory, timeline
    from optguide.plots.parts import layer_profile, stages, waterfall
    from optguide.plots.sweeps import epochs, sweep
    from optguide.plots.themes import style
    from optguide.plots.trade_off import frontier, pareto
    from optguide.plots.verdict import verdict_interval_svg

__all__ = [
    "bars",
    "epochs",
    "frontier",
    "heat_map",
    "latency_throughput",
    "layer_profile",
    "load_curve",
    "memory",
    "pareto",
    "percentile_samples",
    "ratios",
    "repeat_ratios",
    "stages",
    "steps",
    "style",
    "sweep",
    "timeline",
    "verdict_interval_svg",
    "waterfall",
]

_HOME = {
    "bars": "comparing",
    "epochs": "sweeps",
    "frontier": "trade_off",
    "heat_map": "grid",
    "latency_throughput": "load",
    "layer_profile": "parts",
    "load_curve": "load",
    "memory": "over_time",
    "pareto": "trade_off",
    "percentile_samples": "comparing",
    "ratios": "comparing",
    "repeat_ratios": "comparing",
    "stages": "parts",
    "steps": "comparing",
    "style": "themes",
    "sweep": "sweeps",
    "timeline": "over_time",
    "verdict_interval_svg": "verdict",
    "waterfall": "parts",
}


def __getattr__(name: str) -> Any:
    # Matplotlib takes a good part of a second to import: only whoever draws pays for it.
    if name in _HOME:
        return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
