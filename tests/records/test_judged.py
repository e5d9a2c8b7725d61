"""The model behind an accuracy survives the way through a record."""

from __future__ import annotations

from optguide.paths import build_dir
from optguide.records.model import EvaluatedModel, result_of
from optguide.stats.estimate import Estimate

ACCURACY = Estimate(0.9, 0.8, 0.95, "share", 100)


def test_what_was_judged_is_found_again_in_this_build(monkeypatch, tmp_path):
    monkeypatch.setenv("OPTGUIDE_BUILD", str(tmp_path / "somewhere"))
    judged = EvaluatedModel(
        "digits", build_dir() / "models" / "m" / "model.xml", precision=None, original=True
    )
    result = result_of(ACCURACY, "x.accuracy", evidence=judged.evidence)
    assert result.evidence["judged"]["model"] == "build/models/m/model.xml"  # readers see no machine's path
    assert EvaluatedModel.of(result) == judged


def test_a_result_without_it_has_none():
    assert EvaluatedModel.of(result_of(ACCURACY, "x.accuracy")) is None
