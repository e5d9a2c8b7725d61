"""From an exception to one sentence on standard error and an exit status."""

from __future__ import annotations

import errno
import os
import sys
import traceback
from collections.abc import Callable, Mapping

import click

from optguide.cli.options import CommandState
from optguide.errors import OptGuideError

__all__ = ["exit_status_of", "line", "report_failures", "warn"]

FAILURE, USAGE, INTERRUPTED = 1, 2, 130


def exit_status_of(run: Callable[[], object], state: CommandState) -> int:
    """Call ``run`` and turn whatever it raises into an exit status.

    :param run: returns an exit status, or anything else for success.
    :param state: says whether tracebacks are wanted; read after ``run`` has parsed the options.
    """
    try:
        status = run()
        sys.stdout.flush()
    except BrokenPipeError:  # the reader of a pipe has seen enough
        _give_up_output()
        return FAILURE
    except (KeyboardInterrupt, click.Abort):  # click turns the one into the other
        _say("Interrupted; the measurement was ended and nothing of it is kept.")
        return INTERRUPTED
    except Exception as error:
        _say(f"Error: {line(error)}")
        if state.debug:
            _say(_details(error))
        try:
            sys.stdout.flush()
        except OSError:  # what is left of the output is what has just failed
            _give_up_output()
        return _status(error)
    return status if isinstance(status, int) else 0


def line(error: Exception) -> str:
    """What happened and what to do, in one line."""
    match error:
        case OptGuideError():
            text = f"{_ended(error.message)} {error.remedy}"
        case click.UsageError():
            command = error.ctx.command_path if error.ctx else "optguide"
            text = f"{_ended(error.format_message())} Run `{command} --help` for what it takes."
        case OSError(errno=errno.ENOSPC):
            text = "The disk is full. Free some space, then run the command again."
        case OSError() if error.strerror:
            where = f" ({error.filename})" if error.filename else ""
            text = (
                f"{_ended(error.strerror + where)} Run the command again with --debug for where it happened."
            )
        case _:
            said = _ended(f"{type(error).__name__}: {error}".strip().rstrip(":"))
            text = f"{said} That is a fault in optguide: run the command again with --debug and report it."
    return " ".join(text.split())


def warn(sentence: str) -> None:
    """A sentence about results that are printed all the same."""
    _say(f"Warning: {sentence}")


def report_failures(failures: Mapping[str, OptGuideError]) -> None:
    """Say which variants failed, if any did, and end the command with the status of the first."""
    for name, error in failures.items():
        _say(f"Error: {name!r} was not measured: {line(error)}")
    if failures:
        raise click.exceptions.Exit(next(iter(failures.values())).exit_status)


def _ended(sentence: str) -> str:
    return sentence if sentence.endswith((".", "!", "?")) else f"{sentence}."


def _status(error: Exception) -> int:
    if isinstance(error, OptGuideError):
        return error.exit_status
    return USAGE if isinstance(error, click.UsageError) else FAILURE


def _details(error: Exception) -> str:
    worker = getattr(error, "detail", "")
    parts = ["".join(traceback.format_exception(error))]
    if worker:
        parts.append(f"From the worker:\n{worker}")
    return "\n".join(parts)


def _give_up_output() -> None:
    """Standard output takes no more; the interpreter would complain when it flushes at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _say(text: str) -> None:
    click.echo(text, err=True)
