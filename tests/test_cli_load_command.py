"""``optguide load`` from end to end, and what it says about a limit."""

import json

import pytest

from optguide.cli.load_output import Loads, advice, show
from optguide.measuring.estimate import Estimate
from optguide.measuring.load_search import LoadLimit
from optguide.measuring.openloop import LoadPoint
from optguide.measuring.variant import Variant

SHORT = ("--seconds", "500ms")


def test_rates_that_are_given(optguide, ir):
    found = optguide("load", ir, "--rate", "40", "--rate", "400", *SHORT)
    assert (found.status, found.err.count("Error")) == (0, 0)
    assert "linear: latency since the request was due" in found.out
    assert "40 requests/s" in found.out
    assert "needs 368 requests" in found.out
    assert "closed loop" not in found.out


def test_rates_that_are_found_and_a_limit_that_is_kept(optguide, ir):
    found = optguide("load", f"{ir}@name=[red]a", "@requests=2,name=two", *SHORT, "--slo", "p50=2s")
    assert found.status == 0
    assert "[red]a: latency" in found.out
    assert "p50 ≤ 2 s was kept up to" in found.out
    assert "In a closed loop: [red]a" in found.out


def test_json(optguide, ir):
    found = optguide("load", ir, "--rates", "50,200", "--slo", "p50=1s", *SHORT, "--json")
    assert found.status == 0
    data = json.loads(found.out)
    assert data["limit"] == {"percentile": 50, "milliseconds": 1000}
    (curve,) = data["curves"]
    assert [point["offered"] for point in curve["points"]] == [50, 200]
    assert curve["points"][1]["latency"]["p50"]["unit"] == "ms"
    assert curve["points"][0]["latency"]["p99"] is None
    assert curve["points"][0]["limit"] == "kept"
    assert curve["highest_rate"] == 200
    assert curve["limit_rate"] is None  # no rate broke it


def test_a_limit_that_nothing_keeps_is_status_one(optguide, ir):
    found = optguide("load", ir, "--rate", "200", "--slo", "p50=0.0001ms", *SHORT)
    assert found.status == 1
    assert "linear: latency" in found.out
    assert "Error: No rate that was offered surely kept p50 ≤" in found.err


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("--rate", "1", "--rates", "auto"), "Rates come from --rate or from --rates, not from both."),
        (("--rates", "fast"), "--rates fast is no list of numbers."),
        (("--rate", "0"), "0 requests per second cannot be offered."),
        (("--rate", "nan"), "nan requests per second cannot be offered."),
        (("--rates", "1,-2"), "-2 requests per second cannot be offered."),
        (("--slo", "p42=1s"), "'p42=1s' is no latency limit. Write one such as p99=50ms"),
        (("--slo", "p99=soon"), "'soon' is not a duration."),
        (("--slo", "p99=0ms"), "No latency is below zero."),
        (("--slo", "50ms"), "'50ms' is no latency limit."),
        (("--seconds", "0s", "--rate", "1"), "Rates of no length show nothing."),
    ],
)
def test_a_wrong_call(optguide, ir, arguments, complaint):
    found = optguide("load", ir, *arguments)
    assert (found.status, found.out) == (2, "")
    assert complaint in found.err
    assert found.err.count("\n") == 1


# --- what is said, from points made up for it ---


def loads(*points, limit=None):
    return Loads({"m": points}, 5.0, limit or LoadLimit(95, 10), [Variant("m")])


def point(rate, low, high, **fields):
    return LoadPoint(rate, rate, {95: Estimate(low, low, high, "ms", 100)}, 100, **fields)


def test_the_highest_rate_and_the_one_that_broke_the_limit(capsys):
    show(loads(point(50, 1, 2), point(100, 9, 11), point(200, 12, 13)))
    out = capsys.readouterr().out
    assert "p95 ≤ 10 ms was kept up to 50 requests/s; 200 requests/s broke it." in out


def test_a_void_rate_is_explained(capsys):
    show(loads(point(50, 1, 2), point(200, 1, 2, void="the queue kept growing", overloaded=True)))
    out = capsys.readouterr().out
    assert "200 requests/s: no latencies, because the queue kept growing." in out
    assert "200 requests/s broke it" in out


def test_advice_names_the_time_that_too_few_requests_need():
    few = LoadPoint(10, 10, {}, 50)
    assert advice(loads(few)) == "Rates up to 10 requests/s had too few requests for that: give --seconds 9s."
    assert advice(loads(point(10, 20, 30))) == "Offer lower rates, or allow more time."
