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

FACTOR = 3


def triple():
    return lambda: [FACTOR * 14]


def multiply(number):
    return lambda: lambda: [number * 14]


def call_elsewhere(variant):
    """What the variant's callable returns in a process that knows nothing of this module."""
    code = "import base64, sys, cloudpickle; print(cloudpickle.loads(base64.b64decode(sys.argv[1]))()()[0])"
    done = subprocess.run(
        [sys.executable, "-I", "-c", code, variant.function],
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
        properties={"NUM_STREAMS": 2},
        shapes={"x": [1, 3]},
    )
    data = variant.to_dict()
    assert json.loads(json.dumps(data))["model"] == "model.xml"
    assert data["inputs"] == ("inputs.npz",)
    assert data["properties"] == {"NUM_STREAMS": "2"}
    assert data["shapes"] == {"x": (1, 3)}
    assert Variant(**json.loads(json.dumps(data))) == variant


def test_evidence_is_what_differs_from_nothing():
    evidence = Variant("f", runtime="openvino", model="model.xml").to_dict(evidence=True)
    assert evidence == {
        "name": "f",
        "runtime": "openvino",
        "model": "model.xml",
        "device": "CPU",
        "feed": "each",
        "seed": 0,
        "frames": 1,
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
        Variant(**fields)


def test_requests_of_zero_ask_the_device():
    assert Variant("a", requests=0).requests == 0


def test_with_changes_a_copy():
    first = Variant("a", batch=2, properties={"NUM_STREAMS": "1"})
    second = first.with_("b", batch=4)
    assert (first.name, first.batch) == ("a", 2)
    assert (second.name, second.batch, second.properties) == ("b", 4, {"NUM_STREAMS": "1"})
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
    assert (variant.runtime, variant.frames, variant.environment) == ("function", 8, {"A": "1"})
    assert base64.b64decode(variant.function)


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
def test_settings_that_another_runtime_would_ignore_are_refused(fields):
    with pytest.raises(OptionError, match=f"runs on torch, which has no {next(iter(fields))} to set"):
        Variant("v", runtime="torch", model="package.module:function", **fields)


def test_other_runtimes_may_be_said_to_run_in_f32():
    assert Variant("v", runtime="torch", model="package.module:function", precision="f32").precision == "f32"
