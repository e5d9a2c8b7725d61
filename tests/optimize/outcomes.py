"""Artifact-up outcomes of runs, as the report is given them: a rich one, and what is missing in others."""

from __future__ import annotations

from dataclasses import replace

from optguide.bench.layers import LayerTime
from optguide.bench.load import LatencyLimit
from optguide.claims import Source, Verdict
from optguide.optimize.candidate import Candidate, Deployment, Settings
from optguide.optimize.outcome import (
    SCHEMA,
    Artifact,
    Decision,
    LoadSample,
    Outcome,
    Quality,
    RaceRound,
    Speed,
    Standing,
    State,
    SubjectFacts,
)
from optguide.records import Result
from optguide.stats.estimate import Estimate

HOSTILE = """<script>alert(1)</script>"'`$(touch pwned)&"""
"""A model name with something for HTML, for Python and for a shell."""

MACHINE = {
    "cpu": "AMD EPYC 9V74 80-Core Processor",
    "flags": ["avx2", "avx512_vnni", "avx512_bf16"],
    "physical_cores": 2,
    "logical_cores": 4,
    "usable_cores": 4,
    "cpu_quota": None,
    "memory": 16 * 2**30,
    "system": "linux",
    "system_name": "Debian GNU/Linux 12 (bookworm)",
    "kernel": "6.1.0-18-amd64",
    "hypervisor": True,
    "governor": None,
    "python": "3.11.2",
    "packages": {"optguide": "0.1.0", "openvino": "2026.4.1", "nncf": "3.4.0", "numpy": "2.3.1"},
    "devices": [{"name": "CPU", "full_name": "AMD EPYC 9V74 80-Core Processor", "capabilities": ["FP32"]}],
}

DEFAULT = Candidate("default")
HINT = Candidate("default", Deployment("THROUGHPUT", requests=0))
F32 = Candidate("f32")
WINNER = Candidate("int8", Deployment(streams=2, threads=4, requests=4, batch=4))
RUNNER_UP = Candidate("int8", Deployment("THROUGHPUT", requests=0))
ACCURATE = Candidate("int8_accuracy", Deployment("THROUGHPUT", requests=0))
WEIGHTS = Candidate("int4_weights", Deployment("THROUGHPUT", requests=0))
SLOW = Candidate("int8", Deployment(streams=4, threads=4, requests=8, batch=8))
BROKEN = Candidate("int8_weights", Deployment("THROUGHPUT", requests=0))
UNTRIED = Candidate("int8", Deployment(streams=4, threads=4, requests=4))

SYNC = Candidate("f32", Deployment("LATENCY"))
TUNED = Candidate("int8", Deployment(streams=1, threads=1, requests=2, batch=4))
HINTED = Candidate("int8", Deployment("THROUGHPUT", requests=0))
MIXED = Candidate("default", Deployment("LATENCY", threads=1))
CANDIDATES = {"sync": SYNC, "tuned": TUNED, "hinted": HINTED, "mixed": MIXED}
"""One of each way to deploy, for machines with one core too."""


def estimate(value, unit="ratio", spread=0.02, n=40):
    return Estimate(value, value * (1 - spread), value * (1 + 1.4 * spread), unit, n, "made up")


def speed(latency, throughput, *, memory=210_000_000):
    return Speed(
        {
            "p50": estimate(latency, "ms"),
            "p95": estimate(1.21 * latency, "ms", 0.04),
            "p99": estimate(1.5 * latency, "ms", 0.08),
        },
        estimate(throughput, "inferences/s", 0.015),
        estimate(4e3 / throughput, "ms", 0.01),
        memory,
        {"NUM_STREAMS": "2", "INFERENCE_NUM_THREADS": "4", "INFERENCE_PRECISION_HINT": "f32"},
    )


SPEEDS = {
    DEFAULT: speed(9.8, 101.0),
    HINT: speed(17.1, 233.0),
    F32: speed(14.9, 66.0),
    WINNER: speed(24.2, 655.0, memory=180_000_000),
    RUNNER_UP: speed(6.6, 603.0),
    ACCURATE: speed(8.1, 490.0),
    WEIGHTS: speed(17.9, 222.0),
    SLOW: speed(99.0, 618.0),
}

STATUSES = {
    WINNER: ("winner", "2.81 times the throughput of OpenVINO's default with the THROUGHPUT hint."),
    RUNNER_UP: ("slower", "0.921 times (0.90 to 0.95) of the winner's throughput, so no win is left to it."),
    SLOW: (
        "not distinguishable",
        "0.98 times (0.96 to 1.01) of the winner's throughput with as many settings.",
    ),
    ACCURATE: ("slower", "0.75 times (0.73 to 0.77) of the winner's throughput."),
    WEIGHTS: (
        "too inaccurate",
        "It loses 3.1 points (2.2 to 4.0), more than the 1 point that is acceptable.",
    ),
    HINT: ("slower", "0.356 times (0.34 to 0.37) of the winner's throughput."),
    F32: ("slower", "0.1 times the winner's throughput."),
    DEFAULT: ("slower", "0.154 times (0.15 to 0.16) of the winner's throughput."),
    BROKEN: ("failed", "The process that was measuring it ended with SIGKILL."),
    UNTRIED: ("not tried", "The budget was spent before its turn."),
}


def _standing(candidate):
    status, why = STATUSES[candidate]
    found = SPEEDS.get(candidate)
    best = SPEEDS[WINNER].throughput.value
    ratio = estimate(found.throughput.value / best) if found and candidate != WINNER else None
    return Standing(candidate, status, why, found, ratio, WINNER.name if ratio else "")


def _round(title, candidates, incumbent, **more):
    best = SPEEDS[incumbent].throughput.value
    return RaceRound(
        title,
        incumbent.name,
        41.5,
        36,
        0.013,
        {c.name: SPEEDS[c] for c in candidates},
        {c.name: estimate(SPEEDS[c].throughput.value / best) for c in candidates if c != incumbent},
        **more,
    )


def _quality(value, loss=None, kept="kept", *, proxy=False):
    return Quality(
        "agreement with the 32-bit model" if proxy else "top-1",
        proxy,
        Estimate(value, value - 0.011, value + 0.009, "share", 900, "made up"),
        None if loss is None else Estimate(loss, loss - 0.4, loss + 0.5, "points", 900, "made up"),
        1.0,
        kept,
    )


def _artifact(*, proxy=False):
    return (
        Artifact("f32", "run/f32.xml", 1.2, 102_400_000, _quality(1.0 if proxy else 0.801, proxy=proxy)),
        Artifact("default", "run/f32.xml", 0.0, 102_400_000, _quality(0.800, 0.1, proxy=proxy)),
        Artifact("int8", "run/int8.xml", 34.0, 26_100_000, _quality(0.797, 0.4, proxy=proxy)),
        Artifact(
            "int8_accuracy", "run/int8_accuracy.xml", 171.0, 31_000_000, _quality(0.799, 0.2, proxy=proxy)
        ),
        Artifact(
            "int4_weights",
            "run/int4_weights.xml",
            8.0,
            19_000_000,
            _quality(0.77, 3.1, "exceeded", proxy=proxy),
        ),
        Artifact("int8_weights", seconds=3.0, why_not="NNCF found no weights to compress in this model."),
    )


def _load(scale):
    rates = (50, 100, 200, 300, 400, 500)
    points = []
    for rate in rates:
        use = rate / scale
        if use > 1:
            points.append(LoadSample(rate, scale, {}, f"only {scale} of {rate} requests/s were completed"))
            continue
        base = 8 / (1.02 - use)
        points.append(
            LoadSample(
                rate,
                rate * 0.998,
                {
                    "p50": estimate(base, "ms", 0.05),
                    "p95": estimate(1.9 * base, "ms", 0.1),
                    "p99": estimate(2.8 * base, "ms", 0.2),
                },
            )
        )
    return tuple(points)


def _layers(scale, precision):
    names = ("conv1", "layer1.0.conv2", "layer2.0.downsample.0", "layer3.5.conv2", "layer4.2.conv3", "fc")
    return tuple(
        LayerTime(
            f"resnet50/{name}",
            "FullyConnected" if name == "fc" else "Convolution",
            "f32" if name == "fc" else precision,
            estimate(scale * (6 - index), "us", 0.06),
        )
        for index, name in enumerate(names)
    )


def verdict(id_, statement, outcome, reasons, page, results=None):
    source = Source(title="OpenVINO: page", url="page.html")
    return Verdict(id_, "optimize", statement, source, page, outcome, reasons, results or {})


VERDICTS = (
    verdict(
        "int8-is-faster",
        "An INT8 model is faster than the one it was made from.",
        "confirmed",
        ("int8.gain is 2.59 times (2.50 to 2.68), above 1.",),
        "optimize/ptq",
        {"int8.gain": Result(2.59, 2.5, 2.68, "ratio", 20, "median", "INT8 over f32", {"rounds": 20})},
    ),
    verdict(
        "throughput-hint-costs-latency",
        "The throughput hint answers more requests and makes each of them wait longer.",
        "inconclusive",
        ("hint.latency is 1.02 times (0.97 to 1.08), on both sides of 1.",),
        "deploy/hints",
    ),
    verdict("bf16-halves-the-time", "bf16 halves the time.", "not measurable here", ("No AMX.",), ""),
    verdict(
        "caching-helps",
        "A cache shortens the first inference.",
        "refuted",
        ("It takes 1.2 times as long.",),
        "",
    ),
)

RICH = Outcome(
    State(
        schema=SCHEMA,
        version="0.1.0",
        settings=Settings(
            "models/resnet50.onnx",
            data="photos/",
            limit=LatencyLimit(99, 50.0),
            goal="throughput",
            budget=900.0,
            shapes={"x": (1, 16)},
        ),
        subject=SubjectFacts(
            "resnet50",
            "ONNX",
            {"x": "float32 [1,16]"},
            "9f86d081884c7d659a2feaa0c55ad015",
            1800,
            300,
            900,
            True,
        ),
        machine=MACHINE,
        started="2026-11-24T12:30:34+00:00",
        finished="2026-11-24T12:44:51+00:00",
        seconds=857.0,
        ended="finished",
        artifacts=_artifact(),
        rounds=(
            _round("precisions", (DEFAULT, HINT, F32, RUNNER_UP, ACCURATE, WEIGHTS), RUNNER_UP),
            _round(
                "deployments",
                (RUNNER_UP, WINNER, SLOW),
                RUNNER_UP,
                failures={BROKEN.name: "The process that was measuring it ended with SIGKILL."},
            ),
            _round("confirmation", (WINNER, DEFAULT, HINT, F32), WINNER),
        ),
        framework="ONNX Runtime",
        load={WINNER.name: _load(480), DEFAULT.name: _load(105)},
        layers={"before": _layers(210, "f32"), "after": _layers(70, "i8")},
        first_inference={DEFAULT.name: estimate(412.0, "ms"), WINNER.name: estimate(655.0, "ms")},
        verdicts=VERDICTS,
    ),
    Decision(
        winner=WINNER.name,
        default=DEFAULT.name,
        hint=HINT.name,
        standings=tuple(_standing(candidate) for candidate in STATUSES),
        delivered={
            "default": estimate(6.49),
            "hint": estimate(2.81),
            "f32": estimate(9.92),
            "framework": estimate(8.2, spread=0.03),
        },
        summary=(
            "INT8 with 2 streams and batches of 4 answers 655 inputs/s within the limit, 6.49 times as many"
            " as OpenVINO's default.",
            "It loses 0.4 points of top-1 (0 to 0.9), within the acceptable 1 point.",
        ),
        speed_of_framework=speed(11.9, 80.0),
        met=True,
        warnings=("Other processes used 3 % of the CPU meanwhile.",),
    ),
)


def changed(outcome, **fields):
    """An outcome with other fields, whether of its state or of its decision."""
    of_state = {name: value for name, value in fields.items() if name in State.__dataclass_fields__}
    of_decision = {name: value for name, value in fields.items() if name not in of_state}
    return Outcome(replace(outcome.state, **of_state), replace(outcome.decision, **of_decision))


LATENCY = changed(
    RICH,
    settings=replace(RICH.state.settings, goal="latency", limit=None, data=None, shapes={}),
    artifacts=_artifact(proxy=True),
    subject=replace(RICH.state.subject, labelled=False),
    met=None,
)
"""Goal latency, no labels: quality is a proxy."""

_NONE = {
    "load": {},
    "layers": {},
    "first_inference": {},
    "verdicts": (),
    "framework": "",
    "speed_of_framework": None,
    "delivered": {},
    "warnings": (),
}

RANDOM = changed(
    LATENCY,
    subject=SubjectFacts("small", "OpenVINO IR", {"x": "float32 [1,16]"}),
    artifacts=tuple(replace(artifact, quality=None) for artifact in _artifact()),
)
"""Random data: nothing was judged."""

KEPT = changed(
    RICH,
    **_NONE
    | {
        "delivered": {"f32": estimate(1.52), "framework": estimate(0.99, spread=0.05)},
        "warnings": ("A budget of 20 s is too small for this model; give 5 minutes.",),
    },
    settings=Settings("small.xml", budget=20.0),
    winner=DEFAULT.name,
    standings=(
        Standing(DEFAULT, "winner", "Nothing was shown to be faster.", SPEEDS[DEFAULT]),
        Standing(
            HINT,
            "not distinguishable",
            "1.01 times (0.97 to 1.05) of the default's speed.",
            SPEEDS[HINT],
            Estimate(1.01, 0.97, 1.05, "ratio", 12, ""),
            DEFAULT.name,
        ),
        *(Standing(c, "not tried", "The budget was spent.") for c in (RUNNER_UP, WINNER, SLOW)),
    ),
    rounds=(),
    artifacts=_artifact()[:2],
    ended="budget spent",
    met=None,
    summary=("OpenVINO's default stays: the budget was too small to tell anything apart.",),
)
"""The default wins, most was not tried, and little is known."""

INTERRUPTED = changed(RICH, **_NONE, ended="interrupted", rounds=RICH.state.rounds[:1], met=None)
"""Ctrl-C after the first session."""

UNMET = changed(
    RICH,
    met=False,
    closest=RUNNER_UP.name,
    winner=DEFAULT.name,
    summary=("No configuration answers 99 of 100 requests within 50 ms.",),
)
"""Nothing keeps the latency limit."""

FAILED = changed(
    RICH,
    **_NONE,
    ended="failed",
    winner="",
    standings=(Standing(DEFAULT, "failed", "The process ended with SIGKILL."),),
    rounds=(),
    artifacts=(),
    met=None,
    summary=(),
    errors=("The model could not be measured in any configuration.",),
)
"""Nothing at all."""

OUTCOMES = {
    "rich": RICH,
    "latency": LATENCY,
    "random": RANDOM,
    "kept": KEPT,
    "interrupted": INTERRUPTED,
    "unmet": UNMET,
    "failed": FAILED,
}


def hostile():
    """:data:`RICH` with names that try to become HTML, Python or a command."""
    return changed(
        RICH,
        settings=replace(RICH.state.settings, model=f"{HOSTILE}.onnx", data=f"a 'b' {HOSTILE}", device="CPU"),
        subject=replace(RICH.state.subject, name=HOSTILE, inputs={HOSTILE: HOSTILE}, framework=HOSTILE),
        summary=(HOSTILE,),
        warnings=(HOSTILE,),
        errors=(HOSTILE,),
        framework=HOSTILE,
        layers={"before": (replace(RICH.state.layers["before"][0], name=HOSTILE, kind=HOSTILE),)},
        verdicts=(verdict(HOSTILE, HOSTILE, "confirmed", (HOSTILE,), HOSTILE),),
        standings=tuple(replace(s, why=HOSTILE) for s in RICH.decision.standings),
        machine=MACHINE | {"cpu": HOSTILE, "packages": {HOSTILE: HOSTILE}},
    )
