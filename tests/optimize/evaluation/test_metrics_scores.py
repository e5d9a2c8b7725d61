"""Tests of what :mod:`optguide.optimize.evaluation.metrics` makes of answers."""

import numpy as np
import pytest

from optguide.errors import InputError, OptionError, OutputError
from optguide.optimize.evaluation.answers import Answers
from optguide.optimize.evaluation.metrics import Metric, score

TOP = Metric("top-1", "top-k", proxy=False)
AGREEMENT = Metric("top-1 agreement", "agreement", proxy=True)
COSINE = Metric("cosine similarity", "cosine", proxy=True)
ERROR = Metric("mean error", "mean error", proxy=False, higher_is_better=False)


def answers(rows, labels=None):
    """One output per sample, with a batch of one unless the row has two dimensions."""
    outputs = [[np.atleast_2d(np.asarray(row, np.float32))] for row in rows]
    return Answers(outputs, None if labels is None else np.asarray(labels))


def values(metric, given, original=None):
    return score(metric, given, original or given).values.tolist()


class TestTop:
    def test_the_label_is_the_largest_score(self):
        assert values(TOP, answers([[1, 3, 2], [3, 1, 2], [0, 1, 2]], [1, 1, 2])) == [True, False, True]

    def test_among_the_best(self):
        second = Metric("top-2", "top-k", proxy=False, k=2)
        assert values(second, answers([[1, 3, 2], [3, 1, 2], [3, 2, 1]], [2, 1, 1])) == [True, False, True]

    def test_of_equal_scores_the_first_counts_as_argmax_has_it(self):
        rng = np.random.default_rng(3)
        rows, labels = rng.integers(0, 3, (200, 5)).astype(np.float32), rng.integers(0, 5, 200)
        assert values(TOP, answers(rows, labels)) == (rows.argmax(axis=1) == labels).tolist()

    def test_every_row_of_a_batch_counts(self):
        assert values(TOP, answers([[[1, 2], [2, 1]], [[1, 2], [1, 2]]], [[1, 0], [0, 1]])) == [
            True,
            True,
            False,
            True,
        ]

    def test_other_dimensions_may_be_one(self):
        given = Answers([[np.array([1, 3, 2], np.float32).reshape(1, 3, 1, 1)]], np.array([1]))
        assert values(TOP, given) == [True]

    def test_an_index_is_compared_as_it_is(self):
        given = Answers([[np.array([[7]])], [np.array([[2]])]], np.array([7, 3]))
        assert values(TOP, given) == [True, False]

    def test_a_single_number_is_the_probability_of_the_second_class(self):
        assert values(TOP, answers([[0.9], [0.9], [0.2], [0.2]], [1, 0, 0, 1])) == [True, False, True, False]

    def test_nan_is_never_right(self):
        assert values(TOP, answers([[np.nan, np.nan]], [0])) == [False]

    @pytest.mark.parametrize("label", [3, -1])
    def test_a_label_beyond_the_classes_is_refused(self, label):
        with pytest.raises(InputError, match=f"label of sample 1 is {label}, and the model has 3 classes"):
            values(TOP, answers([[1, 2, 3], [1, 2, 3]], [0, label]))

    def test_as_many_labels_as_rows(self):
        with pytest.raises(InputError, match=r"2 label\(s\), and the model answers with 1 row"):
            values(TOP, answers([[1, 2]], [[0, 1]]))


def test_agreement_compares_with_the_original():
    given, original = answers([[1, 2], [1, 2]]), answers([[0, 9], [9, 0]])
    assert values(AGREEMENT, given, original) == [True, False]


class TestCosine:
    def test_of_the_output_that_is_least_similar(self):
        right, turned = np.array([[1.0, 0.0]]), np.array([[1.0, 1.0]])
        given = Answers([[right, turned]])
        assert values(COSINE, given, Answers([[right, right]])) == pytest.approx([0.5**0.5])

    def test_nothing_is_like_nothing_only(self):
        none, some = answers([[0, 0]]), answers([[0, 1]])
        assert values(COSINE, none, none) == [1.0]
        assert values(COSINE, none, some) == [0.0]

    def test_integers_by_how_many_are_equal(self):
        given = Answers([[np.array([1, 2, 3, 4])]])
        assert values(COSINE, given, Answers([[np.array([1, 2, 3, 5])]])) == [0.75]

    def test_other_shapes_are_refused(self):
        with pytest.raises(InputError, match=r"\[1, 2\], and in 32-bit floats with one of shape"):
            values(COSINE, answers([[1, 2]]), answers([[1, 2, 3]]))

    def test_nan_is_refused(self):
        with pytest.raises(OutputError, match="evaluation sample 1 holds NaN"):
            values(COSINE, answers([[1, 2], [np.nan, 1]]))

    def test_elements_that_are_infinite_in_both_are_masked(self):
        masked = answers([[1, -np.inf, 2]])
        assert values(COSINE, masked, masked) == pytest.approx([1.0])
        assert values(COSINE, answers([[2, -np.inf, -1]]), masked) == pytest.approx([0.0])
        with pytest.raises(OutputError):
            values(COSINE, answers([[1, 0, 2]]), masked)

    def test_nan_in_any_output_is_refused(self):
        given = Answers([[np.ones((1, 2)), np.array([[np.nan, 1]])]])
        with pytest.raises(OutputError, match="evaluation sample 0"):
            values(COSINE, given)


class TestMeanError:
    def test_of_all_numbers_of_a_sample(self):
        assert values(ERROR, answers([[1, 2], [3, 4]], [[1, 0], [3, 4]])) == [1.0, 0.0]

    def test_as_many_labels_as_numbers(self):
        with pytest.raises(InputError, match=r"shape \[3\], and the output has \[1, 2\]"):
            values(ERROR, answers([[1, 2]], [[1, 2, 3]]))


class TestFunctions:
    @pytest.fixture
    def own(self, tmp_path, monkeypatch):
        """A metric whose function has the given body."""
        monkeypatch.syspath_prepend(tmp_path)
        count = iter(range(100))

        def make(body):
            name = f"own_metric_{tmp_path.name}_{next(count)}".replace("-", "_")
            (tmp_path / f"{name}.py").write_text(
                f"import numpy as np\ndef share(outputs, labels):\n    {body}\n"
            )
            return Metric(f"{name}:share", "function", proxy=False)

        return make

    @pytest.mark.parametrize(
        ("body", "kind", "found"),
        [
            (
                "return np.array([o[0].argmax() == l for o, l in zip(outputs, labels)])",
                "correct",
                [True, False],
            ),
            ("return [float(o[0].max()) for o in outputs]", "value", [2.0, 3.0]),
            ("return sum(o[0].sum() for o in outputs)", "whole", [8.0]),
        ],
    )
    def test_what_it_returns_tells_its_kind(self, own, body, kind, found):
        scores = score(own(body), answers([[1, 2], [2, 3]], [1, 0]), answers([[1, 2], [2, 3]]))
        assert scores.kind == kind
        assert scores.values.tolist() == found

    def test_labels_are_none_where_there_are_none(self, own):
        assert values(own("return float(labels is None)"), answers([[1, 2]])) == [1.0]

    @pytest.mark.parametrize(
        ("body", "said"),
        [
            ("raise KeyError('box')", "raised KeyError: 'box'"),
            ("return float('nan')", "returned NaN"),
            ("return [1.0, float('inf')]", "returned infinity"),
            ("return [1.0]", r"shape \[1\] for 2 samples"),
            ("return [[1.0, 2.0], [3.0, 4.0]]", r"shape \[2, 2\] for 2 samples"),
            ("return [[1.0], [3.0, 4.0]]", "returned list and no numbers"),
            ("return None", "returned NoneType"),
            ("return 'good'", "returned str"),
        ],
    )
    def test_what_cannot_be_used_is_refused(self, own, body, said):
        with pytest.raises(OptionError, match=said):
            values(own(body), answers([[1, 2], [2, 3]]))
