"""Questions of one source, such as crops of a photograph, count as one together."""

from __future__ import annotations

import numpy as np
import pytest

from optguide.guide.workloads.answers import RightAnswers

SOURCES, CROPS = 20, 30


def answers(wrong=(), groups=True):
    """Of every photograph in ``wrong``, all crops are answered wrongly."""
    sources = np.repeat(np.arange(SOURCES), CROPS)
    return RightAnswers("model", ~np.isin(sources, list(wrong)), groups=sources if groups else None)


def test_the_interval_of_an_accuracy_is_that_of_photographs():
    crops, photographs = answers({1, 2, 3}, groups=False).accuracy, answers({1, 2, 3}).accuracy
    assert photographs.value == pytest.approx(crops.value) == pytest.approx(0.85)
    assert photographs.n == SOURCES
    assert photographs.high - photographs.low > 3 * (crops.high - crops.low)


def test_a_loss_is_paired_by_photograph():
    drop = answers().loss(answers({4, 5}))
    assert drop.value == pytest.approx(10.0)
    assert drop.n == SOURCES
    assert drop.low <= 10.0 < drop.high


@pytest.mark.parametrize("wrong", [(), {7}])
def test_models_that_agree_on_every_crop_show_no_more_than_so_many_photographs_can(wrong):
    drop = answers(wrong).loss(answers(wrong))
    assert drop.value == 0
    assert drop.n == SOURCES
    assert drop.high > 5  # a point of loss cannot be excluded by 20 photographs


def test_an_accuracy_without_any_mistake_has_an_interval():
    assert answers().accuracy.low < 0.9
    assert answers().accuracy.n == SOURCES
