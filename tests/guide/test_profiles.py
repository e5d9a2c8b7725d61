from __future__ import annotations

import pytest

from optguide import Budget, Recording, records
from optguide.errors import OptionError
from optguide.guide import profiles
from optguide.guide.profiles import PROFILES, current, name_of_minutes, of_minutes
from optguide.records.recording import PROFILE_VARIABLE


def test_quick_without_the_variable(monkeypatch):
    monkeypatch.delenv(PROFILE_VARIABLE, raising=False)
    assert current() == PROFILES["quick"]


@pytest.mark.parametrize("name", PROFILES)
def test_named_by_the_variable(monkeypatch, name):
    monkeypatch.setenv(PROFILE_VARIABLE, name)
    assert current().name == name


@pytest.mark.parametrize(
    "name", ["", "slow", "Quick", "7", "-minute", "0.5-minute", "nan-minute", "inf-minute"]
)
def test_unknown_names_are_refused(monkeypatch, name):
    monkeypatch.setenv(PROFILE_VARIABLE, name)
    with pytest.raises(OptionError, match="is no profile"):
        current()


def test_full_measures_longer_and_more_precisely_than_quick():
    quick, full = PROFILES["quick"], PROFILES["full"]
    assert full.budget.seconds > quick.budget.seconds
    assert full.budget.precision < quick.budget.precision
    assert full.load_seconds > quick.load_seconds
    assert full.repeats > quick.repeats


@pytest.mark.parametrize("profile", PROFILES.values(), ids=lambda profile: profile.name)
def test_the_guide_waits_for_an_interval_on_a_slow_machine(profile):
    assert profile.budget.longest >= 60
    assert Budget(10.0).longest == 40


def test_full_gives_first_inference_an_interval():
    assert PROFILES["full"].repeats >= 6


def test_minutes_decide_every_budget(monkeypatch):
    monkeypatch.setenv(PROFILE_VARIABLE, name_of_minutes(6))
    assert current() == of_minutes(6)
    assert of_minutes(6).budget.seconds == pytest.approx(of_minutes(12).budget.seconds / 2)
    assert [of_minutes(minutes).name for minutes in (2, 7.9, 8, 60)] == ["quick", "quick", "full", "full"]


@pytest.mark.parametrize("minutes", [0, 0.9, -1, float("nan"), float("inf")])
def test_what_is_no_time_is_refused(minutes):
    with pytest.raises(OptionError, match="no budget of a build"):
        of_minutes(minutes)


@pytest.mark.parametrize(("profile", "gaps"), [("quick", 2), ("6-minute", 2), ("12-minute", 0), ("full", 0)])
def test_only_the_full_profile_has_no_gaps(monkeypatch, tmp_path, profile, gaps):
    monkeypatch.setenv("OPTGUIDE_PROFILE", profile)
    recording = Recording("measure/x", declares=("x.*",), root=tmp_path)
    recording.add("x.size", 3)
    profiles.full_only(recording, "x.resnet50.*", "x.late")
    recording.publish()
    assert len(records.load(tmp_path).unavailable) == gaps


def test_a_session_gets_its_share_of_the_budget(monkeypatch):
    monkeypatch.setenv("OPTGUIDE_PROFILE", "full")
    assert (
        profiles.budget(0.5).seconds == profiles.budget().seconds / 2 == profiles.current().budget.seconds / 2
    )
