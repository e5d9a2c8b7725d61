import math
from dataclasses import replace

import numpy as np
import pytest

from optguide import ONNXRuntime, Variant
from optguide.bench.result import SessionResult
from optguide.bench.series import Block, FirstCall, Series
from optguide.bench.validity import RoundConditions, Spoiling, competition, same_by_settings, spoiling

RESOLVED = {
    "NUM_STREAMS": "2",
    "INFERENCE_NUM_THREADS": "2",
    "PERFORMANCE_HINT": "LATENCY",
    "KV_CACHE_PRECISION": "unused",
    "INFERENCE_PRECISION_HINT": "f32",
}
PLAIN = Variant("plain", "model.xml")


@pytest.mark.parametrize(
    ("asked", "resolved", "same"),
    [
        ({"threads": 4}, {}, {"INFERENCE_NUM_THREADS": "2"}),
        ({"properties": {"NUM_STREAMS": "4"}}, {}, {"NUM_STREAMS": "2"}),
        ({"properties": {"KV_CACHE_PRECISION": "f32"}}, {}, {"KV_CACHE_PRECISION": "unused"}),
        ({"precision": "f32"}, {}, {"INFERENCE_PRECISION_HINT": "f32"}),
        ({"properties": {"PERFORMANCE_HINT": "LATENCY"}}, {}, {"PERFORMANCE_HINT": "LATENCY"}),
        (
            {"properties": {"PERFORMANCE_HINT": "THROUGHPUT"}},
            {"PERFORMANCE_HINT": "THROUGHPUT"},
            {"NUM_STREAMS": "2", "INFERENCE_NUM_THREADS": "2"},
        ),
        ({}, {}, {}),
        ({"threads": 1}, {"INFERENCE_NUM_THREADS": "1"}, None),
        ({"requests": 2}, {"requests in flight": "2"}, None),
        ({"properties": {"ENABLE_MMAP": "NO"}}, {}, None),
        ({"device": "AUTO:CPU"}, {}, None),
        ({"feed": "preset"}, {}, None),
        ({"inputs": ("x.npz",)}, {}, None),
        ({"model": "other.xml"}, {}, None),
        ({"quota": 1.0}, {}, None),
        ({"runtime": ONNXRuntime()}, {}, None),
    ],
)
def test_only_what_is_read_back_the_same_cannot_differ(asked, resolved, same):
    other = PLAIN.with_("other", **asked)
    assert same_by_settings(PLAIN, other, RESOLVED, RESOLVED | resolved) == same
    assert same_by_settings(other, PLAIN, RESOLVED | resolved, RESOLVED) == same


def test_behind_a_virtual_device_settings_are_not_compared():
    auto = PLAIN.with_("auto", device="AUTO:CPU")
    hinted = auto.with_("hinted", properties={"PERFORMANCE_HINT": "LATENCY"})
    assert same_by_settings(auto, hinted, RESOLVED, RESOLVED) is None
    assert same_by_settings(auto, auto.with_("again"), RESOLVED, RESOLVED) == {}


def session(*paces, outputs=None, alone=True):
    """A session of variants that differ in the threads they ask for and get two; pace in ms."""
    series = {}
    for threads, pace in enumerate(paces, start=2):
        blocks = [Block(r, r, np.full(3, pace + r / 1e3), 0.01, 0.01, 3) for r in range(8)]
        answers = (outputs or {}).get(threads, np.ones(3))
        variant = PLAIN.with_(f"{threads} threads", threads=threads)
        series[variant.name] = Series(variant, tuple(blocks), RESOLVED, {}, 0.1, 1, 1, FirstCall((answers,)))
    different = replace(PLAIN.with_("other", model="other.xml"))
    series["other"] = replace(next(iter(series.values())), variant=different)
    return SessionResult(series, {}, "budget spent", 5.0, 8, 0.0, alone=alone)


def test_a_comparison_says_what_cannot_differ_and_what_it_took():
    comparison = session(1.0, 1.0).compare("2 threads", "3 threads")
    assert comparison.same == {"INFERENCE_NUM_THREADS": "2"}
    assert (comparison.seconds, comparison.disturbed) == (5.0, "")
    assert session(1.0, 1.0).compare("2 threads", "other").same is None


@pytest.mark.parametrize(("pace", "disturbed"), [(1.01, False), (1.1, True), (0.9, True)])
def test_variants_that_cannot_differ_and_do_disturb_their_session(pace, disturbed):
    sentence = session(1.0, 1.0, pace).compare("2 threads", "other").disturbed
    assert ("4 threads over 2 threads" in sentence) == disturbed
    assert session(1.0, 1.0, pace).compare("2 threads", "4 threads", "throughput").disturbed == ""


def test_other_answers_are_of_another_program():
    result = session(1.0, 1.1, outputs={3: np.zeros(3)})
    assert result.compare("2 threads", "3 threads").same is None
    assert result.compare("2 threads", "other").disturbed == ""


def test_what_runs_beside_others_is_not_compared_by_its_settings():
    result = session(1.0, 1.1, alone=False)
    assert result.compare("2 threads", "3 threads").same is None
    assert result.compare("2 threads", "other").disturbed == ""


def rounds(*shares, throttled=0.0, seconds=1.0):
    """Three rounds of each set of processes, with what others used in each."""
    return [RoundConditions(index // 3, seconds, share, throttled) for index, share in enumerate(shares)]


def test_quiet_rounds_stay():
    assert spoiling(rounds(*[0.02] * 18)) == Spoiling()
    assert spoiling(rounds(*[math.nan] * 18)) == Spoiling()
    assert spoiling([]) == Spoiling()


def test_busy_rounds_are_left_out():
    assert spoiling(rounds(0.5, *[0.02] * 16, 0.3)).rounds == {0, 17}


def test_a_session_that_is_busy_throughout_is_disturbed_and_stays_whole():
    found = spoiling(rounds(*[0.5] * 10, *[0.02] * 8))
    assert found.rounds == frozenset()
    assert found.competitor.endswith("in 10 of 18 rounds")


def test_rounds_are_not_left_out_where_too_few_sets_of_processes_would_remain():
    assert spoiling(rounds(*[0.02] * 5, *[0.5] * 4)).competitor  # of three sets, two
    assert spoiling(rounds(*[0.02] * 5, 0.5)).competitor  # of six rounds, five
    assert spoiling(rounds(0.02, 0.5, 0.5, *[0.02] * 6)).rounds == {1, 2}


def test_rounds_shorter_than_the_system_can_tell_stay():
    assert spoiling(rounds(0.9, *[0.02] * 17, seconds=0.05)) == Spoiling()


def test_a_quota_in_force_all_the_time_is_a_condition_and_a_sudden_one_spoils():
    assert spoiling(rounds(*[0.0] * 18, throttled=0.5)) == Spoiling()
    sudden = rounds(*[0.0] * 15) + rounds(*[0.0] * 3, throttled=0.5)
    assert spoiling([*rounds(*[0.0] * 15), *sudden[-3:]]).rounds == {15, 16, 17}


def test_rounds_in_which_the_machine_lacked_memory_or_was_slowed_down_are_left_out():
    quiet = rounds(*[0.0] * 17)
    assert spoiling([RoundConditions(6, 1.0, 0.0, 0.0, stalled=0.06), *quiet]).rounds == {0}
    assert spoiling([RoundConditions(6, 1.0, 0.0, 0.0, stalled=0.04), *quiet]) == Spoiling()


def test_a_session_without_rounds_is_disturbed_by_what_others_used():
    assert competition(0.26) == "The session is disturbed: others used 26 % of the machine's CPU."
    assert competition(0.25) == competition(math.nan) == ""
