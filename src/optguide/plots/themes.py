"""The two looks of a figure: on the light page and on the dark one.

Colours are those of Okabe and Ito (*Color Universal Design*, 2008), which people with the common
colour-vision deficiencies tell apart. Orange and sky blue are darker here on the light page, and both blues
lighter on the dark page, so that every mark keeps a contrast of 3:1 with the page and every text
4.5:1 (WCAG 2.2, level AA).

Colours and hatches of kinds of work, and their legend.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import astuple, dataclass
from functools import wraps
from typing import Any, Literal, ParamSpec

import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.patches import Patch

Mode = Literal["light", "dark"]
P = ParamSpec("P")

WIDTH = 6.0  # inches; with 11 pt text a phone's 340 pixels still show letters of 9 pixels
FONT_SIZE = 11.0


@dataclass(frozen=True)
class Palette:
    """Colours of one page theme, as ``#rrggbb``.

    :param background: the page's own colour; figures are transparent and use it for gaps and halos only.
    :param ink: text and interval whiskers.
    :param muted: text and lines of second rank.
    :param grid: decoration that may be missed.
    :param series: colours of marks, in the order in which they are used.
    :param accent: the one mark a figure is about.
    """

    background: str
    ink: str
    muted: str
    grid: str
    series: tuple[str, ...]
    accent: str


LIGHT = Palette(
    background="#ffffff",
    ink="#1f2328",
    muted="#57606a",
    grid="#dfe3e8",
    series=("#0072b2", "#b87f00", "#009e73", "#cc79a7", "#2f95d0", "#8c510a"),
    accent="#d55e00",
)
DARK = Palette(
    background="#14181e",
    ink="#e6e9ee",
    muted="#a9b1bd",
    grid="#39414c",
    series=("#3d8fd1", "#e69f00", "#009e73", "#cc79a7", "#8fd0f5", "#c49a6c"),
    accent="#e8702a",
)

_DARK_OF = {
    light: dark
    for lights, darks in zip(astuple(LIGHT), astuple(DARK), strict=True)
    for light, dark in (zip(lights, darks, strict=True) if isinstance(lights, tuple) else [(lights, darks)])
}

_active: ContextVar[Palette | None] = ContextVar("optguide_palette", default=None)


def palette() -> Palette:
    """The colours of the style in force; the light ones outside :func:`style`."""
    return _active.get() or LIGHT


@contextmanager
def style(mode: Mode) -> Iterator[Palette]:
    """Draw and save figures for the light or the dark page.

    Save inside the context too: the fixed ``svg.hashsalt`` makes the same figure the same bytes (pass
    ``metadata={"Date": None}``). Text stays text, in a font whose letters are as wide on all systems.
    """
    colours = {"light": LIGHT, "dark": DARK}[mode]
    token = _active.set(colours)
    try:
        with mpl.rc_context(_settings(colours)):
            yield colours
    finally:
        _active.reset(token)


def darkened(svg: str) -> str:
    """A figure of the light page in the colours of the dark one: drawing it again would take as long as once.

    :param svg: what was saved in the light style. Its ids become others, so that a page can hold both.
    """
    recoloured = re.sub(r"#[0-9a-f]{6}\b", lambda colour: _DARK_OF.get(colour[0], colour[0]), svg)
    return re.sub(r'(["#]\w+?[0-9a-f]{10})\b', r"\1d", recoloured)


def themed(draw: Callable[P, Figure]) -> Callable[P, Figure]:
    """Let ``draw`` use the light style where the caller has chosen none, as in a notebook."""

    @wraps(draw)
    def drawn(*args: P.args, **kwargs: P.kwargs) -> Figure:
        if _active.get() is not None:
            return draw(*args, **kwargs)
        with style("light"):
            return draw(*args, **kwargs)

    return drawn


_METHODS = (r"f32|fp32|32-bit", r"bf16|default precision", r"int8|i8|u8|8-bit", r"int4|i4|4-bit")
"""Methods that many pages compare, by the place of their colour in ``Palette.series``."""


def colour_of(name: str, index: int = 0) -> str:
    """The colour of a mark: that of the method which its name mentions first, the same in all figures.

    :param index: place of the colour in the series where the name mentions none.
    """
    searches = (re.search(rf"\b({words})\b", name, re.IGNORECASE) for words in _METHODS)
    places = [(match.start(), slot) for slot, match in enumerate(searches) if match]
    return palette().series[min(places)[1] if places else index % len(palette().series)]


def _settings(colours: Palette) -> dict[Any, Any]:
    return {
        "font.size": FONT_SIZE,
        "font.family": "sans-serif",
        # The first ships with Matplotlib, which lays the figure out; readers without it have one as wide.
        "font.sans-serif": ["DejaVu Sans", "Verdana"],
        "axes.labelsize": FONT_SIZE,
        "axes.titlesize": FONT_SIZE,
        "xtick.labelsize": FONT_SIZE - 0.5,
        "ytick.labelsize": FONT_SIZE - 0.5,
        "legend.fontsize": FONT_SIZE - 0.5,
        "text.color": colours.ink,
        "axes.labelcolor": colours.ink,
        "axes.edgecolor": colours.muted,
        "axes.titlecolor": colours.ink,
        "xtick.color": colours.muted,
        "ytick.color": colours.muted,
        "grid.color": colours.grid,
        "grid.linewidth": 0.8,
        "legend.labelcolor": colours.ink,
        "legend.frameon": False,
        "figure.facecolor": "none",
        "figure.edgecolor": "none",
        "axes.facecolor": "none",
        "savefig.facecolor": "auto",
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.axisbelow": True,
        "lines.linewidth": 1.6,
        "lines.markersize": 6.5,
        "hatch.linewidth": 1.2,
        "text.parse_math": False,  # a dollar sign in a model's name is a dollar sign
        "svg.fonttype": "none",
        "svg.hashsalt": "optguide",
    }


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
