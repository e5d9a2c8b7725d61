"""Making a smaller model with NNCF; runs in a process of its own.

How a model is quantized follows from its graph. Where it attends it is declared a transformer, which keeps
normalisations in floats and smooths what enters matrix products; without, encoders lose a good part of their
accuracy. Where activations give negative numbers too, their 8-bit ranges are asymmetric (``MIXED``), else
symmetric (``PERFORMANCE``).
"""

from __future__ import annotations

import math
import shutil
from collections import Counter
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from optguide.errors import EnvironmentMissing, ModelError, NotEnoughSamples
from optguide.optimize.compression.calibration import checked, quantizable
from optguide.optimize.config import Settings
from optguide.optimize.data.dataset import Data, read_data
from optguide.optimize.evaluation.evaluate import compiled_for
from optguide.optimize.evaluation.metrics import Metric
from optguide.optimize.files import writing
from optguide.optimize.model import structure
from optguide.optimize.model.source import SourceModel, decode
from optguide.quiet import no_telemetry, quietly

if TYPE_CHECKING:
    import openvino
from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from optguide.optimize.evaluation.answers import Answers, Array, answers_to, load, store
from optguide.optimize.evaluation.metrics import score

if TYPE_CHECKING:
    import openvino

__all__ = ["Control", "compressed"]

_MOST_BYTES = 1 << 30
"""Of calibration samples, which NNCF wants all at once."""

_FOUR_BITS = ("i4", "u4")
_INTEGERS = (*_FOUR_BITS, "i8", "u8")

_HARDLY = 0.9
"""Share of the bytes of weights: a model that keeps more of them gains nothing by compression."""

_RANKED_BY = 20
"""Samples that rank layers in accuracy control; with more it takes far longer and picks much the same."""


def compressed(
    *,
    precision: str,
    settings: Mapping[str, Any],
    subject: Mapping[str, Any],
    metric: Mapping[str, Any] | None,
) -> str:
    """Write ``<precision>.xml`` beside the subject's file; sentences on how it was made.

    :raises ModelError: there is nothing to compress, or it is compressed already.
    :raises EnvironmentMissing: NNCF is not installed.
    :raises StorageError: the folder cannot be written.
    """
    no_telemetry()
    if find_spec("nncf") is None:
        raise EnvironmentMissing("NNCF is not installed.", 'Run: pip install "optguide[models]"')
    import openvino

    asked, given = msgspec.convert(settings, Settings), decode(subject)
    model = openvino.Core().read_model(given.file)
    quantizable(model)
    with quietly():
        if precision.endswith("_weights"):
            small, note = _weights(model, precision)
        else:
            how = Metric(**metric) if precision == "int8_accuracy" and metric else None
            small, note = _quantized(model, given, read_data(asked, given), how, asked.max_drop)
    _save(small, given.file.with_name(f"{precision}.xml"))
    return note


def _quantized(
    model: openvino.Model, subject: SourceModel, data: Data, metric: Metric | None, max_drop: float
) -> tuple[openvino.Model, str]:
    """:param metric: that accuracy control keeps; ``None`` quantizes without."""
    import nncf

    if not data.calibration:
        raise NotEnoughSamples("There are no samples to calibrate with.", "Give two samples or more.")
    indexes = _affordable(data)
    samples = checked(model, [data.samples[index] for index in indexes])
    options, notes = _options(model)
    notes.insert(0, f"Calibrated with {len(samples)} {'random ' if data.random else ''}samples.")
    options["subset_size"] = len(samples)
    if metric is None:
        return nncf.quantize(model, nncf.Dataset(samples), **options), " ".join(notes)
    folder = subject.file.parent / "outputs" / "control"
    try:
        with writing(folder):
            original = compiled_for(subject.file, "CPU", "f32")
            control = Control(original, data, metric, max_drop, indexes, folder)
        small = nncf.quantize_with_accuracy_control(
            model,
            calibration_dataset=nncf.Dataset(samples),
            validation_dataset=nncf.Dataset(control.items, control.inputs),
            validation_fn=control.validate,
            max_drop=control.max_drop,
            advanced_accuracy_restorer_parameters=nncf.AdvancedAccuracyRestorerParameters(
                ranking_subset_size=_RANKED_BY
            ),
            **options,
        )
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    notes.append("The samples that calibrate have also chosen which layers stay in floats.")
    return small, " ".join(notes)


def _options(model: openvino.Model) -> tuple[dict[str, Any], list[str]]:
    """What NNCF is told of the model, and in words why."""
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
    most = _MOST_BYTES // max(1, sum(array.nbytes for array in first.values()))
    return data.calibration[:: math.ceil(len(data.calibration) / max(1, most))]


def _weights(model: openvino.Model, precision: str) -> tuple[openvino.Model, str]:
    import nncf

    four = precision == "int4_weights"
    options: dict[str, Any] = {"mode": nncf.CompressWeightsMode.INT8_ASYM}
    if four:
        adjust = nncf.AdvancedCompressionParameters(
            group_size_fallback_mode=nncf.GroupSizeFallbackMode.ADJUST
        )
        options = {
            "mode": nncf.CompressWeightsMode.INT4_ASYM,
            "group_size": 64,
            "ratio": 1.0,
            "advanced_parameters": adjust,
        }
    before = _weight(model)
    small = nncf.compress_weights(model, **options)
    if _weight(small) > _HARDLY * before:
        raise ModelError(
            "Compressing weights makes the model hardly smaller: most are in layers that NNCF leaves out.",
            "Leave it as it is.",
        )
    counts = _compressed_constants(small)
    if not four:
        return small, ""
    in_four = sum(counts[kind] for kind in _FOUR_BITS)
    if not in_four:
        raise ModelError(
            "No layer can have weights of 4 bits, so this would be the model with 8-bit weights.",
            "Use that one.",
        )
    return small, f"4-bit weights in {in_four} of {counts.total()} layers, 8-bit ones in the others."


def _weight(model: openvino.Model) -> int:
    """Bytes of all constants."""
    return sum(op.get_byte_size() for op in model.get_ops() if op.get_type_name() == "Constant")


def _compressed_constants(model: openvino.Model) -> Counter[str]:
    """How many weights there are of each integer type."""
    constants = (op for op in model.get_ops() if op.get_type_name() == "Constant")
    return Counter(op.get_element_type().get_type_name() for op in constants if _unpacked(op))


def _unpacked(constant: Any) -> bool:
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


def _save(model: openvino.Model, final: Path) -> None:
    """Write a model so that its file appears last, and complete."""
    import openvino

    folder = final.with_suffix(".part")
    shutil.rmtree(folder, ignore_errors=True)
    with writing(final.parent):
        try:
            folder.mkdir()
            unfinished = folder / final.name
            openvino.save_model(model, unfinished, compress_to_fp16=False)
            openvino.Core().read_model(unfinished)
            final.unlink(missing_ok=True)
            unfinished.with_suffix(".bin").replace(final.with_suffix(".bin"))
            unfinished.replace(final)
        finally:
            shutil.rmtree(folder, ignore_errors=True)


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
