"""What each precision of the model answers to samples that had no part in making it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from optguide.tuning.data import Data
    from optguide.tuning.metrics import Metric
    from optguide.tuning.outcome import Made, Settings
    from optguide.tuning.subject import Subject

__all__ = ["judge"]


def judge(
    made: Made, settings: Settings, subject: Subject, data: Data, metric: Metric, folder: Path, seconds: float
) -> Made:
    """``made`` with its quality; 32-bit floats have to be judged first.

    :param folder: of the run, to which ``made.file`` is relative.
    """
    raise NotImplementedError
