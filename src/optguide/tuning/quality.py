"""What a precision loses against 32-bit floats, and whether that keeps the limit."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from optguide.tuning.answers import Answers
    from optguide.tuning.metrics import Metric
    from optguide.tuning.outcome import Quality

__all__ = ["quality"]


def quality(metric: Metric, original: Answers, other: Answers | None, max_drop: float) -> Quality:
    """How right the answers of ``other`` are, and what it loses against ``original``, paired by sample."""
    raise NotImplementedError
