import json

import pytest

from optguide.claims import Verdict
from optguide.claims import on_model as own
from optguide.claims.on_model import load
from optguide.records import Result
from tests.cli.json_shapes import golden, keys


@pytest.mark.slow
@pytest.mark.usefixtures("processes")
def test_verdicts_on_a_model(optguide, ir):
    only = ("--only", "async-does-not-shorten-an-inference", "--only", "int8-is-faster-than-f32")
    found = optguide("claims", ir, *only, "--budget", "30s")
    assert found.status == 0, found.err
    assert "The guide's claims on linear" in found.out
    assert "async-does-not-shorten-an-inference, on the page deploy/async-api" in found.out
    assert "start and wait against infer, latency: " in found.out
    assert "There is no INT8 model to compare with." in found.out
    assert "2 claims: " in found.out
    assert "1 not measurable here" in found.out


@pytest.fixture
def prepared(monkeypatch):
    """Verdicts without measuring; what they were asked for is kept."""
    asked = {}

    def prepare(outcome, results=None):
        def evaluate_model(model, seconds, **options):
            asked.update(options, model=model, seconds=seconds)
            return tuple(Verdict.on(claim, outcome, ["Because."], results) for claim in load())

        monkeypatch.setattr(own, "evaluate_model", evaluate_model)
        return asked

    return prepare


def test_refuted_claims_are_no_error(optguide, prepared, ir):
    asked = prepared("refuted")
    found = optguide("claims", ir)
    assert found.status == 0
    assert f"{len(load())} claims: {len(load())} refuted." in found.out
    assert (asked["seconds"], asked["only"], asked["model"].openvino.device) == (120.0, None, "CPU")


def test_json(optguide, prepared, ir):
    prepared("confirmed")
    data = json.loads(optguide("claims", ir, "--budget", "1m", "--json").out)
    assert keys(data) == golden("claims MODEL")
    assert (data["command"], data["variant"]["model"], data["int8"]) == ("claims", str(ir), None)
    assert (data["budget"], data["counts"]) == ({"seconds": 60.0}, {"confirmed": len(load())})
    assert [claim["id"] for claim in data["claims"]] == [claim.id for claim in load()]
    assert data["claims"][0]["reasons"] == ["Because."]
    assert data["machine"]["devices"]


def test_a_busy_machine_is_told(optguide, prepared, ir):
    quiet, busy = (
        Result(2.0, 1.5, 2.5, "ratio", 7, evidence={"others_share": share}) for share in (0.01, 0.6)
    )
    prepared("confirmed", {"model.a": quiet, "model.b": Result(2.0, 1.5, 2.5, "ratio", 7)})
    assert "Warning" not in optguide("claims", ir).err
    prepared("confirmed", {"model.a": quiet, "model.b": busy})
    found = optguide("claims", ir)
    assert "60 %" in found.err
    assert "busy machine" in found.err


def test_options_arrive(optguide, prepared, ir, inputs):
    asked = prepared("confirmed")
    optguide(
        *("claims", ir, "--inputs", inputs, "--shape", "x=1,16", "--device", "AUTO:CPU", "--int8", ir),
        *("--budget", "5m", "--only", "pinning-helps"),
    )
    assert (asked["model"].model, asked["int8"], asked["model"].inputs) == (str(ir), str(ir), (str(inputs),))
    assert (asked["model"].openvino.shapes, asked["model"].openvino.device) == ({"x": (1, 16)}, "AUTO:CPU")
    assert (asked["seconds"], list(asked["only"])) == (300.0, ["pinning-helps"])


def test_a_budget_in_which_nothing_can_be_tried(optguide, ir):
    found = optguide("claims", ir, "--budget", "10ms")
    assert (found.status, found.out) == (2, "")
    assert "In 10.0 ms, none of the claims could be tried. It takes about" in found.err
    assert "Give a larger --budget" in found.err


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["missing.xml"], "There is no model 'missing.xml'."),
        (["{ir}", "--int8", "missing.xml"], "There is no model 'missing.xml'."),
        (["{ir}", "--inputs", "missing.npz"], "There is no input file 'missing.npz'."),
        (["{ir}", "--inputs", "{ir}"], "is not an .npz file."),
        (["{ir}", "--only", "pinning-help"], "Did you mean pinning-helps?"),
        (["{ir}", "--device", "NPU.9"], "There is no device 'NPU.9' here"),
        (["{ir}", "--shape", "x=1,-1"], "x=1,-1 is no static shape."),
        (["{ir}", "--shape", "y=1,16"], "The model has no input 'y'"),
        (["{open_ir}"], "Input 'x' has the dynamic shape"),
        (["{ir}", "--budget", "0s"], "'0s' is no time at all."),
        (["{ir}", "--budget", "soon"], "'soon' is not a duration."),
        (["{ir}", "--records", "build"], "--records is about the guide's own measurements"),
        (["model.pt2"], "Claims cannot be tried on model.pt2."),
    ],
)
def test_calls_that_have_to_change(optguide, ir, open_ir, arguments, complaint):
    found = optguide("claims", *(text.format(ir=ir, open_ir=open_ir) for text in arguments))
    assert (found.status, found.out) == (2, "")
    assert complaint in found.err
    assert found.err.splitlines()[-1].startswith("Error: ")


def test_another_measurement_keeps_it_waiting(optguide, ir, monkeypatch):
    from optguide.errors import Busy

    def taken(*_):
        raise Busy("Another measurement is running.", "Wait for it to end.")

    monkeypatch.setattr("optguide.cli.claims.machine_held", taken)
    assert optguide("claims", ir).status == 1
