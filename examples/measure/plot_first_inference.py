"""
Time a start, stage by stage, with and without model cache
==========================================================

Learn which stage makes the first answer of a program late: the import, reading the
model, compiling it, or the first call. And what IR and a model cache change.

Explained in :doc:`/measure/first-inference`. Install: ``pip install
"optguide[frameworks,models]"``.
"""

import shutil
import time

import numpy as np
import openvino as ov

from optguide import Recording, Variant, first_inference, plots
from optguide.guide import profiles, workloads
from optguide.paths import build_dir
from optguide.stats.comparison import paired

# %%
# The stages, by hand
# -------------------
#
# A clock read before and after each call is all it takes.

resnet50, core = workloads.resnet50(), ov.Core()
image = np.load(resnet50.inputs)["pixel_values"]

clock = [time.perf_counter()]
model = core.read_model(resnet50.ir)
clock.append(time.perf_counter())
compiled = core.compile_model(model, "CPU")
clock.append(time.perf_counter())
for _ in range(2):
    compiled(image)
    clock.append(time.perf_counter())
stages = ("read", "compile", "first", "second")
for stage, seconds in zip(stages, np.diff(clock), strict=True):
    print(f"{stage:8}{1e3 * seconds:8.1f} ms")

# %%
# The model cache
# ---------------
#
# With ``CACHE_DIR``, OpenVINO stores the compiled model in a folder and loads it
# from there the next time.

caches = build_dir() / "caches" / "first_inference"
shutil.rmtree(caches, ignore_errors=True)
for _ in range(2):
    start = time.perf_counter()
    settings = {"CACHE_DIR": caches / "filled"}
    compiled = core.compile_model(core.read_model(resnet50.ir), "CPU", settings)
    seconds = time.perf_counter() - start
    from_cache = compiled.get_property("LOADED_FROM_CACHE")
    print(f"{1e3 * seconds:8.1f} ms, from the cache: {from_cache}")

# %%
# Fresh processes
# ---------------
#
# This process is warm by now. :func:`optguide.first_inference` starts a new one
# each time, in shuffled order.

ir = Variant("IR", model=resnet50.ir, inputs=(resnet50.inputs,))
starts = {
    "ir": ir,
    "onnx": ir.with_("ONNX", model=resnet50.onnx),
    "ir_cached": ir.with_("IR, cached", cache_dir=str(caches / "filled")),
}
repeats = profiles.current().repeats
result = first_inference(list(starts.values()), repeats, steady=5)

# %%
# What each start took
# --------------------
#
# Ratios are paired: each start is held against the one of the same round.

record = Recording("measure/first_inference", declares=("start.*",))
parts = ("import", "read", "compile", "first")
record.starts("start", result, starts, (*parts, "total"))
pairs = {"ir": ("ONNX", "IR"), "cache_ir": ("IR", "IR, cached")}
for stage in ("compile", "total"):
    gains = {f"{gain}.{stage}": pair for gain, pair in pairs.items()}
    record.ratios("start.gain", result, gains, stage)
second, steady = result.values("IR", "second"), result.values("IR", "steady")
second_call = paired(second, steady, independent=True)
calls = {
    "warm_up.ir": (result.warm_up("IR"), "First call against a steady one"),
    "second.ir": (second_call, "Second call against a steady one"),
}
record.values("start", calls, above="longer")
rows = [
    (name, {p: result.estimate(name, p) for p in parts}, result.estimate(name))
    for name in result.runs
]
record.figure(
    "stages",
    lambda: plots.stages(rows, quantity="Time to the first result"),
    alt="Stacked bars, one per variant: import, read, compile, first inference.",
    caption="From a fresh process to the first result of ResNet-50: medians.",
)
record.publish()
