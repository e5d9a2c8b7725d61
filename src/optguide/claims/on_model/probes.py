"""All probes, the most informative one first. Each compares in the way of the guide's example for it."""

from __future__ import annotations

import os
from collections.abc import Mapping

import numpy as np

from optguide.bench.streams import corners
from optguide.bench.variant import Variant
from optguide.claims.on_model.model import ModelUnderTest
from optguide.claims.on_model.probe import (
    ExactnessProbe,
    Probe,
    Ratio,
    SessionProbe,
    StartProbe,
    calling,
    on_the_cpu,
    unless,
)
from optguide.machine import Machine
from optguide.runtimes.inputs import from_files, save
from optguide.runtimes.onnxruntime import ONNXRuntime
from optguide.stats.estimate import MINIMUM_ROUNDS

BATCH = 4
LARGE = 2**20
"""Bytes of an input from which on the guide speaks of megabytes."""

THROUGHPUT = {"PERFORMANCE_HINT": "THROUGHPUT"}
_ABOUT_INT8 = unless(lambda model: model.int8 is not None, "There is no INT8 model to compare with.")
_ABOUT_LARGE = unless(
    lambda model: model.input_bytes >= LARGE,
    "It is about inputs of some megabytes, and these are smaller.",
)
_ABOUT_DYNAMIC = unless(lambda model: model.dynamic, "The model's shapes are static as they are.")


def _about_batches(model: ModelUnderTest) -> str:
    if model.batch != 1:
        return f"The model takes {model.batch} inputs at a time already."
    return on_the_cpu(model)


def _about_onnx(model: ModelUnderTest) -> str:
    if model.suffix != ".onnx":
        return "The model is no ONNX file, and ONNX Runtime reads no other."
    return on_the_cpu(model)


def _precisions(model: ModelUnderTest) -> Mapping[str, Variant]:
    plain = model.plain
    variants = {"default": plain.with_("default precision"), "f32": plain.with_("f32", precision="f32")}
    if model.int8 is not None:
        variants["int8"] = plain.with_("INT8", model=model.int8)
    return variants


def _hints(model: ModelUnderTest) -> Mapping[str, Variant]:
    hints: dict[str, tuple[str, Mapping[str, str]]] = {
        "none": ("calls without hint", {}),
        "latency": ("LATENCY calls", {"PERFORMANCE_HINT": "LATENCY"}),
        "throughput": ("THROUGHPUT calls", THROUGHPUT),
    }
    return {
        f"{call}.{hint}": model.plain.with_(
            f"{call}hronous {words}", properties=properties, requests=requests
        )
        for hint, (words, properties) in hints.items()
        for call, requests in (("sync", None), ("async", 0))
    }


def _requests(model: ModelUnderTest) -> Mapping[str, Variant]:
    optimal = max(2, model.requests)
    hint = model.plain.with_(f"{optimal} in flight", properties=THROUGHPUT, requests=optimal)
    configurations = corners(model.processors)
    streams = {
        role: hint.with_(configurations[role].name, properties=configurations[role].properties, requests=0)
        for role in ("per_processor", "past_streams")
    }
    pinning = {
        key: hint.with_(f"threads {key}", properties={**THROUGHPUT, "ENABLE_CPU_PINNING": value}, requests=0)
        for key, value in (("pinned", "YES"), ("unpinned", "NO"))
    }
    most = hint.with_(f"{4 * optimal} in flight", requests=4 * optimal)
    return {"optimal": hint, "fourfold": most, **streams, **pinning}


def _calls(model: ModelUnderTest) -> Mapping[str, Variant]:
    return {
        "infer": calling("infer", model.plain, model.batch),
        "wait": calling("start and wait", model.plain, model.batch, waiting=True),
        "copied": model.plain.with_("inputs copied", feed="copied"),
        "shared": model.plain.with_("inputs shared", feed="each"),
    }


def _batches(model: ModelUnderTest) -> Mapping[str, Variant]:
    plain, device = model.plain, f"BATCH:CPU({BATCH})"
    limit = {**THROUGHPUT, "PERFORMANCE_HINT_NUM_REQUESTS": str(BATCH)}
    return {
        "batch": plain.with_(f"batch of {BATCH}", batch=BATCH, inputs=_repeated(model)),
        "streams": plain.with_(f"{BATCH} on streams", properties=limit, requests=BATCH),
        "auto": plain.with_(device, device=device, requests=BATCH),
        "queue": plain.with_(f"{BATCH} in turn", requests=BATCH),
    }


def _repeated(model: ModelUnderTest) -> tuple[str, ...]:
    """The reader's inputs, each often enough to fill a batch; none where inputs are random."""
    files = []
    for number, arrays in enumerate(from_files(model.plain.inputs)):
        path = model.folder / f"batch_{number}.npz"
        if not path.exists():
            save(path, {n: np.repeat(a, BATCH, axis=0) if a.ndim else a for n, a in arrays.items()})
        files.append(os.fspath(path))
    return tuple(files)


def _behind_auto(model: ModelUnderTest) -> Mapping[str, Variant]:
    plain = model.plain
    several = {"properties": THROUGHPUT, "requests": 0}
    return {
        "one.cpu": plain.with_("one request on the CPU"),
        "one.auto": plain.with_("one request on AUTO", device="AUTO:CPU"),
        "several.cpu": plain.with_("several requests on the CPU", **several),
        "several.auto": plain.with_("several requests on AUTO", device="AUTO:CPU", **several),
    }


def _shapes(model: ModelUnderTest) -> Mapping[str, Variant]:
    dynamic = model.plain.with_("dynamic shapes", shapes={}, inputs=model.drawn[:1])
    return {"dynamic": dynamic, "static": dynamic.with_("static shapes", shapes=model.shapes)}


def _runtimes(model: ModelUnderTest) -> Mapping[str, Variant]:
    machine = Machine.current()
    threads = max(1, int(min(machine.physical_cores or machine.logical_cores, machine.available_cores)))
    plain = model.plain
    return {
        "openvino": plain.with_("OpenVINO, f32", precision="f32", threads=threads),
        "onnxruntime": Variant(
            "ONNX Runtime",
            runtime=ONNXRuntime(threads=threads, shapes=plain.openvino.shapes),
            model=plain.model,
            inputs=plain.inputs,
        ),
    }


def _starts(model: ModelUnderTest) -> dict[str, Variant]:
    plain = model.plain
    ir = plain if plain.model == model.ir else plain.with_("IR", model=model.ir)
    return {
        "plain": plain,
        "cached": plain.with_("model cache", cache_dir=str(model.folder / "cache")),
        "ir": ir,
        "copied": ir.with_("weights copied", properties={"ENABLE_MMAP": "NO"}),
    }


def _about_exactness(model: ModelUnderTest) -> str:
    """Another device, or too few inputs."""
    count = len(model.plain.inputs)
    if 0 < count < MINIMUM_ROUNDS:
        return f"It takes {MINIMUM_ROUNDS} sets of inputs to judge it, and this is {count}."
    return on_the_cpu(model)


def _of_hints(call: str, better: str, base: str) -> Ratio:
    quantity = "latency" if call == "sync" else "throughput"
    return Ratio(f"model.{call}.{better}_over_{base}", f"{call}.{better}", f"{call}.{base}", quantity)


ERROR = "model.default.error"

EXACTNESS = ExactnessProbe(
    "exactness", lambda _: {}, (Ratio(ERROR, "default", "f32", "error", _about_exactness),)
)

_IS_ONNX = unless(
    lambda model: model.suffix == ".onnx", "The model is no ONNX file, so no start converts one."
)


def _start(name: str, better: str, base: str, stage: str, label: str) -> Ratio:
    obstacle = _IS_ONNX if name == "ir_over_onnx" else lambda _: ""
    above = "longer" if better == base else "faster"  # one call against others of the same start
    return Ratio(f"model.start.{name}", better, base, stage, obstacle, label, above)


STARTS = StartProbe(
    "fresh processes",
    _starts,
    (
        _start("cached_over_compiled", "cached", "plain", "total", "model cache against compiling anew"),
        _start("mapped_over_copied", "ir", "copied", "load", "weights mapped against copied, loading"),
        _start("ir_over_onnx", "ir", "plain", "total", "IR against ONNX, first inference"),
        _start("first_over_steady", "plain", "plain", "first", "first call against steady ones"),
        _start("second_over_steady", "plain", "plain", "second", "second call against steady ones"),
    ),
)

PROBES: tuple[Probe, ...] = (
    SessionProbe(
        "precisions",
        _precisions,
        (
            Ratio("model.default_over_f32", "default", "f32", "latency", on_the_cpu),
            Ratio("model.int8_over_f32", "int8", "f32", "latency", _ABOUT_INT8),
            Ratio("model.int8_over_default", "int8", "default", "latency", _ABOUT_INT8),
        ),
    ),
    EXACTNESS,
    SessionProbe(
        "hints",
        _hints,
        (
            _of_hints("async", "throughput", "latency"),
            _of_hints("async", "none", "latency"),
            _of_hints("sync", "throughput", "latency"),
            _of_hints("sync", "none", "latency"),
            Ratio(
                "model.async_throughput_over_sync_latency", "async.throughput", "sync.latency", "throughput"
            ),
        ),
    ),
    SessionProbe(
        "shapes",
        _shapes,
        (Ratio("model.static_over_dynamic", "static", "dynamic", "latency", _ABOUT_DYNAMIC),),
    ),
    SessionProbe(
        "runtimes",
        _runtimes,
        (Ratio("model.f32_over_onnxruntime", "openvino", "onnxruntime", "latency", _about_onnx),),
    ),
    SessionProbe(
        "calls",
        _calls,
        (
            Ratio("model.calls.async_over_sync", "wait", "infer", "latency"),
            Ratio("model.calls.shared_over_copied", "shared", "copied", "latency", _ABOUT_LARGE),
        ),
    ),
    SessionProbe(
        "requests and threads",
        _requests,
        (
            Ratio("model.requests.beyond", "fourfold", "optimal", "throughput"),
            Ratio("model.requests.wait", "optimal", "fourfold", "latency"),
            Ratio("model.streams.more", "past_streams", "per_processor", "throughput", on_the_cpu),
            Ratio("model.pinned_over_unpinned", "pinned", "unpinned", "throughput", on_the_cpu),
        ),
    ),
    STARTS,
    SessionProbe(
        "batches",
        _batches,
        (
            Ratio("model.batch.streams_over_batch", "streams", "batch", "throughput", _about_batches),
            Ratio("model.batch.auto_over_queue", "auto", "queue", "throughput", _about_batches),
        ),
    ),
    SessionProbe(
        "AUTO",
        _behind_auto,
        (
            Ratio("model.auto.one_over_cpu", "one.auto", "one.cpu", "latency", on_the_cpu),
            Ratio("model.auto.several_over_cpu", "several.auto", "several.cpu", "throughput", on_the_cpu),
        ),
    ),
)
"""In the order in which time is given to them."""
