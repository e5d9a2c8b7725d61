"""Samples from files of NumPy, from a function of the reader's own, and from a hub of data sets.

Nothing is unpickled. ``.npy`` files are mapped into memory, so a folder may be larger than that. Data sets of
a hub, or of a folder, are read by Hugging Face's package ``datasets``. No code of a data set is run:
``datasets`` 4 no longer has loading scripts, and older versions run them only where they are told to trust
them.
"""

from __future__ import annotations

import importlib
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence, Sized
from itertools import islice
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from optguide.errors import EnvironmentMissing, InputError, described
from optguide.optimize.data.images import image_to_input
from optguide.optimize.data.labels import LABEL_FILES, class_names, labels_beside
from optguide.optimize.data.samples import (
    ArrayRows,
    Mapped,
    RawSamples,
    Samples,
    array_of,
    by_port,
    load_npy,
    natural_key,
    unlike_inputs,
)
from optguide.optimize.model import SourceModel
from optguide.references import called
from optguide.runtimes.inputs import from_files
from optguide.runtimes.ports import Port

LABELS = "labels"
"""Name of the array of labels in an ``.npz``, unless an input of the model has that name."""

NAMELESS = "arr_0"
"""What :func:`numpy.savez` calls a single array that is given no name."""

HUB = "hub:"

MOST = 2000
"""Samples that are taken from an iterator, which may not end and is kept in memory; and, at random since
data sets are often sorted by class, from a hub."""

_RETURN = (
    "Return samples or (samples, labels); samples are a list of arrays, tuples or mappings by input name, or "
    "one mapping from input names to arrays of all samples."
)
_SPLITS = ("validation", "test", "train")
"""The first that exists is read where none is named: a model looks too good on what it was trained on."""

_LABEL_COLUMNS = ("label", "labels", "target", "fine_label")


def read_file(path: Path, ports: Sequence[Port]) -> RawSamples:
    """An ``.npz`` with one array of samples per input, or an ``.npy`` for a single input.

    :raises InputError: the file is neither, or its arrays are not those of the inputs.
    """
    arrays = {NAMELESS: load_npy(path)} if path.suffix.lower() == ".npy" else _load_npz(path)
    labels = None if any(LABELS in port.names for port in ports) else arrays.pop(LABELS, None)
    if len(ports) == 1 and arrays.keys() == {NAMELESS}:
        arrays = {ports[0].name: arrays[NAMELESS]}
    owned = by_port(arrays, ports)
    if owned is None:
        has = f"{path.name} holds {', '.join(arrays) or 'no samples'}"
        remedy = f"Save one array of samples per input under its name, and labels as {LABELS!r}."
        raise unlike_inputs(has, ports, remedy)
    return RawSamples(ArrayRows(owned, ports), labels, classes=class_names(path.parent))


def read_folder(folder: Path, ports: Sequence[Port]) -> RawSamples | None:
    """A folder with one ``.npy`` per input, or one ``.npz`` (or ``.npy``, for a single input) per sample.

    :return: ``None`` where it holds neither.
    :raises InputError: its files are not those of the inputs, or it holds both kinds.
    """
    npy, npz = _sample_files(folder, ".npy"), _sample_files(folder, ".npz")
    if npy and npz:
        raise InputError(
            f"{folder} holds samples as .npy and as .npz.", "Keep one kind in the folder, and labels.npy."
        )
    if not npy and not npz:
        return None
    whole = _files_by_port(npy, ports)
    if whole is not None:
        rows = ArrayRows({name: load_npy(file) for name, file in whole.items()}, ports)
        return RawSamples(rows, labels_beside(folder, ()), classes=class_names(folder))
    if not npz and len(ports) > 1:
        listing = ", ".join(file.name for file in npy[:5]) + (", …" if len(npy) > 5 else "")
        remedy = "Write one .npy with all samples per input, with the input's name, or one .npz per sample."
        raise unlike_inputs(f"{folder} holds {listing}", ports, remedy)
    names = tuple(file.name for file in npz or npy)
    samples = Mapped(npz or npy, _load_npz if npz else load_npy)
    labels, classes = labels_beside(folder, names), class_names(folder, names)
    return RawSamples(samples, labels, names, classes, untyped=isinstance(labels, list))


def _sample_files(folder: Path, suffix: str) -> list[Path]:
    files = [file for file in folder.iterdir() if file.suffix.lower() == suffix]
    shown = (file for file in files if not file.name.startswith(".") and file.name not in LABEL_FILES)
    return sorted(shown, key=natural_key)


def _load_npz(path: Path) -> dict[str, NDArray[Any]]:
    return from_files([str(path)])[0]


def _files_by_port(files: Sequence[Path], ports: Sequence[Port]) -> dict[str, Path] | None:
    """Files by port where every port has one; underscores stand for characters no file name has."""
    if len(files) == len(ports) == 1:
        return {ports[0].name: files[0]}
    stems = {_file_name(file.stem): file for file in files}
    owned = {p.name: stems[_file_name(name)] for p in ports for name in p.names if _file_name(name) in stems}
    return owned if len(owned) == len(files) == len(ports) else None


def _file_name(name: str) -> str:
    return re.sub(r"[^\w.-]", "_", name)


def read_function(reference: str, ports: Sequence[Port]) -> RawSamples:
    """What the function returns when it is called without arguments.

    That is ``samples`` or ``(samples, labels)``. Samples are an iterable of mappings, tuples or arrays, or an
    array or mapping of arrays with one sample per row. Of an iterator without a length the first 2000 are
    taken. A sequence that computes its items, such as a PyTorch data set, is read as far as it is needed.

    :raises InputError: the function does not exist, raises, or returns something else.
    """
    samples, labels = called(reference, InputError), None
    if isinstance(samples, tuple):
        if len(samples) != 2:
            raise InputError(f"{reference} returned a tuple of {len(samples)}.", _RETURN)
        samples, labels = samples
    if isinstance(labels, Iterator):
        labels = list(islice(labels, MOST))
    if isinstance(samples, np.ndarray) or hasattr(samples, "detach"):  # a tensor of PyTorch
        if len(ports) != 1:
            raise InputError(
                f"{reference} returned one array, and the model has {len(ports)} inputs.", _RETURN
            )
        samples = {ports[0].name: samples}
    if isinstance(samples, Mapping):
        return RawSamples(_rows(samples, reference, ports), labels)
    is_indexed = hasattr(samples, "__getitem__")
    if isinstance(samples, str | bytes) or not (isinstance(samples, Iterable) or is_indexed):
        raise InputError(f"{reference} returned an object of type {type(samples).__qualname__}.", _RETURN)
    if isinstance(samples, list | tuple):
        return RawSamples(samples, labels)
    if isinstance(samples, Sized) and is_indexed:
        return RawSamples(cast(Samples[Any], samples), labels, lazy=True)
    try:
        first = list(islice(samples, MOST))
    except Exception as error:  # the reader's own code may raise anything
        raise InputError(f"The samples of {reference} raised {described(error)}.", "Correct it.") from error
    if len(first) == MOST and isinstance(labels, Sized):
        labels = labels[:MOST]  # type: ignore[index]  # an array or a list, checked with the other labels
    return RawSamples(first, labels)


def _rows(samples: Mapping[str, Any], reference: str, ports: Sequence[Port]) -> ArrayRows:
    arrays = by_port(samples, ports)
    if arrays is None:
        has = f"{reference} returned samples for {', '.join(map(str, samples)) or 'no input'}"
        remedy = "Give every input one array under its name, and return labels apart."
        raise unlike_inputs(has, ports, remedy)
    return ArrayRows({name: array_of(part, f"The array of {name!r}") for name, part in arrays.items()}, ports)


def read_hub(data: str, model: SourceModel, seed: int) -> RawSamples:
    """A data set with a column per input, or pictures, and labels.

    :param data: ``hub:NAME``, ``hub:NAME:SPLIT`` or ``hub:NAME:CONFIGURATION:SPLIT``; a split may be empty.
    :raises EnvironmentMissing: the package ``datasets`` is not installed.
    :raises InputError: there is no such data set or no internet, or its columns are not the model's inputs.
    """
    name, *parts = re.split(r":(?![^\[]*\])", data.removeprefix(HUB))  # not in train[:100]
    if not name or len(parts) > 2:
        raise InputError(
            f"{data!r} is no data set of a hub.",
            "Write hub:NAME, hub:NAME:SPLIT or hub:NAME:CONFIGURATION:SPLIT.",
        )
    *configuration, split = parts or [""]
    rows = _loaded(name, "".join(configuration), split)
    if len(rows) == 0:
        raise InputError("The data set has no rows.", "Choose another split, as in hub:NAME:train.")
    rows = rows.shuffle(seed=seed).select(range(min(MOST, len(rows))))
    label = next((column for column in _LABEL_COLUMNS if column in rows.column_names), None)
    classes = tuple(getattr(rows.features[label], "names", None) or ()) if label else ()
    columns = _columns(rows, model.ports, name)
    labels = list(rows[label]) if label and label not in columns.values() else None
    is_picture = any(_is_picture(rows.features[column]) for column in columns.values())
    parts_of_rows = rows.select_columns(list(columns.values()))
    convert = image_to_input(model) if is_picture else np.asarray
    if not is_picture:
        parts_of_rows = parts_of_rows.with_format("numpy")

    def sample(index: int) -> dict[str, Any]:
        row = parts_of_rows[index]
        return {port: convert(row[column]) for port, column in columns.items()}

    return RawSamples(Mapped(range(len(rows)), sample), labels, classes=classes, lazy=is_picture)


def _loaded(name: str, configuration: str, split: str) -> Any:
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    try:
        datasets = importlib.import_module("datasets")
    except ImportError as error:
        raise EnvironmentMissing(
            "The package datasets, which reads hub data sets, is not installed.",
            "Run: pip install datasets, or give the data as .npz.",
        ) from error
    datasets.disable_progress_bars()
    try:
        loaded = datasets.load_dataset(name, configuration or None, split=split or None)
    except Exception as error:  # of many types: no connection, no such name, no such split, a broken file
        configurations = " ".join(str(error).strip().splitlines()[1:2])  # where it lists those that exist
        raise InputError(
            f"The data set {name!r} cannot be loaded: {described(error)}. {configurations}".strip(),
            "Check name, configuration, split and the connection to the internet, or give the data as .npz.",
        ) from error
    if isinstance(loaded, dict):
        return loaded[next((default for default in _SPLITS if default in loaded), next(iter(loaded)))]
    return loaded


def _columns(rows: Any, ports: Sequence[Port], name: str) -> dict[str, str]:
    """Column by port: of the same name, or the one with pictures for a model with one input."""
    columns = by_port({column: column for column in rows.column_names}, ports, exact=False)
    if columns is not None:
        return columns
    pictures = [column for column, feature in rows.features.items() if _is_picture(feature)]
    if len(ports) == 1 and pictures:
        return {ports[0].name: pictures[0]}
    has = f"The data set {name!r} has the columns {', '.join(rows.column_names)}"
    remedy = "Prepare samples in a function of yours, and name it as --data package.module:function."
    raise unlike_inputs(has, ports, remedy)


def _is_picture(feature: Any) -> bool:
    return type(feature).__name__ == "Image"
