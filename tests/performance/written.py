"""Numbers as the tables of the benchmarks show them."""

from __future__ import annotations

import math

from optguide.stats.estimate import Estimate

__all__ = ["written"]


def written(ratio: Estimate, *, between: str = " ") -> str:
    """A ratio with its interval.

    :param between: what stands between the two; a line break in narrow tables.
    """
    if not all(map(math.isfinite, (ratio.low, ratio.high))):
        return "unknown"
    return f"{ratio.value:.3f}{between}({ratio.low:.3f} to {ratio.high:.3f})"
