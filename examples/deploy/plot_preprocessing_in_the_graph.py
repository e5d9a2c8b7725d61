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

import importlib
from dataclasses import replace

import numpy as np
import openvino as ov
from openvino import opset13 as ops
from openvino.preprocess import PrePostProcessor, ResizeAlgorithm
from PIL import Image

from optguide import Recording, Variant, measure, plots
from optguide.guide import profiles, workloads
from optguide.paths import build_dir

MEAN, DEVIATION = [123.675, 116.28, 103.53], [58.395, 57.12, 57.375]
SIDE = 224


def scaled(picture):
    pixels = (picture.astype(np.float32) - np.float32(MEAN)) / np.float32(DEVIATION)
    return np.ascontiguousarray(pixels.transpose(2, 0, 1)[None])


def with_numpy(photograph):
    def nearest_two(size):
        place = np.clip((np.arange(SIDE) + 0.5) * size / SIDE - 0.5, 0, size - 1)
        low = place.astype(int)
        return low, np.minimum(low + 1, size - 1), (place - low).astype(np.float32)

    (top, bottom, down), (left, right, across) = map(
        nearest_two, photograph.shape[:2]
    )
    down, across = down[:, None, None], across[:, None]
    rows = photograph[top] * (1 - down) + photograph[bottom] * down
    return scaled(rows[:, left] * (1 - across) + rows[:, right] * across)


def with_opencv(photograph):
    import cv2

    return scaled(
        cv2.resize(photograph, (SIDE, SIDE), interpolation=cv2.INTER_LINEAR)
    )


def with_pillow(photograph):
    picture = Image.fromarray(photograph).resize(
        (SIDE, SIDE), Image.Resampling.BILINEAR
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

LINEAR, PILLOW = (
    ResizeAlgorithm.RESIZE_LINEAR,
    ResizeAlgorithm.RESIZE_BILINEAR_PILLOW,
)


def in_graph(model, shape, algorithm=LINEAR, convert_first=False):
    processor = PrePostProcessor(model)
    image = processor.input()
    image.tensor().set_element_type(ov.Type.u8).set_shape([1, *shape]).set_layout(
        ov.Layout("NHWC")
    )
    image.model().set_layout(ov.Layout("NCHW"))
    steps = image.preprocess()
    if convert_first:
        steps.convert_element_type(ov.Type.f32).resize(algorithm)
    else:
        steps.resize(algorithm).convert_element_type(ov.Type.f32)
    steps.mean(MEAN).scale(DEVIATION)
    return processor.build()


# %%
# The same result?
# ----------------
#
# In front of a network that returns its input, the steps show what they make.
# Differences are in shades of the 256 that a pixel has. The photograph comes in
# four positions, so that there are four answers to compare.

core = ov.Core()
photograph = np.array(
    Image.open(workloads.sample_image()).convert("RGB")
)  # a copy: Pillow's is read-only
photographs = [
    np.ascontiguousarray(photograph[::y, ::x]) for y in (1, -1) for x in (1, -1)
]
OUTSIDE = {"numpy": with_numpy, "opencv": with_opencv, "pillow": with_pillow}
INSIDE = {
    "linear": {},
    "converted_first": {"convert_first": True},
    "as_pillow": {"algorithm": PILLOW},
}
missing = {}
try:
    importlib.import_module("cv2")
except ImportError:
    missing["opencv"] = (
        'OpenCV is not installed; `pip install "optguide[models]"` adds it'
    )
    del OUTSIDE["opencv"]


def returns_its_input():
    x = ops.parameter([1, 3, SIDE, SIDE], np.float32, name="x")
    return ov.Model([ops.add(x, np.float32(0))], [x], "input")


def f32(model):
    return core.compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})


resnet50, int8 = workloads.resnet50().ir, workloads.resnet50_int8().ir
shades, logits = {}, {}
model = f32(resnet50)
for name, prepare in OUTSIDE.items():
    shades[name] = prepare(photograph)
    logits[name] = np.concatenate([model(prepare(each))[0] for each in photographs])
for name, how in INSIDE.items():
    model = f32(in_graph(core.read_model(resnet50), photograph.shape, **how))
    shades[name] = f32(in_graph(returns_its_input(), photograph.shape, **how))(
        photograph[None]
    )[0]
    logits[name] = np.concatenate([model(each[None])[0] for each in photographs])


def apart(a, b):
    """Differences of pixels (shades), answers and classes (shares)."""
    pixels = np.abs(shades[a] - shades[b]) * np.float32(DEVIATION)[:, None, None]
    answers = np.abs(logits[a] - logits[b]).max() / np.abs(logits[a]).max()
    return (
        pixels.max(),
        answers,
        np.mean(logits[a].argmax(1) == logits[b].argmax(1)),
    )


same = [
    ("numpy", "linear"),
    ("opencv", "linear"),
    ("numpy", "converted_first"),
    ("pillow", "as_pillow"),
]
different = [("pillow", "linear")]
for a, b in same + different:
    if a not in missing:
        print(
            "{:10} {:16} {:5.1f} shades, answers {:5.1%} off, {:4.0%} same".format(
                a, b, *apart(a, b)
            )
        )

# %%
# The whole way
# -------------
#
# A call takes the photograph and returns the scores. Each is measured around the
# INT8 network, where pre-processing weighs most; NumPy and the graph also around
# the f32 network.


def outside(path, prepare, settings):
    def make():
        model = ov.Core().compile_model(path, "CPU", settings)
        return lambda: model(prepare(photograph))

    return make


def inside(path, how, settings):
    def make():
        core = ov.Core()
        model = core.compile_model(
            in_graph(core.read_model(path), photograph.shape, **how),
            "CPU",
            settings,
        )
        return lambda: model(photograph[None])

    return make


F32 = {"INFERENCE_PRECISION_HINT": "f32"}
makers = {
    f"int8.{name}": outside(int8, prepare, {}) for name, prepare in OUTSIDE.items()
}
makers |= {f"int8.{name}": inside(int8, how, {}) for name, how in INSIDE.items()}
makers |= {
    "f32.numpy": outside(resnet50, with_numpy, F32),
    "f32.linear": inside(resnet50, {}, F32),
}
budget = profiles.current().budget
variants = [Variant.from_function(name, make) for name, make in makers.items()]
result = measure(
    variants,
    replace(budget, seconds=0.8 * budget.seconds),
    label="photograph to scores",
)

# %%
# Saved with its steps
# --------------------
#
# The steps need not be added at every start. A model saved after ``build`` has them
# in its file, and a program that loads it knows nothing of means and deviations.

saved = build_dir() / "caches" / "preprocessing" / "resnet50.xml"
saved.parent.mkdir(parents=True, exist_ok=True)
ov.save_model(
    in_graph(core.read_model(resnet50), photograph.shape),
    saved,
    compress_to_fp16=False,
)


def reading(path, steps):
    def make():
        core, shape = ov.Core(), photograph.shape

        def read():
            model = core.read_model(path)
            if steps:
                in_graph(model, shape)

        return read

    return make


loading = measure(
    [
        Variant.from_function("read, steps added", reading(resnet50, steps=True)),
        Variant.from_function("read, steps saved", reading(saved, steps=False)),
    ],
    replace(budget, seconds=0.2 * budget.seconds),
    label="reading with steps",
)

# %%
# What it comes to
# ----------------
#
# Ratios are of latency: above one, the graph is faster.

record = Recording("deploy/preprocessing_in_the_graph", declares=("preprocess.*",))
titles = {
    "numpy": "NumPy",
    "opencv": "OpenCV",
    "linear": "graph",
    "converted_first": "graph, converted first",
    "pillow": "Pillow",
    "as_pillow": "graph, as Pillow",
}


def in_words(name):
    network, _, way = name.partition(".")
    return f"{titles[way]}, {network.upper()}"


for name in makers:
    start, label = f"preprocess.{name}", in_words(name)
    record.add(
        f"{start}.latency", result.latency(name), label=f"{label}: median latency"
    )
    record.add(
        f"{start}.cpu_time", result.cpu_time(name), label=f"{label}: CPU time"
    )
pairs = {
    "int8.over_numpy": ("int8.numpy", "int8.linear"),
    "f32.over_numpy": ("f32.numpy", "f32.linear"),
    "int8.over_opencv": ("int8.opencv", "int8.linear"),
    "int8.over_pillow": ("int8.pillow", "int8.as_pillow"),
    "int8.over_converted_first": ("int8.converted_first", "int8.linear"),
}
for topic, (slow, fast) in pairs.items():
    if slow in makers:
        ratio = result.compare(slow, fast)
        record.add_comparison(
            f"preprocess.gain.{topic}",
            ratio,
            label=f"{in_words(fast)} against {in_words(slow)}",
        )
ratio = loading.compare("read, steps added", "read, steps saved")
record.add_comparison("preprocess.gain.saved", ratio)
for a, b in same + different:
    if a not in missing:
        pair, label = f"preprocess.apart.{a}.{b}", f"{titles[b]} and {titles[a]}"
        pixels, answers, classes = apart(a, b)
        record.add_value(
            f"{pair}.shades",
            pixels,
            "count",
            label=f"{label}: largest difference in shades",
        )
        record.add_value(
            f"{pair}.answers",
            answers,
            "share",
            label=f"{label}: largest difference of answers",
        )
        record.add_value(
            f"{pair}.classes",
            classes,
            "share",
            label=f"{label}: pictures with the same class",
        )
for way, reason in missing.items():
    for identifier in (
        f"int8.{way}.latency",
        f"int8.{way}.cpu_time",
        f"gain.int8.over_{way}",
        *(
            f"apart.{way}.linear.{what}"
            for what in ("shades", "answers", "classes")
        ),
    ):
        record.unavailable(f"preprocess.{identifier}", reason)

# %%
# Around the INT8 network, the ways that give the same result beside each other:

rows = [
    (title, result.latency(f"int8.{way}"))
    for way, title in titles.items()
    if way not in missing
]
record.figure(
    "latency",
    lambda: plots.bars(
        rows, "ms", quantity="Photograph to scores", reference="graph"
    ),
    alt="One bar per way of pre-processing: median latency from the photograph "
    "to the scores.",
    caption="A photograph of 640x427 pixels through INT8. The first four "
    "interpolate between four pixels, the last two average as Pillow does.",
)
record.publish()
