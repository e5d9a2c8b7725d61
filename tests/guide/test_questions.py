from __future__ import annotations

import numpy as np
import pytest

from optguide import Variant
from optguide.bench.result import SessionResult
from optguide.bench.series import Block, Series
from optguide.guide.questions import questions
from optguide.records import Recording
from optguide.records.recording import BUILD_VARIABLE
from optguide.stats.comparison import Comparison
from optguide.stats.estimate import Estimate

CLAIM = """
[[claim]]
id = "faster"
statement = "Two are faster than one."
source = { title = "T", url = "https://example.org" }
page = "measure/some"
conditions = [{ result = "some.gain", above = 1.0 }]
"""
SCRIPT = "examples/measure/plot_some.py"


@pytest.fixture
def guide(tmp_path, monkeypatch):
    """A checkout with one claim, whose example has recorded before that it is about ``one`` and ``two``."""
    (tmp_path / "conf" / "claims").mkdir(parents=True)
    (tmp_path / "conf" / "claims" / "measure.toml").write_text(CLAIM)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("OPTGUIDE_BUILD", raising=False)
    monkeypatch.setenv(BUILD_VARIABLE, "this")
    recording = Recording("measure/some", declares=["some.*"])
    ratio = Estimate(1.5, 1.4, 1.6, "ratio", 9)
    recording.add("some.gain", Comparison("one", "two", "latency", ratio), above="faster")
    recording.publish()
    return tmp_path


def session(spread=0.0, **paces):
    """Nine sets of workers; pace in ms, which alternates by ``spread``."""
    series = {}
    for name, pace in paces.items():
        values = [pace * (1 + spread * (-1) ** index) for index in range(9)]
        blocks = tuple(Block(r, r, np.full(3, value), 0.01, 0.01, 3) for r, value in enumerate(values))
        series[name] = Series(Variant(name, f"{name}.xml"), blocks, {}, {}, 0.1, 1, 1)
    return SessionResult(series, {}, "", 1.0, 9, 0.0)


@pytest.mark.parametrize(
    ("paces", "decided"),
    [
        ({"one": 2.0, "two": 1.0}, True),
        ({"one": 1.0, "two": 2.0}, True),
        ({"one": 1.0, "two": 1.0, "spread": 0.0}, True),
        ({"one": 1.0, "other": 2.0}, None),
    ],
)
def test_a_session_is_decided_once_its_claims_are(guide, paces, decided):
    assert questions(SCRIPT).decided(session(**paces)) is decided


def test_a_session_is_not_asked_about_starts_of_the_same_variants(guide):
    recording = Recording("measure/some", declares=["some.*"])
    ratio = Estimate(1.5, 1.4, 1.6, "ratio", 9)
    recording.add("some.gain", Comparison("one", "two", "first inference, total", ratio))
    recording.publish()
    assert questions(SCRIPT).decided(session(one=1.0, two=1.0)) is None


def test_a_session_that_leaves_a_claim_open_is_not_decided(guide):
    result = session(one=1.0, two=1.0)
    noisy = session(0.5, two=1.0).series["two"]
    result.series["two"] = noisy
    assert questions(SCRIPT).decided(result) is False


def test_the_record_of_the_last_build_is_asked_where_a_new_one_has_begun(guide):
    (guide / "build" / "previous").mkdir()
    (guide / "build" / "records").rename(guide / "build" / "previous" / "records")
    assert questions(SCRIPT).asked


@pytest.mark.parametrize("script", ["", "examples/measure/plot_other.py"])
def test_without_a_record_nothing_is_known(guide, script):
    assert questions(script) is None


def test_saved_seconds_are_of_one_build_and_drawn_once(guide, monkeypatch):
    asked = questions(SCRIPT)
    asked.save(5.0)
    questions(SCRIPT).save(2.0)
    assert asked.draw(4.0)
    assert not asked.draw(4.0)
    assert asked.draw(3.0)
    asked.save(5.0)
    monkeypatch.setenv(BUILD_VARIABLE, "next")
    assert not asked.draw(4.0)


def test_a_script_that_runs_alone_saves_for_nobody(guide, monkeypatch):
    monkeypatch.delenv(BUILD_VARIABLE)
    asked = questions(SCRIPT)
    asked.save(5.0)
    assert not asked.draw(4.0)
    assert not (guide / "build" / "records" / "savings.json").exists()


def test_a_broken_file_costs_what_was_saved_and_nothing_else(guide):
    asked = questions(SCRIPT)
    asked.save(5.0)
    (guide / "build" / "records" / "savings.json").write_bytes(b"{")
    assert not asked.draw(4.0)
    asked.save(4.0)
    assert asked.draw(4.0)
