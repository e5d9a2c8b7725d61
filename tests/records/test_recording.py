import json
import math
import runpy
import shutil
from dataclasses import replace

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from optguide import records
from optguide.errors import ClaimError, NotEnoughSamples, RecordsError, StorageError
from optguide.records import Figure, Record, Recording, Result, Table
from optguide.records.model import SCHEMA, decode
from optguide.stats.comparison import Comparison
from optguide.stats.estimate import Estimate
from optguide.storage import encode_json

SPEED = Estimate(40.0, 39.0, 41.5, "ms", 1200, "median")


@pytest.fixture(autouse=True)
def checkout(tmp_path, monkeypatch):
    """A checkout of a guide, the current folder inside it, and one build."""
    monkeypatch.delenv("OPTGUIDE_BUILD", raising=False)
    monkeypatch.delenv("OPTGUIDE_PROFILE", raising=False)
    monkeypatch.setenv("OPTGUIDE_BUILD_ID", "this")
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf" / "claims").mkdir()
    # This file is the script of the recordings made here.
    (tmp_path / "tests" / "records").mkdir(parents=True)
    shutil.copy(__file__, tmp_path / "tests" / "records")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def recorded(example="measure/x", *, prefix="x"):
    recording = Recording(example, declares=[f"{prefix}.*"])
    recording.add(f"{prefix}.speed", SPEED, label="Speed")
    return recording


def edit(path, **changes):
    data = json.loads(path.read_bytes())
    path.write_text(json.dumps(data | changes))


# Collecting


def test_published_results_can_be_read_back():
    recording = recorded()
    recording.add("x.size", 1024, unit="bytes", label="File")
    path = recording.publish()
    found = records.load()
    assert path == found.path_of("measure/x")
    assert found.get("x.speed") == Result(40.0, 39.0, 41.5, "ms", 1200, "median", "Speed")
    size = found.get("x.size")
    assert (size.value, size.low, size.high, size.n) == (1024, 1024, 1024, 1)


def test_nothing_is_visible_before_publishing():
    recorded()
    assert records.load().by_example == {}


def test_record_names_build_profile_machine_and_times(monkeypatch):
    monkeypatch.setenv("OPTGUIDE_PROFILE", "full")
    recorded().publish()
    record = records.load().by_example["measure/x"]
    assert (record.build, record.profile, record.schema) == ("this", "full", SCHEMA)
    assert record.machine["cpu"]
    assert record.machine_id
    assert record.started <= record.finished
    assert record.started.endswith("+00:00")


def test_builds_without_an_id_get_different_ones(monkeypatch):
    monkeypatch.delenv("OPTGUIDE_BUILD_ID")
    recorded().publish()
    first = records.load().by_example["measure/x"].build
    recorded().publish()
    assert first != records.load().by_example["measure/x"].build


def test_publish_prints_every_result(capsys):
    recording = recorded()
    recording.add("x.size", 3)
    recording.unavailable("x.gpu", "there is no GPU")
    recording.publish()
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].split("  ")[0] == "Speed"
    assert "40.0 ms (39.0 to 41.5)" in lines[1]
    assert lines[1].endswith("1200")
    assert lines[2].startswith("x.size")
    assert lines[3] == "x.gpu: not measurable here: there is no GPU"


def test_results_below_and_around_zero_are_kept(capsys):
    recording, drop = recorded(), Estimate(-0.3, -0.9, 0.3, "points", 1797)
    recording.add("x.drop", drop)
    recording.table("drops", ["model", "drop"], [["INT8", drop]], caption="Drops")
    recording.publish()
    assert "-0.3 points (-0.9 to 0.3)" in capsys.readouterr().out
    read = records.load().by_example["measure/x"]
    assert read.results["x.drop"].low == read.tables["drops"].rows[0][1].low == -0.9


def test_a_ratio_of_another_direction_keeps_what_is_known_of_the_comparison():
    recording = Recording("measure/x", declares=["x.*"])
    ratio = Estimate(1.5, 1.4, 1.6, "ratio", 6)
    facts = {"same": {"NUM_STREAMS": "1"}, "disturbed": "It is.", "warnings": ("Too short.",)}
    recording.add("x.wait", Comparison("one", "two", "latency", ratio, ratio, 5.0, **facts), above="longer")
    recording.publish()
    (result,) = records.load().results.values()
    assert (result.value, result.above) == (1.5, "longer")
    assert result.evidence == {"a": "one", "b": "two", "quantity": "latency", "seconds": 5.0} | facts | {
        "warnings": ["Too short."]
    }


def test_comparison_records_both_ratios():
    ratio, cpu = Estimate(1.9, 1.8, 2.0, "ratio", 30), Estimate(1.95, 1.9, 2.0, "ratio", 30)
    recording = Recording("measure/x", declares=["x.gain", "x.gain.cpu", "x.plain"])
    recording.add("x.gain", Comparison("f32", "bf16", "latency", ratio, cpu), above="faster")
    recording.add("x.plain", Comparison("f32", "bf16", "latency", ratio), label="Gain", above="faster")
    recording.publish()
    found = records.load()
    assert found.get("x.gain").label == "bf16 against f32"
    assert found.get("x.gain").text == "1.90\N{MULTIPLICATION SIGN} faster (1.80 to 2.00)"
    assert found.get("x.gain").evidence == {"a": "f32", "b": "bf16", "quantity": "latency"}
    assert found.get("x.gain.cpu").value == 1.95
    assert found.get("x.plain").label == "Gain"


def test_a_ratio_keeps_its_direction_and_nothing_else_has_one():
    recording = Recording("measure/x", declares=["x.*"])
    recording.add("x.wait", Estimate(0.5, 0.4, 0.8, "ratio", 9), above="longer")
    assert recording._results["x.wait"].text == "2.0\N{MULTIPLICATION SIGN} shorter (1.2 to 2.5)"
    for wrong in (Estimate(2.0, 1.9, 2.1, "ms", 9), Estimate(0.5, -0.1, 0.8, "ratio", 9)):
        with pytest.raises(RecordsError, match="cannot be called 'longer'"):
            recording.add("x.other", wrong, above="longer")
    with pytest.raises(RecordsError, match="cannot be called 'nicer'"):
        recording.add("x.other", Estimate(2.0, 1.9, 2.1, "ratio", 9), above="nicer")


@pytest.mark.parametrize(
    "identifier", ["speed", "X.speed", "x..speed", "x.speed.", "x-y.speed", "", "x.speed\n"]
)
def test_malformed_identifiers_are_refused(identifier):
    with pytest.raises(ClaimError, match="no result identifier"):
        recorded().add(identifier, SPEED)


def test_identifiers_are_given_once():
    recording = recorded()
    with pytest.raises(RecordsError, match="recorded twice"):
        recording.add("x.speed", SPEED)
    with pytest.raises(RecordsError, match="recorded twice"):
        recording.unavailable("x.speed", "reason")
    recording.unavailable("x.gpu", "reason")
    with pytest.raises(RecordsError, match="recorded twice"):
        recording.add("x.gpu", SPEED)


@pytest.mark.parametrize("field", ["value", "low", "high"])
@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_numbers_that_are_not_finite_are_refused(field, bad):
    recording = recorded()
    with pytest.raises(RecordsError, match=r"x\.bad .* no finite number"):
        recording.add("x.bad", replace(SPEED, **{field: bad}))
    recording.publish()
    assert "x.bad" not in records.load().results


def test_intervals_the_wrong_way_round_are_refused():
    with pytest.raises(RecordsError, match=r"from 3\.0 down to 2\.0"):
        recorded().add("x.bad", Estimate(2.5, 3.0, 2.0, "ms", 3))


def test_evidence_is_kept_as_json_with_paths_inside_the_checkout(checkout):
    recording = recorded()
    model = checkout / "build" / "models" / "a.xml"
    evidence = {"model": str(model), "shape": (1, 3), "path": model, "url": "a//b", "deep": [{"ok": None}]}
    recording.add("x.more", SPEED, evidence=evidence)
    recording.publish()
    assert records.load().get("x.more").evidence == {
        "model": "build/models/a.xml",
        "shape": [1, 3],
        "path": "build/models/a.xml",
        "url": "a//b",
        "deep": [{"ok": None}],
    }


@pytest.mark.parametrize("bad", [math.nan, object(), {1, 2}])
def test_evidence_that_json_cannot_keep_is_refused(bad):
    with pytest.raises(RecordsError, match=r"evidence of x\.more"):
        recorded().add("x.more", SPEED, evidence={"deep": [bad]})


def test_missing_and_undeclared_results_are_both_named():
    recording = Recording("measure/x", declares=["x.a", "x.b.*", "x.c"])
    for identifier in ("x.a", "x.d", "x.e"):
        recording.add(identifier, SPEED)
    with pytest.raises(RecordsError, match=r"did not record x\.b\.\*, x\.c and did not declare x\.d, x\.e"):
        recording.publish()
    assert records.load().by_example == {}


def test_unavailable_results_count_as_declared():
    recording = Recording("measure/x", declares=["x.gpu"])
    recording.unavailable("x.gpu", "this machine has no GPU.")
    recording.publish()
    found = records.load()
    assert found.unavailable == {"x.gpu": "this machine has no GPU."}
    with pytest.raises(ClaimError, match=r"no GPU\. ?$"):
        found.get("x.gpu")


def test_values_take_estimates_comparisons_counts_and_numbers_with_a_unit():
    recording, ratio = recorded(), Estimate(1.9, 1.8, 2.0, "ratio", 30)
    gain = Comparison("f32", "bf16", "latency", ratio, ratio)
    entries = {"gain": (gain, "Gain"), "size": (4, "Batch"), "zeros": (0.5, "share", "Zeros")}
    recording.values("x", entries, evidence={"by": "hand"})
    recording.values("x.one", {"wait": (ratio, "Wait")}, above="longer")
    recording.publish()
    found = records.load()
    assert (found.get("x.gain").label, found.get("x.gain.cpu").value) == ("Gain", 1.9)
    assert found.get("x.gain").evidence == {"a": "f32", "b": "bf16", "quantity": "latency", "by": "hand"}
    assert (found.get("x.size").value, found.get("x.size").unit) == (4, "count")
    assert (found.get("x.zeros").value, found.get("x.zeros").unit) == (0.5, "share")
    assert found.get("x.one.wait").text == "1.90\N{MULTIPLICATION SIGN} longer (1.80 to 2.00)"


def test_a_value_that_the_machine_lacks_is_unavailable_with_the_reason():
    def refuse():
        raise NotEnoughSamples("Too few samples.", "Measure longer.")

    recording = recorded()
    rows = recording.values("x", {"tail": (refuse, "Tail"), "late": (lambda: SPEED, "Late")})
    recording.publish()
    found = records.load()
    assert rows == {"Late": SPEED}
    assert found.get("x.late").value == 40
    assert found.unavailable == {"x.tail": "Too few samples."}


def test_a_pattern_stands_for_what_is_not_recorded():
    recording = recorded()
    recording.unavailable("x.*", "the quick profile leaves it out")
    recording.unavailable("x.gpu.*", "there is no GPU")
    recording.publish()
    found = records.load()
    assert found.get("x.speed").value == 40
    with pytest.raises(ClaimError, match="the quick profile leaves it out"):
        found.get("x.other.speed")
    assert found.covers("x.other.speed")
    assert not found.covers("y.speed")


def test_of_several_patterns_the_longest_gives_the_reason():
    recording = recorded()
    recording.unavailable("x.*", "the quick profile leaves it out")
    recording.unavailable("x.gpu.*", "there is no GPU")
    recording.publish()
    with pytest.raises(ClaimError, match="there is no GPU"):
        records.load().get("x.gpu.speed")


@pytest.mark.parametrize("pattern", ["*", "x", "X.*", "x.[ab]", "x..*", ""])
def test_malformed_patterns_are_refused(pattern):
    with pytest.raises(ClaimError, match="no pattern"):
        recorded().unavailable(pattern, "reason")


def test_unavailable_needs_a_reason():
    with pytest.raises(RecordsError, match="without a reason"):
        recorded().unavailable("x.gpu", " ")


@pytest.mark.parametrize("example", ["x", "measure/", "../x/y", "measure/x/y", "Measure/x", "measure/x.y"])
def test_malformed_names_of_examples_are_refused(example):
    with pytest.raises(ClaimError, match="no name of an example"):
        Recording(example, declares=[])


def test_tables_keep_text_and_estimates():
    recording = recorded()
    recording.table("sizes", ["what", "time"], [["a", SPEED], ["b", "none"]], caption="Sizes")
    recording.publish()
    table = records.load().by_example["measure/x"].tables["sizes"]
    assert table == Table(
        "Sizes", ("what", "time"), (("a", Result(40.0, 39.0, 41.5, "ms", 1200, "median")), ("b", "none"))
    )


def test_tables_with_ragged_rows_or_taken_names_are_refused():
    recording = recorded()
    with pytest.raises(RecordsError, match="has not 2 cells"):
        recording.table("t", ["a", "b"], [["1"]], caption="c")
    recording.table("t", ["a"], [["1"]], caption="c")
    with pytest.raises(RecordsError, match="recorded twice"):
        recording.table("t", ["a"], [["1"]], caption="c")


def test_failed_publication_keeps_the_older_record(monkeypatch):
    recorded().publish()
    recording = recorded()
    recording.add("x.size", 1)
    monkeypatch.setattr("os.fsync", lambda _: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(StorageError):
        recording.publish()
    assert list(records.load().results) == ["x.speed"]


# Reading


def test_unknown_identifiers_come_with_close_matches():
    recorded().publish()
    with pytest.raises(ClaimError, match=r"'x\.sped'.*Did you mean x\.speed\?"):
        records.load().get("x.sped")
    with pytest.raises(ClaimError, match=r"'x\.sped'"):
        records.load().record_of("x.sped")


def test_the_record_of_a_result_is_found_among_all_examples():
    recorded().publish()
    recorded("measure/y", prefix="y").publish()
    assert records.load().record_of("y.speed").example == "measure/y"


def test_another_schema_is_refused_with_both_numbers():
    path = recorded().publish()
    path.write_text(json.dumps({"schema": 99, "other": "form"}))
    with pytest.raises(RecordsError, match=r"x\.json has schema 99, .* schema 1\. .*nox -s docs"):
        records.load()


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text[: len(text) // 2],
        lambda text: b"",
        lambda text: b"\xff\xfe" + text,
        lambda text: text.replace(b'"n": 1200', b'"n": "many"'),
        lambda text: text.replace(b'"value": 40.0', b'"value": null'),
        lambda text: text.replace(b'"value": 40.0', b'"value": NaN'),
        lambda text: text.replace(b'"schema": 1', b'"schema": "1"'),
        lambda text: text.replace(b'"label": "Speed"', b'"label": "\xc3"'),
        lambda text: b"[]",
    ],
)
def test_corrupt_records_are_refused_by_name(damage):
    path = recorded().publish()
    before = path.read_bytes()
    path.write_bytes(damage(before))
    assert path.read_bytes() != before
    with pytest.raises(RecordsError, match=r"x\.json is not a readable record: .*nox -s docs"):
        records.load()


def test_record_under_another_name_is_refused():
    path = recorded().publish()
    path.rename(path.with_name("y.json"))
    with pytest.raises(RecordsError, match=r"y\.json holds the record of measure/x"):
        records.load()


def test_one_identifier_in_two_records_is_refused():
    recorded("measure/x").publish()
    recorded("measure/y").publish()
    with pytest.raises(RecordsError, match=r"x\.speed is recorded by measure/x and by measure/y"):
        records.load()


def test_records_of_two_machines_are_only_read_when_allowed():
    recorded().publish()
    other = recorded("measure/y", prefix="y").publish()
    edit(other, machine_id="another", finished="2020-01-01T00:00:00+00:00")
    with pytest.raises(RecordsError, match="measure/x and measure/y were made on different machines"):
        records.load()
    (sentence,) = records.load(allow_mixed=True).mixed()
    assert sentence == "measure/y was measured on another machine than measure/x."


def test_records_of_one_build_are_not_mixed():
    recorded().publish()
    recorded("measure/y", prefix="y").publish()
    assert records.load().mixed() == []


def test_older_builds_and_other_profiles_are_named():
    recorded().publish()
    other = recorded("measure/y", prefix="y").publish()
    edit(other, build="before", profile="full", finished="2020-01-01T00:00:00+00:00")
    assert records.load().mixed() == [
        "measure/y was measured by an earlier build than measure/x, at 2020-01-01T00:00:00+00:00.",
        "measure/y was measured with the full profile, measure/x with quick.",
    ]


SCRIPT = """
from optguide.stats.estimate import Estimate
from optguide.records import Recording
recording = Recording("measure/x", declares=["x.speed"])
recording.add("x.speed", Estimate(1.0, 1.0, 1.0, "ms", 1))
recording.publish()
"""


@pytest.fixture
def script(checkout):
    path = checkout / "examples" / "measure" / "plot_x.py"
    path.parent.mkdir(parents=True)
    path.write_text(SCRIPT)
    return path


def test_script_that_ran_is_recorded(script):
    runpy.run_path(str(script))
    assert records.load().by_example["measure/x"].script == "examples/measure/plot_x.py"
    assert records.load().mixed() == []


def test_change_of_the_script_since_then_is_named(script):
    runpy.run_path(str(script))
    script.write_text(SCRIPT + "# changed\n")
    (sentence,) = records.load().mixed()
    assert sentence.endswith("and its script examples/measure/plot_x.py changed afterwards.")
    script.unlink()
    (sentence,) = records.load().mixed()
    assert sentence.endswith("does not exist any more.")


def test_code_without_a_file_has_no_script():
    exec(SCRIPT, {"__name__": "notebook"})  # noqa: S102 - what a notebook does
    record = records.load().by_example["measure/x"]
    assert (record.script, record.script_sha256) == ("", "")
    assert records.load().mixed() == []


# The form on disk

texts = st.text(max_size=20)
numbers = st.floats(allow_nan=False, allow_infinity=False)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | numbers | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)
evidence = st.dictionaries(texts, json_values, max_size=3)
results = st.builds(Result, numbers, numbers, numbers, texts, st.integers(0, 2**53), texts, texts, evidence)
rows = st.lists(st.lists(texts | results, max_size=3).map(tuple), max_size=3).map(tuple)
tables = st.builds(Table, texts, st.lists(texts, max_size=3).map(tuple), rows)
whole = st.builds(
    Record,
    schema=st.just(SCHEMA),
    machine=evidence,
    results=st.dictionaries(texts, results, max_size=3),
    unavailable=st.dictionaries(texts, texts, max_size=3),
    figures=st.dictionaries(texts, st.builds(Figure, texts, texts, texts, texts), max_size=2),
    tables=st.dictionaries(texts, tables, max_size=2),
    **dict.fromkeys(("example", "script", "script_sha256", "profile", "build"), texts),
    **dict.fromkeys(("started", "finished", "machine_id"), texts),
)


@given(whole)
def test_any_record_survives_the_disk(tmp_path_factory, record):
    assert decode(encode_json(record), tmp_path_factory.getbasetemp()) == record


@given(st.binary(max_size=60) | json_values.map(msgspec.json.encode))
def test_any_other_content_is_refused_with_one_class_of_error(tmp_path_factory, content):
    with pytest.raises(RecordsError):
        decode(content, tmp_path_factory.getbasetemp())
