"""The judge that NNCF's accuracy control asks, over and over, while it takes layers back to floats.

It judges by the samples that calibrate. Those that judge in the end take no part: samples by which layers
were chosen are no test of the choice.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from optguide.optimize.data.dataset import Data
from optguide.optimize.evaluation.answers import Answers, Array, answers_to, load, store
from optguide.optimize.evaluation.metrics import Metric
from optguide.optimize.evaluation.scoring import score

if TYPE_CHECKING:
    import openvino

__all__ = ["Control"]


class Control:
    """A validation function and what it needs.

    :param original: the 32-bit model, compiled.
    :param folder: where its answers are kept.
    """

    def __init__(
        self,
        original: openvino.CompiledModel,
        data: Data,
        metric: Metric,
        limit: float,
        items: tuple[int, ...],
        folder: Path,
    ) -> None:
        self._data = data
        self._metric = metric
        store(folder, self._answers(original, items))
        known = load(folder)
        self._places = {item: place for place, item in enumerate(items[: len(known)])}
        self.items = tuple(self._places)
        self._original = known
        scores = score(metric, self._labelled(known, self.items), known)
        size = 1.0 if scores.kind == "correct" else abs(float(scores.values.mean()))
        self.max_drop = limit * size

    def inputs(self, item: int) -> Mapping[str, Array]:
        """The sample called ``item``, for NNCF's own inferences."""
        return self._data.samples[item]

    def validate(
        self, compiled: openvino.CompiledModel, items: Iterable[int]
    ) -> tuple[float, list[float] | list[list[Array]]]:
        """How right the model is, higher for better, and what each sample contributes.

        A metric of all samples has nothing to say of one; then the outputs go to NNCF, which compares them.
        """
        chosen = tuple(items)
        outputs = [answer for _, answer in self._answers(compiled, chosen)]
        original = self._original.picked(self._places[item] for item in chosen)
        scores = score(self._metric, self._labelled(Answers(outputs), chosen), original)
        sign = 1.0 if self._metric.higher_is_better else -1.0
        if scores.kind == "whole":
            return sign * float(scores.values[0]), outputs
        values = sign * scores.values.reshape(len(chosen), -1).mean(axis=1)
        return float(values.mean()), [float(value) for value in values]

    def _answers(self, compiled: openvino.CompiledModel, items: tuple[int, ...]) -> Any:
        return answers_to(compiled, (self._data.samples[item] for item in items), math.inf)

    def _labelled(self, answers: Answers, items: tuple[int, ...]) -> Answers:
        if self._data.labels is None:
            return answers
        return Answers(answers.outputs, np.asarray(self._data.labels)[list(items)])
