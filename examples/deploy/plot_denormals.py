"""
Treat denormal numbers as zero
==============================

You learn what denormal numbers cost your processor, what
``CPU_DENORMALS_OPTIMIZATION`` changes, and which other code it changes with it.

Explained in :doc:`/deploy/device-tuning`. Install: ``pip install
"optguide[frameworks,models]"``.
"""

# %%
# A setting of threads
# --------------------
#
# Floats nearer to zero than about 1.2e-38 are denormal, and many processors handle
# them slowly. The property sets two flags of the thread that calls
# ``compile_model``; threads that it starts later inherit them. So it also changes
# what this thread itself computes, in NumPy for example:

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import openvino as ov

from optguide import OpenVINO, Recording, Variant, measure
from optguide.guide import profiles, workloads
from optguide.paths import build_dir

tiny = workloads.tiny()
as_zero = {"CPU_DENORMALS_OPTIMIZATION": "YES"}


def product_after_compiling(properties):
    ov.Core().compile_model(tiny.ir, "CPU", properties)
    return np.float32(1e-38) * np.float32(0.1)


for properties in ({}, as_zero):
    with ThreadPoolExecutor(1) as thread:
        product = thread.submit(product_after_compiling, properties).result()
    print(properties or "default", "1e-38 * 0.1 =", product)

# %%
# Usual values, and denormal ones
# -------------------------------
#
# Four dense layers get a batch of 64: once of usual values, once with all rows but
# the first so small that every number on the way is denormal. f32 is pinned, since
# the dot products of bf16 treat denormals as zero anyway.

usual = np.random.default_rng(0).standard_normal((64, 256), dtype=np.float32)
denormal = usual.copy()
denormal[1:] *= 1e-39

folder = build_dir() / "caches" / "denormals"
folder.mkdir(parents=True, exist_ok=True)
np.savez(folder / "usual.npz", x=usual)
np.savez(folder / "denormal.npz", x=denormal)

runtime = OpenVINO(batch=64, precision="f32")
plain = Variant("usual", tiny.ir, runtime, (folder / "usual.npz",))
small = plain.with_("denormal", inputs=(folder / "denormal.npz",))
variants = {
    "usual": plain,
    "denormal": small,
    "zero": small.with_("denormal, as zero", properties=as_zero),
    "usual_zero": plain.with_("usual, as zero", properties=as_zero),
}
result = measure(variants.values(), profiles.budget(0.3))

# %%
# The outputs
# -----------
#
# A ReLU makes about half of them zero, the property nearly all that are denormal.

entries = {}
for part, variant in variants.items():
    zeros = float(np.mean(result.series[variant.name].outputs[0] == 0))
    entries[f"{part}.zeros"] = (zeros, "share", f"{variant.name}: zeros")
    print(f"{variant.name}: {zeros:.0%} of the outputs are zero")
apart = result.agreement("usual", "usual, as zero").max_rel
entries["apart"] = (apart, "share", "usual values, as zero")

# %%
# What it came to
# ---------------

record = Recording("deploy/denormals", declares=("tuning.denormals.*",))
pairs = {
    "usual_over_denormal": ("denormal", "usual"),
    "zero_over_denormal": ("denormal", "denormal, as zero"),
    "usual_as_zero": ("usual", "usual, as zero"),
}
caption = "Four dense layers: the values named first against the others."
record.ratios("tuning.denormals", result, pairs, caption=caption)
record.session("tuning.denormals", result, variants)
record.values("tuning.denormals", entries)
record.publish()
