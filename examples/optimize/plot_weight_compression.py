"""
Compress weights to 8 and 4 bits
================================

Only the weights become smaller, in 8 or in 4 bits, without calibration data. Layers compute in floating point
or, where their kernels can, quantize their inputs too. This script compresses a sentence encoder in several
ways and compares size, loading, latency and retrieval accuracy.
"""

# %%
# The call
# --------
#
# One function, and the scheme as its arguments. 4-bit schemes take a group size: how many weights share a
# scale. ``ratio`` is the share of weights that really get 4 bits, the most sensitive layers keep 8.
# Embeddings and the last layer keep 8 bits too, unless ``all_layers`` says otherwise.

from dataclasses import replace
from pathlib import Path

from optguide import OpenVINO, Recording, Variant, first_inference, measure, plots
from optguide.guide import profiles, workloads
from optguide.guide.workloads import evaluation, retrieval
from optguide.guide.workloads.minilm import INPUTS
from optguide.records.model import EvaluatedModel
from optguide.stats import accuracy

workloads.no_telemetry()

import nncf
import openvino as ov

Mode = nncf.CompressWeightsMode
encoder = workloads.sentences_dynamic()


def compress(folder: Path, source: str, mode: str, samples: int = 0, **options) -> None:
    """Write the encoder with compressed weights; ``samples`` texts serve the schemes that look at data."""
    if samples:
        options["dataset"] = nncf.Dataset(retrieval.tokens(retrieval.calibration(samples)))
        options["subset_size"] = samples
    model = nncf.compress_weights(ov.Core().read_model(source), mode=Mode[mode], **options)
    ov.save_model(model, folder / "model.xml", compress_to_fp16=False)


# %%
# The schemes
# -----------
#
# 4 bits without groups, in large and in small groups, symmetric and asymmetric, then with what NNCF offers
# to win accuracy back. AWQ searches for pairs of layers between which scales can be moved. In encoders
# like this one it finds none and says so in its log; then the model is the one without AWQ.

schemes: dict[str, tuple[str, dict]] = {
    "int8": ("INT8", {"mode": "INT8_ASYM"}),
    "int4_sym": ("INT4 symmetric, groups of 128", {"mode": "INT4_SYM", "group_size": 128}),
    "int4_asym": ("INT4 asymmetric, groups of 64", {"mode": "INT4_ASYM", "group_size": 64}),
    "int4_all": ("INT4 in all layers", {"mode": "INT4_ASYM", "group_size": 64, "all_layers": True}),
}
if profiles.current().name == "full":
    asymmetric = {"mode": "INT4_ASYM", "group_size": 64}
    schemes |= {
        "int8_sym": ("INT8 symmetric", {"mode": "INT8_SYM"}),
        "int4_channel": ("INT4 symmetric, per channel", {"mode": "INT4_SYM", "group_size": -1}),
        "int4_small": ("INT4 asymmetric, groups of 32", {"mode": "INT4_ASYM", "group_size": 32}),
        "int4_ratio": ("INT4 for 80 %, INT8 for the rest", {**asymmetric, "ratio": 0.8}),
        "int4_awq": ("INT4 with AWQ", {**asymmetric, "samples": 32, "awq": True}),
        "int4_scale": ("INT4 with scale estimation", {**asymmetric, "samples": 32, "scale_estimation": True}),
    }
models = {"f32": encoder.ir}
names = {"f32": "32-bit floats"}
for part, (name, scheme) in schemes.items():
    models[part] = workloads.cached_artifact(compress, source=str(encoder.ir), **scheme) / "model.xml"
    names[part] = name

# %%
# Accuracy: find the text that a sentence belongs to
# --------------------------------------------------
#
# Each first sentence of a docstring looks for the rest of its own among all others. All models answer the
# same queries, so the drop is paired. Accuracy is computed in 32-bit floats here, which leaves the weights
# as the only difference.

count = None if profiles.current().name == "full" else 100
exact = {"INFERENCE_PRECISION_HINT": "f32", "DYNAMIC_QUANTIZATION_GROUP_SIZE": 0}
answers = {part: evaluation.evaluate(Path(model), count, **exact) for part, model in models.items()}
found = {part: answer.hits for part, answer in answers.items()}
embedded = {part: answer.bodies for part, answer in answers.items()}
record = Recording("optimize/weight_compression", declares=("weights.*",))

for part, name in names.items():
    size = Path(models[part]).with_suffix(".bin").stat().st_size
    record.add_value(f"weights.{part}.size", size, "bytes", label=f"{name}: size of the weights")
    judged = EvaluatedModel("sentences", Path(models[part]), original=part == "f32")
    record.add(
        f"weights.{part}.accuracy",
        accuracy.accuracy(found[part]),
        label=f"{name}: accuracy",
        evidence=judged.evidence,
    )
    if part == "f32":
        continue
    original = Path(models["f32"]).with_suffix(".bin").stat().st_size
    record.add_value(
        f"weights.{part}.smaller",
        original / size,
        "ratio",
        label=f"{name} against 32-bit floats: size",
        above="smaller",
    )
    drop = accuracy.compare_accuracy("32-bit floats", found["f32"], name, found[part]).drop
    record.add(f"weights.{part}.drop", drop, label=f"{name}: accuracy drop")
    cosines = (embedded["f32"] * embedded[part]).sum(axis=1)
    similarity = accuracy.mean_of_samples(cosines, "")
    record.add(f"weights.{part}.similarity", similarity, label=f"{name}: cosine to the f32 embedding")

# %%
# Speed
# -----
#
# Weights are unpacked as layers need them. That saves memory traffic and costs instructions; which of them
# wins depends on the number of tokens that share one unpacking. So both ends are measured: one text of 128
# tokens, where arithmetic rules, and one of 8, where fetching weights does. Precision is the default one:
# what an application would get.

timed = {part: names[part] for part in ("f32", "int8", "int4_sym", "int4_all")}
lengths = {"long": 128, "short": 8}
profile = profiles.current()
sessions = {}
for size, tokens in lengths.items():
    shapes = dict.fromkeys(INPUTS, (1, tokens))
    variants = [
        Variant(name, model=models[part], runtime=OpenVINO(shapes=shapes)) for part, name in timed.items()
    ]
    sessions[size] = measure(
        variants,
        replace(profile.budget, seconds=profile.budget.seconds / 2),
        label=f"compressed weights, {tokens} tokens",
    )
for size, result in sessions.items():
    topic = f"weights.{size}"
    record.add_session(
        topic,
        result,
        names={name: part for part, name in timed.items()},
        title=f"{lengths[size]} tokens",
    )
    for part, name in list(timed.items())[1:]:
        gain = result.compare(names["f32"], name)
        label = f"{lengths[size]} tokens, {name} against {names['f32']}: latency"
        record.add_comparison(f"{topic}.gain.{part}", gain, label=label)

# %%
# Loading
# -------
#
# A smaller file is read sooner, and less memory is touched.

shapes = dict.fromkeys(INPUTS, (1, 128))
loading = {part: timed[part] for part in ("f32", "int8", "int4_all")}
starts = first_inference(
    [Variant(name, model=models[part], runtime=OpenVINO(shapes=shapes)) for part, name in loading.items()],
    min(6, profile.repeats),
    steady=1,
    label="loading compressed weights",
)
for part, name in loading.items():
    record.add(f"weights.load.{part}", starts.estimate(name), label=f"{name}: time to the first result")
for part in list(loading)[1:]:
    ratio = starts.compare(names["f32"], names[part])
    label = f"{names[part]} against {names['f32']}: first inference"
    record.add_comparison(f"weights.load.gain.{part}", ratio, label=label)

# %%
# Size against accuracy, with latency from the session of long texts:

record.figure(
    "gains",
    lambda: plots.ratios(
        [
            (f"{name}, {lengths[size]} tokens", result.compare(names["f32"], name).ratio)
            for size, result in sessions.items()
            for name in list(timed.values())[1:]
        ],
        quantity="Latency",
    ),
    alt="Forest plot: latency gain of compressed weights over 32-bit ones, for long and for short texts.",
    caption="An inference with compressed weights against one with 32-bit weights, by scheme and by length "
    "of the text.",
)
record.publish()
