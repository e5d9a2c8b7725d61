"""What a model is quantized with, judged by and measured on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from optguide.tuning.outcome import Settings
from optguide.tuning.subject import Subject

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Data", "read_data", "write_inputs"]


@dataclass(frozen=True)
class Data:
    """Samples that fit a model, and what is known about them.

    :param samples: arrays by the names of the model's ports, in their order, each with the batch dimension
        of the model. Reading one may decode a file.
    :param labels: one per sample (first dimension), integers or floats; ``None`` without.
    :param source: where they come from, for readers.
    :param random: nothing can be said about accuracy.
    :param calibration: indexes of samples to quantize with: at most half of all, at most 300.
    :param judged: indexes of samples to judge by, none of which calibrates; empty for random data.
    :param uniform: all samples have the same shapes, so they can be stacked.
    """

    samples: Sequence[Mapping[str, NDArray[Any]]]
    labels: NDArray[Any] | None
    source: str
    random: bool
    calibration: tuple[int, ...]
    judged: tuple[int, ...]
    uniform: bool = True


def read_data(settings: Settings, subject: Subject) -> Data:
    """The data of ``settings``; the same every time, in every process.

    :raises InputError: it is missing or does not fit the model.
    :raises EnvironmentMissing: a package that reads it is not installed.
    """
    raise NotImplementedError


def write_inputs(
    data: Data, subject: Subject, folder: Path, batch: int | None, count: int = 8
) -> tuple[str, ...]:
    """Write sets of inputs for measuring; their ``.npz`` files.

    :param batch: samples in one set; ``None`` is the model's own batch.
    :param count: how many sets, fewer where there are fewer samples.
    :raises InputError: samples of different shapes cannot be stacked.
    """
    raise NotImplementedError
