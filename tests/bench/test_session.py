from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from optguide import errors
from optguide.bench.budget import MEASURING_SHARE, Budget, Plan, Spent
from optguide.bench.process import WorkerProcess
from optguide.bench.result import TWIN
from optguide.bench.rotation import Host, Rotation
from optguide.bench.session import measure
from optguide.bench.variant import Variant
from optguide.machine.lock import holder
from optguide.runtimes.openvino import OpenVINO
from tests.optimize.simulated import UNDISTURBED, Machine, Quiet, SimulatedWorker

TINY = Budget(seconds=0.3, precision=1e-9, block=0.01, patience=60.0)
"""With its six rounds on the slowest machine."""

LOOSE = 1e6
"""A precision that every interval reaches."""


def numpy_call(name, **fields):
    def make():
        import numpy

        values = numpy.arange(64.0)
        return lambda: values * 2

    return Variant.from_function(name, make, **fields)


def on(machine, worker, *names, budget=TINY, **options):
    """A session of simulated variants, on a machine whose workers are of this class."""
    host = replace(machine.host, start=partial(worker, machine))
    return measure([Variant(name) for name in names], budget, host=host, **options)


@pytest.fixture(scope="module")
def started():
    """Identifiers of the processes of ``pair``."""
    return []


@pytest.fixture(scope="module")
def pair(started):
    """Two variants measured with a control until the budget is spent."""

    class Recording(WorkerProcess):
        def load(self, slot=0):
            started.append(self.pid)
            return super().load(slot)

    both = [numpy_call("a", frames=4), numpy_call("b", frames=4)]
    return measure(both, TINY, control=True, host=replace(UNDISTURBED, start=Recording))


def test_every_round_has_a_turn_of_every_variant(pair):
    rounds = [[block.round for block in series.blocks] for series in pair.series.values()]
    assert rounds == [list(range(pair.rounds))] * 3
    assert pair.rounds >= 6


def test_blocks_hold_together(pair):
    for series in pair.series.values():
        for block in series.blocks:
            assert block.calls == block.latencies_ms.size >= 1
            assert block.latencies_ms.sum() == pytest.approx(block.seconds * 1e3)
            assert block.cpu_seconds >= 0


def test_the_budget_is_spent_and_said_so(pair):
    assert pair.ended == "budget spent"
    assert pair.seconds >= MEASURING_SHARE * TINY.seconds
    assert pair.failures == {}


def test_what_is_known_of_each_variant(pair):
    assert list(pair.series) == ["a", "b", "a" + TWIN]
    for series in pair.series.values():
        assert series.frames == 4
        assert np.isnan(series.load_seconds)  # others loaded beside it
        assert 1e6 < series.peak_rss < 1e9
        np.testing.assert_array_equal(series.outputs[0], np.arange(64.0) * 2)
    assert pair.others_share == Quiet.share


def test_questions_to_a_real_session(pair):
    assert pair.latency("a").unit == "ms"
    assert pair.throughput("a").value > 0
    assert pair.compare("a", "b").ratio.n in (pair.rounds, 3)
    assert (pair.control.a, pair.control.b) == ("a", "a" + TWIN)
    assert pair.agreement("a", "b").max_abs == 0


def test_no_process_is_left_behind(pair, started, alive):
    assert len(set(started)) >= 3
    assert not any(map(alive, started))


def test_turns_interleave_in_an_order_that_changes():
    turns = []

    class Recording(SimulatedWorker):
        def send(self, **request):
            turns.append(self.variant.name)
            assert 0 < request["discard"] < request["seconds"]
            super().send(**request)

    result = on(Machine(lambda _: 0.001), Recording, *"abc")
    rounds = [tuple(turns[index : index + 3]) for index in range(0, len(turns), 3)]
    assert len(rounds) == result.rounds
    assert all(set(order) == {"a", "b", "c"} for order in rounds)
    assert len(set(rounds)) >= 3


def test_the_order_of_turns_is_seeded():
    def order(seed):
        rotation = Rotation({name: [numpy_call(name)] for name in "abc"}, seed=seed)
        return [tuple(rotation.shuffled(rotation.alive)) for _ in range(20)]

    assert order(1) == order(1)
    assert order(1) != order(2)
    assert len(set(order(1))) >= 4


def broken(variant):
    if variant.name.startswith("failing"):
        raise errors.DeviceError(f"There is no such device for {variant.name}.")
    return 0.001


def test_a_failing_variant_is_reported_and_the_others_are_measured():
    result = Machine(broken).measure([Variant(name) for name in ("failing", "a", "b")], TINY)
    assert list(result.failures) == ["failing"]
    assert isinstance(result.failures["failing"], errors.DeviceError)
    assert list(result.series) == ["a", "b"]
    assert result.compare("a", "b").ratio.n == result.rounds
    with pytest.raises(errors.DeviceError):
        result.latency("failing")


def test_all_fail_and_the_first_error_is_raised():
    with pytest.raises(errors.DeviceError, match="no such device for failing first"):
        Machine(broken).measure([Variant("failing first"), Variant("failing second")], TINY)


class Late(SimulatedWorker):
    """A worker whose variant, if it is called so, fails in its second turn, or never answers in it."""

    turns = 0

    def receive(self, timeout):
        self.turns += 1
        if self.variant.name == "late" and self.turns == 2:
            raise errors.WorkerError("It broke later.")
        if self.variant.name == "hanging" and self.turns == 2:
            self.machine.now += timeout
            raise errors.WorkerHung("It did not answer.")
        return super().receive(timeout)

    def end(self):
        self.machine.ended.append(self.variant.name)


@pytest.fixture
def machine():
    """A simulated machine that keeps the names of the workers that were ended during their session."""
    machine = Machine(lambda _: 0.001)
    machine.ended = []
    return machine


def test_a_variant_that_fails_between_blocks_loses_its_blocks_only(machine):
    result = on(machine, Late, "late", "a")
    assert "It broke later" in result.failures["late"].message
    assert (list(result.series), machine.ended) == (["a"], ["late"])
    assert result.rounds == len(result.series["a"].blocks) >= 6


def test_everybody_fails_late_and_that_is_an_error_and_no_crash(machine):
    with pytest.raises(errors.WorkerError, match="It broke later"):
        on(machine, Late, "late")


def test_a_worker_that_hangs_is_ended_and_costs_the_others_nothing(machine):
    """The session waits for it far longer than all its turns may take."""
    budget = replace(TINY, patience=0.0)
    result = on(machine, Late, "hanging", "a", budget=budget)
    assert machine.now > 10 * budget.longest
    assert isinstance(result.failures["hanging"], errors.WorkerHung)
    assert machine.ended == ["hanging"]
    assert len(result.series["a"].blocks) >= 6


def test_a_worker_killed_during_the_session_is_reported_and_the_others_go_on(tmp_path):
    begun = tmp_path / "begun"

    class Telling(WorkerProcess):
        def send(self, **request):
            if request["do"] == "block":
                begun.touch()
            super().send(**request)

    def make():
        import os
        import pathlib
        import signal

        def call():
            if pathlib.Path(begun).exists():
                os.kill(os.getpid(), signal.SIGKILL)
            return [[1.0, 2.0]]

        return call

    result = measure(
        [numpy_call("a"), Variant.from_function("victim", make)],
        TINY,
        host=replace(UNDISTURBED, start=Telling),
    )
    assert isinstance(result.failures["victim"], errors.WorkerDied)
    assert result.rounds == len(result.series["a"].blocks) >= 6


def test_a_failed_variant_leaves_no_process_behind_during_the_session(machine):
    """Its threads would be noise in the turns of the others."""
    machine.cost = broken

    class Watching(Late):
        def send(self, **request):
            assert self.machine.ended == ["failing"]
            super().send(**request)

    assert on(machine, Watching, "failing", "watcher").rounds >= 6


@pytest.mark.parametrize("names", [[], ["a", "a"], ["a", "b", "a"]])
def test_names_must_differ(names):
    with pytest.raises(errors.OptionError, match="different names"):
        measure([numpy_call(name) for name in names], TINY)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"seconds": 0}, "A budget of 0 measures nothing"),
        ({"seconds": -1}, "A budget of -1"),
        ({"seconds": float("nan")}, "A budget of nan"),
        ({"precision": 0}, "A precision of 0"),
        ({"block": 0}, "A block of 0"),
    ],
)
def test_budgets_that_measure_nothing(fields, message):
    with pytest.raises(errors.OptionError, match=message):
        Budget(**fields)


seconds = st.floats(0.05, 1e4)
loading = st.floats(1e-3, 1e3)


@given(seconds, loading, st.integers(1, 20))
def test_a_plan_fits_loading_and_measuring_into_the_budget(seconds, loading, members):
    plan = Plan(Budget(seconds), loading, members)
    assert plan.measuring > 0
    assert plan.generations in {1, 3, 4, 5, 6}
    assert (plan.generations == 6) == (seconds >= 11 * loading)
    assert (plan.generations > 1) == (seconds >= plan.sufficient) == (0.7 * seconds >= 3 * loading)
    if plan.generations > 1 or 0.7 * seconds > loading:
        assert plan.measuring + plan.generations * loading == pytest.approx(seconds)
    assert 0 < plan.block * members * 6 <= plan.measuring * (1 + 1e-9)


def test_three_sets_of_workers_are_measured_where_a_budget_insists():
    budget = Budget(2.0, processes=3)
    plan, spent = Plan(budget, 1.0, 2), Spent()
    assert (plan.generations, plan.measuring) == (3, pytest.approx(0.6))
    for _ in range(3):
        assert spent.generations == 0 or plan.wants_generation(spent, answered=True)
        spent.start_generation(1.0)
        spent.add_turn(0.3)
    assert not plan.wants_generation(spent)


@given(seconds, loading, st.floats(1e-3, 2.0))
def test_a_session_by_its_plan_takes_about_its_budget(seconds, loading, turn):
    """Every turn as long as ``turn``, or as the plan's blocks where they are longer."""
    budget = Budget(seconds)
    plan, spent = Plan(budget, loading, 1), Spent()
    turn = max(turn, plan.block)
    while spent.generations == 0 or plan.wants_generation(spent):
        spent.start_generation(loading)
        while True:
            spent.add_turn(turn)
            spent.add_round()
            if not plan.wants_round(spent):
                break
    if spent.measuring < budget.longest:
        assert spent.rounds >= 6
    if 6 * turn <= 0.5 * plan.measuring and loading <= 0.5 * seconds:  # six turns fit with room to spare
        cycle = spent.seconds / spent.generations if plan.generations > 1 else turn
        assert 0.9 * seconds - cycle <= spent.seconds <= 1.1 * seconds + cycle


def test_an_answered_session_ends_after_six_generations():
    plan, spent = Plan(Budget(100.0), 1.0, 2), Spent(generations=5, rounds=15, loading=5.0, measuring=9.0)
    assert plan.wants_generation(spent, answered=True)
    spent.start_generation(1.0)
    assert not plan.wants_generation(spent, answered=True)
    assert plan.wants_generation(spent)


def test_precision_ends_a_session_early_but_not_too_early():
    loads = []
    machine = Machine(lambda variant: loads.append(variant.name) or 0.001)
    result = machine.measure([Variant("a")], Budget(600, precision=LOOSE))
    assert result.ended == "precision reached"
    assert result.rounds >= 12
    assert result.seconds < machine.now < 600
    blocks = result.series["a"].blocks
    assert len(loads) == 6  # workers are replaced where loading is quick
    assert sorted({block.generation for block in blocks}) == list(range(6))
    assert [block.generation for block in blocks] == sorted(block.generation for block in blocks)
    assert [block.round for block in blocks] == list(range(result.rounds))


def test_every_generation_has_a_round_where_a_round_exceeds_its_part():
    machine = Machine(lambda _: 0.3, load=0.4)
    result = machine.measure([Variant("a"), Variant("b")], Budget(10, precision=1e-9))
    assert [block.generation for block in result.series["a"].blocks] == list(range(6))
    assert result.compare("a", "b").ratio.n == 6


def test_precision_that_is_asked_for_is_what_comparisons_have():
    result = Machine(lambda _: 0.001).measure([Variant("a"), Variant("b")], Budget(600, precision=0.01))
    assert result.ended == "precision reached"
    assert result.compare("a", "b", "throughput").ratio.relative_half_width <= 0.01


def slow(cost, *budget, **fields):
    machine = Machine(lambda _: cost, load=0.1)
    return machine.measure([Variant("a")], Budget(*budget, precision=1e-9, **fields))


def test_six_rounds_are_measured_even_where_they_exceed_the_budget():
    assert slow(0.05, 0.3).rounds == 6


def test_a_variant_too_slow_for_six_rounds_ends_all_the_same():
    result = slow(0.2, 0.1)
    assert 1 <= result.rounds < 6
    assert result.ended == "budget spent"
    with pytest.raises(errors.NotEnoughSamples):
        result.latency("a")


def test_patience_gives_it_its_six_rounds_and_no_more():
    result = slow(0.2, 0.1, patience=60.0)
    assert result.rounds == 6
    assert result.latency("a").value == pytest.approx(200, rel=0.2)


def test_a_device_that_is_gone_when_workers_are_replaced_costs_the_others_nothing():
    loads = []

    def cost(variant):
        loads.append(variant.name)
        if variant.name == "lost" and loads.count("lost") == 2:
            raise errors.DeviceError("There is no device 'GPU' here.")
        return 0.004

    variants = [Variant("lost"), Variant("a"), Variant("b")]
    result = Machine(cost).measure(variants, Budget(40.0, precision=LOOSE))
    assert isinstance(result.failures["lost"], errors.DeviceError)
    assert list(result.series) == ["a", "b"]
    assert {block.generation for block in result.series["a"].blocks} == set(range(6))
    assert result.compare("a", "b").ratio.n == 6


def test_workers_stay_where_loading_takes_longer_than_measuring():
    loads = []
    machine = Machine(lambda variant: loads.append(variant.name) or 0.001)
    result = machine.measure([Variant("a")], TINY)
    assert loads == ["a"]
    assert {block.generation for block in result.series["a"].blocks} == {0}


HOLD = (
    "import sys\nfrom optguide.machine import measuring_lock\n"
    "with measuring_lock('optguide compare'):\n    print('held', flush=True)\n    sys.stdin.read()\n"
)


def locked(*names):
    """A session of simulated variants that holds the lock of this machine."""
    host = replace(Machine(broken).host, held=Host().held)
    return measure([Variant(name) for name in names], TINY, host=host)


def test_another_measurement_is_not_disturbed():
    with subprocess.Popen(
        [sys.executable, "-c", HOLD], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout.readline() == "held\n"
        with pytest.raises(errors.Busy, match=f"process {other.pid}.*optguide compare"):
            locked("a")
        other.stdin.close()
    assert locked("a").rounds >= 1


def test_failing_sessions_release_the_machine():
    with pytest.raises(errors.DeviceError):
        locked("failing")
    assert holder() is None


@pytest.fixture(scope="module")
def openvino_session(ir, dynamic_ir, inputs, save_inputs, models):
    """Sync, async of two sizes, preset inputs, several input sets and a batch, in one session."""
    sets = [save_inputs(models / f"set{n}.npz", x=np.full((1, 16), n / 10)) for n in (1, 2)]
    sync = Variant("sync", ir, OpenVINO(precision="f32", threads=1), (inputs,))
    throughput = {"PERFORMANCE_HINT": "THROUGHPUT"}
    variants = [
        sync,
        sync.with_("preset", feed="preset"),
        sync.with_("two", requests=2, properties={"NUM_STREAMS": "1"}),
        sync.with_("optimal", requests=0, properties=throughput, feed="preset"),
        Variant("sets", model=ir, inputs=tuple(sets), runtime=OpenVINO(precision="f32", requests=3)),
        Variant("batch", model=dynamic_ir, runtime=OpenVINO(batch=8, requests=1)),
    ]
    return measure(variants, Budget(1.2, precision=1e-9, block=0.01, patience=60.0), host=UNDISTURBED)


def test_openvino_variants_are_all_measured(openvino_session):
    assert openvino_session.failures == {}
    for name, series in openvino_session.series.items():
        assert len(series.blocks) >= 6
        assert openvino_session.throughput(name).value > 0
        assert all(block.calls >= 1 for block in series.blocks)


def test_effective_properties_are_read_back(openvino_session):
    effective = {name: series.effective for name, series in openvino_session.series.items()}
    assert effective["sync"]["INFERENCE_PRECISION_HINT"] == "f32"
    assert effective["sync"]["INFERENCE_NUM_THREADS"] == "1"
    assert effective["sync"]["PERFORMANCE_HINT"] == "LATENCY"
    assert effective["two"]["NUM_STREAMS"] == "1"
    assert effective["two"]["requests in flight"] == "2"
    assert effective["optimal"]["PERFORMANCE_HINT"] == "THROUGHPUT"
    assert (
        effective["optimal"]["requests in flight"]
        == (effective["optimal"]["OPTIMAL_NUMBER_OF_INFER_REQUESTS"])
    )
    assert "requests in flight" not in effective["sync"]
    assert all("openvino" in series.versions for series in openvino_session.series.values())


def test_a_batch_counts_its_frames(openvino_session):
    series = openvino_session.series["batch"]
    assert series.frames == 8
    assert series.outputs[0].shape == (8, 16)
    calls = sum(block.calls for block in series.blocks)
    seconds = sum(block.seconds for block in series.blocks)
    assert openvino_session.throughput("batch").value == pytest.approx(8 * calls / seconds)


def test_feeds_and_queues_compute_the_same(openvino_session, weights, inputs):
    with np.load(inputs) as archive:
        expected = np.tanh(archive["x"] @ weights)
    for name in ("sync", "preset", "two", "optimal"):
        np.testing.assert_allclose(openvino_session.series[name].outputs[0], expected, atol=1e-5)
    assert openvino_session.agreement("sync", "preset").max_abs < 1e-5


def test_outputs_are_those_of_the_first_input_set(openvino_session, weights):
    expected = np.tanh(np.full((1, 16), 0.1, np.float32) @ weights)
    np.testing.assert_allclose(openvino_session.series["sets"].outputs[0], expected, atol=1e-5)


MACHINES = {
    "quiet": {"process": 0.003, "block": 0.01},
    "processes that differ by 3 %": {"process": 0.03, "block": 0.03},
    "processes that differ by 14 %": {"process": 0.14, "block": 0.05},
    "an effect of the order of starting": {"process": 0.01, "block": 0.05, "order": 0.25},
    "drift": {"process": 0.01, "block": 0.02, "drift": 0.2},
}


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize(("pairs", "sessions"), [(["ab"], 100), (["ab", "cd"], 200)])
def test_equal_variants_are_not_told_apart_on_any_machine(machine, pairs, sessions):
    """Whole sessions on simulated machines: intervals exclude the truth about as often as they say."""
    names = "ab" if len(pairs) == 1 else "abcde"
    variants = [Variant(name, model="model.xml") for name in names]
    excluded = 0
    for seed in range(sessions):
        simulated = Machine(lambda variant: 0.004, seed=seed, **MACHINES[machine])
        result = simulated.measure(variants, Budget(20.0), seed=seed + 10**6)
        for pair in pairs:
            ratio = result.compare(*pair, "throughput").ratio
            assert "sets of processes" in ratio.method
            excluded += not ratio.low <= 1 <= ratio.high
    # A rate of 5 % exceeds this about once in a hundred such trials.
    assert excluded / (sessions * len(pairs)) <= 0.08


def simulated(seconds, *, load=0.8, count=2, seed=0, cost=0.004, **machine):
    """A session on a simulated machine, in which variant ``b`` is 20 % slower."""
    variants = [Variant(name, model="model.xml") for name in "abcde"[:count]]
    host = Machine(
        lambda variant: cost * (1.2 if variant.name == "b" else 1), load=load, seed=seed, **machine
    )
    return host.measure(variants, Budget(seconds, precision=1e-9), seed=seed)


@pytest.mark.parametrize("stop", ["decided", "precise"])
@pytest.mark.parametrize("spread", [pytest.param(0.03, marks=pytest.mark.slow), 0.14])
def test_intervals_hold_where_a_session_stopped_early(stop, spread):
    """After every set of processes it was asked whether b is slower, or how wide the interval is."""
    variants = [Variant(name, model="model.xml") for name in "ab"]
    rule = {"precision": 2 * spread} if stop == "precise" else {"precision": 1e-9, "questions": asks(slower)}
    covered, ends = 0, []
    for seed in range(100):
        machine = Machine(lambda v: 0.004 * (1 + 4 * spread * (v.name == "b")), process=spread, seed=seed)
        result = measure(
            variants,
            Budget(30.0, **rule),
            seed=seed + 10**6,
            host=machine.host,
        )
        ratio = result.compare("a", "b", "throughput").ratio
        covered += ratio.low <= 1 / (1 + 4 * spread) <= ratio.high
        ends.append(result.ended)
    assert covered / len(ends) >= 0.9  # a rate of 95 % falls below this about once in a hundred such trials
    assert len(set(ends)) == 2  # some stopped early, some did not


def asks(decided):
    """Questions of a session beside which others have saved no time."""
    return SimpleNamespace(decided=decided, save=lambda seconds: None, draw=lambda seconds: False)


def slower(result):
    return result.compare("a", "b", "throughput").ratio.relation(1.0, 1.0) == "below"


def test_the_question_is_asked_of_wider_intervals_and_after_six_sets_of_processes():
    asked = []

    def decided(result):
        asked.append(result)
        return True

    machine = Machine(lambda _: 0.004)
    variants = [Variant("a"), Variant("b")]
    budget = Budget(600, precision=1e-9, questions=asks(decided))
    result = measure(variants, budget, host=machine.host)
    assert (result.ended, len(asked)) == ("decided", 1)
    assert len({block.generation for block in result.series["a"].blocks}) == 6
    for quantity in ("latency", "throughput"):
        interim, final = (r.compare("a", "b", quantity).ratio for r in (asked[0], result))
        assert interim.value == final.value
        assert interim.relative_half_width > 2 * final.relative_half_width
    assert asked[0].latency("a").relative_half_width > result.latency("a").relative_half_width


@pytest.mark.parametrize("load", [2.6, 11.0, 50.0])
def test_a_budget_too_small_for_three_sets_of_processes_is_said_and_intervals_are_wide(load):
    result = simulated(10.0, load=load / 2, process=0.14)
    assert {block.generation for block in result.series["a"].blocks} == {0}
    (sentence,) = result.warnings
    assert "1 of the 3 sets of processes" in sentence
    assert "take a budget of" in sentence
    ratio = result.compare("a", "b").ratio
    assert ratio.high / ratio.low > 2
    assert result.throughput("a").high / result.throughput("a").low > 1.8


def test_the_budget_that_the_sentence_names_is_enough():
    plan = Plan(Budget(10.0), 4.0, 2)
    assert plan.generations == 1
    assert replace(plan, budget=Budget(18.0)).generations == 3
    assert "take a budget of 18 s" in plan.shortage(Spent(1, 6, 4.0, 6.0))


@pytest.mark.parametrize("jump", [1e4, -1e4])
def test_a_clock_that_jumps_makes_intervals_no_narrower(jump):
    class Jumping(SimulatedWorker):
        def ask(self, timeout, **request):
            machine.asked += 1
            machine.now += jump if machine.asked == 20 else 0
            return super().ask(timeout, **request)

    machine = Machine(lambda _: 0.004)
    machine.asked = 0
    host = replace(machine.host, start=partial(Jumping, machine))
    result = measure([Variant("a"), Variant("b")], Budget(20.0, precision=1e-9), host=host)
    sets = len({block.generation for block in result.series["a"].blocks})
    ratio = result.compare("a", "b").ratio
    assert ratio.low < 1 < ratio.high
    assert sets >= 3 or (ratio.high / ratio.low > 2 and result.shortage)


class Competitor:
    """A meter that finds somebody else on the machine in some of the rounds."""

    def __init__(self, busy, throttled=0.0):
        self.busy, self.throttled, self.stalled = iter(busy), throttled, 0.0
        self.share = 0.0

    def __enter__(self):
        self.share = next(self.busy, 0.0)
        return self

    def __exit__(self, *_):
        pass


def beside(busy):
    """A session of six sets of three rounds; the first of each set's readings is of the whole set."""
    machine, meter = Machine(lambda _: 0.1, load=0.1), Competitor(busy)
    host = replace(machine.host, meter=lambda _: meter)
    return measure([Variant("a"), Variant("b")], Budget(2.5, precision=1e-9), host=host)


def test_rounds_beside_a_competitor_are_left_out_and_counted():
    quiet = beside([])
    result = beside([0.0, 0.9])  # the second reading is of the first round
    assert (quiet.spoiled, result.spoiled) == (0, 1)
    assert result.rounds == quiet.rounds - 1
    assert [block.round for block in result.series["a"].blocks] == list(range(1, quiet.rounds))
    assert result.warnings == ("1 round in which something else took much of the machine was left out.",)
    assert not result.disturbed


def test_a_session_beside_a_competitor_is_disturbed_and_loses_no_round():
    result = beside([0.9] * 1000)
    assert result.spoiled == 0
    assert "took much of the machine in" in result.disturbed
    assert result.compare("a", "b").ratio.n >= 3


class Question:
    """Whether ``b`` is slower by more than a fifth, and how much time others have left."""

    def __init__(self, saved=0.0):
        self.saved = saved
        self.asked = 0

    def decided(self, session):
        self.asked += 1
        return session.compare("a", "b", "throughput").ratio.relation(1 / 1.2, 1 / 1.2) != "undecided"

    def save(self, seconds):
        self.saved += seconds

    def draw(self, seconds):
        if self.saved < seconds:
            return False
        self.saved -= seconds
        return True


def asked(question, slower, seconds=30.0):
    machine = Machine(lambda variant: 0.004 * (slower if variant.name == "b" else 1), process=0.03, seed=1)
    budget = Budget(seconds, precision=1e-9, questions=question)
    result = measure([Variant("a"), Variant("b")], budget, host=machine.host)
    return result, machine.clock()


def test_a_session_with_a_decided_question_leaves_its_time_to_others():
    question = Question()
    result, seconds = asked(question, slower=2.0)
    assert result.ended == "decided"
    assert question.saved == pytest.approx(30.0 - seconds, abs=1.0)
    assert question.saved > 5


@pytest.mark.parametrize(("saved", "longest"), [(0.0, 31.5), (10.0, 41.5), (500.0, 60.0)])
def test_a_session_with_an_open_question_takes_what_others_have_saved(saved, longest):
    question = Question(saved)
    result, seconds = asked(question, slower=1.2)
    assert result.ended == "budget spent"
    assert longest - 5 <= seconds <= longest
    assert saved - question.saved <= seconds


def test_a_session_that_is_asked_nothing_takes_its_budget():
    question = Question(500.0)
    question.decided = lambda session: None
    result, seconds = asked(question, slower=2.0)
    assert result.ended == "budget spent"
    assert (question.saved, seconds <= 31.5) == (500.0, True)
