from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil
import pytest

from optguide import errors
from optguide.bench import process
from optguide.bench.process import WorkerProcess
from optguide.bench.variant import Variant

PATIENCE = 60.0


def eventually(condition):
    """Wait for what another process does; generous, since only a failure waits for all of it."""
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "it never happened"
        time.sleep(0.01)


@pytest.fixture
def sleeper(tmp_path):
    """A variant whose calls do not return; it leaves a file when one has begun."""
    begun = tmp_path / "begun"

    def make():
        import pathlib
        import time

        def call():
            pathlib.Path(begun).touch()
            time.sleep(3600)

        return call

    return Variant.from_function("sleeper", make), begun


@pytest.fixture
def pretender(tmp_path):
    """A variant under an "interpreter" that is a shell script with this body."""

    def make(body):
        script = tmp_path / "interpreter"
        script.write_text(f"#!/bin/sh\n{body}\n")
        script.chmod(0o755)
        return Variant("pretender", interpreter=str(script))

    return make


def value_of(variant):
    with WorkerProcess(variant) as worker:
        worker.load()
        return worker.first_call().outputs[0]


def test_a_worker_answers_and_ends(quick_variant, alive):
    with WorkerProcess(quick_variant) as worker:
        assert worker.pid != os.getpid()
        assert set(worker.load()["stages"]) == {"import", "read", "compile"}
        np.testing.assert_array_equal(worker.first_call().outputs[0], np.arange(256.0) * 2)
        reply = worker.ask(PATIENCE, do="block", seconds=0.01, discard=0.0)
        assert reply["calls"] == len(reply["latencies_ns"]) >= 1
        assert len(worker.ask(PATIENCE, do="consecutive", count=5)["durations_ns"]) == 5
        pid = worker.pid
    assert not alive(pid)


def test_two_workers_work_at_the_same_time(quick_variant):
    with WorkerProcess(quick_variant) as one, WorkerProcess(quick_variant) as other:
        for worker in (one, other):
            worker.load()
            worker.send(do="block", seconds=0.01, discard=0.0)
        assert all(worker.receive(PATIENCE)["calls"] >= 1 for worker in (one, other))


def test_a_process_with_two_variants(quick_variant):
    second = Variant.from_function("second", lambda: lambda: [[1.0, 2.0]])
    with WorkerProcess(quick_variant, second) as worker:
        for slot in (0, 1):
            worker.load(slot)
            worker.warm_up(slot)
        np.testing.assert_array_equal(worker.first_call().outputs[0], np.arange(256.0) * 2)
        np.testing.assert_array_equal(worker.first_call(1).outputs[0], [1.0, 2.0])
        os.kill(worker.pid, signal.SIGKILL)
        with pytest.raises(errors.WorkerDied, match="'quick and second' was ended"):
            worker.ask(PATIENCE, do="memory")


def test_a_worker_ends_when_the_block_fails(quick_variant, alive):
    with pytest.raises(ZeroDivisionError), WorkerProcess(quick_variant) as worker:
        raise ZeroDivisionError
    assert not alive(worker.pid)


def test_a_killed_worker_is_reported(quick_variant):
    with WorkerProcess(quick_variant) as worker:
        worker.load()
        os.kill(worker.pid, signal.SIGKILL)
        with pytest.raises(errors.WorkerDied, match="'quick' was ended by SIGKILL") as caught:
            worker.ask(PATIENCE, do="memory")
        assert "out of memory" in caught.value.remedy
        with pytest.raises(errors.WorkerDied):
            worker.ask(PATIENCE, do="memory")


def test_a_worker_killed_while_it_works_is_reported(sleeper):
    variant, begun = sleeper
    with WorkerProcess(variant) as worker:
        worker.load()

        def kill():
            eventually(begun.exists)
            os.kill(worker.pid, signal.SIGKILL)

        thread = threading.Thread(target=kill)
        thread.start()
        with pytest.raises(errors.WorkerDied, match="SIGKILL"):
            worker.ask(PATIENCE, do="block", seconds=0.01, discard=0.0)
        thread.join()


def test_a_worker_that_ends_itself_leaves_its_last_words():
    def make():
        import os
        import sys

        print("last words", file=sys.stderr, flush=True)
        os._exit(3)

    with WorkerProcess(Variant.from_function("quitter", make)) as worker:
        with pytest.raises(errors.WorkerDied, match="'quitter' ended with status 3") as caught:
            worker.load()
        assert "last words" in caught.value.detail


def test_a_hanging_worker_is_ended(sleeper, alive):
    variant, _ = sleeper
    with WorkerProcess(variant) as worker:
        worker.load()
        with pytest.raises(errors.WorkerHung, match="'sleeper' did not answer within 0 s and was ended"):
            worker.ask(0.3, do="block", seconds=0.01, discard=0.0)
        assert not alive(worker.pid)
        with pytest.raises(errors.WorkerDied):
            worker.ask(PATIENCE, do="memory")


def test_a_model_that_never_loads_is_ended(monkeypatch, alive):
    def make():
        import time

        time.sleep(3600)

    monkeypatch.setattr(process, "LOAD_SECONDS", 0.3)
    with WorkerProcess(Variant.from_function("slow", make)) as worker:
        with pytest.raises(errors.WorkerHung):
            worker.load()
        assert not alive(worker.pid)


def test_a_worker_that_ignores_signals_is_ended_too(alive):
    def make():
        import signal
        import time

        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        return lambda: time.sleep(3600)

    with WorkerProcess(Variant.from_function("stubborn", make)) as worker:
        worker.load()
        with pytest.raises(errors.WorkerHung):
            worker.ask(0.3, do="block", seconds=0.01, discard=0.0)
    assert not alive(worker.pid)


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's death signal is Linux's")
def test_a_worker_does_not_outlive_its_parent(alive, tmp_path):
    """The parent is killed while its worker is busy and reads nothing."""
    begun = tmp_path / "begun"
    code = (
        "from optguide.bench.process import WorkerProcess\n"
        "from optguide.bench.variant import Variant\n"
        "import pathlib, time\n"
        f"begun = pathlib.Path({str(begun)!r})\n"
        "make = lambda: lambda: (begun.touch(), time.sleep(3600))\n"
        "worker = WorkerProcess(Variant.from_function('busy', make))\n"
        "worker.load()\n"
        "print(worker.pid, flush=True)\n"
        "worker.ask(3600, do='block', seconds=1, discard=0)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    with parent:
        pid = int(parent.stdout.readline())
        eventually(begun.exists)
        assert alive(pid)
        parent.kill()
    eventually(lambda: not alive(pid))


def test_whatever_is_printed_does_not_reach_the_protocol():
    def make():
        import os
        import subprocess
        import sys

        print("from Python")

        def call():
            print('{"ok": "from Python"}', flush=True)
            sys.stdout.write("half a line")
            os.write(1, b'{"ok": "from C"}\n')
            subprocess.run(["echo", "from a child"], check=True)
            return [[1.0, 2.0]]

        return call

    np.testing.assert_array_equal(value_of(Variant.from_function("printer", make)), [1.0, 2.0])


def test_error_classes_are_carried_over():
    def raising(name):
        def make():
            from optguide import errors

            raise getattr(errors, name)("It is wrong.", "Mend it.")

        return Variant.from_function(name, make)

    kinds = [errors.DeviceError, errors.InputError, errors.OutputError, errors.NotEnoughSamples]
    with WorkerProcess(*(raising(kind.__name__) for kind in kinds)) as worker:
        for slot, kind in enumerate(kinds):
            with pytest.raises(kind) as caught:
                worker.load(slot)
            assert type(caught.value) is kind
            assert (caught.value.message, caught.value.remedy) == ("It is wrong.", "Mend it.")
            assert "Traceback" in caught.value.detail


def test_other_errors_name_the_variant_and_the_worker_goes_on():
    def make():
        state = []

        def call():
            if not state:
                state.append(1)
                raise KeyError("first line\nlast line")
            return [[1.0, 2.0]]

        return call

    with WorkerProcess(Variant.from_function("clumsy", make)) as worker:
        worker.load()
        with pytest.raises(errors.WorkerError, match="'clumsy' failed: KeyError"):
            worker.first_call()
        np.testing.assert_array_equal(worker.first_call().outputs[0], [1.0, 2.0])


def test_unknown_requests_are_errors(quick_variant):
    with WorkerProcess(quick_variant) as worker, pytest.raises(errors.WorkerError, match="dance"):
        worker.ask(PATIENCE, do="dance")


def environment_of(**fields):
    def make():
        import os

        names = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "OPTGUIDE_TEST")
        return lambda: [os.environ.get(name, "unset") for name in names]

    with WorkerProcess(Variant.from_function("f", make, **fields)) as worker:
        worker.load()
        return [str(array) for array in worker.first_call().outputs]


def test_another_interpreter_does_not_see_this_ones_packages(monkeypatch, tmp_path):
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("VIRTUAL_ENV", str(tmp_path))
    monkeypatch.setenv("OPTGUIDE_TEST", "kept")
    assert environment_of(interpreter=sys.executable) == ["unset", "unset", "unset", "kept"]
    assert environment_of() == [str(tmp_path), "unset", str(tmp_path), "kept"]


def test_variables_of_the_variant_win(monkeypatch, tmp_path):
    monkeypatch.setenv("OPTGUIDE_TEST", "parent's")
    own = {"OPTGUIDE_TEST": "variant's", "PYTHONPATH": str(tmp_path)}
    found = environment_of(interpreter=sys.executable, environment=own)
    assert found == [str(tmp_path), "unset", "unset", "variant's"]


def test_another_interpreter_needs_no_installed_optguide(tmp_path):
    """A script that runs Python without site-packages, and adds NumPy's folder for the worker."""
    folder = tmp_path / "packages"
    folder.mkdir()
    for name in ("numpy", "numpy.libs", "cloudpickle"):
        source = Path(np.__file__).parent.parent / name
        if source.exists():
            (folder / name).symlink_to(source)
    script = tmp_path / "python"
    script.write_text(f'#!/bin/sh\nPYTHONPATH={folder} exec {sys.executable} -S "$@"\n')
    script.chmod(0o755)

    def make():
        import importlib.util

        found = [importlib.util.find_spec(name) is not None for name in ("scipy", "openvino", "optguide")]
        return lambda: [found]

    assert value_of(Variant.from_function("f", make, interpreter=str(script))).tolist() == [
        False,
        False,
        True,
    ]


def cores_and_quota(**fields):
    """What a worker may use, as the system tells it from the inside, and who it is."""

    def make():
        import os

        import psutil

        from optguide.machine.cgroup import cpu_quota

        cores = len(psutil.Process().cpu_affinity())
        return lambda: [[cores, cpu_quota() or 0.0, os.getpid()]]

    return value_of(Variant.from_function("f", make, **fields))


@pytest.mark.skipif(sys.platform == "darwin", reason="macOS has no affinity of processes")
def test_a_worker_on_some_of_the_cores(alive):
    everywhere, one = cores_and_quota(), cores_and_quota(cores=1)
    assert everywhere[0] == len(psutil.Process().cpu_affinity())
    assert one[0] == 1
    assert cores_and_quota(cores=1000)[0] == everywhere[0]


def test_a_worker_with_a_quota():
    try:
        found = cores_and_quota(quota=0.5)
    except errors.EnvironmentMissing as missing:
        pytest.skip(missing.message)
    assert found[1] == 0.5
    assert not list(Path("/sys/fs/cgroup").rglob(f"optguide-{os.getpid()}-*"))


def test_a_quota_that_cannot_be_set_leaves_no_process(quick_variant, monkeypatch):
    started = []

    class Recording(subprocess.Popen):
        def __init__(self, *args, **kwargs):
            super().__init__(*args, **kwargs)
            started.append(self)

    def refuse(cores):
        raise errors.EnvironmentMissing("This process may not.")

    monkeypatch.setattr(process.subprocess, "Popen", Recording)
    monkeypatch.setattr(process, "limited_group", refuse)
    with pytest.raises(errors.EnvironmentMissing, match="may not"):
        WorkerProcess(replace(quick_variant, quota=0.5))
    assert [one.returncode is not None for one in started] == [True]


def test_missing_interpreter(tmp_path):
    with pytest.raises(errors.EnvironmentMissing, match="interpreter of 'f' is not installed") as caught:
        WorkerProcess(Variant("f", interpreter=str(tmp_path / "bin" / "python")))
    assert caught.value.remedy.startswith("Repeat the command")
    assert caught.value.remedy.endswith("nox -s environments.")


def test_an_answer_that_is_no_reply(pretender, alive):
    with WorkerProcess(pretender("read line; echo hello; exec sleep 3600")) as worker:
        with pytest.raises(errors.WorkerError, match="'pretender' sent something else than a reply"):
            worker.load()
        assert not alive(worker.pid)


def test_a_reply_cut_off_by_death(pretender):
    variant = pretender("""read line; printf '{"ok": {"stages"'; kill -9 $$""")
    with WorkerProcess(variant) as worker, pytest.raises(errors.WorkerDied, match="SIGKILL"):
        worker.load()


def test_an_interpreter_that_ends_at_once(pretender, alive):
    with WorkerProcess(pretender("echo cannot start >&2; exit 7")) as worker:
        eventually(lambda: not alive(worker.pid))
        with pytest.raises(errors.WorkerDied, match="status 7") as caught:
            worker.load()
        assert "cannot start" in caught.value.detail


def test_peak_memory_is_the_workers_own(quick_variant):
    """On Linux a spawned process inherits the peak of its parent in what getrusage says."""
    ballast = np.ones(40_000_000)
    assert psutil.Process().memory_info().rss > ballast.nbytes
    with WorkerProcess(quick_variant) as worker:
        worker.load()
        now = psutil.Process(worker.pid).memory_info().rss
        peak = worker.ask(PATIENCE, do="memory")["peak_rss"]
    assert 0.9 * now < peak < ballast.nbytes


def test_peak_memory_outlasts_what_is_freed():
    def make():
        import numpy

        numpy.ones(20_000_000)
        return lambda: None

    with WorkerProcess(Variant.from_function("f", make)) as worker:
        worker.load()
        now = psutil.Process(worker.pid).memory_info().rss
        assert worker.ask(PATIENCE, do="memory")["peak_rss"] > now + 100e6
