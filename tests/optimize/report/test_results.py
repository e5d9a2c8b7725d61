"""What the guide records of a run: identifiers that pages quote, and tables."""

from dataclasses import replace
from unittest.mock import Mock

import pytest

from optguide.optimize.report import ROWS, add_outcome
from optguide.records import Recording
from tests.optimize.outcomes import INTERRUPTED, KEPT, RICH

OVER = {f"choose.over_{key}" for key in ("default", "hint", "f32", "framework")}


def identifiers(method):
    return {call.args[0] for call in method.call_args_list}


@pytest.mark.parametrize("outcome", [RICH, KEPT, INTERRUPTED], ids=["rich", "kept", "interrupted"])
def test_every_identifier_is_a_result_or_has_a_reason(outcome):
    record = Mock(spec=Recording)
    add_outcome(record, "choose", outcome)
    counts = {"choose.candidates", "choose.untried", "choose.seconds"}
    assert identifiers(record.add) | identifiers(record.unavailable) == OVER | counts | {"choose.loss"}
    assert identifiers(record.add) & identifiers(record.unavailable) == set()
    assert identifiers(record.table) == {"choose-precisions", "choose-candidates"}
    assert identifiers(record.figure) == {"candidates"}


def test_the_default_that_wins_is_not_compared_with_itself():
    record = Mock(spec=Recording)
    add_outcome(record, "choose", KEPT)
    reasons = dict(call.args for call in record.unavailable.call_args_list)
    assert reasons["choose.over_default"] == "OpenVINO's default is the winner itself"


def test_the_table_of_candidates_has_those_that_were_measured():
    record = Mock(spec=Recording)
    add_outcome(record, "choose", RICH)
    _, candidates = record.table.call_args_list
    measured = [s.candidate.name for s in RICH.decision.standings if s.speed is not None]
    assert [row[0] for row in candidates.args[2]] == measured[:ROWS]


def test_a_run_without_a_confirmation_says_that_nothing_was_compared():
    outcome = replace(RICH, decision=replace(RICH.decision, delivered={}))
    record = Mock(spec=Recording)
    add_outcome(record, "choose", outcome)
    reasons = dict(call.args for call in record.unavailable.call_args_list)
    assert "ended before anything was compared" in reasons["choose.over_framework"]
