"""Tables on standard output. Everything a user named is printed as it is: no markup, no emoji codes."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Literal

import click
from rich import box
from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

__all__ = ["Cell", "facts", "paragraph", "table", "verdict"]

Cell = str | Text

WIDTH = 110
"""Columns where standard output is no terminal: rich would take 80 and break most cells."""

_GOOD, _OPEN, _BAD = "green", "yellow", "red"
_STYLES = {
    "faster": _GOOD,
    "confirmed": _GOOD,
    "quiet": _GOOD,
    "inconclusive": _OPEN,
    "usable": _OPEN,
    "slower": _BAD,
    "refuted": _BAD,
    "noisy": _BAD,
}


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[Cell]]) -> None:
    """A table with one header line; nothing where there are no rows.

    :param columns: headings; those that begin with ``>`` belong to right-aligned columns.
    """
    if not rows:
        return
    grid = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for name in columns:
        justify: Literal["right", "left"] = "right" if name.startswith(">") else "left"
        grid.add_column(name.lstrip(">"), justify=justify, overflow="fold")
    for row in rows:
        grid.add_row(*row)
    _print(Text(title, style="bold"), grid, "")


def facts(title: str, rows: Sequence[tuple[str, Cell]]) -> None:
    """Names and values, without a header line."""
    grid = Table.grid(padding=(0, 2))
    for name, value in rows:
        grid.add_row(name, value)
    _print(Text(title, style="bold"), grid, "")


def paragraph(text: Cell) -> None:
    """A line of text."""
    _print(text)


def verdict(word: str, text: str | None = None) -> Text:
    """A verdict in its colour.

    :param text: what to print instead of the word itself.
    """
    return Text(text or word, style=_STYLES.get(word, ""))


def _print(*parts: RenderableType) -> None:
    width = None if sys.stdout.isatty() or "COLUMNS" in os.environ else WIDTH
    console = Console(file=sys.stdout, width=width, markup=False, emoji=False, highlight=False)
    with console.capture() as captured:
        for part in parts:
            console.print(part)
    # rich fills every line of a table with blanks, which nobody wants in a file.
    click.echo("\n".join(line.rstrip() for line in captured.get().split("\n")), nl=False)
