"""How well each precision of the model answers samples that had no part in making it.

The answers of 32-bit floats are kept in the run's folder, beside the model, since all others are compared
with them. Every precision answers in a process of its own, in the inference precision that it is measured in
and under the settings of a deployment: some models answer rightly under one and not under another. Where time
is short fewer samples are answered; their order is random.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from optguide.bench import process
from optguide.errors import Failure, InputError, OptGuideError, StorageError, UserError
from optguide.optimize.candidate import PRECISIONS, Candidate, Deployment, Settings
from optguide.optimize.data import Data, read_data
from optguide.optimize.evaluation.answers import Answers, answers_to, load, store
from optguide.optimize.evaluation.metrics import Metric
from optguide.optimize.evaluation.quality import doubt, evaluated
from optguide.optimize.model import OUT_REMEDY, SourceModel, decode, encode
from optguide.optimize.outcome import Artifact, Quality
from optguide.runtimes.openvino_models import set_batch
from optguide.storage import storage_errors

if TYPE_CHECKING:
    import openvino


JUDGING = Deployment("THROUGHPUT", requests=0)
"""How a precision is evaluated before there are candidates: many samples are answered soonest this way."""

_ANSWERING = 0.6
"""Share of the time after which no further sample is started; scoring and resampling get the rest."""

_RESAMPLING = 0.1
"""Share of the time that resampling a metric of all samples may take."""


@dataclass(frozen=True)
class Job:
    """What a process needs to make or evaluate the model in any precision.

    :param metric: ``None`` where nothing can be evaluated, as with random data.
    """

    settings: Settings
    model: SourceModel
    metric: Metric | None = None


def evaluate(
    artifact: Artifact, job: Job, folder: Path, seconds: float, deployment: Deployment = JUDGING
) -> Artifact:
    """``artifact`` with its quality, or with a note that says why nothing could evaluate it.

    32-bit floats have to be evaluated first. A model that answers NaN where they do not is no candidate: it
    is returned without its file.

    :param folder: the run's folder, to which ``artifact.file`` is relative.
    :raises UserError: labels, outputs or the user's metric do not fit, which shows with 32-bit floats.
    """
    if not artifact.file:
        return artifact
    try:
        answer = process.call(
            f"{__name__}:{evaluate_file.__name__}",
            {
                "job": encode(job),
                "candidate": asdict(Candidate(artifact.precision, deployment)),
                "file": str(folder / artifact.file),
                "seconds": seconds,
            },
            seconds=seconds,
            activity=f"evaluating the model in {PRECISIONS[artifact.precision]}",
        )
    except StorageError:
        raise
    except OptGuideError as error:
        if artifact.precision == "f32" and isinstance(error, UserError):
            raise
        return replace(artifact, quality=None, note=f"{artifact.note} {error.message}".strip())
    if answer["defect"]:
        return replace(artifact, file="", why_not=answer["defect"])
    return replace(artifact, quality=msgspec.convert(answer["quality"], Quality))


def evaluate_file(
    *, job: Mapping[str, Any], candidate: Mapping[str, Any], file: str, seconds: float
) -> dict[str, Any]:
    """The quality of a model file, as JSON; called in a process of its own.

    ``defect`` says what makes the model useless, and is empty otherwise.
    """
    until = time.monotonic() + _ANSWERING * seconds
    task, deployed = decode(job, Job), msgspec.convert(candidate, Candidate)
    settings = deployed.deployment
    data = read_data(task.settings, task.model)
    if task.metric is None or not data.evaluation:
        raise Failure("Random data cannot show accuracy.", "Give samples with --data.")
    outputs = task.model.file.parent / "outputs"
    is_reference = deployed == Candidate("f32", JUDGING)
    originals, own = outputs / "f32", outputs / ("f32" if is_reference else f"{deployed.precision}.draft")
    # Mixed, so that the first of them, however many there is time for, are a random choice.
    order = [int(index) for index in np.random.default_rng(task.settings.seed).permutation(data.evaluation)]
    with storage_errors(outputs, OUT_REMEDY):
        compiled = compiled_for(Path(file), task.settings.device, deployed)
        samples = (data.samples[index] for index in order)
        in_flight = 1 if settings.requests is None else settings.requests
        stacked = max(1, (settings.batch or 0) // task.model.batch)
        store(own, answers_to(compiled, samples, until, requests=in_flight, stacked=stacked))
        original, other = _labelled(_originals(originals), data, order), None
        try:
            if own != originals:
                other = _labelled(load(own), data, order)
                original, other = _paired(original, other)
                if defect := _defect(original, other):
                    return {"defect": defect}
            quality = evaluated(
                task.metric, original, other, task.settings.max_drop, seconds=_RESAMPLING * seconds
            )
            if other is None:
                quality = replace(quality, note=doubt(task.metric, original, quality))
            return {"defect": "", "quality": msgspec.to_builtins(quality)}
        finally:
            if own != originals:
                shutil.rmtree(own, ignore_errors=True)


def compiled_for(file: Path, device: str, candidate: Candidate) -> openvino.CompiledModel:
    """The model in ``file``, compiled as a candidate is measured."""
    import openvino

    core = openvino.Core()
    model = core.read_model(file)
    if candidate.deployment.batch:
        set_batch(model, candidate.deployment.batch)
    return core.compile_model(model, device, dict(candidate.properties))


def _originals(folder: Path) -> Answers:
    try:
        return load(folder)
    except FileNotFoundError:
        raise Failure(
            "There are no answers of 32-bit floats to compare with.", "Evaluate them first."
        ) from None


def _labelled(answers: Answers, data: Data, order: list[int]) -> Answers:
    if data.labels is None:
        return answers
    return replace(answers, labels=data.labels[order[: len(answers)]])


def _paired(original: Answers, other: Answers) -> tuple[Answers, Answers]:
    """The answers to the samples that both models have answered.

    :raises InputError: they were not the same samples.
    """
    count = min(len(original), len(other))
    if original.checksums[:count] != other.checksums[:count]:
        raise InputError(
            "The data differ from one reading to the next, so answers cannot be compared.",
            "Read them in a fixed order, without shuffling and with fixed random seeds.",
        )
    return original.first(count), other.first(count)


def _defect(original: Answers, other: Answers) -> str:
    """Where the model answers NaN or infinity and 32-bit floats answer with numbers, in one sentence."""
    for index, outputs in enumerate(zip(original.outputs, other.outputs, strict=True)):
        for before, after in zip(*outputs, strict=True):
            if after.dtype.kind == "f" and not np.isfinite(after).all() and np.isfinite(before).all():
                value = "NaN" if np.isnan(after).any() else "infinity"
                return f"It answers evaluation sample {index} with {value}, and 32-bit floats do not."
    return ""
