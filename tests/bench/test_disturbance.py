from __future__ import annotations

import math

from optguide.bench.validity import RoundConditions, Spoiling, competition, spoiling


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
