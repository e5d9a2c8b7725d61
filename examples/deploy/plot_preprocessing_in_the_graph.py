"""
Resize and scale pictures inside the graph
==========================================

You learn how to put pre-processing into a model, how to check that it makes the
same pixels as OpenCV or Pillow, and whether that is faster.

Explained in :doc:`/deploy/preprocessing-in-the-graph`. Install: ``pip install
"optguide[frameworks,models]"``.
"""

# %%
# Outside
# -------
#
# A photograph is resized, scaled, and turned from rows of pixels into planes.
# OpenCV interpolates between the four nearest pixels. Pillow averages over all
# pixels that fall into a new one.

import cv2
import numpy as np
import openvino as ov
from openvino import opset13 as ops
from openvino.preprocess import PrePostProcessor, ResizeAlgorithm
from PIL import Image

from optguide import Recording, Variant, measure
from optguide.guide import profiles, workloads

MEAN, DEVIATION = [123.675, 116.28, 103.53], [58.395, 57.12, 57.375]
model = workloads.resnet50_int8()
photograph = np.array(Image.open(workloads.sample_image()).convert("RGB"))


def opencv():
    return scaled(cv2.resize(photograph, (224, 224)))


def pillow():
    picture = Image.fromarray(photograph)
    return scaled(picture.resize((224, 224), Image.Resampling.BILINEAR))


def scaled(picture):
    pixels = (np.asarray(picture, np.float32) - MEAN) / DEVIATION
    return np.ascontiguousarray(pixels.transpose(2, 0, 1)[None], np.float32)


# %%
# Inside
# ------
#
# ``PrePostProcessor`` adds the same steps to the model, in the order in which they
# are named. ``RESIZE_LINEAR`` is OpenCV's way, ``RESIZE_BILINEAR_PILLOW`` is
# Pillow's.


def with_steps(network, algorithm):
    processor = PrePostProcessor(network)
    image = processor.input()
    image.tensor().set_element_type(ov.Type.u8).set_layout(ov.Layout("NHWC"))
    image.tensor().set_shape([1, *photograph.shape])
    image.model().set_layout(ov.Layout("NCHW"))
    steps = image.preprocess().resize(getattr(ResizeAlgorithm, algorithm))
    steps.convert_element_type(ov.Type.f32).mean(MEAN).scale(DEVIATION)
    return processor.build()


# %%
# The same pixels?
# ----------------
#
# In front of a network that returns its input, the steps show what they make. The
# difference is in shades, of which a pixel has 256.

algorithms = {"linear": "RESIZE_LINEAR", "as_pillow": "RESIZE_BILINEAR_PILLOW"}
f32 = {"INFERENCE_PRECISION_HINT": "f32"}
pixels = {"opencv": opencv(), "pillow": pillow()}
for way, algorithm in algorithms.items():
    x = ops.parameter([1, 3, 224, 224], np.float32)
    identity = ov.Model([ops.add(x, np.float32(0))], [x])
    steps = ov.compile_model(with_steps(identity, algorithm), "CPU", f32)
    pixels[way] = steps(photograph[None])[0]

shades = {}
for pair in ("opencv.linear", "pillow.as_pillow", "pillow.linear"):
    a, b = (pixels[way].transpose(0, 2, 3, 1) for way in pair.split("."))
    shades[pair] = float(np.max(np.abs(a - b) * DEVIATION))
print("largest difference in shades:", shades)

# %%
# The whole way
# -------------
#
# A call takes the photograph and returns the scores.


def outside(prepare):
    compiled = ov.compile_model(model.ir, "CPU")
    return lambda: compiled(prepare())


def inside(algorithm):
    network = ov.Core().read_model(model.ir)
    compiled = ov.compile_model(with_steps(network, algorithm), "CPU")
    return lambda: compiled(photograph[None])


calls = {
    "opencv": lambda: outside(opencv),
    "pillow": lambda: outside(pillow),
    "linear": lambda: inside(algorithms["linear"]),
    "as_pillow": lambda: inside(algorithms["as_pillow"]),
}
variants = {name: Variant.from_function(name, make) for name, make in calls.items()}
result = measure(variants.values(), profiles.budget(0.6))

# %%
# What it came to
# ---------------

record = Recording("deploy/preprocessing_in_the_graph", declares=("preprocess.*",))
pairs = {
    "over_opencv": ("opencv", "linear"),
    "over_pillow": ("pillow", "as_pillow"),
}
record.session("preprocess.int8", result, variants)
caption = "From a photograph to the scores of INT8 ResNet-50."
record.ratios("preprocess.gain.int8", result, pairs, caption=caption)
for pair, difference in shades.items():
    entries = {"shades": (difference, f"{pair}: shades")}
    record.values(f"preprocess.apart.{pair}", entries)
record.publish()
