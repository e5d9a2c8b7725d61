"""Functions in a process of their own: answers come back, and so does every way of not answering."""

from __future__ import annotations

import os
import signal
import sys
import time

import pytest

from optguide import errors
from optguide.bench import process

HERE = "tests.bench.test_call"


def doubled(number):
    print("what a library prints is not part of the answer")
    return {"twice": 2 * number}


def refused():
    raise errors.InputError("The shape does not fit.", "Give another one.")


def broken():
    raise ZeroDivisionError("no way")


def killed():
    os.kill(os.getpid(), signal.SIGKILL)


def quitting():
    os._exit(3)


def reading():
    return sys.stdin.read()


def hanging():
    time.sleep(60)


def call(name, seconds=60.0, **arguments):
    return process.call(f"{HERE}:{name}", arguments, seconds=seconds, activity="making INT8 of A")


def test_it_returns_what_the_function_does():
    assert call("doubled", number=21) == {"twice": 42}


def test_it_has_nothing_to_read_and_cannot_wait_for_input():
    assert call("reading") == ""


def test_errors_of_ours_arrive_as_they_are():
    with pytest.raises(errors.InputError, match="does not fit") as caught:
        call("refused")
    assert caught.value.remedy == "Give another one."
    assert "Traceback" in caught.value.detail


def test_other_exceptions_become_failures_with_the_traceback_for_debugging():
    with pytest.raises(errors.WorkerError, match="ZeroDivisionError: no way") as caught:
        call("broken")
    assert "in broken" in caught.value.detail


@pytest.mark.parametrize(("name", "cause"), [("killed", "SIGKILL"), ("quitting", "status 3")])
def test_a_process_that_dies_is_told_by_its_cause(name, cause):
    with pytest.raises(errors.WorkerDied, match=cause):
        call(name)


def test_one_that_hangs_is_ended_and_names_keep_their_capitals():
    with pytest.raises(errors.WorkerHung, match=r"^Making INT8 of A took longer than 1 s"):
        call("hanging", seconds=1.0)
