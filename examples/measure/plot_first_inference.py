"""
Time a start, stage by stage, with and without model cache
==========================================================

Between the start of a program and its first result lie the import, reading the
model, compiling it, and the first call. This example times each stage in fresh
processes, for IR and ONNX, with and without model cache.

Explained in :doc:`/measure/first-inference`. Install: ``pip install
"optguide[frameworks,models]"``.
"""

# %%
# The stages, by hand
# -------------------
#
# A clock read before and after each call is all it takes. ``read_model`` loads the
# graph, ``compile_model`` prepares it for the device, and the first call still has
# memory to touch for the first time.

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
for stage, seconds in zip(
    ("read", "compile", "first", "second"), np.diff(clock), strict=True
):
    print(f"{stage:8}{1e3 * seconds:8.1f} ms")

# %%
# One run says little: whatever this process did before has warmed something up, the
# import above all. A start can only be measured in a process that has just been
# started, and then again in the next one.
#
# The model cache
# ---------------
#
# With ``CACHE_DIR``, OpenVINO stores the compiled model in a folder and loads it
# from there the next time. ``compile_model`` also takes the path of a model; where
# the cache has it, the file is then not read at all.

caches = build_dir() / "caches" / "first_inference"
shutil.rmtree(caches, ignore_errors=True)
for _ in range(2):
    start = time.perf_counter()
    compiled = core.compile_model(
        resnet50.ir, "CPU", {"CACHE_DIR": caches / "by-hand"}
    )
    seconds = time.perf_counter() - start
    from_cache = compiled.get_property("LOADED_FROM_CACHE")
    print(f"{1e3 * seconds:8.1f} ms, from the cache: {from_cache}")

# %%
# Fresh processes
# ---------------
#
# Each variant is a state that a program can find when it starts.
# :func:`optguide.first_inference` starts them in shuffled order, several times,
# always in a new process. The cache of ``cache empty`` is emptied ahead of each of
# its runs; the caches of the others are filled by a start that is not counted.

ir = Variant("IR", model=resnet50.ir, inputs=(resnet50.inputs,))
onnx = ir.with_("ONNX", model=resnet50.onnx)
starts = {
    "ir": ir,
    "onnx": onnx,
    "ir_filling": ir.with_("IR, cache empty", cache_dir=str(caches / "filling")),
    "ir_cached": ir.with_("IR, cached", cache_dir=str(caches / "ir")),
    "onnx_cached": onnx.with_("ONNX, cached", cache_dir=str(caches / "onnx")),
}
starts["onnx_single"] = onnx.with_(
    "single call", cache_dir=str(caches / "one"), single_call=True
)


def empty_cache(variant):
    if variant is starts["ir_filling"]:
        shutil.rmtree(caches / "filling", ignore_errors=True)


first_inference(list(starts.values())[3:], 1)
blobs = set(caches.rglob("*.blob"))
repeats = profiles.current().repeats
result = first_inference(
    list(starts.values()), repeats, steady=5, before=empty_cache
)
added = {blob.parent.name for blob in set(caches.rglob("*.blob")) - blobs}
assert added == {"filling"}, added

# %%
# What it comes to
# ----------------
#
# The total is everything up to the first result. Ratios are paired: each start is
# held against the one of the same round, and above one says that the variant named
# first is quicker.

record = Recording("measure/first_inference", declares=("start.*",))
rows = [
    (name, {s: result.estimate(name, s) for s in STAGES[:4]}, result.estimate(name))
    for name in result.runs
]
record.figure(
    "stages",
    lambda: plots.stages(rows, quantity="Time to the first result"),
    alt="Stacked bars, one per variant: import, read, compile, first inference.",
    caption="From a fresh process to the first result of ResNet-50: medians.",
)
record.starts("start", result, starts, (*STAGES, "total"))
totals = {
    "ir.total": (onnx, ir),
    "no_filling.total": (starts["ir_filling"], ir),
    "cache_ir.total": (ir, starts["ir_cached"]),
    "cache_onnx.total": (onnx, starts["onnx_cached"]),
    "single_call.total": (starts["onnx_cached"], starts["onnx_single"]),
}
record.ratios("start.gain", result, totals, "total")
compiling = {
    f"{cache}.compile": totals[f"{cache}.total"]
    for cache in ("cache_ir", "cache_onnx")
}
record.ratios("start.gain", result, compiling, "compile")
steady = {
    name: (
        result.warm_up(starts[name].name),
        f"{name}: first call against a steady one",
    )
    for name in ("ir", "onnx")
}
record.values("start.warm_up", steady, above="longer")
record.publish()
