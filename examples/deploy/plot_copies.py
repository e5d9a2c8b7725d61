"""
Avoid copies of inputs and outputs between NumPy and OpenVINO
=============================================================

Learn which calls copy an array on its way into the model or out of it, what that
costs for small and for large arrays, and which arrays are always converted.

Explained in :doc:`/deploy/copies`. Install: ``pip install
"optguide[frameworks,models]"``.
"""

import numpy as np
import openvino as ov
from openvino import opset13 as ops

from optguide import Recording, Variant, measure
from optguide.guide import profiles

# %%
# A network that does almost nothing
# ----------------------------------
#
# One ReLU reads every number of its input once and writes as many. With one thread
# and 32-bit floats, little but the way of calling is left.


def compiled_for(x):
    parameter = ops.parameter(x.shape, np.float32, name="x")
    model = ov.Model([ops.relu(parameter)], [parameter], "relu")
    settings = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": 1}
    return ov.Core().compile_model(model, "CPU", settings)


def numbers(kibibytes):
    shape = (4, kibibytes * 64)
    return np.random.default_rng(0).standard_normal(shape, dtype=np.float32)


# %%
# What is shared
# --------------
#
# A compiled model takes the memory of an array as it is. The request remembers it,
# and a later call that copies its input copies it to there.

first, second = numbers(1), -numbers(1)
compiled = compiled_for(first)
compiled(first)  # shares the memory of `first`
compiled(second, share_inputs=False)  # copies into it
print("the first array now holds the second:", np.array_equal(first, second))

# %%
# Ways to call
# ------------
#
# A preset tensor is written once. To infer on new numbers, make them in there.


def call(way, kibibytes, change=np.asarray):
    compiled = compiled_for(numbers(kibibytes))
    request = compiled.create_infer_request()
    request.input_tensors[0].data[:] = numbers(kibibytes)
    x = change(numbers(kibibytes))
    return {
        "all_copied": lambda: compiled(x, share_inputs=False),
        "plain_call": lambda: compiled(x),
        "outputs_shared": lambda: compiled(x, share_outputs=True),
        "preset_tensor": lambda: request.infer(share_outputs=True),
        "request_infer": lambda: request.infer(x),
        "new_request": lambda: compiled.infer_new_request(x),
    }[way]


# %%
# Arrays that are not what the network takes are converted in every call: a view
# with exchanged axes, 64-bit floats, memory that must not be written to.

unfit = {
    "exchanged_axes": lambda x: np.ascontiguousarray(x.T).T,
    "in_64_bits": lambda x: x.astype(np.float64),
    "read_only": lambda x: np.frombuffer(x.tobytes(), x.dtype).reshape(x.shape),
}
ways = ("all_copied", "plain_call", "outputs_shared", "preset_tensor")
ways += ("request_infer", "new_request")
sizes = {"1_kib": 1, "8_mib": 8192}
calls = {f"{way}.{size}": (way, sizes[size]) for way in ways for size in sizes}
calls |= {f"{kind}.8_mib": ("plain_call", 8192, unfit[kind]) for kind in unfit}
variants = [
    Variant.from_function(name, lambda arguments=arguments: call(*arguments))
    for name, arguments in calls.items()
]
result = measure(variants, profiles.budget(0.7))

# %%
# Each way against the one before
# -------------------------------

record = Recording("deploy/copies", declares=("copies.*",))
for name in calls:
    record.values("copies", {f"{name}.latency": (result.latency(name), name)})
pairs = {
    "reused_over_new": ("new_request.1_kib", "plain_call.1_kib"),
    "preset_over_infer": ("request_infer.1_kib", "preset_tensor.1_kib"),
}
for kind in unfit:
    pairs[f"fit_over_{kind}"] = (f"{kind}.8_mib", "plain_call.8_mib")
for size in sizes:
    copied, plain, shared, preset = (f"{way}.{size}" for way in ways[:4])
    pairs[f"share_inputs.{size}"] = (copied, plain)
    pairs[f"share_outputs.{size}"] = (plain, shared)
    pairs[f"preset.{size}"] = (shared, preset)
text = "The way named first against the other, by the size of the input."
record.ratios("copies.gain", result, pairs, caption=text)
record.publish()
