"""
Quantize a model to INT8 after training
=======================================

How to get 8-bit weights and activations from a trained model and some hundred
samples, and what that does to accuracy, size and speed of a sentence encoder.

Explained in :doc:`/optimize/post-training-quantization`. Install:
``pip install "optguide[frameworks,models]"``.
"""

from pathlib import Path

from optguide import OpenVINO, Recording, Variant, measure
from optguide.guide import profiles, workloads
from optguide.guide.workloads import answers, retrieval

workloads.no_telemetry()

import nncf
import openvino as ov

# %%
# The call
# --------
#
# ``nncf.quantize`` runs the samples through the model, notes the range of each
# tensor, and returns the model with those ranges in it. The encoder is a
# transformer, and has to be declared as one: see :doc:`plot_transformer_trap`.

encoder = workloads.sentences_dynamic().ir


def quantize_encoder(folder: Path, count: int) -> None:
    model = ov.Core().read_model(encoder)
    texts = retrieval.tokens(retrieval.calibration(count))
    quantized = nncf.quantize(
        model,
        nncf.Dataset(texts),
        subset_size=count,
        model_type=nncf.ModelType.TRANSFORMER,
    )
    ov.save_model(quantized, folder / "model.xml", compress_to_fp16=False)


encoder_int8 = workloads.cached_artifact(quantize_encoder, count=300) / "model.xml"

# %%
# Accuracy
# --------
#
# Does the first sentence of a docstring find its own text? INT8 competes with the
# original in the device's default precision, and both with 32-bit floats.

count = None if profiles.full() else 100
right = {
    "f32": answers.texts("32-bit floats", encoder, count),
    "default": answers.texts("default precision", encoder, count, {}),
    "int8": answers.texts("INT8", encoder_int8, count, {}),
}
record = Recording(
    "optimize/post_training_quantization",
    declares=("ptq.sentences.*", "ptq.busy.*", "ptq.gain.*"),
)
answers.add_answers(
    record, "ptq.sentences", right, title="sentences", also=["size"]
)

# %%
# Speed
# -----
#
# One text of 128 tokens after the other, and several texts in flight.

shapes = {port.any_name: (1, 128) for port in ov.Core().read_model(encoder).inputs}
text = (workloads.sentences().inputs,)
default = Variant("default precision", encoder, OpenVINO(shapes=shapes), text)
single = {
    "f32": default.with_("32-bit floats", precision="f32"),
    "default": default,
    "int8": default.with_("INT8", model=encoder_int8),
}
hint = {"PERFORMANCE_HINT": "THROUGHPUT"}
in_flight = {"properties": hint, "requests": 0}
busy = {
    "default": single["default"].with_("default precision, in flight", **in_flight),
    "int8": single["int8"].with_("INT8, in flight", **in_flight),
}
variants = [*single.values(), *busy.values()]
result = measure(variants, profiles.budget(), label="encoder in 8 bits")

# %%
# What is recorded:

record.session("ptq.sentences", result, single, title="sentences")
record.session("ptq.busy", result, busy, title="sentences")
pairs = {part: (single[part], single["int8"]) for part in ("f32", "default")}
speed = "How many times faster INT8 is, one text at a time."
record.ratios("ptq.gain.sentences", result, pairs, caption=speed)
pair = {"default": (busy["default"], busy["int8"])}
record.ratios("ptq.gain.busy", result, pair, "throughput")
record.publish()
