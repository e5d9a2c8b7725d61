from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
import time

import pytest

from optguide.errors import Busy, StorageError
from optguide.machine import measuring_lock
from optguide.machine.lock import VARIABLE, holder

HOLD = """
import sys
from optguide.machine import measuring_lock
with measuring_lock("optguide compare"):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def temporary(tmp_path, monkeypatch):
    """A folder for temporary files of our own: tests neither wait for nor stop a real measurement."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


@pytest.fixture
def other():
    """Another process that holds the lock until its standard input closes."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.wait()
    process.stdout.close()
    process.stdin.close()


def test_another_process_is_told_who_measures(other):
    with pytest.raises(Busy) as caught, measuring_lock("tests"):
        pytest.fail("the lock was free")
    assert caught.value.message.startswith(f"Another measurement is running (process {other.pid}, since ")
    assert caught.value.message.endswith(": optguide compare).")
    assert "--wait" in caught.value.remedy
    assert holder().pid == other.pid


def test_a_killed_process_does_not_block(other):
    other.kill()
    other.wait()
    assert holder() is None
    with measuring_lock("tests"):
        assert holder().purpose == "tests"


def test_waiting_ends_when_the_other_process_ends(other):
    threading.Timer(0.2, other.stdin.close).start()
    with measuring_lock("tests", wait=60):
        assert holder().pid == os.getpid()


def test_nested_use_is_free_and_keeps_the_outer_note(temporary):
    with measuring_lock("outer"):
        with measuring_lock("inner"):
            assert holder().purpose == "outer"
        assert holder().purpose == "outer"
        blocked = subprocess.run(
            [sys.executable, "-c", HOLD], input="", capture_output=True, text=True, check=False
        )
        assert "Another measurement is running" in blocked.stderr
        assert ": outer)." in blocked.stderr
    assert holder() is None
    assert not list(temporary.glob("*/holder*"))
    free = subprocess.run([sys.executable, "-c", HOLD], input="", capture_output=True, text=True, check=True)
    assert free.stdout == "held\n"


def test_an_error_inside_releases():
    with pytest.raises(ZeroDivisionError), measuring_lock("first"):
        raise ZeroDivisionError
    with measuring_lock("second"):
        assert holder().purpose == "second"


def test_note_of_a_process_number_that_was_given_away_is_ignored(temporary):
    with measuring_lock("tests"):
        note = temporary / "optguide-measuring" / "holder.json"
        data = json.loads(note.read_text())
        assert data["pid"] == os.getpid()
        note.write_text(json.dumps(data | {"since": "2001-01-01T00:00:00Z"}))
        assert holder() is None


def test_busy_without_a_readable_note(other, temporary):
    (temporary / "optguide-measuring" / "holder.json").write_text("{")
    with pytest.raises(Busy, match=r"^Another measurement is running\."), measuring_lock("tests"):
        pytest.fail("the lock was free")


def test_other_users_can_reach_the_lock(temporary):
    before = os.umask(0o077)
    try:
        with measuring_lock("tests"):
            folder = temporary / "optguide-measuring"
            modes = [
                path.stat().st_mode & 0o777 for path in (folder, folder / "lock", folder / "holder.json")
            ]
    finally:
        os.umask(before)
    assert modes == [0o777, 0o666, 0o644]


def test_a_folder_that_cannot_be_used_is_one_clear_error(temporary):
    (temporary / "optguide-measuring").write_text("in the way")
    with pytest.raises(StorageError, match="cannot be written"), measuring_lock("tests"):
        pytest.fail("there is no lock")


@pytest.mark.parametrize(
    ("before", "message"),
    [
        ("", "StorageError: No folder for temporary files can be written."),
        (
            "import tempfile; tempfile.gettempdir();",
            "optguide-measuring cannot be written: File too large.",
        ),
    ],
    ids=["already full", "fills up later"],
)
def test_a_full_disk_is_one_clear_error_and_leaves_nothing(temporary, before, message):
    pytest.importorskip("resource")
    code = f"{before}import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0)){HOLD}"
    done = subprocess.run([sys.executable, "-c", code], input="", capture_output=True, text=True, check=False)
    assert message in done.stderr
    assert not list(temporary.glob("*/holder*"))


def test_two_threads_of_one_process_share_it():
    inside = []

    def work() -> None:
        with measuring_lock("thread"):
            inside.append(time.monotonic())

    with measuring_lock("tests"):
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    assert len(inside) == 1


def test_a_lock_that_is_lent_lets_the_processes_of_its_holder_measure(monkeypatch):
    run = [sys.executable, "-c", HOLD]
    with measuring_lock("outer", lend=True):
        lent = subprocess.run(run, input="", capture_output=True, text=True, check=False)
        assert lent.stdout == "held\n"
        assert holder().purpose == "outer"
    with measuring_lock("outer"):
        monkeypatch.setenv(VARIABLE, "1" * 7)  # of no ancestor: a variable alone opens nothing
        refused = subprocess.run(run, input="", capture_output=True, text=True, check=False)
        assert "Another measurement is running" in refused.stderr
