"""Planted causes on simulated machines: which is reported first, and what is left alone."""

import pytest

from optguide.diagnose.checks import COPIES, FRAMEWORK, IDLE, PRECISION, SETTINGS, SHAPES
from optguide.errors import WorkerDied
from optguide.runtimes.onnxruntime import ONNXRuntime
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


def pinned_to_floats(seconds):
    """The diagnosis of a deployment that takes so long in 32-bit floats, and 5 ms by default."""
    outcome, _ = diagnosis(
        lambda runtime: seconds if runtime.precision == "f32" else 5 * MILLISECOND,
        effective,
        facts={"default_precision": "bf16"},
        precision="f32",
    )
    return outcome


@pytest.mark.parametrize("seed", range(3))
def test_a_deployment_without_a_fault_has_no_finding(seed):
    """Although four remedies are tried: a precision, a way of handing inputs over, two settings."""
    outcome, _ = diagnosis(
        lambda runtime: 5 * MILLISECOND,
        in_floats,
        seconds=120.0,
        facts={"default_precision": "bf16", "input_bytes": 20_000_000},
        seed=seed,
        feed="copied",
        precision="f32",
        threads=2,
        properties={"ENABLE_CPU_PINNING": "YES"},
    )
    assert not outcome.findings
    assert not outcome.open
    assert {IDLE, PRECISION} <= {remark.symptom for remark in outcome.fine}


def test_a_pinned_precision_is_found_and_its_gain_is_the_true_one():
    outcome = pinned_to_floats(9 * MILLISECOND)
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
    outcome = pinned_to_floats(5.1 * MILLISECOND)
    assert not outcome.findings


def test_what_does_not_fit_into_the_budget_is_open_and_says_which_would_do():
    outcome, machine = diagnosis(
        lambda runtime: 5 * MILLISECOND, effective, 3.0, facts={"default_precision": "bf16"}, precision="f32"
    )
    assert not machine.sessions
    assert PRECISION in {remark.symptom for remark in outcome.open}
    assert "budget of about" in outcome.open[0].evidence


def test_a_loop_that_copies_large_inputs_is_told_to_share_them():
    outcome, _ = diagnosis(
        lambda runtime: (5 if runtime.feed == "copied" else 2) * MILLISECOND,
        in_floats,
        facts={"input_bytes": 20_000_000},
        feed="copied",
    )
    assert symptoms(outcome) == [COPIES]
    assert "share_inputs=True" in outcome.findings[0].effect.remedy


def test_sizes_that_are_new_are_held_against_known_ones_and_against_padding():
    def cost(runtime):
        new = runtime.properties.get("CPU_RUNTIME_CACHE_CAPACITY") == "0"
        return (6 if new else 3 if runtime.shapes else 2) * MILLISECOND

    facts = {"dynamic": True, "varied": True, "largest": {"x": [1, 64]}}
    outcome, _ = diagnosis(cost, in_floats, facts=facts)
    assert symptoms(outcome) == [SHAPES]
    (padding,) = outcome.findings[0].others
    assert "x [1, 64]" in padding
    assert "2.0" in padding or "1.9" in padding


@pytest.mark.parametrize(
    ("sets", "seconds", "private", "told"),
    [
        (2, 0.01, 1, True),
        (1, 0.01, 1, False),
        (2, 0.01, None, False),
        (500, 0.02, 1, False),
    ],
    ids=["measured", "one size", "the system does not tell", "it takes too long"],
)
def test_memory_that_sizes_add_is_told_where_it_was_measured(sets, seconds, private, told):
    outcome, _ = diagnosis(
        lambda runtime: seconds,
        in_floats,
        facts={"dynamic": True, "varied": True, "largest": {"x": [1, 64]}},
        private=private,
        inputs=tuple(f"{place}.npz" for place in range(sets)),
    )
    (remark,) = (remark for remark in (*outcome.fine, *outcome.open) if remark.symptom == SHAPES)
    assert remark.evidence.startswith("Sizes are open, and for one that is new kernels are prepared.")
    assert ("The first pass over all sizes added 0 B" in remark.evidence) == told


@pytest.mark.parametrize(("seconds", "found"), [(5, [FRAMEWORK]), (9, [])])
def test_the_runtime_that_a_file_was_made_for_takes_turns(seconds, found):
    pytest.importorskip("onnxruntime")

    def cost(runtime):
        return (seconds if isinstance(runtime, ONNXRuntime) else 9) * MILLISECOND

    outcome, _ = diagnosis(cost, in_floats, model="model.onnx")
    assert symptoms(outcome) == found
    entries = [*outcome.findings, *outcome.fine]
    (evidence,) = (entry.evidence for entry in entries if entry.symptom == FRAMEWORK)
    assert evidence.startswith("ONNX Runtime on the CPU can run the same file.")
    outcome, machine = diagnosis(cost, in_floats)
    assert not machine.sessions, "no other runtime reads an IR"


def test_a_setting_that_costs_is_named():
    outcome, _ = diagnosis(
        lambda runtime: (8 if runtime.threads == 1 else 5) * MILLISECOND, in_floats, threads=1
    )
    assert symptoms(outcome) == [SETTINGS]
    assert outcome.findings[0].effect.remedy == "Leave INFERENCE_NUM_THREADS out."


def test_a_remedy_that_cannot_be_measured_leaves_its_question_open():
    def cost(runtime):
        if runtime.precision is None:
            raise WorkerDied("The worker crashed.")
        return 5 * MILLISECOND

    outcome, _ = diagnosis(cost, in_floats, facts={"default_precision": "bf16"}, precision="f32")
    assert not outcome.findings
    (remark,) = (remark for remark in outcome.open if remark.symptom == PRECISION)
    assert "It could not be measured: The worker crashed." in remark.evidence


def test_processes_beyond_what_memory_holds_are_not_started():
    outcome, machine = diagnosis(
        lambda runtime: 5 * MILLISECOND,
        in_floats,
        facts={"default_precision": "bf16"},
        memory=10**15,
        precision="f32",
    )
    assert not machine.sessions
    assert "of free memory" in next(r.evidence for r in outcome.open if r.symptom == PRECISION)
