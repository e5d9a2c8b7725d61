from pathlib import Path

import pytest

from optguide.bench.variant import Variant
from optguide.claims.on_model.model import look
from optguide.errors import DeviceError, InputError, ModelError
from optguide.runtimes.openvino import OpenVINO


def test_an_ir_is_looked_at(ir, tmp_path):
    subject = look(Variant("linear", model=ir), None, tmp_path)
    assert subject.ir == str(ir)
    assert (subject.suffix, subject.dynamic, subject.batch) == (".xml", False, 1)
    assert (dict(subject.shapes), subject.input_bytes) == ({"x": (1, 16)}, 64)
    assert subject.requests >= 1
    assert 0 < subject.inference < subject.loading
    assert subject.on_cpu
    assert Path(subject.drawn[0]).is_file()


def test_a_dynamic_onnx_model_gets_its_shapes_and_an_ir(dynamic_onnx_model, tmp_path):
    subject = look(
        Variant("linear", model=dynamic_onnx_model, runtime=OpenVINO(shapes={"x": (3, 16)})), None, tmp_path
    )
    assert Path(subject.ir) == tmp_path / "model.xml"
    assert Path(subject.ir).is_file()
    assert (subject.suffix, subject.dynamic, subject.batch) == (".onnx", True, 3)
    assert dict(subject.shapes) == {"x": (3, 16)}


def test_inputs_of_the_reader_are_kept(dynamic_ir, inputs, tmp_path):
    subject = look(Variant("linear", model=dynamic_ir, inputs=(inputs,)), None, tmp_path)
    assert subject.drawn == (str(inputs),)
    assert dict(subject.shapes) == {"x": (1, 16)}


def test_what_cannot_be_used_is_told(ir, dynamic_ir, tmp_path):
    with pytest.raises(InputError, match="dynamic shape"):
        look(Variant("linear", model=dynamic_ir), None, tmp_path)
    with pytest.raises(DeviceError, match=r"There is no device 'GPU\.7'"):
        look(Variant("linear", model=ir, runtime=OpenVINO(device="GPU.7")), None, tmp_path)
    broken = tmp_path / "broken.xml"
    broken.write_text("<net>")
    with pytest.raises(ModelError, match=r"broken\.xml cannot be read"):
        look(Variant("broken", model=broken), None, tmp_path)
