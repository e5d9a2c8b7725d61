"""
Run two models on one machine, at once or in turn
=================================================

Learn what an image classifier and a sentence encoder lose beside each other, and
what helps: one process or two, calls in turn, threads split, cores reserved.

Explained in :doc:`/deploy/several-models`. Install: ``pip install
"optguide[frameworks,models]"``.
"""

from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
import openvino as ov

from optguide import Recording, Variant
from optguide.bench.colocation import Group, colocate
from optguide.guide import profiles, workloads

# %%
# Two models in one process
# -------------------------
#
# Compile both, and call each from a thread of its own. By default each has as many
# threads as there are cores: twice as many as can run.

resnet50, sentences = workloads.resnet50_int8(), workloads.sentences()
image, text = (dict(np.load(w.inputs)) for w in (resnet50, sentences))

core = ov.Core()
classifier = core.compile_model(resnet50.ir, "CPU")
encoder = core.compile_model(sentences.ir, "CPU")
print(encoder.get_property("INFERENCE_NUM_THREADS"), "threads for each")
classifier(image), encoder(text)
with ThreadPoolExecutor(2) as threads:
    both = threads.submit(classifier, image), threads.submit(encoder, text)
print(*(answer.result()[0].shape for answer in both))

# %%
# Calls in turn
# -------------
#
# A pool of a single thread runs one inference at a time, in the order of the calls.

with ThreadPoolExecutor(1) as turns:
    both = turns.submit(classifier, image), turns.submit(encoder, text)
print(*(answer.result()[0].shape for answer in both))

# %%
# Half of the threads for each
# ----------------------------
#
# On Linux threads are pinned by default, and every model counts the cores from the
# first one. ``ENABLE_CPU_RESERVATION`` keeps the models of one process apart.

half = max(1, encoder.get_property("INFERENCE_NUM_THREADS") // 2)
split = {"INFERENCE_NUM_THREADS": str(half)}
reserved = {**split, "ENABLE_CPU_RESERVATION": "YES"}
classifier = core.compile_model(resnet50.ir, "CPU", reserved)
print(classifier.get_property("INFERENCE_NUM_THREADS"), "of its own")

# %%
# All ways in one session
# -----------------------
#
# In turn, the latency of a call includes the wait for the other model.

first = Variant("resnet50", model=resnet50.ir, inputs=(resnet50.inputs,))
second = Variant("minilm", model=sentences.ir, inputs=(sentences.inputs,))
models = (first, second)
halves = tuple(model.with_(model.name, properties=split) for model in models)
apart = tuple(model.with_(model.name, properties=reserved) for model in models)
groups = {
    "one_process": Group("one process", models, "process"),
    "two_processes": Group("two processes", models),
    "turns": Group("in turn", models, "turns"),
    "split": Group("split", halves, "process"),
    "reserved": Group("reserved", apart, "process"),
}
alone = [Group("alone", (first,)), Group("alone", (second,))]
result = colocate([*alone, *groups.values()], profiles.budget(1.35))

# %%
# What company costs
# ------------------
#
# Latency against that of each model alone, and one way against another.

record = Recording("deploy/several_models", declares=("several.*",))
longer = {}
for model in ("resnet50", "minilm"):
    names = {part: group.of(model) for part, group in groups.items()}
    one, two, turn, halved, own_cores = names.values()
    solo = alone[0].of(model)
    parts = {f"{part}.{model}": name for part, name in names.items()}
    longer |= {part: (solo, name) for part, name in parts.items()}
    record.session("several", result, {f"alone.{model}": solo, **parts})
    record.ratios("several.gain", result, {f"turns.{model}": (one, turn)})
    gains = {
        f"apart.{model}": (two, one),
        f"reserving.{model}": (halved, own_cores),
    }
    record.ratios("several.gain", result, gains, "throughput")
    tail = partial(result.compare_percentile, one, halved, 95)
    entry = {f"split.{model}": (tail, f"{model}: p95, threads split or not")}
    record.values("several.tail", entry, above="faster")
caption = "Two models at once: median latency against each alone."
record.ratios("several.longer", result, longer, above="longer", caption=caption)
record.publish()
