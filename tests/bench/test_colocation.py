from __future__ import annotations

import os
import signal
import threading
import time
from functools import partial

import numpy as np
import pytest

from optguide import errors
from optguide.bench import colocation
from optguide.bench import session as module
from optguide.bench.budget import MEASURING_SHARE, Budget
from optguide.bench.colocation import Group
from optguide.bench.variant import Variant
from optguide.runtimes.openvino import OpenVINO
from tests.optimize.simulated import UNDISTURBED

TINY = Budget(seconds=0.4, precision=1e-9, block=0.02, patience=60)
colocate = partial(colocation.colocate, host=UNDISTURBED)


def pid_call(name, folder, **fields):
    """Returns the process it runs in, and leaves a file for each call with its start and end."""

    def make():
        import os
        import pathlib
        import time

        log = pathlib.Path(folder, f"{name}-{os.getpid()}")

        def call():
            start = time.monotonic()
            time.sleep(0.002)
            with log.open("a") as file:
                file.write(f"{start} {time.monotonic()}\n")
            return [[float(os.getpid()), len(name)]]

        return call

    return Variant.from_function(name, make, **fields)


def calls(folder, name, pid=None):
    """Start and end of every call, of all processes one after the other."""
    lines = [line for log in folder.glob(f"{name}-{pid or '*'}") for line in log.read_text().splitlines()]
    return sorted(tuple(map(float, line.split())) for line in lines)


def overlapping(one, other):
    """How many calls of ``one`` have a call of ``other`` beside them."""
    return sum(any(start < e and s < end for s, e in other) for start, end in one)


def failing(name):
    def make():
        from optguide.errors import PropertyError

        raise PropertyError("It does not know that property.")

    return Variant.from_function(name, make)


@pytest.fixture(scope="module")
def everything(tmp_path_factory):
    """Two variants alone, together in two processes, in one, and by turns."""
    folder = tmp_path_factory.mktemp("calls")
    a, b = pid_call("a", folder), pid_call("bb", folder)
    groups = [
        Group("alone", (a,)),
        Group("alone", (b,)),
        Group("two processes", (a, b)),
        Group("one process", (a, b), "process"),
        Group("turns", (a, b), "turns"),
    ]
    return colocate(groups, Budget(seconds=1.0, block=0.03, patience=60))


ALL = [
    f"{name}, {group}" for group in ("alone", "two processes", "one process", "turns") for name in ("a", "bb")
]


def test_every_round_has_every_group(everything):
    assert sorted(everything.series) == sorted(ALL)
    for series in everything.series.values():
        assert [block.round for block in series.blocks] == list(range(everything.rounds))
    assert everything.rounds >= 6
    assert everything.seconds >= MEASURING_SHARE  # of a budget of one second, loading included
    assert everything.failures == {}


def test_questions_to_it(everything):
    assert everything.latency("a, alone").value >= 2
    assert everything.throughput("bb, one process").value > 0
    assert everything.compare("a, alone", "a, two processes").ratio.n in (everything.rounds, 3, 4, 5, 6)
    ratio = everything.compare_percentile("a, turns", "a, alone", 50)
    assert ratio.unit == "ratio"
    assert ratio.value == pytest.approx(
        everything.latency("a, turns").value / everything.latency("a, alone").value
    )


def test_by_turns_each_waits_for_the_other(everything):
    """A call sleeps for 2 ms, which nothing can shorten, and by turns there is the other's call before it."""
    for name in ("a", "bb"):
        assert everything.latency(f"{name}, turns").value > 3


def test_processes_are_shared_where_they_can_be(everything):
    pid = {name: everything.series[name].outputs[0][0] for name in ALL}
    assert pid["a, alone"] == pid["a, two processes"] != pid["bb, alone"] == pid["bb, two processes"]
    assert pid["a, one process"] == pid["bb, one process"] == pid["a, turns"] == pid["bb, turns"]
    assert pid["a, one process"] not in (pid["a, alone"], pid["bb, alone"])


def test_outputs_are_those_of_the_variant(everything):
    assert [everything.series[f"{name}, one process"].outputs[0][1] for name in ("a", "bb")] == [1, 2]
    assert everything.series["bb, one process"].variant.name == "bb"


def test_cpu_time_in_a_shared_process_is_nobodys(everything):
    assert everything.cpu_time("a, two processes").unit == "ms"
    with pytest.raises(errors.NotEnoughSamples, match="'a, one process' shared its process"):
        everything.cpu_time("a, one process")
    assert everything.compare("a, alone", "a, one process").cpu_ratio is None


def test_memory_is_that_of_the_process(everything):
    peaks = {name: everything.series[name].peak_rss for name in ALL}
    assert all(peak > 1e6 for peak in peaks.values())
    assert peaks["a, one process"] == peaks["bb, turns"]


@pytest.mark.parametrize("sharing", ["processes", "process"])
def test_timed_calls_have_company_from_start_to_end(tmp_path, monkeypatch, sharing):
    """With company, whatever was timed lies between calls of the other."""
    windows = []
    real = module.Block.from_reply

    def keep(number, generation, reply):
        windows.append(reply["calls"])
        return real(number, generation, reply)

    monkeypatch.setattr(module.Block, "from_reply", keep)
    a, b = pid_call("a", tmp_path), pid_call("b", tmp_path)
    colocate([Group("together", (a, b), sharing)], Budget(seconds=0.6, block=0.1, patience=60))
    found = {name: calls(tmp_path, name) for name in "ab"}
    timed = sum(windows)
    beside = overlapping(found["a"], found["b"]) + overlapping(found["b"], found["a"])
    assert beside >= timed
    assert len(found["a"]) + len(found["b"]) > timed  # what was discarded and lingered


def test_processes_are_replaced_and_a_ratio_takes_each_set_as_one_observation(tmp_path):
    a, b = pid_call("a", tmp_path), pid_call("b", tmp_path)
    groups = [Group("alone", (a,)), Group("alone", (b,)), Group("pair", (a, b))]
    found = colocate(groups, Budget(seconds=0.3, block=0.01, patience=60, processes=3))
    sets = {block.generation for block in found.series["a, pair"].blocks}
    assert len(list(tmp_path.glob("a-*"))) == len(sets) >= 3
    assert found.compare("a, alone", "a, pair").ratio.n == len(sets)
    assert found.warnings == ()


def test_by_turns_no_call_overlaps_another(tmp_path):
    a, b = pid_call("a", tmp_path), pid_call("b", tmp_path)
    colocate([Group("turns", (a, b), "turns")], TINY)
    assert overlapping(calls(tmp_path, "a"), calls(tmp_path, "b")) == 0


def test_a_short_call_does_not_shut_a_long_one_out():
    def sleeping(name, seconds):
        def make():
            import time

            return lambda: time.sleep(seconds)

        return Variant.from_function(name, make)

    pair = (sleeping("short", 0.001), sleeping("long", 0.005))
    found = colocate([Group("turns", pair, "turns")], Budget(seconds=0.9, block=0.1, patience=60))
    rates = [found.throughput(name).value for name in ("short, turns", "long, turns")]
    assert 0.6 < rates[0] / rates[1] < 1.6


def test_a_failing_variant_takes_its_groups_with_it(tmp_path):
    a, b = pid_call("a", tmp_path), failing("b")
    groups = [
        Group("alone", (a,)),
        Group("two processes", (a, b)),
        Group("one process", (a, b), "process"),
    ]
    found = colocate(groups, TINY)
    assert list(found.series) == ["a, alone"]
    assert set(found.failures) == {
        f"{name}, {group}" for name in "ab" for group in ("two processes", "one process")
    }
    with pytest.raises(errors.PropertyError):
        found.latency("a, two processes")


def test_all_fail_and_the_first_error_is_raised():
    with pytest.raises(errors.PropertyError, match="does not know"):
        colocate([Group("alone", (failing("a"),))], TINY)


def test_a_worker_killed_beside_another_is_reported_and_the_rest_goes_on(tmp_path, alive):
    a, b = pid_call("a", tmp_path), pid_call("b", tmp_path)

    def kill():
        end = time.monotonic() + 60
        while not (logs := list(tmp_path.glob("b-*"))):
            assert time.monotonic() < end
            time.sleep(0.01)
        os.kill(int(logs[0].name.partition("-")[2]), signal.SIGKILL)

    thread = threading.Thread(target=kill)
    thread.start()
    budget = Budget(seconds=1.5, block=0.02, patience=60)
    found = colocate([Group("alone", (a,)), Group("pair", (a, b))], budget)
    thread.join()
    assert set(found.failures) == {"a, pair", "b, pair"}
    assert isinstance(found.failures["b, pair"], errors.WorkerDied)
    assert found.rounds == len(found.series["a, alone"].blocks) >= 6
    assert not any(alive(int(log.name.partition("-")[2])) for log in tmp_path.iterdir())


def test_an_error_in_a_shared_process_names_both():
    def make():
        def call():
            raise RuntimeError("it broke")

        return call

    broken = Variant.from_function("broken", make)
    fine = Variant.from_function("fine", lambda: lambda: [[1.0, 2.0]])
    with pytest.raises(errors.WorkerError, match="'fine and broken' failed: RuntimeError: it broke"):
        colocate([Group("one process", (fine, broken), "process")], TINY)


@pytest.fixture(scope="module")
def openvino_pair(ir, inputs):
    """Two OpenVINO variants, one with requests in flight."""
    sync = Variant("sync", ir, OpenVINO(precision="f32", threads=1), (inputs,))
    busy = sync.with_("busy", requests=2)
    budget = Budget(seconds=0.3, block=0.02, patience=60)
    return colocate([Group("one process", (sync, busy), "process")], budget)


def test_openvino_models_in_one_process(openvino_pair):
    for name in ("sync", "busy"):
        series = openvino_pair.series[f"{name}, one process"]
        assert series.effective["INFERENCE_NUM_THREADS"] == "1"
        assert openvino_pair.throughput(f"{name}, one process").value > 0
    assert openvino_pair.series["busy, one process"].effective["requests in flight"] == "2"
    np.testing.assert_array_equal(*(series.outputs[0] for series in openvino_pair.series.values()))


def test_what_cannot_take_turns(ir):
    a, b = Variant("a", model=ir), Variant("b", model=ir, runtime=OpenVINO(requests=2))
    with pytest.raises(errors.OptionError, match="in flight cannot"):
        Group("turns", (a, b), "turns")


@pytest.mark.parametrize("variants", [(), ("a", "a")])
def test_a_group_needs_different_names(variants):
    with pytest.raises(errors.OptionError, match="different names"):
        Group("pair", tuple(Variant(name) for name in variants))


def test_groups_need_different_names():
    a = Variant("a")
    with pytest.raises(errors.OptionError, match="Groups need different"):
        colocate([Group("alone", (a,)), Group("alone", (a,))], TINY)
    with pytest.raises(errors.OptionError, match="Groups need different"):
        colocate([], TINY)
