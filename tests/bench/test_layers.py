from __future__ import annotations

import math
import time
from dataclasses import replace
from datetime import timedelta
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest

from optguide import errors
from optguide.bench import layers as module
from optguide.bench.layers import LayerTimes, Round, layers
from optguide.bench.variant import Variant
from optguide.runtimes import runner_for
from optguide.runtimes.openvino import OpenVINO
from optguide.runtimes.openvino_layers import LayerCounter
from tests.optimize.simulated import Machine, SimulatedWorker

SHORT = 0.4


def convolved(ops, x):
    """Two convolutions, the first with a ReLU, and a softmax."""
    rng = np.random.default_rng(0)
    for channels, source in ((16, 3), (32, 16)):
        kernel = rng.standard_normal((channels, source, 3, 3), dtype=np.float32)
        x = ops.convolution(x, kernel, [1, 1], [1, 1], [1, 1], [1, 1])
        if channels == 16:
            x = ops.relu(x)
    return ops.softmax(ops.reshape(x, [1, -1], False), 1)


@pytest.fixture(scope="module")
def network(tmp_path_factory, save_ir):
    return str(save_ir(tmp_path_factory.mktemp("layers") / "network.xml", [1, 3, 32, 32], convolved))


# --- the worker's side ---


class Device:
    """A compiled model whose counters are means in whole microseconds, rounded down, as OpenVINO's are."""

    def __init__(self, **kinds):
        self.kinds = kinds  # layer: kind, kernel, status, microseconds of the inferences to come
        self.total = dict.fromkeys(kinds, 0)
        self.seen = []

    def create_infer_request(self):
        return self

    def infer(self, feed):
        self.seen.append(feed[0])
        for layer, (_, _, _, times) in self.kinds.items():
            self.total[layer] += times(len(self.seen))

    @property
    def profiling_info(self):
        count = len(self.seen)
        return [
            SimpleNamespace(
                node_name=layer,
                node_type=kind,
                exec_type=kernel,
                status=SimpleNamespace(name=status),
                real_time=timedelta(microseconds=self.total[layer] // count),
            )
            for layer, (kind, kernel, status, _) in self.kinds.items()
        ]

    def get_runtime_model(self):
        raise RuntimeError("not shown")


class OpenDevice(Device):
    """One that shows the graph of what it has compiled, in which only these layers are left."""

    left = ("x", "conv", "short")

    def get_runtime_model(self):
        return SimpleNamespace(
            get_ordered_ops=lambda: [
                SimpleNamespace(
                    get_friendly_name=lambda name=name: name,
                    get_rt_info=lambda name=name: {
                        "layerType": SimpleNamespace(value="Input" if name == "x" else "Subgraph"),
                        "runtimePrecision": SimpleNamespace(value="bf16"),
                        "originalLayersNames": SimpleNamespace(value=f"{name},relu"),
                    },
                )
                for name in self.left
            ]
        )


def counter(device, inputs=(0,)):
    runner = SimpleNamespace(
        settings=SimpleNamespace(device="CPU"),
        compiled=device,
        sets=[{"x": x} for x in inputs],
        handed_over=lambda arrays: list(arrays.values()),
        stateful=False,
    )
    return LayerCounter(runner)


def test_a_turn_is_the_difference_of_sums():
    slow_first = Device(
        conv=("Convolution", "brgconv_avx512_BF16", "EXECUTED", lambda n: 9000 if n < 3 else 70)
    )
    found = counter(slow_first)
    single = found.turn(seconds=0, discard=0)
    assert (single["times"]["conv"], single["calls"]) == (9000, 1)  # the one after the discarded one
    later = found.turn(seconds=0.02, discard=0)
    assert later["times"]["conv"] == pytest.approx(70, abs=1.1)  # although 9000 stays in the mean for good
    assert later["calls"] == len(slow_first.seen) - 3


def test_what_did_not_run_as_such_or_holds_data_only_is_no_layer():
    device = Device(
        conv=("Convolution", "x_FP32", "EXECUTED", lambda _: 10),
        relu=("Relu", "undef", "NOT_RUN", lambda _: 0),
        x=("Parameter", "unknown", "EXECUTED", lambda _: 1),
    )
    found = counter(device).turn(0.001, 0)
    assert list(found["times"]) == ["conv"]
    assert found["layers"]["conv"] == {"kind": "Convolution", "precision": "f32", "origin": []}


def test_a_layer_below_a_microsecond_is_told_from_a_fused_one_by_the_graph():
    device = OpenDevice(
        conv=("Convolution", "x_FP32", "EXECUTED", lambda _: 10),
        short=("Add", "x_FP32", "NOT_RUN", lambda _: 0),
        relu=("Relu", "undef", "NOT_RUN", lambda _: 0),
        x=("Parameter", "unknown", "EXECUTED", lambda _: 1),
    )
    found = counter(device).turn(0.001, 0)
    assert found["times"] == {"conv": 10, "short": 0}
    assert found["layers"]["short"] == {"kind": "Subgraph", "precision": "bf16", "origin": ["short", "relu"]}


def test_every_input_set_is_inferred_equally_often():
    device = Device(conv=("Convolution", "x_f32", "EXECUTED", lambda _: 1))
    counter(device, inputs=("a", "b", "c")).turn(seconds=0.003, discard=0)
    assert {device.seen.count(x) for x in "abc"} == {len(device.seen) // 3}


def test_a_device_that_counts_nothing():
    with pytest.raises(errors.ModelError, match="CPU reports no layer times"):
        counter(Device()).turn(0.001, 0)


# --- what was measured, and the questions it answers ---


def times(**rounds):
    """Layer times of variants, each a list of rounds by layer."""
    described = {
        "conv1": {"kind": "Convolution", "precision": "bf16", "origin": ["conv1", "relu"]},
        "conv2": {"kind": "Convolution", "precision": "f32", "origin": []},
        "out": {"kind": "Reorder", "precision": "f32", "origin": []},
    }
    return LayerTimes(
        {
            name: tuple(
                Round(found, 2 * sum(found.values()), 10, generation)
                for generation, found in enumerate(turns)
            )
            for name, turns in rounds.items()
        },
        {name: {layer: described[layer] for layer in turns[0]} for name, turns in rounds.items()},
        {"broken": errors.WorkerDied("It died.")},
    )


def test_layers_come_slowest_first_with_what_is_known_of_them():
    found = times(a=[{"conv1": 10 + x, "conv2": 30 + x, "out": 0.0} for x in range(9)]).of("a")
    assert [layer.name for layer in found] == ["conv2", "conv1", "out"]
    assert found[0].time.value == pytest.approx(34)
    assert (found[1].kind, found[1].precision, found[1].origin) == ("Convolution", "bf16", ("conv1", "relu"))
    assert (found[2].time.value, found[2].time.low, found[2].time.high) == (0, 0, 0)
    assert {layer.time.unit for layer in found} == {"us"}


@pytest.mark.parametrize(
    ("origin", "title"),
    [
        (("Multiply_57", "__module.net.conv1.norm/aten::batch_norm/BatchNorm", "x.relu"), "net.conv1.norm"),
        (("/layer1/conv1/Conv", "/layer1/relu/Relu"), "/layer1/conv1/Conv"),
        (("Multiply_57", "1234"), "Multiply_57"),
        ((), "Multiply_57"),
        (("aten::div/Divide",), "aten::div/Divide"),
    ],
)
def test_a_layer_is_called_what_its_author_called_it(origin, title):
    (layer,) = times(a=[{"conv1": 1.0}] * 6).of("a")
    assert replace(layer, name="Multiply_57", origin=origin).title == title


def test_what_comes_out_below_zero_is_zero_but_sums_stay_whole():
    found = times(a=[{"conv1": 10.0, "out": -1.0}, {"conv1": 12.0, "out": -3.0}] * 5)
    assert found.total("a").value == pytest.approx(9)
    assert [layer.time.value for layer in found.of("a")] == [pytest.approx(11, abs=0.1), 0]
    assert found.share("a", ["out"]).value == 0


def test_sums_and_shares_are_of_rounds():
    paces = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0]
    found = times(a=[{"conv1": pace, "conv2": 3 * pace} for pace in paces])
    assert found.total("a").value == pytest.approx(4 * 16)
    assert found.latency("a").value == pytest.approx(8 * 16)
    share = found.share("a", ["conv2"])  # the pace cancels: every round says three quarters
    assert (share.low, share.value, share.high) == pytest.approx((0.75, 0.75, 0.75))
    assert [(kind.precision, kind.layers) for kind in found.kinds("a")] == [
        ("f32", ("conv2",)),
        ("bf16", ("conv1",)),
    ]


def test_kinds_are_compared_by_round():
    paces = [1.0, 3.0, 9.0, 27.0, 81.0, 243.0, 1.0, 3.0, 9.0]
    found = times(
        a=[{"conv1": 4e3 * pace, "conv2": 2e3 * pace, "out": 1e3} for pace in paces],
        b=[{"conv1": 1e3 * pace, "conv2": 2e3 * pace} for pace in paces],
    )
    ratio = found.compare("a", "b", "Convolution").ratio
    assert ratio.value == pytest.approx(2)
    assert ratio.high < 2.1
    assert found.compare("a", "b").ratio.value > 2
    assert found.compare("a", "b", "Reorder") is None


def test_two_rounds_are_no_interval_and_unknown_names_are_said():
    found = times(a=[{"conv1": 1.0}] * 2)
    with pytest.raises(errors.NotEnoughSamples, match="2 rounds"):
        found.of("a")
    with pytest.raises(errors.WorkerDied):
        found.of("broken")
    with pytest.raises(errors.OptionError, match="No variant 'c' took part"):
        found.total("c")


# --- real models ---


@pytest.fixture(scope="module")
def counted(network, quick_variant):
    """Two variants of one model and one of another runtime: nine rounds of one set of processes."""
    variants = [
        Variant("one thread", model=network, runtime=OpenVINO(threads=1, precision="f32")),
        Variant(
            "streams",
            model=network,
            runtime=OpenVINO(properties={"NUM_STREAMS": "2"}, requests=4, precision="f32"),
        ),
        quick_variant,
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "OVERTIME", math.inf)
        patch.setattr(module, "PATIENCE", math.inf)
        patch.setattr(module, "LOADING", 0)
        return layers(variants, seconds=SHORT)


def test_fused_layers_are_in_the_time_of_the_one_they_were_fused_into(counted):
    known = counted.of("one thread")
    assert {"Convolution", "Softmax"} <= {
        layer.kind.title().replace("Soft Max", "Softmax") for layer in known
    }
    assert "Relu" not in {layer.kind.title() for layer in known}
    first = max(
        (layer for layer in known if layer.kind == "Convolution"), key=lambda layer: len(layer.origin)
    )
    assert len(first.origin) > 1
    assert {layer.precision for layer in known if layer.kind == "Convolution"} == {"f32"}
    assert counted.versions["openvino"]


def test_two_variants_take_turns_and_one_of_another_runtime_fails_alone(counted):
    assert list(counted.rounds) == ["one thread", "streams"]
    assert counted.effective["one thread"]["INFERENCE_NUM_THREADS"] == "1"
    assert counted.effective["streams"]["PERF_COUNT"] == "YES"
    assert [len(rounds) for rounds in counted.rounds.values()] == [module.ROUNDS] * 2
    with pytest.raises(
        errors.OptionError, match="Layers are counted by OpenVINO, and 'quick' runs on function"
    ):
        counted.of("quick")


def test_inferences_of_one_of_several_streams_are_counted_whole(network):
    """Their layers add up to what the caller waits for; in a fresh model each is two microseconds off."""
    variant = Variant("m", network, OpenVINO(properties={"NUM_STREAMS": "2", "PERF_COUNT": "YES"}))
    runner = runner_for(variant.to_dict())
    runner.load()
    begun = time.perf_counter()
    turn = LayerCounter(runner).turn(seconds=0.05, discard=0.0)
    assert 0.05 <= turn["calls"] * turn["latency_us"] / 1e6 <= time.perf_counter() - begun
    assert 0 < sum(turn["times"].values()) < turn["latency_us"] + 2 * len(turn["times"])


# --- simulated machines ---


@pytest.mark.parametrize(
    ("load", "processes", "method"),
    [(0.01, module.ROUNDS, "sets of processes"), (5.0, 1, "may differ by 16%")],
)
def test_every_round_has_fresh_processes_where_loading_is_quick(load, processes, method):
    machine = Machine(lambda _: 1e-4, load=load)
    started = []
    host = replace(machine.host, start=lambda v: started.append(v.name) or SimulatedWorker(machine, v))
    found = layers([Variant("a"), Variant("b")], seconds=SHORT, host=host)
    assert started.count("a") == started.count("b") == processes
    assert len({turn.generation for turn in found.rounds["a"]}) == processes
    assert len(found.rounds["a"]) == found.compare("a", "b").ratio.n == module.ROUNDS
    assert method in found.latency("a").method


def test_variants_of_several_releases_name_all_of_them():
    class Released(SimulatedWorker):
        def load(self, slot=0):
            return super().load(slot) | {"versions": {"openvino": self.variant.name}}

    machine = Machine(lambda _: 1e-4)
    host = replace(machine.host, start=partial(Released, machine))
    counted = layers([Variant("2025.4.0-1"), Variant("2026.4.0-2")], seconds=SHORT, host=host)
    assert counted.versions == {"openvino": "2025.4.0-1 and 2026.4.0-2"}


@pytest.mark.parametrize("error", [errors.OutputError("It holds NaN."), errors.WorkerDied("It was killed.")])
def test_a_variant_whose_outputs_mean_nothing_or_whose_worker_dies_fails_alone(error):
    class Failing(SimulatedWorker):
        def first_call(self, slot=0):
            if self.variant.name == "failing" and isinstance(error, errors.OutputError):
                raise error
            return super().first_call(slot)

        def _layers(self, **request):
            if self.variant.name == "failing" and machine.now > 2:
                raise error
            return super()._layers(**request)

    machine = Machine(lambda _: 1e-4, load=0.5)
    host = replace(machine.host, start=partial(Failing, machine))
    found = layers([Variant("failing"), Variant("good")], seconds=3, host=host)
    assert found.failures == {"failing": error}
    assert len(found.of("good")) == 1
    assert len(found.rounds["good"]) == module.ROUNDS


def test_long_inferences_have_six_rounds_in_four_times_the_seconds_or_as_many_as_fit():
    slow, slower = (
        layers([Variant("a")], seconds=4, host=Machine(lambda _, s=s: s).host) for s in (0.5, 3.0)
    )
    assert len(slow.rounds["a"]) == 6
    assert len(slower.rounds["a"]) < 6


def test_all_fail(quick_variant):
    with pytest.raises(errors.OptionError, match="counted by OpenVINO"):
        layers([quick_variant], seconds=SHORT)


@pytest.mark.parametrize(("names", "seconds"), [([], 1), (["a", "a"], 1), (["a"], 0), (["a"], float("nan"))])
def test_nothing_to_count(names, seconds):
    with pytest.raises(errors.OptionError):
        layers([Variant(name, model="m.xml") for name in names], seconds=seconds)
