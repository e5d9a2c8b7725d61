"""The sentences that stand first, for every end a run can have."""

from dataclasses import replace

import pytest

from optguide.optimize import decision
from optguide.optimize.candidate import Settings
from optguide.optimize.decision import told_apart
from optguide.stats.estimate import Estimate
from tests.optimize.outcomes import (
    DEFAULT,
    INTERRUPTED,
    KEPT,
    OUTCOMES,
    RANDOM,
    RICH,
    RUNNER_UP,
    UNMET,
    WINNER,
    changed,
)


def sentences(outcome):
    return tuple(decision.sentences(outcome))


def text(outcome):
    return " ".join(sentences(outcome))


def test_the_decision_comes_first_with_its_gain():
    first = sentences(RICH)[0]
    assert first.startswith(f"Use {WINNER.name}: it has 6.49\N{MULTIPLICATION SIGN} (")
    assert first.endswith("the throughput of OpenVINO's default.")


def test_a_winner_that_is_slower_says_why_the_default_lost():
    why = "It loses 6.0 points (4.1 to 7.9) of top-1, and 1 point is allowed."
    lossy = tuple(
        replace(s, status="too inaccurate", why=why) if s.candidate == DEFAULT else s
        for s in RICH.decision.standings
    )
    slower = changed(
        RICH,
        standings=lossy,
        delivered={"default": Estimate(0.43, 0.41, 0.45, "ratio", 9)},
    )
    first, second, *_ = sentences(slower)
    reason = "OpenVINO's default loses 6.0 points (4.1 to 7.9) of top-1, and 1 point is allowed."
    assert first == f"Use {WINNER.name}: {reason}"
    assert second.startswith("It has 0.430\N{MULTIPLICATION SIGN} (0.410 to 0.450) the throughput of")


def test_what_the_winner_gains_over_the_rest():
    assert "the throughput of the THROUGHPUT hint" in text(RICH)
    assert "the throughput of 32-bit floats under default settings" in text(RICH)
    assert "the throughput of ONNX Runtime" in text(RICH)


def test_a_framework_that_is_faster_has_a_sentence_of_its_own():
    slower = changed(
        RICH, delivered={**RICH.decision.delivered, "framework": Estimate(0.5, 0.4, 0.8, "ratio", 9)}
    )
    assert "ONNX Runtime, the model's own framework, has 2.0\N{MULTIPLICATION SIGN} (1.2 to 2.5) the" in text(
        slower
    )
    assert "the throughput of ONNX Runtime" not in text(slower)


def test_a_latency_goal_speaks_of_speed():
    latency = changed(RICH, settings=replace(RICH.state.settings, goal="latency"))
    assert "it is 6.49\N{MULTIPLICATION SIGN}" in text(latency)
    assert "as fast as OpenVINO's default" in text(latency)


def test_the_loss_is_told_with_its_interval_and_limit():
    assert "loss of 0.0 to 0.9 points against 32-bit floats; the limit is 1 point" in text(RICH)
    assert "proxy" not in text(RICH)


def test_a_proxy_is_called_one():
    latency = OUTCOMES["latency"]
    assert "a proxy for accuracy, not accuracy" in text(latency)


def test_random_data_say_nothing_about_accuracy():
    assert "nothing is said about accuracy" in text(RANDOM)


def test_keeping_the_default_is_said_plainly():
    assert sentences(KEPT)[0].startswith("Keep OpenVINO's default: ")
    assert "is not shown to be better" in sentences(KEPT)[0]


def test_a_budget_too_small_is_said():
    nothing = changed(KEPT, standings=tuple(replace(s, ratio=None) for s in KEPT.decision.standings))
    assert not told_apart(nothing)
    assert sentences(nothing)[0] == (
        "Keep OpenVINO's default: a budget of 20 s is too small to tell anything apart."
    )


def test_a_limit_that_is_kept():
    assert "Its p99 is 3" in text(RICH)
    assert "within the limit of 50 ms" in text(RICH)


def test_a_limit_that_nothing_keeps_names_the_closest_and_the_distance():
    tight = changed(
        UNMET,
        settings=replace(UNMET.state.settings, limit=replace(UNMET.state.settings.limit, milliseconds=5)),
    )
    first, second, *_ = sentences(tight)
    assert first == "Nothing that was tried is shown to keep a p99 of 5 ms."
    assert second.startswith(f"{RUNNER_UP.name} comes closest: its p99 is 9.9 ms")
    assert second.endswith("4.90 ms over it.")


def test_an_interrupted_run_says_so():
    assert "The run was interrupted" in text(INTERRUPTED)


def test_fates_are_counted():
    assert "too inaccurate" in text(RICH)
    assert "1 failed" in text(RICH)


@pytest.mark.parametrize("name", [name for name in OUTCOMES if name != "failed"])
def test_every_outcome_has_sentences(name):
    found = sentences(OUTCOMES[name])
    assert found
    assert all(sentence.endswith((".", "!")) for sentence in found)


def test_nothing_but_the_default():
    lonely = changed(
        KEPT,
        settings=Settings("m.xml", budget=5.0),
        standings=KEPT.decision.standings[:1],
        winner=DEFAULT.name,
    )
    assert "a budget of 5.0 s is too small" in sentences(lonely)[0]


def test_data_that_judged_nothing_are_a_warning():
    """A run on a slow machine may have no time to evaluate even 32-bit floats."""
    late = "Evaluating the model in 32-bit floats took longer than 7 s and was ended."
    unjudged = tuple(replace(artifact, quality=None, note=late) for artifact in RICH.state.artifacts)
    for judged, warned in ((40, True), (0, False)):
        subject = replace(RICH.state.subject, judged=judged)
        warnings = decision.decide(changed(RICH, artifacts=unjudged, subject=subject).state).warnings
        assert any("known about accuracy" in text and late in text for text in warnings) is warned
