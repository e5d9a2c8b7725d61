"""The worker's conversation with its parent: one JSON object per line, a reply for each request.

The protocol has pipes of its own: what a library prints goes to standard error, and it has nothing to read.
"""

from __future__ import annotations

import ctypes
import itertools
import json
import os
import pkgutil
import signal
import sys
import tempfile
import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from optguide.bench import loops
from optguide.errors import OptGuideError, OutputError, described
from optguide.runtimes import runner_for
from optguide.storage import is_disk_full

OVERHEAD_BLOCK, OVERHEAD_PAIRS, OVERHEAD_CALLS = 0.005, 9, 30
"""Seconds of each block that is held against another, how many pairs there are of them, and single calls."""

OVERHEAD_CALL_NS = 20_000_000
"""Longer calls are left out: what Python does in them is little, and blocks of them would take too long."""

_FIELDS = {"peak_rss": "VmHWM", "rss": "VmRSS", "private": "RssAnon"}


class TicketLock:
    """Lets one caller through at a time, in the order in which they came.

    A plain lock would do for one at a time. But the thread that gives a lock back mostly gets it again, so
    that a thread of many short calls could keep another one waiting for long.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._tickets = itertools.count()
        self._serving = 0

    def before(self, call: Callable[[], Any]) -> Callable[[], Any]:
        """The same call, behind this lock: its duration includes the wait for the turn."""

        def guarded() -> Any:
            with self._changed:
                ticket = next(self._tickets)
                self._changed.wait_for(lambda: self._serving == ticket)
            try:
                return call()
            finally:
                with self._changed:
                    self._serving += 1
                    self._changed.notify_all()

        return guarded


class Worker:
    """Answers requests about one variant."""

    def __init__(self) -> None:
        self.runner: Any = None
        self.counter: Any = None
        self._turn: loops.Turn | None = None

    def load(self, spec: dict[str, Any]) -> dict[str, Any]:
        """Load the variant; reply with the seconds of each stage and the resolved properties."""
        self.runner = self.counter = self._turn = None  # loaded anew, the old model makes room first
        self.runner = runner_for(spec)
        self.runner.load()
        return {
            "stages": self.runner.stages,
            "inputs": self.runner.description(),
            "effective": self.runner.effective(),
            "versions": self.runner.versions(),
        }

    def check(self, path: str) -> dict[str, Any]:
        """Run the first input set, refuse outputs that mean nothing, save the others to ``path`` (``.npz``).

        The reply says how many inputs a call processes, what tells so, what the outputs are called, and what
        is odd about them.
        """
        outputs = self.runner.outputs()
        names = self.runner.output_names or [()] * len(outputs)
        frames, counted_by = self.runner.frames(outputs)
        # Functions may return anything; what is not an array of plain values cannot be compared.
        plain = [
            (array, list(own)) for array, own in zip(outputs, names, strict=True) if array.dtype != object
        ]
        oddities = _oddities([array for array, _ in plain])
        np.savez(path, *(array for array, _ in plain))
        return {
            "frames": frames,
            "counted_by": counted_by,
            "names": [own for _, own in plain],
            "oddities": oddities,
        }

    def overhead(self) -> dict[str, list[float]]:
        """What is left of a call without a part of it, as shares of the call, measured in turns.

        ``inputs``: blocks in which inputs are handed over, and blocks in which they are not. ``python``: the
        inference by the runtime's own clock, of single calls. Empty where the runtime cannot tell, or where
        a call is so long that there is nothing to find.
        """
        runner, again = self.runner, self.runner.again()
        with self._running():
            if again is None:
                return {}
            length = loops.consecutive([again], 1)[0]
            in_flight = 1 if runner.queue is None else len(runner.queue)
            if length > OVERHEAD_CALL_NS or length * in_flight > 10 * OVERHEAD_CALL_NS:
                return {}
            feeds, remaining = runner.feeds(), dict[str, list[float]]()
            if feeds and not runner.varied:  # otherwise the two kinds of blocks would run other shapes
                remaining["inputs"] = [self._without(feeds, again) for _ in range(OVERHEAD_PAIRS)]
            if runner.queue is None:
                calls = [runner.calls[0] if feeds else again]
                seconds = (1e-9 * loops.consecutive(calls, 1)[0] for _ in range(OVERHEAD_CALLS))
                remaining["python"] = [runner.inference_seconds() / whole for whole in seconds]
            return remaining

    def _without(self, feeds: Sequence[Any], again: Callable[[], Any]) -> float:
        """Time per call of a block in which nothing is handed over, divided by that of one as usual."""
        queue, lengths, times = self.runner.queue, (OVERHEAD_BLOCK, OVERHEAD_BLOCK / 4), []
        for sets in ([again], self.runner.calls) if queue is None else ([], feeds):
            if queue is None:
                block = loops.synchronous(self._new_turn(sets), *lengths)
            else:
                block = loops.asynchronous(queue, self._new_turn(sets), *lengths)
            times.append(block.wall_ns / block.calls)
        return times[0] / times[1]

    def block(
        self, seconds: float, discard: float, linger: float = 0.0, lock: TicketLock | None = None
    ) -> dict[str, Any]:
        """One block of closed-loop calls.

        :param lock: lets one call at a time pass, where variants of one process take turns.
        """
        queue = self.runner.queue
        if self._turn is None:
            self._turn = self._new_turn(self.runner.calls if queue is None else self.runner.feeds())
        with self._running():
            if queue is not None:
                return asdict(loops.asynchronous(queue, self._turn, seconds, discard, linger))
            # Calls behind a lock are for this block alone: the next one may have another, or none.
            turn = self._turn if lock is None else self._new_turn([*map(lock.before, self.runner.calls)])
            return asdict(loops.synchronous(turn, seconds, discard, linger))

    def _new_turn(self, sets: Sequence[Any]) -> loops.Turn:
        return loops.Turn(sets, varied=self.runner.varied)

    def consecutive(self, count: int) -> dict[str, Any]:
        """Durations of the next calls, the first one included."""
        with self._running():
            return {"durations_ns": loops.consecutive(self.runner.calls, count)}

    def serve(self, rate: float, seconds: float, seed: int, patience: float) -> dict[str, Any]:
        """One open-loop schedule."""
        queue = self.runner.queue
        schedule = loops.poisson(rate, seconds, seed)
        with self._running():
            return asdict(loops.serve(queue, self.runner.calls, self.runner.feeds(), schedule, patience))

    def layers(self, seconds: float, discard: float) -> dict[str, Any]:
        """Times by layer; see :meth:`optguide.runtimes.openvino_layers.LayerCounter.turn`."""
        if self.counter is None:
            self.counter = self.runner.layer_counter()
        with self._running():
            return dict(self.counter.turn(seconds, discard))

    def memory(self) -> dict[str, Any]:
        """Bytes of memory by kind; see :func:`footprint`."""
        return dict(footprint())

    @contextmanager
    def _running(self) -> Iterator[None]:
        """Let the runner say what it means that a call failed."""
        try:
            yield
        except RuntimeError as error:
            blamed = self.runner.blame(error)
            if blamed is error:
                raise
            raise blamed from error


def _oddities(outputs: list[Any]) -> list[str]:
    """What is odd about outputs that may be meant so, in sentences."""
    sentences, fields = [], []
    for index, array in enumerate(outputs):
        if not np.issubdtype(array.dtype, np.number) or not array.size:
            continue
        values = np.asarray(array, dtype=np.float64)
        finite = np.isfinite(values)
        if np.isnan(values).any() or not finite.any():
            raise OutputError(
                f"Output {index} holds {'NaN' if np.isnan(values).any() else 'nothing but infinity'}, so its "
                "speed says nothing.",
                "Check the inputs, or pin the precision with --set INFERENCE_PRECISION_HINT=f32.",
            )
        if not finite.all():
            sentences.append(
                f"Output {index} is infinite in {np.count_nonzero(~finite)} of {values.size} places, as "
                "masked scores are; check that this is meant."
            )
        if values.size > 1:
            fields.append((index, values))
    if fields and all(np.all(values == values.flat[0]) for _, values in fields):
        index, values = fields[0]
        sentences.append(
            f"Output {index} is {values.flat[0]:g} everywhere, as a mask of nothing but background is; pass "
            "real inputs with --inputs, and check the conversion of the model if it stays so."
        )
    return sentences


def _colocated(
    workers: Sequence[Worker], seconds: float, discard: float, linger: float, turns: bool
) -> dict[str, Any]:
    """One block of every variant of this process, all at the same time, each by a thread of its own.

    CPU time is that of the whole process: nothing tells whose threads used it.

    :param turns: one call at a time, in the order in which they are asked for, instead of all at once.
    """
    lock = TicketLock() if turns else None
    with ThreadPoolExecutor(len(workers)) as threads:
        started = [threads.submit(worker.block, seconds, discard, linger, lock) for worker in workers]
        return {"blocks": [block.result() for block in started]}


def footprint() -> dict[str, int | None]:
    """Bytes of this process's memory by kind; ``None`` where the system does not tell.

    Resident memory counts pages of mapped files too. The system can drop those and share them with other
    processes: a model whose weights are mapped takes less than its resident memory says. The rest is private.

    ``peak_rss`` is the largest resident memory so far, ``rss`` the resident memory now, ``private`` what of
    that belongs to no file.
    """
    if sys.platform == "linux":
        return _from_status(Path("/proc/self/status").read_text(encoding="ascii", errors="replace"))
    import resource  # not on Windows

    unit = 1 if sys.platform == "darwin" else 1024  # bytes on macOS, kibibytes elsewhere
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    return {"peak_rss": peak, "rss": None, "private": None}


def _from_status(status: str) -> dict[str, int | None]:
    """The kernel's own account: ``getrusage`` starts from the peak of the process that spawned this one."""
    lines = (line.partition(":") for line in status.splitlines())
    kibibytes = {name: int(value.split()[0]) for name, _, value in lines if name in _FIELDS.values()}
    sizes = {kind: kibibytes.get(name) for kind, name in _FIELDS.items()}
    return {kind: None if size is None else 1024 * size for kind, size in sizes.items()}


def die_with_parent() -> None:
    """Ask the kernel to end this process when its parent is gone, even if it hangs in native code."""
    if sys.platform == "linux":
        set_death_signal = 1  # PR_SET_PDEATHSIG, linux/prctl.h
        ctypes.CDLL(None).prctl(set_death_signal, signal.SIGKILL)


def _answer(hosted: list[Worker], request: dict[str, Any]) -> dict[str, Any]:
    """The reply to one request: of a function, of the worker in its ``slot``, or of all in this process."""
    try:
        name = request.pop("do")
        if name == "call":
            return {"ok": pkgutil.resolve_name(request["function"])(**request["arguments"])}
        if name == "colocated":
            return {"ok": _colocated(hosted, **request)}
        slot = request.pop("slot", 0)
        if slot == len(hosted):
            hosted.append(Worker())
        return {"ok": getattr(hosted[slot], name)(**request)}
    except OptGuideError as error:
        kind, message, remedy = type(error).__name__, error.message, error.remedy
        detail = traceback.format_exc()
    except Exception as error:  # the parent decides what a failure means
        kind, message = "WorkerError", described(error)
        remedy = "Run the command again with --debug for the traceback."
        if is_disk_full(error):
            kind, remedy = "StorageError", f"Free some space in {tempfile.gettempdir()}."
        detail = traceback.format_exc()
    return {"error": {"kind": kind, "message": message, "remedy": remedy, "detail": detail}}


def main() -> None:
    """Serve requests until standard input ends or says ``quit``."""
    die_with_parent()
    requests = os.fdopen(os.dup(0), encoding="utf-8")
    replies = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)
    hosted = [Worker()]
    for line in requests:
        request = json.loads(line)
        if request["do"] == "quit":
            break
        replies.write(json.dumps(_answer(hosted, request)) + "\n")
        replies.flush()
    # Runtimes with threads of their own can hang in their destructors; everything is already reported.
    os._exit(0)
