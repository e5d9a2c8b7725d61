"""The model in every precision, made and judged one after the other."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import msgspec

from optguide.bench import child
from optguide.errors import EnvironmentMissing, Failure, OptGuideError, OutputError, StorageError, UserError
from optguide.optimize.candidate import PRECISIONS, Precision
from optguide.optimize.config import Settings
from optguide.optimize.data.dataset import Data
from optguide.optimize.evaluation import evaluate as judging
from optguide.optimize.evaluation.metrics import Metric
from optguide.optimize.model.source import SourceModel, encode
from optguide.optimize.outcome import Artifact
from optguide.optimize.search.rules import may_win

__all__ = ["Compression", "make"]

LEAST_SECONDS = 1.0
"""Below this nothing is made."""

MAKING, JUDGING = 0.8, 0.2
"""Shares of what is left that making one precision and judging one may take."""

LEAST_JUDGING = 5.0
"""Seconds that judging gets in any case: a precision that was made and not judged was made in vain."""

ORIGINAL: tuple[Precision, ...] = ("f32", "default")
OTHERS: tuple[Precision, ...] = ("int8", "int8_weights", "int4_weights", "int8_accuracy")


@dataclass(frozen=True)
class Compression:
    """What making and judging need.

    :param metric: ``None`` where nothing can be judged, as with random data.
    :param folder: of the run.
    :param left: seconds for all that is still to be made.
    :param tell: is told what is being done.
    """

    settings: Settings
    subject: SourceModel
    data: Data
    metric: Metric | None
    folder: Path
    left: Callable[[], float]
    tell: Callable[[str], None]

    def next(self, known: tuple[Artifact, ...]) -> Artifact | None:
        """The next precision, made and judged; ``None`` when there is no other.

        The original comes first: what its answers are is what all others are held against, and a metric that
        cannot be computed shows before anything else is made.

        :raises UserError: the metric cannot be computed.
        :raises OutputError: the model's own answers mean nothing.
        :raises StorageError: the disk is full.
        """
        done = {artifact.precision: artifact for artifact in known}
        for precision in (*ORIGINAL, *OTHERS):
            if precision in done:
                continue
            if precision == "int8_accuracy" and not self._needs_control(done.get("int8")):
                continue
            return self._judged(self._make(precision))
        return None

    def _needs_control(self, int8: Artifact | None) -> bool:
        """Accuracy control takes long, so only where plain INT8 is not shown to keep the limit."""
        if self.metric is None or int8 is None or not int8.file or int8.quality is None:
            return False
        return not may_win(int8, unproven=self.settings.unproven)

    def _make(self, precision: Precision) -> Artifact:
        seconds = MAKING * self.left()
        if precision not in ORIGINAL and seconds < LEAST_SECONDS:
            return Artifact(precision, why_not="The budget left no time to make it.")
        self.tell(f"making {PRECISIONS[precision]}")
        arguments = (precision, self.settings, self.subject, self.data, self.folder, seconds)
        try:
            return make(*arguments, self.metric)
        except (StorageError, UserError):
            raise
        except Failure as error:
            return Artifact(precision, why_not=error.message)

    def _judged(self, artifact: Artifact) -> Artifact:
        original = artifact.precision in ORIGINAL
        if self.metric is None or not artifact.file:
            return artifact
        seconds = max(LEAST_JUDGING, JUDGING * self.left())
        self.tell(f"judging {PRECISIONS[artifact.precision]}")
        arguments = (artifact, self.settings, self.subject, self.data, self.metric, self.folder, seconds)
        try:
            return judging.judge(*arguments)
        except StorageError:
            raise
        except OptGuideError as error:
            if original and isinstance(error, (UserError, OutputError)):
                raise
            return replace(
                artifact, note=_joined(artifact.note, f"Nothing could judge its answers: {error.message}")
            )


def _joined(*sentences: str) -> str:
    return " ".join(sentence for sentence in sentences if sentence)


_NEEDS_JUDGEMENT = "Accuracy control needs samples that judge, and there are none."


def make(
    precision: Precision,
    settings: Settings,
    subject: SourceModel,
    data: Data,
    folder: Path,
    seconds: float,
    metric: Metric | None = None,
) -> Artifact:
    """The model in one precision, as a file beside ``subject.file``.

    ``f32`` and ``default`` are that file itself. The others are made from it by NNCF, with the calibration
    samples of ``data`` where they need any.

    :param folder: of the run; ``Artifact.file`` is relative to it.
    :param seconds: after which making is given up.
    :param metric: that accuracy control is to keep; needed for ``int8_accuracy`` only.
    :return: without a file, and with the reason, where the model cannot be made.
    :raises StorageError: the run's folder cannot be written.
    """
    if precision in ("f32", "default"):
        return Artifact(precision, _relative(subject.file, folder), 0.0, _size(subject.file))
    if precision == "int8_accuracy" and (metric is None or data.random):
        return Artifact(precision, why_not=_NEEDS_JUDGEMENT)
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
        return Artifact(precision, seconds=time.monotonic() - start, why_not=why)
    file = subject.file.with_name(f"{precision}.xml")
    return Artifact(precision, _relative(file, folder), time.monotonic() - start, _size(file), note=note)


def _relative(file: Path, folder: Path) -> str:
    return Path(os.path.relpath(file, folder)).as_posix()


def _size(file: Path) -> int:
    """Bytes of graph and weights."""
    return sum(part.stat().st_size for part in (file, file.with_suffix(".bin")) if part.is_file())
