import pytest

from optguide.bench.load import LatencyLimit
from optguide.optimize.candidate import Candidate, Deployment
from optguide.optimize.outcome import Artifact, Quality, Speed
from optguide.optimize.search.race_state import Rules, may_win
from optguide.stats.estimate import Estimate

DEFAULT = Candidate("default")
HINT = Candidate("default", Deployment(hint="LATENCY"))


def rules(**fields):
    return Rules("latency", DEFAULT, HINT, **fields)


def speed(**latencies):
    found = {name: Estimate(sum(ends) / 2, *ends, "ms", 500) for name, ends in latencies.items()}
    return Speed(found, Estimate(100, 99, 101, "inferences/s", 10), None, 0, {})


def quality(kept, value=0.0):
    one = Estimate(value, value - 1, value + 1, "points", 100)
    return Quality("top-1", proxy=False, value=one, loss=one, limit=1.0, kept=kept)


def test_the_base_is_the_default_or_else_the_most_cautious_precision_that_may_win():
    assert rules(precisions=("int8", "default")).base == DEFAULT
    assert rules(precisions=("int8", "f32")).base == Candidate("f32")
    assert rules(precisions=()).base == DEFAULT


def test_plain_is_what_changes_the_model_least_and_then_what_sets_least():
    ours = rules(precisions=("default", "f32", "int8"))
    many = Candidate("default", Deployment(streams=2, threads=4, requests=4))
    ordered = [DEFAULT, HINT, many, Candidate("f32"), Candidate("int8"), Candidate("int8", HINT.deployment)]
    shuffled = [ordered[index] for index in (3, 0, 5, 2, 4, 1)]
    assert sorted(shuffled, key=ours.simplicity) == ordered


@pytest.mark.parametrize(
    ("latencies", "expected"),
    [
        ({"p50": (8, 9), "p99": (9, 10)}, "inside"),
        ({"p50": (8, 9), "p99": (9, 10.1)}, "undecided"),
        ({"p50": (8, 9), "p99": (10.1, 12)}, "above"),
        ({"p50": (8, 9)}, "undecided"),  # too few samples
        ({"p50": (11, 12)}, "above"),  # the 99th percentile is no lower than the median
        ({}, "undecided"),
    ],
)
def test_a_limit_is_kept_by_the_whole_interval(latencies, expected):
    assert rules(limit=LatencyLimit(99, 10)).limit_relation(speed(**latencies)) == expected


def test_a_higher_percentile_says_nothing_of_a_limit_for_the_median():
    assert rules(limit=LatencyLimit(50, 10)).limit_relation(speed(p50=(8, 9), p99=(20, 30))) == "inside"
    assert rules(limit=LatencyLimit(50, 10)).limit_relation(speed(p99=(20, 30))) == "undecided"
    assert rules().limit_relation(speed()) == "inside"


def test_a_precision_may_win_by_the_interval_of_its_loss():
    assert may_win(Artifact("f32", "f32.xml"))
    assert may_win(Artifact("default", "f32.xml"))
    assert may_win(Artifact("default", "f32.xml", quality=quality("open")))  # what the reader has already
    assert not may_win(Artifact("default", "f32.xml", quality=quality("exceeded")))
    assert may_win(Artifact("int8", "int8.xml", quality=quality("kept")))
    assert not may_win(Artifact("int8", "int8.xml"))  # nothing judged it
    assert not may_win(Artifact("int8", why_not="There is nothing to quantize."))
    for kept in ("open", "exceeded", "not judged"):
        assert not may_win(Artifact("int8", "int8.xml", quality=quality(kept)))
    assert not may_win(Artifact("default", "f32.xml", quality=quality("exceeded", 3.0)))


def test_an_unproven_precision_may_win_where_its_loss_is_small_as_measured():
    assert may_win(Artifact("int8", "int8.xml", quality=quality("open", 0.9)), unproven=True)
    assert not may_win(Artifact("int8", "int8.xml", quality=quality("open", 1.1)), unproven=True)
    assert not may_win(Artifact("int8", "int8.xml", quality=quality("exceeded", 3.0)), unproven=True)
