"""
Time inference and the pre- and post-processing around it
=========================================================

Around every inference there is other work: a file is decoded, a picture resized,
numbers are scaled and copied, an answer is picked. This example times each step of
an image pipeline, and what a faster model does for it.

Explained in :doc:`/measure/pre-and-post-processing`. Install: ``pip install
"optguide[frameworks,models]"``.
"""

# %%
# The pipeline
# ------------
#
# Six steps, as they stand in many applications: Pillow decodes and resizes, NumPy
# scales, OpenVINO infers. ``request.infer()`` is the only one that a benchmark of
# the model sees.

import io

import numpy as np
import openvino as ov
from openvino.preprocess import PrePostProcessor
from PIL import Image

from optguide import Recording, Variant, measure, plots
from optguide.guide import profiles, workloads
from optguide.stats.estimate import across_processes

MEAN = np.array([123.675, 116.28, 103.53], dtype=np.float32)
DEVIATION = np.array([58.395, 57.12, 57.375], dtype=np.float32)


def decode(jpeg):
    return Image.open(io.BytesIO(jpeg)).convert("RGB")


def resize(picture):
    return picture.resize((224, 224), Image.Resampling.BILINEAR)


def normalise(picture):
    pixels = np.asarray(picture, dtype=np.float32)
    return ((pixels - MEAN) / DEVIATION).transpose(
        2, 0, 1
    )  # a view: HWC becomes CHW in the copy


def copy(request, pixels):
    request.input_tensors[0].data[0] = pixels


def top_k(request, k=5):
    scores = request.output_tensors[0].data[0]
    best = np.argpartition(scores, -k)[-k:]
    return best[np.argsort(-scores[best])]


# %%
# ``PrePostProcessor`` can move the scaling into the model: it adds the conversion
# from 8-bit pixels, mean, deviation and the change of layout to the graph, and the
# request takes the resized picture as it is. The weights are random, so the answers
# mean nothing, but both ways have to find the same.

JPEG = workloads.sample_image().read_bytes()
DEFAULT, INT8 = workloads.resnet50().ir, workloads.resnet50_int8().ir


def request_of(model):
    return ov.Core().compile_model(model, "CPU").create_infer_request()


def with_scaling(model):
    steps = PrePostProcessor(ov.Core().read_model(model))
    steps.input().tensor().set_element_type(ov.Type.u8).set_layout(
        ov.Layout("NHWC")
    )
    floats = steps.input().preprocess().convert_element_type(ov.Type.f32)
    floats.mean(MEAN.tolist()).scale(DEVIATION.tolist())
    steps.input().model().set_layout(ov.Layout("NCHW"))
    return steps.build()


def run(request, scale=normalise):
    copy(request, scale(resize(decode(JPEG))))
    request.infer()
    return top_k(request)


print("scaled by NumPy:     classes", *run(request_of(DEFAULT)))
print(
    "scaled in the model: classes",
    *run(request_of(with_scaling(DEFAULT)), scale=np.asarray),
)

# %%
# A variant per step
# ------------------
#
# Each step becomes a variant that does only this, over and over, on inputs prepared
# beforehand. The whole pipeline is a variant too: a step that runs alone finds its
# data in the caches, and only the whole can tell what that hides.


def make(step, model, scale=normalise):
    request = request_of(model() if callable(model) else model)
    picture = decode(JPEG)
    small = resize(picture)
    pixels = scale(small)
    run(request, scale)
    return {
        "decode": lambda: decode(JPEG),
        "resize": lambda: resize(picture),
        "normalise": lambda: normalise(small),
        "copy": lambda: copy(request, pixels),
        "infer": request.infer,
        "top_k": lambda: top_k(request),
        "pipeline": lambda: run(request, scale),
    }[step]


around = ("decode", "resize", "normalise", "copy", "top_k")
variants = {step: (step, DEFAULT) for step in around}
for name, model in (("default", DEFAULT), ("int8", INT8)):
    variants[f"infer.{name}"] = ("infer", model)
    variants[name] = ("pipeline", model)
variants["in_model"] = ("pipeline", lambda: with_scaling(INT8), np.asarray)
result = measure(
    [
        Variant.from_function(name, lambda a=a: make(*a))
        for name, a in variants.items()
    ],
    profiles.budget(1.2),
)

# %%
# What it comes to
# ----------------
#
# Shares of the pipeline, and how far the steps account for it, are ratios within
# each round. So is the last one: what INT8 gains for the model, as a benchmark
# reports it, over what it gains for the pipeline.

record = Recording("measure/pre_and_post_processing", declares=("pipeline.*",))
bars = []
for name in ("default", "int8"):
    times = {
        s: result.latency(s) for s in (*around[:4], f"infer.{name}", around[4])
    }
    bars.append((name, times, result.latency(name)))
record.figure(
    "models",
    lambda: plots.stages(bars),
    alt="Two stacked bars of the same steps, with default precision and with INT8.",
    caption="The same pipeline around two models. Bars are steps measured one by "
    "one, whiskers the whole pipeline as measured.",
)


def by_round(name):
    return np.array([np.median(b.latencies_ms) for b in result.series[name].blocks])


def over(top, bottom, unit="ratio"):
    generations = [block.generation for block in result.series["default"].blocks]
    return across_processes(top / bottom, generations).scaled(1, unit)


for name in variants:
    record.values("pipeline", {f"{name}.latency": (result.latency(name), name)})
rest = sum(by_round(step) for step in around)
for name in ("default", "int8"):
    whole, alone = by_round(name), by_round(f"infer.{name}")
    shares = {
        "infer_share": (
            over(alone, whole, "share"),
            "infer, share of the pipeline",
        ),
        "rest_share": (
            over(rest, whole, "share"),
            "other steps, share of the pipeline",
        ),
        "accounted": (
            over(rest + alone, whole),
            "sum of the steps over the pipeline",
        ),
    }
    record.values(f"pipeline.{name}", shares)
gains = {
    "infer.latency": ("infer.default", "infer.int8"),
    "pipeline.latency": ("default", "int8"),
    "in_model": ("int8", "in_model"),
}
record.ratios("pipeline.gain", result, gains)
model, pipeline = (by_round(a) / by_round(b) for a, b in list(gains.values())[:2])
entry = (over(model, pipeline), "gain of infer over gain of the pipeline")
record.values("pipeline.gain", {"overstated": entry}, above="larger")
record.publish()
