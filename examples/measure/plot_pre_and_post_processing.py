"""
Time inference and the pre- and post-processing around it
=========================================================

Learn how much of an image pipeline is inference, and what a faster model does for
the whole of it.

Explained in :doc:`/measure/pre-and-post-processing`. Install: ``pip install
"optguide[frameworks,models]"``.
"""

import io
from dataclasses import replace
from functools import partial

import numpy as np
import openvino as ov
from PIL import Image

from optguide import Recording, Variant, measure, plots
from optguide.guide import profiles, workloads

# %%
# The steps of the pipeline
# -------------------------
#
# Pillow decodes and resizes, NumPy scales, OpenVINO infers. ``request.infer()`` is
# the only step that a benchmark of the model sees.

jpeg = workloads.sample_image().read_bytes()
mean = np.array([123.675, 116.28, 103.53], np.float32)
deviation = np.array([58.395, 57.12, 57.375], np.float32)


def decode():
    return Image.open(io.BytesIO(jpeg)).convert("RGB")


def resize(picture):
    return picture.resize((224, 224), Image.Resampling.BILINEAR)


def scale(picture):
    pixels = (np.asarray(picture, np.float32) - mean) / deviation
    return pixels.transpose(2, 0, 1)


def pipeline(request):
    request.input_tensors[0].data[0] = scale(resize(decode()))
    request.infer()
    return np.argsort(-request.output_tensors[0].data[0])[:5]


# %%
# One variant per step, and the whole
# -----------------------------------
#
# A variant's function prepares, and returns what is then repeated and timed.

default, int8 = workloads.resnet50().ir, workloads.resnet50_int8().ir


def request_of(model):
    request = ov.Core().compile_model(model, "CPU").create_infer_request()
    request.input_tensors[0].data[:] = 0
    return request


print("classes", *pipeline(request_of(default)))
picture = decode()
small = resize(picture)
functions = {
    "decode": lambda: decode,
    "resize": lambda: partial(resize, picture),
    "normalise": lambda: partial(scale, small),
    "infer.default": lambda: request_of(default).infer,
    "infer.int8": lambda: request_of(int8).infer,
    "default": lambda: partial(pipeline, request_of(default)),
    "int8": lambda: partial(pipeline, request_of(int8)),
}
variants = [Variant.from_function(*item) for item in functions.items()]
result = measure(variants, profiles.budget(1.2))

# %%
# Shares of the pipeline, and gains
# ---------------------------------

record = Recording("measure/pre_and_post_processing", declares=("pipeline.*",))
times = {name: result.latency(name) for name in functions}
for name, time in times.items():
    record.values("pipeline", {f"{name}.latency": (time, name)})
bars = []
for name in ("default", "int8"):
    share = result.ratio(f"infer.{name}", name)
    low, high = max(0.0, 1 - share.high), 1 - share.low
    rest = replace(share, value=1 - share.value, low=low, high=high, unit="share")
    entry = {"rest_share": (rest, f"{name}: all but inference")}
    record.values(f"pipeline.{name}", entry)
    parts = ("decode", "resize", "normalise", f"infer.{name}")
    bars.append((name, {part: times[part] for part in parts}, times[name]))
gains = {
    "infer.latency": ("infer.default", "infer.int8"),
    "pipeline.latency": ("default", "int8"),
}
record.ratios("pipeline.gain", result, gains)
promised = ("default", "infer.default", "int8", "infer.int8", "latency")
entry = (result.interaction(*promised), "gain of the model against the pipeline's")
record.values("pipeline.gain", {"overstated": entry}, above="larger")
record.figure(
    "models",
    lambda: plots.stages(bars),
    alt="Two stacked bars of the same steps, with default precision and with INT8.",
    caption="Bars: steps measured one by one. Whiskers: the whole pipeline, with "
    "copying the pixels and picking the answer.",
)
record.publish()
