"""
Shorten a cold start: model cache, exported model, mapped weights
=================================================================

What an installed program can do about its start: a model cache, mapped or copied
weights, a compiled model that is shipped beside it, AUTO, and threads. Time and
memory are measured in fresh processes.

Explained in :doc:`/deploy/first-inference-deployed`. Install: ``pip install
"optguide[frameworks,models]"``.
"""

# %%
# Keeping what was compiled
# -------------------------
#
# The cache is a folder that OpenVINO looks after. ``CACHE_MODE`` says whether it
# stores the weights with the compiled graph, or goes on to take them from the
# model's own file.

import shutil

import numpy as np
import openvino as ov

from optguide import OpenVINO, Recording, Variant, first_inference, plots
from optguide.bench.cold_start import STAGES
from optguide.guide import profiles, workloads
from optguide.paths import build_dir

resnet50 = workloads.resnet50()
image = dict(np.load(resnet50.inputs))
core = ov.Core()
folder = build_dir() / "caches" / "first_inference_deployed"
shutil.rmtree(folder, ignore_errors=True)

sizes = {}
for mode in ("OPTIMIZE_SPEED", "OPTIMIZE_SIZE"):
    cache = {"CACHE_DIR": folder / mode, "CACHE_MODE": mode}
    core.compile_model(resnet50.ir, "CPU", cache)
    entry = (folder / mode).iterdir()
    sizes[mode.lower()] = sum(path.stat().st_size for path in entry)

# %%
# An exported model is a file that the program looks after. Importing it gives the
# same model, with the very same outputs:

compiled = core.compile_model(resnet50.ir, "CPU")
blob = folder / "resnet50.blob"
blob.write_bytes(compiled.export_model().getvalue())
sizes["export_model"] = blob.stat().st_size

print({name: f"{size / 1e6:.1f} MB" for name, size in sizes.items()})
imported = core.import_model(blob.read_bytes(), "CPU")
assert np.array_equal(imported(image)[0], compiled(image)[0])

# %%
# The file can also be mapped instead of copied. The compiled model then uses those
# pages for as long as it lives, and nothing in OpenVINO holds on to them: without
# ``content``, the next call crashes the process.

content = ov.Tensor(np.memmap(blob, np.uint8, mode="c"), shared_memory=True)
mapped = core.import_model(content, "CPU")
assert np.array_equal(mapped(image)[0], compiled(image)[0])

# %%
# Fresh processes
# ---------------
#
# All variants but the imported ones hand the path to ``compile_model``, so that
# reading is part of compiling. Two change the threads: all of them, or only those
# for compiling, by a property of its own.

plain = Variant(
    "plain", resnet50.ir, OpenVINO(single_call=True), (resnet50.inputs,)
)
copying = {"properties": {"ENABLE_MMAP": "NO"}}
speed = {"cache_dir": str(folder / "OPTIMIZE_SPEED")}
mode = {"CACHE_MODE": "OPTIMIZE_SIZE"}
size = {"cache_dir": str(folder / "OPTIMIZE_SIZE"), "properties": mode}
one_compiler = {"COMPILATION_NUM_THREADS": "1"}
exported = {"model": str(blob), "single_call": False}
ways = {
    "plain": plain,
    "copied": plain.with_("weights copied", **copying),
    "cached": plain.with_("cached", **speed),
    "imported": plain.with_("blob imported", **copying, **exported),
    "one_compiler": plain.with_("one compiler", properties=one_compiler),
    "small": plain.with_("cached without weights", **size),
    "mapped": plain.with_("blob mapped", **exported),
    "auto": plain.with_("AUTO", device="AUTO"),
    "one_thread": plain.with_("one inference thread", threads=1),
}
ways = ways if profiles.full() else dict(list(ways.items())[:5])
repeats = profiles.current().repeats
blobs = set(folder.rglob("*.blob"))
starts = first_inference(list(ways.values()), repeats, steady=1)
assert set(folder.rglob("*.blob")) == blobs, (
    "a cache was not found and filled again"
)

# %%
# What it came to
# ---------------
#
# Ratios are paired by round. Above one, the second variant of a pair is quicker, or
# needs less memory. Resident memory counts the pages of mapped files, which the
# system can drop, or share with another process that maps them. What belongs to no
# file is private. The two tell different stories about mapping.

record = Recording("deploy/first_inference_deployed", declares=("deployed.*",))
rows = [
    (name, {s: starts.estimate(name, s) for s in STAGES[:4]}, starts.estimate(name))
    for name in starts.runs
]
record.figure(
    "stages",
    lambda: plots.stages(rows, quantity="Time to the first result"),
    alt="Stacked bars, one per variant: import, read, compile, first inference.",
    caption="From a fresh process to the first result of ResNet-50. Where "
    "nothing is read, reading is part of compiling. The whisker is the "
    "interval of the total.",
)
record.starts("deployed", starts, ways, ("load", "total", "peak", "private"))
pairs = {
    "mapping": ("copied", "plain"),
    "cache": ("plain", "cached"),
    "importing": ("plain", "imported"),
    "cache_mode": ("small", "cached"),
    "mapped_blob": ("plain", "mapped"),
    "auto": ("plain", "auto"),
    "threads": ("one_thread", "plain"),
    "compilation_threads": ("one_compiler", "plain"),
}
for gain, (before, after) in pairs.items():
    if {before, after} <= ways.keys():
        for stage in ("load", "total"):
            pair = {f"{gain}.{stage}": (ways[before], ways[after])}
            record.ratios("deployed.gain", starts, pair, stage)
for kind in ("peak", "private"):
    pair = {kind: (ways["copied"], plain)}
    record.ratios("deployed.saved", starts, pair, kind, above="smaller")
for name, size in sizes.items():
    record.values("deployed.size", {name: (size, "bytes", f"{name}: size on disk")})
share = sizes["optimize_size"] / sizes["optimize_speed"]
ratio = {"ratio": (share, "ratio", "OPTIMIZE_SIZE against OPTIMIZE_SPEED")}
record.values("deployed.size", ratio, above="larger")
left_out = ("small", "mapped", "auto", "one_thread", "gain")
profiles.full_only(record, *(f"deployed.{part}.*" for part in left_out))
record.publish()
