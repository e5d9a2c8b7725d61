from types import SimpleNamespace

import msgspec
import pytest

from optguide.bench.variant import Variant
from optguide.claims import Claim, Condition, Source
from optguide.claims.on_model import evaluation
from optguide.errors import ClaimError, InputError
from optguide.records import Result

MODEL = SimpleNamespace()


def claim(id_, *results, needs=()):
    return Claim(
        id=id_,
        chapter="measure",
        statement=f"The statement of {id_}.",
        source=Source(title="T", url="https://docs.openvino.ai"),
        page="measure/x",
        conditions=tuple(Condition(result=result, above=1.0) for result in results),
        needs=needs,
    )


def ratio(low, high):
    return Result((low + high) / 2, low, high, "ratio", 20, "median", "one over the other")


class FakeProbe:
    """Yields prepared results after ``takes`` seconds of a clock that only it moves."""

    def __init__(self, clock, results, *, needs=1.0, takes=None, obstacles=None):
        self.clock, self.prepared, self.needs = clock, results, needs
        self.takes, self.obstacles = takes, obstacles or {}
        self.given = []

    @property
    def results(self):
        return tuple(self.prepared)

    def obstacle(self, result, model):
        return self.obstacles.get(result, "")

    def minimum_seconds(self, results, model):
        return self.needs

    def run(self, results, model, seconds, label):
        self.given.append((tuple(results), seconds))
        self.clock.now += seconds if self.takes is None else self.takes
        return {result: self.prepared[result] for result in results}


@pytest.fixture
def clock(monkeypatch):
    found = SimpleNamespace(now=100.0)
    monkeypatch.setattr(evaluation.time, "monotonic", lambda: found.now)
    return found


@pytest.fixture
def judged(monkeypatch, clock):
    """Verdicts by identifier, of ``claims`` by ``probes``."""

    def run(claims, probes, seconds=100.0, **options):
        monkeypatch.setattr(evaluation, "load", lambda: tuple(claims))
        monkeypatch.setattr(evaluation, "PROBES", tuple(probes))
        monkeypatch.setattr(evaluation, "examine", lambda *_: MODEL)
        verdicts = evaluation.evaluate_model(Variant("model"), seconds, **options)
        chosen = options.get("only") or [claim.id for claim in claims]
        assert [verdict.id for verdict in verdicts] == chosen
        return {verdict.id: verdict for verdict in verdicts}

    return run


def test_intervals_decide(judged, clock):
    probe = FakeProbe(
        clock, {"model.up": ratio(1.1, 1.3), "model.down": ratio(0.7, 0.9), "model.so": ratio(0.9, 1.1)}
    )
    found = judged(
        [claim("good", "model.up"), claim("bad", "model.up", "model.down"), claim("open", "model.so")],
        [probe],
    )
    assert {name: verdict.outcome for name, verdict in found.items()} == {
        "good": "confirmed",
        "bad": "refuted",
        "open": "inconclusive",
    }
    assert found["good"].reasons == (
        "one over the other: 1.20\N{MULTIPLICATION SIGN} (1.10 to 1.30), above 1.",
    )
    assert (found["good"].statement, found["good"].page) == ("The statement of good.", "measure/x")
    told = msgspec.to_builtins(found["bad"])
    assert told["source"]["url"] == "https://docs.openvino.ai"
    assert {name: result["high"] for name, result in told["results"].items()} == {
        "model.up": 1.3,
        "model.down": 0.9,
    }


def test_a_claim_may_look_at_results_of_two_probes(judged, clock):
    first, second = FakeProbe(clock, {"model.a": ratio(2, 3)}), FakeProbe(clock, {"model.b": ratio(2, 3)})
    found = judged([claim("both", "model.a", "model.b")], [first, second])
    assert found["both"].outcome == "confirmed"
    assert len(found["both"].reasons) == 2


def test_time_is_split_by_what_probes_need(judged, clock):
    results = [f"model.r{number}" for number in range(3)]
    probes = [
        FakeProbe(clock, {result: ratio(2, 3)}, needs=need)
        for result, need in zip(results, (1.0, 2.0, 7.0), strict=True)
    ]
    judged([claim(f"c-{number}", result) for number, result in enumerate(results)], probes, seconds=100.0)
    assert [probe.given[0][1] for probe in probes] == pytest.approx([10.0, 20.0, 70.0])


def test_time_that_a_probe_leaves_goes_to_the_others(judged, clock):
    quick, slow = (
        FakeProbe(clock, {"model.a": ratio(2, 3)}, takes=1.0),
        FakeProbe(clock, {"model.b": ratio(2, 3)}),
    )
    judged([claim("a", "model.a"), claim("b", "model.b")], [quick, slow], seconds=100.0)
    assert quick.given[0][1] == pytest.approx(50.0)
    assert slow.given[0][1] == pytest.approx(99.0)


def test_what_no_longer_fits_is_not_tried(judged, clock):
    first = FakeProbe(clock, {"model.a": ratio(2, 3)}, needs=6.0)
    large = FakeProbe(clock, {"model.b": ratio(2, 3)}, needs=80.0)
    small = FakeProbe(clock, {"model.c": ratio(2, 3)}, needs=2.0)
    found = judged(
        [claim("a", "model.a"), claim("b", "model.b"), claim("c", "model.c")],
        [first, large, small],
        seconds=10.0,
    )
    assert {name: verdict.outcome for name, verdict in found.items()} == {
        "a": "confirmed",
        "b": "not tried",
        "c": "confirmed",
    }
    assert first.given[0][1] == pytest.approx(7.5)  # the large one takes nothing away
    assert large.given == []
    assert found["b"].reasons == ("It takes about 1 min 20 s, and 2 s were left.",)


def test_what_means_nothing_here_is_neither_measured_nor_given_time(judged, clock):
    probe = FakeProbe(
        clock,
        {"model.a": ratio(2, 3), "model.b": ratio(2, 3), "model.c": ratio(2, 3)},
        obstacles={"model.b": "It is about the CPU."},
    )
    found = judged(
        [
            claim("a", "model.a"),
            claim("b", "model.b", "model.c"),
            claim("c", "model.c", needs=("cores:100000",)),
        ],
        [probe],
    )
    assert probe.given[0][0] == ("model.a",)
    assert found["a"].outcome == "confirmed"
    assert (found["b"].outcome, found["b"].reasons) == ("not measurable here", ("It is about the CPU.",))
    assert found["c"].reasons == ("This machine does not have 100000 cores.",)


def test_what_a_probe_could_not_measure_has_its_reason(judged, clock):
    probe = FakeProbe(clock, {"model.a": "The worker was killed.", "model.b": ratio(2, 3)})
    found = judged([claim("a", "model.a", "model.b"), claim("b", "model.b")], [probe])
    assert (found["a"].outcome, found["a"].reasons) == ("not measurable here", ("The worker was killed.",))
    assert found["b"].outcome == "confirmed"


def test_verdicts_are_told_as_soon_as_they_are_known(judged, clock):
    told = []
    first, second = FakeProbe(clock, {"model.a": ratio(2, 3)}), FakeProbe(clock, {"model.b": ratio(2, 3)})
    judged(
        [claim("b", "model.b"), claim("a", "model.a"), claim("c", "model.b", needs=("os:windows",))],
        [first, second],
        on_verdict=lambda verdict: told.append(verdict.id),
    )
    assert told == ["c", "a", "b"]


def test_only_the_chosen_claims_are_tried(judged, clock):
    first, second = FakeProbe(clock, {"model.a": ratio(2, 3)}), FakeProbe(clock, {"model.b": ratio(2, 3)})
    found = judged([claim("a", "model.a"), claim("b", "model.b")], [first, second], only=["b"])
    assert list(found) == ["b"]
    assert first.given == []


def test_an_unknown_claim_is_refused_before_anything_is_loaded():
    with pytest.raises(ClaimError, match="'pinning-help'"):
        evaluation.evaluate_model(Variant("missing", model="missing.xml"), 10.0, only=["pinning-help"])


def test_a_model_that_cannot_be_used_is_told(open_ir):
    with pytest.raises(InputError, match="dynamic shape"):
        evaluation.evaluate_model(Variant("model", model=str(open_ir)), 30.0)
