"""
Tell a difference from noise
============================

Learn to compare two settings so that the answer survives a repeat: let them take
turns instead of timing one after the other, and run a control beside them.

Explained in :doc:`/measure/credible-numbers`. Install: ``pip install
"optguide[frameworks,models]"``.
"""

import random
import subprocess
import sys
import time

import numpy as np
import openvino as ov

from optguide import Recording, Variant, measure, plots
from optguide.guide import profiles, workloads
from optguide.machine import measuring_lock
from optguide.stats.comparison import scatter, scatter_ratio
from optguide.stats.estimate import median_of_rounds

# %%
# Two settings to compare
# -----------------------
#
# A tiny network pinned to 32-bit floats, and in the device's default precision. It
# is so quick that every ratio below rests on thousands of inferences.

tiny, core = workloads.tiny(), ov.Core()
x = ov.Tensor(np.load(tiny.inputs)["x"])
pinned = core.compile_model(tiny.ir, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
default = core.compile_model(tiny.ir, "CPU")
requests = [model.create_infer_request() for model in (pinned, default)]
for request in requests:
    request.set_input_tensor(x)

# %%
# A block repeats one inference for 20 ms. Its first call is not timed, because the
# other setting has just used the caches.


def block(request):
    request.infer()
    calls, start = 0, time.perf_counter()
    while (passed := time.perf_counter() - start) < 0.02:
        request.infer()
        calls += 1
    return passed / calls


def ratio(order):
    blocks = [], []
    for which in order:
        blocks[which].append(block(requests[which]))
    return float(np.median(np.divide(*blocks)))


# %%
# Two orders of the same blocks, repeated
# ---------------------------------------
#
# Either all blocks of one setting come first, or the two take turns, in a new
# random order each time. Then a second process keeps one core busy in bursts, and
# the repeats go on beside it.

bursts = """
import random, time
for _ in range(100):
    stop = time.monotonic() + random.uniform(0.1, 0.6)
    while time.monotonic() < stop:
        pass
    time.sleep(random.uniform(0.1, 0.6))
"""
repeats, rounds = (12, 10) if profiles.full() else (6, 4)
ratios = {}
with measuring_lock("credible numbers"):
    for condition, code in {"as_is": "", "disturbed": bursts}.items():
        process = subprocess.Popen([sys.executable, "-c", code])
        for _ in range(repeats):
            turns = [random.sample((0, 1), 2) for _ in range(rounds)]
            orders = {
                "sequential": [0] * rounds + [1] * rounds,
                "interleaved": np.concatenate(turns),
            }
            for name in random.sample(list(orders), 2):
                way = f"{condition}.{name}.wall"
                ratios.setdefault(way, []).append(ratio(orders[name]))
        process.kill()
        process.wait()

# %%
# A control
# ---------
#
# :func:`optguide.measure` takes turns in the same way, with a process per variant.
# ``control=True`` adds a twin: the model is compared with itself.

variant = Variant("default", model=tiny.ir, inputs=(tiny.inputs,))
session = measure([variant], profiles.budget(0.6), control=True)

# %%
# How far the repeats of one ratio scatter
# ----------------------------------------

record = Recording("measure/credible_numbers", declares=("credible.*",))
medians = {way: median_of_rounds(values, "ratio") for way, values in ratios.items()}
for way, values in ratios.items():
    record.values(f"credible.{way}", {"scatter": (scatter(values), way)})
for condition in ("as_is", "disturbed"):
    wide, narrow = (ratios[f"{condition}.{name}.wall"] for name in orders)
    entry = {"narrowing": (scatter_ratio(wide, narrow), "scatter, in turns or not")}
    record.values(f"credible.{condition}", entry, above="larger")
record.values("credible", {"control": (session.control, "A model against itself")})
record.figure(
    "repeats",
    lambda: plots.ratios(list(medians.items())),
    alt="Forest plot of one ratio, one row per way of measuring.",
    caption="The default precision against f32, measured repeatedly in two orders. "
    "Disturbed rows ran beside a process that keeps a core busy half of the time.",
)
record.publish()
