from __future__ import annotations

import sys
from dataclasses import replace

import numpy as np
import pytest

from optguide import errors
from optguide.bench.cold_start import STAGES, ColdStart, first_inference
from optguide.bench.series import Series
from optguide.bench.variant import Variant
from optguide.runtimes.openvino import OpenVINO
from tests.optimize.simulated import Machine, SimulatedWorker


def run(**stages):
    return dict.fromkeys(STAGES, 1.0) | stages


class Starts(Machine):
    """A simulated machine that keeps the names of variants in the order in which they were started."""

    def __init__(self, worker=SimulatedWorker):
        super().__init__(self.found)
        self.started = []
        self.host = replace(
            self.host, start=lambda variant: self.started.append(variant.name) or worker(self, variant)
        )

    def found(self, variant):
        if variant.name.startswith("broken"):
            raise errors.DeviceError(f"There is no such device for {variant.name}.")
        return 0.001

    def first_inference(self, *names, **options):
        return first_inference([Variant(name) for name in names], host=self.host, **options)


def test_every_run_is_a_fresh_process_in_shuffled_turns():
    machine, repeats = Starts(), 6
    found = machine.first_inference("a", "b", repeats=repeats, steady=2)
    rounds = [tuple(machine.started[index : index + 2]) for index in range(0, 2 * repeats, 2)]
    assert len(machine.started) == 2 * repeats
    assert all(set(names) == {"a", "b"} for names in rounds)
    assert len(set(rounds)) > 1
    assert {name: len(runs) for name, runs in found.runs.items()} == {"a": 6, "b": 6}
    assert found.estimate("a").n == repeats
    assert found.compare("a", "b").quantity == "first inference, total"


def test_first_and_second_call_are_told_apart():
    class Warming(SimulatedWorker):
        def load(self, slot=0):
            self.durations = iter([60e6, 30e6, 3e6, 1e6, 2e6])
            return super().load(slot)

        def _consecutive(self, count):
            return {"durations_ns": [next(self.durations) for _ in range(count)]}

    found = Starts(Warming).first_inference("a", repeats=1, steady=3)
    (stages,) = found.runs["a"]
    assert stages == {"import": 0, "read": 0, "compile": 800, "first": 60, "second": 30, "steady": 2}


def test_openvino_stages(ir):
    found = first_inference([Variant("IR", model=ir)], 1, steady=3)
    (stages,) = found.runs["IR"]
    assert set(stages) == set(STAGES)
    assert all(duration > 0 for duration in stages.values())
    assert stages["import"] > stages["steady"]


def test_a_single_call_reads_nothing_beforehand(ir):
    found = first_inference([Variant("IR", model=ir, runtime=OpenVINO(single_call=True))], 1, steady=1)
    (stages,) = found.runs["IR"]
    assert stages["read"] == 0
    assert stages["compile"] > 0


def test_before_is_called_ahead_of_every_run():
    machine, seen = Starts(), []
    machine.first_inference(
        "a", "b", repeats=2, before=lambda variant: seen.append((variant.name, len(machine.started)))
    )
    assert seen == [(name, started) for started, name in enumerate(machine.started)]


def independent_starts(random, times=9):
    """Fresh processes, whose times scatter by a tenth and know nothing of each other."""
    return tuple({"compile": float(took)} for took in 100 * np.exp(random.normal(0, 0.1, times)))


def test_intervals_of_fresh_processes_hold_and_are_not_widened_for_a_drift():
    random = np.random.default_rng(7)
    repeats, held, same = 400, 0, 0
    for _ in range(repeats):
        found = ColdStart({"a": independent_starts(random), "b": independent_starts(random)}, {})
        runs, estimate = sorted(found.values("a", "compile")), found.estimate("a", "compile")
        assert (estimate.low, estimate.high) == pytest.approx((runs[1], runs[-2]))  # whatever their order
        held += estimate.low <= 100 <= estimate.high
        ratio = found.compare("a", "b", "compile").ratio
        same += ratio.low <= 1 <= ratio.high
    assert held / repeats > 0.93  # exactly 96.1 % of nine
    assert same / repeats > 0.93


def test_total_is_everything_up_to_the_first_result():
    stages = {"import": 1.0, "read": 2.0, "compile": 4.0, "first": 8.0, "second": 16.0, "steady": 32.0}
    found = ColdStart({"a": (stages,) * 6}, {})
    assert found.estimate("a").value == 15.0
    assert found.estimate("a", "load").value == 6.0
    assert found.estimate("a", "compile").value == 4.0
    assert found.values("a", "steady") == [32.0] * 6


def test_comparison_is_paired_by_round():
    speeds = [1.0, 3.0, 9.0, 27.0, 81.0, 243.0]
    found = ColdStart(
        {
            "a": tuple(run(compile=2 * speed) for speed in speeds),
            "b": tuple(run(compile=speed) for speed in speeds),
        },
        {},
    )
    ratio = found.compare("a", "b", "compile").ratio
    assert (ratio.low, ratio.value, ratio.high) == pytest.approx((2, 2, 2))


def test_warm_up_is_the_first_call_over_a_steady_one_of_the_same_process():
    paces = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]
    found = ColdStart({"a": tuple(run(first=3 * pace, steady=pace) for pace in paces)}, {})
    ratio = found.warm_up("a")
    assert (ratio.low, ratio.value, ratio.high) == pytest.approx((3, 3, 3))


def test_no_duration_is_below_zero():
    drifting = [1.0, 1.0, 2.0, 90.0, 95.0, 99.0]
    assert ColdStart({"a": tuple(run(read=value) for value in drifting)}, {}).estimate("a", "read").low >= 0


def beside_each_other(**pace):
    """Starts of variants that ask for different numbers of threads and get the same."""
    plain = Variant("plain", "model.xml")
    series = {
        name: Series(plain.with_(name, threads=place), (), {"INFERENCE_NUM_THREADS": "2"}, {}, 0.1, 0)
        for place, name in enumerate(pace, 2)
    }
    starts = {name: ({"compile": milliseconds},) * 6 for name, milliseconds in pace.items()}
    return ColdStart(starts, {}, series=series)


def test_starts_of_what_cannot_differ_are_controls():
    found = beside_each_other(a=100.0, b=101.0, c=101.5)
    assert found.compare("a", "b", "compile").same == {"INFERENCE_NUM_THREADS": "2"}
    assert found.compare("a", "b", "compile").disturbed == ""
    disturbed = beside_each_other(a=100.0, b=101.0, c=120.0).compare("a", "b", "compile").disturbed
    assert "c over a, which cannot differ" in disturbed


def test_starts_beside_a_competitor_are_disturbed():
    found = ColdStart({"a": (run(),) * 6, "b": (run(),) * 6}, {}, others_share=0.5)
    assert "others used 50 %" in found.compare("a", "b").disturbed
    assert found.compare("a", "b").same is None


def test_five_runs_are_no_interval():
    with pytest.raises(errors.NotEnoughSamples, match="5 rounds"):
        ColdStart({"a": (run(),) * 5}, {}).estimate("a")


def test_unknown_variants_and_stages():
    found = ColdStart({"a": (run(),)}, {"broken": errors.DeviceError("There is no such device.")})
    with pytest.raises(errors.OptionError, match="No variant 'b'"):
        found.values("b")
    with pytest.raises(errors.OptionError, match="no stage 'warm'"):
        found.values("a", "warm")
    with pytest.raises(errors.DeviceError):
        found.values("broken")


def test_a_failing_variant_is_started_once_and_the_others_go_on():
    machine = Starts()
    found = machine.first_inference("broken", "a", repeats=3)
    assert list(found.runs) == ["a"]
    assert len(found.runs["a"]) == 3
    assert isinstance(found.failures["broken"], errors.DeviceError)
    assert machine.started.count("broken") == 1


def test_all_fail_and_the_first_error_is_raised():
    with pytest.raises(errors.DeviceError, match="no such device for broken x"):
        Starts().first_inference("broken x", "broken y", repeats=2)


@pytest.mark.parametrize(("repeats", "steady"), [(0, 20), (-1, 20), (3, 0)])
def test_repeats_that_measure_nothing(repeats, steady):
    with pytest.raises(errors.OptionError, match="repeats measure nothing"):
        first_inference([Variant("a")], repeats, steady=steady)


@pytest.mark.parametrize("names", [[], ["a", "a"]])
def test_names_must_differ(names):
    with pytest.raises(errors.OptionError, match="different names"):
        first_inference([Variant(name) for name in names], 1)


def test_a_model_that_returns_nan_has_no_first_inference():
    class Meaningless(SimulatedWorker):
        def first_call(self, slot=0):
            raise errors.OutputError("Output 0 holds NaN.")

    with pytest.raises(errors.OutputError):
        Starts(Meaningless).first_inference("nan", repeats=2)


# --- memory ---

MEGABYTE = 10**6


def weighing(load, first, private=(1, 1)):
    """One run's footprints, in megabytes."""
    return {
        moment: {"peak_rss": peak * MEGABYTE, "rss": None, "private": own and own * MEGABYTE}
        for moment, peak, own in zip(("load", "first"), (load, first), private, strict=True)
    }


def test_memory_is_looked_at_after_loading_and_after_the_first_call():
    def make():
        import numpy as np

        held = [np.ones(40_000_000 // 8)]
        left = [100_000_000]
        return lambda: held.append(np.ones(left.pop() // 8)) if left else None

    found = first_inference([Variant.from_function("a", make)], 1, steady=1)
    (load,), (first,) = (found.megabytes("a", after=moment) for moment in ("load", "first"))
    assert 95 < first - load < 130
    if sys.platform == "linux":
        (load,), (first,) = (found.megabytes("a", "private", moment) for moment in ("load", "first"))
        assert load > 40
        assert 95 < first - load < 130


def test_memory_of_what_is_freed_again_is_in_the_peak_only():
    def make():
        import numpy as np

        np.ones(100_000_000 // 8).sum()
        return lambda: None

    found = first_inference([Variant.from_function("a", make)], 1, steady=1)
    if sys.platform == "linux":
        (peak,), (own,) = found.megabytes("a"), found.megabytes("a", "private")
        assert peak > own + 95


def test_memory_is_compared_by_round():
    grown = [1, 3, 9, 27, 81, 243]
    footprints = {
        "a": tuple(weighing(3 * size, 8 * size, (5 * size, 6 * size)) for size in grown),
        "b": tuple(weighing(size, 2 * size, (size, 2 * size)) for size in grown),
    }
    found = ColdStart({name: (run(),) * 6 for name in "ab"}, {}, footprints)
    places = [("peak", "first"), ("peak", "load"), ("private", "first"), ("private", "load")]
    ratios = [found.compare_memory("a", "b", kind, after).ratio for kind, after in places]
    assert [(ratio.low, ratio.high) for ratio in ratios] == [
        pytest.approx((expected, expected)) for expected in (4, 3, 3, 5)
    ]
    assert found.memory("a", after="load").value == pytest.approx(3 * (9 * 27) ** 0.5)
    assert found.compare_memory("a", "b", "private").quantity == "private memory"


def test_memory_that_a_system_does_not_tell():
    found = ColdStart({"a": (run(),) * 6}, {}, {"a": (weighing(1, 2, (None, None)),) * 6})
    assert (found.memory("a").value, found.memory("a").unit) == (2, "MB")
    with pytest.raises(errors.NotEnoughSamples, match="private memory"):
        found.memory("a", "private")


def test_unknown_kinds_and_moments_of_memory():
    found = ColdStart({"a": (run(),)}, {"broken": errors.DeviceError("Gone.")}, {"a": (weighing(1, 2),)})
    with pytest.raises(errors.OptionError, match="no kind 'shared'"):
        found.memory("a", "shared")
    with pytest.raises(errors.OptionError, match="no moment 'second'"):
        found.memory("a", after="second")
    with pytest.raises(errors.DeviceError):
        found.memory("broken")
