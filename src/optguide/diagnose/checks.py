"""The checks: each looks at the facts of a deployment and says which remedies are worth a trial."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from optguide import format as fmt
from optguide.bench.variant import Variant
from optguide.claims.on_model.probes import LARGE
from optguide.diagnose.diagnosis import Inquiry, Symptom, Trial
from optguide.diagnose.subject import PASSES, Subject
from optguide.runtimes.litert import LiteRT
from optguide.runtimes.onnxruntime import ONNXRuntime


@dataclass(frozen=True)
class Check:
    """One thing to look at.

    :param ask: says what to try, from the facts or from a measurement of its own, ahead of which it asks
        whether the time reaches for that; nothing where the reader has given nothing to look at.
    """

    symptom: Symptom
    ask: Callable[[Subject], Inquiry | None]


PRECISION = Symptom("Computing in 32-bit floats", "optimize/choose")
IDLE = Symptom("Many inputs, but cores are half idle", "deploy/performance-hints")
COPIES = Symptom("An own loop slower than benchmark_app", "deploy/copies")
TINY = Symptom("A tiny model with long calls", "deploy/copies")
SETTINGS = Symptom("A setting that costs", "deploy/streams-and-threads")

SHAPES = Symptom("Slow whenever the input size changes", "deploy/dynamic-shapes")
PREPARING = Symptom("The application is slow, the model is fast", "measure/pre-and-post-processing")
STATE = Symptom("Slower from call to call", "deploy/state")
FRAMEWORK = Symptom("Slower than another framework or release", "measure/frameworks")

TINY_SECONDS = 1e-3
"""A shorter call is one in which Python and the handing over count."""


def precision(subject: Subject) -> Inquiry:
    """A precision that was pinned, against the one that the device takes by itself."""
    keys = ("INFERENCE_PRECISION_HINT", "EXECUTION_MODE_HINT")
    effective, default = subject.facts.effective.get(keys[0], ""), subject.facts.default_precision
    if not effective or not default:
        return Inquiry(PRECISION, "The device does not tell its inference precision.")
    if effective == default:
        return Inquiry(PRECISION, f"It computes in {effective}, which the device takes by itself.")
    evidence = f"It computes in {effective}, and the device would take {default}."
    variant = subject.without(f"in {default}", *keys)
    remedy = (
        f"Leave INFERENCE_PRECISION_HINT and EXECUTION_MODE_HINT to the device, which takes {default};"
        " compare the answers before."
    )
    return Inquiry(PRECISION, evidence, (Trial(remedy, variant, subject.goal),))


def requests(subject: Subject) -> Inquiry:
    """The hint against the requests in flight."""
    flying, optimal = subject.in_flight, subject.number("OPTIMAL_NUMBER_OF_INFER_REQUESTS", 1)
    hint = subject.facts.effective.get("PERFORMANCE_HINT", "")
    noun = "request" if flying == 1 else "requests"
    evidence = f"{flying} {noun} in flight under {hint or 'no hint'}, which prepares for {optimal}."
    queue = subject.without("optimal requests", requests=0)
    if flying < optimal:
        one_call = subject.without("LATENCY hint", *_OF_STREAMS, requests=None)
        one_call = _with_properties(one_call, PERFORMANCE_HINT="LATENCY")
        full = Trial(f"Keep {optimal} requests in flight, with AsyncInferQueue.", queue, "throughput")
        single = Trial("For one input at a time, say PERFORMANCE_HINT LATENCY.", one_call, "latency")
        return Inquiry(IDLE, evidence, (full, single) if flying == 1 else (full,))
    throughput = _with_properties(
        subject.without("THROUGHPUT hint", *_OF_STREAMS, requests=0), PERFORMANCE_HINT="THROUGHPUT"
    )
    trials: tuple[Trial, ...] = ()
    if subject.idle_cores:
        evidence += f" {subject.idle_cores} cores have no thread."
    if (subject.goal == "throughput" or subject.idle_cores) and hint != "THROUGHPUT":
        remedy = "Say PERFORMANCE_HINT THROUGHPUT and keep as many requests in flight as it calls optimal."
        trials += (Trial(remedy, throughput, "throughput"),)
    if flying > optimal:
        trials += (Trial(f"Keep {optimal} in flight; those beyond wait.", queue, "latency"),)
    return Inquiry(IDLE, evidence, trials)


_OF_STREAMS = ("PERFORMANCE_HINT", "NUM_STREAMS", "PERFORMANCE_HINT_NUM_REQUESTS")


def copies(subject: Subject) -> Inquiry:
    """Handing inputs over with each call."""
    runtime, size = subject.deployed.openvino, subject.facts.input_bytes
    large = size >= LARGE
    symptom = COPIES if large else TINY
    evidence = f"A call of {fmt.quantity(1e3 * subject.facts.call, 'ms')} takes {fmt.quantity(size, 'bytes')}"
    if runtime.feed == "preset":
        return Inquiry(symptom, f"{evidence}, and its inputs are set beforehand.")
    if not large and subject.facts.call > TINY_SECONDS:
        return Inquiry(symptom, f"{evidence}: handing them over is a small part of it.")
    if runtime.feed == "copied" and not runtime.asynchronous and large:
        remedy = (
            "Call infer(inputs, share_inputs=True), with arrays that are contiguous and of the model's type."
        )
        variant = subject.deployed.with_("inputs shared", feed="each")
        evidence += ", copied into the request with each call (--feed says otherwise)."
    else:
        remedy = "Write inputs straight into the request's own tensors (get_input_tensor().data)."
        variant = subject.deployed.with_("inputs set beforehand", feed="preset")
        evidence += ", handed over with each call."
    return Inquiry(symptom, evidence, (Trial(remedy, variant, subject.goal),))


def shapes(subject: Subject) -> Inquiry:
    """Open sizes: what a size costs that is new, and what padding costs."""
    facts = subject.facts
    if not facts.dynamic:
        return Inquiry(SHAPES, "Every input has one size, for which the model was compiled.")
    largest = ", ".join(f"{name} {list(shape)}" for name, shape in (facts.largest or {}).items())
    padded = subject.deployed.with_("padded", shapes=dict(facts.largest or {}), inputs=())
    if not facts.varied:
        static = replace(padded, name="one size", inputs=subject.deployed.inputs)
        trial = Trial(f"Compile for one size: {largest}.", static, subject.goal)
        return Inquiry(SHAPES, "Sizes are open, and all inputs have the same.", (trial,))
    if CACHED_SHAPES in subject.properties:
        return Inquiry(SHAPES, f"Sizes are open, and {CACHED_SHAPES} is set.")
    anew = _with_properties(replace(subject.deployed, name="every size new"), **{CACHED_SHAPES: "0"})
    trials = (
        Trial(
            "Warm up every size, or round sizes up to a few, so that none is new.",
            subject.deployed,
            subject.goal,
            anew,
        ),
        Trial(f"Pad to one size: {largest}.", padded, subject.goal, anew),
    )
    evidence = "Sizes are open, and for one that is new kernels are prepared."
    if facts.grown is not None:
        first, later = (fmt.quantity(grown, "bytes") for grown in facts.grown)
        evidence += (
            f" The first pass over all sizes added {first} to the process, {PASSES} more passes {later}."
        )
    return Inquiry(SHAPES, evidence, trials)


CACHED_SHAPES = "CPU_RUNTIME_CACHE_CAPACITY"
"""Number of kernels that are kept; with none, every size that differs from the last one is new."""


def preparing(subject: Subject) -> Inquiry | None:
    """What comes before the call."""
    if subject.prepared is None:
        return None
    at_hand = subject.deployed.with_("inputs at hand", requests=None)
    remedy = (
        "Prepare inputs while the last one is computed, or in the model's graph; at most that is"
        " worth what it would be if preparing took no time:"
    )
    trial = Trial(remedy, at_hand, "latency", subject.prepared)
    return Inquiry(PREPARING, "Each input is prepared before its call.", (trial,))


def state(subject: Subject) -> Inquiry:
    """A state that is never reset."""
    if not subject.facts.stateful:
        return Inquiry(STATE, "The model keeps no state.")
    if subject.deployed.openvino.steps is not None or subject.deployed.openvino.asynchronous:
        return Inquiry(STATE, "The model keeps a state, and --steps says how long.")
    frames = subject.deployed.frames
    of_sequence = None if frames is None else STEPS * frames
    sequence = subject.deployed.with_(f"{STEPS} steps", steps=STEPS, frames=of_sequence)
    remedy = f"Reset the state between sequences: reset_state(); this is against {STEPS} calls without."
    trial = Trial(remedy, subject.deployed, "throughput", sequence)
    return Inquiry(STATE, "The model keeps a state from call to call.", (trial,))


STEPS = 32
"""Calls in which a state that grows has grown."""


def framework(subject: Subject) -> Inquiry:
    """The runtime that the model's file was made for."""
    deployed = subject.deployed
    runtime, package, title = _RUNTIMES.get(Path(deployed.model).suffix.lower(), (None, "", ""))
    if runtime is None or deployed.openvino.batch or find_spec(package) is None:
        return Inquiry(FRAMEWORK, "No other runtime here reads its file as it is.")
    variant = replace(deployed, name=title, runtime=runtime(shapes=deployed.openvino.shapes))
    trial = Trial(f"Run it in {title}, with that runtime's own defaults.", variant, subject.goal)
    return Inquiry(FRAMEWORK, f"{title} can run the same file.", (trial,))


_RUNTIMES: Mapping[str, tuple[Any, str, str]] = {
    ".onnx": (ONNXRuntime, "onnxruntime", "ONNX Runtime on the CPU"),
    ".tflite": (LiteRT, "ai_edge_litert", "LiteRT on the CPU"),
}
"""By the suffix of a model's file, its runtime, that runtime's module, and its name with its device."""


def settings(subject: Subject) -> Inquiry:
    """Every other property that was set, against what the device does by itself."""
    asked = [key for key in subject.properties if key not in _LOOKED_AT]
    count, cores = subject.number("INFERENCE_NUM_THREADS"), subject.processors
    evidence = f"Threads: {count}, cores: {cores}. " if count else ""
    if not asked:
        return Inquiry(SETTINGS, f"{evidence}No further property is set.")
    trials = tuple(
        Trial(f"Leave {key} out.", subject.without(f"without {key}", key), subject.goal) for key in asked
    )
    return Inquiry(SETTINGS, f"{evidence}Set are {', '.join(asked)}.", trials)


_LOOKED_AT = (
    *("INFERENCE_PRECISION_HINT", "EXECUTION_MODE_HINT", "PERFORMANCE_HINT"),
    *("CACHE_DIR", "ENABLE_MMAP", "CACHE_MODE"),
)
"""Properties that have a check of their own, or no part in a call."""


def _with_properties(variant: Variant, **properties: str) -> Variant:
    runtime = variant.openvino
    return replace(variant, runtime=replace(runtime, properties={**runtime.properties, **properties}))


CHECKS = (
    Check(IDLE, requests),
    Check(PRECISION, precision),
    Check(COPIES, copies),
    Check(SHAPES, shapes),
    Check(PREPARING, preparing),
    Check(STATE, state),
    Check(FRAMEWORK, framework),
    Check(SETTINGS, settings),
)
"""In the order in which time is given to them."""
