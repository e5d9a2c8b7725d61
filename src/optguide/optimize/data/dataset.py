"""What a model is quantized with, judged by and measured on.

A run takes its data from

- nothing: eight random samples, which say nothing about accuracy;
- an ``.npz`` with one array of samples per input, and ``labels`` if there are any;
- a folder of ``.npy``: one file per input with all samples, or one per sample for a single input; or of
  ``.npz``, one per sample, which may differ in their shapes;
- a folder of pictures (:mod:`optguide.optimize.data.images` says how they are prepared);
- ``package.module:function`` (:mod:`optguide.optimize.data.functions`);
- ``hub:NAME``, ``hub:NAME:SPLIT`` or ``hub:NAME:CONFIGURATION:SPLIT`` (:mod:`optguide.optimize.data.hub`).

Labels of samples that are files are in ``labels.csv``, ``labels.txt`` or ``labels.npy`` beside them, or are
the names of the folders that hold the pictures (:mod:`optguide.optimize.data.labels`).
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from optguide.errors import InputError
from optguide.optimize.config import Settings
from optguide.optimize.model.source import SourceModel
from optguide.references import is_reference
from optguide.runtimes.inputs import save

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from optguide.optimize.data.samples import Fitted, Raw

__all__ = ["Data", "read_data", "write_inputs"]

RANDOM_SAMPLES = 8

MOST_CALIBRATION = 300
"""Samples to quantize with. NNCF takes as many by default; more only take longer."""

_MOST_BYTES = 256 * 1024 * 1024
"""Of all sets of one batch together."""

_LOOKED_AT = 8
"""Of samples that are decoded or computed when they are read."""

_FORMS = (
    "Give an .npz, a folder of .npy, .npz or pictures, package.module:function, or hub:NAME; "
    "or leave --data out for random values."
)


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


def read_data(settings: Settings, subject: SourceModel) -> Data:
    """The data of ``settings``; the same every time, in every process.

    Every sample is looked at, except those that are decoded or computed when they are read: of these only
    the first ones, and later errors come from reading :attr:`Data.samples`.

    :raises InputError: it is missing or does not fit the model.
    :raises EnvironmentMissing: a package that reads it is not installed.
    """
    from optguide.optimize.data.labels import as_labels
    from optguide.optimize.data.samples import Fitted

    raw = _raw(settings, subject)
    if len(raw.samples) == 0:
        raise InputError(
            f"{settings.data} holds no samples.", "Give some hundred of what the model will see."
        )
    samples = Fitted(raw.samples, subject, raw.titles)
    labels = None if raw.labels is None else as_labels(raw.labels, len(samples), subject, raw.classes)
    is_random = settings.data is None
    calibration, judged = _divided(len(samples), settings.seed)
    return Data(
        samples=samples,
        labels=labels,
        source=settings.data or "random values",
        random=is_random,
        calibration=tuple(range(len(samples))) if is_random else calibration,
        judged=() if is_random else judged,
        uniform=_uniform(samples, subject, lazy=raw.lazy),
    )


def write_inputs(
    data: Data, subject: SourceModel, folder: Path, batch: int | None, count: int = 8
) -> tuple[str, ...]:
    """Write sets of inputs for measuring; their ``.npz`` files.

    :param batch: inputs in one set, all of different samples as far as there are so many; ``None`` is the
        model's own batch.
    :param count: how many sets; fewer where there are fewer samples, or a set is very large.
    :raises InputError: samples of different shapes cannot be stacked.
    :raises StorageError: the files cannot be written.
    """
    each = -(-batch // subject.batch) if batch else 1  # samples in a set
    total = len(data.samples)
    sets = max(1, min(count, -(-total // each)))
    written: list[str] = []
    size = 0
    for number in range(sets):
        # Spread over all samples, which may be sorted.
        chosen = [(number * each + one) * max(1, total // (sets * each)) % total for one in range(each)]
        arrays = _stacked([data.samples[index] for index in chosen], batch)
        size += sum(array.nbytes for array in arrays.values())
        if written and size > _MOST_BYTES:
            break
        path = folder / f"{f'batch{batch}' if batch else 'own'}-{number}.npz"
        save(path, arrays)
        written.append(str(path))
    return tuple(written)


def _raw(settings: Settings, subject: SourceModel) -> Raw:
    from optguide.optimize.data import files, functions, hub, images

    given = settings.data
    if given is None:
        return _random(settings, subject)
    if given.startswith(hub.PREFIX):
        return hub.read_hub(given, subject, settings.seed)
    if is_reference(given):
        return functions.read_function(given, subject.ports)
    path = Path(given)
    if not path.exists():
        raise InputError(f"There is no data {given!r}.", _FORMS)
    if not os.access(path, os.R_OK):
        raise InputError(f"{given} may not be read by this user.", "Change its permissions.")
    if not path.is_dir():
        if path.suffix.lower() not in (".npz", ".npy"):
            raise InputError(f"{path.name} is no .npz.", _FORMS)
        return files.read_file(path, subject.ports)
    if files.has_arrays(path):
        return files.read_folder(path, subject.ports)
    if images.has_images(path):
        return images.read_images(path, subject)
    raise InputError(f"The folder {path} holds no arrays and no pictures.", _FORMS)


def _random(settings: Settings, subject: SourceModel) -> Raw:
    import numpy as np

    from optguide.optimize.data.samples import Raw
    from optguide.runtimes.inputs import random_inputs

    if subject.dynamic:
        open_port = next(port for port in subject.ports if None in port.shape[1:])
        raise InputError(
            f"Input {open_port.name!r} takes {open_port}, for which random data needs sizes.",
            f"Pass them, as in --shape {open_port.name}=1,128, or --data with real samples.",
        )
    specs = {
        port.name: (tuple(size or 1 for size in port.shape), np.dtype(port.dtype)) for port in subject.ports
    }
    return Raw([random_inputs(specs, settings.seed + index) for index in range(RANDOM_SAMPLES)])


def _divided(count: int, seed: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Indexes for calibration and for judging, which share none."""
    import numpy as np

    order = [int(index) for index in np.random.default_rng(seed).permutation(count)]
    cut = min(MOST_CALIBRATION, count // 2)
    return tuple(sorted(order[:cut])), tuple(sorted(order[cut:]))


def _uniform(samples: Fitted, subject: SourceModel, *, lazy: bool) -> bool:
    """Look at the samples, which raises for one that does not fit; whether they have one shape."""
    looked_at = min(len(samples), _LOOKED_AT) if lazy else len(samples)
    shapes = {tuple(array.shape for array in samples[index].values()) for index in range(looked_at)}
    return not subject.dynamic if lazy else len(shapes) == 1


def _stacked(samples: Sequence[Mapping[str, NDArray[Any]]], batch: int | None) -> dict[str, NDArray[Any]]:
    import numpy as np

    if batch is None:
        return dict(samples[0])
    shapes = {tuple(array.shape[1:] for array in sample.values()) for sample in samples}
    if len(shapes) > 1:
        raise InputError(
            f"The samples differ in shape, so no {batch} of them make a batch.",
            "Pad them to one shape, or leave the batch as it is.",
        )
    return {
        name: np.concatenate([sample[name] for sample in samples])[:batch] if array.ndim else array
        for name, array in samples[0].items()
    }
