from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from optguide.bench.result import SessionResult
from optguide.bench.series import Block, FirstCall, InputDescription, Series
from optguide.bench.variant import Variant
from optguide.errors import ModelError, NotEnoughSamples, OptionError


def series(name, *rounds, frames=1, outputs=(), indices=None):
    """Blocks from (latencies in ms, CPU ms per call) by round; the window is the sum of the latencies."""
    blocks = tuple(
        Block(index, 0, np.array(latencies), sum(latencies) / 1e3, cpu * len(latencies) / 1e3, len(latencies))
        for index, (latencies, cpu) in zip(indices or range(len(rounds)), rounds, strict=True)
    )
    variant = Variant(name, model=f"{name.split()[0]}.xml")
    return Series(
        variant, blocks, {}, {}, 1.0, 1, first_call=FirstCall(tuple(outputs), ((),) * len(outputs), frames)
    )


def session(*found, failures=None, twin=None):
    return SessionResult(
        {one.variant.name: one for one in found}, failures or {}, "budget spent", 1.0, 8, 0.0, twin
    )


SLOW = series("slow", *[([10.0, 20.0, 60.0], 8.0)] * 8)
FAST = series("fast", *[([5.0, 5.0, 5.0], 4.0)] * 8)


def test_latency_is_of_calls_and_throughput_of_wall_time():
    result = session(SLOW)
    assert (result.latency("slow").value, result.latency("slow").unit) == (20.0, "ms")
    assert result.throughput("slow").value == pytest.approx(1000 / 30)
    assert result.throughput("slow").unit == "inferences/s"
    assert result.cpu_time("slow").value == pytest.approx(8.0)
    assert result.cpu_time("slow").unit == "ms"


def test_throughput_and_cpu_time_count_the_frames_of_a_batch():
    result = session(series("batch", *[([40.0, 40.0], 32.0)] * 8, frames=4))
    assert result.latency("batch").value == 40.0
    assert result.throughput("batch").value == pytest.approx(100.0)
    assert result.cpu_time("batch").value == pytest.approx(8.0)


def test_tail_percentiles_are_refused_without_samples():
    with pytest.raises(NotEnoughSamples, match="24 samples in 8 blocks are too few for the 99th"):
        session(SLOW).latency("slow", 99)


@pytest.mark.parametrize(("quantity", "ratio"), [("latency", 4.0), ("throughput", 6.0), ("cpu_time", 2.0)])
def test_a_ratio_above_one_says_the_second_is_better(quantity, ratio):
    comparison = session(SLOW, FAST).compare("slow", "fast", quantity)
    assert comparison.ratio.value == pytest.approx(ratio)
    assert comparison.verdict == "faster"
    assert session(SLOW, FAST).compare("fast", "slow", quantity).ratio.value == pytest.approx(1 / ratio)
    assert session(SLOW, FAST).compare("fast", "slow", quantity).verdict == "slower"


def test_cpu_time_is_the_second_witness():
    result = session(SLOW, FAST)
    assert result.compare("slow", "fast").cpu_ratio.value == pytest.approx(2.0)
    assert result.compare("slow", "fast", "cpu_time").cpu_ratio is None
    unknown = series("unknown", *[([5.0], 0.0)] * 8)
    assert result.series["slow"]
    assert session(SLOW, unknown).compare("slow", "unknown").cpu_ratio is None


def test_only_rounds_with_both_are_paired():
    """The machine is ten times slower from round 8 on, where only one of them was measured."""
    a = series("a", *[([10.0], 1.0)] * 8, *[([100.0], 1.0)] * 8)
    b = series("b", *[([5.0], 1.0)] * 8)
    comparison = session(a, b).compare("a", "b")
    assert comparison.ratio.value == pytest.approx(2.0)
    assert comparison.ratio.n == 8


def test_rounds_are_paired_by_number_and_not_by_position():
    speeds = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0]
    a = series("a", *[([2 * speed], 1.0) for speed in speeds])
    b = series("b", *[([speed], 1.0) for speed in speeds[1:]], indices=range(1, 9))
    comparison = session(a, b).compare("a", "b")
    assert comparison.ratio.value == pytest.approx(2)
    # All ratios are equal: what is left is the allowance for two processes.
    allowance = np.exp(np.sqrt(2) * 1.96 * 0.16)
    assert (comparison.ratio.low, comparison.ratio.high) == pytest.approx((2 / allowance, 2 * allowance))


def test_too_few_common_rounds():
    a = series("a", *[([10.0], 1.0)] * 8)
    b = series("b", *[([10.0], 1.0)] * 8, indices=range(3, 11))
    with pytest.raises(NotEnoughSamples, match="5 rounds"):
        session(a, b).compare("a", "b")


def test_unknown_names_and_quantities():
    result = session(SLOW, FAST, failures={"broken": ModelError("It is broken.")})
    with pytest.raises(OptionError, match=r"No variant 'other'.*slow, fast"):
        result.latency("other")
    with pytest.raises(OptionError, match="no quantity 'speed'"):
        result.compare("slow", "fast", "speed")
    with pytest.raises(ModelError, match="It is broken"):
        result.latency("broken")
    with pytest.raises(ModelError):
        result.compare("slow", "broken")


@pytest.mark.parametrize(("both", "interaction"), [(2.5, 1.0), (5.0, 0.5), (2.0, 1.25)])
def test_interaction_is_the_gain_of_both_over_the_product_of_the_gains(both, interaction):
    neither, a, b = (series(name, *[([ms], 1.0)] * 8) for name, ms in (("0", 20.0), ("a", 10.0), ("b", 5.0)))
    result = session(neither, a, b, series("ab", *[([both], 1.0)] * 8))
    found = result.interaction("0", "a", "b", "ab")
    assert found.value == pytest.approx(interaction)
    assert found.low < found.value < found.high


def test_an_interaction_is_of_two_pairs_of_processes_and_wider_than_a_ratio():
    result = session(*(series(name, *[([10.0], 1.0)] * 8) for name in "0abc"))
    assert result.interaction("0", "a", "b", "c").high > result.compare("0", "a").ratio.high > 1.0


def test_control_is_the_first_variant_against_its_twin():
    twin = series("slow (A/A control)", *[([10.0, 21.0, 60.0], 8.0)] * 8)
    control = session(SLOW, FAST, twin, twin="slow (A/A control)").control
    assert (control.a, control.b) == ("slow", "slow (A/A control)")
    assert control.ratio.value == pytest.approx(20 / 21)
    assert session(SLOW, FAST).control is None


def test_no_control_where_the_first_variant_or_the_twin_failed():
    error = ModelError("It is broken.")
    twin = series("slow (A/A control)", *[([20.0], 8.0)] * 8)
    lost_twin = session(SLOW, FAST, failures={"slow (A/A control)": error}, twin="slow (A/A control)")
    assert lost_twin.control is None
    lost_first = session(FAST, twin, failures={"slow": error}, twin="slow (A/A control)")
    assert lost_first.control is None


def agreement(first, second):
    return session(series("a", outputs=first), series("b", outputs=second)).agreement("a", "b")


def test_agreement_of_equal_outputs():
    same = agreement([np.array([3.0, -4.0])], [np.array([3.0, -4.0], np.float32)])
    assert (same.max_abs, same.max_rel, same.cosine) == (0.0, 0.0, pytest.approx(1.0))


def test_agreement_is_over_all_outputs():
    found = agreement([np.array([3.0]), np.array([[-4.0]])], [np.array([3.0]), np.array([[-3.0]])])
    assert found.max_abs == 1.0
    assert found.max_rel == 0.25
    assert found.cosine == pytest.approx((9 + 12) / (5 * 18**0.5))


def test_agreement_with_zero_has_no_relative_difference():
    found = agreement([np.array([0.0])], [np.array([0.5])])
    assert found.max_abs == 0.5
    assert math.isnan(found.max_rel)
    assert math.isnan(found.cosine)


def test_agreement_needs_numbers():
    for outputs in ([np.array(["a"])], [np.empty(0)]):
        with pytest.raises(OptionError, match="no numbers"):
            agreement(outputs, outputs)


@pytest.mark.parametrize(
    ("first", "second", "comparable"),
    [
        ({"x": ("float32", 1, 3)}, {"image": ("float16", 1, 3)}, True),
        ({"x": ("int64", 1, 3), "m": ("bool", 3)}, {"m": ("bool", 3), "x:0": ("int32", 1, 3)}, True),
        ({"x": ("float32", 1, 3, 4)}, {"x": ("float32", 1, 4, 3)}, False),
        ({"x": ("float32", 1, 3)}, {"x": ("uint8", 1, 3)}, False),
        ({"x": ("int64", 1), "m": ("int64", 1)}, {"a": ("int64", 1), "b": ("int64", 1)}, False),
        ({"x": ("float32", 1, 3)}, None, False),
        ({"x": ("float32", 1, 3)}, {}, True),
    ],
)
def test_agreement_needs_the_same_inputs(first, second, comparable):
    """Random values depend on name, shape and kind. ``None``: real ones; empty: a function with its own."""
    sides = [
        InputDescription(shapes is not None, first if shapes is None else shapes)
        for shapes in (first, second)
    ]
    result = session(
        *(
            replace(series(name, outputs=[np.ones(3)]), inputs=inputs)
            for name, inputs in zip("ab", sides, strict=True)
        )
    )
    if comparable:
        assert result.agreement("a", "b").max_abs == 0
    else:
        with pytest.raises(OptionError, match="got different inputs"):
            result.agreement("a", "b")


def test_agreement_needs_outputs_of_the_same_shapes():
    with pytest.raises(OptionError, match="different shapes"):
        agreement([np.ones(3)], [np.ones(4)])
    with pytest.raises(OptionError, match="different shapes"):
        agreement([np.ones(3)], [np.ones(3), np.ones(3)])
    with pytest.raises(OptionError, match="no numbers"):
        agreement([], [])
