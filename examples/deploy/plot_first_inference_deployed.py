"""
Shorten a cold start: cache, export, mapping
============================================

What an installed program can do about its start: a model cache, mapped or copied weights, a compiled model
that is shipped beside it, AUTO, and threads. Time and memory are measured in fresh processes.
"""

# %%
# Keeping what was compiled
# -------------------------
#
# The cache is a folder that OpenVINO looks after. ``CACHE_MODE`` says whether it stores the weights with the
# compiled graph, or goes on to take them from the model's own file.

import shutil
from collections.abc import Callable
from functools import partial

import numpy as np
import openvino as ov

from optguide import Comparison, Estimate, OpenVINO, Recording, Variant, first_inference, plots
from optguide.bench.cold_start import FOOTPRINTS, STAGES
from optguide.errors import NotEnoughSamples
from optguide.format import quantity as in_words
from optguide.guide import profiles, workloads
from optguide.paths import build_dir

resnet50 = workloads.resnet50()
image = dict(np.load(resnet50.inputs))
core = ov.Core()
folder = build_dir() / "caches" / "first_inference_deployed"
shutil.rmtree(folder, ignore_errors=True)

modes = ("OPTIMIZE_SPEED", "OPTIMIZE_SIZE")
sizes = {}
for mode in modes:
    core.compile_model(resnet50.ir, "CPU", {"CACHE_DIR": folder / mode, "CACHE_MODE": mode})
    sizes[mode] = sum(path.stat().st_size for path in (folder / mode).iterdir())
    print(f"{mode}: {in_words(sizes[mode], 'bytes')} in the cache")

# %%
# An exported model is a file that the program looks after. Importing it gives the same model, with the very
# same outputs:

compiled = core.compile_model(resnet50.ir, "CPU")
blob = folder / "resnet50.blob"
blob.write_bytes(compiled.export_model().getvalue())
sizes["export_model"] = blob.stat().st_size

imported = core.import_model(blob.read_bytes(), "CPU")
assert np.array_equal(imported(image)[0], compiled(image)[0])

# %%
# The file can also be mapped instead of copied. The compiled model then uses those pages for as long as it
# lives, and nothing in OpenVINO holds on to them: without ``content``, the next call crashes the process.

content = ov.Tensor(np.memmap(blob, np.uint8, mode="c"), shared_memory=True)
mapped = core.import_model(content, "CPU")
assert np.array_equal(mapped(image)[0], compiled(image)[0])

# %%
# Fresh processes
# ---------------
#
# All variants but the imported ones hand the path to ``compile_model``, so that reading is part of compiling.
# Two change the threads: all of them, or only those for compiling, by a property of its own.

plain = Variant(
    "compiled at every start",
    model=resnet50.ir,
    inputs=(resnet50.inputs,),
    runtime=OpenVINO(single_call=True),
)
copying = {"ENABLE_MMAP": "NO"}
exported = {"model": str(blob), "single_call": False}
caches = [{"cache_dir": str(folder / mode), "properties": {"CACHE_MODE": mode}} for mode in modes]
variants = {
    "plain": plain,
    "copied": plain.with_("weights copied", properties=copying),
    "cached": plain.with_("cached", **caches[0]),
    "imported": plain.with_("blob imported", properties=copying, **exported),
    "one_compiler": plain.with_("one compilation thread", properties={"COMPILATION_NUM_THREADS": "1"}),
    "small": plain.with_("cached without weights", **caches[1]),
    "mapped": plain.with_("blob mapped", **exported),
    "auto": plain.with_("AUTO", device="AUTO"),
    "one_thread": plain.with_("one inference thread", threads=1),
}
profile = profiles.current()
started = list(variants.values())[: None if profile.name == "full" else 5]
blobs = set(folder.rglob("*.blob"))
starts = first_inference(started, profile.repeats, steady=1)
assert set(folder.rglob("*.blob")) == blobs, "a cache was not found and filled again"

# %%
# A property that a device does not know is refused by its name, and ends that variant alone. Whatever was
# refused or left out has its reason in the record:

missing: dict[str, str] = {}
for part, variant in variants.items():
    if variant.name not in starts.runs:
        refused = starts.failures.get(variant.name)
        missing[part] = refused.message if refused else "left to the full profile"
        print(f"{variant.name}: {missing[part]}")

# %%
# Time and memory
# ---------------
#
# Resident memory counts the pages of mapped files, which the system can drop, or share with another process
# that maps them. What belongs to no file is private. The two tell different stories about mapping.

record = Recording("deploy/first_inference_deployed", declares=("deployed.*",))
for kind, size in sizes.items():
    record.add_value(f"deployed.size.{kind.lower()}", size, "bytes", label=f"{kind}: size on disk")
share = sizes["OPTIMIZE_SIZE"] / sizes["OPTIMIZE_SPEED"]
record.add_value(
    "deployed.size.ratio",
    share,
    "ratio",
    label="Cache entry, OPTIMIZE_SIZE against OPTIMIZE_SPEED",
    above="larger",
)


def add(
    identifier: str,
    parts: tuple[str, ...],
    measured: Callable[..., Estimate | Comparison],
    words: str,
    above: str = "",
) -> None:
    names = [variants[part].name for part in parts]
    reasons = [missing[part] for part in parts if part in missing]
    try:
        if not reasons:
            label = f"{' against '.join(reversed(names))}: {words}"
            evidence = {"variant": variants[parts[0]].to_dict(evidence=True)} if len(parts) == 1 else {}
            record.add(identifier, measured(*names), label=label, evidence=evidence, above=above)
    except NotEnoughSamples as error:  # some systems do not tell what is private
        reasons = [error.message]
    if reasons:
        record.unavailable(identifier, reasons[0])


stages = {"load": "loading", "total": "time to the first result"}
for part in variants:
    for stage, words in stages.items():
        add(f"deployed.{part}.{stage}", (part,), partial(starts.estimate, stage=stage), words)
    for kind in FOOTPRINTS:
        add(f"deployed.{part}.{kind}", (part,), partial(starts.memory, kind=kind), f"{kind} memory")

# %%
# Ratios are paired by round. Above one, the second variant of a pair is quicker, or needs less memory.

gains = {
    "mapping": ("copied", "plain"),
    "cache": ("plain", "cached"),
    "cache_mode": ("small", "cached"),
    "importing": ("plain", "imported"),
    "mapped_blob": ("plain", "mapped"),
    "auto": ("plain", "auto"),
    "threads": ("one_thread", "plain"),
    "compilation_threads": ("one_compiler", "plain"),
}


def compared(a: str, b: str, what: str) -> Comparison:
    return (starts.compare_memory if what in FOOTPRINTS else starts.compare)(a, b, what)


for gain, pair in gains.items():
    for stage, words in stages.items():
        add(f"deployed.gain.{gain}.{stage}", pair, partial(compared, what=stage), words, "faster")
for kind in FOOTPRINTS:
    add(f"deployed.saved.{kind}", gains["mapping"], partial(compared, what=kind), f"{kind} memory", "smaller")

# %%
# Stage by stage, and what each choice does to loading:

rows = [
    (name, {stage: starts.estimate(name, stage) for stage in STAGES[:4]}, starts.estimate(name))
    for name in starts.runs
]
record.figure(
    "stages",
    lambda: plots.stages(rows, quantity="Time to the first result"),
    alt="Stacked bars, one per variant: import, read, compile, first inference, and the total's interval.",
    caption=f"From a fresh process to the first result of {resnet50.title}. Where nothing is read, reading "
    "is part of compiling; first is the first inference. The whisker is the interval of the total.",
)
pairs = [tuple(variants[part].name for part in pair) for pair in gains.values() if not {*pair} & {*missing}]
record.figure(
    "loading",
    lambda: plots.ratios(
        [(f"{b} against {a}", compared(a, b, "load").ratio) for a, b in pairs],
        quantity="Loading",
    ),
    alt="Forest plot: the ratio of the loading times of two variants with its interval, one row per choice.",
    caption="Reading and compiling: the variant named first against the other.",
)

record.publish()
