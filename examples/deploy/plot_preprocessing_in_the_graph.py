"""
Resize and scale pictures inside the graph
==========================================

A photograph is resized, scaled and turned from rows of pixels into planes before a
network sees it. This example lets NumPy, OpenCV, Pillow and OpenVINO do the same,
checks that it is the same, and times the whole.

Explained in :doc:`/deploy/preprocessing-in-the-graph`. Install: ``pip install
"optguide[frameworks,models]"``.
"""

# %%
# Outside
# -------
#
# Two ways to resize are in use. Interpolation between the four nearest pixels is
# what OpenCV does by default; when shrinking, it skips most of the picture. Pillow
# averages over all pixels that fall into a new one.

import cv2
import numpy as np
import openvino as ov
from openvino import opset13 as ops
from openvino.preprocess import PrePostProcessor, ResizeAlgorithm
from PIL import Image

from optguide import Recording, Variant, measure, plots
from optguide.guide import profiles, workloads
from optguide.paths import build_dir

MEAN, DEVIATION = [123.675, 116.28, 103.53], [58.395, 57.12, 57.375]


def scaled(picture):
    pixels = (picture.astype(np.float32) - np.float32(MEAN)) / np.float32(DEVIATION)
    return np.ascontiguousarray(pixels.transpose(2, 0, 1)[None])


def with_numpy(photograph):
    def nearest_two(size):
        place = np.clip((np.arange(224) + 0.5) * size / 224 - 0.5, 0, size - 1)
        low = place.astype(int)
        return low, np.minimum(low + 1, size - 1), (place - low).astype(np.float32)

    (top, bottom, down), (left, right, across) = map(
        nearest_two, photograph.shape[:2]
    )
    down, across = down[:, None, None], across[:, None]
    rows = photograph[top] * (1 - down) + photograph[bottom] * down
    return scaled(rows[:, left] * (1 - across) + rows[:, right] * across)


def with_opencv(photograph):
    return scaled(
        cv2.resize(photograph, (224, 224), interpolation=cv2.INTER_LINEAR)
    )


def with_pillow(photograph):
    picture = Image.fromarray(photograph).resize(
        (224, 224), Image.Resampling.BILINEAR
    )
    return scaled(np.asarray(picture))


# %%
# Inside
# ------
#
# ``PrePostProcessor`` puts the same steps into the graph. It knows both ways:
# ``RESIZE_LINEAR`` is OpenCV's, ``RESIZE_BILINEAR_PILLOW`` is Pillow's. Steps run
# in the order in which they are named. Resized first, the photograph is resized in
# 8 bits, and only what is left is converted to floats.


def in_graph(model, way):
    processor = PrePostProcessor(model)
    image = processor.input()
    image.tensor().set_element_type(ov.Type.u8).set_layout(ov.Layout("NHWC"))
    image.tensor().set_shape([1, *photograph.shape])
    image.model().set_layout(ov.Layout("NCHW"))
    steps = image.preprocess()
    if way == "converted_first":
        steps.convert_element_type(ov.Type.f32)
    pillow, linear = (
        ResizeAlgorithm.RESIZE_BILINEAR_PILLOW,
        ResizeAlgorithm.RESIZE_LINEAR,
    )
    steps.resize(pillow if way == "as_pillow" else linear)
    steps.convert_element_type(ov.Type.f32).mean(MEAN).scale(DEVIATION)
    return processor.build()


# %%
# The same result?
# ----------------
#
# In front of a network that returns its input, the steps show what they make.
# Differences are in shades of the 256 that a pixel has. The photograph comes in
# four positions, so that there are four answers to compare.

core, f32 = ov.Core(), {"INFERENCE_PRECISION_HINT": "f32"}
photograph = np.array(Image.open(workloads.sample_image()).convert("RGB"))
turned = [
    np.ascontiguousarray(photograph[::y, ::x]) for y in (1, -1) for x in (1, -1)
]
resnet50, int8 = workloads.resnet50().ir, workloads.resnet50_int8().ir
outside = {"numpy": with_numpy, "opencv": with_opencv, "pillow": with_pillow}
pixels, logits = {}, {}
plain = core.compile_model(resnet50, "CPU", f32)
for way, prepare in outside.items():
    pixels[way] = prepare(photograph)
    logits[way] = np.concatenate([plain(prepare(picture))[0] for picture in turned])
for way in ("linear", "converted_first", "as_pillow"):
    x = ops.parameter([1, 3, 224, 224], np.float32, name="x")
    identity = ov.Model([ops.add(x, np.float32(0))], [x], "identity")
    steps = core.compile_model(in_graph(identity, way), "CPU", f32)
    pixels[way] = steps(photograph[None])[0].copy()
    whole = core.compile_model(in_graph(core.read_model(resnet50), way), "CPU", f32)
    logits[way] = np.concatenate([whole(picture[None])[0] for picture in turned])
apart = {}
for pair in [
    "numpy.linear",
    "opencv.linear",
    "numpy.converted_first",
    "pillow.as_pillow",
    "pillow.linear",
]:
    a, b = pair.split(".")
    shades = np.abs(pixels[a] - pixels[b]) * np.float32(DEVIATION)[:, None, None]
    answers = np.abs(logits[a] - logits[b]).max() / np.abs(logits[a]).max()
    classes = np.mean(logits[a].argmax(1) == logits[b].argmax(1))
    apart[pair] = [float(value) for value in (shades.max(), answers, classes)]
    print(f"{pair:24} {shades.max():5.1f} shades, answers {answers:6.1%} apart")

# %%
# The whole way
# -------------
#
# A call takes the photograph and returns the scores. A model saved after ``build``
# has the steps in its file, and a program that loads it knows nothing of means and
# deviations.


def scoring(path, way, settings):
    core = ov.Core()
    if way in outside:
        plain, prepare = core.compile_model(path, "CPU", settings), outside[way]
        return lambda: plain(prepare(photograph))
    whole = core.compile_model(
        in_graph(core.read_model(path), way), "CPU", settings
    )
    return lambda: whole(photograph[None])


def reading(path, way=None):
    core = ov.Core()
    return lambda: (
        in_graph(core.read_model(path), way) if way else core.read_model(path)
    )


saved = build_dir() / "caches" / "preprocessing.xml"
saved.parent.mkdir(parents=True, exist_ok=True)
steps = in_graph(core.read_model(resnet50), "linear")
ov.save_model(steps, saved, compress_to_fp16=False)
calls = {f"int8.{way}": (int8, way, {}) for way in pixels}
calls |= {f"f32.{way}": (resnet50, way, f32) for way in ("numpy", "linear")}
scores = [
    Variant.from_function(name, lambda c=call: scoring(*c))
    for name, call in calls.items()
]
result = measure(scores, profiles.budget(0.8))
added = Variant.from_function("steps added", lambda: reading(resnet50, "linear"))
kept = Variant.from_function("steps saved", lambda: reading(saved))
loading = measure([added, kept], profiles.budget(0.2))

# %%
# What it comes to
# ----------------
#
# Ratios are of latency: above one, the graph is faster.

record = Recording("deploy/preprocessing_in_the_graph", declares=("preprocess.*",))
bars = [(way, result.latency(f"int8.{way}")) for way in pixels]
record.figure(
    "latency",
    lambda: plots.bars(
        bars, "ms", quantity="Photograph to scores", reference="linear"
    ),
    alt="One bar per way of pre-processing: latency from the photograph to the "
    "scores.",
    caption=f"A photograph of {photograph.shape[1]}x{photograph.shape[0]} pixels "
    "through pre-processing and ResNet-50, INT8.",
)
pairs = {
    "int8.over_numpy": ("int8.numpy", "int8.linear"),
    "f32.over_numpy": ("f32.numpy", "f32.linear"),
    "int8.over_opencv": ("int8.opencv", "int8.linear"),
    "int8.over_pillow": ("int8.pillow", "int8.as_pillow"),
    "int8.over_converted_first": ("int8.converted_first", "int8.linear"),
}
record.ratios("preprocess.gain", result, pairs)
record.ratios("preprocess.gain", loading, {"saved": (added, kept)})
for name in calls:
    times = {
        "latency": (result.latency(name), name),
        "cpu_time": (result.cpu_time(name), name),
    }
    record.values(f"preprocess.{name}", times)
for pair, (shades, answers, classes) in apart.items():
    entries = {"shades": (shades, f"{pair}: shades")}
    entries["answers"] = (answers, "share", f"{pair}: answers")
    entries["classes"] = (classes, "share", f"{pair}: same class")
    record.values(f"preprocess.apart.{pair}", entries)
record.publish()
