"""``optguide profile`` from end to end."""

import importlib
import json

import numpy as np
import pytest

from optguide.bench.layers import LayerTimes, Round
from optguide.bench.series import InputDescription
from tests.cli.json_shapes import golden, keys

SHORT = ("--budget", "300ms")


@pytest.fixture(scope="module")
def ir(tmp_path_factory, save_ir):
    """Three layers of different kinds, the first two long enough to be counted."""

    def body(ops, x):
        weights = np.random.default_rng(0).standard_normal((1024, 1024), dtype=np.float32)
        return ops.softmax(
            ops.matmul(
                ops.mvn(ops.matmul(x, weights, False, False), np.array([1]), True, 1e-5, "inside_sqrt"),
                weights,
                False,
                False,
            ),
            1,
        )

    return save_ir(tmp_path_factory.mktemp("profile") / "network.xml", [16, 1024], body)


@pytest.mark.usefixtures("processes")
def test_the_layers_of_one_model(optguide, ir):
    found = optguide("profile", ir, *SHORT)
    assert (found.status, found.err.count("Error")) == (0, 0)
    assert "network: the slowest layers (95 % interval)" in found.out
    assert "network: by kind and precision" in found.out
    assert "FullyConnected" in found.out
    assert "inferences counted in" in found.out
    assert "Inputs: random values for x float32 [16,1024]." in found.out


@pytest.mark.usefixtures("simulated")
def test_two_variants_are_compared_by_kind(optguide, ir):
    found = optguide("profile", ir, "@INFERENCE_PRECISION_HINT=f32,name=[red]pinned", *SHORT)
    assert found.status == 0
    assert "[red]pinned against network: above 1 is better" in found.out
    assert "in f32" in found.out


def test_json_has_every_layer_with_its_share(optguide, ir):
    found = optguide("profile", ir, "@INFERENCE_PRECISION_HINT=f32", *SHORT, "--json", "--top", "1")
    data = json.loads(found.out)
    assert keys(data) == golden("profile")
    assert data["command"] == "profile"
    first, pinned = data["variants"]
    assert len(pinned["layers"]) > 1
    assert {layer["precision"] for layer in pinned["layers"]} == {"f32"}
    shares = [layer["share"] for layer in first["layers"]]
    assert all(0 <= share["low"] <= share["value"] <= share["high"] <= 1 for share in shares)
    assert sum(kind["layers"] for kind in first["kinds"]) == len(first["layers"])
    assert data["comparisons"][0]["variant"] == pinned["name"]
    assert set(data["comparisons"][0]["kinds"]) >= {"FullyConnected"}


@pytest.fixture
def counted(monkeypatch):
    """Three layers that take six, three and one tenth of the time."""
    names = ("MatMul", "MVN", "Softmax")
    rounds = [Round(dict(zip(names, (6.0 * n, 3.0 * n, 1.0 * n), strict=True)), 20.0, 9) for n in range(1, 8)]
    described = {"network": {name: {"kind": name, "precision": "f32", "origin": []} for name in names}}
    counted = LayerTimes(
        {"network": tuple(rounds)},
        described,
        {},
        effective={"network": {}},
        versions={"openvino": "2025.4.0-1-abc and 2026.4.0-2-def"},
        inputs={"network": InputDescription()},
    )
    monkeypatch.setattr(importlib.import_module("optguide.cli.profile"), "layers", lambda *_, **__: counted)


@pytest.mark.usefixtures("counted")
def test_shares_of_all_layers_are_the_whole(optguide, ir):
    (variant,) = json.loads(optguide("profile", ir, *SHORT, "--json").out)["variants"]
    assert [layer["share"]["value"] for layer in variant["layers"]] == pytest.approx([0.6, 0.3, 0.1])


@pytest.mark.usefixtures("counted")
def test_the_last_row_holds_what_is_not_listed(optguide, ir):
    assert "other layers" not in optguide("profile", ir, *SHORT).out
    assert " other layers" in optguide("profile", ir, *SHORT, "--top", "1").out


@pytest.mark.usefixtures("counted")
def test_releases_are_named_without_their_builds(optguide, ir):
    assert "openvino 2025.4.0 and 2026.4.0." in " ".join(optguide("profile", ir, *SHORT).out.split())


def test_another_runtime_has_no_layers_and_the_others_are_counted(optguide, ir, onnx_model):
    pytest.importorskip("onnxruntime")
    found = optguide("profile", ir, f"{onnx_model}@runtime=onnxruntime,name=ort", *SHORT)
    assert found.status == 2
    assert "network: the slowest layers" in found.out
    assert (
        "'ort' was not measured: Layers are counted by OpenVINO, and 'ort' runs on onnxruntime." in found.err
    )


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("--top", "0"), "--top 0 lists no layer."),
        (("--budget", "0s"), "'0s' is no time at all."),
        (("--requests", "4"), "Layers are counted one inference after another, so requests would change"),
        (("@requests=4",), "Layers are counted one inference after another, so requests would change"),
        (("@NO_SUCH_PROPERTY=1", "--budget", "100ms"), "NO_SUCH_PROPERTY"),
    ],
)
def test_a_wrong_call(optguide, ir, arguments, complaint):
    found = optguide("profile", ir, *arguments)
    assert found.status == 2
    assert complaint in found.err
