"""Metrics: which one evaluates a model, and what it makes of the model's answers.

A metric is the one that the user names or, without a name, the one that labels and outputs suggest. It gives
right or wrong per sample, a number per sample, or one number for all samples.
"""

from __future__ import annotations

import contextlib
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from optguide import references
from optguide.bench import process
from optguide.errors import InputError, OptionError, OutputError, described
from optguide.optimize.candidate import Settings
from optguide.optimize.data import Data
from optguide.optimize.data.labels import class_outputs, classes
from optguide.optimize.evaluation.answers import Answers, Array
from optguide.optimize.model import SourceModel
from optguide.optimize.model.structure import classifies, is_probability
from optguide.quiet import no_telemetry
from optguide.runtimes.ports import Port
from optguide.stats.accuracy import similarity

if TYPE_CHECKING:
    import openvino


Kind = Literal["correct", "value", "whole"]
Rule = Literal["top-k", "agreement", "cosine", "mean error", "function"]

_IMPORT_SECONDS = 300.0

_TOP = re.compile(r"top-?([1-9]\d*)")
_LESS_IS_BETTER = re.compile(r"(^|_)(error|err|loss|distance|mae|mse|rmse|perplexity|wer|cer)(_|$)")
_NAMES = "Use top-1, top-5 or another top-k, agreement, cosine, mean-error, or package.module:function."
_CONVENTION = (
    "It gets a list of outputs by sample and the labels, and returns one boolean or number per sample, or "
    "one number for all."
)


@dataclass(frozen=True)
class Metric:
    """How to score the answers of a model, as plain data.

    :param name: name in reports; of the reader's own function, its ``package.module:function``.
    :param proxy: whether it compares with the answers of the 32-bit model instead of with labels.
    :param output: index of the output that is scored; cosine compares all outputs, and a function gets them.
    :param k: how many of the highest scores top-k looks at.
    """

    name: str
    rule: Rule
    proxy: bool
    higher_is_better: bool = True
    output: int = 0
    k: int = 1

    @property
    def sign(self) -> float:
        """Of a value for which more is better."""
        return 1.0 if self.higher_is_better else -1.0


@dataclass(frozen=True)
class Scores:
    """What a metric gives: right or wrong per row, a number per sample, or one number for all samples.

    :param values: booleans for ``"correct"``, one per row of a batch; numbers for ``"value"``, one per
        sample; a single number for ``"whole"``.
    """

    kind: Kind
    values: Array


def resolve(settings: Settings, data: Data, model: SourceModel) -> Metric:
    """The metric that ``settings.metric`` names or, without a name, the one that fits labels and outputs.

    Integer labels and an output of scores by class give top-1, other labels the mean error. Without labels
    the answers are compared with those of the 32-bit model: by the class with the highest score where the
    graph ends like a classifier's, otherwise by cosine similarity.

    A function of the user's is called with ``outputs``, a list with one list of arrays for each sample of the
    evaluation (one array per output of the model, with their batch dimension), and ``labels``, an array with
    one entry per sample, or ``None``. It returns one boolean per sample, one number per sample, or one number
    for all. An attribute ``higher_is_better = False`` says that less is better.

    :raises OptionError: the name is unknown, the function cannot be imported, the metric needs other labels
        or outputs than there are, or a metric is named where all data is random.
    """
    name = settings.metric
    if name is None and data.labels is not None:
        return _labelled_metric(data.labels, model)
    if name is None:
        is_classifier = len(model.outputs) == 1 and classes(model.outputs[0]) and classifies(_graph(model))
        return _agreement(0) if is_classifier else _cosine()
    if data.random:
        raise OptionError(f"The metric {name} has no samples to score.", "Give samples with --data as well.")
    if not references.is_reference(name):
        return _named(name, data, model)
    higher_is_better = process.call(
        f"{__name__}:{describe.__name__}",
        {"reference": name},
        seconds=_IMPORT_SECONDS,
        activity=f"importing {name}",
    )
    return Metric(name, "function", proxy=False, higher_is_better=higher_is_better)


def describe(reference: str) -> bool:
    """Whether a higher value of the reader's function is better; called in a process of its own."""
    function = references.function(reference, OptionError)
    better: Any = getattr(function, "higher_is_better", None)
    name = reference.rpartition(":")[2].rpartition(".")[2]
    if better is None and _LESS_IS_BETTER.search(name.lower()):
        raise OptionError(
            f"The metric {reference} does not say whether a higher value is better.",
            f"Write {name}.higher_is_better = False below the function, or True.",
        )
    return better is None or bool(better)


def _named(name: str, data: Data, model: SourceModel) -> Metric:
    normalized = name.lower()
    if normalized == "cosine":
        return _cosine()
    if normalized == "agreement":
        return _agreement(_class_output(model, name))
    top = _TOP.fullmatch(normalized)
    if not top and normalized != "mean-error":
        raise OptionError(f"There is no metric {name!r}.", _NAMES)
    if data.labels is None:
        raise OptionError(
            f"The metric {name} needs labels, and {data.source} has none.",
            "Add labels, or leave --metric out: then answers are compared with those of the 32-bit model.",
        )
    if not top:
        return _mean_error(data.labels, model)
    if not _are_classes(data.labels, model):
        raise OptionError(
            f"The metric {name} needs integer labels, and those of {data.source} are {data.labels.dtype}.",
            "Label each sample with the index of its class, or use the metric mean-error.",
        )
    return _top_k(_class_output(model, name, data.labels), int(top[1]), model)


def _labelled_metric(labels: Array, model: SourceModel) -> Metric:
    """The metric for labelled data where none is named."""
    if labels.dtype.kind not in "iubf":
        raise OptionError(f"No metric of its own takes labels of type {labels.dtype}.", _NAMES)
    if _are_classes(labels, model) and class_outputs(model):
        return _top_k(_class_output(model, "top-1", labels), 1, model)
    metric = _mean_error(labels, model)
    if not np.isin(labels, (0, 1)).all():
        return metric
    if math.prod(labels.shape[1:]) == 1 and is_probability(_graph(model), metric.output):
        return Metric("top-1", "top-k", proxy=False, output=metric.output)
    raise OptionError(
        f"Labels are 0 and 1 only, and the output {model.outputs[metric.output].name} does not end in a "
        "sigmoid, so it is open whether they are classes or values.",
        "Name --metric mean-error for values, or a function of your own as package.module:function.",
    )


def _are_classes(labels: Array, model: SourceModel) -> bool:
    return labels.dtype.kind in "iub" and labels.shape[1:] in ((), (1,), (model.batch,))


def _graph(model: SourceModel) -> openvino.Model:
    no_telemetry()
    import openvino

    return openvino.Core().read_model(model.file)


def _class_output(model: SourceModel, name: str, labels: Array | None = None) -> int:
    """Index of the first output that tells a class, and has one for each of ``labels``."""
    largest = 0 if labels is None else labels.max()
    for index, count in class_outputs(model).items():
        if count is None or count > largest:
            return index
    raise OptionError(
        f"The metric {name} needs an output with one score per class, and the model has "
        f"{_listing(model.outputs)}.",
        "Use cosine, or a function of your own as package.module:function.",
    )


def _listing(ports: Sequence[Port]) -> str:
    return ", ".join(f"{port.name} {port}" for port in ports)


def _top_k(output: int, k: int, model: SourceModel) -> Metric:
    count = classes(model.outputs[output])
    if k >= (count or 2):
        raise OptionError(
            f"The metric top-{k} is always right where there are {count or 'no scores of'} classes.",
            "Use a smaller k, such as top-1.",
        )
    several = f" of {model.outputs[output].name}" if len(class_outputs(model)) > 1 else ""
    return Metric(f"top-{k}{several}", "top-k", proxy=False, output=output, k=k)


def _agreement(output: int) -> Metric:
    return Metric("top-1 agreement", "agreement", proxy=True, output=output)


def _cosine() -> Metric:
    return Metric("cosine similarity", "cosine", proxy=True)


def _mean_error(labels: Array, model: SourceModel) -> Metric:
    """The mean error of the first output that has as many numbers as a sample has labels."""
    numbers = math.prod(labels.shape[1:])
    for index, port in enumerate(model.outputs):
        if None in port.shape or math.prod(size or 1 for size in port.shape) == numbers:
            return Metric("mean error", "mean error", proxy=False, higher_is_better=False, output=index)
    raise OptionError(
        f"Labels with {numbers} number(s) per sample fit no output of the model: {_listing(model.outputs)}.",
        "Name a metric of your own with --metric package.module:function, or leave the labels out.",
    )


def score(metric: Metric, answers: Answers, original: Answers) -> Scores:
    """What ``metric`` makes of ``answers``.

    :param original: the 32-bit model's answers to the same samples, for metrics that compare with it.
    :raises InputError: the metric cannot compare these labels or outputs.
    :raises OptionError: a function raises, or returns NaN or something of another length.
    :raises OutputError: an output holds NaN or infinity.
    """
    if metric.rule == "function":
        return _function_scores(metric, answers)
    pairs = zip(answers.outputs, original.outputs, strict=True)
    if metric.rule == "cosine":
        return _numbers([_least_cosine(*pair, index) for index, pair in enumerate(pairs)])
    if metric.rule == "agreement":
        chosen = [[chosen_classes(outputs[metric.output]) for outputs in pair] for pair in pairs]
        return Scores("correct", np.concatenate([choice == reference for choice, reference in chosen]))
    if answers.labels is None:
        raise InputError(f"The metric {metric.name} needs labels, and there are none.", "Add labels.")
    labelled = [
        (outputs[metric.output], np.asarray(label))
        for outputs, label in zip(answers.outputs, answers.labels, strict=True)
    ]
    if metric.rule == "top-k":
        correct = [_is_in_top(*pair, metric.k, index) for index, pair in enumerate(labelled)]
        return Scores("correct", np.concatenate(correct))
    return _numbers([_absolute_error(*pair, index) for index, pair in enumerate(labelled)])


def _numbers(values: list[float]) -> Scores:
    """One number per sample."""
    scores = np.array(values)
    if not np.isfinite(scores).all():
        first = int(np.flatnonzero(~np.isfinite(scores))[0])
        raise OutputError(
            f"The answer to evaluation sample {first} holds NaN or infinity, which cannot be compared.",
            "Name a metric of your own with --metric package.module:function.",
        )
    return Scores("value", scores)


def chosen_classes(output: Array) -> Array:
    """The class that each row chooses: that of the highest score, or the index that the output is."""
    rows = _rows(output)
    return rows[:, 0] if output.dtype.kind in "iu" else np.asarray(rows.argmax(axis=1))


def _rows(output: Array) -> Array:
    """An output with a row per input: of scores by class, or of the index of the class.

    A single number is the probability of the second of two classes.
    """
    rows = output.reshape(-1, 1) if output.dtype.kind in "iu" else output.reshape(len(output), -1)
    is_probability = rows.shape[1] == 1 and output.dtype.kind == "f"
    return np.concatenate([1 - rows, rows], axis=1) if is_probability else rows


def _is_in_top(output: Array, label: Array, k: int, index: int) -> Array:
    """Whether the label of each row is among its ``k`` highest scores; of equals the first ranks higher."""
    labels, rows = label.reshape(-1).astype(np.int64), _rows(output)
    if len(labels) != len(rows):
        raise InputError(
            f"Sample {index} has {len(labels)} label(s), and the model answers with {len(rows)} row(s).",
            "Label each row of a sample with the index of its class.",
        )
    if output.dtype.kind in "iu":
        return np.equal(rows[:, 0], labels)
    if labels.min() < 0 or labels.max() >= rows.shape[1]:
        raise InputError(
            f"The label of sample {index} is {labels.max() if labels.min() >= 0 else labels.min()}, and the "
            f"model has {rows.shape[1]} classes.",
            "Count classes from zero, in the order of the model's output.",
        )
    label_scores = rows[np.arange(len(rows)), labels][:, None]
    is_earlier = np.arange(rows.shape[1])[None] < labels[:, None]
    ranks_higher = (rows > label_scores) | ((rows == label_scores) & is_earlier)
    is_correct: Array = np.less(ranks_higher.sum(axis=1), k) & np.isfinite(label_scores[:, 0])
    return is_correct


def _least_cosine(outputs: list[Array], floats: list[Array], index: int) -> float:
    """The cosine similarity of the least similar output; for integers the share of equal elements."""
    similarities = []
    for output, original in zip(outputs, floats, strict=True):
        if output.shape != original.shape:
            raise InputError(
                f"The model answers sample {index} with an array of shape {list(output.shape)}, and in "
                f"32-bit floats with one of shape {list(original.shape)}; no cosine compares them.",
                "Name a metric of your own with --metric package.module:function.",
            )
        similarities.append(similarity(output, original))
    return float(np.min(similarities))  # NaN stays, unlike with min()


def _absolute_error(output: Array, label: Array, index: int) -> float:
    if output.size != label.size:
        raise InputError(
            f"The label of sample {index} has the shape {list(label.shape)}, and the output has "
            f"{list(output.shape)}.",
            "Give as many numbers per sample as the output has, or name a metric of your own.",
        )
    return float(np.abs(output.astype(np.float64).ravel() - label.astype(np.float64).ravel()).mean())


def _function_scores(metric: Metric, answers: Answers) -> Scores:
    function = references.function(metric.name, OptionError)
    try:
        returned = function(answers.outputs, answers.labels)
    except Exception as error:  # the user's own code may raise anything
        raise OptionError(f"The metric {metric.name} raised {described(error)}.", _CONVENTION) from error
    values = np.asarray(None)
    with contextlib.suppress(TypeError, ValueError):  # a type that NumPy lacks, or rows of different lengths
        values = np.asarray(returned)
    if values.dtype.kind not in "biuf":
        raise OptionError(
            f"The metric {metric.name} returned {type(returned).__name__} and no numbers.", _CONVENTION
        )
    if values.ndim > 1 or (values.ndim == 1 and len(values) != len(answers)):
        raise OptionError(
            f"The metric {metric.name} returned an array of shape {list(values.shape)} for "
            f"{len(answers)} samples.",
            _CONVENTION,
        )
    if not np.isfinite(values).all():
        value = "NaN" if np.isnan(values).any() else "infinity"
        raise OptionError(
            f"The metric {metric.name} returned {value}.", "Look for divisions by zero and empty means."
        )
    if values.ndim == 0:
        return Scores("whole", values.astype(np.float64)[None])
    return Scores("correct", values) if values.dtype == bool else Scores("value", values.astype(np.float64))
