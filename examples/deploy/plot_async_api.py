"""
Keep requests in flight: loop, start_async, queue, threads
==========================================================

While a model infers, the next picture can be prepared. This example does so in three ways beside a loop,
and measures what they bring, and what they cost where inference takes next to no time.
"""

# %%
# One picture
# -----------
#
# A photograph is decoded, resized and scaled ahead of every inference. Pillow and NumPy let other threads of
# Python run meanwhile, and so does OpenVINO.

import io
from collections import defaultdict, deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from queue import SimpleQueue
from time import perf_counter

import numpy as np
import openvino as ov
from PIL import Image

from optguide import Recording, Variant, measure, plots
from optguide.guide import profiles, workloads

JPEG = workloads.sample_image().read_bytes()
RESNET50, TINY = workloads.resnet50_int8(), workloads.tiny()


def prepare():
    picture = Image.open(io.BytesIO(JPEG)).convert("RGB").resize((224, 224), Image.Resampling.BILINEAR)
    pixels = (np.asarray(picture, np.float32) - (124, 116, 104)) / (58, 57, 57)
    return np.ascontiguousarray(pixels.transpose(2, 0, 1)[None], np.float32)


def compiled_for(model, hint):
    return ov.Core().compile_model(model.ir, "CPU", {"PERFORMANCE_HINT": hint})


# %%
# Four ways
# ---------
#
# Each takes a compiled model, a function that prepares an input, one that takes the answer, and a number of
# pictures. It returns the function that passes on so many. First one after another, then with the next one
# prepared while the request is busy:


def loop(compiled, prepare, answer, count):
    request = compiled.create_infer_request()

    def run():
        for _ in range(count):
            request.infer(prepare())
            answer(request.output_tensors[0].data)

    return run


def start_and_wait(compiled, prepare, answer, count):
    request = compiled.create_infer_request()
    request.start_async(prepare())

    def run():
        for _ in range(count):
            coming = prepare()
            request.wait()
            answer(request.output_tensors[0].data)
            request.start_async(coming)

    return run


# %%
# ``AsyncInferQueue`` has several requests: ``start_async`` waits for an idle one, and the callback gets the
# one that has finished. Threads call requests synchronously, each takes an idle one. They are all run once
# before: threads that all make their first inference at the same time can block each other for ever. All but
# the loop leave pictures in flight between two runs, so that none of them starts or ends idle.


def queue(compiled, prepare, answer, count):
    requests = ov.AsyncInferQueue(compiled)  # as many as the device calls optimal
    requests.set_callback(lambda request, _: answer(request.output_tensors[0].data))

    def run():
        for _ in range(count):
            requests.start_async(prepare())

    return run


def threads(compiled, prepare, answer, count):
    idle, pending = SimpleQueue(), deque()
    workers = compiled.get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS")
    pool = ThreadPoolExecutor(workers)
    for _ in range(workers):
        request = compiled.create_infer_request()
        request.infer(prepare())
        idle.put(request)

    def one_picture():
        request = idle.get()
        request.infer(prepare())
        answer(request.output_tensors[0].data)
        idle.put(request)

    def run():
        pending.extend(pool.submit(one_picture) for _ in range(count))
        while len(pending) > count:
            pending.popleft().result()

    return run


# %%
# What happens when
# -----------------
#
# Clocks read around the stages show how they lie in time. A queue's inferences end in its callback.

spans = defaultdict(lambda: defaultdict(list))


def timed(panel, lane, kind, action, *arguments):
    start = perf_counter()
    result = action(*arguments)
    spans[panel][lane].append((start, perf_counter(), kind))
    return result


def ended(_, begun):
    panel, lane, start = begun
    spans[panel][lane].append((start, perf_counter(), "inference"))


def show_infer(panel, lane, compiled, count):
    request = compiled.create_infer_request()
    request.infer(prepare())  # warm up
    for _ in range(count):
        pixels = timed(panel, lane, "pre-processing", prepare)
        timed(panel, lane, "inference", request.infer, pixels)


def show_queue(panel, compiled, size, count):
    requests = ov.AsyncInferQueue(compiled, size)
    for _ in range(size):
        requests.start_async(prepare())  # warm up
    requests.wait_all()
    requests.set_callback(ended)
    for _ in range(count):
        pixels = timed(panel, "main thread", "pre-processing", prepare)
        lane = f"request {1 + requests.get_idle_request_id()}"  # waits for one
        requests.start_async(pixels, (panel, lane, perf_counter()))
    requests.wait_all()


single, several = (compiled_for(RESNET50, hint) for hint in ("LATENCY", "THROUGHPUT"))
show_infer("Loop", "main thread", single, 6)
show_queue("The next one prepared ahead", single, 1, 6)
show_queue("Queue of two requests", several, 2, 6)
with ThreadPoolExecutor(2) as pool:
    for lane in ("thread 1", "thread 2"):
        pool.submit(show_infer, "Two threads", lane, several, 3)

panels = {}
for panel, lanes in spans.items():
    origin = min(start for lane in lanes.values() for start, _, _ in lane)
    panels[panel] = {
        lane: [(1e3 * (start - origin), 1e3 * (end - origin), kind) for start, end, kind in lanes[lane]]
        for lane in sorted(lanes)
    }
    print(f"{panel:28} {max(end for lane in panels[panel].values() for _, end, _ in lane):6.1f} ms")

# %%
# One session for each network
# ----------------------------
#
# One run in this process is an illustration; the comparison is a measurement. The loop and ``start_and_wait``
# run with the LATENCY hint, the queue and the threads with THROUGHPUT. With inputs that are ready, these
# ways differ in nothing but the call: for a single picture, and for the tiny network.

REQUESTS = several.get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS")
MANY = 32 * REQUESTS
STREAMS = int(several.get_property("NUM_STREAMS"))
print(REQUESTS, "requests in", STREAMS, "streams")


def variant(way, hint, model=RESNET50, count=REQUESTS, ready=False):
    def make():
        (x,) = np.load(model.inputs).values()
        return way(compiled_for(model, hint), (lambda: x) if ready else prepare, np.argmax, count)

    return Variant.from_function(way.__name__ + (", ready" if ready else ""), make, frames=count)


HINTS = {loop: "LATENCY", start_and_wait: "LATENCY", queue: "THROUGHPUT", threads: "THROUGHPUT"}
alone = [variant(way, "LATENCY", count=1, ready=True) for way in (loop, start_and_wait)]
budget = profiles.current().budget
pictures = measure(
    [*(variant(way, hint) for way, hint in HINTS.items()), *alone],
    replace(budget, seconds=0.6 * budget.seconds),
    label="pictures with pre-processing",
)
tiny = measure(
    [variant(way, hint, TINY, MANY, ready=True) for way, hint in HINTS.items()],
    replace(budget, seconds=0.3 * budget.seconds),
    label="a tiny network",
)

# %%
# What it comes to
# ----------------
#
# Ratios are of throughput, or of latency for single inferences: above one, the way named first is the better.

record = Recording("deploy/async_api", declares=("async.*",))
record.add_value("async.chosen.requests", REQUESTS, "count", label="THROUGHPUT: optimal number of requests")
record.add_value("async.chosen.streams", STREAMS, "count", label="THROUGHPUT: streams")
pairs = {
    "ahead_over_loop": ("loop", "start_and_wait"),
    "queue_over_loop": ("loop", "queue"),
    "threads_over_loop": ("loop", "threads"),
    "queue_over_threads": ("threads", "queue"),
}
for topic, session, suffix in (("pictures", pictures, ""), ("tiny", tiny, ", ready")):
    for way in HINTS:
        name, start = way.__name__ + suffix, f"async.{topic}.{way.__name__}"
        record.add(f"{start}.throughput", session.throughput(name), label=f"{topic}, {name}: throughput")
        record.add(f"{start}.cpu_time", session.cpu_time(name), label=f"{topic}, {name}: CPU time of each")
    for pair, (a, b) in pairs.items():
        gain = session.compare(a + suffix, b + suffix, "throughput")
        record.add_comparison(f"async.gain.{topic}.{pair}", gain, label=f"{topic}, {b} against {a}")
for way in HINTS:
    each = tiny.latency(f"{way.__name__}, ready").scaled(1e3 / MANY, "us")
    record.add(f"async.tiny.{way.__name__}.time", each, label=f"tiny, {way.__name__}: time of each")
for way in (loop, start_and_wait):
    name = f"{way.__name__}, ready"
    record.add(f"async.alone.{way.__name__}.latency", pictures.latency(name), label=f"{name}: latency")
gain = pictures.compare("loop, ready", "start_and_wait, ready")
record.add_comparison("async.gain.alone", gain, label="One inference, start_and_wait against infer")

# %%
# The illustration, then the measurement:

record.figure(
    "timeline",
    lambda: plots.timeline(panels),
    alt="Four panels of bars over time: in the loop, pre-processing and inference alternate on one lane; in "
    "the others, they overlap on several lanes.",
    caption="Six pictures in each of four ways: one run, as clocks around the stages saw it.",
)
rows = [(way.__name__.replace("_", " "), pictures.throughput(way.__name__)) for way in HINTS]
record.figure(
    "throughput",
    lambda: plots.bars(rows, "inferences/s", quantity="Throughput", reference="loop"),
    alt="One bar per way of calling: pictures per second with its interval, the loop as reference.",
    caption=f"{RESNET50.title}, a photograph decoded, resized and scaled ahead of every inference.",
)

# %%
# Everything with its interval:

record.publish()
