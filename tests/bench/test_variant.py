from __future__ import annotations

import base64
import json
import pickle
import subprocess
import sys
from pathlib import Path

import cloudpickle
import pytest

from optguide.bench.variant import Variant
from optguide.errors import OptionError
from optguide.runtimes.onnxruntime import ONNXRuntime
from optguide.runtimes.openvino import OpenVINO
from optguide.runtimes.torch import PyTorch

FACTOR = 3


def triple():
    return lambda: [FACTOR * 14]


def multiply(number):
    return lambda: lambda: [number * 14]


def call_elsewhere(variant):
    """What the variant's callable returns in a process that knows nothing of this module."""
    code = "import base64, sys, cloudpickle; print(cloudpickle.loads(base64.b64decode(sys.argv[1]))()()[0])"
    done = subprocess.run(
        [sys.executable, "-I", "-c", code, variant.runtime.function],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(sys.executable).parent,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_plain_data_only():
    variant = Variant(
        "OpenVINO",
        model=Path("model.xml"),
        inputs=(Path("inputs.npz"),),
        runtime=OpenVINO(properties={"NUM_STREAMS": 2}, shapes={"x": [1, 3]}),
    )
    data = variant.to_dict()
    assert json.loads(json.dumps(data))["model"] == "model.xml"
    assert data["inputs"] == ("inputs.npz",)
    assert data["properties"] == {"NUM_STREAMS": "2"}
    assert data["shapes"] == {"x": (1, 3)}
    assert Variant.from_dict(json.loads(json.dumps(data))) == variant


def test_evidence_is_what_differs_from_nothing():
    evidence = Variant("f", model="model.xml").to_dict(evidence=True)
    assert evidence == {
        "name": "f",
        "runtime": "openvino",
        "model": "model.xml",
        "device": "CPU",
        "feed": "each",
        "seed": 0,
    }
    with_function = Variant.from_function("f", lambda: lambda: 1).to_dict(evidence=True)
    assert with_function["function"] == "the function in the example"


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"name": ""}, "needs a name"),
        ({"name": "a", "requests": -1}, "-1 infer requests"),
        ({"name": "a", "batch": 0}, "batch 0"),
        ({"name": "a", "threads": 0}, "threads 0"),
        ({"name": "a", "cores": 0}, "cores 0"),
        ({"name": "a", "quota": 0}, "A quota of 0 cores"),
        ({"name": "a", "quota": float("nan")}, "A quota of nan cores"),
        ({"name": "a", "single_call": True, "batch": 2}, "keeps its shapes"),
        ({"name": "a", "model": "m.blob", "shapes": {"x": (1, 16)}}, "has been compiled"),
    ],
)
def test_values_that_cannot_be_used(fields, message):
    with pytest.raises(OptionError, match=message):
        Variant("a").with_(**fields)


def test_requests_of_zero_ask_the_device():
    assert Variant("a", runtime=OpenVINO(requests=0)).openvino.requests == 0


def test_with_changes_a_copy():
    first = Variant("a", runtime=OpenVINO(batch=2, properties={"NUM_STREAMS": "1"}))
    second = first.with_("b", batch=4)
    assert (first.name, first.openvino.batch) == ("a", 2)
    assert (second.name, second.openvino.batch, second.openvino.properties) == ("b", 4, {"NUM_STREAMS": "1"})
    with pytest.raises(OptionError):
        first.with_("c", batch=0)


@pytest.mark.parametrize(
    "make", [triple, lambda: lambda: [FACTOR * 14], multiply(3)], ids=["function", "lambda", "closure"]
)
def test_functions_travel_by_value(make):
    """A function of an importable module, a lambda and a closure, run where this module does not exist."""
    assert call_elsewhere(Variant.from_function("f", make)) == "42"


def test_shipping_a_function_leaves_later_pickles_alone():
    Variant.from_function("f", triple)
    assert pickle.loads(pickle.dumps(triple)) is triple  # noqa: S301 - made in this line
    assert cloudpickle.list_registry_pickle_by_value() == set()


def test_function_variants_carry_their_frames():
    variant = Variant.from_function("f", triple, frames=8, environment={"A": "1"})
    assert (variant.runtime.name, variant.frames, variant.environment) == ("function", 8, {"A": "1"})
    assert base64.b64decode(variant.runtime.function)


@pytest.mark.parametrize(
    "fields",
    [
        {"device": "GPU"},
        {"properties": {"PERFORMANCE_HINT": "LATENCY"}},
        {"precision": "bf16"},
        {"requests": 4},
        {"batch": 2},
        {"shapes": {"x": (1, 2)}},
        {"feed": "preset"},
        {"cache_dir": "cache"},
    ],
)
def test_settings_that_another_runtime_lacks_are_refused(fields):
    torch = Variant("v", model="package.module:function", runtime=PyTorch())
    with pytest.raises(OptionError, match=f"runs on torch, which has no {next(iter(fields))} to set"):
        torch.with_("v", **fields)


def test_a_changed_runtime_comes_before_its_settings():
    variant = Variant("a").with_("b", runtime=ONNXRuntime(shapes={"x": [1, 2]}), threads=2)
    assert variant.runtime == ONNXRuntime(threads=2, shapes={"x": (1, 2)})
    with pytest.raises(OptionError, match="'b' runs on onnxruntime, and this is about OpenVINO"):
        _ = variant.openvino


@pytest.mark.parametrize(
    "runtime", [PyTorch(), PyTorch(compile=True, threads=1), ONNXRuntime(shapes={"x": (1,)})]
)
def test_every_runtime_survives_json(runtime):
    variant = Variant("v", "model", runtime)
    data = json.loads(json.dumps(variant.to_dict()))
    assert data["runtime"] == runtime.name
    assert Variant.from_dict(data) == variant
