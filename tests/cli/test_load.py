"""``optguide load`` from end to end, and what it says about a limit."""

import json

import numpy as np
import pytest

from optguide.bench import load_search
from optguide.bench.load import LatencyLimit, LoadPoint
from optguide.bench.load_search import LoadSearch
from optguide.cli.load import advice, print_run
from optguide.stats.estimate import Estimate
from tests.cli.json_shapes import golden, keys


@pytest.fixture(scope="module")
def model(tmp_path_factory, save_ir):
    """Some milliseconds: next to them nobody's lateness matters."""

    def body(ops, x):
        weights = np.random.default_rng(0).standard_normal((1024, 1024), dtype=np.float32) / 32
        for _ in range(2):
            x = ops.tanh(ops.matmul(x, weights, False, False))
        return x

    return save_ir(tmp_path_factory.mktemp("load") / "network.xml", [256, 1024], body)


@pytest.mark.usefixtures("simulated")
def test_rates_that_are_given(optguide, model):
    found = optguide("load", model, "--rate", "4", "--rate", "20", "--seconds", "2s")
    assert (found.status, found.err.count("Error")) == (0, 0)
    assert "network: latency since the request was due" in found.out
    assert "20 requests/s" in found.out
    assert "needs 368 requests" in found.out
    assert "closed loop" not in found.out


def test_rates_that_are_found_and_a_limit(optguide, processes, model, monkeypatch):
    monkeypatch.setattr(load_search, "SHORTEST", 0.5)
    monkeypatch.setattr(load_search, "SHARES", (0.3, 1.5))
    monkeypatch.setattr(load_search, "REFINEMENTS", 1)
    monkeypatch.setattr(load_search, "CAPACITY_SECONDS", 1.0)
    found = optguide(
        "load", f"{model}@name=[red]a", "--hint", "throughput", "--seconds", "1s", "--slo", "p50=1s"
    )
    assert "[red]a: latency" in found.out
    assert "In a closed loop: [red]a" in found.out
    assert found.status == (0 if "p50 ≤ 1000 ms was kept up to" in found.out else 1)


@pytest.mark.usefixtures("simulated")
def test_json(optguide, model):
    found = optguide("load", model, "--rates", "5,20", "--slo", "p50=10s", "--seconds", "2s", "--json")
    data = json.loads(found.out)
    assert keys(data) == golden("load")
    assert data["limit"] == {"percentile": 50, "milliseconds": 10000}
    (curve,) = data["curves"]
    assert [point["offered"] for point in curve["points"]] == [5, 20]
    assert curve["points"][1]["latency"]["p50"]["unit"] == "ms"
    assert curve["points"][0]["latency"]["p99"] is None
    assert 0 <= curve["points"][1]["others_share"] <= 1
    assert [point["limit"] for point in curve["points"]] == ["kept", "kept"]
    assert curve["highest_rate"] == 20
    assert found.status == 0


@pytest.mark.usefixtures("simulated")
def test_a_limit_that_nothing_keeps_is_status_one(optguide, model):
    found = optguide("load", model, "--rate", "20", "--slo", "p50=0.001ms", "--seconds", "2s")
    assert found.status == 1
    assert "network: latency" in found.out
    assert "Error: No rate that was offered surely kept p50 ≤" in found.err


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("--rate", "1", "--rates", "auto"), "Rates come from --rate or from --rates, not from both."),
        (("--rates", "fast"), "--rates fast is no list of numbers."),
        (("--rate", "0"), "0 requests per second cannot be offered."),
        (("--rate", "nan"), "nan requests per second cannot be offered."),
        (("--rates", "1,-2"), "-2 requests per second cannot be offered."),
        (("--rate", "1e9"), "1e+09 requests per second for 5 s are too many to keep account of."),
        (("--slo", "p42=1s"), "'p42=1s' is no latency limit. Write one such as p99=50ms"),
        (("--slo", "p99=soon"), "'soon' is not a duration."),
        (("--slo", "p99=0ms"), "No latency is below zero."),
        (("--slo", "50ms"), "'50ms' is no latency limit."),
        (("--seconds", "0s", "--rate", "1"), "'0s' is no time at all."),
    ],
)
def test_a_wrong_call(optguide, ir, arguments, complaint):
    found = optguide("load", ir, *arguments)
    assert (found.status, found.out) == (2, "")
    assert complaint in found.err
    assert found.err.count("\n") == 1


# --- what is said, from points made up for it ---


LIMIT = LatencyLimit(95, 10)


def loads(*points):
    return LoadSearch({}, {"m": points}, 5.0, {})


def point(rate, low, high, **fields):
    return LoadPoint(rate, rate, {95: Estimate(low, low, high, "ms", 100)}, 100, **fields)


def test_the_highest_rate_and_the_one_that_broke_the_limit(capsys):
    print_run(loads(point(50, 1, 2), point(100, 9, 11), point(200, 12, 13)), LIMIT)
    out = capsys.readouterr().out
    assert "p95 ≤ 10 ms was kept up to 50 requests/s; 200 requests/s broke it." in out


def test_a_void_rate_is_explained(capsys):
    print_run(loads(point(50, 1, 2), point(200, 1, 2, void="the queue kept growing", overloaded=True)), LIMIT)
    out = capsys.readouterr().out
    assert "200 requests/s: no latencies, because the queue kept growing." in out
    assert "200 requests/s broke it" in out


def test_advice_names_the_time_that_too_few_requests_need():
    few = LoadPoint(10, 10, {}, 50)
    assert advice([few], LIMIT) == "Rates up to 10 requests/s had too few requests: give --seconds 9s."
    late = point(10, 1, 1, void="the generator itself was late")
    assert advice([late], LIMIT) == "Let other work on this machine end, and measure again."
    assert advice([point(10, 20, 30)], LIMIT) == "Offer lower rates, or allow more time."
