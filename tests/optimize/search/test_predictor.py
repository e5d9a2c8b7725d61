import math

import pytest

from optguide.optimize.candidate import Candidate, Deployment, space_of
from optguide.optimize.outcome import Speed
from optguide.optimize.search.planning import Predictor
from optguide.optimize.search.race_state import RaceState, Rules
from optguide.stats.estimate import Estimate

HINT = Deployment(hint="THROUGHPUT", requests=0)
TWICE = Deployment(hint="THROUGHPUT", requests=4)
SINGLE = Deployment(streams=1, threads=2, requests=0)
INCUMBENT = Candidate("default", HINT)


def batch(number, **fields):
    return Deployment(**{"hint": "THROUGHPUT", "requests": 0, **fields, "batch": number})


def predictor(known, *, seen=()):
    """``known`` are ratios to the hint, by candidate; ``seen`` had a turn and failed."""
    rules = Rules("throughput", Candidate("default"), INCUMBENT, ("default", "int8"))
    ratios = {c.name: Estimate(value, value / 1.03, value * 1.04, "ratio", 6) for c, value in known.items()}
    ratios[INCUMBENT.name] = Estimate(1, 1, 1, "ratio", 0)
    rate = Speed({}, Estimate(100, 99, 101, "inferences/s", 6), None, 0, {})
    had_turn = frozenset([*ratios, *(candidate.name for candidate in seen)])
    state = RaceState(rules, INCUMBENT, ratios, {INCUMBENT.name: rate}, had_turn)
    space = space_of("throughput", streams=2, threads=2, processors=2, batchable=True)
    return Predictor(state, space, ("default", "int8"))


def test_changes_multiply_and_their_margins_add_as_independent_ones():
    known = {Candidate("default", SINGLE): 0.9, Candidate("default", batch(4)): 1.2}
    predict = predictor(known).predict("default", Deployment(streams=1, threads=2, requests=0, batch=4))
    assert math.exp(predict.expected) == pytest.approx(0.9 * 1.2)
    assert predict.upper_bound - predict.expected == pytest.approx(math.sqrt(2) * math.log(1.04))


def test_a_single_change_is_tried_and_combinations_wait_for_it():
    nothing = predictor({})
    assert nothing.predict("default", TWICE).expected == math.inf
    assert nothing.predict("default", SINGLE).expected == math.inf
    assert nothing.predict("default", batch(4)).expected == math.inf
    assert nothing.predict("default", batch(4, requests=4)).upper_bound == -math.inf


def test_a_larger_batch_waits_for_a_smaller_one_and_promises_what_that_does():
    assert predictor({}).predict("default", batch(16)).upper_bound == -math.inf
    found = predictor({Candidate("default", batch(4)): 1.2}).predict("default", batch(64))
    assert math.exp(found.expected) == pytest.approx(1.2)


def test_what_is_unknown_in_a_precision_is_taken_from_another():
    known = {Candidate("int8", HINT): 0.8, Candidate("default", TWICE): 1.1}
    assert math.exp(predictor(known).predict("int8", TWICE).expected) == pytest.approx(0.8 * 1.1)


def test_what_failed_promises_nothing():
    failed = predictor({}, seen=[Candidate("default", batch(4))])
    assert failed.predict("default", batch(4, requests=4)).upper_bound == -math.inf
    assert failed.predict("default", batch(16)).upper_bound == -math.inf


def test_turns_take_what_is_in_flight():
    known = predictor({})
    assert known.six_turns(HINT) == pytest.approx(6 * 3 * 2 / 100)
    assert known.six_turns(batch(16, requests=4)) == pytest.approx(6 * 3 * 4 * 16 / 100)
    assert known.six_turns(Deployment()) == pytest.approx(6 * 3 / 100)
