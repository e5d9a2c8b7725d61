"""What betrays data that are read wrongly: labels and answers of 32-bit floats."""

import numpy as np
import pytest

from optguide.errors import InputError
from optguide.optimize.evaluation.answers import Answers
from optguide.optimize.evaluation.metrics import Metric
from optguide.optimize.evaluation.quality import doubt, evaluated

TOP = Metric("top-1", "top-k", proxy=False)
ERROR = Metric("mean error", "mean error", proxy=False, higher_is_better=False)
CLASSES = 12
RNG = np.random.default_rng(0)
LABELS = RNG.permutation(np.arange(60) % CLASSES)


def answering(chosen, labels, count=CLASSES):
    """Scores by which each sample is given the class that is chosen for it."""
    return Answers([[np.eye(count, dtype=np.float32)[None, choice]] for choice in chosen], np.asarray(labels))


def doubted(answers, metric=TOP):
    return doubt(metric, answers, evaluated(metric, answers, None, 0.01))


def mostly(chosen, share=0.9):
    """Wrong now and then, as models are."""
    return np.where(RNG.random(len(chosen)) < share, chosen, RNG.integers(0, CLASSES, len(chosen)))


def test_nothing_where_the_model_is_right():
    assert doubted(answering(mostly(LABELS), LABELS)) == ""


@pytest.mark.parametrize("share", [0.3, 0.5])
def test_nothing_where_it_is_mediocre(share):
    assert doubted(answering(mostly(LABELS, share), LABELS)) == ""


def test_guessing():
    text = doubted(answering(RNG.integers(0, CLASSES, 60), LABELS))
    assert "not shown to be better than guessing among 12 classes" in text
    assert "how inputs are prepared" in text


def test_one_answer_to_all():
    few = np.where(np.arange(60) < 50, 3, LABELS)
    assert "answer every sample with class 3" in doubted(answering(np.full(60, 3), few))


@pytest.mark.parametrize(("step", "change"), [(1, "higher"), (-1, "lower")])
def test_labels_that_count_from_another_number(step, change):
    """A class for the background, or labels from one."""
    with pytest.raises(InputError, match=f"if every label is one {change}"):
        doubted(answering(mostly(LABELS + 1 + step), LABELS + 1, CLASSES + 2))


def test_a_thousand_classes_and_one_for_the_background():
    labels = RNG.choice(1000, 100, replace=False)
    with pytest.raises(InputError, match=r"right on 0 %.* on 100 % if every label is one higher"):
        doubted(answering(labels + 1, labels, 1001))


def test_classes_in_the_order_of_text():
    places = {int(name): index for index, name in enumerate(sorted(map(str, range(CLASSES))))}
    with pytest.raises(InputError, match="with classes in another order") as refused:
        doubted(answering([places[label] for label in LABELS], LABELS))
    assert "classes.txt" in refused.value.remedy


def test_two_classes_that_are_swapped():
    labels = np.arange(40) // 3 % 2
    with pytest.raises(InputError, match=r"another order|every label is one"):
        doubted(answering(1 - labels, labels, 2))


def test_labels_in_the_order_of_other_samples_are_no_order_of_classes():
    assert "guessing" in doubted(answering(RNG.permutation(LABELS), LABELS))


def test_single_samples_of_many_classes_show_no_order():
    labels = np.arange(60)
    chosen = np.where(np.arange(60) < 40, labels, RNG.permutation(60))
    assert doubted(answering(chosen, labels, 60)) == ""


def test_values_that_miss_more_than_their_median():
    labels = RNG.standard_normal((40, 1))
    good = Answers([[label[None] + 0.1] for label in labels], labels)
    assert doubted(good, ERROR) == ""
    bad = Answers([[label[None] + 3] for label in labels], labels)
    assert "always answering with their median" in doubted(bad, ERROR)
