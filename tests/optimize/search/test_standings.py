"""Who wins and why the others lost, from rounds as they are written down."""

from dataclasses import replace

import pytest

from optguide.bench.load import LatencyLimit
from optguide.optimize.candidate import Candidate, Deployment
from optguide.optimize.outcome import CONFIRMATION, Artifact, Quality, RaceRound, Speed
from optguide.optimize.search.race_state import RaceState, Rules, inverse
from optguide.optimize.search.standings import Judgement
from optguide.stats.estimate import Estimate
from tests.optimize.simulated import Scene

HINT = Deployment(hint="THROUGHPUT", requests=0)
DEFAULT, HINTED, INT8 = Candidate("default"), Candidate("default", HINT), Candidate("int8", HINT)
BATCHED = Candidate("default", Deployment(hint="THROUGHPUT", requests=0, batch=4))
ALL = (DEFAULT, HINTED, INT8, BATCHED)
ARTIFACTS = (Artifact("default", "f32.xml"), Artifact("int8", "int8.xml"))


def rules(goal="throughput", precisions=("default", "int8"), limit=None):
    return Rules(goal, DEFAULT, HINTED, precisions, limit)


def ratio(low, high):
    return Estimate((low * high) ** 0.5, low, high, "ratio", 9)


def speed(rate=100.0, effective=None, **latency):
    found = {name: Estimate(sum(ends) / 2, *ends, "ms", 500) for name, ends in latency.items()}
    rates = Estimate(rate, 0.99 * rate, 1.01 * rate, "inferences/s", 9)
    return Speed(found, rates, None, 1, effective or {})


def race_round(incumbent, ratios, title="deployments", *, failures=None, speeds=None):
    """``ratios`` by candidate; every one of them and the leader were measured."""
    names = {candidate.name: found for candidate, found in ratios.items()}
    known = {c.name: own for c, own in (speeds or {}).items()}
    everyone = {incumbent.name: 1.0, **{name: found.value for name, found in names.items()}}
    measured = {name: known.get(name, speed(100 * value, {"IS": name})) for name, value in everyone.items()}
    failed = {candidate.name: why for candidate, why in (failures or {}).items()}
    return RaceRound(title, incumbent.name, 10, 9, None, measured, names, failed)


def statuses(result):
    return {standing.candidate: standing.status for standing in result.standings}


def why(result, candidate):
    return next(standing.why for standing in result.standings if standing.candidate == candidate)


def test_without_heats_the_default_stays():
    result = Judgement(ALL, (), ARTIFACTS, rules())
    assert result.winner == DEFAULT
    assert statuses(result) == {
        DEFAULT: "winner",
        HINTED: "not tried",
        INT8: "not tried",
        BATCHED: "not tried",
    }
    assert result.met is None
    assert not result.confirmed


def test_the_leader_of_the_final_wins_and_the_others_have_their_numbers():
    rounds = (
        race_round(HINTED, {DEFAULT: ratio(0.5, 0.6), INT8: ratio(0.9, 1.05)}, "precisions"),
        race_round(HINTED, {BATCHED: ratio(0.7, 0.8)}),
        race_round(INT8, {DEFAULT: ratio(0.4, 0.5), HINTED: ratio(0.8, 0.9)}, CONFIRMATION),
    )
    result = Judgement(ALL, rounds, ARTIFACTS, rules())
    assert result.winner == INT8
    assert result.confirmed
    assert statuses(result) == {INT8: "winner", DEFAULT: "slower", HINTED: "slower", BATCHED: "slower"}
    found = {standing.candidate: standing for standing in result.standings}
    assert found[DEFAULT].ratio == ratio(0.4, 0.5)
    assert found[DEFAULT].against == INT8.name
    assert found[BATCHED].against == HINTED.name  # they never met the winner
    assert "0.84" in found[HINTED].why or "0.85" in found[HINTED].why
    assert "2." in found[INT8].why  # times the throughput of the default
    assert [standing.candidate for standing in result.standings] == [INT8, HINTED, BATCHED, DEFAULT]


def test_slower_than_one_that_was_beaten_is_slower_than_the_winner():
    rounds = (
        race_round(HINTED, {BATCHED: ratio(0.95, 1.04), DEFAULT: ratio(0.5, 0.6)}),
        race_round(INT8, {HINTED: ratio(0.5, 0.52), DEFAULT: ratio(0.3, 0.35)}, CONFIRMATION),
    )
    result = Judgement(ALL, rounds, ARTIFACTS, rules())
    assert statuses(result)[BATCHED] == "slower"
    assert INT8.name in why(result, BATCHED)


def test_an_open_interval_is_not_distinguishable():
    rounds = (race_round(DEFAULT, {HINTED: ratio(0.98, 1.03), BATCHED: ratio(1.01, 1.03)}, CONFIRMATION),)
    result = Judgement(ALL, rounds, ARTIFACTS, rules())
    assert result.winner == DEFAULT
    assert statuses(result)[HINTED] == statuses(result)[BATCHED] == "not distinguishable"
    assert DEFAULT.name in why(result, HINTED)


def test_a_reason_does_not_deny_an_interval_above_one():
    close = race_round(DEFAULT, {HINTED: ratio(1.004, 1.018)}, CONFIRMATION)
    result = Judgement(ALL, (close,), ARTIFACTS, rules())
    assert result.winner == DEFAULT
    assert "less than 2 % count as no difference" in why(result, HINTED)
    assert "less than 2 %" in why(result, DEFAULT)
    unconfirmed = race_round(INT8, {DEFAULT: ratio(0.92, 0.99)})
    result = Judgement(ALL, (unconfirmed,), ARTIFACTS, rules())
    assert "no confirmation run has shown it" in why(result, INT8)
    assert "confirmed" in why(result, DEFAULT)


def test_a_final_that_measured_nothing_decides_nothing():
    race = race_round(INT8, {DEFAULT: ratio(0.92, 0.99)})
    died = RaceRound(
        CONFIRMATION,
        INT8.name,
        10,
        0,
        None,
        {},
        {},
        {INT8.name: "It was killed.", DEFAULT.name: "So was it."},
    )
    result = Judgement(ALL, (race, died), ARTIFACTS, rules())
    assert result.winner == DEFAULT
    assert not result.confirmed


def test_a_heat_of_candidates_that_are_gone_says_nothing():
    """The file of a precision was deleted between two parts of a run."""
    rounds = (
        race_round(INT8, {DEFAULT: ratio(0.4, 0.5)}),
        race_round(DEFAULT, {HINTED: ratio(0.8, 0.9)}, CONFIRMATION),
    )
    result = Judgement((DEFAULT, HINTED, BATCHED), rounds, ARTIFACTS, rules())
    assert result.winner == DEFAULT
    assert statuses(result)[HINTED] == "slower"


def test_what_the_device_makes_the_same_of_is_said_to_be_the_same():
    same = speed(effective={"NUM_STREAMS": "1", "PERFORMANCE_HINT": "LATENCY"})
    other = speed(effective={"NUM_STREAMS": "1", "PERFORMANCE_HINT": "THROUGHPUT"})
    last = race_round(
        DEFAULT, {HINTED: ratio(0.9, 0.99)}, CONFIRMATION, speeds={DEFAULT: same, HINTED: other}
    )
    result = Judgement(ALL, (last,), ARTIFACTS, rules())
    assert statuses(result)[HINTED] == "not distinguishable"
    assert "same" in why(result, HINTED)
    (standing,) = (standing for standing in result.standings if standing.candidate == HINTED)
    assert (standing.ratio, standing.against) == (None, "")
    assert result.same == (HINTED.name,)


def test_without_a_final_only_what_luck_does_not_explain_replaces_the_default():
    for ends, winner in (((0.92, 0.99), DEFAULT), ((0.45, 0.55), INT8)):
        result = Judgement(ALL, (race_round(INT8, {DEFAULT: ratio(*ends)}),), ARTIFACTS, rules())
        assert result.winner == winner
        assert not result.confirmed
        assert statuses(result)[winner] == "winner"
    assert statuses(Judgement(ALL, (race_round(INT8, {DEFAULT: ratio(0.92, 0.99)}),), ARTIFACTS, rules()))[
        INT8
    ] == ("not distinguishable")


def judged(kept, low, high):
    value = Estimate(90, 89, 91, "points", 300)
    return Quality("top-1", False, value, Estimate((low + high) / 2, low, high, "points", 300), 1.0, kept)


@pytest.mark.parametrize(
    ("artifact", "status", "words"),
    [
        (Artifact("int8", why_not="There is nothing to quantize."), "failed", "nothing to quantize"),
        (
            Artifact("int8", "i.xml", quality=judged("exceeded", 1.5, 2.5)),
            "too inaccurate",
            "1 point is allowed",
        ),
        (Artifact("int8", "i.xml", quality=judged("open", 0.5, 1.5)), "accuracy not shown", "too uncertain"),
        (Artifact("int8", "i.xml"), "accuracy not shown", "Nothing judged"),
    ],
)
def test_a_precision_that_may_not_win_says_why(artifact, status, words):
    first = race_round(DEFAULT, {HINTED: ratio(0.8, 0.9), INT8: ratio(3, 4)}, CONFIRMATION)
    result = Judgement(ALL, (first,), (ARTIFACTS[0], artifact), rules(precisions=("default",)))
    assert result.winner == DEFAULT
    assert statuses(result)[INT8] == status
    assert words in why(result, INT8)


def test_what_may_not_win_is_not_said_to_be_nearly_equal():
    artifact = (ARTIFACTS[0], Artifact("int8", "i.xml", quality=judged("exceeded", 1.5, 2.5)))
    last = race_round(DEFAULT, {HINTED: ratio(0.8, 0.9), INT8: ratio(1.8, 1.9)}, CONFIRMATION)
    result = Judgement(ALL, (last,), artifact, rules(precisions=("default",)))
    assert why(result, DEFAULT) == "Nothing was shown to be better than what OpenVINO does by itself."


def test_the_fate_of_a_precision_is_told_once():
    space = [Candidate("int8", way) for way in (Deployment(), HINT, BATCHED.deployment)]
    artifact = (ARTIFACTS[0], Artifact("int8", why_not="There is nothing to quantize."))
    result = Judgement((DEFAULT, *space), (), artifact, rules(precisions=("default",)))
    assert [statuses(result)[candidate] for candidate in space] == ["failed", "not tried", "not tried"]


def test_a_proxy_is_called_one():
    loss = Estimate(2, 1.5, 2.5, "points", 300)
    artifact = Artifact("int8", "i.xml", quality=Quality("agreement", True, loss, loss, 1.0, "exceeded"))
    result = Judgement(ALL, (), (ARTIFACTS[0], artifact), rules(precisions=("default",)))
    assert "proxy" in why(result, INT8)


def test_a_failure_is_told_in_its_own_words():
    first = race_round(
        DEFAULT, {HINTED: ratio(0.8, 0.9)}, failures={INT8: "Its worker was ended by SIGSEGV."}
    )
    result = Judgement(ALL, (first,), ARTIFACTS, rules())
    assert statuses(result)[INT8] == "failed"
    assert why(result, INT8) == "Its worker was ended by SIGSEGV."


class TestAnswersAsDeployed:
    """A candidate may be wrong in its own settings although its precision is right in others."""

    def decided(self, *rounds):
        checked = {INT8.name: Artifact("int8", "i.xml", quality=judged("exceeded", 80, 92))}
        return Judgement(ALL, rounds, ARTIFACTS, replace(rules(), rejected=frozenset(checked)), checked)

    def test_the_next_one_takes_the_place_of_a_winner_that_is_wrong(self):
        ratios = {DEFAULT: ratio(0.2, 0.25), HINTED: ratio(0.4, 0.45), BATCHED: ratio(0.8, 0.9)}
        result = self.decided(race_round(INT8, ratios, CONFIRMATION))
        assert result.winner == BATCHED
        assert not result.confirmed
        assert statuses(result)[INT8] == "too inaccurate"
        assert "in these settings" in why(result, INT8)
        assert statuses(result)[HINTED] == "slower"

    def test_not_one_that_only_seems_to_be_better_than_the_hint(self):
        ratios = {DEFAULT: ratio(0.2, 0.25), HINTED: ratio(0.7, 0.85), BATCHED: ratio(0.75, 0.9)}
        assert self.decided(race_round(INT8, ratios)).winner == HINTED

    def test_where_nothing_else_was_measured_the_default_stays(self):
        assert self.decided(race_round(INT8, {})).winner == DEFAULT

    def test_a_default_that_is_wrong_leaves_its_place_to_floats(self):
        only = replace(rules(precisions=("default", "f32")), rejected=frozenset({DEFAULT.name}))
        assert only.base == Candidate("f32")
        assert not only.may_win(DEFAULT)


LIMIT = LatencyLimit(99, 10.0)


def limited(**speeds):
    """A final under a limit, led by the hint."""
    named = {"default": DEFAULT, "hint": HINTED, "int8": INT8, "batched": BATCHED}
    found = {named[name]: own for name, own in speeds.items()}
    others = {candidate: ratio(1.5, 1.6) for candidate in found if candidate != HINTED}
    return Judgement(
        ALL, (race_round(HINTED, others, CONFIRMATION, speeds=found),), ARTIFACTS, rules(limit=LIMIT)
    )


def test_a_limit_decides_before_speed():
    result = limited(
        hint=speed(p50=(5, 6), p99=(8, 9)),
        default=speed(p50=(5, 6), p99=(12, 14)),
        int8=speed(p50=(5, 6), p99=(9, 11)),
        batched=speed(p50=(20, 21)),
    )
    assert result.winner == HINTED
    assert result.met is True
    assert result.closest == ""
    assert statuses(result) == {
        HINTED: "winner",
        DEFAULT: "over the latency limit",
        INT8: "latency limit not shown",
        BATCHED: "over the latency limit",
    }
    assert "p99" in why(result, DEFAULT)
    assert "p50" in why(result, BATCHED)
    assert "10.0 ms is the limit of p99" in why(result, INT8)


def test_what_keeps_the_limit_wins_over_what_the_final_found_not_to():
    result = limited(
        hint=speed(p50=(5, 6), p99=(9, 12)),
        default=speed(p50=(5, 6), p99=(12, 14)),
        int8=speed(p50=(5, 6), p99=(7, 8)),
    )
    assert result.winner == INT8
    assert result.met is True
    assert not result.confirmed
    assert "keeps the latency limit" in why(result, INT8)


def test_a_limit_that_nothing_keeps_names_what_came_closest():
    result = limited(
        hint=speed(p50=(15, 16), p99=(28, 29)),
        default=speed(p50=(12, 13), p99=(14, 15)),
        int8=speed(p50=(11, 12), p99=(20, 21)),
    )
    assert result.met is False
    assert result.closest == DEFAULT.name


def test_without_the_percentile_the_closest_goes_by_a_lower_one():
    result = limited(hint=speed(p50=(15, 16)), default=speed(p50=(12, 13), p95=(14, 15)))
    assert result.closest == DEFAULT.name
    assert Judgement(ALL, (), ARTIFACTS, rules(limit=LIMIT)).closest == ""
    assert Judgement(ALL, (), ARTIFACTS, rules(limit=LIMIT)).met is False


def test_a_ledger_knows_everybody_against_the_current_leader():
    rounds = (
        race_round(DEFAULT, {BATCHED: ratio(0.9, 1.0)}),
        race_round(HINTED, {DEFAULT: ratio(0.49, 0.51)}),
    )
    state = RaceState.of(rounds, rules(), ALL)
    found = state.ratios[BATCHED.name]
    assert found.value == pytest.approx(0.5 * 0.95, rel=0.01)
    assert found.low < 0.9 * 0.5 < found.value < 1.0 * 0.5 < found.high
    assert state.ratios[HINTED.name].value == 1
    assert state.is_out(BATCHED)


def test_a_leader_that_fails_later_is_still_a_link():
    rounds = (
        race_round(DEFAULT, {BATCHED: ratio(0.9, 1.0), HINTED: ratio(1.9, 2.1)}),
        race_round(HINTED, {INT8: ratio(0.9, 1.0)}, failures={DEFAULT: "It was killed."}),
    )
    assert RaceState.of(rounds, rules(), ALL).ratios[BATCHED.name].value == pytest.approx(0.475, rel=0.02)


def test_who_is_out_has_lost_by_the_whole_interval():
    rounds = [race_round(DEFAULT, {HINTED: ratio(0.9, 1.001), BATCHED: ratio(0.9, 0.999)})]
    state = RaceState.of(rounds, rules(), ALL)
    assert state.is_out(BATCHED)
    assert not state.is_out(HINTED)
    assert not state.is_out(DEFAULT)


def test_nobody_is_out_by_being_slower_than_one_whose_limit_is_open():
    known = {DEFAULT: speed(p50=(5, 6)), BATCHED: speed(p50=(5, 6)), HINTED: speed(p50=(11, 12))}
    rounds = [race_round(DEFAULT, {HINTED: ratio(1.9, 2.1), BATCHED: ratio(0.9, 0.95)}, speeds=known)]
    state = RaceState.of(rounds, rules(limit=LIMIT), ALL)
    assert not state.is_out(BATCHED)
    assert state.is_out(HINTED)


def test_open_is_what_seems_better_and_may_be_so_by_more_than_no_difference():
    for ends, expected in (((0.99, 1.03), True), ((0.99, 1.015), False), ((0.9, 1.05), False)):
        rounds = [race_round(HINTED, {DEFAULT: ratio(0.5, 0.6), BATCHED: ratio(*ends)})]
        assert RaceState.of(rounds, rules(), ALL).is_open(BATCHED) == expected


def test_open_is_what_is_plainer_and_seems_as_good():
    for ends, expected in (((0.97, 1.01), True), ((0.985, 1.01), False), ((0.9, 1.01), False)):
        state = RaceState.of([race_round(BATCHED, {HINTED: ratio(*ends)})], rules(), ALL)
        assert state.is_open(HINTED) == expected
        assert state.equals_incumbent(HINTED) == (ends == (0.985, 1.01))


def test_the_inverse_mirrors_the_interval():
    found = inverse(ratio(0.5, 0.8))
    assert (found.low, found.high) == (1.25, 2.0)
    assert found.value == pytest.approx(1 / ratio(0.5, 0.8).value)


def test_every_candidate_of_a_race_has_exactly_one_standing_with_a_sentence():
    scene = Scene(lambda c: 100.0 if c.deployment.hint else 50.0, not_eligible=("f32",))
    artifact = (Artifact("default", "m.xml"), Artifact("int8", "i.xml"), Artifact("f32", "m.xml"))
    result = Judgement(scene.entrants, scene.run(), artifact, scene.rules)
    assert sorted(s.candidate.name for s in result.standings) == sorted(c.name for c in scene.entrants)
    assert [s.status for s in result.standings].count("winner") == 1
    for standing in result.standings:
        assert standing.why.endswith(".")
        assert standing.why[0].isupper()
        assert standing.speed is not None or standing.status in {"not tried", "failed", "accuracy not shown"}
