"""Which metric judges a model: what was asked for, or what labels and outputs suggest."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from optguide import references
from optguide.bench import child
from optguide.errors import OptionError
from optguide.quiet import no_telemetry

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from optguide.optimize.config import Settings
    from optguide.optimize.data.dataset import Data
    from optguide.optimize.model.source import Port, SourceModel
import contextlib
from collections.abc import Callable

import numpy as np

from optguide.errors import InputError, OutputError
from optguide.optimize.evaluation.answers import Answers, Array

__all__ = ["Kind", "Metric", "Rule", "Scores", "classes", "resolve", "score"]

Kind = Literal["correct", "value", "whole"]
Rule = Literal["top-k", "agreement", "cosine", "mean error", "function"]

MOST_CLASSES = 100_000
"""An output with more numbers per sample holds no scores of classes."""

_IMPORT_SECONDS = 300.0

_TOP = re.compile(r"top-?([1-9]\d*)")
_LESS_IS_BETTER = re.compile(r"(^|_)(error|err|loss|distance|mae|mse|rmse|perplexity|wer|cer)(_|$)")
_NAMES = "Use top-1, top-5 or another top-k, agreement, cosine, mean-error, or package.module:function."


@dataclass(frozen=True)
class Metric:
    """How right the answers of a model are, as plain data.

    :param name: for readers.
    :param rule: how answers are scored.
    :param proxy: it compares with the answers of the 32-bit model and not with labels.
    :param kind: what it gives: ``"correct"`` right or wrong per sample, ``"value"`` a number per sample,
        ``"whole"`` one number for all samples. ``None`` for a function, whose first result tells.
    :param output: index of the output that is scored; cosine compares all outputs, and a function gets them.
    :param k: of top-k.
    :param reference: ``package.module:function`` of the reader's own.
    """

    name: str
    rule: Rule
    proxy: bool
    higher_is_better: bool = True
    kind: Kind | None = None
    output: int = 0
    k: int = 1
    reference: str = ""


def resolve(settings: Settings, data: Data, subject: SourceModel) -> Metric:
    """The metric that ``settings.metric`` names or, without a name, the one that fits labels and outputs.

    Integer labels and an output of scores by class give top-1, other labels the mean error. Without labels
    answers are compared with those of the 32-bit model: by their first choice where the graph ends like a
    classifier's, otherwise by cosine.

    A function of the reader's is called with ``outputs``, a list with one list of arrays for each judged
    sample (one array per output of the model, with their batch dimension), and ``labels``, an array with one
    entry per judged sample, or ``None``. It returns one boolean per sample, one number per sample, or one
    number for all. An attribute ``higher_is_better = False`` says that less is better.

    :raises OptionError: an unknown name, a function that cannot be imported, labels or outputs that the
        metric cannot do with, or a metric where there is only random data.
    """
    name = settings.metric
    if name is None:
        return _proxy(subject) if data.labels is None else _fitting(data.labels, subject)
    if data.random:
        raise OptionError(f"The metric {name} has no samples to judge.", "Give samples with --data as well.")
    if references.is_reference(name):
        return _of_function(name)
    return _named(name, data, subject)


def classes(port: Port) -> int | None:
    """How many classes an output has scores for, or ``None`` where it holds something else."""
    if len(port.shape) < 2 or any(size != 1 for size in port.shape[2:]) or not port.dtype.startswith("float"):
        return None
    count = port.shape[1]
    return count if count is not None and 1 < count <= MOST_CLASSES else None


def described(reference: str) -> dict[str, Any]:
    """What :func:`resolve` has to know about a function; called in a process of its own."""
    function = references.function(reference, OptionError)
    better: Any = getattr(function, "higher_is_better", None)
    name = reference.rpartition(":")[2].rpartition(".")[2]
    if better is None and _LESS_IS_BETTER.search(name.lower()):
        raise OptionError(
            f"The metric {reference} does not say whether more of it is better.",
            f"Write {name}.higher_is_better = False below the function, or True.",
        )
    return {"higher_is_better": better is None or bool(better)}


def _of_function(reference: str) -> Metric:
    found = child.call(
        f"{__name__}:{described.__name__}",
        {"reference": reference},
        seconds=_IMPORT_SECONDS,
        what=f"importing {reference}",
    )
    return Metric(
        reference,
        "function",
        proxy=False,
        higher_is_better=found["higher_is_better"],
        reference=reference,
    )


def _named(name: str, data: Data, subject: SourceModel) -> Metric:
    wanted = name.lower()
    if wanted == "cosine":
        return _cosine()
    if wanted == "agreement":
        return _agreement(_scores(subject, name))
    top = _TOP.fullmatch(wanted)
    if not top and wanted != "mean-error":
        raise OptionError(f"There is no metric {name!r}.", _NAMES)
    if data.labels is None:
        raise OptionError(
            f"The metric {name} needs labels, and {data.source} has none.",
            "Add labels, or leave --metric out: then answers are compared with those of the 32-bit model.",
        )
    if top:
        if data.labels.dtype.kind not in "iub":
            raise OptionError(
                f"The metric {name} needs integer labels, and those of {data.source} are "
                f"{data.labels.dtype}.",
                "Label each sample with the index of its class, or use the metric mean-error.",
            )
        return _top(_scores(subject, name), int(top[1]), subject)
    return _mean_error(data.labels, subject)


def _fitting(labels: NDArray[Any], subject: SourceModel) -> Metric:
    """The metric for labelled data where none is named."""
    scored = next((index for index, port in enumerate(subject.outputs) if _chooses(port)), None)
    if labels.dtype.kind in "iub" and scored is not None:
        return _top(scored, 1, subject)
    return _mean_error(labels, subject)


def _proxy(subject: SourceModel) -> Metric:
    """The metric for data without labels where none is named."""
    if len(subject.outputs) == 1 and classes(subject.outputs[0]):
        no_telemetry()
        import openvino

        from optguide.optimize.model.structure import classifies

        if classifies(openvino.Core().read_model(subject.file)):
            return _agreement(0)
    return _cosine()


def _chooses(port: Port) -> bool:
    """Whether an output tells one class per input: by scores, or as its index."""
    chosen = port.dtype.startswith(("int", "uint")) and all(size in (None, 1) for size in port.shape)
    return chosen or classes(port) is not None


def _scores(subject: SourceModel, name: str) -> int:
    """Index of the first output that tells a class."""
    for index, port in enumerate(subject.outputs):
        if _chooses(port):
            return index
    shown = ", ".join(f"{port.name} {port}" for port in subject.outputs)
    raise OptionError(
        f"The metric {name} needs an output with one score per class, and the model has {shown}.",
        "Use cosine, or a function of your own as package.module:function.",
    )


def _top(output: int, k: int, subject: SourceModel) -> Metric:
    count = classes(subject.outputs[output])
    if k >= (count or 2):
        raise OptionError(
            f"The metric top-{k} is always right where there are {count or 'no scores of'} classes.",
            "Use a smaller k, such as top-1.",
        )
    return Metric(f"top-{k}", "top-k", proxy=False, kind="correct", output=output, k=k)


def _agreement(output: int) -> Metric:
    return Metric("top-1 agreement", "agreement", proxy=True, kind="correct", output=output)


def _cosine() -> Metric:
    return Metric("cosine similarity", "cosine", proxy=True, kind="value")


def _mean_error(labels: NDArray[Any], subject: SourceModel) -> Metric:
    """The mean error of the first output that has as many numbers as a sample has labels."""
    numbers = math.prod(labels.shape[1:])
    for index, port in enumerate(subject.outputs):
        if None in port.shape or math.prod(size or 1 for size in port.shape) == numbers:
            return Metric(
                "mean error",
                "mean error",
                proxy=False,
                higher_is_better=False,
                kind="value",
                output=index,
            )
    shown = ", ".join(f"{port.name} {port}" for port in subject.outputs)
    raise OptionError(
        f"Labels with {numbers} number(s) per sample fit no output of the model: {shown}.",
        "Name a metric of your own with --metric package.module:function, or leave the labels out.",
    )


_CONVENTION = (
    "It gets a list of outputs by sample and the labels, and returns one boolean or number per sample, or "
    "one number for all."
)


@dataclass(frozen=True)
class Scores:
    """What a metric gives.

    :param values: booleans for ``"correct"``, one per row of a batch; numbers for ``"value"``, one per
        sample; a single number for ``"whole"``.
    """

    kind: Kind
    values: Array


def score(metric: Metric, answers: Answers, original: Answers) -> Scores:
    """What ``metric`` makes of ``answers``.

    :param original: of the 32-bit model to the same samples, for metrics that compare with it.
    :raises InputError: labels or outputs that the metric cannot compare.
    :raises OptionError: a function that raises, or returns NaN or something of another length.
    :raises OutputError: outputs of NaN or infinity.
    """
    if metric.rule == "function":
        return _function_scores(metric, answers)
    pairs = zip(answers.outputs, original.outputs, strict=True)
    if metric.rule == "cosine":
        cosines = [_least_cosine(mine, theirs, index) for index, (mine, theirs) in enumerate(pairs)]
        return _numbers(cosines)
    if metric.rule == "agreement":
        agreed = [_choices(mine[metric.output]) == _choices(theirs[metric.output]) for mine, theirs in pairs]
        return Scores("correct", np.concatenate(agreed))
    if answers.labels is None:
        raise InputError(f"The metric {metric.name} needs labels, and there are none.", "Add labels.")
    labelled = [
        (outputs[metric.output], np.asarray(label))
        for outputs, label in zip(answers.outputs, answers.labels, strict=True)
    ]
    if metric.rule == "top-k":
        right = [
            _label_among_best(output, label, metric.k, index)
            for index, (output, label) in enumerate(labelled)
        ]
        return Scores("correct", np.concatenate(right))
    return _numbers([_error(*pair, index) for index, pair in enumerate(labelled)])


def _numbers(values: list[float]) -> Scores:
    """One number per sample.

    :raises OutputError: outputs with NaN or infinity have led to none.
    """
    scores = np.array(values)
    if not np.isfinite(scores).all():
        first = int(np.flatnonzero(~np.isfinite(scores))[0])
        raise OutputError(
            f"The answer to judged sample {first} holds NaN or infinity, which cannot be compared.",
            "Name a metric of your own with --metric package.module:function.",
        )
    return Scores("value", scores)


def _choices(output: Array) -> Array:
    """The class that each row chooses: that of the highest score, or the number itself."""
    if output.dtype.kind in "iu":
        return output.reshape(-1)
    return np.asarray(output.reshape(len(output), -1).argmax(axis=1))


def _label_among_best(output: Array, label: Array, k: int, index: int) -> Array:
    """Whether the label of each row is among its ``k`` best; of equal scores the first counts as better."""
    wanted = label.reshape(-1).astype(np.int64)
    rows = output.reshape(-1, 1) if output.dtype.kind in "iu" else output.reshape(len(output), -1)
    if len(wanted) != len(rows):
        raise InputError(
            f"Sample {index} has {len(wanted)} label(s), and the model answers with {len(rows)} row(s).",
            "Label each row of a sample with the index of its class.",
        )
    if output.dtype.kind in "iu":
        return np.equal(rows[:, 0], wanted)
    if wanted.min() < 0 or wanted.max() >= rows.shape[1]:
        raise InputError(
            f"The label of sample {index} is {wanted.max() if wanted.min() >= 0 else wanted.min()}, and the "
            f"model has {rows.shape[1]} classes.",
            "Count classes from zero, in the order of the model's output.",
        )
    mine = rows[np.arange(len(rows)), wanted][:, None]
    earlier = np.arange(rows.shape[1])[None] < wanted[:, None]
    before = (rows > mine) | ((rows == mine) & earlier)
    right: Array = np.less(before.sum(axis=1), k) & np.isfinite(mine[:, 0])
    return right


def _least_cosine(mine: list[Array], theirs: list[Array], index: int) -> float:
    """Of the output that is least similar; outputs of integers count as the share that is equal."""
    similarities = []
    for a, b in zip(mine, theirs, strict=True):
        if a.shape != b.shape:
            raise InputError(
                f"The answers to sample {index} have the shape {list(a.shape)} and, in 32-bit floats, "
                f"{list(b.shape)}, which no cosine compares.",
                "Name a metric of your own with --metric package.module:function.",
            )
        if a.dtype.kind != "f":
            similarities.append(float((a == b).mean()) if a.size else 1.0)
            continue
        x, y = a.astype(np.float64).ravel(), b.astype(np.float64).ravel()
        lengths = float(np.linalg.norm(x) * np.linalg.norm(y))
        similarities.append(float(x @ y) / lengths if lengths else float(not (x.any() or y.any())))
    return float(np.clip(np.min(similarities), -1.0, 1.0))  # NaN stays, unlike with min()


def _error(output: Array, label: Array, index: int) -> float:
    """Mean absolute difference from the label."""
    if output.size != label.size:
        raise InputError(
            f"The label of sample {index} has the shape {list(label.shape)}, and the output has "
            f"{list(output.shape)}.",
            "Give as many numbers per sample as the output has, or name a metric of your own.",
        )
    return float(np.abs(output.astype(np.float64).ravel() - label.astype(np.float64).ravel()).mean())


def _function_scores(metric: Metric, answers: Answers) -> Scores:
    returned = _called(references.function(metric.reference, OptionError), metric.reference, answers)
    values = np.asarray(None)
    with contextlib.suppress(TypeError, ValueError):  # what NumPy cannot take, or rows of different lengths
        values = np.asarray(returned)
    if values.dtype.kind not in "biuf":
        raise OptionError(
            f"The metric {metric.reference} returned {type(returned).__name__} and no numbers.", _CONVENTION
        )
    if values.ndim > 1 or (values.ndim == 1 and len(values) != len(answers)):
        raise OptionError(
            f"The metric {metric.reference} returned an array of shape {list(values.shape)} for "
            f"{len(answers)} samples.",
            _CONVENTION,
        )
    if not np.isfinite(values).all():
        what = "NaN" if np.isnan(values).any() else "infinity"
        raise OptionError(
            f"The metric {metric.reference} returned {what}.", "Look for divisions by zero and empty means."
        )
    if values.ndim == 0:
        return Scores("whole", values.astype(np.float64)[None])
    return Scores("correct", values) if values.dtype == bool else Scores("value", values.astype(np.float64))


def _called(function: Callable[..., Any], name: str, answers: Answers) -> Any:
    try:
        return function(answers.outputs, answers.labels)
    except Exception as error:  # whatever the reader's code raises
        said = next(iter(str(error).splitlines()), "no message").rstrip(".")
        raise OptionError(f"The metric {name} raised {type(error).__name__}: {said}.", _CONVENTION) from error
