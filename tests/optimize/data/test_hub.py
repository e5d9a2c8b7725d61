from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from optguide.errors import EnvironmentMissing, InputError
from optguide.optimize.candidate import Settings
from optguide.optimize.data import read_data
from optguide.optimize.model import SourceModel
from optguide.runtimes.ports import Port

VECTOR = Port("x", "float32", (None, 4))


def read(data, port=VECTOR, classes=2):
    subject = SourceModel("m", "ONNX", Path("f32.xml"), (port,), (Port("y", "float32", (1, classes)),))
    return read_data(Settings("m.onnx", data=f"hub:{data}"), subject)


def test_without_the_package_it_says_so(monkeypatch):
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(EnvironmentMissing, match="package datasets") as refused:
        read("owner/name")
    assert "pip install datasets" in refused.value.remedy


@pytest.fixture
def hub(monkeypatch, tmp_path_factory):
    """The package, kept from the internet, with a cache of its own."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_HOME", str(tmp_path_factory.mktemp("hub")))
    return pytest.importorskip("datasets")


def table(folder, name="train", rows=20, columns=("x", "label")):
    folder.mkdir(exist_ok=True)
    lines = [
        json.dumps({columns[0]: [float(row)] * 4, columns[1]: row % 2, "text": "t"}) for row in range(rows)
    ]
    (folder / f"{name}.jsonl").write_text("\n".join(lines))
    return folder


def test_columns_become_inputs_and_labels(hub, tmp_path):
    data = read(table(tmp_path / "set"))
    assert len(data.samples) == 20
    first = data.samples[0]["x"]
    assert (first.shape, first.dtype) == ((1, 4), np.float32)
    for index in range(20):
        assert data.samples[index]["x"][0, 0] % 2 == data.labels[index], "labels go with their rows"
    assert [int(sample["x"][0, 0]) for sample in data.samples] != list(range(20)), "shuffled"


def test_a_split_is_chosen(hub, tmp_path):
    folder = table(table(tmp_path / "set", "train", 9), "test", 5)
    assert len(read(folder).samples) == 5, "not what a model was trained on, if there is another"
    assert len(read(f"{folder}:train").samples) == 9
    assert len(read(f"{folder}:train[:3]").samples) == 3, "a part of a split has a colon of its own"
    with pytest.raises(InputError, match="cannot be loaded"):
        read(f"{folder}:nothing")


def test_a_configuration_is_chosen(hub, tmp_path):
    folder = table(table(tmp_path / "set", "few", 6), "many", 11)
    configurations = "".join(
        f"- config_name: {name}\n  data_files:\n  - split: test\n    path: {name}.jsonl\n"
        for name in ("few", "many")
    )
    (folder / "README.md").write_text(f"---\nconfigs:\n{configurations}---\n")
    assert len(read(f"{folder}:few:test").samples) == 6
    assert len(read(f"{folder}:many:").samples) == 11
    with pytest.raises(InputError, match=r"cannot be loaded: .*few") as refused:
        read(folder)
    assert "configuration" in refused.value.remedy


@pytest.mark.parametrize("name", ["", ":train", "set:few:test:more"])
def test_what_names_no_data_set(name):
    with pytest.raises(InputError, match="no data set of a hub") as refused:
        read(name)
    assert "hub:NAME:CONFIGURATION:SPLIT" in refused.value.remedy


def test_pictures_in_folders(hub, tmp_path):
    image = pytest.importorskip("PIL.Image")
    for name in ("cat", "dog"):
        (tmp_path / "set" / name).mkdir(parents=True)
        image.new("RGB", (9, 9), (200, 100, 50)).save(tmp_path / "set" / name / "1.png")
    data = read(tmp_path / "set", Port("image", "float32", (1, 3, 8, 8)))
    assert sorted(data.labels) == [0, 1]
    assert data.samples[1]["image"].shape == (1, 3, 8, 8)


def test_columns_that_are_no_inputs(hub, tmp_path):
    with pytest.raises(InputError, match="has the columns other, label, text, and the model's inputs are x"):
        read(table(tmp_path / "set", columns=("other", "label")))


def test_no_such_data_set_or_no_internet(hub, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="'nobody/nothing' cannot be loaded") as refused:
        read("nobody/nothing")
    assert "internet" in refused.value.remedy
