from __future__ import annotations

import threading
import time
from dataclasses import replace

import pytest

from optguide import errors
from optguide.bench.rotation import THIS_MACHINE, Rotation
from optguide.bench.variant import Variant


class Worker:
    """A process that loads until it is told to go on, or is ended."""

    pid = 0

    def __init__(self, variant):
        self.name = variant.name
        self.thread = threading.current_thread()
        self.ended = threading.Event()

    def end(self):
        self.ended.set()

    def ask(self, timeout, **request):
        return {"peak_rss": 1}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end()


def test_a_file_that_is_changed_meanwhile_ends_its_member_alone(tmp_path):
    """Processes that are started later would run something else."""
    files = [tmp_path / "a.xml", tmp_path / "b.onnx", tmp_path / "b.npz"]
    for file in files:
        file.write_text("1")
    a, b = Variant("a", model=files[0]), Variant("b", model=files[1], inputs=(files[2],))
    rotation = Rotation({"a": (a,), "b": (b,)}, host=replace(THIS_MACHINE, start=Worker))

    def loaded():
        with rotation.generation(lambda name, worker: None):
            return rotation.alive

    assert loaded() == ["a", "b"]
    files[2].write_text("22")
    assert loaded() == ["a"]
    assert "were changed" in rotation.failures["b"].message
    (tmp_path / "a.bin").write_text("weights")
    assert loaded() == []


class Lobby:
    """Starts such workers and knows how many are being loaded."""

    def __init__(self, lanes):
        self.started, self.loading, self.most = [], 0, 0
        self.changed = threading.Condition()
        self.host = replace(THIS_MACHINE, start=self.start, lanes=lanes)

    def start(self, variant):
        self.started.append(Worker(variant))
        return self.started[-1]

    def load(self, name, worker):
        """Return once as many are loading as can, or a moment has passed."""
        with self.changed:
            self.loading += 1
            self.most = max(self.most, self.loading)
            self.changed.notify_all()
            self.changed.wait_for(lambda: self.most >= self.host.lanes, timeout=5)
        time.sleep(0.01)
        with self.changed:
            self.loading -= 1


def rotation(lobby, names="abcde", **fields):
    return Rotation({name: (Variant(name),) for name in names}, host=lobby.host, **fields)


@pytest.mark.parametrize("lanes", [1, 2, 3])
def test_as_many_load_at_a_time_as_there_are_lanes(lanes):
    lobby = Lobby(lanes)
    members = rotation(lobby)
    with members.generation(lobby.load):
        assert set(members.workers) == set("abcde")
        assert lobby.loading == 0
        assert lobby.most == lanes
        assert members.load_seconds > 0
    assert all(worker.ended.is_set() for worker in lobby.started)


def test_processes_are_started_by_the_thread_that_waits_and_in_the_seeded_order():
    """The kernel ends a worker with the thread that started it."""
    orders = []
    for _ in range(2):
        lobby = Lobby(2)
        members = rotation(lobby, seed=3)
        for _ in range(2):
            with members.generation(lobby.load):
                pass
        assert {worker.thread for worker in lobby.started} == {threading.current_thread()}
        orders.append([worker.name for worker in lobby.started])
    assert orders[0] == orders[1]
    assert orders[0][:5] == orders[0][:4:-1]  # the second set starts in the reverse order


def test_a_member_that_fails_to_load_is_given_up_and_takes_no_time_of_the_others():
    lobby = Lobby(1)
    members, clock = rotation(lobby), [0.0]
    members.host = replace(lobby.host, clock=lambda: clock[0])

    def load(name, worker):
        clock[0] += 100 if name == "c" else 1
        if name == "c":
            raise errors.ModelError("It is broken.")

    with members.generation(load):
        assert list(members.failures) == ["c"]
        assert members.alive == list("abde")
        assert members.workers["c"].ended.is_set()
        assert members.load_seconds == 4


def test_a_failure_ends_all_where_members_do_not_fail_alone():
    lobby = Lobby(2)
    members = rotation(lobby, isolating=False)

    def load(name, worker):
        if worker is lobby.started[0]:
            raise errors.ModelError("It is broken.")
        worker.ended.wait(5)

    with pytest.raises(errors.ModelError, match="It is broken"), members.generation(load):
        pytest.fail("nothing may be measured")
    assert all(worker.ended.is_set() for worker in lobby.started)
    assert len(lobby.started) < 5


def test_an_interrupted_load_ends_all_workers_at_once():
    lobby = Lobby(2)
    members = rotation(lobby)

    def interrupted(variant):
        if len(lobby.started) == 1:
            raise KeyboardInterrupt
        return lobby.start(variant)

    members.host = replace(lobby.host, start=interrupted)

    ended = []

    def load(name, worker):
        ended.append(worker.ended.wait(20))

    with pytest.raises(KeyboardInterrupt), members.generation(load):
        pytest.fail("nothing may be measured")
    assert ended == [True]
