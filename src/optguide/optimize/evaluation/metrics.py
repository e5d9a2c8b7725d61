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
    from optguide.optimize.model.subject import Port, Subject

__all__ = ["Kind", "Metric", "Rule", "classes", "resolve"]

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


def resolve(settings: Settings, data: Data, subject: Subject) -> Metric:
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


def _named(name: str, data: Data, subject: Subject) -> Metric:
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


def _fitting(labels: NDArray[Any], subject: Subject) -> Metric:
    """The metric for labelled data where none is named."""
    scored = next((index for index, port in enumerate(subject.outputs) if _chooses(port)), None)
    if labels.dtype.kind in "iub" and scored is not None:
        return _top(scored, 1, subject)
    return _mean_error(labels, subject)


def _proxy(subject: Subject) -> Metric:
    """The metric for data without labels where none is named."""
    if len(subject.outputs) == 1 and classes(subject.outputs[0]):
        no_telemetry()
        import openvino

        from optguide.optimize.evaluation.graphs import classifies

        if classifies(openvino.Core().read_model(subject.file)):
            return _agreement(0)
    return _cosine()


def _chooses(port: Port) -> bool:
    """Whether an output tells one class per input: by scores, or as its index."""
    chosen = port.dtype.startswith(("int", "uint")) and all(size in (None, 1) for size in port.shape)
    return chosen or classes(port) is not None


def _scores(subject: Subject, name: str) -> int:
    """Index of the first output that tells a class."""
    for index, port in enumerate(subject.outputs):
        if _chooses(port):
            return index
    shown = ", ".join(f"{port.name} {port}" for port in subject.outputs)
    raise OptionError(
        f"The metric {name} needs an output with one score per class, and the model has {shown}.",
        "Use cosine, or a function of your own as package.module:function.",
    )


def _top(output: int, k: int, subject: Subject) -> Metric:
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


def _mean_error(labels: NDArray[Any], subject: Subject) -> Metric:
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
