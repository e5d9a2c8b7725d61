"""
Compare releases of OpenVINO on this machine
============================================

Did the upgrade make the model slower? The last releases of 2024 and 2025 and the
current one take turns in one session, each in an environment of its own: latency,
throughput, the first inference, and what the answers differ by.

Explained in :doc:`/measure/across-releases`. Install: ``pip install
"optguide[frameworks,models]"``.
"""

# %%
# Each release in its own environment
# -----------------------------------
#
# Two releases cannot share an interpreter. ``python -m venv`` and ``pip install
# openvino==2024.6.0`` make a place for one; what runs in it is the same few lines.

import subprocess
import sys

from optguide import Recording, Variant, first_inference, measure, plots
from optguide.guide import environments, profiles, workloads

resnet50, sentences = workloads.resnet50(), workloads.sentences()
by_hand = """
import sys
import numpy as np
import openvino as ov
model, inputs = sys.argv[1:]
compiled = ov.Core().compile_model(model, "CPU")
answer = compiled(dict(np.load(inputs)))[0]
print(ov.get_version().partition("-")[0], answer.ravel()[:3])
"""

record = Recording("measure/across_releases", declares=("releases.*",))
older = {"2024_6": "openvino-older", "2025_4": "openvino-2025"}
pythons = {"current": sys.executable}
for part, name in older.items():
    with record.attempt(f"releases.*{part}*"):
        pythons[part] = str(environments.python_of(name))
for python in pythons.values():
    command = [python, "-I", "-c", by_hand, resnet50.onnx, resnet50.inputs]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    print(done.stdout.strip())

# %%
# Taking turns
# ------------
#
# One release today and another one tomorrow would compare the days. Here they take
# turns. All read the same ONNX file: an IR of the current release is not meant for
# older ones. A convolutional network and a transformer, since what is changed for
# one need not touch the other.

labels = {part: f"OpenVINO {part.replace('_', '.')}" for part in older}


def of_all_releases(model):
    current = Variant("current release", model=model.onnx, inputs=(model.inputs,))
    others = {
        part: current.with_(labels[part], interpreter=pythons[part])
        for part in older
        if part in pythons
    }
    return others | {"current": current}


images, texts = of_all_releases(resnet50), of_all_releases(sentences)
sessions = {
    "resnet50": (measure(images.values(), profiles.budget(0.7)), images),
    "sentences": (measure(texts.values(), profiles.budget(0.7)), texts),
}
starts = first_inference(list(images.values()), profiles.current().repeats)

# %%
# What the upgrades brought
# -------------------------
#
# Ratios of the current release to each older one: above one, it is faster.

shown = {}
for topic, (result, variants) in sessions.items():
    record.session(f"releases.{topic}", result, variants, title=topic)
    pairs = {p: (v, variants["current"]) for p, v in variants.items() if p in older}
    gains = record.ratios(f"releases.{topic}.upgrade", result, pairs, title=topic)
    for part, gain in zip(pairs, gains.values(), strict=True):
        shown[f"{topic}, against {part.replace('_', '.')}"] = gain
        largest = result.agreement("current release", labels[part]).max_rel
        entry = (largest, "share", f"{labels[part]}: largest difference of outputs")
        record.values(f"releases.differ.{part}", {topic: entry})
record.figure(
    "upgrades",
    lambda: plots.ratios(list(shown.items()), quantity="Latency"),
    alt="Forest plot: the current release against each older one, for two models.",
    caption="Latency of the current release against older ones.",
)
record.starts("releases.start", starts, images, ("import", "total"))
totals = {p: (v, images["current"]) for p, v in images.items() if p in older}
record.ratios("releases.start.upgrade", starts, totals, "total")
record.publish()
