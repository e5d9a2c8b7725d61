"""Which metric judges a model: what was asked for, or what labels and outputs suggest."""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from optguide.errors import OptionError

if TYPE_CHECKING:
    from optguide.tuning.data import Data
    from optguide.tuning.outcome import Settings
    from optguide.tuning.subject import Port, Subject

__all__ = ["Kind", "Metric", "Rule", "function_of", "resolve"]

Kind = Literal["correct", "value", "whole"]
Rule = Literal["top-k", "agreement", "cosine", "mean error", "function"]

MOST_CLASSES = 100_000

_TOP = re.compile(r"top-?(\d+)")
_REFERENCE = re.compile(r"[^\W\d][\w.]*:[^\W\d]\w*")
_LESS_IS_BETTER = re.compile(r"(^|_)(error|err|loss|distance|mae|mse|rmse|perplexity|wer|cer)(_|$)")
_NAMES = "top-1, top-5 or another top-k, agreement, cosine, mean-error, or package.module:function"


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

    A function of the reader's is called with ``outputs``, a sequence with one list of arrays for each judged
    sample (one array per output of the model, with their batch dimension), and ``labels``, an array with one
    entry per judged sample, or ``None``. It returns one boolean per sample, one number per sample, or one
    number for all. An attribute ``higher_is_better = False`` says that less is better.

    :raises OptionError: an unknown name, a function that cannot be imported, labels or outputs that the
        metric cannot do with, or a metric where there is only random data.
    """
    raise NotImplementedError


def function_of(metric: Metric) -> Callable[..., Any]:
    """The reader's function, imported.

    :raises OptionError: it cannot be imported.
    """
    raise NotImplementedError
