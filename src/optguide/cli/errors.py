"""From an exception to one sentence on standard error and an exit status."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable, Mapping
from functools import partial

import click

from optguide.cli.options import CommandState
from optguide.errors import OptGuideError
from optguide.storage import is_disk_full

FAILURE, USAGE, INTERRUPTED = 1, 2, 130

_print = partial(click.echo, err=True)


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
        _print("Interrupted; the measurement was ended and nothing of it is kept.")
        return INTERRUPTED
    except Exception as error:
        _print(f"Error: {line(error)}")
        if state.debug:
            _print(_details(error))
        try:
            sys.stdout.flush()
        except OSError:  # the output that is still unwritten is what has just failed
            _give_up_output()
        if isinstance(error, OptGuideError):
            return error.exit_status
        return USAGE if isinstance(error, click.UsageError) else FAILURE
    return status if isinstance(status, int) else 0


def line(error: Exception) -> str:
    """The error and its remedy in one line."""
    match error:
        case OptGuideError():
            text = f"{_sentence(error.message)} {error.remedy}"
        case click.UsageError():
            command = error.ctx.command_path if error.ctx else "optguide"
            text = f"{_sentence(error.format_message())} Run `{command} --help` for what it takes."
        case OSError() if is_disk_full(error):
            text = "The disk is full. Free some space, then run the command again."
        case OSError() if error.strerror:
            where = f" ({error.filename})" if error.filename else ""
            message = _sentence(error.strerror + where)
            text = f"{message} Run the command again with --debug for where it happened."
        case _:
            message = _sentence(f"{type(error).__name__}: {error}".strip().rstrip(":"))
            text = f"{message} That is a fault in optguide: run the command again with --debug and report it."
    return " ".join(text.split())


def warn(sentence: str) -> None:
    """Print a reason to doubt results that are printed all the same."""
    _print(f"Warning: {sentence}")


def report_failures(failures: Mapping[str, OptGuideError]) -> None:
    """Print which variants failed, if any did, and end the command with the exit status of the first."""
    for name, error in failures.items():
        _print(f"Error: {name!r} was not measured: {line(error)}")
    if failures:
        raise click.exceptions.Exit(next(iter(failures.values())).exit_status)


def _sentence(text: str) -> str:
    """``text`` with a full stop where it has no end of its own."""
    return text if text.endswith((".", "!", "?")) else f"{text}."


def _details(error: Exception) -> str:
    text = "".join(traceback.format_exception(error))
    worker = getattr(error, "detail", "")
    return f"{text}\nFrom the worker:\n{worker}" if worker else text


def _give_up_output() -> None:
    """Send what is left of standard output nowhere: flushed at exit, it would fail once more."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
