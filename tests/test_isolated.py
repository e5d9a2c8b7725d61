"""Releases in environments of their own; what creates any environment is tested with the guide's."""

from __future__ import annotations

import sys

import pytest

from optguide import isolated
from optguide.errors import EnvironmentMissing, OptionError
from optguide.isolated import release


@pytest.fixture(autouse=True)
def _own_folder(tmp_path, monkeypatch):
    monkeypatch.setattr(isolated, "RELEASES", tmp_path / "releases")


@pytest.mark.parametrize(
    ("version", "requirement"),
    [("2025.4", "openvino==2025.4.*"), ("2025.4.1", "openvino==2025.4.1"), ("2026", "openvino==2026.*")],
)
def test_a_shorter_version_is_the_newest_that_begins_so(version, requirement):
    environment = release("openvino", version)
    assert environment.requirements.splitlines() == [requirement, "numpy"]
    assert f"openvino-{version}-py3.{sys.version_info.minor}" in str(environment.folder)


@pytest.mark.parametrize("version", ["newest", "2025.4; rm", "../2025", "", "v2025.4"])
def test_what_is_no_version_is_the_callers_mistake(version):
    with pytest.raises(OptionError, match="names no release"):
        release("openvino", version)


def test_a_release_that_the_index_lacks_is_refused_with_those_that_it_has(tmp_path, monkeypatch):
    for version in ("2023.0.0", "2024.6.0", "2025.1.0.dev20250101"):
        (tmp_path / f"openvino-{version}-py3-none-any.whl").touch()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    with pytest.raises(EnvironmentMissing, match=r"Release 2019\.1 of openvino .* no such version") as caught:
        release("openvino", "2019.1").create()
    assert caught.value.remedy == "The newest that it has are 2023.0.0, 2024.6.0."
    assert not release("openvino", "2019.1").is_complete


def test_a_release_that_does_not_import_is_no_environment(monkeypatch):
    environment = release("no_such_module", "1.0")
    object.__setattr__(environment, "requirements", "# nothing to install\n")
    with pytest.raises(EnvironmentMissing, match="No module named"):
        environment.create()
    assert not environment.is_complete
