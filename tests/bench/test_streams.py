from __future__ import annotations

import numpy as np
import pytest

from optguide.bench.result import SessionResult
from optguide.bench.series import Block, Series
from optguide.bench.streams import Setting, alternatives, corners, grid, sweet_spot
from optguide.bench.variant import Variant
from optguide.errors import DeviceError, OptionError

ROUNDS = 12


def series(latency_ms, per_second, noise=0.0, seed=0, sets=1):
    """Blocks of one second, of one or more sets of processes; every round's rate scatters by ``noise``."""
    random = np.random.default_rng(seed)
    blocks = []
    for number in range(ROUNDS):
        calls = round(per_second * float(np.exp(noise * random.standard_normal())))
        blocks.append(Block(number, number * sets // ROUNDS, np.full(20, float(latency_ms)), 1.0, 1.0, calls))
    return Series(Variant("v"), tuple(blocks), {}, {}, 0.0, 0)


def session(failures=(), **variants):
    return SessionResult(variants, {name: DeviceError("Gone.") for name in failures}, "", 1.0, ROUNDS, 0.0)


def test_the_fastest_wins():
    result = session(default=series(10, 1000), fast=series(20, 2000), slow=series(5, 500))
    assert sweet_spot(result, "default", ["fast", "slow"]) == "fast"


def test_the_limit_rules_the_fastest_out():
    variants = {"default": (10, 1000), "fast": (20, 2000), "middle": (12, 1500)}
    result = session(**{name: series(*speed, sets=6) for name, speed in variants.items()})
    assert sweet_spot(result, "default", ["fast", "middle"], limit_ms=15) == "middle"
    assert sweet_spot(result, "default", ["fast", "middle"], limit_ms=20) == "fast"


def test_one_set_of_processes_does_not_show_that_a_limit_is_kept():
    result = session(default=series(10, 1000), middle=series(12, 1500))
    assert sweet_spot(result, "default", ["middle"], limit_ms=15) == "default"


def test_a_default_that_breaks_the_limit_gives_way_to_a_slower_one():
    result = session(default=series(20, 2000), slow=series(5, 500))
    assert sweet_spot(result, "default", ["slow"], limit_ms=10) == "slow"


def test_the_default_stays_where_another_is_ahead_by_luck_only():
    result = session(default=series(10, 1000, noise=0.1, seed=2), other=series(10, 1010, noise=0.1, seed=1))
    ahead = session(default=series(10, 1000), other=series(10, 1010))
    assert result.throughput("other").value > result.throughput("default").value
    assert sweet_spot(result, "default", ["other"]) == "default"
    assert sweet_spot(ahead, "default", ["other"]) == "default"  # within what two processes differ by


def test_what_failed_is_left_out():
    result = session(["fast"], default=series(10, 1000), slow=series(5, 500))
    assert sweet_spot(result, "default", ["fast", "slow"]) == "default"


def test_a_limit_that_nothing_keeps():
    with pytest.raises(OptionError, match="No setting keeps a latency of 4 ms; the shortest is 5 ms"):
        sweet_spot(session(default=series(10, 1000), slow=series(5, 500)), "default", ["slow"], limit_ms=4)


@pytest.mark.parametrize("processors", [1, 2, 3, 8, 64])
def test_the_grid_reaches_past_the_processors(processors):
    for numbers in grid(processors):
        assert numbers[0] == 1
        assert numbers[-1] == 2 * processors
        assert processors in numbers
        assert len(numbers) <= 5


@pytest.mark.parametrize("processors", [1, 2, 3, 8])
def test_corners_are_cells_of_the_grid(processors):
    streams, threads = grid(processors)
    assert all(cell.streams in streams and cell.threads in threads for cell in corners(processors).values())


@pytest.mark.parametrize(
    ("default", "processors", "expected"),
    [
        (Setting(2, 2), 2, {(1, 1), (1, 2)}),
        (Setting(1, 1), 1, set()),
        (Setting(4, 8), 8, {(1, 8), (2, 8), (8, 8), (4, 4)}),
        (Setting(4, 8), 16, {(1, 8), (2, 8), (8, 8), (4, 4), (4, 16)}),
        (Setting(16, 16), 16, {(1, 16), (2, 16), (4, 16), (8, 16), (8, 8)}),
        (Setting(3, 6), 6, {(1, 6), (2, 6), (4, 6), (3, 3)}),
    ],
)
def test_alternatives_are_possible_and_not_the_default(default, processors, expected):
    found = alternatives(default, processors)
    assert {(setting.streams, setting.threads) for setting in found} == expected


def test_a_setting_is_what_openvino_chooses(ir):
    import openvino

    setting = Setting(1, 1)
    compiled = openvino.compile_model(ir, "CPU", dict(setting.properties))
    assert compiled.get_property("NUM_STREAMS") == 1
    assert compiled.get_property("INFERENCE_NUM_THREADS") == 1
    assert setting.name == "1 stream, 1 thread"
    assert Setting(2, 4).name == "2 streams, 4 threads"
