"""What is running, how long it will take, and how good the result is so far.

On a terminal a live bar on standard error; elsewhere (continuous integration, a file) a plain line at the
start, at the end, and every few seconds between. Standard output stays free for results.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

__all__ = ["Update", "reporting"]

PLAIN_SECONDS = 10.0
"""Between plain lines: often enough to see life, rarely enough for a log."""


class Update(Protocol):
    """Called as work proceeds."""

    def __call__(self, done: float, what: str) -> None:
        """Report the share that is done (0 to 1) and, in a few words, what is running."""


@contextmanager
def reporting(label: str, expected_seconds: float) -> Iterator[Update]:
    """Show the progress of one session.

    :param label: what is being measured.
    :param expected_seconds: the budget, for the time left.
    """
    console = Console(stderr=True, file=sys.__stderr__)
    reporter = _live if console.is_terminal else _plain
    with reporter(console, label, expected_seconds) as update:
        yield update


@contextmanager
def _live(console: Console, label: str, expected_seconds: float) -> Iterator[Update]:
    columns = (
        TextColumn("{task.description}", markup=False),  # names are the user's and may hold brackets
        BarColumn(bar_width=24),
        TimeElapsedColumn(),
        TextColumn("{task.fields[left]}"),
        TextColumn("{task.fields[what]}", style="dim", markup=False),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task(label, total=1.0, left="", what="")

        def update(done: float, what: str) -> None:
            left = f"{max(0.0, (1 - done) * expected_seconds):.0f} s left"
            progress.update(task, completed=done, left=left, what=what)

        yield update


@contextmanager
def _plain(console: Console, label: str, expected_seconds: float) -> Iterator[Update]:
    start = last = time.monotonic()
    console.print(f"{label}: up to {expected_seconds:.0f} s", highlight=False, markup=False)

    def update(done: float, what: str) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= PLAIN_SECONDS:
            last = now
            console.print(f"{label}: {done:.0%}, {what}", highlight=False, markup=False)

    yield update
    console.print(f"{label}: done in {time.monotonic() - start:.1f} s", highlight=False, markup=False)
