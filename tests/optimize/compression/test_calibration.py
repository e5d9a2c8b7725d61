from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest

pytest.importorskip("nncf")
pytest.importorskip("torch")

from optguide.quiet import no_telemetry, quietly

no_telemetry()

import nncf  # noqa: E402
import openvino  # noqa: E402
import torch  # noqa: E402
from openvino import opset13 as ops  # noqa: E402

from optguide.errors import InputError, ModelError  # noqa: E402
from optguide.optimize.compression.calibration import checked, quantizable  # noqa: E402

WIDTH = 16
RANDOM = np.random.default_rng(0)
WEIGHTS = RANDOM.standard_normal((WIDTH, WIDTH)).astype(np.float32)
SAMPLES = [RANDOM.standard_normal((1, WIDTH)).astype(np.float32) for _ in range(4)]


def graph(shape=(1, WIDTH), dtype=np.float32, body=None):
    x = ops.parameter(list(shape), dtype, name="x")
    x.output(0).set_names({"x"})
    made = body(x) if body else ops.tanh(ops.matmul(x, WEIGHTS, False, False))
    return openvino.Model([made], [x])


def two_inputs():
    x, y = (ops.parameter([1, WIDTH], np.float32, name=name) for name in "xy")
    for port, name in ((x, "x"), (y, "y")):
        port.output(0).set_names({name})
    return openvino.Model([ops.matmul(ops.subtract(x, y), WEIGHTS, False, False)], [x, y])


def quantized(model, samples):
    with quietly():
        return nncf.quantize(model, nncf.Dataset(checked(model, samples)), subset_size=len(samples))


def outputs(model, *arrays):
    return openvino.compile_model(model, "CPU")(arrays)[0]


def error_of(model, samples):
    with pytest.raises(InputError) as caught:
        checked(model, samples)
    assert caught.value.remedy
    return caught.value.message


# What fits


def test_what_was_checked_calibrates():
    model = graph()
    quantizable(model)
    done = quantized(model, SAMPLES)
    assert any(op.get_type_name() == "FakeQuantize" for op in done.get_ops())
    assert outputs(done, SAMPLES[0]) == pytest.approx(outputs(model, SAMPLES[0]), abs=0.1)


@pytest.mark.parametrize(
    "form",
    [
        lambda sample: sample,
        lambda sample: sample.astype(np.float64),
        lambda sample: [sample],
        lambda sample: {"x": sample},
        torch.from_numpy,
        openvino.Tensor,
    ],
)
def test_forms_of_a_sample(form):
    got = checked(graph(), (form(sample) for sample in SAMPLES))
    assert [array.dtype for array in got] == [np.float32] * 4
    assert np.array_equal(np.concatenate(got), np.concatenate(SAMPLES))


def test_several_inputs_come_in_their_order():
    a, b = SAMPLES[:2]
    model = two_inputs()
    for sample in ({"y": b, "x": a}, (a, b), [a, b]):
        ((first, second),) = checked(model, [sample])
        assert np.array_equal(first, a)
        assert np.array_equal(second, b)
    done = quantized(model, [{"y": b, "x": a}, (b, a), [a, b]])
    assert outputs(done, a, b) == pytest.approx(outputs(model, a, b), abs=1)


@pytest.mark.parametrize("shape", [(-1, WIDTH), (openvino.Dimension(1, 8), WIDTH), (-1, -1)])
def test_dynamic_dimensions_take_any_size(shape):
    samples = [np.repeat(SAMPLES[0], count, axis=0) for count in (1, 3, 5)]
    assert [array.shape[0] for array in checked(graph(shape), samples)] == [1, 3, 5]


def test_a_bounded_dimension_keeps_its_bound():
    message = error_of(graph((openvino.Dimension(1, 2), WIDTH)), [np.repeat(SAMPLES[0], 3, axis=0)])
    assert message == "Calibration sample 0 has shape [3, 16], and input 'x' takes [1..2,16]."


def test_an_input_without_a_name_is_called_by_its_node():
    model = graph()
    model.input(0).set_names(set())
    assert len(checked(model, SAMPLES)) == 4
    assert "and input 'x' takes [1,16]" in error_of(model, [SAMPLES[0][0]])
    assert "the model's inputs are x" in error_of(model, [{"y": SAMPLES[0]}])


def test_integers_of_another_width_are_converted():
    def body(x):
        return ops.matmul(ops.gather(WEIGHTS, x, np.int64(0)), WEIGHTS, False, False)

    model = graph((1, 4), np.int64, body)
    (got,) = checked(model, [np.array([[1, 2, 3, 4]], np.int32)])
    assert got.dtype == np.int64
    assert "is of type float32, and input 'x' takes int64" in error_of(model, [np.ones((1, 4), np.float32)])


# What does not fit an OpenVINO model

NAN, INFINITE = SAMPLES[0].copy(), SAMPLES[0].copy()
NAN[0, 3], INFINITE[0, 3] = np.nan, np.inf


@pytest.mark.parametrize(
    ("samples", "message"),
    [
        ([], "There is no calibration data"),
        (iter(()), "There is no calibration data"),
        (None, "of type NoneType, is no sequence of samples"),
        ("data", "of type str, is no sequence"),
        ({"x": SAMPLES[0]}, "of type dict, is no sequence"),
        (nncf.Dataset(SAMPLES), "of type Dataset, is no sequence"),
        ([SAMPLES[0][:, :8]], "sample 0 has shape [1, 8], and input 'x' takes [1,16]"),
        ([SAMPLES[0], SAMPLES[1][0]], "sample 1 has shape [16], and input 'x' takes [1,16]"),
        ([np.repeat(SAMPLES[0], 2, axis=0)], "sample 0 has shape [2, 16]"),
        ([(50 * SAMPLES[0]).astype(np.uint8)], "is of type uint8, and input 'x' takes float32"),
        ([SAMPLES[0] > 0], "is of type bool, and input 'x' takes float32"),
        ([SAMPLES[0], NAN], "sample 1 holds NaN"),
        ([INFINITE], "sample 0 holds infinity"),
        ([np.full((1, WIDTH), 1e300)], "sample 0 holds infinity"),
        ([0 * SAMPLES[0]] * 3, "hold one and the same number"),
        ([None], "sample 0 holds NoneType and no numbers"),
        (["a", "b"], "sample 0 holds str and no numbers"),
        ([np.array([object()])], "holds elements of type object and no numbers"),
        ([np.empty((0, WIDTH), np.float32)], "sample 0 is empty"),
        ([(SAMPLES[0], 3)], "sample 0 has 2 parts, and the model has 1 input: x"),
        ([{"y": SAMPLES[0]}], "sample 0 has the names y, and the model's inputs are x"),
        ([{"x": SAMPLES[0], "label": 1}], "sample 0 has the names x, label"),
        ([{}], "and the model's inputs are x"),
        (3, "of type int, is no sequence"),
    ],
)
def test_samples_that_do_not_fit_are_refused(samples, message):
    assert message in error_of(graph(), samples)


def test_all_but_one_input_may_be_constant():
    checked(two_inputs(), [(sample, np.zeros_like(sample)) for sample in SAMPLES])


def test_why_nan_is_refused():
    """NNCF says nothing, and what it returns answers nonsense. If it did not, the check could go."""
    with quietly():
        done = nncf.quantize(graph(), nncf.Dataset([NAN * np.nan, *SAMPLES]), subset_size=5)
    assert np.abs(outputs(done, SAMPLES[0])).max() < 0.1 < np.abs(outputs(graph(), SAMPLES[0])).max()


# Models


def compressed():
    with quietly():
        return nncf.compress_weights(graph(), mode=nncf.CompressWeightsMode.INT8_SYM)


def read_back(tmp_path):
    openvino.save_model(quantized(graph(), SAMPLES), tmp_path / "quantized.xml")
    return openvino.Core().read_model(tmp_path / "quantized.xml")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda _: quantized(graph(), SAMPLES), "quantized already: it has FakeQuantize"),
        (read_back, "quantized already: it has FakeQuantize"),
        (lambda _: compressed(), "compressed to integers already"),
        (lambda _: graph(body=ops.tanh), "no convolution, matrix multiplication or recurrent layer"),
        (lambda _: torch.nn.Linear(WIDTH, WIDTH), "An object of type torch.nn.modules.linear.Linear"),
        (lambda folder: folder / "model.xml", "model.xml' is the path of a model"),
        (lambda _: "model.xml", "'model.xml' is the path of a model"),
        (lambda _: openvino.compile_model(graph(), "CPU"), "A compiled model cannot be quantized"),
        (lambda _: None, "An object of type NoneType cannot be quantized"),
    ],
)
def test_models_that_cannot_be_quantized_are_refused(make, message, tmp_path):
    with pytest.raises(ModelError) as caught:
        quantizable(make(tmp_path))
    assert message in caught.value.message
    assert caught.value.remedy


def test_a_foreign_model_is_named_with_a_way_out():
    linear_model = pytest.importorskip("sklearn.linear_model")
    for check in (quantizable, lambda model: checked(model, SAMPLES)):
        with pytest.raises(ModelError, match=r"sklearn\.linear_model.*LogisticRegression") as caught:
            check(linear_model.LogisticRegression())
        assert "ONNX" in caught.value.remedy


def test_integers_that_are_no_weights_are_not_taken_for_compressed():
    def body(x):
        mask = ops.convert(ops.constant(np.array([1, 0] * 8, np.uint8)), np.float32)
        return ops.matmul(ops.multiply(x, mask), WEIGHTS, False, False)

    quantizable(graph(body=body))

    def looked_up(x):
        table = ops.gather(ops.constant(np.ones((4, WIDTH), np.uint8)), np.int64([2]), np.int64(0))
        return ops.matmul(ops.multiply(x, ops.convert(table, np.float32)), WEIGHTS, False, False)

    quantizable(graph(body=looked_up))


def test_nothing_heavy_is_imported_for_a_refusal():
    code = (
        "import json, sys\n"
        "from optguide.optimize.compression.calibration import quantizable\n"
        "from optguide.errors import ModelError\n"
        "try:\n    quantizable('x.xml')\n"
        "except ModelError:\n    pass\n"
        "print(json.dumps([name for name in ('openvino', 'nncf', 'torch') if name in sys.modules]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == []
