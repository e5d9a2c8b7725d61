"""What the user asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from optguide.bench.load import LatencyLimit
from optguide.optimize.candidate import Goal


@dataclass(frozen=True)
class Settings:
    """What the user asked for, complete: a run is resumed from this.

    :param model: path, or ``package.module:function``.
    :param data: as given; ``None`` is random data, which judges no accuracy.
    :param metric: name or reference; ``None`` lets labels decide.
    :param max_drop: largest loss that is acceptable (``0.01`` is one percentage point for shares of right
        answers, and one percent of the original's value otherwise).
    :param unproven: accept a precision whose measured loss is within the limit although its interval is not.
    :param limit: latency limit.
    :param budget: seconds for everything.
    :param shapes: static shapes of inputs, as in :class:`optguide.bench.variant.Variant`.
    :param allow_pickle: whether ``.pt2`` files may be read, which can execute code.
    :param claims: whether the guide's claims are held against the model.
    :param seed: seed for random data, shuffles and the order of turns.
    """

    model: str
    data: str | None = None
    metric: str | None = None
    max_drop: float = 0.01
    unproven: bool = False
    limit: LatencyLimit | None = None
    goal: Goal = "latency"
    budget: float = 600.0
    device: str = "CPU"
    shapes: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    allow_pickle: bool = False
    claims: bool = True
    seed: int = 0
