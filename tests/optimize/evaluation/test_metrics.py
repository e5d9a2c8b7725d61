"""Tests of :mod:`optguide.optimize.evaluation.metrics`."""

import numpy as np
import pytest

from optguide.errors import OptionError
from optguide.optimize.candidate import Settings
from optguide.optimize.data import Data
from optguide.optimize.data.labels import classes
from optguide.optimize.evaluation.metrics import resolve
from optguide.optimize.model import SourceModel
from optguide.runtimes.ports import Port

SCORES = Port("scores", "float32", (1, 10))
BOXES = Port("boxes", "float32", (1, None, 4))


def subject(*outputs, file="unused.xml"):
    return SourceModel("model", "OpenVINO IR", file, (Port("x", "float32", (1, 16)),), outputs or (SCORES,))


def data(labels=None, random=False):
    samples = [{"x": np.zeros((1, 16), np.float32)}] * 8
    return Data(samples, labels, "samples.npz", random, (0, 1), () if random else (2, 3))


def named(name, labels=None, outputs=(SCORES,), random=False):
    return resolve(Settings("model.xml", metric=name), data(labels, random), subject(*outputs))


INTEGERS = np.arange(8)
FLOATS = np.linspace(0, 1, 80, dtype=np.float32).reshape(8, 10)


@pytest.fixture
def module(tmp_path, monkeypatch):
    """Write a module into the current folder, as a reader does; its name."""
    monkeypatch.chdir(tmp_path)

    def write(text):
        (tmp_path / "readers_own.py").write_text(text)
        return "readers_own"

    return write


class TestLabelsDecide:
    def test_integers_and_scores_by_class_give_top_1(self):
        metric = named(None, INTEGERS)
        assert (metric.name, metric.proxy, metric.k) == ("top-1", False, 1)

    def test_the_output_with_scores_is_found_among_several(self):
        assert named(None, INTEGERS, (BOXES, SCORES)).output == 1

    def test_an_index_of_a_class_is_an_answer_too(self):
        assert named(None, INTEGERS, (Port("class", "int64", (1,)),)).name == "top-1"

    def test_floats_give_the_mean_error_where_less_is_better(self):
        metric = named(None, FLOATS)
        assert (metric.name, metric.higher_is_better) == ("mean error", False)

    def test_integers_for_one_number_are_no_classes(self):
        assert named(None, INTEGERS, (Port("age", "float32", (1, 1)),)).name == "mean error"

    def test_labels_that_fit_no_output_are_refused(self):
        with pytest.raises(OptionError, match=r"3 number\(s\) per sample fit no output.*scores float32"):
            named(None, np.zeros((8, 3)))


class TestNoLabels:
    def save(self, save_ir, tmp_path, body):
        return save_ir(tmp_path / "model.xml", [1, 16], body)

    def test_a_classifier_is_compared_by_its_first_choice(self, save_ir, tmp_path):
        ones, bias = np.ones((16, 10), np.float32), np.ones((1, 10), np.float32)
        path = self.save(save_ir, tmp_path, lambda ops, x: ops.add(ops.matmul(x, ones, False, False), bias))
        metric = resolve(Settings("model.xml"), data(), subject(file=path))
        assert (metric.rule, metric.proxy) == ("agreement", True)

    def test_an_encoder_is_compared_by_cosine(self, save_ir, tmp_path):
        ones = np.ones((16, 10), np.float32)
        path = self.save(save_ir, tmp_path, lambda ops, x: ops.tanh(ops.matmul(x, ones, False, False)))
        metric = resolve(Settings("model.xml"), data(), subject(file=path))
        assert (metric.rule, metric.proxy) == ("cosine", True)

    def test_several_outputs_are_compared_by_cosine(self):
        assert named(None, None, (SCORES, BOXES)).rule == "cosine"


class TestNames:
    @pytest.mark.parametrize(("name", "k"), [("top-1", 1), ("top-5", 5), ("TOP3", 3)])
    def test_top_k(self, name, k):
        assert named(name, INTEGERS).k == k

    def test_cosine_is_a_proxy_with_labels_too(self):
        assert named("cosine", INTEGERS).proxy

    def test_agreement_needs_no_labels(self):
        metric = named("agreement", None)
        assert metric.proxy
        assert metric.rule == "agreement"

    @pytest.mark.parametrize("name", ["accurcy", "top-0", "top-", ""])
    def test_an_unknown_one_is_refused_with_those_there_are(self, name):
        with pytest.raises(OptionError, match="top-1, top-5"):
            named(name, INTEGERS)

    @pytest.mark.parametrize("name", ["top-1", "mean-error"])
    def test_labels_are_missed(self, name):
        with pytest.raises(OptionError, match=r"needs labels, and samples\.npz has none"):
            named(name)

    def test_top_1_refuses_labels_that_are_no_classes(self):
        with pytest.raises(OptionError, match="integer labels"):
            named("top-1", FLOATS)

    def test_top_k_refuses_a_model_without_scores(self):
        with pytest.raises(OptionError, match=r"the model has boxes float32 \[1,\?,4\]"):
            named("top-1", INTEGERS, (BOXES,))

    def test_a_k_that_is_always_right_is_refused(self):
        with pytest.raises(OptionError, match="always right"):
            named("top-10", INTEGERS)

    def test_random_data_cannot_be_scored(self):
        with pytest.raises(OptionError, match="no samples to score"):
            named("cosine", random=True)


class TestFunctions:
    def test_one_of_the_current_folder_is_found(self, module):
        name = module("def share(outputs, labels):\n    return 1.0\n")
        metric = named(f"{name}:share")
        assert (metric.rule, metric.proxy, metric.higher_is_better) == ("function", False, True)

    def test_it_can_say_that_less_is_better(self, module):
        name = module("def gap(outputs, labels):\n    return 1.0\ngap.higher_is_better = False\n")
        assert not named(f"{name}:gap").higher_is_better

    @pytest.mark.parametrize("function", ["word_error", "mae", "loss_of_all"])
    def test_an_error_has_to_say_so(self, module, function):
        name = module(f"def {function}(outputs, labels):\n    return 1.0\n")
        with pytest.raises(OptionError, match=rf"{function}\.higher_is_better = False"):
            named(f"{name}:{function}")

    @pytest.mark.parametrize(
        ("text", "function", "said"),
        [
            ("", "missing", "has no 'missing'"),
            ("1 / 0", "share", "division by zero"),
            ("share = 3", "share", "not a function"),
        ],
    )
    def test_what_cannot_be_imported_is_refused(self, module, text, function, said):
        with pytest.raises(OptionError, match=said):
            named(f"{module(text)}:{function}")

    def test_a_missing_module_is_refused(self):
        with pytest.raises(OptionError, match="no module 'nowhere'"):
            named("nowhere:share")


@pytest.mark.parametrize(
    ("shape", "dtype", "count"),
    [
        ((1, 10), "float32", 10),
        ((None, 1000), "float16", 1000),
        ((1, 1000, 1, 1), "float32", 1000),
        ((1, 1), "float32", None),
        ((1, None), "float32", None),
        ((1, 21, 8, 8), "float32", None),
        ((1, 200_000), "float32", None),
        ((1, 10), "int64", None),
        ((10,), "float32", None),
    ],
)
def test_classes(shape, dtype, count):
    assert classes(Port("y", dtype, shape)) == count
