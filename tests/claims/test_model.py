import tomllib
from pathlib import Path

import pytest

from optguide import claims
from optguide.claims import Condition, Source, model
from optguide.errors import ClaimError
from optguide.openvino_release import DOCUMENTATION
from optguide.paths import repository

GOOD = """
[[claim]]
id = "bf16-is-faster"
statement = "The default precision is faster than f32."
source = { title = "OpenVINO: precision", url = "precision.html" }
page = "measure/frameworks"
needs = ["cpu:avx512_bf16"]
conditions = [
    { result = "x.gain", above = 1 },
    { result = "x.size", below = 2.5 },
    { result = "x.same", between = [0.98, 1.02] },
    { result = "x.cost", at_least = "act" },
]
"""
SHORT = """
[[claim]]
id = "{id}"
statement = "S."
source = {{ title = "T", url = "U" }}
page = "measure/x"
conditions = {conditions}
"""


@pytest.fixture
def file(tmp_path):
    (tmp_path / "claims").mkdir()
    return tmp_path / "claims" / "measure.toml"


def loaded(file, text):
    file.write_text(text)
    return claims.load(file.parent)


def test_a_claim_is_read_with_all_its_parts(file):
    (claim,) = loaded(file, GOOD)
    assert claim.id == "bf16-is-faster"
    assert claim.source == Source(title="OpenVINO: precision", url=DOCUMENTATION + "precision.html")
    assert claim.page == "measure/frameworks"
    assert claim.needs == ("cpu:avx512_bf16",)
    assert claim.conditions == (
        Condition(result="x.gain", above=1.0),
        Condition(result="x.size", below=2.5),
        Condition(result="x.same", between=(0.98, 1.02)),
        Condition(result="x.cost", at_least="act"),
    )


@pytest.mark.parametrize(
    ("condition", "side", "edges"),
    [
        ({"above": 2}, "above", (2,)),
        ({"below": 0.0}, "below", (0.0,)),
        ({"between": (0, 0)}, "between", (0, 0)),
        ({"at_least": "act"}, "above", (0.95,)),
        ({"at_most": "act"}, "below", (1.05,)),
        ({"within": "act"}, "between", (0.95, 1.05)),
    ],
)
def test_every_condition_has_a_side_and_bounds(condition, side, edges):
    condition = Condition(result="x.y", **condition)
    assert (condition.side, condition.edges) == (side, edges)


def test_claims_keep_their_order_and_needs_are_optional(file):
    one, two = (SHORT.format(id=id_, conditions='[{ result = "x.a", above = 1 }]') for id_ in ("b", "a"))
    assert [(claim.id, claim.needs) for claim in loaded(file, one + two)] == [("b", ()), ("a", ())]


def test_chapters_come_in_reading_order_and_are_named_by_their_files(file):
    for chapter in ("unknown", "deploy", "optimize", "measure"):
        condition = '[{ result = "x.a", above = 1 }]'
        file.with_name(f"{chapter}.toml").write_text(SHORT.format(id=f"in-{chapter}", conditions=condition))
    assert [(claim.id, claim.chapter) for claim in claims.load(file.parent)] == [
        (f"in-{chapter}", chapter) for chapter in ("measure", "optimize", "deploy", "unknown")
    ]


def test_a_chapter_of_their_own_is_refused(file):
    with pytest.raises(ClaimError, match="the key `chapter` has to go"):
        loaded(file, GOOD + 'chapter = "measure"\n')


def test_ids_are_unique_across_chapters(file):
    file.with_name("deploy.toml").write_text(GOOD)
    with pytest.raises(ClaimError, match="two claims 'bf16-is-faster'"):
        loaded(file, GOOD)


def test_no_claims_are_no_error(file):
    assert loaded(file, "") == ()


@pytest.mark.parametrize(
    ("find", "put", "complaint"),
    [
        ("needs =", "need =", "unknown field `need`"),
        ("above = 1", "over = 1", "unknown field `over`"),
        ("above = 1", "above = 1, below = 2", "exactly one"),
        (", above = 1", "", "exactly one"),
        ("above = 1", "above = nan", "finite bounds"),
        ("above = 1", 'above = "1"', "Expected `float"),
        ("[0.98, 1.02]", "[1.02, 0.98]", "the lower one first"),
        ("[0.98, 1.02]", "[0.98, inf]", "finite bounds"),
        ("[0.98, 1.02]", "[0.98]", "length 2"),
        ('"act"', '"fine"', "fine"),
        ('at_least = "act"', 'at_least = "act", above = 1', "exactly one"),
        ('"x.gain"', '"gain"', "'gain' is no result identifier"),
        ('page = "measure/frameworks"', "", "missing required field `page`"),
        ("url =", "link =", "link"),
    ],
)
def test_mistakes_are_told_with_the_id_of_the_claim(file, find, put, complaint):
    assert find in GOOD
    with pytest.raises(ClaimError, match=r"'bf16-is-faster' in .*measure\.toml is not valid") as caught:
        loaded(file, GOOD.replace(find, put, 1))
    assert complaint in caught.value.message


def test_claim_without_an_id_is_told_by_its_place(file):
    with pytest.raises(ClaimError, match="Claim number 2 "):
        loaded(file, GOOD + '[[claim]]\npage = "measure/x"\n')


@pytest.mark.parametrize("bad", ["Not-Lower", "a_b", "a--b", "", "a b"])
def test_malformed_ids_are_refused(file, bad):
    with pytest.raises(ClaimError, match="lower-case words"):
        loaded(file, SHORT.format(id=bad, conditions='[{ result = "x.a", above = 1 }]'))


def test_claims_need_a_condition(file):
    with pytest.raises(ClaimError, match="at least one condition"):
        loaded(file, SHORT.format(id="a", conditions="[]"))


def test_two_claims_of_one_id_are_refused(file):
    with pytest.raises(ClaimError, match="two claims 'bf16-is-faster'"):
        loaded(file, GOOD + GOOD)


@pytest.mark.parametrize("text", ["[claims]\n", "title = 1\n" + GOOD, "claim = 1\n", "[claim]\nid = 'a'\n"])
def test_files_of_another_form_are_refused(file, text):
    with pytest.raises(ClaimError, match="nothing but"):
        loaded(file, text)


def test_broken_and_missing_files_are_refused(file, tmp_path):
    with pytest.raises(ClaimError, match="no valid TOML"):
        loaded(file, "[[claim")
    file.write_bytes(b"# \xff")
    with pytest.raises(ClaimError, match="no valid TOML"):
        claims.load(file.parent)
    with pytest.raises(ClaimError, match="holds no file of claims"):
        claims.load(tmp_path / "none")


def test_the_checkout_around_the_current_folder_comes_first(tmp_path, monkeypatch):
    (tmp_path / "conf" / "claims").mkdir(parents=True)
    (tmp_path / "conf" / "claims" / "measure.toml").write_text(GOOD)
    inside = tmp_path / "docs" / "measure"
    inside.mkdir(parents=True)
    monkeypatch.chdir(inside)
    assert [claim.id for claim in claims.load()] == ["bf16-is-faster"]


def test_an_editable_installation_reads_its_checkout_from_elsewhere(tmp_path, monkeypatch):
    here = repository(Path(model.__file__))
    if here is None:
        pytest.skip("this is no editable installation")
    monkeypatch.chdir(tmp_path)
    assert claims.load() == claims.load(here / "conf" / "claims")


def test_without_a_checkout_the_claims_are_read_where_the_wheel_carries_them(tmp_path, monkeypatch):
    with (repository(Path(__file__)) / "pyproject.toml").open("rb") as file:
        carried = tomllib.load(file)["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]
    packaged = tmp_path / carried["conf/claims"]
    packaged.mkdir(parents=True)
    (packaged / "measure.toml").write_text(GOOD)
    monkeypatch.setattr(model, "repository", lambda start=None: None)
    monkeypatch.setattr("importlib.resources.files", lambda name: tmp_path / name)
    assert [claim.id for claim in claims.load()] == ["bf16-is-faster"]


def test_the_claims_of_the_guide_parse_and_link_to_where_they_are_said():
    for claim in claims.load(Path(__file__).parents[2] / "conf" / "claims"):
        assert claim.source.url.startswith("https://"), claim.id
        assert claim.statement.endswith("."), claim.id
