"""
Take a model from PyTorch to INT8 in throughput mode
====================================================

Learn what each step brings on the way from PyTorch eager to an 8-bit model with
several requests in flight, and whether the gains of model and deployment multiply.

Explained in :doc:`/deploy/put-together`. Install: ``pip install
"optguide[frameworks,models]"``.
"""

from itertools import pairwise

import numpy as np
import openvino as ov
import torch

from optguide import OpenVINO, PyTorch, Recording, Variant, measure, plots
from optguide.guide import profiles, workloads
from optguide.guide.workloads.resnet50 import build

# %%
# Convert
# -------
#
# The weights stay as they are. OpenVINO then computes in the precision that the
# processor is best at, unless another one is pinned.

resnet50, resnet50_int8 = workloads.resnet50(), workloads.resnet50_int8()
image = np.load(resnet50.inputs)["pixel_values"]
module = build()
with torch.inference_mode():
    expected = module(torch.from_numpy(image)).numpy()

core = ov.Core()
shape = [list(image.shape)]
model = ov.convert_model(module, example_input=torch.from_numpy(image), input=shape)
compiled = core.compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
difference = np.abs(compiled(image)[0] - expected).max() / np.abs(expected).max()
print(f"f32: {difference:.1e} of the largest output")

# %%
# Quantize, and keep requests in flight
# -------------------------------------
#
# An 8-bit model, made by ``nncf.quantize`` as in
# :doc:`/optimize/post-training-quantization`, the THROUGHPUT hint, and as many
# requests as the device calls optimal.

hint = {"PERFORMANCE_HINT": "THROUGHPUT"}
queue = ov.AsyncInferQueue(core.compile_model(resnet50_int8.ir, "CPU", hint))
latencies = []
queue.set_callback(lambda request, _: latencies.append(request.latency))
for _ in range(8):
    queue.start_async(image)
queue.wait_all()
print(f"at most {len(queue)} at a time, {np.median(latencies):.1f} ms each")

# %%
# The steps of two models
# -----------------------
#
# Each step keeps what the one before it has done. The last variant is the missing
# corner of a square: throughput mode without INT8.


def steps(original, int8):
    eager = Variant("PyTorch eager", original.torch, PyTorch(), (original.inputs,))
    default = eager.with_("default", model=original.ir, runtime=OpenVINO())
    busy = {"properties": hint, "requests": 0}
    return {
        "eager": eager,
        "f32": default.with_("OpenVINO, f32", precision="f32"),
        "default": default,
        "int8": default.with_("INT8", model=int8.ir),
        "int8_throughput": default.with_("both", model=int8.ir, **busy),
        "default_throughput": default.with_("throughput mode", **busy),
    }


sentences, sentences_int8 = workloads.sentences(), workloads.sentences_int8()
models = {
    "resnet50": steps(resnet50, resnet50_int8),
    "sentences": steps(sentences, sentences_int8),
}

# %%
# What each step brought
# ----------------------
#
# If the two ways to improve were independent, the gain of both would be the product
# of the single gains. Their interaction is 1 then, and less where each takes away
# from the other.

record = Recording("deploy/put_together", declares=("together.*",))
for name, variants in models.items():
    result = measure(variants.values(), profiles.budget(0.8))
    topic = f"together.{name}"
    record.session(topic, result, variants, title=name)
    pairs = {
        "total": ("PyTorch eager", "both"),
        "square.development": ("default", "INT8"),
        "square.deployment": ("default", "throughput mode"),
        "square.both": ("default", "both"),
    }
    record.ratios(topic, result, pairs, "throughput", title=name)
    pairs = {"total_latency": ("PyTorch eager", "INT8")}
    record.ratios(topic, result, pairs, title=name)
    interaction = result.interaction("default", "INT8", "throughput mode", "both")
    entry = (interaction, f"{name}: gain of both over the product of the gains")
    record.values(topic, {"square.interaction": entry})
    way = [variant.name for variant in variants.values()][:5]
    rows = [(way[0], result.throughput(way[0]), None, None)]
    for before, after in pairwise(way):
        gain = result.ratio(before, after, "throughput")
        total = result.ratio(way[0], after, "throughput")
        rows.append((after, result.throughput(after), gain, total))
    record.figure(
        f"steps-{name}",
        lambda rows=rows: plots.steps(rows, quantity="Throughput"),
        alt=f"One bar per step for {name}: throughput, and the gain of the step.",
        caption=f"Throughput of {name} after each step, and the factors gained.",
    )
record.publish()
