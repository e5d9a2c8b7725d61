"""
Set precision, dynamic quantization and denormals
=================================================

Inference precision, execution mode, dynamic quantization, the precision of a KV
cache, denormals: properties that may trade exactness for speed. Each is compared
with 32-bit floats, in latency and in the error of the output.

Explained in :doc:`/deploy/device-tuning`. Install: ``pip install
"optguide[frameworks,models]"``.
"""

# %%
# A hint, and what became of it
# -----------------------------
#
# What a device made of a hint is read back from the compiled model: a precision
# that the processor does not have can be replaced by another one without a word.

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from optguide import OpenVINO, Recording, Variant, measure, plots
from optguide.guide import profiles, workloads
from optguide.guide.workloads import retrieval
from optguide.guide.workloads.minilm import INPUTS
from optguide.paths import build_dir
from optguide.stats import accuracy

workloads.no_telemetry()

import nncf
import openvino as ov

core = ov.Core()
encoder, sentence, tiny = (
    workloads.sentences_dynamic(),
    workloads.sentences(),
    workloads.tiny(),
)
for asked in ("f32", "bf16", "f16"):
    try:
        compiled = core.compile_model(
            encoder.ir, "CPU", {"INFERENCE_PRECISION_HINT": asked}
        )
    except RuntimeError:
        print(f"asked for {asked}: refused")
    else:
        chosen = compiled.get_property("INFERENCE_PRECISION_HINT").get_type_name()
        print(f"asked for {asked}: {chosen}")

# %%
# Compressed weights
# ------------------
#
# Dynamic quantization needs compressed weights: while the model runs, it quantizes
# the inputs of those layers to 8 bits, in groups that share a scale.


def compress(folder: Path, source: str) -> None:
    model = nncf.compress_weights(ov.Core().read_model(source))
    ov.save_model(model, folder / "model.xml", compress_to_fp16=False)


compressed = (
    workloads.cached_artifact(compress, source=str(encoder.ir)) / "model.xml"
)
record = Recording("deploy/device_tuning", declares=("tuning.*",))

# %%
# Denormals
# ---------
#
# Floats nearer to zero than about 1.2e-38 are denormal, and many processors handle
# them slowly. With ``CPU_DENORMALS_OPTIMIZATION`` they count as zero, by two flags
# that every thread has. ``compile_model`` sets them in the thread that calls it,
# and threads that are made later inherit them. So they also change what that thread
# itself computes afterwards:

zeros = {"CPU_DENORMALS_OPTIMIZATION": "YES"}


def denormals_lost(properties):
    core.compile_model(tiny.ir, "CPU", properties)
    return bool(np.float32(1e-38) * np.float32(0.1) == 0)


for properties in ({}, zeros):
    with ThreadPoolExecutor(1) as thread:
        lost = thread.submit(denormals_lost, properties).result()
    print(f"{properties or 'default'}: afterwards NumPy loses denormals: {lost}")

# %%
# For the speed, four dense layers get a batch of 64: once of usual values, once
# with all rows but the first so small that every number on the way is denormal. In
# bf16 the processor's own instructions drop denormals, so this is done in 32-bit
# floats.

folder = build_dir() / "caches" / "device_tuning"
folder.mkdir(parents=True, exist_ok=True)
usual = np.random.default_rng(0).standard_normal((64, 256), dtype=np.float32)
scale = np.array([1.0, *[1e-39] * 63], np.float32)[:, None]
np.savez(folder / "usual.npz", x=usual)
np.savez(folder / "denormal.npz", x=usual * scale)

batched = OpenVINO(batch=64, precision="f32")
plain = Variant("usual", tiny.ir, batched, inputs=(folder / "usual.npz",))
denormal = plain.with_("denormal", inputs=(str(folder / "denormal.npz"),))
small = {
    "usual": plain,
    "denormal": denormal,
    "zero": denormal.with_("denormal, as zero", properties=zeros),
    "usual_zero": plain.with_("usual, as zero", properties=zeros),
}
denormals = measure(small.values(), profiles.budget(0.3), control=True)

# %%
# The settings
# ------------
#
# The sentence encoder has weights in 32-bit floats and no KV cache; the setting for
# the cache is there to show that. Kernels for bf16 on AMX cannot quantize
# dynamically, so the rows on groups pin f32.

f32, groups = {"INFERENCE_PRECISION_HINT": "f32"}, "DYNAMIC_QUANTIZATION_GROUP_SIZE"
settings = {
    "f32": (encoder.ir, f32),
    "performance": (encoder.ir, {"EXECUTION_MODE_HINT": "PERFORMANCE"}),
    "accuracy": (encoder.ir, {"EXECUTION_MODE_HINT": "ACCURACY"}),
    "bf16": (encoder.ir, {"INFERENCE_PRECISION_HINT": "bf16"}),
    "f16": (encoder.ir, {"INFERENCE_PRECISION_HINT": "f16"}),
    "kv": (encoder.ir, f32 | {"KV_CACHE_PRECISION": "f32"}),
    "unquantized": (compressed, f32 | {groups: "0"}),
    "group32": (compressed, f32 | {groups: "32"}),
    "group128": (compressed, f32 | {groups: "128"}),
}
text = Variant("f32", encoder.ir, OpenVINO(shapes=dict.fromkeys(INPUTS, (1, 128))))
text = text.with_("f32", inputs=(sentence.inputs,))
rows = {
    name: text.with_(name, model=str(model), properties=properties)
    for name, (model, properties) in settings.items()
}
result = measure(rows.values(), profiles.budget(0.8))

# %%
# What they do to the output
# --------------------------
#
# Every setting embeds the same texts. The error is the distance from the embedding
# in 32-bit floats as a share of its length (relative L2), text by text. A search
# compares embeddings by their cosine, which is about one minus half the square of
# the error.

texts = [body for _, body in retrieval.pairs(100 if profiles.full() else 24)]


def embed(model, properties):
    return retrieval.embed(core.compile_model(model, "CPU", properties), texts)


def distance(a, b):
    return np.linalg.norm(a - b, axis=1) / np.linalg.norm(b, axis=1)


exact, errors = embed(*settings["f32"]), {}
for name in result.series:
    embeddings = embed(*settings[name])
    lengths = np.linalg.norm(exact, axis=1) * np.linalg.norm(embeddings, axis=1)
    cosine = accuracy.mean_of_samples(
        (exact * embeddings).sum(axis=1) / lengths, ""
    )
    errors[name] = distance(embeddings, exact)
    error = accuracy.mean_of_samples(errors[name], "share")
    entries = {
        "distance": (error, f"{name}: error"),
        "similarity": (cosine, f"{name}: cosine"),
    }
    record.values(f"tuning.{name}", entries)

# %%
# What they gain, and whether dynamic quantization happens where nobody pins a
# precision: if the kernels of this processor cannot do it, outputs with groups and
# without are equal.

pairs = "performance/accuracy accuracy/f32 bf16/f32 f16/f32 kv/f32"
pairs += " group32/unquantized group128/group32"
pairs = {
    pair.replace("/", "_over_"): pair.split("/")[::-1] for pair in pairs.split()
}
gains = record.ratios("tuning", result, pairs)
record.session("tuning", result, rows)
record.figure(
    "gains",
    lambda: plots.ratios(list(gains.items())),
    alt="Forest plot: how much faster each setting is than the one it is held "
    "against.",
    caption="The setting named first against the other.",
)
if "group128" in errors:
    loss = accuracy.mean_of_samples(errors["group128"] - errors["group32"], "share")
    record.values(
        "tuning", {"group128_loss": (loss, "groups of 128 beyond those of 32")}
    )
    grouped, plain = (embed(compressed, {groups: size}) for size in ("32", "0"))
    apart = accuracy.mean_of_samples(distance(grouped, plain), "share")
    record.values(
        "tuning.default_groups", {"distance": (apart, "groups of 32 against none")}
    )
else:
    record.unavailable("tuning.*group*", "this device refuses a group size")
for name, refusal in result.failures.items():
    record.unavailable(f"tuning.{name}.*", refusal.message)
denormal_pairs = {
    "usual_over_denormal": ("denormal", "usual"),
    "zero_over_denormal": ("denormal", "denormal, as zero"),
    "usual_as_zero": ("usual", "usual, as zero"),
}
record.ratios("tuning.denormals", denormals, denormal_pairs)
record.session("tuning.denormals", denormals, small)
for part, variant in small.items():
    share = float(np.mean(denormals.series[variant.name].outputs[0] == 0))
    record.values(
        f"tuning.denormals.{part}", {"zeros": (share, "share", variant.name)}
    )
apart = denormals.agreement("usual", "usual, as zero").max_rel
record.values(
    "tuning.denormals", {"apart": (apart, "share", "usual values, as zero")}
)
record.publish()
