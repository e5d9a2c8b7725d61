import pytest
from hypothesis import given
from hypothesis import strategies as st

from optguide.claims.on_model.probe import gather, measuring_seconds, reason
from optguide.errors import Busy, NotEnoughSamples, WorkerDied
from optguide.records import Result
from optguide.stats.estimate import Estimate


def session_takes(budget, loading):
    """Seconds of a session by the rules of :mod:`optguide.bench.session`."""
    loads = 6 if 5 * loading <= budget else 1
    return budget + loads * loading


@given(st.floats(0.01, 100), st.floats(1.01, 1000))
def test_a_session_takes_no_longer_than_it_is_given(loading, factor):
    seconds = factor * loading
    budget = measuring_seconds(seconds, loading)
    assert budget > 0
    assert session_takes(budget, loading) <= seconds * 1.0001


def test_what_was_not_estimated_has_its_reason():
    def too_few():
        raise NotEnoughSamples("Too few rounds.", "Give more time.")

    estimate = Estimate(2.0, 1.5, 2.5, "ratio", 7, "median")
    found = gather({"model.a": ("a over b", lambda: estimate), "model.b": ("b over a", too_few)})
    assert found["model.a"] == Result(2.0, 1.5, 2.5, "ratio", 7, "median", "a over b")
    assert found["model.b"] == "Too few rounds."


def test_a_taken_machine_ends_everything():
    assert reason(WorkerDied("It died.")) == "It died."
    with pytest.raises(Busy):
        reason(Busy("Another measurement is running."))
