"""
Time an encoder whose weights are mostly zero
=============================================

Does a processor compute faster when nine of ten weights are zero? A sentence
encoder with dense and with sparse matrices, in 32-bit floats and in INT8, gives the
answer.

Explained in :doc:`/optimize/sparsity`. Install:
``pip install "optguide[frameworks,models]"``.
"""

import zlib
from pathlib import Path

import numpy as np

from optguide import OpenVINO, Recording, Variant, measure, plots
from optguide.guide import profiles, workloads
from optguide.guide.workloads import retrieval
from optguide.guide.workloads.minilm import tokenize
from optguide.machine import Machine

workloads.no_telemetry()

import nncf
import openvino as ov

# %%
# Set the smallest weights to zero
# --------------------------------
#
# The encoder has the matrix products for which the CPU plugin knows a sparse path.
# Accuracy is not the question here: :doc:`plot_sparsity` asks it. Dense and sparse
# models are quantized alike.


def zero_and_quantize(folder: Path, ratio: float) -> None:
    model = ov.Core().read_model(workloads.sentences().ir)
    for node in model.get_ops():
        constant = (
            node.input_value(1).get_node() if len(node.inputs()) > 1 else node
        )
        if (
            node.get_type_name() == "MatMul"
            and constant.get_type_name() == "Constant"
        ):
            weights = constant.get_data().copy()
            weights[np.abs(weights) < np.quantile(np.abs(weights), ratio)] = 0
            sparse = ov.opset13.constant(weights)
            node.input(1).replace_source_output(sparse.output(0))
    ov.save_model(model, folder / "f32.xml", compress_to_fp16=False)

    texts = [tokenize(t, padding="max_length") for t in retrieval.calibration(20)]
    samples = [{name: tokens.numpy() for name, tokens in t.items()} for t in texts]
    transformer = nncf.ModelType.TRANSFORMER
    int8 = nncf.quantize(
        model, nncf.Dataset(samples), subset_size=20, model_type=transformer
    )
    ov.save_model(int8, folder / "int8.xml")
    packed = zlib.compress((folder / "f32.bin").read_bytes(), level=1)
    (folder / "zlib_bytes").write_text(str(len(packed)))


dense = workloads.cached_artifact(zero_and_quantize, ratio=0.0)
sparse = workloads.cached_artifact(zero_and_quantize, ratio=0.9)
record = Recording("optimize/sparse_speed", declares=("sparsity.s*",))

# %%
# Speed
# -----
#
# One property tells the plugin from which share of zeros on it may keep weights
# packed. Only processors with AMX have kernels for that. The first variant is also
# measured against itself: a difference no larger than that is noise.

f32 = OpenVINO(precision="f32")
packing = OpenVINO(properties={"CPU_SPARSE_WEIGHTS_DECOMPRESSION_RATE": "0.8"})
text = (workloads.sentences().inputs,)
variants = {
    "f32": Variant("f32, dense", dense / "f32.xml", f32, text),
    "f32_sparse": Variant("f32, 90 % zero", sparse / "f32.xml", f32, text),
    "int8": Variant("INT8, dense", dense / "int8.xml", inputs=text),
    "int8_sparse": Variant("INT8, 90 % zero", sparse / "int8.xml", inputs=text),
    "int8_packed": Variant(
        "INT8, 90 % zero, packed", sparse / "int8.xml", packing, text
    ),
}
result = measure(
    list(variants.values()),
    profiles.budget(0.8),
    control=True,
    label="dense and sparse",
)

# %%
# On disk zeros pay only once the file is packed too, which no runtime reads
# directly:

for folder in (dense, sparse):
    size, zipped = (folder / "f32.bin").stat().st_size, folder / "zlib_bytes"
    print(f"{size / 1e6:.0f} MB, {int(zipped.read_text()) / 1e6:.0f} MB packed")

# %%
# What is recorded:

record.session("sparsity.speed", result, variants)
record.ratios(
    "sparsity.speed.gain",
    result,
    {
        "f32": (variants["f32"], variants["f32_sparse"]),
        "int8": (variants["int8"], variants["int8_sparse"]),
    },
)
if Machine.current().supports("cpu:amx_int8"):
    pair = (variants["int8"], variants["int8_packed"])
    record.ratios("sparsity.speed.gain", result, {"packed": pair})
else:
    reason = "this processor has no AMX, which that path needs"
    record.unavailable("sparsity.speed.gain.packed", reason)
for part, folder in (("dense", dense), ("sparse", sparse)):
    size, zipped = (folder / "f32.bin").stat().st_size, folder / "zlib_bytes"
    sizes = {
        part: (size, "bytes", f"{part}: weights"),
        f"{part}_zip": (
            int(zipped.read_text()),
            "bytes",
            f"{part}: packed by zlib",
        ),
    }
    record.values("sparsity.size", sizes)
rows = [(one.name, result.latency(one.name)) for one in variants.values()]
record.figure(
    "speed",
    lambda: plots.bars(rows, "ms"),
    alt="Median latency of the encoder with dense and sparse weights.",
    caption="Median latency of one text of 128 tokens.",
)
record.publish()
