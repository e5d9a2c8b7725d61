"""
Compare OpenVINO with PyTorch, ONNX Runtime and TensorFlow
==========================================================

The same ResNet-50 in PyTorch, ONNX Runtime, TensorFlow and OpenVINO, with the same
weights, input, threads and precision. The outputs are compared first, and then all
of them take turns in one session.

Explained in :doc:`/measure/frameworks`. Install: ``pip install
"optguide[frameworks,models]"``.
"""

# %%
# The same result in each runtime
# -------------------------------
#
# A comparison is worth nothing if one side computes something else. PyTorch comes
# first, since the weights are its own.

import numpy as np
import onnxruntime
import openvino as ov
import torch

from optguide import (
    ONNXRuntime,
    OpenVINO,
    PyTorch,
    Recording,
    TensorFlow,
    Variant,
    measure,
    plots,
)
from optguide.guide import environments, profiles, workloads
from optguide.guide.workloads.resnet50 import build
from optguide.paths import build_dir

resnet50 = workloads.resnet50()
pixels = np.load(resnet50.inputs)["pixel_values"]

module = build()
with torch.inference_mode():
    expected = module(torch.from_numpy(pixels)).numpy()

# %%
# ONNX Runtime takes the same network as ONNX:

session = onnxruntime.InferenceSession(resnet50.onnx)
logits = session.run(None, {session.get_inputs()[0].name: pixels})[0]
difference = np.abs(logits - expected).max() / np.abs(expected).max()
print(f"ONNX Runtime: {difference:.1e} of the largest output")

# %%
# OpenVINO follows, once pinned to 32-bit floats and once as it is by default. Where
# a processor computes with 16-bit floats, the default is to use them. That is a
# different precision from the frameworks', so the default stands beside the pinned
# variant and never in its place.

core = ov.Core()
for settings in ({"INFERENCE_PRECISION_HINT": "f32"}, {}):
    compiled = core.compile_model(resnet50.ir, "CPU", settings)
    precision = compiled.get_property("INFERENCE_PRECISION_HINT").get_type_name()
    difference = (
        np.abs(compiled(pixels)[0] - expected).max() / np.abs(expected).max()
    )
    print(f"OpenVINO, {precision}: {difference:.1e}")

# %%
# Threads are the other half of a fair comparison: each runtime has its own way to
# say how many, and its own default. Here everyone gets as many as OpenVINO takes by
# itself.

threads = compiled.get_property("INFERENCE_NUM_THREADS")
torch.set_num_threads(threads)

# %%
# The variants
# ------------
#
# ``torch.compile`` keeps its kernels in the build folder, so that only the first
# run waits for the C++ compiler. TensorFlow and an older OpenVINO live in
# environments of their own. The older release gets the ONNX file, since it need not
# be able to read an IR that a newer one wrote.

inputs, f32 = (resnet50.inputs,), OpenVINO(precision="f32", threads=threads)
kernels = {"TORCHINDUCTOR_CACHE_DIR": str(build_dir() / "caches" / "inductor")}
eager = Variant("PyTorch eager", resnet50.torch, PyTorch(threads=threads), inputs)
from_onnx = Variant("OpenVINO from ONNX, f32", resnet50.onnx, f32, inputs)
from_ir = from_onnx.with_("OpenVINO, f32", model=resnet50.ir)
ort = ONNXRuntime(threads=threads)
runtimes = {
    "torch_eager": eager,
    "torch_compile": eager.with_(
        "torch.compile", compile=True, environment=kernels
    ),
    "onnxruntime": from_onnx.with_("ONNX Runtime", runtime=ort),
    "openvino_onnx": from_onnx,
    "openvino_f32": from_ir,
    "openvino_default": from_ir.with_("OpenVINO, default", precision=None),
}
record = Recording("measure/frameworks", declares=("frameworks.*",))
with record.attempt("frameworks.*old*"):
    python = str(environments.python_of("openvino-older"))
    runtimes["openvino_older"] = from_onnx.with_("older", interpreter=python)
with record.attempt("frameworks.*tensorflow*"):
    python = str(environments.python_of("tensorflow"))
    saved = workloads.resnet50_savedmodel().savedmodel
    own = TensorFlow(threads=threads)
    runtimes["tensorflow"] = Variant("TensorFlow", saved, own, inputs, python)

# %%
# One session
# -----------
#
# PyTorch eager, against which the others are held, takes part a second time: that
# ratio shows what a ratio of two equals looks like. The session also keeps each
# runtime's output for the same input, taken before anything is timed.

result = measure(runtimes.values(), profiles.budget(1.5), control=True)
record.session("frameworks", result, runtimes)
pairs = {
    "f32_over.torch_compile": ("torch_compile", "openvino_f32"),
    "f32_over.onnxruntime": ("onnxruntime", "openvino_f32"),
    "f32_over.tensorflow": ("tensorflow", "openvino_f32"),
    "default_over_f32": ("openvino_f32", "openvino_default"),
    "ir_over_onnx": ("openvino_onnx", "openvino_f32"),
    "new_over_old": ("openvino_older", "openvino_onnx"),
}
pairs |= {f"{part}.speedup": ("torch_eager", part) for part in list(runtimes)[1:]}
gains = {}
for key, (a, b) in pairs.items():
    if {a, b} <= runtimes.keys():
        pair = {key: (runtimes[a], runtimes[b])}
        gains |= record.ratios("frameworks", result, pair)
for part, runtime in runtimes.items():
    with record.attempt(f"frameworks.{part}.max_rel"):
        largest = result.agreement(eager.name, runtime.name).max_rel
        entry = (largest, "share", f"{runtime.name}: largest difference")
        record.values("frameworks", {f"{part}.max_rel": entry})
control = ("PyTorch eager again", result.control.ratio)
record.figure(
    "ratios",
    lambda: plots.ratios(list(gains.items()), control=control, quantity="Latency"),
    alt="Forest plot: the runtime named first against the other, and the control.",
    caption="Latency of the runtime named first. The band is PyTorch against "
    "itself.",
)
record.publish()
