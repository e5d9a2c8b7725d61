"""Progress on standard error: what is running and how much time is left.

On a terminal this is a live display. Elsewhere (continuous integration, a file) it is a plain line at the
start, at the end, and every few seconds in between. Standard output stays free for results.

A session has an :func:`overview` of its own, or reports into that of a run of many sessions.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Protocol

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from optguide.format import duration

PLAIN_SECONDS = 10.0
"""Time between plain lines: short enough to show that the run is alive, long enough for a log."""

REFRESHES_PER_SECOND = 4
"""Refresh rate of an overview: the time left counts down even while nothing reports."""


class Update(Protocol):
    """Called as work proceeds."""

    def __call__(self, done: float, activity: str) -> None:
        """Report the share that is done (1 at most is shown) and, in a few words, what is running."""


class Overview:
    """What a run shows: its phase, the leader, what is running, and the time left.

    :param lines: gets plain lines, at every change of phase or leader and now and then between; without it
        the object is shown live.
    """

    def __init__(self, label: str, expected_seconds: float, lines: Console | None = None) -> None:
        self.label = label
        self.expected_seconds = expected_seconds
        self.started = self._printed = time.monotonic()
        self.phase = self.leader = self.activity = ""
        self._lines = lines
        self._print(f"up to {duration(expected_seconds)}")

    def enter(self, phase: str) -> None:
        """Begin a phase of the run, such as ``racing``."""
        if phase != self.phase:
            self._print(f"{self.left}; {phase}")
        self.phase, self.activity = phase, ""

    def lead(self, leader: str) -> None:
        """Name the candidate that the others have to beat."""
        if leader != self.leader:
            self._print(f"{self.left}; leader: {leader}")
        self.leader = leader

    def report(self, activity: str) -> None:
        """Say in a few words what is running."""
        self.activity = activity
        if time.monotonic() - self._printed >= PLAIN_SECONDS:
            self._print(f"{self.left}; {self.status}")

    def finish(self) -> None:
        """Say how long it took."""
        self._print(f"done in {duration(self.elapsed)}")

    def _print(self, text: str) -> None:
        if self._lines is not None:
            self._printed = time.monotonic()
            self._lines.print(f"{self.label}: {text}", highlight=False, markup=False, soft_wrap=True)

    @property
    def elapsed(self) -> float:
        """Seconds since the run began."""
        return time.monotonic() - self.started

    @property
    def left(self) -> str:
        """The time left, in words."""
        seconds = max(0.0, self.expected_seconds - self.elapsed)
        if seconds < 1:
            return "finishing"
        return f"{duration(round(seconds)) if seconds >= 60 else f'{seconds:.0f} s'} left"

    @property
    def status(self) -> str:
        """Phase, leader and what is running, in one line."""
        leader = f"leader: {self.leader}" if self.leader else ""
        return "; ".join(part for part in (self.phase, leader, self.activity) if part)

    def __rich__(self) -> RenderableType:
        """Two lines: how far the run is, and what it is doing."""
        share = min(1.0, self.elapsed / self.expected_seconds) if self.expected_seconds > 0 else 1.0
        head = Table.grid(padding=(0, 1))
        head.add_row(Text(self.label), ProgressBar(completed=100 * share, width=24), Text(self.left))
        leader = [Text(f"leader: {self.leader}", no_wrap=True, overflow="ellipsis")] if self.leader else []
        doing = ": ".join(filter(None, (self.phase, self.activity)))
        return Group(head, *leader, Text(doing, style="dim", no_wrap=True, overflow="ellipsis"))


_outer: Overview | None = None
"""The overview that is open in this process, if any. Only one measurement runs in a process at a time."""


@contextmanager
def overview(label: str, expected_seconds: float) -> Iterator[Overview]:
    """Show one display for a whole run; sessions that run inside report into it."""
    global _outer  # noqa: PLW0603 - the display is one per process, as the terminal is
    console = Console(stderr=True, file=sys.__stderr__)
    shown = Overview(label, expected_seconds, None if console.is_terminal else console)
    live = Live(shown, console=console, transient=True, refresh_per_second=REFRESHES_PER_SECOND)
    before, _outer = _outer, shown
    try:
        with live if console.is_terminal else nullcontext():
            yield shown
        shown.finish()
    finally:
        _outer = before


@contextmanager
def reporting(label: str, expected_seconds: float) -> Iterator[Update]:
    """Show the progress of one session, or report it into the overview that is open."""

    def update(done: float, activity: str) -> None:
        view.report(f"{activity}, {min(done, 1.0):.0%}")

    with nullcontext(_outer) if _outer is not None else overview(label, expected_seconds) as view:
        yield update
