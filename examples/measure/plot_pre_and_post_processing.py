"""
Time inference and everything around it
=======================================

Around every inference there is other work: a file is decoded, a picture resized, numbers are scaled and
copied, an answer is picked. This example times each step of an image pipeline, and what a faster model does
for it.
"""

# %%
# The pipeline
# ------------
#
# Six functions, as they stand in many applications: Pillow decodes and resizes, NumPy scales, OpenVINO
# infers. ``infer`` is the only one that a benchmark of the model sees.

import io
from dataclasses import replace

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
    return ((pixels - MEAN) / DEVIATION).transpose(2, 0, 1)  # a view: HWC becomes CHW in the copy


def copy(request, pixels):
    request.input_tensors[0].data[0] = pixels


def infer(request):
    request.infer()


def top_k(request, k=5):
    scores = request.output_tensors[0].data[0]
    best = np.argpartition(scores, -k)[-k:]
    return best[np.argsort(-scores[best])]


# %%
# ``PrePostProcessor`` can move the scaling into the model: it adds the conversion from 8-bit pixels, mean,
# deviation and the change of layout to the graph, and the request takes the resized picture as it is. The
# weights are random, so the answers mean nothing, but both ways have to find the same.

JPEG = workloads.sample_image().read_bytes()
DEFAULT, INT8 = workloads.resnet50().ir, workloads.resnet50_int8().ir


def request_of(model):
    return ov.Core().compile_model(model, "CPU").create_infer_request()


def with_scaling(model):
    steps = PrePostProcessor(ov.Core().read_model(model))
    steps.input().tensor().set_element_type(ov.Type.u8).set_layout(ov.Layout("NHWC"))
    steps.input().preprocess().convert_element_type(ov.Type.f32).mean(MEAN.tolist()).scale(DEVIATION.tolist())
    steps.input().model().set_layout(ov.Layout("NCHW"))
    return steps.build()


def run(request, scale=normalise):
    copy(request, scale(resize(decode(JPEG))))
    infer(request)
    return top_k(request)


print("scaled by NumPy:     classes", *run(request_of(DEFAULT)))
print("scaled in the model: classes", *run(request_of(with_scaling(DEFAULT)), scale=np.asarray))

# %%
# A variant per step
# ------------------
#
# Each step becomes a variant that does only this, over and over, on inputs prepared beforehand. The whole
# pipeline is a variant too: a step that runs alone finds its data in the caches, and only the whole can tell
# what that hides.


def only(step, model=DEFAULT):
    def make():
        picture = decode(JPEG)
        small = resize(picture)
        pixels = normalise(small)
        request = request_of(model)
        copy(request, pixels)
        infer(request)
        steps = {
            "decode": lambda: decode(JPEG),
            "resize": lambda: resize(picture),
            "normalise": lambda: normalise(small),
            "copy": lambda: copy(request, pixels),
            "infer": lambda: infer(request),
            "top-k": lambda: top_k(request),
        }
        return steps[step]

    return make


def whole(prepare, scale=normalise):
    def make():
        request = request_of(prepare())
        return lambda: run(request, scale)

    return make


STEPS = ("decode", "resize", "normalise", "copy", "infer", "top-k")
makers = {step: only(step) for step in STEPS if step != "infer"}
for title, model in (("default precision", DEFAULT), ("INT8", INT8)):
    makers[f"infer, {title}"] = only("infer", model)
    makers[f"pipeline, {title}"] = whole(lambda model=model: model)
makers["pipeline, scaled in the model"] = whole(lambda: with_scaling(INT8), scale=np.asarray)

budget = profiles.current().budget
result = measure(
    [Variant.from_function(name, make) for name, make in makers.items()],
    replace(budget, seconds=1.2 * budget.seconds, block=budget.block / 2),  # ten variants share it
    label="steps of an image pipeline",
)

# %%
# What it comes to
# ----------------
#
# Shares of the pipeline, and how far the steps account for it, are ratios within each round. So is the last
# one: what INT8 gains for the model, as a benchmark reports it, over what it gains for the pipeline.


def by_round(name):
    return np.array([np.median(block.latencies_ms) for block in result.series[name].blocks])


def over(top, bottom, fastest):
    return across_processes(top / bottom, [block.generation for block in result.series[fastest].blocks])


record = Recording("measure/pre_and_post_processing", declares=("pipeline.*",))
ids = {"default precision": "default", "INT8": "int8", "scaled in the model": "in_model"}
for name in makers:
    step, _, title = name.partition(", ")
    part = ".".join(filter(None, [step.replace("-", "_"), ids.get(title)])).removeprefix("pipeline.")
    record.add(f"pipeline.{part}.latency", result.latency(name), label=f"{name}: median latency")

before, after = "default precision", "INT8"
parts = {title: {s: f"infer, {title}" if s == "infer" else s for s in STEPS} for title in (before, after)}
for title, names in parts.items():
    topic, pipeline = f"pipeline.{ids[title]}", f"pipeline, {title}"
    share = result.compare(f"infer, {title}", pipeline).ratio.scaled(1, "share")
    record.add(f"{topic}.infer_share", share, label=f"infer, share of the pipeline, {title}")
    alone = {name: by_round(name) for name in names.values()}
    accounted = over(sum(alone.values()), by_round(pipeline), pipeline)
    record.add(f"{topic}.accounted", accounted, label=f"Sum of the steps divided by the pipeline, {title}")
    rest = sum(alone.values()) - alone[names["infer"]]
    rest_share = over(rest, by_round(pipeline), pipeline).scaled(1, "share")
    record.add(f"{topic}.rest_share", rest_share, label=f"All other steps, share of the pipeline, {title}")

gains = {what: result.compare(f"{what}, {before}", f"{what}, {after}") for what in ("infer", "pipeline")}
for what, gain in gains.items():
    record.add_comparison(
        f"pipeline.gain.{what}.latency", gain, label=f"INT8 against the default precision, {what}"
    )
overstated = over(
    by_round(f"infer, {before}") / by_round(f"infer, {after}"),
    by_round(f"pipeline, {before}") / by_round(f"pipeline, {after}"),
    f"infer, {after}",
)
record.add(
    "pipeline.gain.overstated", overstated, label="Gain of infer against gain of the pipeline", above="larger"
)
in_model = result.compare(f"pipeline, {after}", "pipeline, scaled in the model")
record.add_comparison("pipeline.gain.in_model", in_model, label="Scaling in the model against NumPy, INT8")

# %%
# The steps in their order, with both models on one scale:

times = {title: {s: result.latency(name) for s, name in names.items()} for title, names in parts.items()}
record.figure(
    "models",
    lambda: plots.stages([(t, steps, result.latency(f"pipeline, {t}")) for t, steps in times.items()]),
    alt="Two stacked bars of the same steps, with default precision and with INT8. Only infer differs.",
    caption="The same pipeline around two models. Bars are steps measured one by one, whiskers the whole "
    "pipeline as measured.",
)
record.publish()
