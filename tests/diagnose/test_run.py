"""Planted causes on simulated machines: which is reported first, and what is left alone."""

import pytest

from optguide.diagnose.checks import IDLE, PRECISION, SETTINGS
from tests.diagnose.simulated import diagnosis

MILLISECOND = 1e-3


def effective(runtime):
    """As a CPU of two cores resolves a deployment."""
    hint = runtime.properties.get("PERFORMANCE_HINT", "LATENCY")
    queued = hint == "THROUGHPUT"
    resolved = {
        "PERFORMANCE_HINT": hint,
        "OPTIMAL_NUMBER_OF_INFER_REQUESTS": "2" if queued else "1",
        "INFERENCE_PRECISION_HINT": runtime.properties.get(
            "INFERENCE_PRECISION_HINT", runtime.precision or "bf16"
        ),
    }
    if runtime.requests is not None:
        resolved["requests in flight"] = str(runtime.requests or resolved["OPTIMAL_NUMBER_OF_INFER_REQUESTS"])
    return resolved


def in_floats(runtime):
    """As a CPU does that has nothing faster."""
    return effective(runtime) | {"INFERENCE_PRECISION_HINT": "f32"}


def symptoms(outcome):
    return [finding.symptom for finding in outcome.findings]


@pytest.mark.parametrize("seed", range(3))
def test_a_deployment_without_a_fault_has_no_finding(seed):
    outcome, _ = diagnosis(lambda runtime: 5 * MILLISECOND, in_floats, seed=seed)
    assert not outcome.findings
    assert not outcome.open
    assert {IDLE, PRECISION} <= {remark.symptom for remark in outcome.fine}


def test_a_pinned_precision_is_found_and_its_gain_is_the_true_one():
    outcome, _ = diagnosis(
        lambda runtime: (9 if runtime.precision == "f32" else 5) * MILLISECOND,
        effective,
        facts={"default_precision": "bf16"},
        precision="f32",
    )
    (finding,) = outcome.findings
    assert finding.symptom == PRECISION
    assert finding.effect.ratio.low < 1.8 < finding.effect.ratio.high
    assert "f32" in finding.evidence


def test_one_request_under_throughput_is_found_first():
    def cost(runtime):
        queued = runtime.properties.get("PERFORMANCE_HINT") == "THROUGHPUT"
        return (5 if queued and runtime.requests is not None else 9 if queued else 5.5) * MILLISECOND

    properties = {"PERFORMANCE_HINT": "THROUGHPUT", "ENABLE_CPU_PINNING": "NO"}
    outcome, _ = diagnosis(cost, effective, facts={"default_precision": "bf16"}, properties=properties)
    assert symptoms(outcome) == [IDLE]
    (other,) = outcome.findings[0].others
    assert "LATENCY" in other
    assert SETTINGS in {remark.symptom for remark in outcome.fine}


def test_a_gain_of_less_than_what_one_would_act_on_is_none():
    outcome, _ = diagnosis(
        lambda runtime: (5.1 if runtime.precision == "f32" else 5) * MILLISECOND,
        effective,
        facts={"default_precision": "bf16"},
        precision="f32",
    )
    assert not outcome.findings


def test_what_does_not_fit_into_the_budget_is_open_and_says_which_would_do():
    outcome, machine = diagnosis(
        lambda runtime: 5 * MILLISECOND, effective, 3.0, facts={"default_precision": "bf16"}, precision="f32"
    )
    assert not machine.sessions
    assert PRECISION in {remark.symptom for remark in outcome.open}
    assert "budget of about" in outcome.open[0].evidence
