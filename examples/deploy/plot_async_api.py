"""
Keep requests in flight while you prepare the next input
========================================================

You learn three ways to call a model, a loop, ``start_async`` with ``wait``, and a
queue, how many more pictures per second they bring, and what they cost where
inference takes next to no time.

Explained in :doc:`/deploy/async-api`. Install: ``pip install
"optguide[frameworks,models]"``.
"""

# %%
# One picture
# -----------
#
# A photograph is decoded, resized and scaled ahead of every inference. Pillow,
# NumPy and OpenVINO all let other threads of Python run meanwhile.

import io

import numpy as np
import openvino as ov
from PIL import Image

from optguide import Recording, Variant, measure
from optguide.guide import profiles, workloads

resnet50, tiny = workloads.resnet50_int8(), workloads.tiny()
jpeg = workloads.sample_image().read_bytes()


def picture():
    image = Image.open(io.BytesIO(jpeg)).convert("RGB").resize((224, 224))
    pixels = (np.asarray(image, np.float32) - (124, 116, 104)) / (58, 57, 57)
    return np.ascontiguousarray(pixels.transpose(2, 0, 1)[None], np.float32)


# %%
# Three ways
# ----------
#
# Each returns what one more picture takes. The loop does one thing after the other.


def loop(model, prepare):
    request = ov.compile_model(model, "CPU").create_infer_request()

    def one_more():
        request.infer(prepare())
        return request.output_tensors[0].data.argmax()

    return one_more


# %%
# The same request can work while the next picture is prepared:


def start_and_wait(model, prepare):
    request = ov.compile_model(model, "CPU").create_infer_request()
    request.start_async(prepare())

    def one_more():
        coming = prepare()
        request.wait()
        best = request.output_tensors[0].data.argmax()
        request.start_async(coming)
        return best

    return one_more


# %%
# ``AsyncInferQueue`` has as many requests as the device calls optimal.
# ``start_async`` waits for an idle one, and the callback gets each answer.


def queue(model, prepare):
    hint = {"PERFORMANCE_HINT": "THROUGHPUT"}
    requests = ov.AsyncInferQueue(ov.compile_model(model, "CPU", hint))
    requests.set_callback(
        lambda request, _: request.output_tensors[0].data.argmax()
    )

    def one_per_request():
        for _ in range(len(requests)):
            requests.start_async(prepare())

    return one_per_request


# %%
# With pictures, and with inputs that are ready
# ---------------------------------------------
#
# With ready inputs the ways differ in nothing but the call. A call of the queue
# starts as many inferences as it has requests, so that all are busy while timed.

hint = {"PERFORMANCE_HINT": "THROUGHPUT"}
compiled = ov.compile_model(resnet50.ir, "CPU", hint)
optimal = compiled.get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS")
frames = {loop: 1, start_and_wait: 1, queue: optimal}


def variants(model, prepare):
    path = str(model.ir)
    return {
        way.__name__: Variant.from_function(
            way.__name__, lambda way=way: way(path, prepare), frames=frames[way]
        )
        for way in frames
    }


(image,), (vector,) = (np.load(x.inputs).values() for x in (resnet50, tiny))
pictures, calls = variants(resnet50, picture), variants(tiny, lambda: vector)
single = variants(resnet50, lambda: image)
del single["queue"]
images = measure(pictures.values(), profiles.budget(0.5))
tiny_calls = measure(calls.values(), profiles.budget(0.2))
alone = profiles.full() and measure(single.values(), profiles.budget(0.2))

# %%
# What it came to
# ---------------

record = Recording("deploy/async_api", declares=("async.*",))
pairs = {
    "ahead_over_loop": ("loop", "start_and_wait"),
    "queue_over_loop": ("loop", "queue"),
}
record.session("async.pictures", images, pictures, title="pictures")
record.session("async.tiny", tiny_calls, calls, title="tiny network")
caption = "ResNet-50 in 8 bits, a photograph prepared ahead of every inference."
record.ratios("async.gain.pictures", images, pairs, "throughput", caption=caption)
title = "tiny network"
record.ratios("async.gain.tiny", tiny_calls, pairs, "throughput", title=title)
pairs = {"alone": ("loop", "start_and_wait")}
record.ratios("async.gain", alone, pairs, title="inputs ready")
record.values("async.chosen", {"requests": (optimal, "optimal requests")})
record.publish()
