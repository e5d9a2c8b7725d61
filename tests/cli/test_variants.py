from pathlib import Path

import pytest

from optguide.cli.variants import Spec, build, common_settings, parse
from optguide.errors import InputError, ModelError, OptionError


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """A current folder with files that stand for models; the command looks at names before contents."""
    monkeypatch.chdir(tmp_path)
    for name in ("m.xml", "m.onnx", "at@home=1.xml"):
        Path(name).write_text("something")
    return tmp_path


@pytest.mark.parametrize(
    ("text", "model", "settings"),
    [
        ("m.xml", "m.xml", {}),
        ("m.xml@requests=4", "m.xml", {"requests": "4"}),
        ("m.xml@hint=throughput,NUM_STREAMS=2", "m.xml", {"hint": "throughput", "NUM_STREAMS": "2"}),
        ("m.xml@device=AUTO:GPU,CPU,requests=2", "m.xml", {"device": "AUTO:GPU,CPU", "requests": "2"}),
        ("m.xml@shape.x=1,3,8,8,batch=2", "m.xml", {"shape.x": "1,3,8,8", "batch": "2"}),
        ("at@home=1.xml", "at@home=1.xml", {}),
        ("at@home=1.xml@batch=2", "at@home=1.xml", {"batch": "2"}),
        ("missing@2.xml", "missing@2.xml", {}),
        ("missing.xml@batch=2", "missing.xml", {"batch": "2"}),
    ],
)
def test_a_variant_is_a_model_and_its_settings(text, model, settings):
    assert parse([text]) == (Spec(model, settings),)


def test_settings_alone_stand_for_the_model_before():
    found = parse(["m.xml", "@requests=2", "m.onnx", "@batch=2"])
    assert [spec.model for spec in found] == ["m.xml", "m.xml", "m.onnx", "m.onnx"]


@pytest.mark.parametrize(
    "text", ["@requests=2", "m.xml@", "m.xml@fast", "m.xml@batch=1,batch=2", "m.xml@,a=1"]
)
def test_what_is_not_understood_is_refused(text):
    with pytest.raises(OptionError):
        parse([text])


def test_options_become_settings():
    options = {
        "device": "GPU",
        "hint": "latency",
        "precision_hint": "f32",
        "requests": None,
        "batch": None,
        "threads": "2",
        "inputs": (Path("a.npz"), Path("b.npz")),
        "shapes": ("x=1,2", "y=3"),
        "properties": ("NUM_STREAMS=1",),
    }
    assert common_settings(options) == {
        "device": "GPU",
        "hint": "latency",
        "precision-hint": "f32",
        "threads": "2",
        "inputs": "a.npz,b.npz",
        "shape.x": "1,2",
        "shape.y": "3",
        "NUM_STREAMS": "1",
    }


def test_a_property_is_written_in_capitals():
    with pytest.raises(OptionError, match="capitals"):
        common_settings({"properties": ("num_streams=1",)})


def test_variants_are_built_with_names_and_merged_settings():
    specs = parse(["m.xml", "m.onnx@runtime=onnxruntime", "m.xml@hint=throughput"])
    first, second, third = build(specs, {"device": "AUTO", "threads": "1"}, allow_pickle=False)
    assert [first.name, second.name, third.name] == [
        "m.xml",
        "m.onnx, runtime=onnxruntime",
        "m.xml, hint=throughput",
    ]
    assert (first.openvino.device, second.runtime.name, second.runtime.threads) == ("AUTO", "onnxruntime", 1)
    assert third.openvino.properties == {"PERFORMANCE_HINT": "THROUGHPUT"}


def test_models_and_inputs_are_looked_at_first():
    with pytest.raises(ModelError, match=r"nope\.xml"):
        build(parse(["m.xml", "nope.xml"]), {}, allow_pickle=False)
    with pytest.raises(InputError, match=r"nope\.npz"):
        build(parse(["m.xml"]), {"inputs": "nope.npz"}, allow_pickle=False)
