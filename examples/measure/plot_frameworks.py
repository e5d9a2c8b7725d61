"""
OpenVINO, PyTorch, ONNX Runtime and TensorFlow side by side
===========================================================

The same ResNet-50 in PyTorch, ONNX Runtime, TensorFlow and OpenVINO, with the same weights, input, threads
and precision. The outputs are compared first, and then all of them take turns in one session.
"""

# %%
# The same result, twice
# ----------------------
#
# A comparison is worth nothing if one side computes something else. PyTorch comes first, since the weights
# are its own; OpenVINO follows, once pinned to 32-bit floats and once as it is by default.

from dataclasses import replace

import numpy as np
import openvino as ov
import torch

from optguide import ONNXRuntime, OpenVINO, PyTorch, Recording, TensorFlow, Variant, measure, plots
from optguide.errors import EnvironmentMissing
from optguide.format import quantity as in_words
from optguide.guide import environments, profiles, workloads
from optguide.guide.workloads.resnet50 import build
from optguide.machine import Machine
from optguide.paths import build_dir

resnet50 = workloads.resnet50()
pixels = np.load(resnet50.inputs)["pixel_values"]

module = build()
with torch.inference_mode():
    expected = module(torch.from_numpy(pixels)).numpy()

core = ov.Core()
for settings in ({"INFERENCE_PRECISION_HINT": "f32"}, {}):
    compiled = core.compile_model(resnet50.ir, "CPU", settings)
    logits = compiled(pixels)[0]
    difference = np.abs(logits - expected).max() / np.abs(expected).max()
    precision = compiled.get_property("INFERENCE_PRECISION_HINT").get_type_name()
    print(f"OpenVINO in {precision}: largest difference {difference:.1e} of the largest output")

# %%
# Where a processor computes with 16-bit floats, OpenVINO's default is to use them. That is a different
# precision from the frameworks', so the default stands beside the pinned variant and never in its place.
#
# The variants
# ------------
#
# Every runtime gets as many threads as there are cores. ``torch.compile`` keeps its kernels in the build
# folder, so that only the first run waits for the C++ compiler.

machine = Machine.current()
threads = max(1, int(min(machine.physical_cores or machine.logical_cores, machine.available_cores)))
inputs = (resnet50.inputs,)
inductor = {"TORCHINDUCTOR_CACHE_DIR": str(build_dir() / "caches" / "inductor")}

variants = [
    Variant("PyTorch eager", resnet50.torch, PyTorch(threads=threads), inputs),
    Variant(
        "torch.compile", resnet50.torch, PyTorch(compile=True, threads=threads), inputs, environment=inductor
    ),
    Variant("ONNX Runtime", resnet50.onnx, ONNXRuntime(threads=threads), inputs),
    Variant("OpenVINO, f32", resnet50.ir, OpenVINO(precision="f32", threads=threads), inputs),
    Variant("OpenVINO from ONNX, f32", resnet50.onnx, OpenVINO(precision="f32", threads=threads), inputs),
    Variant("OpenVINO, default", resnet50.ir, OpenVINO(threads=threads), inputs),
]

# %%
# TensorFlow and an older OpenVINO live in environments of their own, each under its own interpreter. The
# older release gets the ONNX file, since it need not be able to read an IR that a newer one wrote.

missing: dict[str, str] = {}
try:
    python = environments.python_of("openvino-older")
    older = OpenVINO(precision="f32", threads=threads)
    name = "Older OpenVINO from ONNX, f32"
    variants.append(Variant(name, resnet50.onnx, older, inputs, interpreter=str(python)))
except EnvironmentMissing as error:
    missing["Older OpenVINO from ONNX, f32"] = str(error)
try:
    python = environments.python_of("tensorflow")
    saved = workloads.resnet50_savedmodel().savedmodel
    variants.append(
        Variant("TensorFlow", saved, TensorFlow(threads=threads), inputs, interpreter=str(python))
    )
except EnvironmentMissing as error:
    missing["TensorFlow"] = str(error)

# %%
# One session
# -----------
#
# There are many variants, so they share twice the usual budget. PyTorch eager, against which the others are
# held, takes part a second time: that ratio shows what a ratio of two equals looks like.

budget = profiles.current().budget
result = measure(
    variants, replace(budget, seconds=1.5 * budget.seconds), control=True, label="ResNet-50 in every runtime"
)
missing |= {name: error.message for name, error in result.failures.items()}
for name, reason in missing.items():
    print(f"{name} is left out. {reason}")

# %%
# Outputs
# -------
#
# The session kept each runtime's output for the same input, taken before anything was timed.

parts = {
    "PyTorch eager": "torch_eager",
    "torch.compile": "torch_compile",
    "ONNX Runtime": "onnxruntime",
    "TensorFlow": "tensorflow",
    "Older OpenVINO from ONNX, f32": "openvino_older",
    "OpenVINO from ONNX, f32": "openvino_onnx",
    "OpenVINO, f32": "openvino_f32",
    "OpenVINO, default": "openvino_default",
}
present = [name for name in parts if name not in missing]
rows = []
for name in present:
    series, agreement = result.series[name], result.agreement("PyTorch eager", name)
    version = ", ".join(text.partition("-")[0] for text in series.versions.values())
    precision = series.effective.get("INFERENCE_PRECISION_HINT", "f32")
    difference = in_words(agreement.max_rel, "share")
    rows.append((name, version, precision, difference, f"{agreement.cosine:.6f}"))

record = Recording("measure/frameworks", declares=("frameworks.*",))
record.table(
    "outputs",
    ("Runtime", "Version", "Precision", "Largest difference", "Cosine"),
    rows,
    caption="Outputs beside PyTorch's: largest difference as a share of the largest output, and cosine.",
)

# %%
# Latency and ratios
# ------------------

record.add_session("frameworks", result, names={name: parts[name] for name in present})
for name, part in parts.items():
    if name in missing:
        for quantity in ("latency.p50", "throughput", "cpu_time", "max_rel"):
            record.unavailable(f"frameworks.{part}.{quantity}", missing[name])
    else:
        largest = result.agreement("PyTorch eager", name).max_rel
        record.add_value(f"frameworks.{part}.max_rel", largest, "share", label=f"{name}: largest difference")

ratios = {f"{parts[name]}.speedup": ("PyTorch eager", name) for name in list(parts)[1:]}
ratios |= {f"f32_over.{parts[name]}": (name, "OpenVINO, f32") for name in list(parts)[1:4]}
ratios |= {
    "default_over_f32": ("OpenVINO, f32", "OpenVINO, default"),
    "ir_over_onnx": ("OpenVINO from ONNX, f32", "OpenVINO, f32"),
    "new_over_old": ("Older OpenVINO from ONNX, f32", "OpenVINO from ONNX, f32"),
}
for suffix, pair in ratios.items():
    absent = [missing[name] for name in pair if name in missing]
    if absent:
        record.unavailable(f"frameworks.{suffix}", absent[0])
    else:
        record.add_comparison(f"frameworks.{suffix}", result.compare(*pair))

# %%
# Latency with one inference at a time, and how it relates to PyTorch eager:

record.figure(
    "latency",
    lambda: plots.bars([(name, result.latency(name)) for name in present], "ms", reference="PyTorch eager"),
    alt="One bar per runtime: median latency of ResNet-50 with its interval, PyTorch eager as reference.",
    caption=f"Median latency of {resnet50.title}, one image at a time, {threads} threads. "
    "OpenVINO's default is in the precision it chose itself, all others are in 32-bit floats.",
)

record.figure(
    "ratios",
    lambda: plots.ratios(
        [(name, result.compare("PyTorch eager", name).ratio) for name in present[1:]],
        control=result.control and ("PyTorch eager again", result.control.ratio),
        quantity="Latency",
    ),
    alt="Forest plot: each runtime's speed-up on PyTorch eager with its interval, and the control.",
    caption="Each runtime against PyTorch eager. The band is the control: PyTorch eager held against itself.",
)

# %%
# Everything with its interval:

record.publish()
