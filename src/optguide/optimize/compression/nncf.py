"""Making a smaller model with NNCF; runs in a process of its own.

How a model is quantized follows from its graph. Where it has attention it is declared a transformer, which
keeps normalisations in floating point and smooths the inputs of matrix products; without, encoders lose a
good part of their accuracy. Where activations give negative numbers too, their 8-bit ranges are asymmetric
(``MIXED``), else symmetric (``PERFORMANCE``).
"""

from __future__ import annotations

import math
import shutil
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from optguide.errors import EnvironmentMissing, ModelError, NotEnoughSamples
from optguide.optimize.candidate import Candidate
from optguide.optimize.compression.calibration import checked, quantizable
from optguide.optimize.data import Data, read_data
from optguide.optimize.evaluation import JUDGING, Job, compiled_for
from optguide.optimize.evaluation.answers import Answers, Array, answers_to, load, store
from optguide.optimize.evaluation.metrics import Metric, score
from optguide.optimize.model import OUT_REMEDY, decode, structure, write_ir
from optguide.quiet import no_telemetry, quietly
from optguide.storage import storage_errors

if TYPE_CHECKING:
    import openvino

_MOST_BYTES = 1 << 30
"""Of calibration samples, which NNCF needs all at once."""

_FOUR_BITS = ("i4", "u4")
_INTEGERS = (*_FOUR_BITS, "i8", "u8")

_HARDLY_SMALLER = 0.9
"""Share of the bytes of weights: a model that keeps more of them gains nothing by compression."""

_RANKING_SAMPLES = 20
"""Samples that rank layers in accuracy control; with more it takes far longer and picks much the same."""


def compress(*, precision: str, job: Mapping[str, Any]) -> str:
    """Write ``<precision>.xml`` beside the model's file and say in sentences how it was made.

    :raises ModelError: there is nothing to compress, or it is compressed already.
    """
    no_telemetry()
    if find_spec("nncf") is None:
        raise EnvironmentMissing("NNCF is not installed.", 'Run: pip install "optguide[models]"')
    import openvino

    task = decode(job, Job)
    model = openvino.Core().read_model(task.model.file)
    quantizable(model)
    with quietly():
        if precision.endswith("_weights"):
            small, note = _compressed_weights(model, precision)
        else:
            small, note = _quantized(model, task, with_control=precision == "int8_accuracy")
    write_ir(small, task.model.file.with_name(f"{precision}.xml"))
    return note


def _quantized(model: openvino.Model, job: Job, *, with_control: bool) -> tuple[openvino.Model, str]:
    import nncf

    data = read_data(job.settings, job.model)
    if not data.calibration:
        raise NotEnoughSamples("There are no samples to calibrate with.", "Give two samples or more.")
    indexes = _affordable(data)
    samples = checked(model, [data.samples[index] for index in indexes])
    options, notes = _options(model)
    notes.insert(0, f"Calibrated with {len(samples)} {'random ' if data.random else ''}samples.")
    options["subset_size"] = len(samples)
    if not with_control or job.metric is None:
        return nncf.quantize(model, nncf.Dataset(samples), **options), " ".join(notes)
    folder = job.model.file.parent / "outputs" / "control"
    try:
        with storage_errors(folder, OUT_REMEDY):
            original = compiled_for(job.model.file, "CPU", Candidate("f32", JUDGING))
            control = AccuracyControl(original, data, job.metric, indexes, folder)
        small = nncf.quantize_with_accuracy_control(
            model,
            calibration_dataset=nncf.Dataset(samples),
            validation_dataset=nncf.Dataset(control.indexes, control.inputs),
            validation_fn=control.validate,
            max_drop=job.settings.max_drop * control.scale,
            advanced_accuracy_restorer_parameters=nncf.AdvancedAccuracyRestorerParameters(
                ranking_subset_size=_RANKING_SAMPLES
            ),
            **options,
        )
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    notes.append("The calibration samples also decided which layers stay in floating point.")
    return small, " ".join(notes)


class AccuracyControl:
    """The validation that NNCF's accuracy control calls again and again while it restores layers.

    It uses the calibration samples. Those of the evaluation take no part: samples that decided which layers
    are restored are no test of that decision.

    :param indexes: positions of the calibration samples to validate with.
    :ivar scale: what a drop of one means in the metric's own unit.
    """

    def __init__(
        self,
        original: openvino.CompiledModel,
        data: Data,
        metric: Metric,
        indexes: Sequence[int],
        folder: Path,
    ) -> None:
        self._data = data
        self._metric = metric
        store(folder, answers_to(original, (data.samples[index] for index in indexes)))
        self._original = load(folder)
        self.indexes = tuple(indexes[: len(self._original)])
        self._places = {index: place for place, index in enumerate(self.indexes)}
        scores = score(metric, self._labelled(self._original, self.indexes), self._original)
        self.scale = 1.0 if scores.kind == "correct" else abs(float(scores.values.mean()))

    def inputs(self, index: int) -> Mapping[str, Array]:
        """The sample at ``index``, for NNCF's own inferences."""
        return self._data.samples[index]

    def validate(
        self, compiled: openvino.CompiledModel, indexes: Iterable[int]
    ) -> tuple[float, list[float] | list[list[Array]]]:
        """The model's score, higher for better, and what each sample contributes to it.

        A metric of all samples has no value for a single one; then NNCF gets the outputs and compares them.
        """
        chosen = tuple(indexes)
        answers = answers_to(compiled, (self._data.samples[index] for index in chosen))
        outputs = [sample_outputs for _, sample_outputs in answers]
        original = self._original.picked([self._places[index] for index in chosen])
        scores = score(self._metric, self._labelled(Answers(outputs), chosen), original)
        if scores.kind == "whole":
            return self._metric.sign * float(scores.values[0]), outputs
        values = self._metric.sign * scores.values.reshape(len(chosen), -1).mean(axis=1)
        return float(values.mean()), [float(value) for value in values]

    def _labelled(self, answers: Answers, indexes: Sequence[int]) -> Answers:
        if self._data.labels is None:
            return answers
        return Answers(answers.outputs, np.asarray(self._data.labels)[list(indexes)])


def _options(model: openvino.Model) -> tuple[dict[str, Any], list[str]]:
    """Options of ``nncf.quantize`` that the model calls for, and in sentences why."""
    import nncf

    if structure.attends(model):
        return {"model_type": nncf.ModelType.TRANSFORMER}, [
            "Declared a transformer, because its graph has attention."
        ]
    if activation := structure.unbounded_below(model):
        return {"preset": nncf.QuantizationPreset.MIXED}, [
            f"Activations have asymmetric ranges, because of {activation}."
        ]
    return {"preset": nncf.QuantizationPreset.PERFORMANCE}, []


def _affordable(data: Data) -> tuple[int, ...]:
    """Calibration samples, fewer where they are large, and then evenly from all of them."""
    first = data.samples[data.calibration[0]]
    limit = _MOST_BYTES // max(1, sum(array.nbytes for array in first.values()))
    return data.calibration[:: math.ceil(len(data.calibration) / max(1, limit))]


def _compressed_weights(model: openvino.Model, precision: str) -> tuple[openvino.Model, str]:
    import nncf

    in_four_bits = precision == "int4_weights"
    options: dict[str, Any] = {"mode": nncf.CompressWeightsMode.INT8_ASYM}
    if in_four_bits:
        options = {
            "mode": nncf.CompressWeightsMode.INT4_ASYM,
            "group_size": 64,
            "ratio": 1.0,
            "advanced_parameters": nncf.AdvancedCompressionParameters(
                group_size_fallback_mode=nncf.GroupSizeFallbackMode.ADJUST
            ),
        }
    before = _constant_bytes(model)
    small = nncf.compress_weights(model, **options)
    if _constant_bytes(small) > _HARDLY_SMALLER * before:
        raise ModelError(
            "Compressing weights makes the model hardly smaller: most are in layers that NNCF leaves out.",
            "Leave it as it is.",
        )
    if not in_four_bits:
        return small, ""
    counts = _compressed_constants(small)
    four_bit_layers = sum(counts[dtype] for dtype in _FOUR_BITS)
    if not four_bit_layers:
        raise ModelError(
            "No layer can have weights of 4 bits, so this would be the model with 8-bit weights.",
            "Use that one.",
        )
    return small, f"4-bit weights in {four_bit_layers} of {counts.total()} layers, 8-bit ones in the others."


def _constant_bytes(model: openvino.Model) -> int:
    return sum(op.get_byte_size() for op in model.get_ops() if op.get_type_name() == "Constant")


def _compressed_constants(model: openvino.Model) -> Counter[str]:
    """How many weights there are of each integer type."""
    constants = (op for op in model.get_ops() if op.get_type_name() == "Constant")
    return Counter(op.get_element_type().get_type_name() for op in constants if _is_unpacked(op))


def _is_unpacked(constant: Any) -> bool:
    """Whether a constant is unpacked for computing; zero points are too, as the second operand."""
    if constant.get_element_type().get_type_name() not in _INTEGERS or len(constant.get_output_shape(0)) < 2:
        return False
    converts = [target.get_node() for target in constant.output(0).get_target_inputs()]
    return any(
        target.get_index() == 0
        for convert in converts
        if convert.get_type_name() == "Convert"
        for target in convert.output(0).get_target_inputs()
    )
