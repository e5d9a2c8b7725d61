"""The reader's model in other precisions, each made in a process of its own."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from optguide.tuning.outcome import Made

if TYPE_CHECKING:
    from optguide.tuning.candidate import Precision
    from optguide.tuning.data import Data
    from optguide.tuning.metrics import Metric
    from optguide.tuning.outcome import Settings
    from optguide.tuning.subject import Subject

__all__ = ["make"]


def make(
    precision: Precision,
    settings: Settings,
    subject: Subject,
    data: Data,
    folder: Path,
    seconds: float,
    metric: Metric | None = None,
) -> Made:
    """The model in one precision, beside ``subject.file``.

    :param folder: of the run; ``Made.file`` is relative to it.
    :param seconds: after which making is given up.
    :param metric: needed for ``int8_accuracy`` only.
    """
    raise NotImplementedError
