"""
Avoid copies of inputs and outputs between NumPy and OpenVINO
=============================================================

Between an array and a kernel there can be a copy of the input, and another one of
the output. This example runs a network that does almost nothing, on small and on
large inputs, to see what each way of calling it costs.

Explained in :doc:`/deploy/copies`. Install: ``pip install
"optguide[frameworks,models]"``.
"""

# %%
# What is shared
# --------------
#
# The network is one ReLU: it reads every number of its input once and writes as
# many. It gets one thread and 32-bit floats, so that nothing but the way of calling
# differs.

import weakref

import numpy as np
import openvino as ov
from openvino import opset13 as ops

from optguide import Recording, Variant, measure, plots
from optguide.guide import profiles


def compiled_for(x):
    parameter = ops.parameter(x.shape, np.float32, name="x")
    model = ov.Model([ops.relu(parameter)], [parameter], "relu")
    settings = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": 1}
    return ov.Core().compile_model(model, "CPU", settings)


def numbers(kibibytes):
    shape = (4, kibibytes * 64)
    return np.random.default_rng(0).standard_normal(shape, dtype=np.float32)


# %%
# A compiled model takes the memory of an array as it is. A request remembers the
# memory that was shared with it, and a later call that copies its input copies it
# to there: into the array of the first caller.

first, second = numbers(1), -numbers(1)
compiled = compiled_for(first)
compiled(first)  # shares the memory of `first`
compiled(second, share_inputs=False)  # copies to where the input of this request is
print("the first array now holds the second:", np.array_equal(first, second))

# %%
# A shared output is the memory of the request, and the next call writes to it. And
# a tensor set by hand keeps no array alive: what the request reads after this is
# whatever comes to lie there.

output = compiled(numbers(1), share_outputs=True)[0]
before = output.copy()
compiled(second, share_outputs=True)
print("the first output is as it was:", np.array_equal(output, before))

array = numbers(1)
request, alive = compiled.create_infer_request(), weakref.ref(array)
request.set_input_tensor(ov.Tensor(array, shared_memory=True))
del array
print("the array of a tensor set by hand lives:", alive() is not None)

# %%
# Ways of calling
# ---------------
#
# ``preset_tensor`` writes to the request's own memory once. To infer on new
# numbers, an application makes them there in the first place.


def call(way, kibibytes, change=np.asarray):
    x = numbers(kibibytes)
    compiled = compiled_for(x)
    request = compiled.create_infer_request()
    request.input_tensors[0].data[:] = x
    x = change(x)
    return {
        "all_copied": lambda: compiled(x, share_inputs=False),
        "plain_call": lambda: compiled(x),
        "outputs_shared": lambda: compiled(x, share_outputs=True),
        "preset_tensor": lambda: request.infer(share_outputs=True),
        "request_infer": lambda: request.infer(x),
        "new_request": lambda: compiled.infer_new_request(x),
    }[way]


# %%
# Arrays that are not what the network takes are accepted all the same, and
# converted in every call: a view with exchanged axes, 64-bit floats, memory that
# must not be written to. The quick profile leaves out the sizes between.

unfit = {
    "exchanged_axes": lambda x: np.ascontiguousarray(x.T).T,
    "in_64_bits": lambda x: x.astype(np.float64),
    "read_only": lambda x: np.frombuffer(x.tobytes(), x.dtype).reshape(x.shape),
}
sizes = {"1_kib": 1, "64_kib": 64, "512_kib": 512, "8_mib": 8192}
sizes = sizes if profiles.full() else {"1_kib": 1, "8_mib": 8192}
steps = ("all_copied", "plain_call", "outputs_shared", "preset_tensor")
calls = {
    f"{way}.{size}": (way, kib) for size, kib in sizes.items() for way in steps
}
calls |= {f"{way}.1_kib": (way, 1) for way in ("request_infer", "new_request")}
calls |= {f"{kind}.8_mib": ("plain_call", 8192, unfit[kind]) for kind in unfit}
variants = [
    Variant.from_function(name, lambda arguments=arguments: call(*arguments))
    for name, arguments in calls.items()
]
result = measure(variants, profiles.budget(0.7))

# %%
# What it comes to
# ----------------
#
# Ratios are of latency: above one, the way named first is faster. Each step is held
# against the one before it, for each size; arrays that do not fit against one that
# does.

record = Recording("deploy/copies", declares=("copies.*",))
changes = ("share_inputs", "share_outputs", "preset")
pairs = {
    f"{change}.{size}": (f"{before}.{size}", f"{after}.{size}")
    for size in sizes
    for change, before, after in zip(changes, steps, steps[1:], strict=False)
}
pairs["reused_over_new"] = ("new_request.1_kib", "plain_call.1_kib")
pairs["preset_over_infer"] = ("request_infer.1_kib", "preset_tensor.1_kib")
pairs |= {
    f"fit_over_{kind}": (f"{kind}.8_mib", "plain_call.8_mib") for kind in unfit
}
gains = record.ratios("copies.gain", result, pairs)
for name in calls:
    record.values(f"copies.{name}", {"latency": (result.latency(name), name)})
record.figure(
    "gains",
    lambda: plots.ratios(list(gains.items())),
    alt="Forest plot: how much faster each way of calling is than the one before.",
    caption="The way named first against the other, by the size of the input.",
)
profiles.full_only(record, "copies.*64_kib*", "copies.*512_kib*")
record.publish()
