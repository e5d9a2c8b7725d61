"""``optguide measure`` from end to end, with real models and workers, and everything that can be wrong."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import psutil
import pytest

from optguide.bench.process import WorkerProcess
from tests.cli.json_shapes import golden, keys

SHORT = ("--budget", "200ms")
LONG = ("--budget", "60s", "--precision", "0.001%")


@pytest.fixture(scope="module")
def nan_ir(models, save_ir):
    return save_ir(models / "nan.xml", [1, 8], lambda ops, x: ops.log(ops.negative(ops.exp(x))))


@pytest.fixture(scope="module")
def constant_ir(models, save_ir):
    return save_ir(models / "constant.xml", [1, 8], lambda ops, x: ops.multiply(x, np.float32(0)))


@pytest.fixture
def corrupt(tmp_path, ir):
    """The model without half of its weights, and files that are no models at all."""
    whole = ir.with_suffix(".bin").read_bytes()
    (tmp_path / "half.xml").write_bytes(ir.read_bytes())
    (tmp_path / "half.bin").write_bytes(whole[: len(whole) // 2])
    for name in ("m.xml", "m.onnx", "m.pdmodel", "m.tflite"):
        (tmp_path / name).write_text("x" * 60)
    (tmp_path / "saved").mkdir()
    (tmp_path / "saved" / "saved_model.pb").write_text("x" * 60)
    return tmp_path


def one_error(found, status):
    """The only line on standard error, of a command that printed no result."""
    assert (found.status, found.out) == (status, "")
    assert found.err.startswith("Error: ")
    assert found.err.count("\n") == 1
    return found.err


# What it prints


@pytest.mark.usefixtures("processes")
def test_tables(optguide, ir):
    found = optguide("measure", ir, *SHORT)
    assert found.status == 0
    for expected in ("linear", "Latency, median", "Throughput", "CPU time per input", "Peak memory", "ms"):
        assert expected in found.out
    assert "PERFORMANCE_HINT" in found.out
    assert "LOG_LEVEL" not in found.out
    assert "budget spent" in found.out
    assert "openvino 20" in found.out


def test_verbose_shows_all_properties(optguide, ir):
    assert "LOG_LEVEL" in optguide("measure", ir, *SHORT, "--verbose").out


def test_json_is_one_object_with_evidence(optguide, dynamic_ir):
    found = optguide(
        "measure",
        f"{dynamic_ir}@shape.x=4,16",
        *SHORT,
        *("--hint", "throughput", "--set", "NUM_STREAMS=1", "--precision-hint", "f32", "--json"),
    )
    assert found.status == 0
    data = json.loads(found.out)
    assert keys(data) == golden("measure")
    assert (data["schema"], data["command"]) == (1, "measure")
    (one,) = data["variants"]
    assert one["variant"]["shapes"] == {"x": [4, 16]}
    assert one["frames"] == 4
    assert one["effective"]["NUM_STREAMS"] == "1"  # which a single core cannot clamp
    assert one["effective"]["INFERENCE_PRECISION_HINT"] == "f32"
    assert int(one["effective"]["requests in flight"]) >= 1
    assert one["latency"]["p50"]["low"] <= one["latency"]["p50"]["value"] <= one["latency"]["p50"]["high"]
    assert one["throughput"]["unit"] == "inferences/s"
    assert data["session"]["rounds"] >= 6
    assert data["machine"]["cpu"]
    assert (data["comparisons"], data["control"], data["failures"]) == ([], None, [])


def test_a_percentile_without_enough_samples_is_not_printed(optguide, simulated, ir):
    simulated.seconds = 0.1
    found = optguide("measure", ir, *SHORT)
    assert found.status == 0
    assert "needs 72 samples" in found.out
    data = json.loads(optguide("measure", ir, *SHORT, "--json").out)
    assert data["variants"][0]["latency"]["p99"] is None


def test_real_inputs(optguide, ir, inputs):
    assert optguide("measure", ir, *SHORT, "--inputs", inputs).status == 0


def test_onnx_in_its_own_runtime(optguide, onnx_model):
    pytest.importorskip("onnxruntime")
    found = optguide("measure", f"{onnx_model}@runtime=onnxruntime,threads=1", *SHORT)
    assert found.status == 0
    assert "CPUExecutionProvider" in found.out
    said = one_error(optguide("measure", f"{onnx_model}@runtime=onnxruntime,shape.z=1,16", *SHORT), 2)
    assert "The model has no input 'z'" in said


def test_a_torch_export_when_asked_for(optguide, torch_export):
    assert "unpickles" in one_error(optguide("measure", torch_export, *SHORT), 2)
    assert optguide("measure", torch_export, *SHORT, "--allow-pickle").status == 0


# What is wrong with the call


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("m.xml", "is corrupt or in another format"),
        ("half.xml", "an IR needs its .bin"),
        ("m.onnx", "is corrupt or in another format"),
        ("m.tflite", "is corrupt or in another format"),
        ("m.pdmodel", "holds a model without outputs"),
        ("saved", "cannot be read"),
    ],
)
def test_a_corrupt_model(optguide, corrupt, name, complaint):
    assert complaint in one_error(optguide("measure", corrupt / name, *SHORT), 2)


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (["--device", "XPU"], "There is no device 'XPU' here; OpenVINO finds CPU"),
        (["--set", "NO_SUCH_THING=1"], "CPU does not take NO_SUCH_THING=1"),
        (["--device", "AUTO:CPU", "--set", "NO_SUCH_THING=1"], "No device behind AUTO:CPU has a property"),
        (["--set", "NUM_STREAMS=abc"], "CPU does not take NUM_STREAMS=abc"),
        (["--precision-hint", "f99"], "CPU does not take INFERENCE_PRECISION_HINT=f99"),
        (["--shape", "x=1,17"], "The model cannot take these shapes"),
        (["--shape", "z=1,16"], "The model has no input 'z'; its inputs are x"),
        (["--budget", "0"], "'0' is no time at all."),
        (["--precision", "0%"], "A precision of 0 measures nothing"),
        (["--batch", "0"], "batch=0 is not possible"),
    ],
)
def test_a_setting_that_cannot_be(optguide, ir, options, complaint):
    assert complaint in one_error(optguide("measure", ir, *SHORT, *options), 2)


def test_an_open_size_needs_a_shape_and_an_open_batch_is_one(optguide, open_ir, dynamic_ir):
    said = one_error(optguide("measure", open_ir, *SHORT), 2)
    assert "Input 'x' has the dynamic shape [1,?]" in said
    assert "--shape x=1,128" in said
    found = optguide("measure", dynamic_ir, *SHORT)
    assert found.status == 0
    assert "random values for x float32 [1,16]. The batch is open and was set to 1." in found.out


def test_inputs_that_do_not_fit(optguide, ir, tmp_path, save_inputs):
    wrong = save_inputs(tmp_path / "wrong.npz", x=np.ones((1, 17)))
    assert "The inputs do not fit the model" in one_error(
        optguide("measure", ir, *SHORT, "--inputs", wrong), 2
    )


# What fails


def test_outputs_that_mean_nothing(optguide, nan_ir, constant_ir):
    assert "holds NaN" in one_error(optguide("measure", nan_ir, *SHORT), 1)
    found = optguide("measure", constant_ir, *SHORT)
    assert found.status == 0
    assert "Warning: Output 0 is 0 everywhere" in found.err


def test_a_worker_that_is_killed(optguide, processes, ir, monkeypatch):
    def kill(worker, slot=0):
        os.kill(worker.pid, signal.SIGKILL)

    monkeypatch.setattr(WorkerProcess, "warm_up", kill)
    said = one_error(optguide("measure", ir, *LONG), 1)
    assert "was ended by SIGKILL" in said
    assert "Traceback" not in said


@pytest.mark.usefixtures("interruptible")
def test_an_interrupt_ends_the_workers(ir, alive):
    command = subprocess.Popen(
        [sys.executable, "-m", "optguide", "measure", str(ir), *LONG],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    parent = psutil.Process(command.pid)
    while not (children := parent.children()):
        assert command.poll() is None
        time.sleep(0.01)
    command.send_signal(signal.SIGINT)
    try:
        out, err = command.communicate(timeout=60)
    finally:
        command.kill()
    assert command.returncode == 130
    assert out == ""
    assert err.strip().endswith("Interrupted; the measurement was ended and nothing of it is kept.")
    psutil.wait_procs(
        children, timeout=60
    )  # one that was just being started ends when it sees that it is alone
    assert not any(alive(child.pid) for child in children)
