"""Tests of :mod:`optguide.optimize.evaluation.answers`."""

import math
import time

import numpy as np
import pytest

from optguide.errors import NotEnoughSamples
from optguide.optimize.evaluation.answers import answers_to, checksum, load, store


def compiled(path, **properties):
    import openvino

    return openvino.Core().compile_model(str(path), "CPU", {"PERFORMANCE_HINT": "THROUGHPUT", **properties})


@pytest.fixture
def two_outputs(tmp_path):
    """A model for rows of any length: their sum, and twice the row."""
    import openvino
    from openvino import opset13 as ops

    x = ops.parameter([1, -1], np.float32, name="x")
    x.output(0).set_names({"x"})
    total = ops.reduce_sum(x, np.array([1]), False)
    path = tmp_path / "two.xml"
    openvino.save_model(openvino.Model([total, ops.add(x, x)], [x]), path)
    return path


@pytest.fixture
def counting(tmp_path):
    """A model with a state: it adds up what it is given."""
    import openvino
    from openvino import opset13 as ops
    from openvino.op.util import Variable, VariableInfo

    info = VariableInfo()
    info.data_shape, info.data_type = openvino.PartialShape([1, 1]), openvino.Type.f32
    info.variable_id = "total"
    variable = Variable(info)
    x = ops.parameter([1, 1], np.float32, name="x")
    x.output(0).set_names({"x"})
    before = ops.read_value(ops.constant(np.zeros((1, 1), np.float32)), variable)
    after = ops.add(before, x)
    assign = ops.assign(after, variable)
    path = tmp_path / "counting.xml"
    result = ops.result(after)
    openvino.save_model(openvino.Model([result], [assign], [x], "counting"), path)
    return path


def rows(count):
    rng = np.random.default_rng(0)
    return [{"x": rng.standard_normal((1, 1 + index % 5), dtype=np.float32)} for index in range(count)]


class TestAnswers:
    def test_all_outputs_in_the_order_of_the_samples(self, two_outputs):
        samples = rows(40)
        found = list(answers_to(compiled(two_outputs), samples, math.inf))
        assert [marked for marked, _ in found] == [checksum(sample) for sample in samples]
        for sample, (_, (total, twice)) in zip(samples, found, strict=True):
            np.testing.assert_allclose(total, sample["x"].sum(axis=1), rtol=1e-5)
            np.testing.assert_array_equal(twice, 2 * sample["x"])

    def test_a_state_begins_anew_with_every_sample(self, counting):
        samples = [{"x": np.full((1, 1), value, np.float32)} for value in (1, 2, 3, 4)]
        found = answers_to(compiled(counting), samples, math.inf)
        assert [outputs[0].item() for _, outputs in found] == [1, 2, 3, 4]

    def test_one_sample_is_answered_without_any_time(self, two_outputs):
        assert len(list(answers_to(compiled(two_outputs), rows(5), time.monotonic() - 1))) == 1


class TestFiles:
    def test_come_back_as_they_went(self, two_outputs, tmp_path):
        found = list(answers_to(compiled(two_outputs), rows(20), math.inf))
        store(tmp_path / "f32", found)
        answers = load(tmp_path / "f32")
        assert answers.checksums == tuple(marked for marked, _ in found)
        for mine, (_, theirs) in zip(answers.outputs, found, strict=True):
            for a, b in zip(mine, theirs, strict=True):
                np.testing.assert_array_equal(a, b)

    @pytest.mark.parametrize(
        "array", [np.array(3.0), np.empty((0, 6), np.float32), np.array([[True]]), np.array([7], np.int64)]
    )
    def test_every_kind_of_array(self, tmp_path, array):
        store(tmp_path / "f32", [(1, [array]), (2, [array])])
        for (found,) in load(tmp_path / "f32").outputs:
            np.testing.assert_array_equal(found, array)
            assert found.dtype == array.dtype
            assert found.shape == array.shape

    def test_nothing_half_written_stays(self, tmp_path):
        def interrupted():
            yield 1, [np.ones(3)]
            raise KeyboardInterrupt

        store(tmp_path / "f32", [(1, [np.zeros(3)])])
        with pytest.raises(KeyboardInterrupt):
            store(tmp_path / "f32", interrupted())
        assert load(tmp_path / "f32").outputs[0][0].tolist() == [0, 0, 0]
        assert [path.name for path in tmp_path.iterdir()] == ["f32"]

    def test_of_no_samples_there_are_none(self, tmp_path):
        with pytest.raises(NotEnoughSamples):
            store(tmp_path / "f32", [])
        assert not list(tmp_path.iterdir())

    def test_a_run_does_not_fill_the_disk(self, tmp_path, monkeypatch):
        monkeypatch.setattr("optguide.optimize.evaluation.answers._MOST_BYTES", 100)
        store(tmp_path / "f32", ((index, [np.zeros(10)]) for index in range(50)))
        assert len(load(tmp_path / "f32")) == 2


def test_checksums_tell_samples_apart():
    one = {"x": np.array([1.0, 2.0]), "y": np.array([3])}
    assert checksum(one) == checksum({"y": np.array([3]), "x": np.array([1.0, 2.0])})
    assert checksum(one) != checksum({"x": np.array([2.0, 1.0]), "y": np.array([3])})
