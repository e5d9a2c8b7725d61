"""
Decide by accuracy with labelled samples
========================================

How to hand ``optguide optimize`` samples with labels, so that accuracy decides who
may win, and what the number of labels has to do with it.

Explained in :doc:`/tune/with-labels`. Install:
``pip install "optguide[frameworks,models]"``.
"""

import shutil
import subprocess
import sys

import numpy as np

from optguide import Recording
from optguide.guide import profiles, workloads
from optguide.guide.workloads.digits import data
from optguide.optimize.report import add_outcome, read_report
from optguide.paths import build_dir

# %%
# The files
# ---------
#
# The array with the samples has the name of the model's input, and ``labels`` holds
# the right answers. All pictures are ones that the network was not trained with.

folder = build_dir() / "tuned" / "digits"
shutil.rmtree(folder, ignore_errors=True)
folder.parent.mkdir(parents=True, exist_ok=True)
file = folder.parent / "digits.npz"
np.savez(file, image=data(0).test_images, labels=data(0).test_labels)
print(data(0).test_images.shape, data(0).test_labels[:10])

# %%
# The call
# --------
#
# Half of the samples calibrate and the other half judges, never both. A loss counts
# as kept within ``--max-drop`` if its whole interval is.

budget = "80s" if profiles.full() else "25s"
options = f"--metric top-1 --max-drop 1% --budget {budget} --no-claims".split()
paths = [workloads.digits(0).onnx, "--data", file, "--out", folder]
command = [sys.executable, "-m", "optguide", "optimize", *map(str, paths), *options]
print(subprocess.check_output(command, text=True))

# %%
# What the labels decided
# -----------------------
#
# A few hundred samples leave an interval of some points around a loss. A precision
# whose loss may be larger than the limit does not win, however fast it is. More
# samples or ``--allow-unproven`` are the way on.

outcome = read_report(folder / "report.json")
for artifact in outcome.state.artifacts:
    if artifact.quality is not None and artifact.quality.loss is not None:
        loss = artifact.quality.loss
        within = f"{loss.value:.1f} points ({loss.low:.1f} to {loss.high:.1f})"
        print(f"{artifact.precision}: {within}, {artifact.quality.kept}")

# %%
# What is recorded: the winner's gains, every precision and every candidate.

record = Recording("tune/optimize_with_labels", declares=("tune.digits.*",))
add_outcome(record, "tune.digits", outcome)
record.publish()
