"""The reader's model in other precisions, each made in a process of its own.

What cannot be made is no error of the run: the reason is kept, and the other precisions go on.
"""

from __future__ import annotations

import os
import time
from dataclasses import asdict
from pathlib import Path

import msgspec

from optguide.bench import child
from optguide.errors import EnvironmentMissing, OptGuideError, StorageError
from optguide.optimize.candidate import PRECISIONS, Precision
from optguide.optimize.config import Settings
from optguide.optimize.data.dataset import Data
from optguide.optimize.evaluation.metrics import Metric
from optguide.optimize.model.subject import Subject, encode
from optguide.optimize.outcome import Made

__all__ = ["make"]

_NEEDS_JUDGEMENT = "Accuracy control needs samples that judge, and there are none."


def make(
    precision: Precision,
    settings: Settings,
    subject: Subject,
    data: Data,
    folder: Path,
    seconds: float,
    metric: Metric | None = None,
) -> Made:
    """The model in one precision, as a file beside ``subject.file``.

    ``f32`` and ``default`` are that file itself. The others are made from it by NNCF, with the calibration
    samples of ``data`` where they need any.

    :param folder: of the run; ``Made.file`` is relative to it.
    :param seconds: after which making is given up.
    :param metric: that accuracy control is to keep; needed for ``int8_accuracy`` only.
    :return: without a file, and with the reason, where the model cannot be made.
    :raises StorageError: the run's folder cannot be written.
    """
    if precision in ("f32", "default"):
        return Made(precision, _relative(subject.file, folder), 0.0, _size(subject.file))
    if precision == "int8_accuracy" and (metric is None or data.random):
        return Made(precision, why_not=_NEEDS_JUDGEMENT)
    start = time.monotonic()
    name = PRECISIONS[precision]
    arguments = {
        "precision": precision,
        "settings": msgspec.to_builtins(settings),
        "subject": encode(subject),
        "metric": asdict(metric) if metric else None,
    }
    try:
        note = child.call(
            "optguide.optimize.compression.nncf:compressed",
            arguments,
            seconds=seconds,
            what=f"making the model in {name}",
        )
    except StorageError:
        raise
    except OptGuideError as error:
        why = str(error) if isinstance(error, EnvironmentMissing) else error.message
        return Made(precision, seconds=time.monotonic() - start, why_not=why)
    file = subject.file.with_name(f"{precision}.xml")
    return Made(precision, _relative(file, folder), time.monotonic() - start, _size(file), note=note)


def _relative(file: Path, folder: Path) -> str:
    return Path(os.path.relpath(file, folder)).as_posix()


def _size(file: Path) -> int:
    """Bytes of graph and weights."""
    return sum(part.stat().st_size for part in (file, file.with_suffix(".bin")) if part.is_file())
