"""What each precision of the model answers to samples that had no part in making it.

Answers of 32-bit floats are kept in the run's folder, beside the model, since all others are held against
them. Every precision answers in a process of its own, as it would run: 32-bit floats pinned, everything else
in the device's default precision. Where time is short fewer samples are judged; they come in random order.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from optguide.bench import child
from optguide.errors import Failure, InputError, OptGuideError, StorageError, UserError
from optguide.optimize.candidate import PRECISIONS
from optguide.optimize.config import Settings
from optguide.optimize.data.dataset import Data, read_data
from optguide.optimize.evaluation.answers import Answers, answers_to, load, store
from optguide.optimize.evaluation.metrics import Metric
from optguide.optimize.evaluation.quality import quality
from optguide.optimize.files import writing
from optguide.optimize.model.source import SourceModel, decode, encode
from optguide.optimize.outcome import Artifact, Quality

if TYPE_CHECKING:
    import openvino

__all__ = ["compiled_for", "judge", "judged_by"]

_ANSWERING = 0.6
"""Share of the time after which no further sample is begun; scoring and resampling get the rest."""


def judge(
    artifact: Artifact,
    settings: Settings,
    subject: SourceModel,
    data: Data,
    metric: Metric,
    folder: Path,
    seconds: float,
) -> Artifact:
    """``made`` with its quality, or with a note that says why nothing could judge it.

    32-bit floats have to be judged first. A model that answers NaN where they do not is no candidate: it
    comes back without its file.

    :param folder: of the run, to which ``made.file`` is relative.
    :param seconds: that answering and scoring may take.
    :raises UserError: labels, outputs or the reader's metric do not fit, seen with 32-bit floats.
    :raises StorageError: the run's folder cannot be written.
    """
    if not artifact.file:
        return artifact
    if data.random or not data.evaluation:
        why = "Random data judge no accuracy." if data.random else "There are no samples left to judge by."
        return _noted(artifact, why)
    name = PRECISIONS[artifact.precision]
    try:
        found = child.call(
            f"{__name__}:{judged_by.__name__}",
            {
                "settings": msgspec.to_builtins(settings),
                "subject": encode(subject),
                "metric": asdict(metric),
                "precision": artifact.precision,
                "file": str(folder / artifact.file),
                "seconds": seconds,
            },
            seconds=seconds,
            what=f"judging the model in {name}",
        )
    except StorageError:
        raise
    except OptGuideError as error:
        if artifact.precision == "f32" and isinstance(error, UserError):
            raise
        return _noted(artifact, error.message)
    if found["broken"]:
        return replace(artifact, file="", why_not=found["broken"])
    return replace(artifact, quality=msgspec.convert(found["quality"], Quality))


def judged_by(
    *,
    settings: Mapping[str, Any],
    subject: Mapping[str, Any],
    metric: Mapping[str, Any],
    precision: str,
    file: str,
    seconds: float,
) -> dict[str, Any]:
    """The quality of a model file, as JSON; called in a process of its own.

    ``broken`` says what makes it useless, and is empty otherwise.
    """
    start = time.monotonic()
    asked, model = msgspec.convert(settings, Settings), decode(subject)
    data, how = read_data(asked, model), Metric(**metric)
    kept = model.file.parent / "outputs"
    answered = kept / ("f32" if precision == "f32" else f"{precision}.judged")
    until = start + _ANSWERING * seconds
    with writing(kept):
        compiled = compiled_for(Path(file), asked.device, precision)
        order = _order(data.evaluation, asked.seed)
        store(answered, answers_to(compiled, (data.samples[index] for index in order), until))
        original = _labelled(_originals(kept / "f32"), data, order)
        if precision == "f32":
            return _answer(quality(how, original, None, asked.max_drop, seconds=seconds / 10))
        try:
            other = _labelled(load(answered), data, order)
            count = _paired(original, other)
            original, other = original.first(count), other.first(count)
            broken = _broken(original, other)
            if broken:
                return {"broken": broken}
            return _answer(quality(how, original, other, asked.max_drop, seconds=seconds / 10))
        finally:
            shutil.rmtree(answered, ignore_errors=True)


def compiled_for(file: Path, device: str, precision: str) -> openvino.CompiledModel:
    """A model compiled for many samples, in the inference precision that it is measured in."""
    import openvino

    properties: dict[str, Any] = {"PERFORMANCE_HINT": "THROUGHPUT"}
    if precision == "f32":
        properties["INFERENCE_PRECISION_HINT"] = "f32"
    core = openvino.Core()
    return core.compile_model(core.read_model(file), device, properties)


def _originals(folder: Path) -> Answers:
    try:
        return load(folder)
    except FileNotFoundError:
        raise Failure("There are no answers of 32-bit floats to compare with.", "Judge them first.") from None


def _answer(found: Quality) -> dict[str, Any]:
    return {"broken": "", "quality": msgspec.to_builtins(found)}


def _noted(artifact: Artifact, why: str) -> Artifact:
    return replace(artifact, quality=None, note=f"{artifact.note} {why}".strip())


def _order(judged: tuple[int, ...], seed: int) -> list[int]:
    """The judged samples, mixed: the first of them, however many, are a random choice."""
    return [int(index) for index in np.random.default_rng(seed).permutation(judged)]


def _labelled(answers: Answers, data: Data, order: list[int]) -> Answers:
    if data.labels is None:
        return answers
    return replace(answers, labels=data.labels[order[: len(answers)]])


def _paired(original: Answers, other: Answers) -> int:
    """How many samples both have answered.

    :raises InputError: they were not the same samples.
    """
    count = min(len(original), len(other))
    if original.marks[:count] != other.marks[:count]:
        raise InputError(
            "The data are not the same every time they are read, so answers cannot be compared.",
            "Read them in a fixed order, without shuffling and with fixed random seeds.",
        )
    return count


def _broken(original: Answers, other: Answers) -> str:
    """What a model answers that is no number, where 32-bit floats answer with numbers."""
    for index, (mine, theirs) in enumerate(zip(original.outputs, other.outputs, strict=True)):
        for a, b in zip(mine, theirs, strict=True):
            if b.dtype.kind == "f" and not np.isfinite(b).all() and np.isfinite(a).all():
                what = "NaN" if np.isnan(b).any() else "infinity"
                return f"It answers judged sample {index} with {what}, and 32-bit floats do not."
    return ""
