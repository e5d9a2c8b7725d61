"""The race on machines whose truth is known."""

import itertools
import math
from dataclasses import replace

import numpy as np
import pytest

from optguide.bench.load import LatencyLimit
from optguide.errors import Busy, InputError, WorkerDied
from optguide.optimize.candidate import Candidate, Deployment, space_of
from optguide.optimize.outcome import CONFIRMATION, RaceRound
from optguide.optimize.search.planning import SearchContext, open_candidates
from optguide.optimize.search.race import RIVALS, confirm, is_unfinished, provisional_winner, race
from optguide.stats.estimate import Estimate
from tests.optimize.simulated import Scene

DEFAULT = Candidate("default")
HINT = Deployment(hint="THROUGHPUT", requests=0)


def rates(space, seed, *, processors):
    """A plausible landscape: ideal streams and batch, costs per call, and a precision that may help."""
    random = np.random.default_rng(seed)
    factor = {"default": 1.0, "f32": 1.0, "int8": random.uniform(0.9, 3), "int8_weights": 0.9}
    streams = 2 ** random.integers(0, int(math.log2(processors)) + 1)
    steep, idle, call, large = random.uniform((0.02, 0, 0, 0), (0.12, 0.08, 0.15, 0.02))
    scale = 10 ** random.uniform(1.3, 4.3)  # from 20 to 20 000 inputs per second
    call += 1e-4 * scale  # a call costs some 100 us, whatever it does
    wobble = {}

    def rate(candidate):
        place = space.place(candidate.deployment)
        cost = (processors / place.threads) ** 0.8 * (1 + call / place.batch + large * math.log2(place.batch))
        if place.requests:
            cost *= 1 + steep * abs(math.log2(place.streams / streams))
        else:
            cost *= 1.3
        cost *= 1 + idle * (place.requests == 1)
        wobble.setdefault(candidate.name, math.exp(random.normal(0, 0.005)))
        return scale * processors / 2 * factor[candidate.precision] / cost * wobble[candidate.name]

    return rate


def landscape(seed, *, processors=2, noise=None, **fields):
    """A machine with that landscape.

    :param noise: seed of what is measured, where it is another one than that of the truth.
    """
    own = (max(1, processors // 2), processors)
    space = space_of("throughput", streams=own[0], threads=own[1], processors=processors, batchable=True)
    rate = rates(space, seed, processors=processors)
    return Scene(rate, processors=processors, own=own, seed=seed if noise is None else noise, **fields)


def flat(goal="throughput", **fields):
    return Scene(lambda candidate: 50.0, goal, **fields)


@pytest.mark.slow
def test_it_finds_what_is_within_three_percent_of_the_best():
    shares = []
    for seed in range(40):
        scene = landscape(seed)
        rounds = scene.run(seed=seed)
        shares.append(scene.share(rounds[-1].incumbent))
        for plain in (scene.rules.default, scene.rules.hint):
            assert scene.rate(scene.named[rounds[-1].incumbent]) > 0.985 * scene.rate(plain)
    assert np.mean(np.array(shares) >= 0.97) >= 0.95
    assert min(shares) > 0.93


@pytest.mark.slow
def test_two_runs_choose_within_two_percent_of_each_other():
    apart = []
    for seed in range(15):
        scenes = [landscape(seed, noise=100 * seed + run) for run in (0, 1)]
        one, other = (scene.share(scene.run(seed=run)[-1].incumbent) for run, scene in enumerate(scenes))
        apart.append(abs(one / other - 1))
    assert np.mean(np.array(apart) <= 0.02) >= 0.9


def test_it_needs_a_fraction_of_an_exhaustive_search():
    """Which takes 50 candidates six seconds each, and loading; a minute finds what is nearly as fast."""
    shares, seconds = [], []
    for seed in range(20):
        scene = landscape(seed)
        shares.append(scene.share(scene.run(40, 20, seed=seed)[-1].incumbent))
        seconds.append(scene.machine.now)
    assert np.mean(np.array(shares) >= 0.95) >= 0.85
    assert np.mean(seconds) < 70


@pytest.mark.parametrize("goal", ["latency", "throughput"])
def test_where_nothing_differs_the_default_stays(goal):
    kept = 0
    for seed in range(20):
        scene = flat(goal, seed=seed)
        kept += scene.run(seed=seed)[-1].incumbent == scene.rules.default.name
    assert kept >= 19


@pytest.mark.slow
def test_of_many_deployments_less_than_half_are_tried():
    shares, tried = [], []
    for seed in range(6):
        scene = landscape(seed, processors=64, precisions=("default",))
        shares.append(scene.share(scene.run(400, seed=seed)[-1].incumbent))
        tried.append(len({name for session in scene.machine.sessions for name in session}))
    assert np.mean(np.array(shares) >= 0.97) >= 0.8
    assert max(tried) < len(scene.space.deployments) / 2


def test_a_precision_that_may_not_win_is_measured_once_and_never_leads():
    scene = Scene(
        lambda c: 500.0 if c.precision == "int8" else 50.0, precisions=("default",), not_eligible=("int8",)
    )
    rounds = scene.run()
    measured = [name for race_round in rounds for name in race_round.speeds if name.startswith("INT8")]
    assert measured == [Candidate("int8", HINT).name]
    assert not any(race_round.incumbent.startswith("INT8") for race_round in rounds)


def test_every_heat_is_recorded_and_a_resumed_race_repeats_none():
    whole, stopped = landscape(3), landscape(3)
    expected = race(whole.context, seconds=200, seed=3)
    recorded = []

    def stop(race_round):
        recorded.append(race_round)
        if len(recorded) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        race(stopped.context, seconds=200, record=stop, seed=3)
    left = 200 - stopped.machine.now
    resumed = race(stopped.context, seconds=left, rounds=recorded, seed=3)
    assert resumed[:2] == tuple(recorded)
    assert [set(race_round.speeds) for race_round in resumed[:3]] == [
        set(race_round.speeds) for race_round in expected[:3]
    ]
    assert race(stopped.context, seconds=100, rounds=expected)[: len(expected)] == expected


def test_the_leader_is_in_every_heat_and_ratios_are_against_it():
    scene = landscape(5)
    rounds = race(scene.context, seconds=200)
    assert scene.rules.default.name in rounds[0].speeds
    for before, after in itertools.pairwise(rounds):
        assert before.incumbent in after.speeds
    for race_round in rounds:
        assert set(race_round.ratios) == set(race_round.speeds) - {race_round.incumbent}


def test_what_is_shown_slower_does_not_come_back():
    scene = Scene(lambda c: 50.0 if c.deployment.requests is None else 100.0 / (c.deployment.batch or 1))
    rounds = race(scene.context, seconds=200)
    batched = [name for race_round in rounds for name in race_round.speeds if "batch" in name]
    assert len(batched) == len(set(batched))


def test_what_adds_to_a_setting_that_is_far_slower_is_not_tried():
    """One thread is a tenth as fast: it is tried with one request and with two, and without a batch."""
    scene = Scene(lambda c: 10.0 if c.deployment.threads == 1 else 100.0, precisions=("default",))
    rounds = race(scene.context, seconds=400)
    single = {
        scene.named[name].deployment
        for race_round in rounds
        for name in race_round.speeds
        if "1 thread" in name
    }
    assert single
    assert all(way.batch is None for way in single)


def test_what_a_short_heat_cannot_tell_is_told_by_longer_ones():
    """Two requests per stream are 2.5 % faster than one."""
    right = 0
    for seed in range(10):
        scene = Scene(
            lambda c: 50.0 if c.deployment.streams else 102.5 if c.deployment.requests else 100.0,
            precisions=("default",),
            batchable=False,
            seed=seed,
        )
        rounds = race(scene.context, seconds=200, seed=seed)
        assert sum("refinement" in race_round.title for race_round in rounds) <= 3
        right += scene.share(rounds[-1].incumbent) == 1
    assert right >= 8


def test_whoever_exceeds_the_limit_never_leads_those_that_keep_it():
    scene = Scene(
        lambda c: 250.0 if c.deployment.batch else 200.0 if c.deployment.hint else 100.0,
        precisions=("default",),
        limit=LatencyLimit(95, 15.0),
    )
    for race_round in race(scene.context, seconds=100):
        assert scene.rules.limit_relation(race_round.speeds[race_round.incumbent]) != "above"


def test_a_failing_candidate_fails_alone():
    def rate(candidate):
        if candidate.deployment.batch == 4:
            raise WorkerDied("The worker was ended by SIGSEGV.", "Run it again.")
        return 50.0

    scene = Scene(rate, precisions=("default",))
    rounds = scene.run()
    failures = {name: why for race_round in rounds for name, why in race_round.failures.items()}
    # What is made of it is not tried, nor are larger batches.
    assert failures == {Candidate("default", replace(HINT, batch=4)).name: "The worker was ended by SIGSEGV."}
    assert not any("batch" in name for race_round in rounds for name in race_round.speeds)
    assert rounds[-1].incumbent == scene.rules.default.name


def test_a_default_that_does_not_run_leaves_the_race_to_the_others():
    def rate(candidate):
        if candidate == DEFAULT:
            raise WorkerDied("The worker was ended by SIGSEGV.", "Run it again.")
        return 50.0

    scene = Scene(rate)
    rounds = scene.run()
    assert rounds[-1].incumbent != DEFAULT.name
    assert (
        sum(DEFAULT.name in race_round.failures for race_round in rounds if race_round.title != CONFIRMATION)
        == 1
    )


def test_nothing_runs():
    def rate(candidate):
        raise WorkerDied("The worker was ended by SIGSEGV.", "Run it again.")

    scene = Scene(rate, precisions=("default",))
    rounds = race(scene.context, seconds=100)
    assert rounds
    assert not any(race_round.speeds for race_round in rounds)
    assert confirm(scene.context, rounds, seconds=20).incumbent == DEFAULT.name


def test_a_candidate_that_cannot_be_prepared_fails_alone():
    scene = flat(precisions=("default",))
    variant = scene.context.variant

    def refusing(candidate):
        if candidate.deployment.batch:
            raise InputError("Samples of different shapes cannot be stacked.", "Leave out the batch.")
        return variant(candidate)

    context = replace(scene.context, variant=refusing)
    rounds = race(context, seconds=200)
    failed = {name for race_round in rounds for name in race_round.failures}
    assert failed
    assert failed <= {c.name for c in scene.entrants if c.deployment.batch}
    assert not any("batch" in name for session in scene.machine.sessions for name in session)


def test_a_machine_that_is_busy_ends_the_race():
    scene = flat()

    def busy(*_, **__):
        raise Busy("Another measurement is running.", "Wait for it to end.")

    with pytest.raises(Busy):
        race(SearchContext(scene.space, scene.rules, scene.context.variant, measure=busy), seconds=100)


def test_slow_candidates_get_longer_heats():
    """Of three seconds per inference, six turns do not fit into the usual time."""
    scene = Scene(lambda c: 1 / 3, "latency", precisions=("default",))
    rounds = scene.run(600, 120)
    assert rounds[0].speeds == {}
    assert len(rounds[1].speeds) >= 2


@pytest.mark.parametrize("seconds", [0.0, 1.0])
def test_no_time_is_no_heat(seconds):
    scene = flat()
    assert race(scene.context, seconds=seconds) == ()
    assert provisional_winner(scene.context, ()) == DEFAULT


@pytest.mark.parametrize("seed", range(5))
def test_a_race_knows_whether_more_time_would_have_meant_another_heat(seed):
    scene = landscape(seed)
    rounds = race(scene.context, seconds=5000, seed=seed)
    assert scene.machine.now < 4000
    assert not is_unfinished(rounds, scene.context)
    assert is_unfinished(rounds[:2], scene.context)
    assert is_unfinished((), scene.context)


def test_little_time_still_compares_default_and_hint():
    scene = Scene(lambda c: 100.0 if c.deployment.hint else 50.0)
    rounds = race(scene.context, seconds=6)
    assert set(rounds[0].speeds) == {scene.rules.default.name, scene.rules.hint.name}
    assert rounds[0].incumbent == scene.rules.hint.name
    assert scene.machine.now < 10


def test_processes_that_do_not_fit_into_memory_together_meet_in_smaller_heats():
    scene = landscape(2)
    context = replace(scene.context, fitting=2)
    assert {len(race_round.speeds) for race_round in race(context, seconds=60)} == {2}


def test_a_limit_that_the_fastest_exceeds_goes_to_the_fastest_that_keeps_it():
    """Batches have the highest throughput and take 16 ms or more; the hint takes 10 ms."""
    scene = Scene(
        lambda c: 250.0 if c.deployment.batch else 200.0 if c.deployment.hint else 100.0,
        precisions=("default",),
        limit=LatencyLimit(95, 15.0),
    )
    rounds = scene.run()
    winner = scene.named[rounds[-1].incumbent]
    assert winner.deployment.batch is None
    assert scene.rate(winner) == 200.0
    assert scene.rules.limit_relation(rounds[-1].speeds[winner.name]) == "inside"


def test_a_limit_that_the_default_exceeds_needs_nothing_faster():
    """The default and the hint take 40 ms, all else 10 ms."""
    scene = Scene(
        lambda c: 100.0 if c.deployment.threads else 25.0,
        "latency",
        precisions=("default",),
        processors=4,
        limit=LatencyLimit(50, 20.0),
    )
    last = scene.run()[-1]
    assert last.incumbent not in {scene.rules.default.name, scene.rules.hint.name}
    assert scene.rules.limit_relation(last.speeds[last.incumbent]) == "inside"


def test_the_final_has_the_plain_ones_beside_the_finalist_and_what_is_shown_with_them():
    scene = landscape(4, precisions=("default", "int8"))
    rounds = race(scene.context, seconds=200)
    beside = Candidate("f32")
    race_round = confirm(scene.context, rounds, seconds=60, beside=[beside])
    required = [DEFAULT, scene.rules.hint, provisional_winner(scene.context, rounds), beside]
    rivals = [c for c in open_candidates(rounds, scene.context) if c not in required]
    assert set(race_round.speeds) == {c.name for c in (*required, *rivals[:RIVALS])}
    assert race_round.title == CONFIRMATION
    assert race_round.incumbent != beside.name
    assert race_round.seconds < 80


def test_the_final_undoes_what_was_luck():
    """A race that took the hint for the best by mistake; fresh data say that it is half as fast."""
    scene = Scene(lambda c: 25.0 if c.deployment.hint else 50.0, precisions=("default",))
    hint = scene.rules.hint.name
    lucky = Estimate(0.5, 0.45, 0.55, "ratio", 6)
    measured = race(scene.context, seconds=8)[0]
    mistaken = RaceRound("precisions", hint, 8, 6, None, measured.speeds, {DEFAULT.name: lucky})
    assert provisional_winner(scene.context, [mistaken]) == scene.rules.hint
    assert confirm(scene.context, [mistaken], seconds=60).incumbent == DEFAULT.name


def test_the_final_settles_what_the_race_left_open():
    """Four requests are an eighth faster than the hint, which six rounds of noisy processes cannot show."""
    found = []
    for seed in range(20):
        scene = requests_help(0.14, process=0.04, block=0.05, load=0.4, seed=seed)
        rounds = scene.run(18, 18, seed=seed)
        found.append(scene.share(rounds[-1].incumbent))
    assert sum(share > 0.98 for share in found) >= 16


def test_what_is_not_shown_to_be_better_than_the_hint_leaves_it_the_win():
    """Two requests are 4 % faster than the hint, which this short a run on so noisy a machine cannot show."""
    for seed in range(10):
        scene = requests_help(0.04, process=0.04, block=0.05, load=0.4, seed=seed)
        last = scene.run(18, 13, seed=seed)[-1]
        hint = scene.rules.hint.name
        assert last.incumbent == hint or last.ratios[hint].high < 1


def requests_help(gain, **machine):
    """The hint is 50 % faster than the default, and two requests per stream are faster still."""

    def rate(candidate):
        way = candidate.deployment
        return (100 if way.requests is None else 150) * (1 + gain * bool(way.requests and not way.streams))

    return Scene(rate, precisions=("default",), batchable=False, **machine)


def test_rivals_of_the_finalist_have_their_turn_in_the_final_where_there_is_room():
    scene = requests_help(0.0)
    first = race(scene.context, seconds=12)[0]
    rival = next(c for c in scene.entrants if c.deployment.requests and not c.deployment.streams)
    open_ratio = Estimate(1.1, 0.9, 1.3, "ratio", 6)
    speed = first.speeds[scene.rules.hint.name]
    second = RaceRound(
        "deployments",
        scene.rules.hint.name,
        8,
        6,
        None,
        {scene.rules.hint.name: speed, rival.name: replace(speed, effective={"NUM_STREAMS": "9"})},
        {rival.name: open_ratio},
    )
    rounds = [replace(first, incumbent=scene.rules.hint.name), second]
    last = confirm(scene.context, rounds, seconds=30, beside=[Candidate("f32")])
    assert {rival.name, "32-bit floats, default settings"} <= last.speeds.keys()
    narrow = replace(scene.context, fitting=2)
    last = confirm(narrow, rounds, seconds=30, beside=[Candidate("f32")])
    assert rival.name not in last.speeds


def test_what_the_device_makes_the_same_of_does_not_win_by_luck():
    """Hint and default are one thing here; with wild processes one of them always looks faster."""
    won = set()
    for seed in range(20):
        scene = Scene(
            lambda c: 100.0,
            "latency",
            precisions=("default",),
            processors=1,
            process=0.1,
            effective=lambda variant: {"NUM_STREAMS": "1"},
            seed=seed,
        )
        rounds = race(scene.context, seconds=20, seed=seed)
        won.add(confirm(scene.context, rounds, seconds=8, seed=seed).incumbent)
    assert won == {DEFAULT.name}


def test_of_equals_the_plainest_wins():
    """Everything asynchronous is equally fast: that leaves the hint."""
    found = []
    for seed in range(10):
        scene = Scene(
            lambda c: 50.0 if c.deployment.requests is None else 100.0,
            precisions=("default",),
            batchable=False,
            seed=seed,
        )
        found.append(scene.run(seed=seed)[-1].incumbent)
    assert found.count(scene.rules.hint.name) >= 9


def test_what_the_device_makes_the_same_of_needs_no_second_turn():
    scene = flat(
        effective=lambda variant: {"NUM_STREAMS": "1"}, batchable=False, precisions=("default", "f32")
    )
    rounds = race(scene.context, seconds=400)
    turns = [name for race_round in rounds for name in race_round.speeds if name != scene.rules.default.name]
    assert len(turns) == len(set(turns))


def test_progress_names_every_round():
    scene = landscape(6)
    told = []
    rounds = race(scene.context, seconds=200, progress=told.append)
    assert told == [race_round.title for race_round in rounds]
