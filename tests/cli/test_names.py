import pytest

from optguide.cli.variants import Spec, labels


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
