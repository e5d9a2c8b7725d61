"""
Time an encoder whose weights are mostly zero
=============================================

Whether a processor computes faster when nine of ten weights are zero: a sentence
encoder, dense and pruned, in 32-bit floats and in INT8.

Explained in :doc:`/optimize/sparsity`. Install:
``pip install "optguide[frameworks,models]"``.
"""

from pathlib import Path

from optguide import OpenVINO, Recording, Variant, measure, plots
from optguide.guide import profiles, workloads
from optguide.guide.workloads import minilm, retrieval
from optguide.machine import Machine

workloads.no_telemetry()

import nncf
import openvino as ov

# %%
# Set the smallest weights to zero
# --------------------------------
#
# The encoder has the matrix products for which the CPU plugin knows a sparse path.
# Accuracy is not the question here: :doc:`plot_sparsity` asks it. Dense and pruned
# models are quantized alike.


def prune_and_quantize(folder: Path, ratio: float) -> None:
    tokens = minilm.tokenize("A text of any length.", padding="max_length")
    module = minilm.build()
    if ratio:
        mode = nncf.PruneMode.UNSTRUCTURED_MAGNITUDE_LOCAL
        module = nncf.prune(module, mode, ratio=ratio, examples_inputs=tokens)
        zeros = nncf.StripFormat.IN_PLACE  # write the zeros into the weights
        module = nncf.strip(module, example_input=tokens, strip_format=zeros)
    shapes = [(name, [1, minilm.LENGTH]) for name in minilm.INPUTS]
    model = ov.convert_model(module, example_input=tokens, input=shapes)
    ov.save_model(model, folder / "f32.xml", compress_to_fp16=False)

    texts = retrieval.calibration(20)
    padded = [minilm.tokenize(text, padding="max_length") for text in texts]
    int8 = nncf.quantize(
        model,
        nncf.Dataset([dict(text) for text in padded]),
        subset_size=20,
        model_type=nncf.ModelType.TRANSFORMER,
    )
    ov.save_model(int8, folder / "int8.xml")


dense = workloads.cached_artifact(prune_and_quantize, ratio=0.0)
sparse = workloads.cached_artifact(prune_and_quantize, ratio=0.9)
record = Recording("optimize/sparse_speed", declares=("sparsity.s*",))

# %%
# Speed
# -----
#
# One property tells the plugin from which share of zeros on it may keep weights
# packed. Only processors with AMX have kernels for that. The first variant is also
# measured against itself: a difference no larger than that is noise.

packing = {"CPU_SPARSE_WEIGHTS_DECOMPRESSION_RATE": "0.8"}
text = (workloads.sentences().inputs,)
f32 = Variant("f32, dense", dense / "f32.xml", OpenVINO(precision="f32"), text)
int8 = Variant("INT8, dense", dense / "int8.xml", inputs=text)
sparse_int8 = int8.with_("INT8, 90 % zero", model=sparse / "int8.xml")
variants = {
    "f32": f32,
    "f32_sparse": f32.with_("f32, 90 % zero", model=sparse / "f32.xml"),
    "int8": int8,
    "int8_sparse": sparse_int8,
    "int8_packed": sparse_int8.with_("INT8, 90 % zero, packed", properties=packing),
}
result = measure(variants.values(), profiles.budget(0.8), control=True)

# %%
# What is recorded:

record.session("sparsity.speed", result, variants)
pairs = {"f32": (f32, variants["f32_sparse"]), "int8": (int8, sparse_int8)}
if Machine.current().supports("cpu:amx_int8"):
    pairs["packed"] = (int8, variants["int8_packed"])
else:
    reason = "this processor has no AMX, which that path needs"
    record.unavailable("sparsity.speed.gain.packed", reason)
record.ratios("sparsity.speed.gain", result, pairs)
rows = [(one.name, result.latency(one.name)) for one in variants.values()]
record.figure(
    "speed",
    lambda: plots.bars(rows, "ms"),
    alt="Median latency of the encoder with dense and with pruned weights.",
    caption="Median latency of one text of 128 tokens.",
)
record.publish()
