"""
Time a start, stage by stage
============================

Between the start of a program and its first result lie the import, reading the model, compiling it, and the
first call. This example times each stage in fresh processes, for IR and ONNX, with and without model cache.
"""

# %%
# The stages, by hand
# -------------------
#
# A clock read before and after each call is all it takes. ``read_model`` loads the graph, ``compile_model``
# prepares it for the device, and the first call still has memory to touch for the first time.

import shutil
import time

import numpy as np
import openvino as ov

from optguide import Recording, Variant, first_inference, plots
from optguide.bench.cold_start import STAGES
from optguide.guide import profiles, workloads
from optguide.paths import build_dir

resnet50 = workloads.resnet50()
image = dict(np.load(resnet50.inputs))
core = ov.Core()

clock = [time.perf_counter()]
model = core.read_model(resnet50.ir)
clock.append(time.perf_counter())
compiled = core.compile_model(model, "CPU")
clock.append(time.perf_counter())
for _ in range(2):
    compiled(image)
    clock.append(time.perf_counter())

for stage, seconds in zip(("read", "compile", "first", "second"), np.diff(clock), strict=True):
    print(f"{stage:8}{1e3 * seconds:8.1f} ms")

# %%
# One run says little: whatever this process did before has warmed something up, the import above all. A start
# can only be measured in a process that has just been started, and then again in the next one.
#
# The model cache
# ---------------
#
# With ``CACHE_DIR``, OpenVINO stores the compiled model in a folder and loads it from there the next time.
# ``compile_model`` also takes the path of a model; where the cache has it, the file is then not read at all.

caches = build_dir() / "caches" / "first_inference"
shutil.rmtree(caches, ignore_errors=True)

for _ in range(2):
    start = time.perf_counter()
    compiled = core.compile_model(resnet50.ir, "CPU", {"CACHE_DIR": caches / "by-hand"})
    seconds = time.perf_counter() - start
    print(f"{1e3 * seconds:8.1f} ms, loaded from the cache: {compiled.get_property('LOADED_FROM_CACHE')}")

# %%
# Fresh processes
# ---------------
#
# Each variant is a state that a program can find when it starts. :func:`optguide.first_inference` starts them
# in shuffled order, several times, always in a new process. The cache of ``IR, cache empty`` is emptied ahead
# of each of its runs; the caches of the others are filled by a start that is not counted.

ir = Variant("IR", model=resnet50.ir, inputs=(resnet50.inputs,))
onnx = ir.with_("ONNX", model=str(resnet50.onnx))
filling = ir.with_("IR, cache empty", cache_dir=str(caches / "filling"))
cached = [
    ir.with_("IR, cached", cache_dir=str(caches / "ir")),
    onnx.with_("ONNX, cached", cache_dir=str(caches / "onnx")),
    onnx.with_("ONNX, cached, single call", cache_dir=str(caches / "single"), single_call=True),
]


def empty_cache(variant: Variant) -> None:
    if variant.name == filling.name:
        shutil.rmtree(filling.openvino.cache_dir, ignore_errors=True)


first_inference(cached, 1, label="filling the caches")
blobs = set(caches.rglob("*.blob"))

variants = [ir, onnx, filling, *cached]
starts = first_inference(variants, profiles.current().repeats, steady=5, before=empty_cache)

# %%
# A cache that was found gets no new file. Only the one that is emptied may have been filled meanwhile:

assert {blob.parent.name for blob in set(caches.rglob("*.blob")) - blobs} == {"filling"}

# %%
# What it comes to
# ----------------
#
# The total is everything up to the first result. Ratios are paired: each start is held against the one of the
# same round, and above one says that the variant named first is quicker.

parts = {
    "IR": "ir",
    "ONNX": "onnx",
    "IR, cache empty": "ir_filling",
    "IR, cached": "ir_cached",
    "ONNX, cached": "onnx_cached",
    "ONNX, cached, single call": "onnx_single",
}
record = Recording(
    "measure/first_inference",
    declares=[f"start.{part}.*" for part in parts.values()] + ["start.gain.*", "start.warm_up.*"],
)
for variant in variants:
    evidence = {"variant": variant.to_dict(evidence=True)}
    for stage in (*STAGES, "total"):
        record.add(
            f"start.{parts[variant.name]}.{stage}",
            starts.estimate(variant.name, stage),
            label=f"{variant.name}: {stage}",
            evidence=evidence,
        )

gains = {
    "ir": ("ONNX", "IR"),
    "no_filling": ("IR, cache empty", "IR"),
    "cache_ir": ("IR", "IR, cached"),
    "cache_onnx": ("ONNX", "ONNX, cached"),
    "single_call": ("ONNX, cached", "ONNX, cached, single call"),
}
for name, (slower, quicker) in gains.items():
    ratio = starts.compare(slower, quicker)
    record.add_comparison(
        f"start.gain.{name}.total", ratio, label=f"{quicker} against {slower}: first inference"
    )
    if name.startswith("cache"):
        ratio = starts.compare(slower, quicker, "compile")
        record.add_comparison(
            f"start.gain.{name}.compile", ratio, label=f"{quicker} against {slower}: compiling"
        )
for name in ("IR", "ONNX"):
    label = f"{name}: first call against a steady one"
    record.add(f"start.warm_up.{parts[name]}", starts.warm_up(name), label=label, above="longer")

# %%
# Stage by stage, and the ratios of the totals:

rows = [
    (name, {stage: starts.estimate(name, stage) for stage in STAGES[:4]}, starts.estimate(name))
    for name in parts
]
record.figure(
    "stages",
    lambda: plots.stages(rows, quantity="Time to the first result"),
    alt="Stacked bars, one per variant: import, read, compile, first inference, and the total's interval.",
    caption=f"From a fresh process to the first result of {resnet50.title}. Stages are medians; the whisker "
    "is the interval of the total.",
)
record.figure(
    "ratios",
    lambda: plots.ratios(
        [(f"{b} against {a}", starts.compare(a, b).ratio) for a, b in gains.values()],
        quantity="First inference",
    ),
    alt="Forest plot of five ratios of the time to the first result, each with its interval, around 1.",
    caption="Time to the first result: the variant named first against the other.",
)

# %%
# Everything with its interval:

record.publish()
