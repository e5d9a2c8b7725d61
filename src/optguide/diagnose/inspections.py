"""Checks that measure by themselves, since their subject is no call: starts, stops, layers and answers."""

from __future__ import annotations

import math
import time
from typing import Any

import numpy as np

from optguide import format as fmt
from optguide.bench import process
from optguide.bench.cold_start import first_inference
from optguide.bench.layers import LayerTimes, layers
from optguide.bench.process import LOAD_SECONDS
from optguide.claims.on_model.model import DRAWN, precision_error
from optguide.diagnose import what_if
from optguide.diagnose.checks import Check
from optguide.diagnose.diagnosis import Effect, Inquiry, Symptom, Trial
from optguide.diagnose.subject import Subject
from optguide.errors import NotEnoughSamples
from optguide.machine.cgroup import throttled_seconds
from optguide.runtimes import runner_for
from optguide.stats.estimate import MINIMUM_PROCESSES, MINIMUM_ROUNDS, across_processes, median_of_rounds

THROTTLED = Symptom("Throttled in a container", "deploy/streams-and-threads")
INT8 = Symptom("INT8 is not faster", "measure/where-the-time-goes")
START = Symptom("The first request takes seconds", "measure/first-inference")
ANSWERS = Symptom("Answers differ from those in 32-bit floats", "optimize/choose")

NOTICEABLE = 1.0
"""Seconds of reading and compiling from which on a start is slow enough to be looked at."""

WINDOWS, WINDOW_SECONDS = 8, 0.5
"""In which stops are counted; a quota is granted anew every tenth of a second."""

LAYER_SECONDS = 4.0

_BEGIN = {"f": "float", "b": "float"}
"""First letters of precisions that are floats: ``f32``, ``f16``, ``bf16``."""


def quota(subject: Subject) -> Inquiry:
    """Threads against a CPU quota, and how long it stops them."""
    limit, count = subject.quota, subject.number("INFERENCE_NUM_THREADS")
    if math.isinf(limit):
        return Inquiry(THROTTLED, "No CPU quota is in force.")
    evidence = f"The quota is {limit:g} cores, and {count} threads want to run."
    if count <= limit:
        return Inquiry(THROTTLED, evidence)
    subject.afford(subject.facts.loading + WINDOWS * WINDOW_SECONDS)
    spec, processors = subject.deployed.to_dict(), min(count, subject.processors)
    arguments = {"spec": spec, "processors": processors, "windows": WINDOWS, "seconds": WINDOW_SECONDS}
    with subject.host.start(subject.deployed) as worker:
        shares = worker.ask(
            LOAD_SECONDS, do="call", function=f"{__name__}:stopped_shares", arguments=arguments
        )
    slower = median_of_rounds([1 / (1 - min(float(share), 0.99)) for share in shares], "ratio")
    evidence += f" It stops them for {fmt.quantity(1 - 1 / slower.value, 'share')} of the time."
    raising = Effect(f"Raise the quota to {processors} cores.", subject.goal, slower)
    fitting = max(1, math.floor(limit))
    variant = subject.without(f"threads {fitting}", "INFERENCE_NUM_THREADS", threads=fitting)
    trial = Trial(f"Say INFERENCE_NUM_THREADS {fitting}, the quota rounded down.", variant, "throughput")
    return Inquiry(THROTTLED, evidence, (trial,), (raising,))


def stopped_shares(spec: dict[str, Any], processors: int, windows: int, seconds: float) -> list[float]:
    """The child's side: share of each window for which the quota stopped a thread, on average.

    The system adds up the stops of all processors.
    """
    runner: Any = runner_for(spec)
    runner.load()
    feeds = runner.feeds()

    def run() -> None:
        if runner.queue is None:
            runner.calls[0]()
        else:  # as many requests in flight as in the deployment
            runner.queue.start_async(feeds[0] if feeds else None)

    run()
    shares = []
    for _ in range(windows):
        begun, stopped = time.perf_counter(), throttled_seconds()
        while time.perf_counter() < begun + seconds:
            run()
        wall = time.perf_counter() - begun
        shares.append((throttled_seconds() - stopped) / (processors * wall))
    if runner.queue is not None:
        runner.queue.wait_all()
    return shares


def int8(subject: Subject) -> Inquiry:
    """Layers that stayed in floats in a quantized model, and whether 8 bits pay at all."""
    if not subject.facts.quantizers:
        return Inquiry(INT8, "The model is not quantized; optguide optimize --data tries that.")
    subject.afford(MINIMUM_PROCESSES * subject.facts.loading + LAYER_SECONDS)
    profile = layers([subject.deployed], seconds=LAYER_SECONDS, host=subject.host)
    evidence = _of_layers(profile, subject.deployed.name)
    model, trials = subject.deployed.model, []
    for change, name, remedy in (
        (
            "quantize",
            "all layers in INT8",
            "Quantize the layers that stayed in floats, and judge the answers.",
        ),
        ("floats", "no layer in INT8", "Deploy the model before quantization."),
    ):
        target = str(subject.folder / f"{change}.xml")
        arguments = {"source": model, "target": target, "change": change}
        count = process.call(
            f"{what_if.__name__}:write", arguments, seconds=LOAD_SECONDS, activity="changing the model"
        )
        if count:
            trials.append(Trial(remedy, subject.deployed.with_(name, model=target), subject.goal))
    return Inquiry(INT8, evidence, tuple(trials))


def _of_layers(profile: LayerTimes, name: str) -> str:
    described = profile.described[name]
    computing = [layer for layer, facts in described.items() if facts["kind"] in _COMPUTING]
    floats = [layer for layer in computing if described[layer]["precision"][:1] in _BEGIN]
    moving = [layer for layer, facts in described.items() if facts["kind"] in ("Reorder", "Convert")]
    if not floats:
        return f"All {len(computing)} layers that compute most run in 8 bits."
    shares = [fmt.estimate(profile.share(name, members)) for members in (floats, moving)]
    return (
        f"{len(floats)} of {len(computing)} convolutions and matrix products compute in floats and take"
        f" {shares[0]} of the time; {len(moving)} conversions between layers take {shares[1]}."
    )


_COMPUTING = (*what_if.COMPUTING, "FullyConnected")


def start(subject: Subject) -> Inquiry:
    """From the import to the first result, and what a model cache saves of it."""
    stages, plain, loading = subject.facts.stages, subject.deployed, subject.facts.loading
    split = {**stages, "first call": subject.facts.first}
    evidence = ", ".join(f"{stage} {fmt.duration(seconds)}" for stage, seconds in split.items())
    evidence = f"A start: {evidence}."
    runtime = plain.openvino
    if runtime.cache_dir is not None or "CACHE_DIR" in runtime.properties:
        return Inquiry(START, f"{evidence} A model cache is set.")
    if stages["read"] + stages["compile"] < NOTICEABLE:
        return Inquiry(START, evidence)
    repeats = MINIMUM_PROCESSES if loading > 3 else MINIMUM_ROUNDS  # of each kind: three where they are long
    subject.afford((2 * repeats + 1) * loading)
    single = not (runtime.shapes or runtime.batch or plain.model.endswith(".blob"))
    cached = plain.with_("model cache", cache_dir=str(subject.folder / "cache"), single_call=single)
    first_inference([cached], 1, steady=1, label="filling the model cache", host=subject.host)
    starts = first_inference([plain, cached], repeats, steady=1, label="starts", host=subject.host)
    slow, quick = (np.asarray(starts.values(variant.name)) for variant in (plain, cached))
    how = ", and hand compile_model the path instead of reading the model" if single else ""
    effect = Effect(f"Set CACHE_DIR{how}.", "total", across_processes(slow / quick, range(len(slow))))
    return Inquiry(START, evidence, (), (effect,))


def answers(subject: Subject) -> Inquiry:
    """How far the precision in force moves the first output.

    :raises NotEnoughSamples: too few sets of inputs.
    """
    precision = subject.facts.effective.get("INFERENCE_PRECISION_HINT", "")
    if precision in ("", "f32"):
        return Inquiry(ANSWERS, f"It computes in {precision or 'a precision of its own'}.")
    count = len(subject.deployed.inputs)
    if 0 < count < MINIMUM_ROUNDS:
        raise NotEnoughSamples(
            f"It takes {MINIMUM_ROUNDS} sets of inputs to judge them, and these are {count}."
        )
    subject.afford(2 * (subject.facts.loading + DRAWN * subject.facts.call))
    asked = "INFERENCE_PRECISION_HINT"
    variant = subject.without(subject.deployed.name, asked)
    error = precision_error(variant, subject.properties.get(asked))
    return Inquiry(
        ANSWERS,
        f"It computes in {precision}.",
        (),
        (Effect("Pin INFERENCE_PRECISION_HINT f32.", "error", error),),
    )


INSPECTIONS = (
    Check(THROTTLED, quota),
    Check(INT8, int8),
    Check(START, start),
    Check(ANSWERS, answers),
)
"""In the order in which they are made."""
