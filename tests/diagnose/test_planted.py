"""Causes planted in real deployments: each is what the diagnosis names first."""

import numpy as np
import pytest

from optguide.bench.variant import Variant
from optguide.diagnose import diagnose
from optguide.diagnose.checks import COPIES, IDLE, PRECISION, SHAPES
from optguide.diagnose.inspections import INT8, START, THROTTLED
from optguide.errors import EnvironmentMissing
from optguide.machine.cgroup import limited_group
from optguide.runtimes.devices import openvino_devices
from optguide.runtimes.openvino import OpenVINO

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

SECONDS = 90.0
RUNS = 10


def _weights(*shape):
    fan_in = shape[0] if len(shape) == 2 else int(np.prod(shape[1:]))
    return np.random.default_rng(0).standard_normal(shape, dtype=np.float32) / np.float32(fan_in**0.5)


def _network(ops, x, quantized=()):
    """Six convolutions of equal size, some of them quantized."""
    y = ops.relu(ops.convolution(x, ops.constant(_weights(64, 3, 3, 3)), [1, 1], [1, 1], [1, 1], [1, 1]))
    for layer in range(6):
        weights = ops.constant(_weights(64, 64, 3, 3))
        if layer in quantized:
            ends = [[np.full([1] * 4, end, np.float32) for end in pair] for pair in ((0, 6), (-1, 1))]
            y = ops.fake_quantize(y, *ends[0], *ends[0], 256)
            weights = ops.fake_quantize(weights, *ends[1], *ends[1], 255)
        y = ops.relu(ops.convolution(y, weights, [1, 1], [1, 1], [1, 1], [1, 1]))
    return ops.reduce_mean(y, [2, 3], False)


def _layers(ops, x, count, width):
    for _ in range(count):
        x = ops.tanh(ops.matmul(x, ops.constant(_weights(width, width)), False, False))
    return x


@pytest.fixture(scope="module")
def saved(tmp_path_factory, save_ir):
    """Write a model: ``saved(shape, body)``, its path."""
    folder = tmp_path_factory.mktemp("planted")
    return lambda name, shape, body: save_ir(folder / f"{name}.xml", shape, body)


@pytest.fixture(scope="module")
def network(saved):
    return saved("network", [1, 3, 56, 56], _network)


def first(model, sizes=(), quota=None, **settings):
    """The symptom of the first finding; ``None`` without findings."""
    variant = Variant("model", model=model, runtime=OpenVINO(**settings), quota=quota)
    findings = diagnose(variant, SECONDS, sizes=sizes).findings
    return findings[0].symptom if findings else None


def test_one_request_under_throughput(network):
    assert first(network, properties={"PERFORMANCE_HINT": "THROUGHPUT"}) == IDLE


def test_floats_of_32_bits_where_the_cpu_has_faster_ones(network):
    (cpu,) = (device for device in openvino_devices() if device.name == "CPU")
    if "BF16" not in cpu.capabilities:
        pytest.skip("this CPU has nothing faster than 32-bit floats")
    assert first(network, precision="f32") == PRECISION


def test_a_loop_that_copies_20_megabytes(saved):
    model = saved("large", [1, 5_000_000], lambda ops, x: ops.reduce_max(x, [1], True))
    assert first(model, feed="copied") == COPIES


def test_a_new_length_with_each_call(saved):
    model = saved("lengths", [1, -1, 128], lambda ops, x: _layers(ops, x, 40, 128))
    assert first(model, [{"x": (1, length, 128)} for length in (20, 31, 47, 64)]) == SHAPES


def test_layers_in_floats_within_a_quantized_model(saved):
    model = saved("islands", [1, 3, 56, 56], lambda ops, x: _network(ops, x, (0, 1, 5)))
    assert first(model) == INT8


def test_a_slow_compilation_without_a_cache(saved):
    model = saved("deep", [1, 512], lambda ops, x: _layers(ops, x, 150, 512))
    assert first(model) == START


def test_a_quota_of_half_a_core(network):
    try:
        with limited_group(0.5):
            pass
    except EnvironmentMissing as error:
        pytest.skip(error.message)
    assert first(network, quota=0.5) == THROTTLED


def test_nothing_in_a_deployment_without_a_fault(network):
    """As often as it is asked."""
    assert [first(network, properties={"PERFORMANCE_HINT": "LATENCY"}) for _ in range(RUNS)] == [None] * RUNS
