"""
Quantize real models
====================

Four published models on tasks whose answers are known: photographs, lines of text, types
of files, the pitch of tones. Each runs in 32-bit floats, in the default precision and in 8
bits; where that costs too much, one argument mends it.
"""

# %%
# To 8 bits
# ---------
#
# Calibration sees samples, never labels. Two models need more than the plain call. Channels
# of depthwise layers differ more in range than one scale per tensor holds; without them
# the image model keeps its accuracy. The text reader attends like a transformer, and has
# to be declared one.

from dataclasses import replace
from pathlib import Path

from optguide import Recording, Variant, measure, plots
from optguide.guide import profiles, workloads
from optguide.guide.workloads import packaged_evaluation as real
from optguide.guide.workloads.packaged_tasks import TASKS

workloads.no_telemetry()

import nncf
import openvino as ov


def compress(folder: Path, task: str, source: str, way: str, count: int) -> None:
    model = ov.Core().read_model(source)
    samples = nncf.Dataset(real.data(task, count, part=1).inputs)
    depthwise = nncf.IgnoredScope(types=["GroupConvolution"])
    if way == "weights":
        model = nncf.compress_weights(model, mode=nncf.CompressWeightsMode.INT8_ASYM)
    elif way == "int8":
        model = nncf.quantize(model, samples, subset_size=count)
    elif task == "photos":
        model = nncf.quantize(model, samples, subset_size=count, ignored_scope=depthwise)
    else:
        transformer = nncf.ModelType.TRANSFORMER
        model = nncf.quantize(model, samples, subset_size=count, model_type=transformer)
    ov.save_model(model, folder / "model.xml", compress_to_fp16=False)


WAYS = {"photos": ("weights", "int8", "mended"), "lines": ("weights", "int8", "mended")}
WAYS |= {"files": ("int8",), "tones": ("int8",)}
SAMPLES = {"photos": 60, "lines": 10, "files": 60, "tones": 20}
models = {}
for task, ways in WAYS.items():
    original = TASKS[task].workload().ir
    models[task] = {"f32": original, "default": original}
    for way in ways:
        options = {"source": str(original), "way": way, "count": SAMPLES[task]}
        models[task][way] = workloads.cached_artifact(compress, task=task, **options) / "model.xml"

# %%
# What they answer
# ----------------
#
# One inference at a time. With 8-bit weights, several at a time too: the same file has to
# give the same answers in throughput mode.

full = profiles.current().name == "full"
COUNTS = {"photos": 200, "lines": 60, "files": 300, "tones": 60}
if full:
    COUNTS = {"photos": 600, "lines": 800, "files": 500, "tones": 500}
right = {}
for task, each in models.items():
    runs = {part: (model, {"PERFORMANCE_HINT": "LATENCY"}) for part, model in each.items()}
    runs["f32"][1]["INFERENCE_PRECISION_HINT"] = "f32"
    if "weights" in each:
        runs["weights_busy"] = (each["weights"], {"PERFORMANCE_HINT": "THROUGHPUT"})
    for part, (model, properties) in runs.items():
        answers = real.evaluate(task, model, COUNTS[task], **properties)
        right[task, part] = real.correct(task, answers, COUNTS[task])

# %%
# What they lose
# --------------
#
# Against 32-bit floats, paired by sample. Crops of a photograph succeed and fail together,
# so of photographs each counts once.

record = Recording("optimize/real_models", declares=("real.*",))
NAMES = {"f32": "32-bit floats", "default": "default precision", "int8": "INT8"}
NAMES |= {"mended": "INT8, mended", "weights": "INT8 weights"}
NAMES["weights_busy"] = "INT8 weights, several at once"
for (task, part), answered in right.items():
    label, topic = f"{task}, {NAMES[part]}", f"real.{task}.{part}"
    record.add(f"{topic}.accuracy", real.share(task, answered), label=f"{label}: accuracy")
    if part != "f32":
        lost = real.loss(task, "f32", right[task, "f32"], NAMES[part], answered)
        record.add(f"{topic}.drop", lost, label=f"{label}: loss against 32-bit floats")
for task in ("photos", "lines"):
    won = real.loss(task, "mended", right[task, "mended"], "INT8", right[task, "int8"])
    record.add(f"real.{task}.won_back", won, label=f"{task}: points won back by one argument")

# %%
# How fast they are
# -----------------
#
# One inference at a time, each model's variants in turn.

gains = {}
for task, each in models.items():
    inputs = (TASKS[task].workload().inputs,)
    variants = {
        part: Variant(NAMES[part], model=model, inputs=inputs)
        for part, model in each.items()
        if part != "weights"
    }
    variants["f32"] = variants["f32"].with_(NAMES["f32"], precision="f32")
    budget = profiles.current().budget
    budget = replace(budget, seconds=budget.seconds / 2)
    result = measure(list(variants.values()), budget, label=f"{task} in 8 bits")
    names = {NAMES[part]: part for part in variants}
    record.add_session(f"real.{task}", result, names=names, title=task)
    for part in list(variants)[1:]:
        before = NAMES["f32" if part == "default" else "default"]
        gain = result.compare(before, NAMES[part])
        gains[f"{task}: {NAMES[part]} against {before}"] = gain.ratio
        record.add_comparison(f"real.{task}.gain.{part}", gain)
    if "mended" in variants:
        cost = result.compare(NAMES["int8"], NAMES["mended"])
        record.add_comparison(f"real.{task}.cost", cost)

record.figure(
    "gains",
    lambda: plots.ratios(list(gains.items()), quantity="Latency"),
    alt="Forest plot: latency of four models in the default precision and in 8 bits.",
    caption="How many times faster an inference is, one at a time.",
)
record.table(
    "models",
    ("Model", "Licence", "Packages", "SHA-256 of the weights"),
    [
        (
            task.title,
            task.licence,
            ", ".join(sorted({f"{f.distribution} {f.version}" for f in task.files})),
            task.files[0].sha256[:16],
        )
        for task in TASKS.values()
    ],
    caption="Where the real models come from; the whole checksums are checked when one is used.",
)
record.publish()
