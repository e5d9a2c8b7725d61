"""What a run stands on is recognized, and what has changed is said."""

import pytest

from optguide.errors import InputError, ModelError, OptionError
from optguide.optimize.candidate import Settings
from optguide.optimize.state import changed, fingerprints


@pytest.fixture
def settings(tmp_path, monkeypatch):
    """A model with weights, a folder of data and a metric, all in the current folder."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "m.xml").write_text("graph")
    (tmp_path / "m.bin").write_bytes(b"weights")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "a.npy").write_bytes(b"1")
    (tmp_path / "own.py").write_text("def metric(outputs, labels): return 1.0\n")
    return Settings("m.xml", data="data", metric="own:metric")


def test_nothing_has_changed(settings):
    before = fingerprints(settings)
    assert all(before.values())
    assert changed(settings, before, "here") is None


@pytest.mark.parametrize(
    ("file", "kind", "what"),
    [
        ("m.xml", ModelError, "model m.xml"),
        ("m.bin", ModelError, "model m.xml"),
        ("data/b.npy", InputError, "data data"),
        ("own.py", OptionError, "metric own:metric"),
    ],
)
def test_a_change_is_named(settings, tmp_path, file, kind, what):
    before = fingerprints(settings)
    (tmp_path / file).write_text("other")
    error = changed(settings, before, "here")
    assert isinstance(error, kind)
    assert f"The {what} has changed" in error.message


def test_another_folder_is_no_change(settings, tmp_path, monkeypatch):
    before = fingerprints(settings)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    error = changed(settings, before, str(tmp_path))
    assert "is not here" in error.message
    assert str(tmp_path) in error.remedy


def test_names_that_are_no_files_have_no_digest(settings):
    assert set(fingerprints(Settings("nowhere:build", data="hub:mnist", metric="top-1")).values()) == {""}
    assert fingerprints(Settings("m.xml"))["data"] == ""


def test_nothing_is_imported_to_find_a_module(settings, tmp_path):
    (tmp_path / "own.py").write_text("raise SystemExit('imported')\n")
    assert fingerprints(settings)["metric"]
