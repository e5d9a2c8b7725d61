"""The model in every precision, made and evaluated one after the other, each in a process of its own.

A precision that cannot be made does not end the run: the reason is kept, and the other precisions go on.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from optguide.bench import process
from optguide.errors import EnvironmentMissing, OptGuideError, StorageError, WorkerHung
from optguide.format import estimate
from optguide.optimize.budget import EVALUATING, LEAST_EVALUATING, LEAST_SECONDS, MAKING, larger_budget
from optguide.optimize.candidate import PINNED, PRECISIONS, Deployment, Precision
from optguide.optimize.evaluation import JUDGING, Job, evaluate
from optguide.optimize.model import encode
from optguide.optimize.outcome import Artifact
from optguide.optimize.search.race_state import may_win

SINGLE = Deployment("LATENCY")
"""One inference at a time: a precision that is wrong under :data:`JUDGING` may be right and deployed so."""

MORE = 2
"""How much more time a precision that was cut off may need than it had, or than another took."""

LEAST_MAKING = 30.0
"""Seconds that making a precision is taken to need where none has been made."""

ORIGINAL: tuple[Precision, ...] = ("f32", "default")
COMPRESSED: tuple[Precision, ...] = (
    "int8",
    "int8_weights",
    "int4_weights",
    "int8_f32",
    "int8_weights_f32",
    "int8_accuracy",
)


@dataclass(frozen=True)
class Compression:
    """Makes and evaluates the precisions of one model.

    :param remaining: seconds left for all that is still to be made.
    """

    job: Job
    folder: Path
    remaining: Callable[[], float]
    report: Callable[[str], None]
    precisions: tuple[Precision, ...] = COMPRESSED

    def next(self, existing: Sequence[Artifact]) -> Artifact | None:
        """The next precision, made and evaluated; ``None`` when there is no other.

        The original comes first: all others are compared with its answers, and a metric that cannot be
        computed shows before anything else is made.
        """
        by_precision = {artifact.precision: artifact for artifact in existing}
        for precision in (*ORIGINAL, *self.precisions):
            if precision not in by_precision and self._is_needed(precision, by_precision):
                slowest = max((artifact.seconds for artifact in existing), default=0.0)
                return self._evaluated(self._made(precision, slowest))
        return None

    def _is_needed(self, precision: Precision, existing: Mapping[Precision, Artifact]) -> bool:
        """Whether a precision is worth trying beside those that there are.

        Accuracy control, which takes long, and 32-bit floats around quantized layers are, where plain INT8
        (or INT8 weights) is not shown to keep the limit; the latter only if the device's default is lower.
        """
        plain = "int8" if precision == "int8_accuracy" else PINNED.get(precision, precision)
        if precision in ORIGINAL or plain == precision:
            return True
        artifact, default = existing.get(plain), existing.get("default")
        if artifact is None or not artifact.file or artifact.quality is None:
            return False
        if may_win(artifact, unproven=self.job.settings.unproven):
            return False
        if precision == "int8_accuracy":
            in_floats = existing.get("int8_f32")
            return in_floats is None or not may_win(in_floats, unproven=self.job.settings.unproven)
        loss = default.quality.loss if default is not None and default.quality is not None else None
        return loss is not None and not loss.low == loss.high == 0  # else every answer is that of f32

    def _made(self, precision: Precision, slowest: float) -> Artifact:
        seconds = MAKING * self.remaining()
        if precision not in ORIGINAL and seconds < LEAST_SECONDS:
            hint = larger_budget(self.job.settings.budget, MORE * max(slowest, LEAST_MAKING))
            return Artifact(precision, why_not=f"The budget left no time to make it. {hint}")
        self.report(f"making {PRECISIONS[precision]}")
        return make(precision, self.job, self.folder, seconds)

    def _evaluated(self, artifact: Artifact) -> Artifact:
        """Evaluated with many inferences at once, and where it is wrong so, one at a time."""
        if self.job.metric is None or not artifact.file:
            return artifact
        seconds = max(LEAST_EVALUATING, EVALUATING * self.remaining())
        self.report(f"evaluating {PRECISIONS[artifact.precision]}")
        evaluated = evaluate(artifact, self.job, self.folder, seconds)
        if artifact.precision == "f32" or not (fault := _fault(evaluated)):
            return evaluated
        single = evaluate(artifact, self.job, self.folder, seconds, SINGLE)
        if not may_win(single, unproven=self.job.settings.unproven):
            return evaluated
        note = f"One inference at a time it is right; under the {JUDGING.name} {fault}."
        return replace(single, note=f"{artifact.note} {note}".strip())


def _fault(evaluated: Artifact) -> str:
    """What is shown to be wrong with the answers of a model, for the middle of a sentence."""
    quality = evaluated.quality
    if quality is not None and quality.loss is not None and quality.kept == "exceeded":
        return f"it loses {estimate(quality.loss)} of {quality.metric}"
    return f"{evaluated.why_not[:1].lower()}{evaluated.why_not[1:].rstrip('.')}"


def make(precision: Precision, job: Job, folder: Path, seconds: float) -> Artifact:
    """The model in one precision, as a file beside the model that was read.

    ``f32`` and ``default`` are that model itself, ``int8_f32`` is the file of ``int8``. The others are made
    from it by NNCF, with the calibration samples where they need any.

    :param folder: the run's folder, to which ``Artifact.file`` is relative.
    :return: without a file, and with the reason, where the model cannot be made.
    """
    if precision in ORIGINAL:
        return _artifact(precision, job.model.file, folder)
    if precision == "int8_accuracy" and job.metric is None:
        return Artifact(precision, why_not="Accuracy control needs samples to evaluate with.")
    if precision in PINNED:
        file = job.model.file.with_name(f"{PINNED[precision]}.xml")
        note = "Layers that are not quantized compute in 32-bit floats."
        return replace(_artifact(precision, file, folder), note=note)
    start = time.monotonic()
    try:
        note = process.call(
            "optguide.optimize.compression.nncf:compress",
            {"precision": precision, "job": encode(job)},
            seconds=seconds,
            activity=f"making the model in {PRECISIONS[precision]}",
        )
    except StorageError:
        raise
    except OptGuideError as error:
        reason = str(error) if isinstance(error, EnvironmentMissing) else error.message
        if isinstance(error, WorkerHung):
            reason = f"{reason} {larger_budget(job.settings.budget, MORE * seconds)}"
        return Artifact(precision, seconds=time.monotonic() - start, why_not=reason)
    artifact = _artifact(precision, job.model.file.with_name(f"{precision}.xml"), folder)
    return replace(artifact, seconds=time.monotonic() - start, note=note)


def _artifact(precision: Precision, file: Path, folder: Path) -> Artifact:
    """An existing file with the bytes of its graph and weights."""
    size = sum(part.stat().st_size for part in (file, file.with_suffix(".bin")) if part.is_file())
    return Artifact(precision, Path(os.path.relpath(file, folder)).as_posix(), size=size)
