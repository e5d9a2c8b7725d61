"""Data sets of a hub, or of a folder, through Hugging Face's package ``datasets``.

No code of a data set is run: ``datasets`` 4 no longer has loading scripts, and older versions run them only
where they are told to trust them.
"""

from __future__ import annotations

import importlib
import os
import re
from typing import Any

from optguide.errors import EnvironmentMissing, InputError, described
from optguide.optimize.data.images import ImageToInput, image_to_input
from optguide.optimize.data.samples import RawSamples, by_port
from optguide.optimize.model.source import SourceModel

PREFIX = "hub:"

MOST = 2000
"""Samples that are drawn at random: data sets are often sorted by class."""

_SPLITS = ("validation", "test", "train")
"""The first that exists is read where none is named: a model looks too good on what it was trained on."""

_LABELS = ("label", "labels", "target", "fine_label")


def read_hub(data: str, model: SourceModel, seed: int) -> RawSamples:
    """A data set with a column per input, or pictures, and labels.

    :param data: ``hub:NAME``, ``hub:NAME:SPLIT`` or ``hub:NAME:CONFIGURATION:SPLIT``; a split may be empty.
    :raises EnvironmentMissing: the package ``datasets`` is not installed.
    :raises InputError: there is no such data set or no internet, or its columns are not the model's inputs.
    """
    name, configuration, split = _parsed(data)
    rows = _shuffled(_loaded(name, configuration, split), seed)
    label = next((column for column in _LABELS if column in rows.column_names), None)
    classes = tuple(getattr(rows.features[label], "names", None) or ()) if label else ()
    columns = _columns(rows, model, name)
    labels = list(rows[label]) if label and label not in columns.values() else None
    is_picture = any(_is_picture(rows.features[column]) for column in columns.values())
    samples = _PictureRows(rows, columns, image_to_input(model) if is_picture else None)
    return RawSamples(samples, labels, classes=classes, lazy=is_picture)


def _parsed(data: str) -> tuple[str, str, str]:
    """Name, configuration and split, of which the last two may be empty."""
    name, *parts = re.split(r":(?![^\[]*\])", data.removeprefix(PREFIX))  # not in train[:100]
    if not name or len(parts) > 2:
        raise InputError(
            f"{data!r} is no data set of a hub.",
            "Write hub:NAME, hub:NAME:SPLIT or hub:NAME:CONFIGURATION:SPLIT.",
        )
    *configuration, split = parts or [""]
    return name, "".join(configuration), split


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


def _shuffled(rows: Any, seed: int) -> Any:
    if len(rows) == 0:
        raise InputError("The data set has no rows.", "Choose another split, as in hub:NAME:train.")
    return rows.shuffle(seed=seed).select(range(min(MOST, len(rows))))


def _columns(rows: Any, model: SourceModel, name: str) -> dict[str, str]:
    """Column by port: of the same name, or the one with pictures for a model with one input."""
    columns = by_port({column: column for column in rows.column_names}, model.ports, exact=False)
    if columns is not None:
        return columns
    pictures = [column for column, feature in rows.features.items() if _is_picture(feature)]
    if len(model.ports) == 1 and pictures:
        return {model.ports[0].name: pictures[0]}
    raise InputError(
        f"The data set {name!r} has the columns {', '.join(rows.column_names)}, and the model's inputs are "
        f"{', '.join(port.name for port in model.ports)}.",
        "Prepare samples in a function of yours, and name it as --data package.module:function.",
    )


def _is_picture(feature: Any) -> bool:
    return type(feature).__name__ == "Image"


class _PictureRows:
    """One sample per row, with its pictures decoded on access."""

    def __init__(self, rows: Any, columns: dict[str, str], convert: ImageToInput | None) -> None:
        self._columns = columns
        self._convert = convert
        self._rows = rows.select_columns(list(columns.values()))
        if convert is None:
            self._rows = self._rows.with_format("numpy")

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: int) -> dict[str, Any]:
        row = self._rows[index]
        sample = {port: row[column] for port, column in self._columns.items()}
        return {port: self._convert(part) for port, part in sample.items()} if self._convert else sample
