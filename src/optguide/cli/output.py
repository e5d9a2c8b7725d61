"""What commands print on standard output: tables, or one JSON object without rounding.

Names that users chose are printed literally: rich's markup and emoji codes have no effect in them.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, TypeVar

import click
from rich import box
from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from optguide import format as fmt
from optguide.bench.series import InputDescription
from optguide.cli.errors import report_failures, warn
from optguide.errors import NotEnoughSamples, OptGuideError
from optguide.machine import Machine
from optguide.stats.comparison import Comparison
from optguide.stats.estimate import Estimate
from optguide.storage import encode_json

SCHEMA = 1
"""Version of the JSON form. Raise it whenever an older reader would misunderstand a newer answer."""

WIDTH = 110
"""Columns where standard output is no terminal: rich would take 80 and break most cells."""

NARROWEST = 80
"""Columns that a table takes at least: in fewer it would break numbers in two."""

_BUILD = re.compile(r"-\S+")

_PLAIN = str.maketrans(
    {
        "\N{EN DASH}": "-",
        "\N{EM DASH}": "-",
        "\N{HORIZONTAL ELLIPSIS}": "...",
        "\N{MINUS SIGN}": "-",
        "\N{MICRO SIGN}": "u",
        "\N{GREEK SMALL LETTER MU}": "u",
        "\N{MULTIPLICATION SIGN}": "x",
        "\N{LESS-THAN OR EQUAL TO}": "<=",
        "\N{GREATER-THAN OR EQUAL TO}": ">=",
        "\N{PLUS-MINUS SIGN}": "+/-",
        "\N{BOX DRAWINGS LIGHT HORIZONTAL}": "-",
    }
)
"""What stands for a character that a terminal's encoding lacks."""

MISSING = "\N{EN DASH}"

Cell = str | Text
Quantity = TypeVar("Quantity")

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


def deliver(
    command: str,
    *,
    as_json: bool,
    content: Callable[[], Mapping[str, Any]],
    tables: Callable[[], None],
    warnings: Sequence[str] = (),
    failures: Mapping[str, OptGuideError] | None = None,
) -> None:
    """Print what a command measured, then warnings, then the variants that failed.

    :param content: makes the JSON object, without ``schema`` and ``command``.
    :param tables: prints the same for people.
    :param failures: by variant; the first decides the exit status.
    """
    if as_json:
        print_json(command, content())
    else:
        tables()
    for sentence in warnings:
        warn(sentence)
    report_failures(failures or {})


def print_json(command: str, content: Mapping[str, Any]) -> None:
    """Print one object: schema, command and ``content``. What is not a finite number becomes null."""
    text = encode_json({"schema": SCHEMA, "command": command, **content}).decode()
    if not text.isascii() and sys.stdout.encoding.lower().replace("-", "") != "utf8":
        text = json.dumps(json.loads(text), indent=1)  # with escapes, the same in every encoding
    click.echo(text)


def if_enough(quantity: Callable[[], Quantity]) -> Quantity | None:
    """What ``quantity`` returns; ``None`` where too little was measured for it."""
    try:
        return quantity()
    except NotEnoughSamples:
        return None


def comparison_fields(comparison: Comparison | None) -> dict[str, Any] | None:
    """What JSON has of a comparison; ``None`` where there is none."""
    names = ("a", "b", "quantity", "ratio", "cpu_ratio", "verdict")
    return None if comparison is None else {name: getattr(comparison, name) for name in names}


def failure_fields(failures: Mapping[str, OptGuideError]) -> list[dict[str, str]]:
    """Which variants were not measured, and why."""
    return [
        {"name": name, "kind": type(error).__name__, "message": error.message, "remedy": error.remedy}
        for name, error in failures.items()
    ]


def two_lines(estimate: Estimate | None) -> str:
    """Value and, below it, the interval; empty without an estimate."""
    return "" if estimate is None else fmt.estimate(estimate).replace(" (", "\n(")


def estimate_cell(estimate: Callable[[], Estimate]) -> str:
    """As :func:`two_lines`; "unknown" where too little was measured."""
    return two_lines(if_enough(estimate)) or "unknown"


def comparison_cell(comparison: Comparison) -> Text:
    """The ratio and, below it, the verdict, in its colour."""
    return verdict(comparison.verdict, f"{fmt.estimate(comparison.ratio)}\n{comparison.verdict}")


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


def without_build(version: str) -> str:
    """A version, or several in one text, as its release alone: ``2026.4.0`` of ``2026.4.0-20398-0123abc``."""
    return _BUILD.sub("", version)


def machine_line(versions: Mapping[str, str] | None = None) -> None:
    """The machine in one line, with the versions of the runtimes that were measured."""
    runtimes = ", ".join(f"{name} {without_build(version)}" for name, version in (versions or {}).items())
    paragraph(f"{Machine.current().summary()}{'; ' if runtimes else ''}{runtimes}.")


def input_lines(inputs: Mapping[str, InputDescription]) -> None:
    """What each variant was called with; once for all that were called with the same."""
    names: dict[str, list[str]] = {}
    for name, description in inputs.items():
        names.setdefault(str(description), []).append(name)
    for text, variants in names.items():
        whose = f" of {', '.join(variants)}" if len(names) > 1 else ""
        paragraph(f"Inputs{whose}: {text}")


def verdict(word: str, text: str | None = None) -> Text:
    """A verdict in its colour."""
    return Text(text or word, style=_STYLES.get(word, ""))


def _print(*parts: RenderableType) -> None:
    narrow = sys.stdout.isatty() or "COLUMNS" in os.environ
    width = max(shutil.get_terminal_size().columns, NARROWEST) if narrow else WIDTH
    console = Console(file=sys.stdout, width=width, markup=False, emoji=False, highlight=False)
    with console.capture() as captured:
        for part in parts:
            console.print(part)
    # rich fills every line of a table with blanks, which nobody wants in a file.
    text = "\n".join(line.rstrip() for line in captured.get().split("\n"))
    click.echo(encodable(text, sys.stdout.encoding), nl=False)


def encodable(text: str, encoding: str) -> str:
    """``text`` in characters that a terminal of this encoding can show; results are not to be lost to it."""
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return text.translate(_PLAIN).encode(encoding, "backslashreplace").decode(encoding)
    return text
