"""Tests of :mod:`optguide.optimize.evaluation.quality`."""

import numpy as np
import pytest

from optguide.errors import NotEnoughSamples
from optguide.optimize.evaluation.answers import Answers
from optguide.optimize.evaluation.metrics import Metric
from optguide.optimize.evaluation.quality import evaluated, samples_to_show
from optguide.stats.accuracy import compare_accuracy

TOP = Metric("top-1", "top-k", proxy=False)
COSINE = Metric("cosine similarity", "cosine", proxy=True)
ERROR = Metric("mean error", "mean error", proxy=False, higher_is_better=False)


def classified(right):
    """Answers to as many samples of class 1, right where ``right`` says so."""
    outputs = [[np.array([[0.0, 1.0] if hit else [1.0, 0.0]])] for hit in right]
    return Answers(outputs, np.ones(len(right), np.int64))


def numbers(values):
    """One number per sample, of which the mean error is the absolute value."""
    return Answers([[np.array([[value]])] for value in values], np.zeros((len(values), 1)))


def hits(count, wrong):
    return np.arange(count) >= wrong


class TestShares:
    def test_value_and_loss_are_those_of_accuracy(self):
        before, after = hits(500, 20), hits(500, 60)
        found = evaluated(TOP, classified(before), classified(after), 0.01)
        assert found.loss == compare_accuracy("a", before, "b", after).drop
        assert (found.value.value, found.value.unit, found.limit) == (0.88, "share", 1.0)
        assert found.kept == "exceeded"

    def test_kept_where_the_whole_interval_is_within(self):
        found = evaluated(TOP, classified(hits(1000, 50)), classified(hits(1000, 51)), 0.01)
        assert (found.kept, found.note) == ("kept", "")

    def test_open_says_how_many_samples_it_takes(self):
        found = evaluated(TOP, classified(hits(100, 0)), classified(hits(100, 1)), 0.01)
        assert found.kept == "open"
        assert str(samples_to_show(1.0)) in found.note

    def test_a_limit_of_zero_stays_open(self):
        found = evaluated(TOP, classified(hits(100, 0)), classified(hits(100, 1)), 0.0)
        assert found.kept == "open"
        assert "nothing at all" in found.note

    def test_few_samples_judge_nothing(self):
        found = evaluated(TOP, classified(hits(19, 0)), classified(hits(19, 1)), 0.01)
        assert found.kept == "not judged"
        assert "at least 20" in found.note

    def test_but_show_that_most_is_lost(self):
        assert evaluated(TOP, classified(hits(12, 0)), classified(hits(12, 11)), 0.01).kept == "exceeded"

    def test_the_fewest_that_can_show_a_limit(self):
        needed = samples_to_show(1.0)
        same = np.ones(needed, bool)
        assert compare_accuracy("a", same, "b", same).within(1.0)
        assert not compare_accuracy("a", same[2:], "b", same[2:]).within(1.0)


class TestNumbers:
    def test_the_loss_is_a_share_of_the_originals_value(self):
        values = np.random.default_rng(0).uniform(1, 2, 200)
        found = evaluated(ERROR, numbers(values), numbers(1.1 * values), 0.2)
        assert found.loss.value == pytest.approx(0.1)
        assert (found.loss.unit, found.limit, found.kept) == ("share", 0.2, "kept")

    def test_more_of_what_is_better_is_no_loss(self):
        values = np.random.default_rng(0).uniform(1, 2, 200)
        assert evaluated(ERROR, numbers(values), numbers(0.9 * values), 0.01).loss.high < 0

    @pytest.mark.parametrize("count", [10, 40, 3000])
    def test_the_interval_holds(self, count):
        """In simulated data, at every size at which another method takes over."""
        rng, held, runs = np.random.default_rng(5), 0, 60
        for _ in range(runs):
            values = rng.exponential(1.0, count) + 0.2
            after = values * (1 + rng.normal(0.05, 0.1, count))
            loss = evaluated(ERROR, numbers(values), numbers(after), 0.01).loss
            held += loss.low <= 0.05 <= loss.high
        assert held / runs > 0.87

    def test_similar_answers_are_kept(self):
        rng = np.random.default_rng(1)
        rows = rng.standard_normal((50, 1, 64))
        before = Answers([[row] for row in rows])
        after = Answers([[row + 0.01 * rng.standard_normal(row.shape)] for row in rows])
        found = evaluated(COSINE, before, after, 0.01)
        assert found.proxy
        assert found.kept == "kept"
        assert 0 < found.loss.low <= found.loss.value <= found.loss.high < 0.001

    def test_scores_that_all_agree_do_not_know_everything(self):
        before = numbers(np.ones(30))
        after = Answers([[-row[0]] for row in before.outputs], before.labels)
        found = evaluated(ERROR, before, after, 0.01)
        assert found.loss.value == 0
        assert found.kept == "open"

    def test_an_original_that_is_perfect_has_no_share_to_lose(self):
        found = evaluated(ERROR, numbers(np.zeros(30)), numbers(np.ones(30)), 0.01)
        assert (found.loss, found.kept) == (None, "not judged")
        assert "too close to zero" in found.note

    def test_few_samples_judge_nothing(self):
        values = np.random.default_rng(0).uniform(1, 2, 5)
        found = evaluated(ERROR, numbers(values), numbers(values + 0.001 * np.arange(5)), 0.2)
        assert found.kept == "not judged"
        assert found.loss.low < 0.001 < found.loss.high


class TestWhole:
    @pytest.fixture
    def f1(self, tmp_path, monkeypatch):
        """The F1 score of class 1, which has no value for a single sample."""
        monkeypatch.syspath_prepend(tmp_path)
        (tmp_path / "readers_f1.py").write_text(
            "import numpy as np\n"
            "def f1(outputs, labels):\n"
            "    said = np.array([one[0].argmax() for one in outputs])\n"
            "    return 2 * (said * labels).sum() / (said.sum() + labels.sum())\n"
        )
        return Metric("readers_f1:f1", "function", proxy=False)

    def of(self, right, labels):
        outputs = [
            [np.eye(2)[label if hit else 1 - label][None]] for hit, label in zip(right, labels, strict=True)
        ]
        return Answers(outputs, labels)

    def test_loss_by_resampling(self, f1):
        rng = np.random.default_rng(0)
        labels, before = rng.integers(0, 2, 300), rng.random(300) < 0.9
        after = before & (rng.random(300) < 0.8)
        found = evaluated(f1, self.of(before, labels), self.of(after, labels), 0.01)
        assert found.kept == "exceeded"
        assert 0.05 < found.loss.low < found.loss.value < found.loss.high < 0.4
        assert found.value.low < found.value.value < found.value.high

    def test_resamples_that_all_agree_do_not_know_everything(self, f1):
        labels, right = np.tile([0, 1], 20), np.arange(40) > 3
        before = self.of(right, labels)
        after = Answers([[2 * one[0]] for one in before.outputs], labels)
        found = evaluated(f1, before, after, 0.01)
        assert found.loss.value == 0
        assert found.kept == "open"

    def test_a_slow_one_gives_no_interval(self, f1):
        labels = np.tile([0, 1], 20)
        given = self.of(np.ones(40, bool), labels)
        with pytest.raises(NotEnoughSamples, match="gave 0 numbers"):
            evaluated(f1, given, given, 0.01, seconds=0.0)


def test_the_original_loses_nothing():
    found = evaluated(TOP, classified(hits(50, 5)), None, 0.01)
    assert (found.value.value, found.loss, found.kept) == (0.9, None, "kept")


@pytest.mark.parametrize("count", [2, 50])
def test_the_same_bits_are_the_same_model(count):
    found = evaluated(TOP, classified(hits(count, 1)), classified(hits(count, 1)), 0.0)
    assert (found.loss.low, found.loss.high, found.kept) == (0.0, 0.0, "kept")


def test_a_single_sample_judges_nothing():
    with pytest.raises(NotEnoughSamples):
        evaluated(TOP, classified([True]), None, 0.01)


def test_the_same_samples_give_the_same_interval():
    values = np.random.default_rng(0).uniform(1, 2, 60)
    pair = numbers(values), numbers(values**1.1)
    assert evaluated(ERROR, *pair, 0.01) == evaluated(ERROR, *pair, 0.01)
