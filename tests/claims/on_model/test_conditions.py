import tomllib
from pathlib import Path

import pytest

from optguide import claims
from optguide.claims import model
from optguide.claims.on_model import evaluation as conditions
from optguide.claims.on_model.probes import PROBES
from optguide.errors import ClaimError
from optguide.paths import repository

CHECKOUT = repository(Path(__file__))
GUIDE = """
[[claim]]
id = "{id}"
statement = "The guide's sentence."
source = {{ title = "T", url = "https://docs.openvino.ai" }}
page = "measure/x"
needs = ["cores:2"]
conditions = [{{ result = "resnet50.gain", above = 1 }}]
"""
OWN = """
[[claim]]
id = "first"
conditions = [{ result = "model.gain", above = 1 }]
"""


@pytest.fixture
def loaded(tmp_path):
    """Read a file of own claims beside a guide that makes the claims ``first`` and ``second``."""
    folder = tmp_path / "conf" / "claims"
    folder.mkdir(parents=True)
    (folder / "measure.toml").write_text("".join(GUIDE.format(id=name) for name in ("first", "second")))

    def load(text):
        file = tmp_path / "conf" / conditions.FILE
        file.write_text(text)
        return conditions.load(file, folder)

    return load


def shipped():
    return conditions.load(CHECKOUT / "conf" / conditions.FILE, CHECKOUT / "conf" / "claims")


def test_the_claim_is_the_guides_with_other_conditions(loaded):
    (claim,) = loaded(OWN)
    assert (claim.id, claim.statement, claim.page) == ("first", "The guide's sentence.", "measure/x")
    assert (claim.chapter, claim.needs, claim.source.title) == ("measure", ("cores:2",), "T")
    assert [(part.result, part.above) for part in claim.conditions] == [("model.gain", 1.0)]


def test_a_statement_of_its_own_replaces_the_guides(loaded):
    (claim,) = loaded(OWN + 'statement = "Another sentence."\n')
    assert claim.statement == "Another sentence."


@pytest.mark.parametrize(
    ("find", "put", "complaint"),
    [
        ('"first"', '"third"', "Claim 'third' in .* the guide does not make it"),
        ("above", "over", "unknown field `over`"),
        ("conditions", "condition", "missing required field|unknown field"),
        ('id = "first"', 'id = "first"\npage = "x"', "unknown field `page`"),
        ("model.gain", "gain", "'gain' is no result identifier"),
    ],
)
def test_mistakes_are_told(loaded, find, put, complaint):
    with pytest.raises(ClaimError, match=complaint):
        loaded(OWN.replace(find, put))


def test_a_claim_is_asked_once(loaded):
    with pytest.raises(ClaimError, match="'first' twice"):
        loaded(OWN + OWN)


def test_a_checkout_without_the_file_is_told(tmp_path, loaded):
    with pytest.raises(ClaimError, match=r"own_model\.toml cannot be read"):
        conditions.load(tmp_path / conditions.FILE, tmp_path / "conf" / "claims")


def test_chosen_keeps_the_order_of_the_file_and_refuses_others(loaded):
    known = loaded(OWN.replace("first", "second") + OWN)
    assert [claim.id for claim in conditions.select(known, ["first", "second"])] == ["second", "first"]
    assert [claim.id for claim in conditions.select(known, ["first"])] == ["first"]
    with pytest.raises(ClaimError, match=r"no claim 'frist'.*") as caught:
        conditions.select(known, ["frist"])
    assert caught.value.remedy == "Did you mean first?"
    with pytest.raises(ClaimError) as caught:
        conditions.select(known, ["xyz"])
    assert caught.value.remedy == "There are second, first."


def test_all_claims_of_the_file_are_made_by_the_guide():
    guide = {claim.id: claim for claim in claims.load(CHECKOUT / "conf" / "claims")}
    found = shipped()
    assert len(found) >= 20
    for claim in found:
        assert (claim.page, claim.source, claim.needs) == (
            guide[claim.id].page,
            guide[claim.id].source,
            guide[claim.id].needs,
        )
        assert claim.statement.endswith(".")


def test_bounds_are_those_of_the_guide():
    """The reader's model is held against what the guide's are held against."""
    guide = {claim.id: claim for claim in claims.load(CHECKOUT / "conf" / "claims")}
    for claim in shipped():
        bounds = {(part.side, part.edges) for part in claim.conditions}
        assert bounds <= {(part.side, part.edges) for part in guide[claim.id].conditions}


def test_every_result_is_produced_by_one_probe_and_decides_a_claim():
    asked = {part.result for claim in shipped() for part in claim.conditions}
    produced = [result for probe in PROBES for result in probe.results]
    assert sorted(produced) == sorted(asked)


def test_without_a_checkout_it_is_read_where_the_wheel_carries_it(tmp_path, monkeypatch):
    with (CHECKOUT / "pyproject.toml").open("rb") as file:
        carried = tomllib.load(file)["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]
    for source in ("conf/claims", f"conf/{conditions.FILE}"):
        target = tmp_path / carried[source]
        target.parent.mkdir(parents=True, exist_ok=True)
        target.symlink_to(CHECKOUT / source)
    expected = shipped()
    monkeypatch.setattr(model, "repository", lambda start=None: None)
    monkeypatch.setattr("importlib.resources.files", lambda name: tmp_path / name)
    assert conditions.load() == expected
