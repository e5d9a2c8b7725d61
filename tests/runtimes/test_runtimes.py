from __future__ import annotations

import gc
import os
import shutil
import sys
import sysconfig
import time
from pathlib import Path

import numpy as np
import pytest

from optguide import errors
from optguide.bench.loops import Turn, asynchronous
from optguide.bench.process import WorkerProcess
from optguide.bench.variant import Variant
from optguide.runtimes import base as runner
from optguide.runtimes import runner_for
from optguide.runtimes.onnxruntime import ONNXRuntime
from optguide.runtimes.openvino import OpenVINO
from optguide.runtimes.tensorflow import TensorFlow
from optguide.runtimes.torch import PyTorch

FLOAT = {"precision": "f32"}


def loaded(**fields):
    """A runner in this process, loaded as a worker would."""
    found = runner_for(Variant("under test").with_("under test", **fields).to_dict())
    found.load()
    return found


def frames(found):
    """Inputs that one call of a loaded runner processes."""
    return found.frames(found.outputs())[0]


@pytest.fixture(scope="session")
def expected(weights, inputs):
    with np.load(inputs) as archive:
        return np.tanh(archive["x"] @ weights)


@pytest.fixture(scope="session")
def torch_fields(torch_module, inputs):
    """Of a variant that runs the PyTorch module in a worker."""
    folder, reference = torch_module
    path = os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")])
    return {"model": reference, "inputs": (inputs,), "environment": {"PYTHONPATH": path}}


@pytest.fixture
def torch_in_process(torch_module, monkeypatch):
    pytest.importorskip("torch")
    folder, reference = torch_module
    monkeypatch.syspath_prepend(folder)
    return reference


# --- the same numbers from every runtime ---


def in_worker(variant):
    """Outputs of the first input set, and the reply to loading."""
    with WorkerProcess(variant) as worker:
        reply = worker.load()
        (output,) = worker.first_call().outputs
        assert worker.ask(60, do="block", seconds=0.01, discard=0.0)["calls"] >= 1
    return output, reply


def test_stages_of_loading_are_parts_of_the_time_it_takes(ir):
    start = time.perf_counter()
    found = loaded(model=ir)
    elapsed = time.perf_counter() - start
    assert min(found.stages.values()) >= 0
    assert 0 < sum(found.stages.values()) <= elapsed


def test_openvino_reads_ir_and_onnx(ir, onnx_model, inputs, expected):
    for model in (ir, onnx_model):
        found = loaded(model=model, inputs=(inputs,), **FLOAT)
        np.testing.assert_allclose(found.outputs()[0], expected, atol=1e-5)
        assert set(found.stages) == {"import", "read", "compile"}


def test_onnxruntime(onnx_model, inputs, expected):
    pytest.importorskip("onnxruntime")
    output, reply = in_worker(
        Variant("f", runtime=ONNXRuntime(threads=1), model=onnx_model, inputs=(inputs,))
    )
    np.testing.assert_allclose(output, expected, atol=1e-5)
    assert reply["effective"]["intra_op_num_threads"] == "1"
    assert reply["effective"]["providers"] == "CPUExecutionProvider"
    assert reply["versions"]["onnxruntime"]


def test_torch_eager(torch_fields, expected):
    pytest.importorskip("torch")
    output, reply = in_worker(Variant("f", runtime=PyTorch(threads=1), **torch_fields))
    np.testing.assert_allclose(output, expected, atol=1e-5)
    assert reply["effective"]["threads"] == "1"
    assert reply["effective"]["compiled"] == "no"


@pytest.mark.slow
@pytest.mark.skipif(
    shutil.which("g++") is None or not Path(sysconfig.get_path("include"), "Python.h").exists(),
    reason="torch.compile needs a C++ compiler and the headers of Python",
)
def test_torch_compile(torch_fields, expected):
    pytest.importorskip("torch")
    cheap = {"TORCHINDUCTOR_COMPILE_THREADS": "1", "ATEN_CPU_CAPABILITY": "default"}
    fields = torch_fields | {"environment": torch_fields["environment"] | cheap}
    output, reply = in_worker(Variant("f", runtime=PyTorch(compile=True, threads=1), **fields))
    np.testing.assert_allclose(output, expected, atol=1e-5)
    assert reply["effective"]["compiled"] == "inductor"
    assert reply["stages"]["compile"] > 0


def test_torch_export_in_both_runtimes(torch_export, inputs, expected):
    for fields in ({"runtime": PyTorch()}, FLOAT):
        found = loaded(model=torch_export, inputs=(inputs,), **fields)
        np.testing.assert_allclose(found.outputs()[0], expected, atol=1e-5)


def test_openvino_takes_random_inputs_for_a_torch_export(torch_export):
    found = loaded(model=torch_export)
    assert found.outputs()[0].shape == (1, 16)


# --- what was asked for is what runs ---


def test_openvino_properties_are_effective(ir):
    effective = loaded(
        model=ir,
        threads=1,
        precision="f32",
        properties={"PERFORMANCE_HINT": "THROUGHPUT", "NUM_STREAMS": "1"},
    ).effective()
    assert effective["INFERENCE_NUM_THREADS"] == "1"
    assert effective["INFERENCE_PRECISION_HINT"] == "f32"
    assert effective["PERFORMANCE_HINT"] == "THROUGHPUT"
    assert effective["NUM_STREAMS"] == "1"
    assert all(isinstance(value, str) for value in effective.values())


def test_what_the_device_behind_a_virtual_one_resolved_is_effective(ir):
    effective = loaded(model=ir, device="AUTO:CPU", threads=1, precision="f32").effective()
    assert effective["INFERENCE_NUM_THREADS"] == "1"
    assert effective["INFERENCE_PRECISION_HINT"] == "f32"
    assert effective["EXECUTION_DEVICES"] == "CPU"


@pytest.mark.parametrize(
    ("devices", "expected"),
    [
        ({"CPU": {"NUM_STREAMS": 2}}, {"NUM_STREAMS": "2"}),
        (
            {"CPU": {"NUM_STREAMS": 2}, "GPU": {"NUM_STREAMS": 4, "PERF_COUNT": False}},
            {"CPU.NUM_STREAMS": "2", "GPU.NUM_STREAMS": "4", "GPU.PERF_COUNT": "NO"},
        ),
    ],
)
def test_several_devices_behind_a_virtual_one_are_told_apart(devices, expected):
    from optguide.runtimes.openvino import OpenVINORunner

    class Compiled:
        """Behaves as a model that AUTO compiled for these devices."""

        def get_property(self, key):
            return {"SUPPORTED_PROPERTIES": ["DEVICE_PROPERTIES"], "DEVICE_PROPERTIES": devices}[key]

    found = OpenVINORunner(OpenVINO(), Variant("v", model="m.xml").to_dict())
    found.compiled = Compiled()
    assert found.effective() == expected


def test_the_precision_of_a_cache_that_a_model_does_not_keep_is_unused(ir):
    effective = loaded(model=ir, properties={"KV_CACHE_PRECISION": "f32"}).effective()
    assert effective.get("KV_CACHE_PRECISION", "unused") == "unused"


def test_properties_win_over_the_shorthand(ir):
    found = loaded(model=ir, threads=2, properties={"INFERENCE_NUM_THREADS": "1"})
    assert found.effective()["INFERENCE_NUM_THREADS"] == "1"


def test_model_cache_is_used(ir, tmp_path):
    loaded(model=ir, cache_dir=str(tmp_path / "cache"))
    assert list((tmp_path / "cache").iterdir())


@pytest.mark.parametrize("feed", ["each", "preset"])
def test_input_sets_take_turns(ir, save_inputs, tmp_path, weights, feed):
    sets = [save_inputs(tmp_path / f"{n}.npz", x=np.full((1, 16), n / 10)) for n in (1, 2, 3)]
    found = loaded(model=ir, inputs=tuple(sets), feed=feed, **FLOAT)
    assert len(found.calls) == 3
    for call, value in zip(found.calls, (0.1, 0.2, 0.3), strict=True):
        (output,) = runner.as_arrays(call())
        np.testing.assert_allclose(output, np.tanh(np.full((1, 16), value, np.float32) @ weights), atol=1e-5)


def test_shapes_and_batches(dynamic_ir):
    shaped = loaded(model=dynamic_ir, shapes={"x": (3, 16)})
    assert (shaped.outputs()[0].shape, frames(shaped)) == ((3, 16), 3)
    batched = loaded(model=dynamic_ir, batch=5)
    assert (batched.outputs()[0].shape, frames(batched)) == ((5, 16), 5)


def test_dynamic_models_take_real_inputs_as_they_are(dynamic_ir, dynamic_onnx_model, save_inputs, tmp_path):
    path = save_inputs(tmp_path / "x.npz", x=np.random.default_rng(0).standard_normal((4, 16)))
    first = loaded(model=dynamic_ir, inputs=(path,), **FLOAT)
    second = loaded(runtime=ONNXRuntime(), model=dynamic_onnx_model, inputs=(path,))
    assert frames(first) == frames(second) == 4
    np.testing.assert_allclose(first.outputs()[0], second.outputs()[0], atol=1e-5)


def test_frames_of_a_function_are_what_it_says():
    variant = Variant.from_function("f", lambda: lambda: [[1.0, 2.0]], frames=7)
    found = runner_for(variant.to_dict())
    found.load()
    assert frames(found) == 7
    assert [array.tolist() for array in found.outputs()] == [[1.0, 2.0]]
    assert found.effective() == {}


def test_a_function_may_return_nothing():
    found = runner_for(Variant.from_function("f", lambda: lambda: None).to_dict())
    found.load()
    assert found.outputs() == []


# --- what cannot be measured, in one sentence each ---


def refusal(kind, **fields):
    """The error of loading and of the first inference."""
    with pytest.raises(kind) as caught:
        loaded(**fields).outputs()
    assert type(caught.value) is kind
    message = caught.value.message
    assert "\n" not in message
    assert len(message) < 600
    assert caught.value.remedy
    return message


@pytest.mark.parametrize("name", ["missing.xml", "missing.onnx", "missing.pt2", "missing.abc"])
def test_missing_models(tmp_path, name):
    if name.endswith("pt2"):
        pytest.importorskip("torch")
    assert name in refusal(errors.ModelError, model=tmp_path / name)


@pytest.mark.parametrize("name", ["model.xml", "model.onnx", "model.tflite", "model.pb", "model.pdmodel"])
def test_corrupt_models(tmp_path, name):
    (tmp_path / name).write_bytes(b"this is no model " * 20)
    assert name in refusal(errors.ModelError, model=tmp_path / name)


def test_truncated_models(tmp_path, ir, onnx_model):
    (tmp_path / "cut.xml").write_bytes(ir.read_bytes()[:400])
    (tmp_path / "cut.onnx").write_bytes(onnx_model.read_bytes()[:400])
    shutil.copy(ir, tmp_path / "weightless.xml")
    for name in ("cut.xml", "cut.onnx", "weightless.xml"):
        refusal(errors.ModelError, model=tmp_path / name)


@pytest.mark.parametrize("present", [False, True])
def test_onnxruntime_models_that_cannot_be_loaded(tmp_path, present):
    pytest.importorskip("onnxruntime")
    if present:
        (tmp_path / "model.onnx").write_bytes(b"this is no model")
    message = refusal(errors.ModelError, runtime=ONNXRuntime(), model=tmp_path / "model.onnx")
    assert message.startswith("ONNX Runtime cannot load the model")


@pytest.mark.parametrize("reference", ["no_such_module:build", "os:no_such_function", "just_a_word", ""])
def test_torch_references_that_name_nothing(reference, inputs):
    pytest.importorskip("torch")
    refusal(errors.ModelError, runtime=PyTorch(), model=reference, inputs=(inputs,))


def test_torch_exports_that_cannot_be_read(tmp_path, inputs):
    pytest.importorskip("torch")
    (tmp_path / "model.pt2").write_bytes(b"this is no export")
    for fields in ({"runtime": PyTorch()}, {}):
        refusal(errors.ModelError, model=tmp_path / "model.pt2", inputs=(inputs,), **fields)


@pytest.mark.parametrize("device", ["GPU", "XPU", "AUTO:GPU", "cpu2"])
def test_devices_that_are_not_here(ir, device):
    import openvino

    if "GPU" in openvino.Core().available_devices:
        pytest.skip("there is a GPU")
    message = refusal(errors.DeviceError, model=ir, device=device)
    assert device.rpartition(":")[2] in message
    assert "CPU" in message


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("NO_SUCH_PROPERTY", "1"),
        ("PERFORMANCE_HINT", "WARP"),
        ("INFERENCE_NUM_THREADS", "many"),
        ("NUM_STREAMS", "-7"),
        ("INFERENCE_PRECISION_HINT", "i3"),
    ],
)
def test_properties_that_are_not_taken(ir, key, value):
    message = refusal(errors.PropertyError, model=ir, properties={key: value})
    assert key in message


def test_an_open_batch_is_one_and_other_open_sizes_have_to_be_given(open_ir, dynamic_ir, dynamic_onnx_model):
    assert "'x' has the dynamic shape [1,?]" in refusal(errors.InputError, model=open_ir)
    pytest.importorskip("onnxruntime")
    for fields in ({"model": dynamic_ir}, {"runtime": ONNXRuntime(), "model": dynamic_onnx_model}):
        found = loaded(**fields)
        assert found.outputs()[0].shape == (1, 16)
        assert found.notes == ["The batch is open and was set to 1."]


def test_shapes_that_do_not_fit(ir):
    assert "no input 'y'" in refusal(errors.InputError, model=ir, shapes={"y": (1, 16)})
    assert "cannot take these shapes" in refusal(errors.InputError, model=ir, shapes={"x": (1, 17)})


@pytest.fixture(scope="module")
def one_at_a_time(save_ir, tmp_path_factory):
    """A model whose layers are written for a batch of one."""

    def body(ops, x):
        return ops.softmax(ops.reshape(x, np.array([1, 4, 4]), False), 1)

    return save_ir(tmp_path_factory.mktemp("stubborn") / "stubborn.xml", [1, 16], body)


def test_a_batch_that_the_layers_do_not_allow(one_at_a_time):
    assert "cannot take a batch of 4: " in refusal(errors.InputError, model=one_at_a_time, batch=4)


@pytest.mark.parametrize("hint", ["LATENCY", "THROUGHPUT"])
def test_automatic_batching_that_came_to_nothing(one_at_a_time, hint):
    """OpenVINO runs such a model one request at a time and says nothing."""
    fields = {"model": one_at_a_time, "requests": 4, "properties": {"PERFORMANCE_HINT": hint}}
    assert "no batch of 4" in refusal(errors.InputError, device="BATCH:CPU(4)", **fields)
    for device in ("BATCH:CPU(1)", "BATCH:CPU", "CPU"):
        assert frames(loaded(device=device, **fields)) == 1


def test_automatic_batching_counts_single_inputs(ir):
    batched = loaded(model=ir, device="BATCH:CPU(4)", requests=4, properties={"AUTO_BATCH_TIMEOUT": "1"})
    assert frames(batched) == 1
    assert batched.effective()["OPTIMAL_NUMBER_OF_INFER_REQUESTS"] == "4"
    assert batched.outputs()[0].shape == (1, 16)


def test_automatic_batching_fills_its_batches_from_the_queue(ir):
    """A request that was made before the queue's would leave every batch one short, until its time-out."""
    timeout = 3.0
    properties = {"AUTO_BATCH_TIMEOUT": str(round(timeout * 1000))}
    batched = loaded(model=ir, device="BATCH:CPU(4)", requests=4, properties=properties)
    block = asynchronous(batched.queue, Turn([]), 0.01, 0.0)
    # One batch may wait for all that: on a busy machine the plugin can miss that it is full.
    assert np.median(block.latencies_ns) < timeout * 1e9


WRONG = {
    "shape": {"x": np.ones((1, 17))},
    "rank": {"x": np.ones((1, 1, 1, 16))},
    "scalar": {"x": np.ones(())},
    "number": {"y": np.ones((1, 16)), "z": np.ones((1, 16))},
    "type": {"x": np.ones((1, 16), np.int64)},
    "text": {"x": np.array([["a"] * 16])},
}


@pytest.mark.parametrize("wrong", WRONG)
@pytest.mark.parametrize(
    "fields", [{}, {"feed": "preset"}, {"requests": 2}, {"runtime": ONNXRuntime()}], ids=str
)
def test_inputs_that_do_not_fit(ir, onnx_model, save_inputs, tmp_path, fields, wrong):
    model = onnx_model if fields.get("runtime") else ir
    path = save_inputs(tmp_path / "inputs.npz", **WRONG[wrong])
    refusal(errors.InputError, model=model, inputs=(path,), **fields)


@pytest.mark.parametrize("wrong", ["shape", "number", "text"])
def test_inputs_that_do_not_fit_a_torch_module(torch_in_process, save_inputs, tmp_path, wrong):
    path = save_inputs(tmp_path / "inputs.npz", **WRONG[wrong])
    refusal(errors.InputError, runtime=PyTorch(), model=torch_in_process, inputs=(path,))


def test_torch_modules_do_not_say_their_shapes(torch_in_process):
    message = refusal(errors.InputError, runtime=PyTorch(), model=torch_in_process)
    assert "does not declare their shapes" in message


def test_renamed_inputs_are_taken(ir, save_inputs, tmp_path, weights):
    path = save_inputs(tmp_path / "inputs.npz", pixel_values=np.ones((1, 16)))
    found = loaded(model=ir, inputs=(path,), **FLOAT)
    np.testing.assert_allclose(found.outputs()[0], np.tanh(np.ones((1, 16)) @ weights), atol=1e-5)


def test_arrays_that_belong_to_no_input_are_named(ir, save_inputs, tmp_path):
    path = save_inputs(tmp_path / "inputs.npz", x=np.ones((1, 16)), mask=np.ones((1, 16)))
    assert loaded(model=ir, inputs=(path,)).notes == ["inputs.npz also holds mask, which no input takes."]


def test_pickled_inputs_are_refused(ir, tmp_path):
    np.savez(tmp_path / "evil.npz", x=np.array([{"a": 1}], dtype=object))
    refusal(errors.InputError, model=ir, inputs=(tmp_path / "evil.npz",))


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (lambda ops, x: ops.log(ops.negative(ops.abs(x))), "holds NaN"),
        (lambda ops, x: ops.divide(x, ops.constant(np.zeros(1, np.float32))), "nothing but infinity"),
    ],
)
def test_outputs_that_mean_nothing(save_ir, tmp_path, body, message):
    path = save_ir(tmp_path / "model.xml", [1, 16], body)
    with WorkerProcess(Variant("f", path, OpenVINO(**FLOAT))) as worker:
        worker.load()
        with pytest.raises(errors.OutputError, match=message):
            worker.first_call()


def test_unknown_runtimes():
    with pytest.raises(errors.OptionError, match="no runtime 'abacus'"):
        runner_for({"runtime": "abacus"})


@pytest.mark.parametrize(("runtime", "package"), [(PyTorch(), "torch"), (ONNXRuntime(), "onnxruntime")])
def test_packages_that_are_not_installed(monkeypatch, runtime, package):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(errors.EnvironmentMissing, match="is not installed") as caught:
        loaded(runtime=runtime, model="model.onnx")
    assert "optguide[frameworks]" in caught.value.remedy


def test_tensorflow_lives_elsewhere(monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorflow", None)
    with pytest.raises(errors.EnvironmentMissing, match="TensorFlow is not installed for this interpreter"):
        loaded(runtime=TensorFlow(), model="saved_model")


def test_outputs_of_any_kind_become_arrays():
    assert [array.tolist() for array in runner.as_arrays({"a": [1], "b": (2,)})] == [[1], [2]]
    assert [array.tolist() for array in runner.as_arrays(np.arange(2))] == [[0, 1]]
    assert [array.tolist() for array in runner.as_arrays((np.arange(2), 3))] == [[0, 1], 3]


def test_first_line_of_an_error():
    assert errors.first_line(ValueError("  one\ntwo")) == "one"
    assert errors.first_line(ValueError()) == "ValueError"
    assert len(errors.first_line(ValueError("x" * 1000))) == 300


# --- compiled models, and whether files are mapped ---


@pytest.fixture
def blob(ir, tmp_path):
    """The model of ``ir``, compiled and exported."""
    import openvino

    path = tmp_path / "model.blob"
    compiled = openvino.Core().compile_model(ir, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    path.write_bytes(compiled.export_model().getvalue())
    return path


def is_mapped(path):
    return any(line.rstrip().endswith(f"/{path.name}") for line in Path("/proc/self/maps").open())


@pytest.mark.parametrize("mapped", [True, False])
def test_compiled_models_are_imported(blob, inputs, expected, mapped):
    properties = {} if mapped else {"ENABLE_MMAP": "NO"}
    found = loaded(model=blob, inputs=(inputs,), properties=properties, **FLOAT)
    if sys.platform == "linux":
        assert is_mapped(blob) == mapped
    gc.collect()  # the model reads its weights from the mapping, which must not go away
    np.testing.assert_allclose(found.outputs()[0], expected, atol=1e-5)
    assert set(found.stages) == {"import", "read", "compile"}


def test_importing_takes_properties(blob):
    assert loaded(model=blob, threads=1).effective()["INFERENCE_NUM_THREADS"] == "1"
    assert "NOPE" in refusal(errors.PropertyError, model=blob, properties={"NOPE": "1"})


def test_blobs_that_cannot_be_imported(blob, tmp_path):
    (tmp_path / "cut.blob").write_bytes(blob.read_bytes()[:200])
    (tmp_path / "empty.blob").write_bytes(b"")
    (tmp_path / "other.blob").write_bytes(b"this is no model " * 20)
    for name in ("cut.blob", "empty.blob", "other.blob", "missing.blob"):
        for properties in ({}, {"ENABLE_MMAP": "NO"}):
            assert name in refusal(errors.ModelError, model=tmp_path / name, properties=properties)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux lists what is mapped")
@pytest.mark.parametrize("single_call", [True, False])
def test_weights_are_mapped_unless_told_otherwise(ir, tmp_path, single_call):
    model = tmp_path / "apart.xml"  # other tests have mapped the weights of the shared one
    shutil.copy(ir, model)
    shutil.copy(ir.with_suffix(".bin"), model.with_suffix(".bin"))
    apart = {"model": model, "single_call": single_call, **FLOAT}
    copied = loaded(properties={"ENABLE_MMAP": "NO"}, **apart)
    assert not is_mapped(model.with_suffix(".bin"))
    mapped = loaded(**apart)
    assert is_mapped(model.with_suffix(".bin"))
    np.testing.assert_array_equal(copied.outputs()[0], mapped.outputs()[0])
