"""
Quantize the same network with POT and NNCF
===========================================

The Post-training Optimization Tool (POT) was OpenVINO's quantizer until 2023; NNCF has taken its place. Both
quantize the same networks with the same images here, and today's runtime executes and judges what they made.
"""

# %%
# POT in an environment of its own
# --------------------------------
#
# POT was last shipped with OpenVINO 2023.3, which cannot share a Python with the current release. A script,
# ``pot/quantize.py`` beside this file, runs it elsewhere; :doc:`/optimize/pot-and-nncf` shows it in full. It
# is given a job: the ONNX model, images with their labels, and POT's algorithms with their parameters.

import json
import time
from dataclasses import replace
from functools import partial
from hashlib import sha256
from pathlib import Path

import numpy as np

from optguide import OpenVINO, Recording, Variant, measure
from optguide.errors import EnvironmentMissing
from optguide.guide import environments, profiles, workloads
from optguide.guide.workloads.digits import data
from optguide.paths import build_dir, repository
from optguide.quiet import quietly
from optguide.records.model import EvaluatedModel
from optguide.stats import accuracy
from optguide.stats.estimate import median_of_rounds, ratio_of_estimates

workloads.no_telemetry()

import nncf
import openvino as ov

COMMON = {"target_device": "CPU", "preset": "performance", "stat_subset_size": 300}
DEFAULT = {"name": "DefaultQuantization", "params": COMMON}
# Both tools search by trial; without these limits POT takes minutes for a network of this size.
SEARCH = {"maximal_drop": 0.001, "max_iter_num": 5, "ranking_subset_size": 60}
AWARE = {"name": "AccuracyAwareQuantization", "params": {**COMMON, **SEARCH}}

script = repository() / "examples" / "optimize" / "pot" / "quantize.py"


def run_pot(folder: Path, model: str, algorithm: dict, images, labels, runs: int = 1) -> list[list[float]]:
    """Write the algorithm's model; return the seconds each run took, by the clock and of the CPU."""
    np.savez(folder / "data.npz", images=images, labels=labels)
    job = {"model": model, "data": str(folder / "data.npz"), "folder": str(folder), "runs": runs}
    (folder / "job.json").write_text(json.dumps({**job, "algorithms": [algorithm]}))
    environments.run("pot", script, folder / "job.json")
    return json.loads((folder / "seconds.json").read_text())[algorithm["name"]]


# %%
# The same in NNCF
# ----------------
#
# Every parameter of POT's configuration has its place in the call.


def run_nncf(folder: Path, model: str, algorithm: dict, images, labels) -> list[list[float]]:
    original = ov.Core().read_model(model)
    calibration = nncf.Dataset([image[None] for image in images])
    options = {
        "target_device": nncf.TargetDevice.CPU,
        "preset": nncf.QuantizationPreset.PERFORMANCE,
        "subset_size": algorithm["params"]["stat_subset_size"],
    }
    start = time.perf_counter(), time.process_time()
    if algorithm["name"] == "DefaultQuantization":
        quantized = nncf.quantize(original, calibration, **options)
    else:
        quantized = nncf.quantize_with_accuracy_control(
            original,
            calibration,
            validation_dataset=nncf.Dataset(list(zip(images, labels, strict=True))),
            validation_fn=share_right,
            max_drop=algorithm["params"]["maximal_drop"],
            advanced_accuracy_restorer_parameters=nncf.AdvancedAccuracyRestorerParameters(
                max_num_iterations=algorithm["params"]["max_iter_num"],
                ranking_subset_size=algorithm["params"]["ranking_subset_size"],
            ),
            **options,
        )
    seconds = [time.perf_counter() - start[0], time.process_time() - start[1]]
    ov.save_model(quantized, folder / f"{algorithm['name']}.xml", compress_to_fp16=False)
    return [seconds]


def share_right(model: ov.CompiledModel, samples) -> tuple[float, list[float]]:
    right = [float(model(image[None])[0].argmax() == label) for image, label in samples]
    return float(np.mean(right)), right


# %%
# Data
# ----
#
# Each fold has a network of its own. The plain algorithms see 300 of the images it was trained on, without
# labels. Accuracy control needs images that the network does not know already: one in six of those that
# are held out is for it, and half of them, other ones, for judging. POT calibrates with the images that it
# validates on, so NNCF does the same. A drop above a tenth of a point is not allowed, so that one wrong
# answer is too many.


def quantize_fold(folder: Path, tool: str, model: str, fold: int, code: str = "") -> None:
    """``code`` is the text of POT's script, a change of which makes its models anew."""
    digits, run = data(fold), {"pot": run_pot, "nncf": run_nncf}[tool]
    plain = run(folder, model, DEFAULT, digits.train_images[:300], digits.train_labels[:300])
    aware = run(folder, model, AWARE, digits.test_images[::6], digits.test_labels[::6])
    # Of the CPU: models are made side by side, so the clock on the wall means nothing.
    (folder / "took.json").write_text(json.dumps({"plain": plain[0][1], "aware": aware[0][1]}))


full = profiles.current().name == "full"
folds = range(3 if full else 1)
originals = [str(workloads.digits(fold).onnx) for fold in folds]
code = {"pot": sha256(script.read_bytes()).hexdigest(), "nncf": ""}
NAMES = {"pot": "POT", "nncf": "NNCF"}


def quantize(tool: str) -> list[Path]:
    artifact = partial(workloads.cached_artifact, quantize_fold, tool=tool, code=code[tool])
    return [artifact(model=model, fold=fold) for fold, model in enumerate(originals)]


models, missing = {"nncf": quantize("nncf")}, ""
try:
    environments.python_of("pot")
    models["pot"] = quantize("pot")
except EnvironmentMissing as error:
    missing = str(error)
    print(f"POT is left out. {missing}")

# %%
# Accuracy
# --------
#
# All models run in today's runtime. Drops are paired by image.

core = ov.Core()


def right(path: Path | str, fold: int) -> np.ndarray:
    digits = data(fold)
    compiled = core.compile_model(path, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    logits = np.concatenate([compiled(image[None])[0] for image in digits.test_images])
    return logits.argmax(axis=1) == digits.test_labels


def int8_layers(path: Path) -> int:
    """How many layers the device runs in 8 bits, of those that multiply by weights."""
    operations = core.compile_model(path, "CPU").get_runtime_model().get_ops()
    kinds = [(op.rt_info["layerType"].value, op.rt_info["runtimePrecision"].value) for op in operations]
    return sum(kind in ("Convolution", "FullyConnected") and bits in ("i8", "u8") for kind, bits in kinds)


def quantizers(path: Path) -> int:
    return sum(op.get_type_name() == "FakeQuantize" for op in core.read_model(path).get_ops())


def judged(algorithm: str, answers: list[np.ndarray]) -> np.ndarray:
    """The answers that count: where some of the images were used up, those to half of all."""
    return np.concatenate([one[1::2] if algorithm == "aware" else one for one in answers])


record = Recording("optimize/pot_and_nncf", declares=("pot.*",))
fp32 = [right(model, fold) for fold, model in enumerate(originals)]
WORDS = {
    "plain": ("DefaultQuantization", "quantized"),
    "aware": ("AccuracyAwareQuantization", "with accuracy control"),
}
for part, (file, words) in WORDS.items():
    before = judged(part, fp32)
    record.add(f"pot.{part}.fp32.accuracy", accuracy.accuracy(before), label=f"FP32, {words}: accuracy")
    found = {}
    for tool, folders in models.items():
        label = f"{NAMES[tool]}, {words}"
        paths = [folder / f"{file}.xml" for folder in folders]
        found[tool] = judged(part, [right(path, fold) for fold, path in enumerate(paths)])
        drop = accuracy.compare_accuracy("FP32", before, label, found[tool]).drop
        record.add(
            f"pot.{part}.{tool}.accuracy",
            accuracy.accuracy(found[tool]),
            label=f"{label}: accuracy",
            evidence=EvaluatedModel("digits", paths[0]).evidence,
        )
        record.add(f"pot.{part}.{tool}.drop", drop, label=f"{label}: drop from FP32")
        layers = sum(map(int8_layers, paths)) / len(folds)
        record.add_value(
            f"pot.{part}.{tool}.layers", layers, "count", label=f"{label}: INT8 layers", n=len(folds)
        )
        size = sum(paths[0].with_suffix(suffix).stat().st_size for suffix in (".xml", ".bin"))
        record.add_value(f"pot.{part}.{tool}.size", size, "bytes", label=f"{label}: xml and bin")
        counts = sum(map(quantizers, paths)) / len(folds)
        record.add_value(
            f"pot.{part}.{tool}.quantizers", counts, "count", label=f"{label}: quantizers", n=len(folds)
        )
        took = [json.loads((folder / "took.json").read_text())[part] for folder in folders]
        if part == "aware":
            # Where the first try keeps the limit there is no search, and its time says nothing about one.
            plain_paths = [folder / f"{WORDS['plain'][0]}.xml" for folder in folders]
            searched = [quantizers(a) != quantizers(b) for a, b in zip(paths, plain_paths, strict=True)]
            took = [seconds for seconds, yes in zip(took, searched, strict=True) if yes]
            record.add_value(
                f"pot.aware.{tool}.searched", len(took), "count", label=f"{label}: networks with a search"
            )
        identifier = f"pot.{part}.{tool}.took"
        if took:
            mean = sum(took) / len(took)
            record.add_value(identifier, mean, "s", label=f"{label}: CPU time", n=len(took))
        else:
            record.unavailable(identifier, "no network lost more than the limit, so nothing was searched")
    if missing:
        quantities = ["accuracy", "drop", "layers", "size", "quantizers", "took"]
        for quantity in [*quantities, "searched"] if part == "aware" else quantities:
            record.unavailable(f"pot.{part}.pot.{quantity}", missing)
        record.unavailable(f"pot.{part}.loses", missing)
    else:
        loses = accuracy.compare_accuracy("POT", found["pot"], "NNCF", found["nncf"]).drop
        record.add(f"pot.{part}.loses", loses, label=f"{words}: drop from POT to NNCF")

# %%
# Time to quantize
# ----------------
#
# Each tool in a process of its own, after one run that does not count, with the model loaded already.

count, runs = (300, 6) if full else (30, 6)
images, labels = data(0).train_images[:count], data(0).train_labels[:count]
scratch = build_dir() / "caches" / "pot_and_nncf"
scratch.mkdir(parents=True, exist_ok=True)
seconds = {}
with quietly():
    seconds["nncf"] = [run_nncf(scratch, originals[0], DEFAULT, images, labels)[0] for _ in range(runs + 1)]
if not missing:
    seconds["pot"] = run_pot(scratch, originals[0], DEFAULT, images, labels, runs + 1)
times = {tool: median_of_rounds([wall for wall, _ in runs[1:]], "s") for tool, runs in seconds.items()}
for tool, estimate in times.items():
    record.add(f"pot.{tool}.seconds", estimate, label=f"{NAMES[tool]}: time to quantize with {count} images")

# %%
# Speed of the models
# -------------------

variants = {"fp32": Variant("FP32", model=originals[0], runtime=OpenVINO(precision="f32"))}
for tool, folders in models.items():
    variants[tool] = Variant(NAMES[tool], model=folders[0] / "DefaultQuantization.xml")
budget = profiles.current().budget
result = measure(list(variants.values()), replace(budget, seconds=budget.seconds / 2), label="POT and NNCF")
record.add_session("pot", result, names={variant.name: part for part, variant in variants.items()})

if missing:
    for identifier in ("seconds", "latency.p50", "throughput", "cpu_time"):
        record.unavailable(f"pot.pot.{identifier}", missing)
    for identifier in ("pot.quicker", "pot.speed"):
        record.unavailable(identifier, missing)
else:
    quicker = ratio_of_estimates(times["pot"], times["nncf"])
    record.add("pot.quicker", quicker, label="NNCF against POT: time to quantize", above="faster")
    record.add_comparison("pot.speed", result.compare("POT", "NNCF"))
record.publish()
