"""Figures of an example, saved for light and for dark pages before the record is published."""

from __future__ import annotations

import functools
import hashlib
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from optguide.records.model import Figure
from optguide.storage import storage_errors

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Drawing


@dataclass(frozen=True)
class StagedFigure:
    """A drawn figure whose record is not published yet.

    The files live in a temporary folder of this process and vanish with it: copy what should stay.

    :param example: ``chapter/name`` of the example that drew it.
    """

    name: str
    light_path: Path
    dark_path: Path
    alt: str
    caption: str
    example: str

    def files(self) -> tuple[Figure, dict[str, bytes]]:
        """The record's entry, and the content of the files it names."""
        stem = self.example.rpartition("/")[2]
        content: dict[str, bytes] = {}
        for path in (self.light_path, self.dark_path):
            data = path.read_bytes()
            content[f"{stem}.{path.stem}.{hashlib.sha256(data).hexdigest()[:12]}.svg"] = data
        light, dark = content
        return Figure(self.alt, self.caption, light, dark), content


_new: list[StagedFigure] = []


def take_new_figures() -> list[StagedFigure]:
    """The figures drawn in this process since the last call, in the order they were drawn.

    A gallery scraper calls it after each block of an example, also of one that fails later.
    """
    figures = _new.copy()
    _new.clear()
    return figures


def stage(
    example: str, name: str, draw: Callable[[], Drawing], *, alt: str, caption: str
) -> tuple[StagedFigure, Drawing]:
    """Draw, save for light and for dark pages, and keep the files until the record is published."""
    import matplotlib as mpl

    from optguide import plots

    with storage_errors(Path(tempfile.gettempdir())):
        folder = Path(tempfile.mkdtemp(dir=_temporary().name))
    dark, light = folder / f"{name}.dark.svg", folder / f"{name}.light.svg"
    # A salt of its own keeps the ids of several SVGs apart where a page holds them inline.
    with plots.style("light"), mpl.rc_context({"svg.hashsalt": name}):
        drawing = draw()
        with storage_errors(folder):
            drawing.savefig(light, format="svg", metadata={"Date": None})
            dark.write_text(plots.darkened(light.read_text("utf-8")), "utf-8")
    staged = StagedFigure(name, light, dark, alt, caption, example)
    _new.append(staged)
    return staged, drawing


@functools.cache
def _temporary() -> tempfile.TemporaryDirectory[str]:
    """The folder of this process; the cache keeps the object, so it is removed when the process ends."""
    return tempfile.TemporaryDirectory(prefix="optguide-figures-")
