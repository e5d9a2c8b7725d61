"""Several variants in one process, each called by a thread of its own: an application with two models."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, Protocol

__all__ = ["TicketLock", "blocks"]


class TicketLock:
    """Lets one caller through at a time, in the order in which they came.

    A plain lock would do for one at a time. But the thread that gives a lock back mostly gets it again, so
    that a thread of many short calls could keep another one waiting for long.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._next_ticket = 0
        self._serving = 0

    @contextmanager
    def passing(self) -> Iterator[None]:
        """Wait for one's turn, and keep it for the length of the block."""
        with self._changed:
            ticket = self._next_ticket
            self._next_ticket += 1
            self._changed.wait_for(lambda: self._serving == ticket)
        try:
            yield
        finally:
            with self._changed:
                self._serving += 1
                self._changed.notify_all()

    def before(self, calls: Sequence[Callable[[], Any]]) -> list[Callable[[], Any]]:
        """The same calls, each behind this turnstile: their duration includes the wait for the turn."""
        return [self._guarded(call) for call in calls]

    def _guarded(self, call: Callable[[], Any]) -> Callable[[], Any]:
        def guarded() -> Any:
            with self.passing():
                return call()

        return guarded


class Block(Protocol):
    """How a variant of this process does one block, :meth:`optguide.bench.worker.Worker.block`."""

    def __call__(
        self, seconds: float, discard: float, linger: float, turnstile: TicketLock | None
    ) -> dict[str, Any]: ...


def blocks(
    members: Sequence[Block], seconds: float, discard: float, linger: float, turns: bool
) -> list[dict[str, Any]]:
    """One block of every member, all at the same time.

    CPU time is that of the whole process: nothing tells whose threads used it.

    :param turns: one call at a time, in the order in which they are asked for, instead of all at once.
    """
    turnstile = TicketLock() if turns else None
    with ThreadPoolExecutor(len(members)) as threads:
        begun = [threads.submit(member, seconds, discard, linger, turnstile) for member in members]
        return [block.result() for block in begun]
