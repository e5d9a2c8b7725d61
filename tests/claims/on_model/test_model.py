from pathlib import Path

import pytest

from optguide.bench import process
from optguide.bench.variant import Variant
from optguide.claims.on_model.model import examine
from optguide.errors import DeviceError, InputError, ModelError
from optguide.runtimes.openvino import OpenVINO
from tests import in_process


@pytest.fixture
def here(monkeypatch):
    """Nothing is started."""
    monkeypatch.setattr(process, "call", in_process.call)


def test_an_ir_is_looked_at(ir, tmp_path):
    model = examine(Variant("linear", model=ir), None, tmp_path)
    assert model.ir == str(ir)
    assert (model.suffix, model.dynamic, model.batch) == (".xml", False, 1)
    assert (dict(model.shapes), model.input_bytes) == ({"x": (1, 16)}, 64)
    assert model.requests >= 1
    assert 0 < model.inference < model.loading
    assert model.on_cpu
    assert Path(model.drawn[0]).is_file()


@pytest.mark.usefixtures("here")
def test_a_dynamic_onnx_model_gets_its_shapes_and_an_ir(dynamic_onnx_model, tmp_path):
    model = examine(
        Variant("linear", model=dynamic_onnx_model, runtime=OpenVINO(shapes={"x": (3, 16)})), None, tmp_path
    )
    assert Path(model.ir) == tmp_path / "model.xml"
    assert Path(model.ir).is_file()
    assert (model.suffix, model.dynamic, model.batch) == (".onnx", True, 3)
    assert dict(model.shapes) == {"x": (3, 16)}


@pytest.mark.usefixtures("here")
def test_inputs_of_the_reader_are_kept(dynamic_ir, inputs, tmp_path):
    model = examine(Variant("linear", model=dynamic_ir, inputs=(inputs,)), None, tmp_path)
    assert model.drawn == (str(inputs),)
    assert dict(model.shapes) == {"x": (1, 16)}


@pytest.mark.usefixtures("here")
def test_what_cannot_be_used_is_told(ir, open_ir, tmp_path):
    with pytest.raises(InputError, match="dynamic shape"):
        examine(Variant("open", model=open_ir), None, tmp_path)
    with pytest.raises(DeviceError, match=r"There is no device 'GPU\.7'"):
        examine(Variant("linear", model=ir, runtime=OpenVINO(device="GPU.7")), None, tmp_path)
    broken = tmp_path / "broken.xml"
    broken.write_text("<net>")
    with pytest.raises(ModelError, match=r"broken\.xml cannot be read"):
        examine(Variant("broken", model=broken), None, tmp_path)
