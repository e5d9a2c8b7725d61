"""Processes of our own making, watched: what crashes, hangs or is killed there ends nothing here."""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, Self

import numpy as np
import psutil

from optguide.bench.series import FirstCall
from optguide.bench.variant import Variant
from optguide.errors import EnvironmentMissing, OptGuideError, WorkerDied, WorkerError, WorkerHung, by_name
from optguide.machine.cgroup import limited_group
from optguide.quiet import no_telemetry

LOAD_SECONDS = 300.0
"""How long a worker may take to load a model: ``torch.compile`` and a cold disk are slow."""

GRACE_SECONDS = 60.0
"""What a block may take beyond its length: a single inference of a large model can be that long."""

_PRINTED = 4000
"""Characters of what a process printed that an error keeps for ``--debug``."""

# Loads this very package by its folder, so that an interpreter of another environment sees the worker and
# nothing else of this environment's packages.
_BOOTSTRAP = """
import importlib.util, sys
sys.path.append(sys.path.pop(0))  # the current folder comes last: a numpy.py beside a model is not numpy
folder = sys.argv[1]
initial = folder + "/__init__.py"
spec = importlib.util.spec_from_file_location("optguide", initial, submodule_search_locations=[folder])
sys.modules["optguide"] = package = importlib.util.module_from_spec(spec)
spec.loader.exec_module(package)
from optguide.bench.worker import main
main()
"""


class WatchedProcess:
    """A child process that answers requests one by one; a context manager that always ends it.

    Whatever crashes, hangs or is killed there is an error here. It runs :func:`optguide.bench.worker.main`.

    :param name: subject of the errors' sentences, such as ``The worker of 'a'``.
    :param environment: all of its environment variables; those of this process by default.
    """

    def __init__(
        self, name: str, interpreter: str = sys.executable, environment: Mapping[str, str] | None = None
    ) -> None:
        self._name = name
        self._replies: queue.Queue[str | None] = queue.Queue()
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the process
        self._process = subprocess.Popen(
            [interpreter, "-c", _BOOTSTRAP, str(Path(__file__).parents[1])],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            encoding="utf-8",
            env=environment,
        )
        threading.Thread(target=self._read, daemon=True).start()

    @property
    def pid(self) -> int:
        """Process identifier."""
        return self._process.pid

    def ask(self, timeout: float, **request: Any) -> Any:
        """Send one request and wait for its reply.

        :param timeout: seconds after which the process is ended.
        :raises WorkerDied: the process is gone.
        :raises WorkerHung: no reply in time.
        :raises WorkerError: the reply is not what a worker writes.
        :raises OptGuideError: whatever the process reports.
        """
        self.send(**request)
        return self.receive(timeout)

    def send(self, **request: Any) -> None:
        """Send one request, to be followed by :meth:`receive`: in between, other workers can be asked too."""
        try:
            assert self._process.stdin is not None  # noqa: S101 - opened as a pipe above
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
        except (OSError, ValueError):  # the pipe is broken, or closed by end()
            self._replies.put(None)  # no reply will come, and receive() says why

    def receive(self, timeout: float) -> Any:
        """The reply to the request that was sent; parameter and errors are those of :meth:`ask`."""
        try:
            line = self._replies.get(timeout=timeout)
        except queue.Empty:
            self.end()
            raise self.too_slow(timeout) from None
        if line is None or not line.endswith("\n"):  # killed before or while it wrote
            raise self._obituary()
        try:
            reply: dict[str, Any] = json.loads(line)
        except ValueError:
            self.end()
            raise WorkerError(
                f"{self._name} sent something else than a reply and was ended: {line[:80]!r}.",
                "Keep code in the variant from writing to the worker's file descriptors.",
            ) from None
        if "error" in reply:
            error = reply["error"]
            kind = by_name(error["kind"])
            raise kind(self.attributed(kind, error["message"]), error["remedy"], detail=error["detail"])
        return reply["ok"]

    def too_slow(self, timeout: float) -> WorkerHung:
        """The error where no reply came within ``timeout`` seconds."""
        return WorkerHung(
            f"{self._name} did not answer within {timeout:.0f} s and was ended.",
            "Try a smaller model or batch, or another device.",
        )

    def attributed(self, kind: type[OptGuideError], message: str) -> str:
        """``message`` of an error that the process reports, with its name where readers need that."""
        return f"{self._name} failed: {message}" if issubclass(kind, WorkerError) else message

    def end(self) -> None:
        """End the process, at once if it does not leave by itself."""
        if self._process.poll() is None:
            try:
                assert self._process.stdin is not None  # noqa: S101 - opened as a pipe above
                self._process.stdin.write('{"do": "quit"}\n')
                self._process.stdin.close()
                self._process.wait(timeout=1.0)
            except (OSError, ValueError, subprocess.TimeoutExpired):
                self._process.kill()
                self._process.wait()
        with suppress(OSError, ValueError):  # a request may be left that nobody will read
            self._process.stdin.close()  # type: ignore[union-attr]  # opened as a pipe above
        self._errors.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def _read(self) -> None:
        assert self._process.stdout is not None  # noqa: S101 - opened as a pipe above
        for line in self._process.stdout:
            self._replies.put(line)
        self._replies.put(None)

    def _obituary(self) -> WorkerDied:
        printed = ""
        if not self._errors.closed:
            self._errors.seek(0)
            printed = self._errors.read().decode(errors="replace")
        status = self._process.wait()
        cause = (
            f"ended with status {status}" if status >= 0 else f"was ended by {signal.Signals(-status).name}"
        )
        remedy = "Run the command again with --debug for what it printed."
        if status == -signal.SIGKILL:
            remedy = "Somebody killed it, or the machine ran out of memory; free some and run again."
        return WorkerDied(f"{self._name} {cause}.", remedy, detail=printed[-_PRINTED:])


class WorkerProcess(WatchedProcess):
    """A spawned process that holds one loaded variant, or several.

    Variants of one process are addressed by their ``slot``, from zero in the order given here. A request
    without a slot is about the first. All of them run under the interpreter and the environment variables of
    the first, and within its limits.
    """

    def __init__(self, *variants: Variant) -> None:
        variant = variants[0]
        self.variants = variants
        interpreter = variant.interpreter or sys.executable
        if not Path(interpreter).exists():
            raise EnvironmentMissing(
                f"The interpreter of {variant.name!r} is not installed.",
                "Repeat the command, which installs releases again; the guide's own environments come with"
                " nox -s environments.",
            )
        names = " and ".join(member.name for member in variants)
        super().__init__(f"The worker of {names!r}", interpreter, _environment(variant))
        self._limits = ExitStack()
        try:
            _limit(self._process.pid, variant, self._limits)
        except BaseException:
            self.end()
            raise

    def load(self, slot: int = 0) -> dict[str, Any]:
        """Load a variant; see :meth:`optguide.bench.worker.Worker.load`."""
        stages: dict[str, Any] = self.ask(
            LOAD_SECONDS, do="load", slot=slot, spec=self.variants[slot].to_dict()
        )
        return stages

    def first_call(self, slot: int = 0) -> FirstCall:
        """Outputs on the first input set, and what they tell."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "outputs.npz"
            reply = self.ask(LOAD_SECONDS, do="check", slot=slot, path=str(path))
            with np.load(path, allow_pickle=False) as archive:
                outputs = tuple(archive[name] for name in archive.files)
        names = tuple(map(tuple, reply["names"]))
        return FirstCall(outputs, names, reply["frames"], reply["counted_by"], tuple(reply["oddities"]))

    def warm_up(self, slot: int = 0) -> None:
        """Run every input set once: the first inference with a shape can compile for it."""
        count = max(1, len(self.variants[slot].inputs))
        self.ask(LOAD_SECONDS, do="consecutive", slot=slot, count=count)

    def end(self) -> None:
        """End the process, and give back the limits that it ran under."""
        super().end()
        self._limits.close()


def call(function: str, arguments: Mapping[str, Any], *, seconds: float, activity: str) -> Any:
    """The JSON value that a function returns in a process of its own.

    :param function: ``package.module:function``; it takes and returns what JSON has.
    :param seconds: time limit, after which the process is ended.
    :param activity: begins its errors, such as ``"quantizing the model"``.
    :raises WorkerHung: it took longer.
    :raises WorkerDied: the process ended without an answer.
    :raises OptGuideError: whatever the function raises; other exceptions become :class:`WorkerError`.
    """
    no_telemetry()
    with _FunctionProcess(activity) as process:
        return process.ask(seconds, do="call", function=function, arguments=dict(arguments))


class _FunctionProcess(WatchedProcess):
    """A process for one call of a function, which readers know by what it does."""

    def __init__(self, activity: str) -> None:
        super().__init__(f"The process that was {activity}")
        self._activity = activity

    def too_slow(self, timeout: float) -> WorkerHung:
        activity = self._activity[:1].upper() + self._activity[1:]
        return WorkerHung(
            f"{activity} took longer than {timeout:.0f} s and was ended.",
            "Give a larger --budget, or less data.",
        )

    def attributed(self, kind: type[OptGuideError], message: str) -> str:
        return message


def _limit(pid: int, variant: Variant, stack: ExitStack) -> None:
    """Do to a process that has just started what a container would; undone when ``stack`` closes."""
    if variant.cores is not None:
        process = psutil.Process(pid)
        try:
            process.cpu_affinity(process.cpu_affinity()[: variant.cores])
        except (AttributeError, psutil.Error):
            raise EnvironmentMissing(
                "This system cannot keep a process to some of its cores.", "Measure on Linux or Windows."
            ) from None
    if variant.quota is not None:
        group = stack.enter_context(limited_group(variant.quota))
        (group / "cgroup.procs").write_text(str(pid))


def _environment(variant: Variant) -> dict[str, str]:
    """Variables of the parent, less those that would lead another interpreter to the parent's packages."""
    no_telemetry()  # its sender is a process of its own and would run beside the first measurement
    inherited = dict(os.environ)
    if variant.interpreter is not None:
        for name in ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV"):
            inherited.pop(name, None)
    return {**inherited, **variant.environment}
