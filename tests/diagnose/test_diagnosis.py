"""How a question is judged, and how findings are ranked."""

import pytest

from optguide.diagnose.checks import IDLE, PRECISION
from optguide.diagnose.diagnosis import Effect, Finding, Inquiry, Remark, judged, ranked
from optguide.diagnose.inspections import ANSWERS, START
from optguide.stats.estimate import Estimate


def effect(value, low, high, quantity="latency", remedy="Do it."):
    return Effect(remedy, quantity, Estimate(value, low, high, "ratio", 6))


@pytest.mark.parametrize(
    ("low", "high", "outcome"),
    [(1.06, 1.2, Finding), (1.04, 1.2, False), (0.9, 1.2, False), (0.97, 1.05, True), (0.5, 0.6, True)],
)
def test_a_gain_is_reported_where_the_whole_interval_is_worth_acting_on(low, high, outcome):
    answer = judged(Inquiry(IDLE, "Facts."), [effect((low + high) / 2, low, high)])
    if outcome is Finding:
        assert isinstance(answer, Finding)
    else:
        assert isinstance(answer, Remark)
        assert answer.decided is outcome
        assert answer.evidence.startswith("Facts. Do it. ")


def test_a_trial_that_failed_leaves_the_question_open():
    answer = judged(Inquiry(IDLE, "Facts."), [], ["Do it. It could not be measured: it crashed."])
    assert not answer.decided


def test_the_remedy_that_certainly_gains_most_comes_first_and_the_others_are_named():
    effects = [effect(3, 1.1, 6, remedy="Perhaps."), effect(2, 1.8, 2.2, remedy="Surely.")]
    answer = judged(Inquiry(IDLE, "Facts."), effects)
    assert answer.effect.remedy == "Surely."
    assert [text.split()[0] for text in answer.others] == ["Perhaps."]


def test_what_every_call_pays_comes_before_a_start_and_that_before_answers():
    findings = [
        Finding(ANSWERS, "", effect(0.5, 0.4, 0.6, "error")),
        Finding(START, "", effect(9, 8, 10, "total")),
        Finding(PRECISION, "", effect(1.5, 1.4, 1.6)),
        Finding(IDLE, "", effect(1.9, 1.8, 2.0, "throughput")),
    ]
    assert [finding.symptom for finding in ranked(findings)] == [IDLE, PRECISION, START, ANSWERS]


def test_an_error_is_a_finding_from_five_percent_on():
    wrong, right = (judged(Inquiry(ANSWERS, ""), [effect(e, e, e, "error")]) for e in (0.2, 0.01))
    assert isinstance(wrong, Finding)
    assert right.decided
