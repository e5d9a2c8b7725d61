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
from dataclasses import replace
from pathlib import Path

import numpy as np

from optguide import OpenVINO, Recording, Variant, measure, plots
from optguide.errors import NotEnoughSamples, PropertyError
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
# Denormals
# ---------
#
# Floats nearer to zero than about 1.2e-38 are denormal, and many processors handle
# them slowly. With ``CPU_DENORMALS_OPTIMIZATION`` they count as zero, by two flags
# that every thread has. ``compile_model`` sets them in the thread that calls it,
# and threads that are made later inherit them. So they also change what that thread
# itself computes afterwards:

ZEROS = {"CPU_DENORMALS_OPTIMIZATION": "YES"}


def denormals_lost(properties):
    """Whether NumPy takes denormals for zero in a thread that compiled a model."""
    core.compile_model(tiny.ir, "CPU", properties)
    return bool(np.float32(1e-38) * np.float32(0.1) == 0)


for properties in ({}, ZEROS):
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

plain = Variant(
    "usual",
    model=tiny.ir,
    runtime=OpenVINO(batch=64, precision="f32"),
    inputs=(folder / "usual.npz",),
)
denormal = plain.with_("denormal", inputs=(folder / "denormal.npz",))
budget = profiles.current().budget
zero = [
    row.with_(f"{row.name}, as zero", properties=ZEROS) for row in (plain, denormal)
]
denormals = measure(
    [plain, denormal, *zero],
    replace(budget, seconds=0.3 * budget.seconds),
    control=True,
    label="denormals",
)
# %%
# The settings
# ------------
#
# The sentence encoder has weights in 32-bit floats and no KV cache; the setting for
# the cache is there to show that. Dynamic quantization needs compressed weights:
# while the model runs, it quantizes the inputs of those layers to 8 bits, in groups
# that share a scale. Not every kernel can do that, those for bf16 on AMX among
# them, so these rows pin f32.


def compress(folder: Path, source: str) -> None:
    model = nncf.compress_weights(ov.Core().read_model(source))
    ov.save_model(model, folder / "model.xml", compress_to_fp16=False)


floats, compressed = (
    encoder.ir,
    workloads.cached_artifact(compress, source=str(encoder.ir)) / "model.xml",
)
F32, GROUP = {"INFERENCE_PRECISION_HINT": "f32"}, "DYNAMIC_QUANTIZATION_GROUP_SIZE"
settings = {
    "f32": ("f32", floats, F32),
    "performance": (
        "PERFORMANCE mode (default)",
        floats,
        {"EXECUTION_MODE_HINT": "PERFORMANCE"},
    ),
    "accuracy": ("ACCURACY mode", floats, {"EXECUTION_MODE_HINT": "ACCURACY"}),
    "bf16": ("bf16", floats, {"INFERENCE_PRECISION_HINT": "bf16"}),
    "f16": ("f16", floats, {"INFERENCE_PRECISION_HINT": "f16"}),
    "kv": ("f32, KV cache in f32", floats, F32 | {"KV_CACHE_PRECISION": "f32"}),
    "unquantized": ("INT8 weights, f32, no groups", compressed, F32 | {GROUP: "0"}),
    "group32": ("INT8 weights, f32, groups of 32", compressed, F32 | {GROUP: "32"}),
    "group128": (
        "INT8 weights, f32, groups of 128",
        compressed,
        F32 | {GROUP: "128"},
    ),
}
one_text = dict.fromkeys(INPUTS, (1, 128))
result = measure(
    [
        Variant(
            label,
            model=model,
            runtime=OpenVINO(properties=properties, shapes=one_text),
            inputs=(sentence.inputs,),
        )
        for label, model, properties in settings.values()
    ],
    replace(budget, seconds=0.8 * budget.seconds),
    label="settings",
)

# %%
# What they do to the output
# --------------------------
#
# Every setting embeds the same texts. The error is the distance from the embedding
# in 32-bit floats as a share of its length (relative L2), text by text; the
# interval of its mean says what other texts of this kind would give. A search
# compares embeddings by their cosine, so that is recorded too. It is about one
# minus half the square of the error.

texts = [
    body
    for _, body in retrieval.pairs(100 if profiles.current().name == "full" else 24)
]
exact = retrieval.embed(core.compile_model(floats, "CPU", F32), texts)


def embed(model, properties):
    return retrieval.embed(core.compile_model(model, "CPU", properties), texts)


def errors(embeddings):
    return np.linalg.norm(embeddings - exact, axis=1) / np.linalg.norm(
        exact, axis=1
    )


def cosines(embeddings):
    lengths = np.linalg.norm(exact, axis=1) * np.linalg.norm(embeddings, axis=1)
    return (exact * embeddings).sum(axis=1) / lengths


record = Recording("deploy/device_tuning", declares=("tuning.*",))
record.add_session(
    "tuning", result, names={label: part for part, (label, *_) in settings.items()}
)
known = core.get_property("CPU", "SUPPORTED_PROPERTIES")
rows, off = [], {}
for part, (label, model, properties) in settings.items():
    key, asked = list(properties.items())[-1]
    if refusal := result.failures.get(label):
        record.unavailable(f"tuning.{part}.distance", refusal.message)
        record.unavailable(f"tuning.{part}.similarity", refusal.message)
        rows.append(
            (
                label,
                f"refuses {asked}" if key in known else f"has no {key}",
                "",
                "",
                "",
            )
        )
        continue
    embeddings = embed(model, properties)
    off[part] = errors(embeddings)
    error = accuracy.mean_of_samples(off[part], "share")
    record.add(
        f"tuning.{part}.distance",
        error,
        label=f"{label}: relative error of the embedding",
    )
    similarity = accuracy.mean_of_samples(cosines(embeddings), "")
    record.add(
        f"tuning.{part}.similarity",
        similarity,
        label=f"{label}: cosine to the f32 embedding",
    )
    resolved = result.series[label].effective[key]
    rows.append((label, resolved, result.latency(label), error, similarity))
columns = (
    "Setting",
    "The device says",
    "Latency (median)",
    "Relative error",
    "Cosine",
)
record.table(
    "settings", columns, rows, caption="Sentence encoder, one text of 128 tokens"
)

# %%
# What they gain
# --------------


def relate(identifier, session, base, other, row=None):
    """Record how much faster ``other`` is, or why not; a row for the figure."""
    try:
        ratio = session.compare(base, other)
    except (PropertyError, NotEnoughSamples) as error:
        record.unavailable(f"tuning.{identifier}", error.message)
        return []
    record.add_comparison(f"tuning.{identifier}", ratio)
    return [(row or f"{other} against {base}", ratio.ratio)]


shown = []
for other, base, row in (
    ("performance", "accuracy", "PERFORMANCE against ACCURACY mode"),
    ("accuracy", "f32", None),
    ("bf16", "f32", None),
    ("f16", "f32", None),
    ("kv", "f32", None),
    ("group32", "unquantized", "INT8 weights, groups of 32 against none"),
    ("group128", "group32", "INT8 weights, groups of 128 against 32"),
):
    shown += relate(
        f"{other}_over_{base}", result, settings[base][0], settings[other][0], row
    )
shown += relate("denormals.usual_over_denormal", denormals, "denormal", "usual")
shown += relate(
    "denormals.zero_over_denormal", denormals, "denormal", "denormal, as zero"
)
shown += relate("denormals.usual_as_zero", denormals, "usual", "usual, as zero")
names = {
    "usual": "usual",
    "denormal": "denormal",
    "denormal, as zero": "zero",
    "usual, as zero": "usual_zero",
}
record.add_session(
    "tuning.denormals", denormals, names=names, title="small network"
)
for name, part in names.items():
    share = float(np.mean(denormals.series[name].outputs[0] == 0))
    record.add_value(
        f"tuning.denormals.{part}.zeros",
        share,
        "share",
        label=f"{name}: outputs that are zero",
    )
apart = denormals.agreement("usual", "usual, as zero").max_rel
record.add_value(
    "tuning.denormals.apart",
    apart,
    "share",
    label="Usual values: difference by the setting",
)
if {"group32", "group128"} <= set(off):
    loss = accuracy.mean_of_samples(off["group128"] - off["group32"], "share")
    record.add(
        "tuning.group128_loss",
        loss,
        label="Error of groups of 128 beyond that of groups of 32",
    )
else:
    record.unavailable("tuning.group128_loss", "this device refuses a group size")

# %%
# Does dynamic quantization happen where nobody pins a precision? If the kernels of
# this processor cannot do it, outputs with groups and without are equal.

if "group32" in off:
    grouped, plain_weights = (
        embed(compressed, {GROUP: size}) for size in ("32", "0")
    )
    apart = np.linalg.norm(grouped - plain_weights, axis=1) / np.linalg.norm(
        plain_weights, axis=1
    )
    label = "INT8 weights, default precision: groups of 32 against none"
    record.add(
        "tuning.default_groups.distance",
        accuracy.mean_of_samples(apart, "share"),
        label=label,
    )
else:
    record.unavailable(
        "tuning.default_groups.distance", "this device refuses a group size"
    )

record.figure(
    "gains",
    lambda: plots.ratios(shown),
    alt="Forest plot: for each setting, how much faster it is than the one it is "
    "held against, around 1.",
    caption="The setting named first against the other. The last three rows: a "
    "small dense network.",
)

# %%
# Everything with its interval:

record.publish()
