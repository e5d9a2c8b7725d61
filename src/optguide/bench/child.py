"""One function in a fresh, watched process: what crashes, hangs or is killed there ends nothing here."""

from __future__ import annotations

import json
import os
import pkgutil
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Mapping
from typing import Any

from optguide.bench.process import obituary
from optguide.errors import OptGuideError, WorkerError, WorkerHung, by_name, described
from optguide.quiet import no_telemetry


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
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryFile() as printed:
        reply = os.path.join(folder, "reply.json")  # noqa: PTH118 - a plain string goes to the child
        request = json.dumps({"function": function, "arguments": arguments, "reply": reply})
        process = subprocess.Popen(
            [sys.executable, "-m", "optguide.bench.child"],
            stdin=subprocess.PIPE,
            stdout=printed,
            stderr=subprocess.STDOUT,
            text=True,
        )
        try:
            process.communicate(request, timeout=seconds)
        except subprocess.TimeoutExpired:
            raise WorkerHung(
                f"{activity[:1].upper()}{activity[1:]} took longer than {seconds:.0f} s and was ended.",
                "Give a larger --budget, or less data.",
            ) from None
        finally:
            process.kill()
            process.wait()
        answer = _read(reply)
        if answer is None:
            printed.seek(0)
            text = printed.read().decode(errors="replace")
            raise obituary(f"The process that was {activity}", process.returncode, text)
    if "error" in answer:
        error = answer["error"]
        raise by_name(error["kind"])(error["message"], error["remedy"], detail=error["detail"])
    return answer["ok"]


def _read(path: str) -> dict[str, Any] | None:
    try:
        with open(path, encoding="utf-8") as file:  # noqa: PTH123
            answer: dict[str, Any] = json.load(file)
    except (FileNotFoundError, ValueError):
        return None
    return answer


def _serve() -> None:
    """The child's side."""
    from optguide.bench.worker import die_with_parent

    die_with_parent()
    sys.path.append(os.getcwd())  # noqa: PTH109 - references of the reader's name modules of this folder
    request = json.load(sys.stdin)
    try:
        answer = {"ok": pkgutil.resolve_name(request["function"])(**request["arguments"])}
    except OptGuideError as error:
        answer = _report(type(error).__name__, error.message, error.remedy)
    except Exception as error:  # the parent decides what a failure means
        answer = _report(
            WorkerError.__name__,
            described(error),
            "Run the command again with --debug for the traceback of the process.",
        )
    unfinished = request["reply"] + ".part"
    with open(unfinished, "w", encoding="utf-8") as file:  # noqa: PTH123
        json.dump(answer, file)
    os.replace(unfinished, request["reply"])  # noqa: PTH105
    sys.stdout.flush()
    # Runtimes with threads of their own can hang in their destructors; everything is already reported.
    os._exit(0)


def _report(kind: str, message: str, remedy: str) -> dict[str, Any]:
    detail = traceback.format_exc()
    return {"error": {"kind": kind, "message": message, "remedy": remedy, "detail": detail}}


if __name__ == "__main__":
    _serve()
