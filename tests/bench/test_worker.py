from __future__ import annotations

import json
import math
import subprocess
import sys

import numpy as np
import pytest

from optguide.bench.variant import Variant
from optguide.bench.worker import TicketLock, Worker
from optguide.errors import DeviceError, OutputError
from optguide.runtimes.onnxruntime import ONNXRuntime
from optguide.runtimes.openvino import OpenVINO, OpenVINORunner
from tests.bench.test_blocks import ManualClock


class Loaded:
    """A loaded runner with these outputs."""

    output_names = ()

    def frames(self, outputs):
        return 1, ""

    def __init__(self, *outputs):
        self.found = [np.asarray(array) for array in outputs]

    def outputs(self):
        return self.found


def check(tmp_path, *outputs):
    worker = Worker()
    worker.runner = Loaded(*outputs)
    path = tmp_path / "outputs.npz"
    oddities = worker.check(str(path))["oddities"]
    with np.load(path) as archive:
        return list(archive.values()), oddities


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_nan_and_nothing_but_infinity_are_refused(tmp_path, dtype):
    with pytest.raises(OutputError, match="Output 1 holds NaN"):
        check(tmp_path, [1.0, 2.0], np.array([1.0, np.nan], dtype=dtype))
    for infinity in (np.inf, -np.inf):
        with pytest.raises(OutputError, match="Output 1 holds nothing but infinity"):
            check(tmp_path, [1.0, 2.0], np.full(3, infinity, dtype=dtype))
    assert not list(tmp_path.iterdir())


def test_masked_scores_are_measured_with_a_warning(tmp_path):
    (found,), (oddity,) = check(tmp_path, np.array([1.0, -np.inf, 2.0, -np.inf]))
    assert np.isneginf(found).sum() == 2
    assert oddity.startswith("Output 0 is infinite in 2 of 4 places")


@pytest.mark.parametrize("constant", [np.zeros((2, 3)), np.full(4, 7.5), np.ones(5, np.int64)])
def test_one_constant_is_measured_with_a_warning(tmp_path, constant):
    _, (oddity,) = check(tmp_path, constant)
    assert oddity.startswith(f"Output 0 is {constant.flat[0]:g} everywhere")


def test_one_of_several_outputs_may_be_constant(tmp_path):
    assert check(tmp_path, np.zeros((1, 4)), [1.0, 2.0])[1] == []
    assert check(tmp_path, np.zeros((1, 4)), np.ones(3))[1] != []


@pytest.mark.parametrize(
    "output", [np.float32(3), np.array([0.0]), np.array([]), np.zeros(3, bool), np.array(["a", "a"])]
)
def test_single_values_and_what_is_no_number_are_taken(tmp_path, output):
    (found,), oddities = check(tmp_path, output)
    np.testing.assert_array_equal(found, output)
    assert oddities == []


def test_nearly_constant_is_taken(tmp_path):
    (found,), oddities = check(tmp_path, np.array([1.0, 1.0 + 1e-12]))
    assert np.ptp(found) > 0
    assert oddities == []


def test_python_objects_are_left_out_and_never_pickled(tmp_path):
    found, _ = check(tmp_path, np.array([object()]), [1.0, 2.0])
    assert len(found) == 1


def converse(*requests):
    """Replies of a worker process to these lines, and how it ended."""
    done = subprocess.run(
        [sys.executable, "-c", "from optguide.bench.worker import main; main()"],
        input="".join(line + "\n" for line in requests),
        capture_output=True,
        text=True,
        check=False,
    )
    return [json.loads(line) for line in done.stdout.splitlines()], done


def test_one_reply_per_request_in_order_until_quit():
    replies, done = converse(
        '{"do": "memory"}',
        '{"do": "dance"}',
        '{"do": "memory", "extra": 1}',
        '{"do": "quit"}',
        '{"do": "memory"}',
    )
    assert done.returncode == 0
    assert [next(iter(reply)) for reply in replies] == ["ok", "error", "error"]
    assert replies[1]["error"]["kind"] == "WorkerError"
    assert "TypeError" in replies[2]["error"]["message"]


def test_end_of_input_ends_it():
    replies, done = converse('{"do": "memory"}')
    assert len(replies) == 1
    assert done.returncode == 0


def test_errors_carry_a_traceback_and_a_single_line():
    (reply,), _ = converse(json.dumps({"do": "load", "spec": {"runtime": "abacus"}}))
    assert reply["error"]["kind"] == "OptionError"
    assert reply["error"]["message"] == "There is no runtime 'abacus'."
    assert "openvino" in reply["error"]["remedy"]
    assert "Traceback" in reply["error"]["detail"]


def test_requests_before_loading_are_errors_and_no_end():
    replies, done = converse('{"do": "block", "seconds": 1, "discard": 0}', '{"do": "memory"}')
    assert [next(iter(reply)) for reply in replies] == ["error", "ok"]
    assert done.returncode == 0


@pytest.mark.parametrize(
    "request_", [{"do": "block", "seconds": 0.01, "discard": 0.0}, {"do": "consecutive", "count": 1}]
)
@pytest.mark.parametrize(
    ("device", "kind"), [("GPU", DeviceError), ("AUTO:GPU,CPU", DeviceError), ("CPU", RuntimeError)]
)
def test_the_runner_says_what_a_call_that_fails_means(request_, device, kind):
    def lost():
        raise RuntimeError("Exception from x.cpp:1:\n[GPU] clWaitForEvents, error code: -36")

    worker = Worker()
    worker.runner = OpenVINORunner(OpenVINO(device=device), Variant("v", model="m.xml").to_dict())
    worker.runner.calls = [lost]
    arguments = dict(request_)
    with pytest.raises(kind, match="clWaitForEvents"):
        getattr(worker, arguments.pop("do"))(**arguments)


def test_a_block_without_a_lock_does_not_keep_an_earlier_one():
    class Watched(TicketLock):
        passed = 0

        def before(self, call):
            def counted():
                self.passed += 1
                return call()

            return counted

    worker, lock = Worker(), Watched()
    worker.runner = OpenVINORunner(OpenVINO(), Variant("v", model="m.xml").to_dict())
    worker.runner.calls = [lambda: None]
    worker.block(0.001, 0.0)
    assert lock.passed == 0
    worker.block(0.001, 0.0, lock=lock)
    passed = lock.passed
    assert passed > 0
    worker.block(0.001, 0.0)
    assert lock.passed == passed


@pytest.mark.parametrize(
    ("settings", "parts"),
    [
        ({}, {"inputs": 9, "python": 30}),
        ({"feed": "preset"}, {"python": 30}),
        ({"requests": 2}, {"inputs": 9}),
        ({"requests": 2, "feed": "preset"}, {}),
    ],
)
def test_what_is_left_of_a_call_without_its_overhead_is_part_of_it(ir, settings, parts, monkeypatch):
    monkeypatch.setattr(
        "optguide.bench.worker.OVERHEAD_CALL_NS", math.inf
    )  # as short as any machine needs it
    worker = Worker()
    worker.load(Variant("v", str(ir), OpenVINO(**settings)).to_dict())
    remaining = worker.overhead()
    assert {part: len(shares) for part, shares in remaining.items()} == parts
    assert all(0 < share < 1 for share in remaining.get("python", ()))


class Clocked(Loaded):
    """A runner whose call takes 4 ms, 3 of them without inputs; the runtime sees more with each call."""

    queue, varied = None, False

    def __init__(self, clock, longer=1):
        self.seen = 0.0
        self.calls = [self.seeing(clock.call(4 * longer))]
        self.again = lambda: clock.call(3 * longer)

    def feeds(self):
        return [None]

    def seeing(self, call):
        def seen():
            call()
            self.seen += 0.0001

        return seen

    def inference_seconds(self):
        """Of the last call: each is a little longer than the one before."""
        return self.seen


def test_shares_that_remain_are_those_of_known_durations(monkeypatch):
    worker = Worker()
    worker.runner = runner = Clocked(ManualClock(monkeypatch))
    remaining = worker.overhead()
    assert set(remaining["inputs"]) == {0.75}
    assert remaining["python"][-1] == pytest.approx(runner.seen / 0.004)


def test_long_calls_are_not_looked_at(monkeypatch):
    worker = Worker()
    worker.runner = Clocked(ManualClock(monkeypatch), longer=10)
    assert worker.overhead() == {}


def test_a_runtime_that_tells_nothing_has_no_overhead(onnx_model):
    pytest.importorskip("onnxruntime")
    worker = Worker()
    worker.load(Variant("v", str(onnx_model), ONNXRuntime()).to_dict())
    assert worker.overhead() == {}
