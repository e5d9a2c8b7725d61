"""``optguide first-inference`` from end to end."""

import json

import pytest

from optguide.errors import InputError
from tests.cli.json_shapes import golden, keys


@pytest.mark.usefixtures("simulated")
def test_stages_and_memory_of_one_model(optguide, ir):
    found = optguide("first-inference", ir)
    assert (found.status, found.err.count("Error")) == (0, 0)
    assert "From a fresh process to the first result: median of 6 starts" in found.out
    for heading in ("Import", "Compile", "Together", "Steady inference", "First result: private"):
        assert heading in found.out
    assert "Against" not in found.out
    assert "Inputs: random values for x float32 [1,16]." in found.out


def test_a_warm_cache_is_another_variant_that_is_compared(optguide, ir, inputs):
    found = optguide("first-inference", ir, "--cache", "--inputs", inputs, "--json")
    assert found.status == 0
    data = json.loads(found.out)
    assert keys(data) == golden("first-inference")
    assert data["command"] == "first-inference"
    plain, cached = data["variants"]
    assert (plain["name"], cached["name"]) == ("linear", "linear, cached")
    assert "cache_dir" in cached["variant"]
    assert plain["inputs"] == {"random": False, "shapes": {"x": ["float32", 1, 16]}, "notes": []}
    assert plain["stages"]["total"]["n"] == 6
    assert plain["stages"]["total"]["unit"] == "ms"
    assert len(plain["runs"]) == 6
    assert plain["memory"]["first"]["peak"]["value"] >= plain["memory"]["load"]["peak"]["value"] * 0.99
    (against,) = data["comparisons"]
    assert against["total"]["verdict"] in ("faster", "slower", "no difference", "inconclusive")
    assert against["memory"]["ratio"]["unit"] == "ratio"
    assert data["failures"] == data["warnings"] == []


def test_the_others_are_started_when_one_fails(optguide, simulated, ir, open_ir):
    simulated.failing["open"] = InputError("Input 'x' has the dynamic shape [1,?].")
    found = optguide("first-inference", ir, open_ir)
    assert found.status == 2
    assert "linear" in found.out
    assert found.err.count("Error: 'open' was not measured: Input 'x' has the dynamic shape") == 1


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("--repeats", "5"), "5 starts are too few for an interval. Use --repeats 6 or more."),
        (("--requests", "2"), "A first inference is a single call, so requests would change nothing."),
        (("--cache", "--set", "CACHE_DIR=x"), "CACHE_DIR is set, and --cache sets it too."),
        (("missing.xml",), "There is no model 'missing.xml'."),
    ],
)
def test_a_wrong_call(optguide, ir, arguments, complaint):
    found = optguide("first-inference", ir, *arguments)
    assert (found.status, found.out) == (2, "")
    assert complaint in found.err


def test_only_openvino_has_a_cache(optguide, onnx_model):
    pytest.importorskip("onnxruntime")
    found = optguide("first-inference", f"{onnx_model}@runtime=onnxruntime", "--cache")
    assert (found.status, found.out) == (2, "")
    assert "Only OpenVINO has a model cache." in found.err
