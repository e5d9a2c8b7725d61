"""
Divide a model between devices with HETERO
==========================================

You learn how to see which device gets which layer, how to decide that yourself, and
what each cut costs.

Explained in :doc:`/deploy/device-combinations`. Install: ``pip install
"optguide[frameworks,models]"``.
"""

# %%
# Who runs which layer
# --------------------
#
# HETERO gives every layer to the first device of its list that supports it.
# ``query_model`` asks for that assignment without compiling.

from collections import Counter

import numpy as np
import openvino as ov

from optguide import Recording, Variant, measure
from optguide.guide import profiles, workloads
from optguide.guide.unavailable import measurable

core = ov.Core()
resnet50, tiny = workloads.resnet50(), workloads.tiny()
model = core.read_model(resnet50.ir)
print("layers by device:", Counter(core.query_model(model, "HETERO:CPU").values()))

# %%
# Decide it yourself
# ------------------
#
# The attribute ``affinity`` assigns a layer. A cut takes two devices, and AUTO may
# be one of them: so the price of cuts can be measured with nothing but a CPU. Here
# CPU and AUTO take turns, an eighth of the layers each.


def in_pieces():
    core = ov.Core()
    model = core.read_model(resnet50.ir)
    layers = model.get_ordered_ops()
    for place, layer in enumerate(layers):
        device = ("CPU", "AUTO")[place * 8 // len(layers) % 2]
        layer.get_rt_info()["affinity"] = device
    return core.compile_model(model, "HETERO")


def call():
    compiled, image = in_pieces(), dict(np.load(resnet50.inputs))
    return lambda: compiled(image)


pieces = in_pieces().get_property("HETERO_NUMBER_OF_SUBMODELS")
print("pieces:", pieces)

# %%
# What HETERO costs
# -----------------
#
# With a single device there is nothing to divide, and HETERO itself is left: around
# ResNet-50, and around a network so small that it shows. With a GPU, the layers
# that it supports go there, or the model is cut by the memory of the devices.

by_memory = {"MODEL_DISTRIBUTION_POLICY": "PIPELINE_PARALLEL"}
cpu = Variant("CPU", resnet50.ir, inputs=(resnet50.inputs,))
devices = {
    "cpu": cpu,
    "hetero": cpu.with_("HETERO:CPU", device="HETERO:CPU"),
    "gpu": cpu.with_("GPU", device="GPU"),
    "hetero_gpu": cpu.with_("HETERO:GPU,CPU", device="HETERO:GPU,CPU"),
    "pipeline_gpu": cpu.with_(
        "pipeline", device="HETERO:GPU,CPU", properties=by_memory
    ),
}
rows, reasons = measurable(devices, core.available_devices)
cut = Variant.from_function(f"in {pieces} pieces", call)
result = measure([*rows.values(), cut], profiles.budget(0.4))

small = Variant("CPU", tiny.ir, inputs=(tiny.inputs,))
behind = small.with_("HETERO:CPU", device="HETERO:CPU")
calls = measure([small, behind], profiles.budget(0.2))

# %%
# What it came to
# ---------------

record = Recording(
    "deploy/hetero", declares=("combine.cut.*", "combine.*.hetero_*")
)
pairs = {"cut.pieces_over_whole": ("HETERO:CPU", cut.name)}
pairs["one.hetero_over_cpu"] = ("CPU", "HETERO:CPU")
if "gpu" in rows:
    pairs["cut.hetero_gpu_over_gpu"] = ("GPU", "HETERO:GPU,CPU")
    pairs["cut.pipeline_gpu_over_gpu"] = ("GPU", "pipeline")
caption = "ResNet-50, one request at a time: behind HETERO, and in pieces."
record.ratios("combine", result, pairs, caption=caption)
pairs = {"small.hetero_over_cpu": ("CPU", "HETERO:CPU")}
record.ratios("combine", calls, pairs, title="tiny network")
record.values("combine.cut", {"pieces": (pieces, "pieces the model was cut into")})
record.session("combine.cut", result, {**rows, "in_pieces": cut})
for part, reason in reasons.items():
    record.unavailable(f"combine.cut.{part}*", reason)
record.publish()
