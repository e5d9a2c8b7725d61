"""
Keep requests in flight: loop, start_async, queue, threads
==========================================================

While a model infers, the next picture can be prepared. This example does so in
three ways beside a loop, and measures what they bring, and what they cost where
inference takes next to no time.

Explained in :doc:`/deploy/async-api`. Install: ``pip install
"optguide[frameworks,models]"``.
"""

# %%
# One picture
# -----------
#
# A photograph is decoded, resized and scaled ahead of every inference. Pillow and
# NumPy let other threads of Python run meanwhile, and so does OpenVINO.

import io
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue

import numpy as np
import openvino as ov
from PIL import Image

from optguide import Recording, Variant, measure, plots
from optguide.guide import profiles, workloads

jpeg = workloads.sample_image().read_bytes()
resnet50, tiny = workloads.resnet50_int8(), workloads.tiny()


def picture():
    image = Image.open(io.BytesIO(jpeg)).convert("RGB").resize((224, 224))
    pixels = (np.asarray(image, np.float32) - (124, 116, 104)) / (58, 57, 57)
    return np.ascontiguousarray(pixels.transpose(2, 0, 1)[None], np.float32)


# %%
# Four ways
# ---------
#
# Each passes on a number of pictures. First one after another, then with the next
# one prepared while the request is busy:


def answer(request, userdata=None):
    return request.output_tensors[0].data.argmax()


def loop(request, prepare, count):
    for _ in range(count):
        request.infer(prepare())
        answer(request)


def start_and_wait(request, prepare, count):
    for _ in range(count):
        coming = prepare()
        request.wait()
        answer(request)
        request.start_async(coming)


# %%
# ``AsyncInferQueue`` has several requests: ``start_async`` waits for an idle one,
# and the callback gets the one that has finished. Threads call requests
# synchronously, each takes an idle one. All but the loop leave pictures in flight
# when they return, so that none of them starts or ends idle.


def queue(requests, prepare, count):
    for _ in range(count):
        requests.start_async(prepare())


def threads(workers, prepare, count):
    pool, idle, pending = workers

    def one_picture():
        request = idle.get()
        request.infer(prepare())
        answer(request)
        idle.put(request)

    pending.extend(pool.submit(one_picture) for _ in range(count))
    while len(pending) > count:
        pending.popleft().result()


# %%
# Compiled for one or for many
# ----------------------------
#
# The loop and ``start_and_wait`` run with the LATENCY hint, the queue and the
# threads with THROUGHPUT, and with as many requests as the device calls optimal.
# Requests of threads are run once before: threads that all make their first
# inference at the same time can block each other for ever.


def requests_for(way, model, prepare):
    hint = "LATENCY" if way in (loop, start_and_wait) else "THROUGHPUT"
    compiled = ov.Core().compile_model(model.ir, "CPU", {"PERFORMANCE_HINT": hint})
    queue_of_requests = ov.AsyncInferQueue(compiled)
    queue_of_requests.set_callback(answer)
    if way is not threads:
        return (
            queue_of_requests if way is queue else compiled.create_infer_request()
        )
    idle = SimpleQueue()
    for _ in range(compiled.get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS")):
        request = compiled.create_infer_request()
        request.infer(prepare())
        idle.put(request)
    return ThreadPoolExecutor(idle.qsize()), idle, deque()


# %%
# One session for each network: with pictures, and with inputs that are ready, where
# these ways differ in nothing but the call.

compiled = ov.Core().compile_model(
    resnet50.ir, "CPU", {"PERFORMANCE_HINT": "THROUGHPUT"}
)
optimal = compiled.get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS")


def variant(way, model, count, prepare=None):
    def make():
        (x,) = np.load(model.inputs).values()
        source = prepare or (lambda: x)
        requests = requests_for(way, model, source)
        return lambda: way(requests, source, count)

    name = way.__name__ if prepare else f"{way.__name__}, ready"
    return Variant.from_function(name, make, frames=count)


ways = (loop, start_and_wait, queue, threads)
pictures = [variant(way, resnet50, optimal, picture) for way in ways]
pictures += [variant(way, resnet50, 1) for way in ways[:2]]
images = measure(pictures, profiles.budget(0.6))
many = 32 * optimal
calls = measure([variant(way, tiny, many) for way in ways], profiles.budget(0.3))

# %%
# What it comes to
# ----------------
#
# Ratios are of throughput, or of latency for single inferences: above one, the way
# named first is the better.

record = Recording("deploy/async_api", declares=("async.*",))
bars = [(way.__name__, images.throughput(way.__name__)) for way in ways]
record.figure(
    "throughput",
    lambda: plots.bars(
        bars, "inferences/s", quantity="Throughput", reference="loop"
    ),
    alt="One bar per way of calling: pictures per second, the loop as reference.",
    caption="ResNet-50 in 8 bits, a photograph prepared ahead of every inference.",
)
pairs = {
    "ahead_over_loop": ("loop", "start_and_wait"),
    "queue_over_loop": ("loop", "queue"),
    "threads_over_loop": ("loop", "threads"),
    "queue_over_threads": ("threads", "queue"),
}
record.ratios("async.gain.pictures", images, pairs, "throughput")
ready = {key: (f"{a}, ready", f"{b}, ready") for key, (a, b) in pairs.items()}
record.ratios("async.gain.tiny", calls, ready, "throughput")
record.ratios("async.gain", images, {"alone": ready["ahead_over_loop"]})
for way in (w.__name__ for w in ways):
    record.session("async.pictures", images, {way: way})
    record.session("async.tiny", calls, {way: f"{way}, ready"})
    time = calls.latency(f"{way}, ready").scaled(1e3 / many, "us")
    record.values("async.tiny", {f"{way}.time": (time, f"{way}: time of each")})
streams = compiled.get_property("NUM_STREAMS")
chosen = {
    "requests": (optimal, "optimal requests"),
    "streams": (streams, "streams"),
}
record.values("async.chosen", chosen)
record.publish()
