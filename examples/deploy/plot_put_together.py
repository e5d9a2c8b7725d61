"""
Take a model from PyTorch to INT8 in throughput mode
====================================================

The best development step and the best deployment step, from PyTorch eager to the
end, for a convolutional network and a transformer. Four of the variants form the
square that tells whether the two ways to improve are independent.

Explained in :doc:`/deploy/put-together`. Install: ``pip install
"optguide[frameworks,models]"``.
"""

# %%
# Convert
# -------
#
# The model as PyTorch runs it, and the same one converted, in 32-bit floats. The
# weights stay as they are; OpenVINO then computes in the precision that the
# processor is best at, unless it is pinned.

import numpy as np
import openvino as ov
import torch

from optguide import OpenVINO, PyTorch, Recording, Variant, measure, plots
from optguide.guide import profiles, workloads
from optguide.guide.workloads.resnet50 import build

resnet50, resnet50_int8 = workloads.resnet50(), workloads.resnet50_int8()
image = np.load(resnet50.inputs)["pixel_values"]

module = build()
with torch.inference_mode():
    expected = module(torch.from_numpy(image)).numpy()

core = ov.Core()
model = ov.convert_model(module, example_input=torch.from_numpy(image))
pinned = core.compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
default = core.compile_model(model, "CPU")
for compiled in (pinned, default):
    precision = compiled.get_property("INFERENCE_PRECISION_HINT").get_type_name()
    difference = (
        np.abs(compiled(image)[0] - expected).max() / np.abs(expected).max()
    )
    print(f"{precision}: {difference:.1e} of the largest output")

# %%
# Quantize, and keep requests in flight
# -------------------------------------
#
# An 8-bit model, made by ``nncf.quantize`` as in
# :doc:`/optimize/post-training-quantization`, the THROUGHPUT hint, and as many
# requests in flight as the device calls optimal. That is all there is to write.

hint = {"PERFORMANCE_HINT": "THROUGHPUT"}
quantized = core.read_model(resnet50_int8.ir)
compiled = core.compile_model(quantized, "CPU", hint)
queue = ov.AsyncInferQueue(compiled)
latencies = []
queue.set_callback(lambda request, _: latencies.append(request.latency))
for _ in range(8):
    queue.start_async({0: image})
queue.wait_all()
print(f"at most {len(queue)} at a time, {np.median(latencies):.1f} ms each")

# %%
# Two models, five steps
# ----------------------
#
# Each step keeps what the one before it has done. The sixth variant is no step: it
# is the deployment step without the development step, the missing corner of the
# square.

sentences, sentences_int8 = workloads.sentences(), workloads.sentences_int8()


def steps(original, int8):
    eager = Variant("PyTorch eager", original.torch, PyTorch(), (original.inputs,))
    default = eager.with_(
        "default precision", model=original.ir, runtime=OpenVINO()
    )
    busy = {"properties": hint, "requests": 0}
    return {
        "eager": eager,
        "f32": default.with_("OpenVINO, f32", precision="f32"),
        "default": default,
        "int8": default.with_("INT8", model=int8.ir),
        "int8_throughput": default.with_("both", model=int8.ir, **busy),
        "default_throughput": default.with_("throughput mode", **busy),
    }


parts = {"resnet50": steps(resnet50, resnet50_int8)}
parts["sentences"] = steps(sentences, sentences_int8)
results = {
    name: measure(variants.values(), profiles.budget(0.8))
    for name, variants in parts.items()
}

# %%
# What each step brought
# ----------------------
#
# The gain of a step is its ratio to the step before, the total its ratio to PyTorch
# eager. Throughput is what all steps have in common. If the two ways to improve
# were independent, the gain of both would be the product of the single gains. The
# interaction is the one divided by the other: 1 where they multiply, less where
# each takes away from the other.

record = Recording("deploy/put_together", declares=("together.*",))
for name, result in results.items():
    topic, variants = f"together.{name}", parts[name]
    record.session(topic, result, variants)
    eager, f32, default, int8, both, deployed = variants.values()
    pairs = {
        "gain.f32": (eager, f32),
        "gain.default": (f32, default),
        "gain.int8": (default, int8),
        "gain.int8_throughput": (int8, both),
        "total": (eager, both),
        "square.development": (default, int8),
        "square.deployment": (default, deployed),
        "square.both": (default, both),
    }
    record.ratios(topic, result, pairs, "throughput")
    record.ratios(topic, result, {"total_latency": (eager, int8)})
    corners = (variant.name for variant in (default, int8, deployed, both))
    entry = (
        result.interaction(*corners),
        "gain of both over the product of the gains",
    )
    record.values(topic, {"square.interaction": entry})
    rows = [(eager.name, result.throughput(eager.name), None, None)]
    for before, after in (
        (eager, f32),
        (f32, default),
        (default, int8),
        (int8, both),
    ):
        gain = result.compare(before.name, after.name, "throughput").ratio
        total = result.compare(eager.name, after.name, "throughput").ratio
        rows.append((after.name, result.throughput(after.name), gain, total))
    record.figure(
        f"steps-{name}",
        lambda rows=rows: plots.steps(rows, quantity="Throughput"),
        alt=f"One bar per step for {name}: throughput, and the gain on the step "
        f"before.",
        caption=f"Throughput of {name} after each step, and the factors gained.",
    )
record.publish()
