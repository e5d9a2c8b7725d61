"""Results on disk: one JSON file and its figures per example, written in one step.

An example collects its results in a :class:`Recording` and ends with :meth:`Recording.publish`; pages, claims
and the command line read all of them with :func:`load`. What can go wrong in between leaves the records that
were there: see :mod:`optguide.storage` for how.
"""

from __future__ import annotations

from optguide.records.figures import StagedFigure, take_new_figures
from optguide.records.model import SCHEMA, Figure, Record, Result, Table
from optguide.records.reading import Records, load
from optguide.records.recording import Recording

__all__ = [
    "SCHEMA",
    "Figure",
    "Record",
    "Recording",
    "Records",
    "Result",
    "StagedFigure",
    "Table",
    "load",
    "take_new_figures",
]
