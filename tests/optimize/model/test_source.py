from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path

import msgspec
import numpy as np
import pytest

from optguide.bench.variant import Variant
from optguide.errors import EnvironmentMissing, InputError, ModelError, StorageError, UserError
from optguide.optimize.candidate import Settings
from optguide.optimize.data import read_data
from optguide.optimize.model import (
    SourceModel,
    decode,
    encode,
    read_as_json,
    read_source_model,
)
from optguide.runtimes.onnxruntime import ONNXRuntime
from optguide.runtimes.ports import Port
from optguide.runtimes.torch import PyTorch

WIDTH = 16


def read_here(folder, model, **settings):
    """Read in this process, which is what the child does."""
    answer = read_as_json(msgspec.to_builtins(Settings(str(model), **settings)), str(folder))
    return decode(answer, SourceModel)


def answer(file, x):
    import openvino

    return openvino.Core().compile_model(str(file), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})(x)[0]


@pytest.fixture
def module_file(tmp_path, monkeypatch, request):
    """Write a module with a function ``build``; its reference."""
    pytest.importorskip("torch")
    monkeypatch.syspath_prepend(tmp_path)

    def write(body):
        name = f"subject_{abs(hash(request.node.name))}"
        head = "import numpy, torch\nfrom torch import nn\n"
        (tmp_path / f"{name}.py").write_text(head + body)
        return f"{name}:build"

    return write


LINEAR = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.fc = nn.Linear(16, 4)
        self.drop = nn.Dropout(0.5)
    def forward(self, x):
        return self.drop(self.fc(x))
class Odd(nn.Module):
    def forward(self, x):
        return {"a": x, "b": (x, x)}
"""


def test_a_subject_survives_json():
    subject = SourceModel(
        "m",
        "ONNX",
        Path("run", "f32.xml"),
        (Port("x", "float32", (None, 3), "NC", ("y",)),),
        (Port("o", "float32", (1, 3)),),
        "abc",
        "m.onnx",
        True,
    )
    assert subject.reference == Variant("ONNX Runtime", runtime=ONNXRuntime(), model="m.onnx")
    assert decode(json.loads(json.dumps(encode(subject))), SourceModel) == subject
    assert str(subject.ports[0]) == "float32 [?,3]"


def test_an_ir_is_read_in_a_process_of_its_own(tmp_path, ir, weights):
    subject = read_source_model(Settings(str(ir)), tmp_path / "run")
    assert subject.name == "linear"
    assert subject.framework == "OpenVINO IR"
    assert subject.file == tmp_path / "run" / "f32.xml"
    assert sorted(file.name for file in subject.file.parent.iterdir()) == ["f32.bin", "f32.xml"]
    assert [str(port) for port in (*subject.ports, *subject.outputs)] == ["float32 [1,16]"] * 2
    assert subject.ports[0].name == "x"
    assert subject.reference is None
    assert subject.batchable
    assert subject.batch == 1
    assert not subject.dynamic
    x = np.random.default_rng(0).standard_normal((1, WIDTH), dtype=np.float32)
    np.testing.assert_allclose(answer(subject.file, x), np.tanh(x @ weights), rtol=1e-4, atol=1e-5)


def test_both_files_of_an_ir_make_its_checksum(tmp_path, ir):
    first = read_here(tmp_path / "a", ir).sha256
    for suffix in (".xml", ".bin"):
        (tmp_path / ir.name).with_suffix(suffix).write_bytes(ir.with_suffix(suffix).read_bytes())
    assert read_here(tmp_path / "b", tmp_path / ir.name).sha256 == first
    weights = bytearray(ir.with_suffix(".bin").read_bytes())
    weights[5] ^= 1
    (tmp_path / ir.name).with_suffix(".bin").write_bytes(weights)
    changed = read_here(tmp_path / "b", tmp_path / ir.name).sha256
    assert changed != first
    assert len(changed) == 64


def test_onnx_runs_in_its_own_framework_too(tmp_path, dynamic_onnx_model):
    subject = read_here(tmp_path, dynamic_onnx_model)
    assert subject.framework == "ONNX"
    assert subject.reference == Variant("ONNX Runtime", runtime=ONNXRuntime(), model=str(dynamic_onnx_model))
    assert subject.ports[0].shape == (None, WIDTH), "an open batch stays open, and random data takes one"
    assert subject.batch == 1
    assert subject.batchable
    assert not subject.dynamic
    assert subject.sha256 == hashlib.sha256(dynamic_onnx_model.read_bytes()).hexdigest()


def test_shapes_are_applied(tmp_path, dynamic_ir):
    subject = read_here(tmp_path, dynamic_ir, shapes={"x": (3, WIDTH)})
    assert subject.ports[0].shape == (3, WIDTH)
    assert subject.batch == 3
    with pytest.raises(InputError, match="cannot take these shapes"):
        read_here(tmp_path, dynamic_ir, shapes={"x": (1, 5)})
    with pytest.raises(InputError, match="no input 'z'"):
        read_here(tmp_path, dynamic_ir, shapes={"z": (1, 5)})


def test_random_data_needs_sizes(tmp_path, save_ir):
    path = save_ir(tmp_path / "open.xml", [-1, -1, 4], lambda ops, x: ops.relu(x))
    subject = read_here(tmp_path / "run", path)
    with pytest.raises(InputError, match=r"'x' takes float32 \[\?,\?,4\]") as refused:
        read_data(Settings(str(path)), subject)
    assert "--shape x=" in refused.value.remedy
    assert "--data" in refused.value.remedy
    assert subject.dynamic
    assert subject.batchable
    assert read_here(tmp_path / "run", path, shapes={"x": (1, 7, 4)}).ports[0].shape == (1, 7, 4)


def test_any_number_of_dimensions_needs_a_shape(tmp_path):
    import openvino
    from openvino import opset13 as ops

    x = ops.parameter(openvino.PartialShape.dynamic(), np.float32, name="x")
    x.output(0).set_names({"x"})
    openvino.save_model(openvino.Model([ops.relu(x)], [x]), tmp_path / "m.xml")
    with pytest.raises(InputError, match="any number of dimensions"):
        read_here(tmp_path / "run", tmp_path / "m.xml", data="d.npz")
    assert read_here(tmp_path / "run", tmp_path / "m.xml", shapes={"x": (1, 3)}).ports[0].shape == (1, 3)


def test_names_stay(tmp_path):
    import openvino
    from openvino import opset13 as ops

    ports = [ops.parameter([1, 4], np.float32), ops.parameter([1, 4], np.int32)]
    total = ops.add(ports[0], ops.convert(ports[1], "f32"))
    openvino.save_model(openvino.Model([total], ports), tmp_path / "m.xml")
    subject = read_here(tmp_path / "run", tmp_path / "m.xml")
    assert [port.dtype for port in subject.ports] == ["float32", "int32"]
    again = openvino.Core().read_model(subject.file)
    assert [port.any_name for port in again.inputs] == [port.name for port in subject.ports]
    assert again.outputs[0].any_name == subject.outputs[0].name


def test_layout_and_other_names_are_kept(tmp_path):
    import openvino
    from openvino import opset13 as ops

    x = ops.parameter([1, 8, 8, 3], np.float32)
    x.layout = openvino.Layout("NHWC")
    x.output(0).set_names({"b", "a"})
    openvino.save_model(openvino.Model([ops.relu(x)], [x]), tmp_path / "m.xml")
    (port,) = read_here(tmp_path / "run", tmp_path / "m.xml").ports
    assert (port.name, port.also, port.layout) == ("a", ("b",), "NHWC")


@pytest.mark.parametrize(("kind", "told"), [("string", "text"), ("bf16", "elements of type bf16")])
def test_inputs_that_are_no_numbers_of_numpy(tmp_path, kind, told):
    import openvino
    from openvino import opset15 as ops

    x = ops.parameter([1, 2], getattr(openvino.Type, kind), name="x")
    x.output(0).set_names({"x"})
    model = openvino.Model([ops.shape_of(x)], [x])
    openvino.save_model(model, tmp_path / "m.xml")
    with pytest.raises(ModelError, match=f"'x' of the model takes {told}"):
        read_here(tmp_path / "run", tmp_path / "m.xml")


def test_a_model_without_inputs(tmp_path):
    import openvino
    from openvino import opset13 as ops

    openvino.save_model(openvino.Model([ops.constant(np.zeros(3, np.float32))], []), tmp_path / "m.xml")
    with pytest.raises(ModelError, match="has no input"):
        read_here(tmp_path / "run", tmp_path / "m.xml")


def test_files_that_are_no_models(tmp_path, ir, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "broken.xml").write_text("<net")
    (tmp_path / "broken.onnx").write_bytes(b"\x08\x07\x12")
    (tmp_path / "alone.xml").write_bytes(ir.read_bytes())
    for name in ("broken.xml", "broken.onnx", "alone.xml"):
        with pytest.raises(ModelError, match=f"{name} cannot be read"):
            read_here(tmp_path / "run", tmp_path / name)
    for name, cause in {
        "missing.xml": "There is no model",
        "w.pt": "would need unpickling",
        "m.pt2": "can execute code",
        "m.txt": "no supported model format",
        "empty.onnx": "is empty",
    }.items():
        if name != "missing.xml":
            (tmp_path / name).write_bytes(b"" if name.startswith("empty") else b"x")
        with pytest.raises(ModelError, match=cause):
            read_source_model(Settings(name), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_folder_that_cannot_be_written(tmp_path, ir):
    (tmp_path / "run").write_text("a file is here")
    with pytest.raises(StorageError, match="cannot be written"):
        read_here(tmp_path / "run", ir)


def test_a_module_with_an_example(tmp_path, module_file):
    import torch

    reference = module_file(LINEAR + "def build():\n    return Net(), torch.rand(1, 16)\n")
    subject = read_here(tmp_path / "run", reference)
    assert (subject.name, subject.framework, subject.sha256) == ("build", "PyTorch", "")
    assert [(port.name, str(port)) for port in subject.ports] == [("x", "float32 [1,16]")]
    assert subject.outputs[0].shape == (1, 4)
    assert subject.reference == Variant("PyTorch", runtime=PyTorch(), model=reference)
    assert subject.batchable, "dropout is off: the module is converted as it answers"
    from optguide.errors import ModelError
    from optguide.references import function

    x = torch.rand(1, 16)
    with torch.no_grad():
        expected = function(reference, ModelError)()[0].eval()(x).numpy()
    np.testing.assert_allclose(answer(subject.file, x.numpy()), expected, rtol=1e-4, atol=1e-5)


def test_a_module_of_the_current_folder_is_found_by_the_process(tmp_path, module_file, monkeypatch):
    reference = module_file(LINEAR + "def build():\n    return Net(), torch.rand(2, 16)\n")
    monkeypatch.chdir(tmp_path)
    assert read_source_model(Settings(reference), tmp_path / "run").batch == 2


TWO = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.table = nn.Embedding(30, 8)
    def forward(self, ids, mask, scale=None):
        return (self.table(ids) * mask.unsqueeze(-1)).sum(1)
ids = torch.ones(1, 5, dtype=torch.int64)
"""


@pytest.mark.parametrize(
    "example",
    ["(ids, ids.float())", "{'mask': ids.float(), 'ids': ids}", "[ids.numpy(), ids.float().numpy()]"],
)
def test_inputs_have_the_names_and_the_order_of_the_arguments(tmp_path, module_file, example):
    reference = module_file(TWO + f"def build():\n    return Net(), {example}\n")
    subject = read_here(tmp_path / "run", reference)
    assert [(port.name, str(port)) for port in subject.ports] == [
        ("ids", "int64 [1,5]"),
        ("mask", "float32 [1,5]"),
    ]
    assert subject.reference is not None


def test_the_reference_answers_what_the_ir_answers(tmp_path, module_file, dynamic_onnx_model):
    """Inputs written for the one are inputs of the other, by position or by name."""
    from optguide.optimize.data import read_data, write_inputs
    from optguide.runtimes import runner_for

    example = "{'mask': ids.float(), 'ids': ids}"
    reference = module_file(TWO + f"def build():\n    return Net(), {example}\n")
    for model in (reference, str(dynamic_onnx_model)):
        settings = Settings(model)
        subject = read_here(tmp_path / "run", model)
        files = write_inputs(read_data(settings, subject), subject, tmp_path / "inputs", None, 2)
        loaded = runner_for(subject.reference.with_("own", inputs=files).to_dict())
        loaded.load()
        with np.load(files[0]) as arrays:
            expected = answer(subject.file, [arrays[port.name] for port in subject.ports])
        np.testing.assert_allclose(loaded.outputs()[0], expected, rtol=1e-4, atol=1e-5)


HEADS = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.fc = nn.Linear(16, 16)
    def forward(self, ARGUMENTS):
        x = SUM
        rows, length, _ = x.shape
        return self.fc(x.view(rows, length, 4, 4).transpose(1, 2).reshape(rows, length, 16))
"""


@pytest.mark.parametrize(
    ("arguments", "total"), [("left, right", "left + right"), ("*parts", "parts[0] + parts[1]")]
)
def test_a_batch_can_be_set_although_the_example_has_one(tmp_path, module_file, arguments, total):
    body = HEADS.replace("ARGUMENTS", arguments).replace("SUM", total)
    body += "def build():\n    return Net(), (torch.rand(1, 5, 16), torch.rand(1, 5, 16))\n"
    subject = read_here(tmp_path / "run", module_file(body))
    assert [port.shape for port in subject.ports] == [(1, 5, 16)] * 2
    assert len({port.name for port in subject.ports}) == 2
    assert subject.batchable
    assert subject.reference is not None


def test_shapes_can_stay_open(tmp_path, module_file):
    body = TWO + "def build():\n    return Net(), (ids, ids.float()), {'ids': (1, -1), 'mask': (1, -1)}\n"
    subject = read_here(tmp_path / "run", module_file(body), data="some.npz")
    assert [port.shape for port in subject.ports] == [(1, None)] * 2
    assert subject.dynamic
    with pytest.raises(InputError, match="needs sizes"):
        read_data(Settings(subject.name), subject)


def test_arguments_that_are_left_out_leave_no_reference(tmp_path, module_file):
    body = TWO.replace("mask, scale=None", "unused=None, mask=None")
    reference = module_file(body + "def build():\n    return Net(), {'ids': ids, 'mask': ids.float()}\n")
    subject = read_here(tmp_path / "run", reference)
    assert [port.name for port in subject.ports] == ["ids", "mask"]
    assert subject.reference is None, "a runner passes inputs by position"


def test_a_module_alone_takes_the_shapes_that_are_given(tmp_path, module_file):
    reference = module_file(LINEAR + "def build():\n    return Net()\n")
    assert read_here(tmp_path / "run", reference, shapes={"x": (1, 16)}).ports[0].shape == (1, 16)
    with pytest.raises(ModelError, match="a module alone") as refused:
        read_here(tmp_path / "run", reference)
    assert "--shape" in refused.value.remedy


@pytest.mark.filterwarnings("ignore")  # of torch.jit, which is deprecated
@pytest.mark.parametrize(
    ("returned", "cause"),
    [
        ("3", "returned an object of type int and no torch.nn.Module"),
        ("()", "returned a tuple of 0"),
        ("(Net(), 1, 2, 3)", "returned a tuple of 4"),
        ("(Net(), 'x')", "Example input 0 .* is an object of type str and no tensor"),
        ("(Net(), {'y': torch.rand(1, 16)})", "do not fit forward"),
        ("(Net(), ())", "do not fit forward"),
        ("(Net(), torch.rand(1, 7))", "does not take its example inputs: RuntimeError: mat1 and mat2"),
        ("(Odd(), torch.rand(1, 7))", "OpenVINO cannot convert the module .* Tracer cannot infer"),
        ("(torch.jit.trace(Net(), torch.rand(1, 16)), torch.rand(1, 16))", "went through torch.jit"),
        ("(torch.compile(Net()), torch.rand(1, 16))", "went through torch.jit or torch.compile"),
        ("(Net(), (torch.rand(1, 16), torch.rand(1, 16)))", "do not fit forward"),
        ("(Net(), torch.rand(1, 16), {'z': (1, 2)})", "gives a shape for 'z'"),
        ("(Net(), torch.rand(1, 16), 5)", "no mapping from input names"),
        ("1 / 0", "raised ZeroDivisionError"),
    ],
)
def test_functions_that_return_something_else(tmp_path, module_file, returned, cause):
    reference = module_file(LINEAR + f"def build():\n    return {returned}\n")
    with pytest.raises(UserError, match=cause) as refused:
        read_here(tmp_path / "run", reference)
    assert refused.value.remedy


def test_references_to_nothing(tmp_path, module_file):
    with pytest.raises(ModelError, match="There is no module 'nowhere_at_all'"):
        read_here(tmp_path / "run", "nowhere_at_all:build")
    reference = module_file(LINEAR).replace(":build", ":biuld")
    with pytest.raises(ModelError, match="has no 'biuld'"):
        read_here(tmp_path / "run", reference)


def test_an_export_is_read_where_its_author_is_trusted(tmp_path, torch_export):
    subject = read_here(tmp_path / "run", torch_export, allow_pickle=True)
    assert subject.framework == "PyTorch"
    assert subject.ports[0].shape == (1, WIDTH)
    assert subject.reference == Variant("PyTorch", runtime=PyTorch(), model=str(torch_export))


def test_without_pytorch_a_module_is_refused(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(EnvironmentMissing, match="PyTorch is not installed"):
        read_here(tmp_path, "some.module:build")
