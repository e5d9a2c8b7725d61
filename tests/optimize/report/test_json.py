"""report.json: through JSON and back, and what its reference page says about it."""

from __future__ import annotations

import dataclasses
import json
import math
import re
from pathlib import Path

import pytest

from optguide import claims
from optguide.bench import layers
from optguide.errors import RecordsError
from optguide.optimize import candidate, outcome
from optguide.optimize.report import encode_report, read_report
from optguide.stats.estimate import Estimate
from tests.optimize.outcomes import OUTCOMES, RICH, changed, hostile

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "report.md"


@pytest.fixture
def read_back(tmp_path):
    """What is read from a file with these bytes."""

    def read(data):
        file = tmp_path / "report.json"
        file.write_bytes(data)
        return read_report(file)

    return read


@pytest.mark.parametrize("name", [*OUTCOMES, "hostile"])
def test_an_outcome_comes_back_as_it_was(read_back, name):
    written = hostile() if name == "hostile" else OUTCOMES[name]
    back = read_back(encode_report(written))
    # Lists of the machine's facts are lists in JSON too; all else is equal, types of its tuples included.
    assert back == written


def test_an_interval_without_an_end_is_null_and_comes_back(read_back):
    ratio = Estimate(1.2, -math.inf, math.inf, "ratio", 3)
    data = encode_report(changed(RICH, delivered={"default": ratio}))
    assert json.loads(data)["delivered"]["default"]["high"] is None
    assert read_back(data).decision.delivered["default"] == ratio


def test_another_schema_is_refused_by_its_number(read_back):
    data = json.dumps({"schema": 99, "whatever": 1}).encode()
    with pytest.raises(RecordsError, match=r"report\.json has schema 99, .* reads schema 2"):
        read_back(data)


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b'{"schema": 2}', b"\xff\xfe{}"])
def test_what_is_no_report_is_refused(read_back, data):
    with pytest.raises(RecordsError, match="not a readable report"):
        read_back(data)


def _documented():
    """Class name to the fields in its table, from the reference page."""
    found = {}
    for section in re.split(r"^## ", PAGE.read_text("utf-8"), flags=re.MULTILINE)[1:]:
        title = section.splitlines()[0].strip().strip("`")
        found[title] = re.findall(r"^\| `(\w+)` \|", section, flags=re.MULTILINE)
    return found


def _reached(kind, found):
    """``kind`` and every dataclass that its fields mention and a report has."""
    if kind.__name__ not in found and kind is not outcome.Resumption:
        found[kind.__name__] = kind
        for name in {word for field in dataclasses.fields(kind) for word in re.findall(r"\w+", field.type)}:
            for module in (outcome, candidate, claims.verdicts, layers):
                other = getattr(module, name, None)
                if dataclasses.is_dataclass(other):
                    _reached(other, found)
    return found


def test_reference_documents_exactly_the_fields_there_are():
    classes = _reached(outcome.State, {}) | _reached(outcome.Decision, {})
    fields = {name: [f.name for f in dataclasses.fields(kind)] for name, kind in classes.items()}
    fields["State"].remove("resumption")  # which no report has
    assert fields == {name: documented for name, documented in _documented().items() if documented}


def test_reference_names_the_schema_and_every_word_a_field_can_hold():
    text = PAGE.read_text("utf-8")
    assert f"`schema` is {outcome.SCHEMA}" in text
    words = [*outcome.Status.__args__, *outcome.Kept.__args__, *outcome.Ended.__args__, *candidate.PRECISIONS]
    assert [word for word in words if f"`{word}`" not in text] == []
