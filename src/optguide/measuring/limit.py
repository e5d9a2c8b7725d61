"""A latency limit, which a configuration or an offered rate keeps or breaks."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Limit"]


@dataclass(frozen=True)
class Limit:
    """Such as p99 below 50 ms."""

    percentile: int
    milliseconds: float
