"""
From PyTorch to INT8 in throughput mode
=======================================

The best development step and the best deployment step, from PyTorch eager to the end, for a convolutional
network and a transformer. Every step is a variant of the same session, so the steps can be multiplied, and
four of them form the square that tells whether the two ways to improve are independent.
"""

# %%
# The last step in OpenVINO's own words
# -------------------------------------
#
# An 8-bit model, the THROUGHPUT hint, and as many requests in flight as the device calls optimal. That is
# all there is to write; everything before it was preparation.

from dataclasses import replace
from itertools import pairwise

import numpy as np
import openvino as ov

from optguide import OpenVINO, PyTorch, Recording, Variant, measure, plots
from optguide.guide import profiles, workloads

sentences = workloads.sentences()
sentences_int8 = workloads.sentences_int8()
tokens = dict(np.load(sentences.inputs))

compiled = ov.Core().compile_model(sentences_int8.ir, "CPU", {"PERFORMANCE_HINT": "THROUGHPUT"})
queue = ov.AsyncInferQueue(compiled)
embeddings = []
queue.set_callback(lambda request, number: embeddings.append(request.get_output_tensor().data.copy()))
for number in range(8):
    queue.start_async(tokens, userdata=number)
queue.wait_all()
print(f"{len(embeddings)} embeddings, at most {len(queue)} at a time")

# %%
# Two models, five steps
# ----------------------
#
# Each step keeps what the one before it has done. The first three run one inference after another. The
# sixth variant is no step: it is the deployment step without the development step, the missing corner of
# the square.

EAGER, F32, DEFAULT, INT8 = "PyTorch eager", "OpenVINO, f32", "default precision", "INT8"
BOTH, DEPLOYED = "INT8, throughput mode", "default, throughput mode"
steps = (EAGER, F32, DEFAULT, INT8, BOTH)
parts = {
    EAGER: "eager",
    F32: "f32",
    DEFAULT: "default",
    INT8: "int8",
    BOTH: "int8_throughput",
    DEPLOYED: "default_throughput",
}


def variants(original: workloads.Workload, quantized: workloads.Workload) -> list[Variant]:
    inputs = (original.inputs,)
    busy = OpenVINO(properties={"PERFORMANCE_HINT": "THROUGHPUT"}, requests=0)
    return [
        Variant(EAGER, runtime=PyTorch(), model=original.torch, inputs=inputs),
        Variant(F32, model=original.ir, runtime=OpenVINO(precision="f32"), inputs=inputs),
        Variant(DEFAULT, model=original.ir, inputs=inputs),
        Variant(INT8, model=quantized.ir, inputs=inputs),
        Variant(BOTH, model=quantized.ir, inputs=inputs, runtime=busy),
        Variant(DEPLOYED, model=original.ir, inputs=inputs, runtime=busy),
    ]


resnet50 = workloads.resnet50()
pairs = [(resnet50, workloads.resnet50_int8()), (sentences, sentences_int8)]
budget = profiles.current().budget
results = {
    original: measure(
        variants(original, quantized),
        replace(budget, seconds=0.8 * budget.seconds),
        label=f"every step, {original.name}",
    )
    for original, quantized in pairs
}

# %%
# What each step brought
# ----------------------
#
# The gain of a step is its ratio to the step before, the total its ratio to PyTorch eager. Throughput is what
# all steps have in common. For latency the best is the last step that runs one inference at a time.

record = Recording("deploy/put_together", declares=("together.resnet50.*", "together.sentences.*"))
for workload, result in results.items():
    topic = f"together.{workload.name}"
    record.add_session(topic, result, names=parts, title=workload.title)
    gains = {after: result.compare(before, after, "throughput") for before, after in pairwise(steps)}
    for step, gain in gains.items():
        record.add_comparison(f"{topic}.gain.{parts[step]}", gain, label=f"{workload.title}, {step}: gain")
    total = result.compare(EAGER, BOTH, "throughput")
    record.add_comparison(f"{topic}.total", total, label=f"{workload.title}, all steps, throughput")
    shorter = result.compare(EAGER, INT8, "latency")
    record.add_comparison(f"{topic}.total_latency", shorter, label=f"{workload.title}, {INT8}, latency")

    rows = [(EAGER, result.throughput(EAGER), None, None)] + [
        (step, result.throughput(step), gain.ratio, result.compare(EAGER, step, "throughput").ratio)
        for step, gain in gains.items()
    ]
    record.figure(
        f"steps-{workload.name}",
        lambda rows=rows: plots.steps(rows, quantity="Throughput"),
        alt=f"One bar per step for {workload.title}: throughput with its interval, the gain on the step "
        "before and on PyTorch eager.",
        caption=f"{workload.title}, one input per inference: throughput after each step, with the factor to "
        "the step before and to PyTorch eager.",
    )

# %%
# Two independent ways?
# ---------------------
#
# If the steps were independent, the gain of both would be the product of the single gains. The interaction
# is the one divided by the other: 1 where they multiply, less where each takes away from the other.

for workload, result in results.items():
    topic = f"together.{workload.name}"
    corners = (
        ("development", DEFAULT, INT8, "quantizing alone"),
        ("deployment", DEFAULT, DEPLOYED, "throughput mode alone"),
        ("both", DEFAULT, BOTH, "both"),
    )
    for name, a, b, words in corners:
        gain = result.compare(a, b, "throughput")
        label = f"{workload.title}, {words} against the default: throughput"
        record.add_comparison(f"{topic}.square.{name}", gain, label=label)
    interaction = result.interaction(DEFAULT, INT8, DEPLOYED, BOTH)
    record.add(
        f"{topic}.square.interaction",
        interaction,
        label=f"{workload.title}, gain of both divided by the product of the gains",
    )

record.publish()
