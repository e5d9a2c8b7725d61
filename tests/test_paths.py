from pathlib import Path

import pytest

from optguide import paths


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    monkeypatch.delenv(paths.VARIABLE, raising=False)
    root = tmp_path / "checkout"
    (root / "conf").mkdir(parents=True)
    (root / "conf" / "claims").mkdir()
    (root / "examples" / "measure").mkdir(parents=True)
    return root


def test_repository_is_found_from_a_folder_and_from_a_file_inside(checkout):
    assert paths.repository(checkout / "examples" / "measure") == checkout
    assert paths.repository(checkout / "conf" / "claims") == checkout


def test_outside_of_a_checkout_there_is_no_repository(tmp_path):
    assert paths.repository(tmp_path) is None


def test_build_folder_lies_in_the_checkout_wherever_one_is_in_it(checkout, monkeypatch):
    monkeypatch.chdir(checkout / "examples" / "measure")
    assert paths.build_dir() == checkout / "build"
    assert paths.records_dir() == checkout / "build" / "records"


def test_outside_of_a_checkout_the_current_folder_holds_the_build(tmp_path, monkeypatch):
    monkeypatch.delenv(paths.VARIABLE, raising=False)
    monkeypatch.chdir(tmp_path)
    assert paths.build_dir() == tmp_path / "build"


def test_the_environment_decides_first_and_relative_paths_become_absolute(checkout, monkeypatch):
    monkeypatch.chdir(checkout)
    monkeypatch.setenv(paths.VARIABLE, "elsewhere")
    assert paths.build_dir() == checkout / "elsewhere"


def test_readers_see_paths_relative_to_the_checkout(checkout, monkeypatch):
    monkeypatch.chdir(checkout)
    assert paths.shown(checkout / "build" / "models" / "a.xml") == "build/models/a.xml"
    assert paths.shown(Path("/elsewhere/a.xml")) == Path("/elsewhere/a.xml").as_posix()


def test_readers_see_no_places_of_this_machine(checkout, tmp_path, monkeypatch):
    monkeypatch.chdir(checkout)
    monkeypatch.setenv("OPTGUIDE_BUILD", str(tmp_path / "scratch"))
    assert paths.shown(tmp_path / "scratch" / "models" / "a.xml") == "build/models/a.xml"
    said = f"{checkout}/conf/x is missing, {tmp_path}/scratch/envs/y and {Path.home()}/z too."
    assert paths.impersonal(said) == "conf/x is missing, build/envs/y and ~/z too."
    assert paths.impersonal("nothing to hide") == "nothing to hide"
