"""
Compare OpenVINO with PyTorch, ONNX Runtime and TensorFlow
==========================================================

Learn to compare runtimes fairly: the same weights, input, threads and precision,
outputs checked before times, and all of them in turns.

Explained in :doc:`/measure/frameworks`. Install: ``pip install
"optguide[frameworks,models]"``.
"""

import numpy as np
import onnxruntime
import openvino as ov
import torch

import optguide
from optguide import Recording, Variant, measure
from optguide.guide import environments, profiles, workloads
from optguide.guide.workloads.resnet50 import build

# %%
# The same result in each runtime
# -------------------------------
#
# PyTorch comes first, since the weights are its own.

resnet50 = workloads.resnet50()
pixels = np.load(resnet50.inputs)["pixel_values"]
module = build()
with torch.inference_mode():
    expected = module(torch.from_numpy(pixels)).numpy()

# %%
# ONNX Runtime takes the same network as ONNX, OpenVINO as IR. Where a processor can
# compute with 16-bit floats, OpenVINO does so by default: pin f32 to compare.

session = onnxruntime.InferenceSession(resnet50.onnx)
core = ov.Core()
pinned = core.compile_model(resnet50.ir, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
default = core.compile_model(resnet50.ir, "CPU")
outputs = {
    "ONNX Runtime": session.run(None, {"pixel_values": pixels})[0],
    "OpenVINO, f32": pinned(pixels)[0],
    "OpenVINO, default": default(pixels)[0],
}
for name, output in outputs.items():
    difference = np.abs(output - expected).max() / np.abs(expected).max()
    print(f"{name}: {difference:.1e} of the largest output")

# %%
# The same threads
# ----------------
#
# Each runtime has its own default. Here all get as many as OpenVINO takes.

threads = pinned.get_property("INFERENCE_NUM_THREADS")
inputs = (resnet50.inputs,)
torch_eager = optguide.PyTorch(threads=threads)
ort = optguide.ONNXRuntime(threads=threads)
f32 = optguide.OpenVINO(threads=threads, precision="f32")
eager = Variant("PyTorch eager", resnet50.torch, torch_eager, inputs)
openvino = Variant("OpenVINO, f32", resnet50.ir, f32, inputs)
runtimes = {
    "torch_eager": eager,
    "onnxruntime": Variant("ONNX Runtime", resnet50.onnx, ort, inputs),
    "openvino_f32": openvino,
    "openvino_default": openvino.with_("OpenVINO, default", precision=None),
}
pairs = {
    "openvino_f32.speedup": ("PyTorch eager", "OpenVINO, f32"),
    "f32_over.onnxruntime": ("ONNX Runtime", "OpenVINO, f32"),
    "default_over_f32": ("OpenVINO, f32", "OpenVINO, default"),
}

# %%
# The full profile also has ``torch.compile``, and TensorFlow, which lives in an
# environment of its own.

record = Recording("measure/frameworks", declares=("frameworks.*",))
if profiles.full():
    from_onnx = openvino.with_("OpenVINO from ONNX, f32", model=resnet50.onnx)
    runtimes["openvino_onnx"] = from_onnx
    pairs["ir_over_onnx"] = (from_onnx, openvino)
    compiled = eager.with_("torch.compile", compile=True)
    runtimes["torch_compile"] = compiled
    pairs["f32_over.torch_compile"] = (compiled, openvino)
    with record.attempt("frameworks.*tensorflow*"):
        python = str(environments.python_of("tensorflow"))
        tf = optguide.TensorFlow(threads=threads)
        model = workloads.resnet50_savedmodel().savedmodel
        tensorflow = Variant("TensorFlow", model, tf, inputs, python)
        runtimes["tensorflow"] = tensorflow
        pairs["f32_over.tensorflow"] = (tensorflow, openvino)

# %%
# All in turns
# ------------
#
# The session also keeps each runtime's output for the same input.

result = measure(runtimes.values(), profiles.budget(1.5))
record.session("frameworks", result, runtimes)
caption = "Latency of the runtime named first against the other."
record.ratios("frameworks", result, pairs, caption=caption)
for part, runtime in runtimes.items():
    with record.attempt(f"frameworks.{part}.max_rel"):
        largest = result.agreement(eager.name, runtime.name).max_rel
        entry = (largest, "share", f"{runtime.name}: largest difference")
        record.values("frameworks", {f"{part}.max_rel": entry})
left_out = ("*compile*", "*tensorflow*", "*onnx.*", "*onnx")
profiles.full_only(record, *(f"frameworks.{pattern}" for pattern in left_out))
record.publish()
