from __future__ import annotations

import pytest

from optguide.claims.model import Condition
from optguide.guide.sphinxext import claims
from optguide.records import Result


@pytest.mark.parametrize(
    ("bounds", "side", "drawn"),
    [
        ({"above": 1.5}, "above", (1.5,)),
        ({"below": 1.5}, "below", (1.5,)),
        ({"between": (0.9, 1.1)}, "between", (0.9, 1.1)),
    ],
)
def test_an_interval_is_drawn_beside_the_bounds_of_its_condition(monkeypatch, bounds, side, drawn):
    asked = []

    def draw(low, high, value, bounds, *, holds, **_):
        asked.append((low, high, value, bounds, holds))
        return "<svg></svg>"

    monkeypatch.setattr(claims, "verdict_interval_svg", draw)
    node = claims._drawing(Condition("some.ratio", **bounds), "some.ratio", Result(2.0, 1.9, 2.1, "ratio", 9))
    assert asked == [(1.9, 2.1, 2.0, drawn, side)]
    assert "some.ratio" in node.astext()
