import json
from dataclasses import replace

import pytest

from optguide.machine import Machine
from optguide.records import Recording
from optguide.stats.estimate import Estimate
from tests.cli.json_shapes import golden, keys

CLAIM = """
[[claim]]
id = "{id}"
statement = "The statement of {id}."
source = {{ title = "T", url = "https://docs.openvino.ai" }}
page = "measure/x"
conditions = [{{ result = "{result}", above = 1 }}]
"""


@pytest.fixture(autouse=True)
def checkout(tmp_path, monkeypatch):
    """A guide with four claims, of which the example that records ``x`` decides three."""
    monkeypatch.delenv("OPTGUIDE_BUILD", raising=False)
    monkeypatch.setenv("OPTGUIDE_BUILD_ID", "this")
    (tmp_path / "conf" / "claims").mkdir(parents=True)
    claims = [("good", "x.good"), ("bad", "x.bad"), ("no-gpu", "x.gpu"), ("later", "y.later")]
    (tmp_path / "conf" / "claims" / "measure.toml").write_text(
        "".join(CLAIM.format(id=name, result=result) for name, result in claims)
    )
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def recorded(checkout, capsys):
    recording = Recording("measure/x", declares=["x.*"])
    recording.add("x.good", Estimate(2.0, 1.9, 2.1, "ratio", 20), label="Gain")
    recording.add("x.bad", Estimate(0.5, 0.4, 0.6, "ratio", 20), label="Loss")
    recording.unavailable("x.gpu", "there is no GPU")
    path = recording.publish()
    capsys.readouterr()  # the summary that publishing prints
    return path


def test_the_ledger(optguide, recorded):
    found = optguide("claims")
    assert found.status == 0
    for expected in (
        "confirmed",
        "The statement of good.",
        "Gain: 2.0",
        "refuted",
        "not measurable here",
        "there is no GPU",
        "not recorded",
        "No example has recorded y.later.",
        "Sampled intervals of 95 % were held against 2 conditions",
        "4 claims: 1 confirmed, 1 refuted, 1 not measurable here, 1 not recorded.",
    ):
        assert expected in found.out


def test_json(optguide, recorded):
    data = json.loads(optguide("claims", "--json").out)
    assert keys(data) == golden("claims")
    assert data["counts"] == {"confirmed": 1, "refuted": 1, "not measurable here": 1, "not recorded": 1}
    assert [claim["outcome"] for claim in data["claims"]] == list(data["counts"])
    assert data["claims"][0]["source"]["url"] == "https://docs.openvino.ai"


@pytest.mark.parametrize("folder", ["build", "build/records"])
def test_records_from_another_folder(optguide, recorded, checkout, monkeypatch, folder):
    monkeypatch.setenv("OPTGUIDE_BUILD", "elsewhere")
    assert optguide("claims").status == 1
    assert optguide("claims", "--records", checkout / folder).status == 0


def test_no_records(optguide, checkout):
    found = optguide("claims")
    assert (found.status, found.out) == (1, "")
    assert "There are no records in" in found.err
    assert "nox -s docs" in found.err
    assert optguide("claims", "--records", "nowhere").status == 2


def test_records_of_another_schema(optguide, recorded):
    recorded.write_text(recorded.read_text().replace('"schema": 1', '"schema": 99'))
    found = optguide("claims")
    assert (found.status, found.out) == (1, "")
    assert "has schema 99" in found.err
    assert recorded.exists()


def test_corrupt_records(optguide, recorded):
    recorded.write_bytes(recorded.read_bytes()[:100])
    found = optguide("claims")
    assert found.status == 1
    assert "is not a readable record" in found.err


def test_records_of_another_machine_are_shown_as_such(optguide, recorded):
    here = Machine.current()
    other = replace(here, cpu="Another CPU", known_devices=())
    data = json.loads(recorded.read_text()) | {"machine": other.to_dict(), "machine_id": other.machine_id}
    recorded.write_text(json.dumps(data))
    found = optguide("claims")
    assert found.status == 0
    assert "These verdicts are about another machine than this one: Another CPU" in found.err


def test_records_of_several_machines_are_refused(optguide, recorded):
    data = json.loads(recorded.read_text())
    data |= {"example": "measure/y", "machine_id": "0" * 12, "results": {}, "unavailable": {}}
    recorded.with_name("y.json").write_text(json.dumps(data))
    found = optguide("claims")
    assert found.status == 1
    assert "were made on different machines" in found.err


@pytest.mark.parametrize(
    "arguments",
    [
        ("--int8", "int8.xml"),
        ("--budget", "2m"),
        ("--only", "good"),
        ("--device", "CPU"),
        ("--inputs", "x.npz"),
        ("--shape", "x=1"),
    ],
)
def test_options_about_a_model_need_one(optguide, recorded, arguments):
    found = optguide("claims", *arguments)
    assert (found.status, found.out) == (2, "")
    assert f"{arguments[0]} is about a model, and none is named." in found.err
