import pytest

from optguide.cli.variants import assign, canonical, for_runtime, to_variant
from optguide.errors import OptionError


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
        {"shape.x": "0,2"},
        {"shape.x": "1,-1"},
        {"shape.x": "1,,2"},
        {"shape.x": "?,2"},
    ],
)
def test_numbers_that_cannot_be_are_refused(settings):
    with pytest.raises(OptionError):
        to_variant("v", "m.xml", settings)
