"""The worker's conversation with its parent: one JSON object per line, a reply for each request.

The protocol has a pipe of its own: whatever a library prints goes to standard error instead.
"""

from __future__ import annotations

import ctypes
import errno
import json
import os
import signal
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any, TextIO

import numpy as np

from optguide.bench import concurrent as company
from optguide.bench import footprint
from optguide.bench import loops as arrivals
from optguide.bench import loops as blocks
from optguide.errors import OptGuideError, OutputError
from optguide.runtimes import runner_for

__all__ = ["Worker", "main"]


class Worker:
    """Answers requests about one variant."""

    def __init__(self) -> None:
        self.runner: Any = None
        self.counter: Any = None
        self._turn: blocks.Turn | None = None

    def load(self, spec: dict[str, Any]) -> dict[str, Any]:
        """Load the variant; reply with the seconds of each stage and the resolved properties."""
        self.runner = self.counter = self._turn = None  # loaded anew, the old model makes room first
        self.runner = runner_for(spec)
        self.runner.load()
        return {
            "stages": self.runner.stages,
            "frames": self.runner.frames,
            "effective": self.runner.effective(),
            "versions": self.runner.versions(),
        }

    def check(self, path: str) -> dict[str, Any]:
        """Run the first input set, refuse outputs that mean nothing, save the rest to ``path`` (``.npz``)."""
        # Functions may return anything; what is not an array of plain values cannot be compared.
        found = [array for array in self.runner.outputs() if array.dtype != object]
        _refuse_meaningless(found)
        np.savez(path, *found)
        return {"outputs": len(found)}

    def block(
        self, seconds: float, discard: float, linger: float = 0.0, turnstile: company.TicketLock | None = None
    ) -> dict[str, Any]:
        """One block of closed-loop calls.

        :param turnstile: lets one call at a time pass, where variants of one process take turns.
        """
        queue = self.runner.queue
        if self._turn is None:
            self._turn = self._new_turn(self.runner.calls if queue is None else self.runner.feeds())
        with self._running():
            if queue is not None:
                return asdict(blocks.asynchronous(queue, self._turn, seconds, discard, linger))
            # Calls behind a turnstile are for this block alone: the next one may have another, or none.
            turn = self._turn if turnstile is None else self._new_turn(turnstile.before(self.runner.calls))
            return asdict(blocks.synchronous(turn, seconds, discard, linger))

    def _new_turn(self, sets: Sequence[Any]) -> blocks.Turn:
        return blocks.Turn(sets, varied=self.runner.varied)

    def consecutive(self, count: int) -> dict[str, Any]:
        """Durations of the next calls, the first one included."""
        with self._running():
            return {"durations_ns": blocks.consecutive(self.runner.calls, count)}

    def serve(self, rate: float, seconds: float, seed: int, patience: float) -> dict[str, Any]:
        """One open-loop schedule."""
        queue = self.runner.queue
        schedule = arrivals.poisson(rate, seconds, seed)
        with self._running():
            return asdict(arrivals.serve(queue, self.runner.calls, self.runner.feeds(), schedule, patience))

    def layers(self, seconds: float, discard: float) -> dict[str, Any]:
        """Times by layer; see :meth:`optguide.runtimes.openvino_layers.LayerCounter.turn`."""
        if self.counter is None:
            self.counter = self.runner.layer_counter()
        with self._running():
            return dict(self.counter.turn(seconds, discard))

    def memory(self) -> dict[str, Any]:
        """Bytes of memory by kind; see :func:`optguide.bench.footprint.footprint`."""
        return dict(footprint.footprint())

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


def _refuse_meaningless(outputs: list[Any]) -> None:
    """Refuse what is no number, and outputs that are all constant; one of several may be constant."""
    fields = []
    for index, array in enumerate(outputs):
        if not np.issubdtype(array.dtype, np.number):
            continue
        values = np.asarray(array, dtype=np.float64)
        if not np.isfinite(values).all():
            raise OutputError(
                f"Output {index} holds NaN or infinity, so its speed says nothing.",
                "Check the inputs, or pin the precision with --set INFERENCE_PRECISION_HINT=f32.",
            )
        if values.size > 1:
            fields.append((index, values))
    if fields and all(np.ptp(values) == 0 for _, values in fields):
        index, values = fields[0]
        raise OutputError(
            f"Output {index} is {values.flat[0]:g} everywhere, so nothing was computed from the input.",
            "Pass real inputs with --inputs, or check the conversion of the model.",
        )


def die_with_parent() -> None:
    """Ask the kernel to end this process when its parent is gone, even if it hangs in native code."""
    if sys.platform == "linux":
        set_death_signal = 1  # PR_SET_PDEATHSIG, linux/prctl.h
        ctypes.CDLL(None).prctl(set_death_signal, signal.SIGKILL)


def _answer(hosted: list[Worker], request: dict[str, Any]) -> dict[str, Any]:
    """The reply to one request: about the worker in its ``slot``, or about all of this process."""
    try:
        name = request.pop("do")
        if name == "colocated":
            return {"ok": {"blocks": company.blocks([worker.block for worker in hosted], **request)}}
        slot = request.pop("slot", 0)
        if slot == len(hosted):
            hosted.append(Worker())
        return {"ok": _handler(hosted[slot], name)(**request)}
    except OptGuideError as error:
        kind, message, remedy = type(error).__name__, error.message, error.remedy
        detail = traceback.format_exc()
    except Exception as error:  # the parent decides what a failure means
        kind, message = "WorkerError", f"{type(error).__name__}: {_short(error)}"
        remedy = "Run the command again with --debug for the worker's traceback."
        if isinstance(error, OSError) and error.errno in {errno.ENOSPC, errno.EDQUOT}:
            kind, remedy = "StorageError", f"Free some space in {tempfile.gettempdir()}."
        detail = traceback.format_exc()
    return {"error": {"kind": kind, "message": message, "remedy": remedy, "detail": detail}}


def _handler(worker: Worker, name: str) -> Callable[..., dict[str, Any]]:
    handlers: dict[str, Callable[..., dict[str, Any]]] = {
        "load": worker.load,
        "check": worker.check,
        "block": worker.block,
        "consecutive": worker.consecutive,
        "serve": worker.serve,
        "layers": worker.layers,
        "memory": worker.memory,
    }
    return handlers[name]


def _short(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[-1][:300] if lines else "no message"


def main(requests: TextIO | None = None) -> None:
    """Serve requests until standard input ends or says ``quit``."""
    die_with_parent()
    replies = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    hosted = [Worker()]
    for line in requests or sys.stdin:
        request = json.loads(line)
        if request["do"] == "quit":
            break
        replies.write(json.dumps(_answer(hosted, request)) + "\n")
        replies.flush()
    # Runtimes with threads of their own can hang in their destructors; everything is already reported.
    os._exit(0)
