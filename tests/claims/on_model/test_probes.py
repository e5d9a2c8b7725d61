from dataclasses import replace
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest

from optguide.bench import process
from optguide.bench.cold_start import STAGES, ColdStart, first_inference
from optguide.bench.session import measure
from optguide.bench.variant import Variant
from optguide.claims.on_model import probe as probing
from optguide.claims.on_model.model import errors, examine
from optguide.claims.on_model.probe import SessionProbe
from optguide.claims.on_model.probes import ERROR, EXACTNESS, PROBES, STARTS
from optguide.errors import WorkerDied
from optguide.records import Result
from optguide.stats.comparison import Comparison
from optguide.stats.estimate import Estimate
from tests import in_process
from tests.optimize.simulated import Machine

SESSIONS = {probe.title: probe for probe in PROBES if isinstance(probe, SessionProbe)}


@pytest.fixture(scope="module", autouse=True)
def here():
    """No process is started."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(process, "call", in_process.call)
        patch.setattr(probing, "measure", partial(measure, host=in_process.HERE))
        yield


@pytest.fixture(scope="module")
def model(ir, tmp_path_factory):
    """An IR that is its own INT8 model."""
    return examine(Variant("linear", model=ir), str(ir), tmp_path_factory.mktemp("own"))


@pytest.fixture(scope="module")
def onnx_model(dynamic_onnx_model, inputs, tmp_path_factory):
    """An ONNX model with a dynamic batch and inputs of the reader."""
    plain = Variant("linear", model=dynamic_onnx_model, inputs=(inputs,))
    return examine(plain, None, tmp_path_factory.mktemp("own-onnx"))


@pytest.mark.parametrize("title", SESSIONS)
def test_all_variants_of_a_session_run(title, model, onnx_model):
    """Every ratio finds its two variants, under different names."""
    probe = SESSIONS[title]
    suits_onnx = title in ("shapes", "runtimes")
    if title == "runtimes":
        pytest.importorskip("onnxruntime")
    chosen = onnx_model if suits_onnx else model
    variants = probe.variants(chosen)
    assert len({variant.name for variant in variants.values()}) == len(variants)
    for ratio in probe.ratios:
        assert {ratio.base, ratio.better} <= variants.keys()
        assert probe.obstacle(ratio.result, chosen) == "" or "megabytes" in probe.obstacle(
            ratio.result, chosen
        )
    first, *others = variants.values()
    with in_process.WorkerHere(first, *others) as worker:
        for slot in range(len(variants)):
            worker.load(slot)
            assert worker.first_call(slot).outputs[0].size
            worker.ask(60, do="block", slot=slot, seconds=0.01, discard=0.0)


def test_a_session_measures_what_is_wanted_and_nothing_else(model, monkeypatch):
    probe = SESSIONS["precisions"]
    wanted = ["model.int8_over_f32"]
    assert probe.minimum_seconds(wanted, model) < probe.minimum_seconds(probe.results, model)
    machine = Machine(lambda variant: {"INT8": 0.001, "f32": 0.002}[variant.name])
    monkeypatch.setattr(probing, "measure", machine.measure)
    found = probe.run(wanted, model, 30.0, "test")
    assert found.keys() == set(wanted)
    result = found["model.int8_over_f32"]
    assert isinstance(result, Result)
    assert (result.label, result.unit) == ("INT8 against f32, latency", "ratio")
    assert result.low <= result.value <= result.high
    assert result.value == pytest.approx(2, rel=0.1)


def test_ways_of_calling_differ_in_nothing_but_the_call(model):
    variants = SESSIONS["calls"].variants(model)
    first, *others = variants.values()
    with in_process.WorkerHere(first, *others) as worker:
        outputs = []
        for slot in range(len(variants)):
            worker.load(slot)
            outputs.append(worker.first_call(slot).outputs[0])
    for other in outputs[1:]:
        np.testing.assert_array_equal(outputs[0], other)


def test_a_batch_takes_the_readers_inputs_several_times(onnx_model):
    batch = SESSIONS["batches"].variants(onnx_model)["batch"]
    given = np.load(onnx_model.plain.inputs[0])["x"]
    (file,) = batch.inputs
    np.testing.assert_array_equal(np.load(file)["x"], np.repeat(given, 4, axis=0))


def test_a_model_that_cannot_be_batched_leaves_a_reason(tmp_path, save_ir):
    path = save_ir(tmp_path / "fixed.xml", [1, 8], lambda ops, x: ops.reshape(x, [2, 4], False))
    model = examine(Variant("fixed", model=path), None, tmp_path)
    found = SESSIONS["batches"].run(["model.batch.streams_over_batch"], model, 3.0, "test")
    assert "cannot take a batch of 4" in found["model.batch.streams_over_batch"]


def test_obstacles(model, onnx_model):
    by_result = {result: probe for probe in PROBES for result in probe.results}

    def why(result, of):
        return by_result[result].obstacle(result, of)

    assert "no INT8 model" in why("model.int8_over_f32", onnx_model)
    assert why("model.int8_over_f32", model) == ""
    assert "no ONNX file" in why("model.start.ir_over_onnx", model)
    assert why("model.start.ir_over_onnx", onnx_model) == ""
    assert "static" in why("model.static_over_dynamic", model)
    assert "megabytes" in why("model.calls.shared_over_copied", model)
    assert why("model.calls.shared_over_copied", replace(model, input_bytes=2**20)) == ""
    assert "takes 8 inputs" in why("model.batch.streams_over_batch", replace(model, batch=8))
    assert "6 sets of inputs" in why(ERROR, onnx_model)
    gpu = replace(model, plain=model.plain.with_("linear", device="GPU"))
    behind_auto = replace(model, plain=model.plain.with_("linear", device="AUTO:CPU"))
    for elsewhere in (gpu, behind_auto):
        assert "about the CPU" in why("model.streams.more", elsewhere)
        assert "about the CPU" in why(ERROR, elsewhere)
    assert why("model.sync.none_over_latency", gpu) == ""


def test_starts_of_an_onnx_model(onnx_model, monkeypatch):
    host = Machine(lambda variant: 0.001).host
    monkeypatch.setattr(probing, "first_inference", partial(first_inference, host=host))
    wanted = ["model.start.ir_over_onnx", "model.start.first_over_steady"]
    found = STARTS.run(wanted, onnx_model, 0.1, "test")  # six starts of each, whatever time there is
    assert found.keys() == set(wanted)
    assert all(isinstance(result, Result) and result.n == 6 for result in found.values())


def test_an_ir_is_started_once_for_both_of_its_names(model):
    least = STARTS.minimum_seconds(["model.start.mapped_over_copied", "model.start.first_over_steady"], model)
    assert least == pytest.approx(12 * (model.loading + 12 * model.inference))


def test_starts_fill_the_cache_before_they_count(model, monkeypatch):
    filled, real = [], partial(first_inference, host=in_process.HERE)

    def start(variants, repeats, **options):
        if repeats == 1:
            return real(variants, repeats, **options)
        filled.append(list((model.folder / "cache").glob("*.blob")))
        stages = dict.fromkeys(STAGES, 1.0)
        return ColdStart({variant.name: (stages,) * repeats for variant in variants}, {})

    monkeypatch.setattr(probing, "first_inference", start)
    found = STARTS.run(["model.start.cached_over_compiled"], model, 0.1, "test")
    assert isinstance(found["model.start.cached_over_compiled"], Result)
    (blobs,) = filled
    assert blobs


def test_exactness_of_equal_precisions_is_nothing(model):
    pinned = replace(model, plain=model.plain.with_("f32", properties={"INFERENCE_PRECISION_HINT": "f32"}))
    result = EXACTNESS.run([ERROR], pinned, 1.0, "test")[ERROR]
    assert isinstance(result, Result)
    assert (result.value, result.low, result.unit, result.n) == (0.0, 0.0, "share", 12)
    assert result.high < 1e-12


def test_errors_are_of_each_input_set(model, inputs, save_inputs, tmp_path):
    other = save_inputs(tmp_path / "other.npz", x=np.random.default_rng(5).standard_normal((1, 16)))
    given = model.plain.with_("given", inputs=(inputs, other, inputs))
    found = errors(given.to_dict(), draws=5)
    assert len(found) == 3
    assert found[0] == found[2]
    assert len(errors(model.plain.to_dict(), draws=5)) == 5


def test_the_one_named_first_is_the_better_one(model, monkeypatch):
    """Above one, it takes less time than the other; in sessions and in starts."""

    def session(variants, budget, label):
        def compare(a, b, quantity):
            gains = {"default precision": 3.0, "f32": 1.0}
            return Comparison(a, b, quantity, Estimate(gains[b] / gains[a], 1.0, 4.0, "ratio", 9))

        return SimpleNamespace(compare=compare, others_share=0.5, rounds=9, seconds=1.0)

    monkeypatch.setattr(probing, "measure", session)
    result = SESSIONS["precisions"].run(["model.default_over_f32"], model, 9.0, "test")
    found = result["model.default_over_f32"]
    assert (found.value, found.label) == (3.0, "default precision against f32, latency")
    assert found.evidence["others_share"] == 0.5

    def starts(variants, repeats, **options):
        slow = {"import": 5, "read": 20, "compile": 20, "first": 8, "second": 4, "steady": 2}
        quick = {**slow, "read": 5, "compile": 5}
        names = [variant.name for variant in variants]
        return ColdStart({name: (slow if name == "weights copied" else quick,) * 6 for name in names}, {})

    monkeypatch.setattr(probing, "first_inference", starts)
    found = STARTS.run(list(STARTS.results), model, 60.0, "test")
    expected = {"mapped_over_copied": 4.0, "first_over_steady": 4.0, "second_over_steady": 2.0}
    for name, value in expected.items():
        assert found[f"model.start.{name}"].value == pytest.approx(value)


def test_a_failed_session_gives_all_results_its_reason(model, monkeypatch):
    def session(*_, **__):
        raise WorkerDied("The worker was killed.")

    monkeypatch.setattr(probing, "measure", session)
    wanted = ["model.default_over_f32", "model.int8_over_f32"]
    assert SESSIONS["precisions"].run(wanted, model, 9.0, "test") == dict.fromkeys(
        wanted, "The worker was killed."
    )
