# ruff: noqa: RUF001 - the multiplication sign is what readers see
import msgspec
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from optguide.claims import Chance, Claim, Condition, Source, decide, evaluate, judge
from optguide.errors import ClaimError
from optguide.machine import Machine
from optguide.records import Recording, Result, load
from optguide.records.model import result_of
from optguide.stats.estimate import Estimate, median_of_rounds

MACHINE = Machine(
    cpu="A CPU",
    flags=("avx2",),
    physical_cores=2,
    logical_cores=2,
    usable_cores=2,
    cpu_quota=None,
    memory=2**33,
    system="linux",
    system_name="Linux",
    kernel="6",
    hypervisor=None,
    governor=None,
    python="3.11",
    known_devices=(),
)
FASTER = Condition(result="x.gain", above=1)
SAME = Condition(result="x.same", between=(0.97, 1.03))
SMALL = Condition(result="x.time", below=5)


def claim(*conditions, needs=()):
    source = Source(title="T", url="https://docs.openvino.ai")
    return Claim(
        id="a-claim",
        chapter="measure",
        statement="S.",
        source=source,
        page="measure/x",
        conditions=conditions,
        needs=needs,
    )


@pytest.fixture
def verdict(tmp_path):
    """Record intervals, then evaluate one claim on them."""

    def of(claim_, intervals, unavailable=()):
        recording = Recording("measure/x", declares=["x.*"], root=tmp_path)
        for key, (value, low, high, unit) in intervals.items():
            recording.add(key, Estimate(value, low, high, unit, 20), label=f"The {key[2:]}")
        for key in unavailable:
            recording.unavailable(key, "there is no GPU.")
        recording.publish()
        (found,) = evaluate([claim_], load(tmp_path), MACHINE)
        return found

    return of


@pytest.mark.parametrize(
    ("bounds", "ratio", "sentence"),
    [
        ({"above": 1}, (2.0, 1.9, 2.1), "2.00× faster (1.90 to 2.10)."),
        ({"above": 1}, (0.5, 0.4, 0.8), "2.0× slower (1.2 to 2.5)."),
        ({"above": 0.98}, (0.5, 0.4, 0.8), "2.0× slower (1.2 to 2.5), not less than 1.02× slower."),
        ({"below": 1.02}, (2.0, 1.9, 2.1), "2.00× faster (1.90 to 2.10), not less than 1.02× faster."),
        ({"above": 1.5}, (2.0, 1.9, 2.1), "2.00× faster (1.90 to 2.10), more than 1.5× faster."),
        ({"at_least": "act"}, (0.5, 0.4, 0.8), "2.0× slower (1.2 to 2.5), slower by more than 5 %."),
        ({"at_most": "act"}, (0.5, 0.4, 0.8), "2.0× slower (1.2 to 2.5), not faster by more than 5 %."),
        (
            {"above": 1},
            (1.1, 0.9, 1.4),
            "no clear difference (1.12× slower to 1.40× faster); "
            "at this value about 4 times as much measuring would decide it.",
        ),
        (
            {"between": (0.8, 1.25)},
            (2.0, 1.9, 2.1),
            "2.00× faster (1.90 to 2.10), outside the range 1.25× slower to 1.25× faster.",
        ),
    ],
)
def test_a_ratio_with_a_direction_is_held_against_bounds_in_words(tmp_path, bounds, ratio, sentence):
    recording = Recording("measure/x", declares=["x.*"], root=tmp_path)
    recording.add("x.gain", Estimate(*ratio, "ratio", 20), label="The gain", above="faster")
    recording.publish()
    (found,) = evaluate([claim(Condition(result="x.gain", **bounds))], load(tmp_path), MACHINE)
    assert found.reasons == (f"The gain: {sentence}",)


@pytest.mark.parametrize(
    ("low", "high", "outcome", "reason"),
    [
        (1.86, 1.98, "confirmed", "The gain: 1.92× (1.86 to 1.98), above 1."),
        (0.78, 0.86, "refuted", "The gain: 0.82× (0.78 to 0.86), not above 1."),
        (
            0.9,
            1.1,
            "inconclusive",
            "The gain: 1.00× (0.90 to 1.10), which leaves open whether it is above 1; "
            "it lies so close to that bound that more time will hardly decide it.",
        ),
    ],
)
def test_above_looks_at_the_interval(verdict, low, high, outcome, reason):
    found = verdict(claim(FASTER), {"x.gain": ((low + high) / 2, low, high, "ratio")})
    assert found.outcome == outcome
    assert found.reasons == (reason,)


@pytest.mark.parametrize(
    ("low", "high", "outcome", "ending"),
    [
        (3, 4, "confirmed", ", below 5.00 ms."),
        (6, 7, "refuted", ", not below 5.00 ms."),
        (
            4.4,
            5.2,
            "inconclusive",
            ", which leaves open whether it is below 5.00 ms; "
            "at this value about 4 times as much measuring would decide it.",
        ),
    ],
)
def test_below_has_the_unit_of_the_result(verdict, low, high, outcome, ending):
    found = verdict(claim(SMALL), {"x.time": ((low + high) / 2, low, high, "ms")})
    assert found.outcome == outcome
    assert found.reasons[0].endswith(ending)


@pytest.mark.parametrize(
    ("low", "high", "outcome", "ending"),
    [
        (0.979, 1.01, "confirmed", ", no difference larger than 2.1 % here."),
        (0.99, 1.0251, "confirmed", ", no difference larger than 2.6 % here."),
        (1.05, 1.07, "refuted", ", outside the range 0.97 to 1.03."),
        (0.9, 0.95, "refuted", ", outside the range 0.97 to 1.03."),
        (
            0.9,
            1.0,
            "inconclusive",
            ", no difference larger than 10 %, which reaches beyond the range 0.97 to 1.03.",
        ),
    ],
)
def test_between_states_the_largest_difference(verdict, low, high, outcome, ending):
    found = verdict(claim(SAME), {"x.same": ((low + high) / 2, low, high, "ratio")})
    assert found.outcome == outcome
    assert found.reasons[0].endswith(ending)


@pytest.mark.parametrize(
    ("condition", "low", "high", "outcome", "reason"),
    [
        ({"below": 1}, -0.2, 0.8, "confirmed", "0.3 points (-0.2 to 0.8), below 1 point."),
        ({"below": 1}, -3, -1, "confirmed", "-2.0 points (-3.0 to -1.0), below 1 point."),
        (
            {"above": 0},
            -0.2,
            0.8,
            "inconclusive",
            ", which leaves open whether it is above 0 points; "
            "at this value about 3 times as many samples would decide it.",
        ),
        ({"above": 0}, -0.8, -0.2, "refuted", ", not above 0 points."),
        ({"between": (-1, 1)}, -0.24, 0.61, "confirmed", ", no difference larger than 0.7 points here."),
        ({"between": (-1, 1)}, -0.97, 0.1, "confirmed", ", no difference larger than 1 point here."),
        ({"between": (-1, 1)}, 1.2, 3.1, "refuted", ", outside the range -1 point to 1 point."),
    ],
)
def test_points_lie_on_both_sides_of_zero(verdict, condition, low, high, outcome, reason):
    drop = Condition(result="x.drop", **condition)
    found = verdict(claim(drop), {"x.drop": ((low + high) / 2, low, high, "points")})
    assert found.outcome == outcome
    assert found.reasons[0].endswith(reason)


def test_between_of_another_unit_states_the_range(verdict):
    condition = Condition(result="x.time", between=(1, 5))
    found = verdict(claim(condition), {"x.time": (3, 2, 4, "ms")})
    assert found.reasons[0].endswith(", within the range 1.00 ms to 5.00 ms.")


@pytest.mark.parametrize(
    ("bound", "low", "high", "outcome", "ending"),
    [
        ("at_least", 0.96, 1.3, "confirmed", ", not lower by more than 5 %."),
        ("at_least", 1.1, 1.3, "confirmed", ", not lower by more than 5 %."),
        ("at_least", 0.8, 0.9, "refuted", ", lower by more than 5 %."),
        ("at_least", 0.93, 1.3, "inconclusive", ", lower by no more than 7 %, where the claim allows 5 %."),
        ("at_most", 0.7, 0.9, "confirmed", ", not higher by more than 5 %."),
        ("at_most", 1.1, 1.2, "refuted", ", higher by more than 5 %."),
        (
            "at_most",
            0.98,
            1.083,
            "inconclusive",
            ", higher by no more than 8.3 %, where the claim allows 5 %.",
        ),
        ("within", 0.96, 1.04, "confirmed", ", no difference larger than 4 % here."),
        ("within", 1.1, 1.3, "refuted", ", a difference of more than 5 %."),
        ("within", 0.8, 0.9, "refuted", ", a difference of more than 5 %."),
        (
            "within",
            0.94,
            1.01,
            "inconclusive",
            ", no difference larger than 6 %, where the claim allows 5 %.",
        ),
    ],
)
def test_what_costs_nothing_is_not_refuted_by_a_gain(verdict, bound, low, high, outcome, ending):
    found = verdict(
        claim(Condition(result="x.same", **{bound: "act"})),
        {"x.same": ((low + high) / 2, low, high, "ratio")},
    )
    assert found.outcome == outcome
    assert found.reasons[0].endswith(ending)


@pytest.mark.parametrize(
    ("value", "low", "high", "ending"),
    [
        (1.1, 0.9, 1.3, "at this value about 4 times as much measuring, 1 min 20 s, would decide it."),
        (0.9, 0.7, 1.1, "at this value about 4 times as much measuring, 1 min 20 s, would decide it."),
        (1.11, 0.99, 1.3, "at this value about 2 times as much measuring, 40 s, would decide it."),
        (1.01, 0.8, 1.3, "it lies so close to that bound that more time will hardly decide it."),
    ],
)
def test_an_open_direction_says_how_much_more_time_it_takes(value, low, high, ending):
    result = Result(value, low, high, "ratio", 20, evidence={"seconds": 20.0})
    found = decide(claim(FASTER), {"x.gain": result})
    assert found.outcome == "inconclusive"
    assert found.reasons[0].endswith(ending)


# Sides that cannot differ, and sessions that cannot be trusted


def ratio_of(low, high, **evidence):
    return Result((low + high) / 2, low, high, "ratio", 20, label="Ratio", evidence=evidence)


@pytest.mark.parametrize("interval", [(0.8, 0.9), (0.9, 1.1), (1.2, 1.3)])
@pytest.mark.parametrize(
    ("condition", "outcome"),
    [
        ({"within": "act"}, "confirmed"),
        ({"at_least": "act"}, "confirmed"),
        ({"at_most": "act"}, "confirmed"),
        ({"above": 1.0}, "not measurable here"),
        ({"below": 1.0}, "not measurable here"),
    ],
)
def test_what_cannot_differ_is_decided_without_the_clock(interval, condition, outcome):
    found = decide(
        claim(Condition(result="x.same", **condition)),
        {"x.same": ratio_of(*interval, same={"NUM_STREAMS": "2"})},
    )
    assert found.outcome == outcome
    assert found.reasons == (
        "Ratio: NUM_STREAMS is 2 on both sides, so they cannot differ; read back, not timed.",
    )


def test_a_variant_against_itself_is_timed():
    control = claim(Condition(result="x.same", within="act"))
    assert decide(control, {"x.same": ratio_of(1.2, 1.3, same={}, disturbed="It is.")}).outcome == "refuted"
    assert decide(control, {"x.same": ratio_of(0.99, 1.01, same={})}).outcome == "confirmed"


def test_a_disturbed_session_decides_nothing():
    result = ratio_of(1.2, 1.3, disturbed="The session is disturbed: A over A is 1.2.")
    found = decide(claim(FASTER), {"x.gain": result})
    assert found.outcome == "inconclusive"
    assert found.reasons == (
        "Ratio: 1.25× (1.20 to 1.30), which decides nothing. The session is disturbed: A over A is 1.2.",
    )


def test_false_verdicts_are_no_more_than_said():
    """Every true value lies just at its bound, where a false verdict is most likely."""
    random = np.random.default_rng(0)
    margins = [Condition(result="x.a", at_least="act"), Condition(result="x.b", within="act")]
    directions = [Condition(result="x.a", above=1), Condition(result="x.b", below=1)]
    kinds = [
        claim(*margins),
        claim(*directions),
        claim(FASTER),
        claim(Condition(result="x.gain", at_most="act")),
    ]
    false = expected = 0.0
    for _ in range(400):
        for kind in kinds:
            results = {}
            for condition in kind.conditions:
                edge = condition.edges[-1]
                rounds = edge * np.exp(random.normal(0, 0.05, 12))
                results[condition.result] = result_of(
                    median_of_rounds(rounds, "ratio", independent=True), "x"
                )
            found = decide(kind, results)
            holds = all(true_at(condition, condition.edges[-1]) for condition in kind.conditions)
            false += found.outcome == ("refuted" if holds else "confirmed")
            expected += Chance.of([found]).wrong_at_most
    assert 0 < false <= expected * 1.2


def test_only_sampled_conditions_count_among_what_may_be_wrong():
    results = {"x.a": ratio_of(1.1, 1.2), "x.b": ratio_of(2, 2), "x.c": ratio_of(0.9, 1.2, same={"A": "1"})}
    verdicts = [
        decide(claim(Condition(result=name, at_least="act")), {name: result})
        for name, result in results.items()
    ]
    chance = Chance.of(verdicts)
    assert (chance.conditions, chance.read_back, chance.wrong_at_most) == (1, 1, pytest.approx(0.025))
    assert "at most 0.0 of the verdicts" in chance.text
    assert "1 more were read back" in chance.text
    assert Chance.of([]).text == "No verdict rests on a sampled interval, so none is wrong by chance."


GOOD, BAD, OPEN = (1.5, 1.4, 1.6, "ratio"), (0.5, 0.4, 0.6, "ratio"), (1.0, 0.9, 1.1, "ratio")


@pytest.mark.parametrize(
    ("first", "second", "outcome"),
    [
        (GOOD, GOOD, "confirmed"),
        (GOOD, BAD, "refuted"),
        (OPEN, BAD, "refuted"),
        (BAD, OPEN, "refuted"),
        (GOOD, OPEN, "inconclusive"),
    ],
)
def test_all_conditions_must_hold_and_each_gets_its_sentence(verdict, first, second, outcome):
    other = Condition(result="x.other", above=1)
    found = verdict(claim(FASTER, other), {"x.gain": first, "x.other": second})
    assert found.outcome == outcome
    assert [reason.split(":")[0] for reason in found.reasons] == ["The gain", "The other"]


def test_unmet_needs_are_named(verdict):
    needs = ("cpu:avx2", "cpu:amx_int8", "device:GPU", "os:windows", "cores:64")
    found = verdict(claim(FASTER, needs=needs), {"x.gain": GOOD})
    assert found.outcome == "not measurable here"
    assert found.reasons == (
        "This machine does not have the instruction set amx_int8.",
        "This machine does not have an OpenVINO device GPU.",
        "This machine does not have the operating system windows.",
        "This machine does not have 64 cores.",
    )


def test_met_needs_change_nothing(verdict):
    needs = ("cpu:avx2", "os:linux", "cores:2")
    assert verdict(claim(FASTER, needs=needs), {"x.gain": GOOD}).outcome == "confirmed"


def test_unavailable_results_make_a_claim_not_measurable(verdict):
    other = Condition(result="x.gpu", above=1)
    found = verdict(claim(FASTER, other), {"x.gain": BAD}, unavailable=["x.gpu"])
    assert found.outcome == "not measurable here"
    assert found.reasons == ("Not measurable here: there is no GPU.",)


@pytest.mark.parametrize("needs", [(), ("device:GPU",)])
def test_results_that_nobody_recorded_are_an_error_on_every_machine(verdict, needs):
    with pytest.raises(ClaimError, match=r"Claim 'a-claim': .*'x\.gian'.*Did you mean x\.gain"):
        verdict(claim(Condition(result="x.gian", above=1), needs=needs), {"x.gain": GOOD})


def test_needs_that_are_not_understood_are_an_error(verdict):
    with pytest.raises(ClaimError, match=r"Claim 'a-claim': .*'gpu'"):
        verdict(claim(FASTER, needs=("gpu",)), {"x.gain": GOOD})


def test_verdict_as_json(verdict):
    found = verdict(claim(FASTER), {"x.gain": GOOD})
    as_json = msgspec.to_builtins(found)
    assert as_json.pop("results")["x.gain"]["high"] == 1.6
    assert as_json == {
        "id": "a-claim",
        "chapter": "measure",
        "statement": "S.",
        "source": {"title": "T", "url": "https://docs.openvino.ai"},
        "page": "measure/x",
        "outcome": "confirmed",
        "reasons": ("The gain: 1.50× (1.40 to 1.60), above 1.",),
    }


def test_results_without_a_label_are_called_by_their_identifier(tmp_path):
    recording = Recording("measure/x", declares=["x.*"], root=tmp_path)
    recording.add("x.gain", Estimate(*GOOD, 20))
    recording.publish()
    (found,) = evaluate([claim(FASTER)], load(tmp_path), MACHINE)
    assert found.reasons[0].startswith("x.gain: ")


def test_order_of_claims_is_kept(tmp_path):
    recording = Recording("measure/x", declares=["x.*"], root=tmp_path)
    recording.add("x.gain", Estimate(*GOOD, 20))
    recording.publish()
    several = [claim(FASTER), claim(Condition(result="x.gain", below=1))]
    assert [found.outcome for found in evaluate(several, load(tmp_path), MACHINE)] == ["confirmed", "refuted"]


# Laws of a single condition

numbers = st.floats(-1e6, 1e6)
pairs = st.tuples(numbers, numbers).map(sorted)
conditions = st.one_of(
    numbers.map(lambda bound: Condition(result="x.y", above=bound)),
    numbers.map(lambda bound: Condition(result="x.y", below=bound)),
    pairs.map(lambda pair: Condition(result="x.y", between=tuple(pair))),
    st.sampled_from(["at_least", "at_most", "within"]).map(
        lambda key: Condition(result="x.y", **{key: "act"})
    ),
)


def true_at(condition, value):
    if condition.side == "between":
        return condition.edges[0] <= value <= condition.edges[1]
    return value > condition.edges[0] if condition.side == "above" else value < condition.edges[0]


def state_of(condition, low, high):
    return judge(condition, Estimate((low + high) / 2, low, high, "ms", 6))


@given(conditions, pairs, st.floats(0, 1))
def test_a_decided_condition_is_decided_the_same_at_every_point_of_the_interval(condition, interval, where):
    low, high = interval
    point = min(max(low + where * (high - low), low), high)
    state = state_of(condition, low, high)
    if state != "open":
        assert true_at(condition, point) == (state == "holds")


@given(conditions, pairs)
def test_an_open_condition_could_go_either_way(condition, interval):
    low, high = interval
    inside = [low, high, *(edge for edge in condition.edges if low <= edge <= high)]
    answers = {true_at(condition, value) for value in inside}
    assert (state_of(condition, low, high) == "open") == (answers == {True, False})


@given(conditions, pairs, st.floats(0, 1e6), st.floats(0, 1e6))
def test_a_wider_interval_never_decides_more(condition, interval, less, more):
    low, high = interval
    before, after = state_of(condition, low, high), state_of(condition, low - less, high + more)
    assert after in (before, "open")


@given(numbers, pairs, st.floats(0, 1e6))
def test_higher_intervals_are_never_further_from_above(bound, interval, shift):
    condition, rank = Condition(result="x.y", above=bound), ["fails", "open", "holds"]
    low, high = interval
    assert rank.index(state_of(condition, low + shift, high + shift)) >= rank.index(
        state_of(condition, low, high)
    )


@given(numbers, pairs)
def test_above_and_below_mirror_each_other(bound, interval):
    assume(bound not in interval)
    low, high = interval
    above = state_of(Condition(result="x.y", above=bound), low, high)
    below = state_of(Condition(result="x.y", below=bound), low, high)
    assert (above, below) in {("holds", "fails"), ("fails", "holds"), ("open", "open")}


def test_a_bound_itself_is_neither_above_nor_below():
    assert state_of(Condition(result="x.y", above=1), 1, 1) == "fails"
    assert state_of(Condition(result="x.y", below=1), 1, 1) == "fails"
    assert state_of(Condition(result="x.y", between=(1, 1)), 1, 1) == "holds"
