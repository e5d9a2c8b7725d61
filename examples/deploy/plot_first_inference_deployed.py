"""
Shorten a cold start: model cache, exported model, mapped weights
=================================================================

Learn what an installed program can do about its start: keep a model cache, or ship
a compiled model beside the program, and map weights instead of copying them.

Explained in :doc:`/deploy/first-inference-deployed`. Install: ``pip install
"optguide[frameworks,models]"``.
"""

import shutil

import numpy as np
import openvino as ov

from optguide import OpenVINO, Recording, Variant, first_inference, plots
from optguide.bench.cold_start import STAGES
from optguide.guide import profiles, workloads
from optguide.paths import build_dir

# %%
# A model cache
# -------------
#
# The cache is a folder that OpenVINO looks after. ``CACHE_MODE`` says whether an
# entry holds the weights, or leaves them in the model's own file.

resnet50, core = workloads.resnet50(), ov.Core()
image = np.load(resnet50.inputs)["pixel_values"]
folder = build_dir() / "caches" / "first_inference_deployed"
shutil.rmtree(folder, ignore_errors=True)

sizes = {}
for mode in ("OPTIMIZE_SPEED", "OPTIMIZE_SIZE"):
    settings = {"CACHE_DIR": folder / mode, "CACHE_MODE": mode}
    core.compile_model(resnet50.ir, "CPU", settings)
    entry = (folder / mode).iterdir()
    sizes[mode.lower()] = sum(path.stat().st_size for path in entry)

# %%
# An exported model
# -----------------
#
# The program looks after this file itself. Imported, it gives the very same
# outputs.

compiled = core.compile_model(resnet50.ir, "CPU")
blob = folder / "resnet50.blob"
blob.write_bytes(compiled.export_model().getvalue())
sizes["export_model"] = blob.stat().st_size
imported = core.import_model(blob.read_bytes(), "CPU")
assert np.array_equal(imported(image)[0], compiled(image)[0])

# %%
# It can also be mapped instead of copied. Keep ``content`` for as long as the model
# is in use: nothing in OpenVINO does, and without it the next call crashes the
# process.

content = ov.Tensor(np.memmap(blob, np.uint8, mode="c"), shared_memory=True)
mapped = core.import_model(content, "CPU")
assert np.array_equal(mapped(image)[0], compiled(image)[0])

# %%
# Starts in fresh processes
# -------------------------
#
# With ``single_call`` the path goes to ``compile_model``, so that a model in the
# cache is not read at all.

way = OpenVINO(single_call=True)
plain = Variant("plain", resnet50.ir, way, (resnet50.inputs,))
cached = plain.with_("cached", cache_dir=str(folder / "OPTIMIZE_SPEED"))
copying = {"properties": {"ENABLE_MMAP": "NO"}}
exported = plain.with_("imported", model=blob, single_call=False, **copying)
ways = {"plain": plain, "cached": cached, "imported": exported}
pairs = {"cache": (plain, cached), "importing": (plain, exported)}
if profiles.full():
    copied = plain.with_("copied", **copying)
    cache = {"cache_dir": str(folder / "OPTIMIZE_SIZE")}
    mode = {"CACHE_MODE": "OPTIMIZE_SIZE"}
    small = plain.with_("small", properties=mode, **cache)
    ways |= {"copied": copied, "small": small}
    pairs |= {"mapping": (copied, plain), "cache_mode": (small, cached)}
starts = first_inference(list(ways.values()), profiles.current().repeats, steady=1)

# %%
# Time and memory up to the first result
# --------------------------------------
#
# Resident memory counts pages of mapped files, which the system can drop or share.
# Private memory belongs to no file.

record = Recording("deploy/first_inference_deployed", declares=("deployed.*",))
record.starts("deployed", starts, ways, ("load", "total", "peak", "private"))
for stage in ("load", "total"):
    gains = {f"{gain}.{stage}": pair for gain, pair in pairs.items()}
    record.ratios("deployed.gain", starts, gains, stage)
for name, size in sizes.items():
    record.values("deployed.size", {name: (size, "bytes", f"{name}: size on disk")})
share = sizes["optimize_size"] / sizes["optimize_speed"]
entry = {"ratio": (share, "ratio", "OPTIMIZE_SIZE against OPTIMIZE_SPEED")}
record.values("deployed.size", entry, above="larger")
if profiles.full():
    for kind in ("peak", "private"):
        pair = {kind: (copied, plain)}
        record.ratios("deployed.saved", starts, pair, kind, above="smaller")
rows = [
    (name, {s: starts.estimate(name, s) for s in STAGES[:4]}, starts.estimate(name))
    for name in starts.runs
]
record.figure(
    "stages",
    lambda: plots.stages(rows, quantity="Time to the first result"),
    alt="Stacked bars, one per variant: import, read, compile, first inference.",
    caption="From a fresh process to the first result of ResNet-50.",
)
left_out = ("copied", "small", "saved", "gain.mapping", "gain.cache_mode")
profiles.full_only(record, *(f"deployed.{part}.*" for part in left_out))
record.publish()
