from pathlib import Path

import pytest

from optguide.cli.variants import (
    Spec,
    assign,
    build,
    canonical,
    common_settings,
    for_runtime,
    labels,
    parse,
    to_variant,
)
from optguide.errors import InputError, ModelError, OptionError
from optguide.isolated import IsolatedEnvironment


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
    ("text", "settings"),
    [
        ("@hint=latency", {"shape.x": "1,16", "shape.y": "1,2", "hint": "latency"}),
        ("@shape.x=4,16", {"shape.x": "4,16", "shape.y": "1,2"}),
        ("@inputs=real.npz", {"inputs": "real.npz"}),
        ("@runtime=torch", {"runtime": "torch"}),
        ("m.onnx", {}),
    ],
)
def test_settings_alone_stand_for_the_shapes_before_too(text, settings):
    found = parse(["m.xml@shape.x=1,16,shape.y=1,2,requests=2", text])
    assert found[1].settings == settings


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


@pytest.mark.parametrize(
    "later", [("nope.xml",), ("m.xml@inputs=nope.npz",), ("m.xml@batch=0",), ("m.xml@openvino=newest",)]
)
def test_nothing_is_installed_where_a_later_variant_is_refused(later, monkeypatch):
    monkeypatch.setattr(IsolatedEnvironment, "create", lambda environment: 1 / 0)
    with pytest.raises((InputError, ModelError, OptionError)):
        build(parse(["m.xml@openvino=2025.4", *later]), {}, allow_pickle=False)


def variant(**settings):
    return to_variant("v", "m.xml", canonical(settings))


def test_pairs_are_split_at_the_first_equals_sign():
    assert assign(["A=1", " b = x=y "], "--set") == {"A": "1", "b": "x=y"}


@pytest.mark.parametrize("pair", ["A", "=1", "A=", "", " "])
def test_a_pair_needs_name_and_value(pair):
    with pytest.raises(OptionError, match="KEY=VALUE"):
        assign([pair], "--set")


def test_nothing_is_set_twice():
    with pytest.raises(OptionError, match="--set sets A twice"):
        assign(["A=1", "A=2"], "--set")


def test_shorthands_are_properties():
    assert canonical({"hint": "cumulative", "precision-hint": "f32", "NUM_STREAMS": "2"}) == {
        "PERFORMANCE_HINT": "CUMULATIVE_THROUGHPUT",
        "INFERENCE_PRECISION_HINT": "f32",
        "NUM_STREAMS": "2",
    }


@pytest.mark.parametrize(
    ("key", "complaint"), [("hnt", "Did you mean hint"), ("Num_Streams", "in capitals"), ("shape.", "shape")]
)
def test_unknown_names_are_refused(key, complaint):
    with pytest.raises(OptionError, match=complaint):
        canonical({key: "1"})


def test_an_own_setting_wins_over_a_common_one():
    common, own = canonical({"hint": "throughput", "device": "GPU"}), canonical({"hint": "none"})
    found = to_variant("v", "m.xml", for_runtime("openvino", common, own))
    assert found.openvino.properties == {}
    assert found.openvino.requests is None
    assert found.openvino.device == "GPU"


def test_common_settings_of_openvino_do_not_reach_other_runtimes():
    common = canonical({"device": "GPU", "hint": "latency", "threads": "2", "shape.x": "1,2"})
    found = for_runtime("onnxruntime", common, {"runtime": "onnxruntime"})
    assert found == {"threads": "2", "shape.x": "1,2", "runtime": "onnxruntime"}


@pytest.mark.parametrize("key", ["batch", "requests"])
def test_what_changes_the_work_is_not_left_out_silently(key):
    with pytest.raises(OptionError, match=f"model.xml@{key}=4"):
        for_runtime("onnxruntime", {key: "4"}, {})


@pytest.mark.parametrize(("runtime", "key"), [("onnxruntime", "NUM_STREAMS"), ("torch", "shape.x")])
def test_other_runtimes_refuse_settings_they_lack(runtime, key):
    with pytest.raises(OptionError, match=f"{runtime} has no setting {key}"):
        for_runtime(runtime, {}, {key: "2"})


@pytest.mark.parametrize("runtime", ["function", "tensorflow", "foo"])
def test_only_runtimes_that_a_command_line_can_give(runtime):
    with pytest.raises(OptionError, match="There is no runtime"):
        for_runtime(runtime, {}, {})


@pytest.mark.parametrize(
    ("settings", "requests"),
    [
        ({}, None),
        ({"hint": "latency"}, None),
        ({"hint": "throughput"}, 0),
        ({"hint": "cumulative"}, 0),
        ({"hint": "throughput", "requests": "sync"}, None),
        ({"requests": "auto"}, 0),
        ({"hint": "throughput", "requests": "3"}, 3),
    ],
)
def test_requests_follow_the_hint_unless_given(settings, requests):
    assert variant(**settings).openvino.requests == requests


def test_everything_arrives_in_the_variant():
    found = variant(device="AUTO:GPU,CPU", batch="8", threads="2", inputs="a.npz,b.npz", NUM_STREAMS="1")
    assert found.openvino.device == "AUTO:GPU,CPU"
    assert (found.openvino.batch, found.openvino.threads) == (8, 2)
    assert found.inputs == ("a.npz", "b.npz")
    assert found.openvino.properties == {"NUM_STREAMS": "1"}
    assert to_variant("v", "m.xml", {"shape.a.b": "1, 3,224"}).openvino.shapes == {"a.b": (1, 3, 224)}


@pytest.mark.parametrize(
    "settings",
    [
        {"batch": "0"},
        {"batch": "two"},
        {"threads": "-1"},
        {"threads": "1.5"},
        {"requests": "0"},
        {"requests": "many"},
        {"shape.x": "a,2"},
        {"shape.x": "1,-1"},
        {"shape.x": "1,,2"},
        {"shape.x": "?,2"},
    ],
)
def test_numbers_that_cannot_be_are_refused(settings):
    with pytest.raises(OptionError):
        to_variant("v", "m.xml", settings)


@pytest.mark.parametrize(
    ("described", "expected"),
    [
        ([("a/model.xml", {})], ["model"]),
        ([("a/model.xml", {"hint": "latency"})], ["model, hint=latency"]),
        ([("fp32.xml", {}), ("int8.xml", {})], ["fp32", "int8"]),
        ([("m.xml", {}), ("m.onnx", {})], ["m.xml", "m.onnx"]),
        ([("a/m.xml", {}), ("b/m.xml", {}), ("c.xml", {})], ["a/m.xml", "b/m.xml", "c.xml"]),
        ([("/m.xml", {}), ("m.xml", {})], ["//m.xml", "m.xml"]),
        ([("m.xml", {}), ("m.xml", {"requests": "4"})], ["m", "requests=4"]),
        (
            [("m.xml", {"device": "CPU", "requests": "1"}), ("m.xml", {"device": "CPU", "requests": "4"})],
            ["requests=1", "requests=4"],
        ),
        ([("a.xml", {"K": "1"}), ("b.xml", {"K": "1"})], ["a", "b"]),
        ([("a.xml", {"K": "1"}), ("b.xml", {"K": "2"})], ["a, K=1", "b, K=2"]),
        ([("m.xml", {}), ("m.xml", {}), ("m.xml", {})], ["m", "m (2)", "m (3)"]),
        ([("m.xml", {"name": "one"}), ("m.xml", {"requests": "2", "name": "two"})], ["one", "two"]),
        ([("m.onnx", {}), ("pkg.mod:build", {"runtime": "torch"})], ["m", "build, runtime=torch"]),
        ([("models/v1/", {}), ("models/v2/", {})], ["v1", "v2"]),
    ],
)
def test_names_are_short_and_say_what_differs(described, expected):
    assert labels([Spec(model, settings) for model, settings in described]) == expected
