from __future__ import annotations

import sys
from dataclasses import replace
from functools import partial

import pytest

from optguide import errors
from optguide.bench.cold_start import Trace, trace
from optguide.bench.variant import Variant
from tests.optimize.simulated import Machine, SimulatedWorker


def counting(name):
    """Call number n sleeps for n milliseconds, from 1 on."""

    def make():
        import itertools
        import time

        numbers = itertools.count(1)
        return lambda: time.sleep(next(numbers) / 1e3)

    return Variant.from_function(name, make)


def hoarding(name, megabytes, *, until=10**9):
    """Every call keeps this much memory, up to the call number ``until``."""

    def make():
        import numpy as np

        held = []

        def call():
            if len(held) < until:
                held.append(np.ones(int(megabytes * 1e6 / 8)))

        return call

    return Variant.from_function(name, make)


def test_nothing_is_discarded_and_functions_go_on_where_they_stopped():
    (found,) = trace([counting("a")], 10, every=4).values()
    assert len(found.milliseconds) == 10
    assert all(duration >= number for number, duration in enumerate(found.milliseconds, 1))
    assert [calls for calls, _ in found.memory] == [0, 4, 8, 10]


def test_variants_take_turns_in_chunks():
    asked = []

    class Recording(SimulatedWorker):
        def _consecutive(self, count):
            asked.append((self.variant.name, count))
            return super()._consecutive(count)

    machine = Machine(lambda _: 0.001)
    host = replace(machine.host, start=partial(Recording, machine))
    trace([Variant("a"), Variant("b")], 10, every=4, host=host)
    rounds = [{*asked[index : index + 2]} for index in range(0, 6, 2)]
    assert rounds == [{("a", size), ("b", size)} for size in (4, 4, 2)]


def test_memory_that_is_kept_shows():
    found = trace([hoarding("endless", 4), hoarding("bounded", 4, until=10)], 20, every=10)
    start, half, end = (size for _, size in found["endless"].memory)
    assert (35 < half - start < 50, 35 < end - half < 50) == (True, True)
    start, half, end = (size for _, size in found["bounded"].memory)
    assert 35 < half - start < 50
    if sys.platform == "linux":
        assert abs(end - half) < 2


def test_growth_is_that_of_later_chunks():
    sizes = (100.0, 150.0, 150.0, 150.0, 165.0, 165.0, 180.0, 180.0)
    found = Trace((1.0,) * 7, tuple(enumerate(sizes)))
    assert found.growth(1).value == pytest.approx(1.1)
    assert (found.growth(1).unit, found.growth(1).n) == ("ratio", 6)
    assert found.growth(1).high >= 1.2


def test_growth_needs_chunks_that_are_there():
    found = Trace((1.0,) * 4, ((0, 100.0), (2, 150.0), (4, 160.0)))
    with pytest.raises(errors.OptionError, match="after 3 calls"):
        found.growth(3)
    with pytest.raises(errors.NotEnoughSamples):
        found.growth(0)


@pytest.mark.parametrize(("calls", "every"), [(0, 0), (5, 0), (5, 6), (-1, 1)])
def test_calls_without_chunks(calls, every):
    with pytest.raises(errors.OptionError):
        trace([counting("a")], calls, every=every)


@pytest.mark.parametrize("names", [[], ["a", "a"]])
def test_names_must_differ(names):
    with pytest.raises(errors.OptionError, match="different names"):
        trace([counting(name) for name in names], 2, every=1)


def test_a_variant_that_fails_is_an_error():
    def make():
        from optguide.errors import ModelError

        raise ModelError("There is no such model.")

    with pytest.raises(errors.ModelError, match="no such model"):
        trace([counting("a"), Variant.from_function("broken", make)], 2, every=1)
