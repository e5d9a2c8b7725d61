"""Data sets of a hub, or of a folder, through Hugging Face's package ``datasets``.

No code of a data set is run: ``datasets`` 4 has no loading scripts any more, and older ones are not told to
trust any.
"""

from __future__ import annotations

import importlib
import os
import re
from typing import Any

from optguide.errors import EnvironmentMissing, InputError
from optguide.optimize.data.images import Pixels, pixels_for
from optguide.optimize.data.samples import Lazy, Raw
from optguide.optimize.model.source import SourceModel
from optguide.references import told

__all__ = ["MOST", "PREFIX", "read_hub"]

PREFIX = "hub:"

MOST = 2000
"""Samples that are taken, at random: data sets are often sorted by class."""

_SPLITS = ("validation", "test", "train")
"""Taken in this order where none is named; what a model was trained on judges it too kindly."""

_LABELS = ("label", "labels", "target", "fine_label")


def read_hub(data: str, subject: SourceModel, seed: int) -> Raw:
    """A data set with a column per input, or pictures, and labels.

    :param data: ``hub:NAME``, ``hub:NAME:SPLIT`` or ``hub:NAME:CONFIGURATION:SPLIT``; a split may be empty.

    :raises EnvironmentMissing: the package ``datasets`` is not installed.
    :raises InputError: there is no such data set or no internet, or its columns are not the model's inputs.
    """
    name, configuration, split = _named(data)
    rows = _shuffled(_loaded(name, configuration, split), seed)
    labels = next((column for column in _LABELS if column in rows.column_names), None)
    classes = tuple(getattr(rows.features[labels], "names", None) or ()) if labels else ()
    chosen = _columns(rows, subject, name)
    values = list(rows[labels]) if labels and labels not in chosen.values() else None
    pixels = _pixels(rows, chosen, subject)
    return Raw(_Table(rows, chosen, pixels), values, classes=classes, lazy=pixels is not None)


def _named(data: str) -> tuple[str, str, str]:
    """Name, configuration and split, of which the last two may be empty."""
    name, *rest = re.split(r":(?![^\[]*\])", data.removeprefix(PREFIX))  # not in train[:100]
    if not name or len(rest) > 2:
        raise InputError(
            f"{data!r} is no data set of a hub.",
            "Write hub:NAME, hub:NAME:SPLIT or hub:NAME:CONFIGURATION:SPLIT.",
        )
    *configuration, split = rest or [""]
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
        found = datasets.load_dataset(name, configuration or None, split=split or None)
    except Exception as error:  # of many types: no connection, no such name, no such split, a broken file
        more = " ".join(str(error).strip().splitlines()[1:2])  # the configurations that there are
        raise InputError(
            f"The data set {name!r} cannot be loaded: {told(error)}. {more}".strip(),
            "Check name, configuration, split and the connection to the internet, or give the data as .npz.",
        ) from error
    if isinstance(found, dict):
        chosen = next((one for one in _SPLITS if one in found), next(iter(found)))
        return found[chosen]
    return found


def _shuffled(rows: Any, seed: int) -> Any:
    if len(rows) == 0:
        raise InputError("The data set has no rows.", "Choose another split, as in hub:NAME:train.")
    return rows.shuffle(seed=seed).select(range(min(MOST, len(rows))))


def _columns(rows: Any, subject: SourceModel, name: str) -> dict[str, str]:
    """Column by port: of the same name, or the one with pictures for a model with one input."""
    found = {
        port.name: column
        for port in subject.ports
        for column in (port.name, *port.also)
        if column in rows.column_names
    }
    if len(found) == len(subject.ports):
        return found
    pictures = [column for column, feature in rows.features.items() if _is_picture(feature)]
    if len(subject.ports) == 1 and pictures:
        return {subject.ports[0].name: pictures[0]}
    raise InputError(
        f"The data set {name!r} has the columns {', '.join(rows.column_names)}, and the model's inputs are "
        f"{', '.join(port.name for port in subject.ports)}.",
        "Prepare samples in a function of yours, and name it as --data package.module:function.",
    )


def _pixels(rows: Any, chosen: dict[str, str], subject: SourceModel) -> Pixels | None:
    is_picture = any(_is_picture(rows.features[column]) for column in chosen.values())
    return pixels_for(subject) if is_picture else None


def _is_picture(feature: Any) -> bool:
    return type(feature).__name__ == "Image"


class _Table(Lazy[Any]):
    """One sample per row."""

    def __init__(self, rows: Any, columns: dict[str, str], pixels: Pixels | None) -> None:
        self._columns = columns
        self._pixels = pixels
        self._rows = rows.select_columns(list(columns.values()))
        if pixels is None:
            self._rows = self._rows.with_format("numpy")

    def __len__(self) -> int:
        return len(self._rows)

    def at(self, index: int) -> Any:
        """See :class:`Lazy`."""
        row = self._rows[index]
        sample = {port: row[column] for port, column in self._columns.items()}
        return {port: self._pixels(part) for port, part in sample.items()} if self._pixels else sample
