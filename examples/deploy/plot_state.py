"""
Carry the state of a recurrent network from call to call
========================================================

You learn what a state is, how OpenVINO can keep it inside the model, when to reset
it, and how random inputs can time a network that nobody uses.

Explained in :doc:`/deploy/state`. Install: ``pip install
"optguide[frameworks,models]"``, then ``pip install --no-deps -r
conf/requirements/packaged.txt`` for the model.
"""

# %%
# A state that the program carries
# --------------------------------
#
# Silero VAD says how likely 32 ms of sound are speech. What it has heard before is
# its state: an output of one call, and an input of the next. The sound is like a
# vowel: harmonics of a voice around three resonances.

import numpy as np
import openvino as ov
from openvino.passes import MakeStateful, Manager

from optguide import Recording, Variant, measure
from optguide.guide import profiles
from optguide.guide.workloads.packaged_tasks import SILERO, SILERO_TWO_RATES

(path,), (two_rates,) = SILERO.locate(), SILERO_TWO_RATES.locate()
phase = 2 * np.pi * 120 / 16_000 * np.arange(576 + 512 * 15)
harmonics = (5, 6, 7, 9, 10, 11, 21, 22, 23)
sound = np.float32(0.1 * sum(np.sin(number * phase) for number in harmonics))
frames = np.lib.stride_tricks.sliding_window_view(sound, 576)[::512, None]
nothing = np.zeros((2, 1, 128), np.float32)

compiled = ov.compile_model(path, "CPU")
state, carried = nothing, []
for frame in frames:
    answer = compiled({"input": frame, "state": state})
    carried.append(answer["output"].item())
    state = answer["stateN"]
print("probabilities:", np.round(carried, 2))

# %%
# A state that the model keeps
# ----------------------------
#
# ``MakeStateful`` turns the pair of input and output into a variable of the model.
# Each request has its own, and keeps it until ``reset_state``.


def stateful():
    model = ov.Core().read_model(path)
    passes = Manager()
    passes.register_pass(MakeStateful({"state": "stateN"}))
    passes.run_passes(model)
    return ov.compile_model(model, "CPU").create_infer_request()


request, apart = stateful(), {}
for name in ("kept", "not_reset", "reset"):
    if name == "reset":
        request.reset_state()
    heard = [request.infer({"input": frame})["output"].item() for frame in frames]
    apart[name] = float(np.abs(np.subtract(heard, carried)).max())
    print(f"{name}: {np.round(heard, 2)}")

# %%
# What it saves, and what random inputs do
# ----------------------------------------
#
# A call takes a fraction of a millisecond, so what Python does shows. Another file
# has a network for each of two sample rates, and the rate as an input. One drawn at
# random is neither, and runs the network that is not meant for such frames.


def carrying():
    request = ov.compile_model(path, "CPU").create_infer_request()
    inputs = {"input": frames[0], "state": nothing}

    def call():
        inputs["state"] = request.infer(inputs)["stateN"]

    return call


def keeping():
    request = stateful()
    return lambda: request.infer({"input": frames[0]})


def at_rate(rate):
    request = ov.compile_model(two_rates, "CPU").create_infer_request()
    inputs = {"input": frames[0], "state": nothing, "sr": np.array(rate)}
    return lambda: request.infer(inputs)


variants = {
    "carried": Variant.from_function("carried", carrying),
    "kept": Variant.from_function("kept", keeping),
    "real": Variant.from_function("real rate", lambda: at_rate(16_000)),
    "random": Variant.from_function("random rate", lambda: at_rate(12_345)),
}
result = measure(variants.values(), profiles.budget(0.5))

# %%
# What it came to
# ---------------

record = Recording("deploy/state", declares=("state.*",))
pairs = {"kept": ("carried", "kept"), "random": ("real rate", "random rate")}
record.session("state", result, variants)
record.ratios("state.gain", result, pairs, caption="Silero VAD, 32 ms of sound.")
entries = {
    name: (100 * value, "points", f"{name}: apart") for name, value in apart.items()
}
record.values("state.apart", entries)
record.publish()
