"""
Avoid copies of inputs and outputs
==================================

Between an array and a kernel there can be a copy of the input, and another one of the output. This example
runs a network that does almost nothing, on inputs of all sizes, to see what each way of calling it costs.
"""

# %%
# Who copies
# ----------
#
# A compiled model takes the memory of an array as it is, and a request copies it. Both copy the output. That
# is what their signatures say:

import inspect
import weakref
from dataclasses import replace

import numpy as np
import openvino as ov
from openvino import opset13 as ops

from optguide import Recording, Variant, measure, plots
from optguide.guide import profiles

for method in (ov.CompiledModel.__call__, ov.InferRequest.infer, ov.InferRequest.start_async):
    parameters = inspect.signature(method).parameters.values()
    flags = {each.name: each.default for each in parameters if each.name.startswith("share")}
    print(f"{method.__qualname__:25}", flags)

# %%
# The network is one ReLU: it reads every number of its input once and writes as many. It gets one thread and
# 32-bit floats, so that nothing but the way of calling differs.


def compiled_for(kibibytes):
    x = ops.parameter([4, kibibytes * 64], np.float32, name="x")
    settings = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": 1}
    return ov.Core().compile_model(ov.Model([ops.relu(x)], [x], "relu"), "CPU", settings)


def numbers(kibibytes, seed=0):
    return np.random.default_rng(seed).standard_normal((4, kibibytes * 64), dtype=np.float32)


# %%
# What is shared
# --------------
#
# Sharing has three edges. A request remembers the memory that was shared with it, and a later call that
# copies its input copies it to there: into the array of the first caller.

compiled, first, second = compiled_for(1), numbers(1), numbers(1, seed=1)
compiled(first)  # shares the memory of `first`
compiled(second, share_inputs=False)  # copies to where the input of this request is
print("the first array now holds the second:   ", np.array_equal(first, second))

# %%
# A shared output is the memory of the request, and the next call writes to it. And a tensor set by hand keeps
# no array alive: what the request reads after this is whatever comes to lie there.

output = compiled(numbers(1), share_outputs=True)[0]
before = output.copy()
compiled(second, share_outputs=True)
print("the first output is as it was:          ", np.array_equal(output, before))

array = numbers(1)
request, alive = compiled.create_infer_request(), weakref.ref(array)
request.set_input_tensor(ov.Tensor(array, shared_memory=True))
del array
print("the array of a tensor set by hand lives:", alive() is not None)

# %%
# Ways of calling
# ---------------
#
# Each takes a compiled model and an array, and returns the call to time. ``preset_tensor`` writes to the
# request's own memory once. To infer on new numbers, an application makes them there in the first place.


def all_copied(compiled, x):
    return lambda: compiled(x, share_inputs=False)


def plain_call(compiled, x):
    return lambda: compiled(x)


def outputs_shared(compiled, x):
    return lambda: compiled(x, share_outputs=True)


def preset_tensor(compiled, x):
    request = compiled.create_infer_request()
    request.input_tensors[0].data[:] = x
    return lambda: request.infer(share_outputs=True)


def request_infer(compiled, x):
    request = compiled.create_infer_request()
    return lambda: request.infer(x)


def new_request(compiled, x):
    return lambda: compiled.infer_new_request(x)


# %%
# Arrays that are not what the network takes are accepted all the same, and converted in every call: a view
# with exchanged axes, 64-bit floats, memory that must not be written to.

UNFIT = {
    "exchanged_axes": lambda x: np.ascontiguousarray(x.T).T,
    "in_64_bits": lambda x: x.astype(np.float64),
    "read_only": lambda x: np.frombuffer(x.tobytes(), x.dtype).reshape(x.shape),
}


def variant(name, style, kibibytes, change=lambda x: x):
    def make():
        x = change(numbers(kibibytes))
        call = style(compiled_for(kibibytes), x)
        assert np.array_equal(call()[0], np.maximum(x, 0))
        return call

    return Variant.from_function(name, make)


# %%
# One session
# -----------
#
# Four ways on every size, two more on the smallest, arrays that do not fit on the largest. The quick profile
# leaves out the sizes between.

SIZES = {"1_kib": 1, "64_kib": 64, "512_kib": 512, "8_mib": 8192}
full = profiles.current().name == "full"
measured = [size for size in SIZES if full or size in ("1_kib", "8_mib")]
styles = (all_copied, plain_call, outputs_shared, preset_tensor)

variants = [variant(f"{style.__name__}.{s}", style, SIZES[s]) for s in measured for style in styles]
variants += [variant(f"{style.__name__}.1_kib", style, 1) for style in (request_infer, new_request)]
variants += [variant(f"{name}.8_mib", plain_call, SIZES["8_mib"], change) for name, change in UNFIT.items()]
budget = profiles.current().budget
budget = replace(budget, seconds=0.7 * budget.seconds)
result = measure(variants, budget, label="copies of inputs and outputs")

# %%
# What it comes to
# ----------------
#
# Ratios are of latency: above one, the way named first is faster. Each step of a size is held against the one
# before it.

record = Recording("deploy/copies", declares=("copies.*",))
steps = {"share_inputs": styles[:2], "share_outputs": styles[1:3], "preset": styles[2:]}
pairs = {
    f"{step}.{s}": (f"{slow.__name__}.{s}", f"{fast.__name__}.{s}")
    for s in SIZES
    for step, (slow, fast) in steps.items()
}
pairs["reused_over_new"] = ("new_request.1_kib", "plain_call.1_kib")
pairs["preset_over_infer"] = ("request_infer.1_kib", "preset_tensor.1_kib")
pairs |= {f"fit_over_{name}": (f"{name}.8_mib", "plain_call.8_mib") for name in UNFIT}


def in_words(name):
    return name.replace(".", ", ").replace("_kib", " KiB").replace("_mib", " MiB").replace("_", " ")


for name in result.series:
    record.add(f"copies.{name}.latency", result.latency(name), label=f"{in_words(name)}: median latency")
gains = {}
for topic, (slow, fast) in pairs.items():
    if slow in result.series:
        gains[topic] = result.compare(slow, fast)
        label = f"{in_words(fast)} against {in_words(slow)}"
        record.add_comparison(f"copies.gain.{topic}", gains[topic], label=label)
for size in SIZES.keys() - set(measured):
    for identifier in (
        *(f"{s.__name__}.{size}.latency" for s in styles),
        *(f"gain.{s}.{size}" for s in steps),
    ):
        record.unavailable(f"copies.{identifier}", "the quick profile leaves this size out")

# %%
# What each step gains by size, and the price of arrays that do not fit:

titles = {"inputs shared": "share_inputs", "outputs shared": "share_outputs", "preset tensor": "preset"}
lines = {title: [(SIZES[s], gains[f"{step}.{s}"].ratio) for s in measured] for title, step in titles.items()}
record.figure(
    "sizes",
    lambda: plots.sweep(
        lines, x_label="Size of the input (KiB)", quantity="Faster than the step before", log_x=True
    ),
    alt="Three lines over the size of the input: how many times faster each step makes a call.",
    caption="How many times faster each step is than the one before: all copied, the input shared, the "
    "output shared too, and the tensor preset. The output is as large as the input.",
)
rows = [(in_words(name), result.latency(f"{name}.8_mib")) for name in ("plain_call", *UNFIT)]
record.figure(
    "unfit",
    lambda: plots.bars(rows, "ms", reference="plain call"),
    alt="One bar per kind of array: median latency of the same call with its interval.",
    caption="The same call with 8 MiB of contiguous 32-bit floats, and with arrays that are converted.",
)

# %%
# Everything with its interval:

record.publish()
