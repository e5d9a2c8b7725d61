"""Colours and hatches of kinds of work, and their legend."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from matplotlib.figure import Figure
from matplotlib.patches import Patch

from optguide.plots.themes import palette

__all__ = ["Looks", "add_legend", "looks_of"]

Looks = Mapping[str, tuple[str, str]]
HATCHES = ("", "///", "..", "\\\\\\", "xx", "---")


def looks_of(kinds: Iterable[str]) -> Looks:
    """Colour and hatch of each kind, in their order."""
    colours = palette().series
    return {
        kind: (colours[index % len(colours)], HATCHES[index % len(HATCHES)])
        for index, kind in enumerate(kinds)
    }


def add_legend(figure: Figure, looks: Looks) -> None:
    """Name the kinds above the plot, three on a line."""
    handles = [
        Patch(facecolor=colour, hatch=hatch, edgecolor=palette().background, label=kind)
        for kind, (colour, hatch) in looks.items()
    ]
    # Matplotlib fills a legend column by column; kinds are read along lines.
    handles = [handle for column in range(3) for handle in handles[column::3]]
    if handles:
        figure.legend(handles=handles, loc="outside upper left", ncols=3, handlelength=1.6, borderpad=0)
