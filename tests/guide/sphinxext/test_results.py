from __future__ import annotations

import pytest

pytest.importorskip("sphinx")

from optguide.guide.sphinxext.results import interval_text, value_text
from optguide.records import Result


@pytest.mark.parametrize(
    ("value", "low", "high", "unit", "text", "interval"),
    [
        (1.2, 0.41, 1.97, "points", "1.2 points", "0.4 to 2.0 points"),
        (-0.31, -0.92, 0.28, "points", "-0.3 points", "-1.0 to 0.3 points"),
        (0.0, -0.21, 0.21, "points", "0.00 points", "-0.21 to 0.21 points"),
        (0.9868, 0.982, 0.991, "share", "98.7 %", "98.2 to 99.1 %"),
    ],
)
def test_values_and_intervals_of_accuracies(value, low, high, unit, text, interval):
    result = Result(value, low, high, unit, 1797)
    assert value_text(result) == text
    assert interval_text(result) == interval
