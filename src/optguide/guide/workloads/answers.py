"""Which answers of a model are right, for the guide's tasks that have right answers.

Trained and quantized files depend on no code in here, so changing how models are evaluated makes none of
them anew.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt

from optguide import plots
from optguide.guide.workloads import evaluation, packaged_evaluation
from optguide.guide.workloads.digits import correct
from optguide.records.model import EvaluatedModel
from optguide.stats import accuracy

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Drawing

    from optguide.records import Recording
    from optguide.stats.estimate import Estimate

F32 = {"INFERENCE_PRECISION_HINT": "f32"}
"""Properties under which the layers that a method left alone lose nothing."""


@dataclass(frozen=True)
class RightAnswers:
    """What a model answered to the questions of a task.

    :param name: the name of the model that pages show.
    :param right: whether each answer is right; several trainings are rows of a matrix.
    :param evidence: says which file was evaluated, how and in which task, for records.
    :param embeddings: one row for each text that was searched; ``None`` for other tasks.
    :param groups: the source of each question, such as a photograph, where several questions share one.
    """

    name: str
    right: npt.NDArray[np.bool_]
    evidence: EvaluatedModel | None = None
    embeddings: npt.NDArray[np.float32] | None = None
    groups: npt.NDArray[np.int64] | None = None

    @property
    def size(self) -> int:
        """Bytes of the weights.

        :raises TypeError: the answers come from no file.
        """
        if self.evidence is None:
            raise TypeError(f"{self.name} is no model in a file.")
        return self.evidence.model.with_suffix(".bin").stat().st_size

    @property
    def accuracy(self) -> Estimate:
        """Share of right answers. Questions of one source count as one together."""
        if self.groups is None:
            return accuracy.accuracy(self.right)
        if self.right.all() or not self.right.any():
            return accuracy.accuracy(self.right[_first_of_each(self.groups)])
        return accuracy.over_groups(self.right, self.groups, "share")

    def loss(self, other: RightAnswers) -> Estimate:
        """Percentage points that ``other`` loses against this model, paired by question or source."""
        before, after = self.right, other.right
        if self.groups is not None:
            if (before != after).any():
                return accuracy.over_groups(100 * (before * 1.0 - after), self.groups, "points")
            first = _first_of_each(self.groups)
            before, after = before[first], after[first]
        return accuracy.compare_accuracy(self.name, before, other.name, after).drop

    def cosines(self, other: RightAnswers) -> npt.NDArray[np.float32]:
        """Cosine of each text's embedding and that of ``other``; 1 where they point the same way.

        :raises TypeError: one of them has no embeddings.
        """
        if self.embeddings is None or other.embeddings is None:
            raise TypeError(f"{self.name} and {other.name} are not both models of texts.")
        # Where the last division is quantized too, embeddings are no longer of length 1.
        norms = np.linalg.norm(self.embeddings, axis=1) * np.linalg.norm(other.embeddings, axis=1)
        cosines: npt.NDArray[np.float32] = (self.embeddings * other.embeddings).sum(axis=1) / norms
        return cosines

    def similarity(self, other: RightAnswers) -> Estimate:
        """Mean of :meth:`cosines`."""
        return accuracy.mean_of_samples(self.cosines(other), "")


def _first_of_each(groups: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """The place of one question of each source: where all agree, only so many tell something."""
    return np.unique(groups, return_index=True)[1]


def digits(
    name: str,
    models: Sequence[Path],
    properties: Mapping[str, str] = F32,
    images: slice = slice(None),
) -> RightAnswers:
    """Answers to the held-out images of each fold: the first model answers for fold 0, and so on.

    :param images: those of each fold that count, where others have been used to make the model.
    """
    import openvino

    core = openvino.Core()
    right = [
        correct(core.compile_model(model, "CPU", properties), fold)[images]
        for fold, model in enumerate(models)
    ]
    return RightAnswers(name, np.concatenate(right), _evidence("digits", models[0], properties))


def of_trainings(models: Sequence[RightAnswers]) -> RightAnswers:
    """The answers of one model that was trained several times, from another seed each."""
    return replace(models[0], right=np.stack([model.right for model in models]))


def texts(
    name: str, model: Path, count: int | None = None, properties: Mapping[str, str] = F32
) -> RightAnswers:
    """Which first sentences an encoder takes to the text that they belong to.

    :param count: so many of the texts, which is an easier task than all of them.
    """
    answer = evaluation.evaluate(model, count, **properties)
    return RightAnswers(name, answer.hits, _evidence("sentences", model, properties), answer.bodies)


def packaged(
    name: str, task: str, model: Path, count: int, properties: Mapping[str, str] = F32
) -> RightAnswers:
    """Answers to ``count`` test inputs of a task of :mod:`optguide.guide.workloads.packaged_tasks`.

    As many inferences are in flight as the hint among ``properties`` asks for.
    """
    answers = packaged_evaluation.evaluate(task, str(model), count, **properties)
    groups = np.array(packaged_evaluation.data(task, count).groups, np.int64)
    return RightAnswers(
        name,
        packaged_evaluation.correct(task, answers),
        _evidence(task, model, properties),
        groups=groups if groups.size else None,
    )


def _evidence(task: str, model: Path, properties: Mapping[str, str]) -> EvaluatedModel:
    return EvaluatedModel(task, model, precision=properties.get("INFERENCE_PRECISION_HINT"))


def add_answers(
    record: Recording,
    prefix: str,
    models: Mapping[str, RightAnswers],
    *,
    title: str = "",
    also: Collection[Literal["size", "similarity"]] = (),
) -> None:
    """Record ``prefix.part.accuracy`` of all models, and ``prefix.part.drop`` of all but the first.

    :param models: part of the identifier to answers; the others were made from the first.
    :param title: beginning of all labels.
    :param also: ``size`` of the weights, and how many times ``smaller`` than the first; ``similarity`` of
        embeddings to those of the first.
    """
    before = f"{title}, " if title else ""
    original, *_ = models.values()
    for part, model in models.items():
        name, evidence = f"{before}{model.name}", model.evidence
        if evidence:
            evidence = replace(evidence, original=model is original)
        record.add(
            f"{prefix}.{part}.accuracy",
            model.accuracy,
            label=f"{name}: accuracy",
            evidence=evidence.evidence if evidence else None,
        )
        if "size" in also:
            record.add(f"{prefix}.{part}.size", model.size, unit="bytes", label=f"{name}: weights")
        if model is original:
            continue
        record.add(f"{prefix}.{part}.drop", original.loss(model), label=f"{name}: accuracy drop")
        if "size" in also:
            smaller = original.size / model.size
            label = f"{name}: size against {original.name}"
            record.add(f"{prefix}.{part}.smaller", smaller, unit="ratio", label=label, above="smaller")
        if "similarity" in also:
            label = f"{name}: cosine to the embedding of {original.name}"
            record.add(f"{prefix}.{part}.similarity", original.similarity(model), label=label)


def accuracy_figure(record: Recording, models: Mapping[str, RightAnswers], caption: str) -> Drawing:
    """Record the figure ``accuracy``: a bar for each model, with a line where the first one is."""
    rows = [(model.name, model.accuracy) for model in models.values()]
    original = rows[0][0]
    return record.figure(
        "accuracy",
        lambda: plots.bars(rows, "share", quantity="Accuracy", reference=original),
        alt=f"Accuracy, one bar with its interval for each of {', '.join(name for name, _ in rows)}.",
        caption=f"{caption} The line is {original}.",
    )


def gains_figure(record: Recording, gains: Mapping[str, Estimate], caption: str) -> Drawing:
    """Record the figure ``gains``: what :meth:`Recording.ratios` has returned, one row for each ratio."""
    return record.figure(
        "gains",
        lambda: plots.ratios(list(gains.items())),
        alt=f"How many times faster, with intervals: {', '.join(gains)}.",
        caption=caption,
    )
