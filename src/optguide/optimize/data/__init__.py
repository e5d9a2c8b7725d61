"""The samples that a model is calibrated with, evaluated on and measured with.

A run takes its data from

- nothing: eight random samples, which say nothing about accuracy;
- an ``.npz`` with one array of samples per input, and ``labels`` if there are any;
- a folder of ``.npy``: one file per input with all samples, or one per sample for a single input; or of
  ``.npz``, one per sample, which may differ in their shapes;
- a folder of pictures (:mod:`optguide.optimize.data.images` says how they are prepared);
- ``package.module:function``, which returns samples, or samples and labels;
- ``hub:NAME``, ``hub:NAME:SPLIT`` or ``hub:NAME:CONFIGURATION:SPLIT``, a data set of Hugging Face's.

Labels of samples that are files are in ``labels.csv``, ``labels.txt`` or ``labels.npy`` beside them, or are
the names of the folders that hold the pictures.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from optguide.errors import InputError
from optguide.optimize.candidate import Settings
from optguide.optimize.data import images, sources
from optguide.optimize.data.labels import labels_for
from optguide.optimize.data.samples import FittedSamples, RawSamples, Sample, Samples
from optguide.optimize.model import SourceModel
from optguide.references import is_reference
from optguide.runtimes.inputs import random_inputs, save

RANDOM_SAMPLES = 8

MOST_CALIBRATION = 300
"""Samples to quantize with. NNCF takes as many by default; more only take longer."""

_MOST_BYTES = 256 * 1024 * 1024
"""Of all sets of inputs of one batch size together."""

_LAZY_CHECKED = 8
"""Samples that are checked beforehand where each is decoded or computed on access."""

_FORMS = (
    "Give an .npz, a folder of .npy, .npz or pictures, package.module:function, or hub:NAME; "
    "or leave --data out for random values."
)


@dataclass(frozen=True)
class Data:
    """Samples that fit a model, and what is known about them.

    :param samples: arrays by the names of the model's ports, in their order, each with the batch dimension
        of the model. Reading one may decode a file.
    :param labels: one per sample (first dimension), as :func:`~optguide.optimize.data.labels.labels_for` has
        them; ``None`` without.
    :param source: where they come from, for readers.
    :param random: random values, which say nothing about accuracy.
    :param calibration: indexes of samples to quantize with: at most half of all, at most 300.
    :param evaluation: indexes of samples to evaluate with, none of which calibrates; empty for random data.
    :param uniform: all samples have the same shapes, so they can be stacked.
    :param notes: assumptions about samples and labels, in sentences.
    """

    samples: Samples[Mapping[str, NDArray[Any]]]
    labels: NDArray[Any] | None
    source: str
    random: bool
    calibration: tuple[int, ...]
    evaluation: tuple[int, ...]
    uniform: bool = True
    notes: tuple[str, ...] = ()


def read_data(settings: Settings, model: SourceModel, seconds: float = 0.0) -> Data:
    """The data of ``settings``; the same every time, in every process.

    Every sample is checked. Where samples are decoded or computed on access only the first ones are, and
    later errors come from reading :attr:`Data.samples`.

    :param seconds: after which no more samples that are decoded or computed on access are checked.
    :raises InputError: the data is missing or does not fit the model.
    :raises EnvironmentMissing: a package that reads it is not installed.
    """
    raw = _raw_samples(settings, model)
    count = len(raw.samples)
    if count == 0:
        raise InputError(
            f"{settings.data} holds no samples.", "Give some hundred of what the model will see."
        )
    samples = FittedSamples(raw.samples, model, raw.titles)
    labels = None if raw.labels is None else labels_for(raw, settings.metric, model)
    shapes, until = set(), time.monotonic() + seconds
    for index in range(count):
        if raw.lazy and index >= _LAZY_CHECKED and time.monotonic() > until:
            break
        shapes.add(tuple(array.shape for array in samples[index].values()))
    is_random = settings.data is None
    order = np.random.default_rng(settings.seed).permutation(count).tolist()
    cut = count if is_random else min(MOST_CALIBRATION, count // 2)
    return Data(
        samples=samples,
        labels=labels,
        source=settings.data or "random values",
        random=is_random,
        calibration=tuple(sorted(order[:cut])),
        evaluation=tuple(sorted(order[cut:])),
        uniform=not model.dynamic if raw.lazy else len(shapes) == 1,
        notes=raw.notes,
    )


def write_inputs(
    data: Data, model: SourceModel, folder: Path, batch: int | None, count: int = 8
) -> tuple[str, ...]:
    """Write sets of inputs for measuring and return their ``.npz`` files.

    :param batch: inputs in one set, all of different samples as far as there are that many; ``None`` is the
        model's own batch.
    :param count: how many sets; fewer where there are fewer samples, or a set is very large.
    :raises InputError: samples of different shapes cannot be stacked.
    :raises StorageError: the files cannot be written.
    """
    per_set = -(-batch // model.batch) if batch else 1
    total = len(data.samples)
    sets = max(1, min(count, -(-total // per_set)))
    stride = max(1, total // (sets * per_set))  # over all samples, which may be sorted
    paths: list[str] = []
    size = 0
    for number in range(sets):
        indexes = [(number * per_set + place) * stride % total for place in range(per_set)]
        arrays = _stacked([data.samples[index] for index in indexes], batch)
        size += sum(array.nbytes for array in arrays.values())
        if paths and size > _MOST_BYTES:
            break
        path = folder / f"{f'batch{batch}' if batch else 'own'}-{number}.npz"
        save(path, arrays)
        paths.append(str(path))
    return tuple(paths)


def _raw_samples(settings: Settings, model: SourceModel) -> RawSamples:
    data = settings.data
    if data is None:
        return RawSamples(_random_samples(settings.seed, model))
    if data.startswith(sources.HUB):
        return sources.read_hub(data, model, settings.seed)
    if is_reference(data):
        return sources.read_function(data, model.ports)
    path = Path(data)
    if not path.exists():
        raise InputError(f"There is no data {data!r}.", _FORMS)
    if not os.access(path, os.R_OK):
        raise InputError(f"{data} may not be read by this user.", "Change its permissions.")
    if not path.is_dir():
        if path.suffix.lower() not in (".npz", ".npy"):
            raise InputError(f"{path.name} is no .npz.", _FORMS)
        return sources.read_file(path, model.ports)
    if (raw := sources.read_folder(path, model.ports)) is not None:
        return raw
    if images.has_pictures(path):
        return images.read_images(path, model)
    raise InputError(f"The folder {path} holds no arrays and no pictures.", _FORMS)


def _random_samples(seed: int, model: SourceModel) -> list[Sample]:
    if model.dynamic:
        open_port = next(port for port in model.ports if None in port.shape[1:])
        raise InputError(
            f"Input {open_port.name!r} takes {open_port}, for which random data needs sizes.",
            f"Pass them, as in --shape {open_port.example}, or --data with real samples.",
        )
    ports = [replace(port, shape=tuple(size or 1 for size in port.shape)) for port in model.ports]
    return [random_inputs(ports, seed + index) for index in range(RANDOM_SAMPLES)]


def _stacked(samples: Sequence[Mapping[str, NDArray[Any]]], batch: int | None) -> dict[str, NDArray[Any]]:
    if batch is None:
        return dict(samples[0])
    shapes = {tuple(array.shape[1:] for array in sample.values()) for sample in samples}
    if len(shapes) > 1:
        raise InputError(
            f"The samples differ in shape, so {batch} of them cannot make a batch.",
            "Pad them to one shape, or leave the batch as it is.",
        )
    return {
        name: np.concatenate([sample[name] for sample in samples])[:batch] if array.ndim else array
        for name, array in samples[0].items()
    }
