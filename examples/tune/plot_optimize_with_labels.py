"""
Decide by accuracy with labelled samples
========================================

With labels ``optguide optimize`` judges accuracy itself. The example hands over an
ONNX file and an ``.npz`` file with pictures and digits, and looks at what the
number of labelled samples decides.

Explained in :doc:`/tune/with-labels`. Install:
``pip install "optguide[frameworks,models]"``.
"""

import shutil
import subprocess
import sys

import numpy as np

from optguide import Recording, plots
from optguide.guide import profiles, workloads
from optguide.guide.workloads.digits import data
from optguide.optimize.report import add_outcome, figures, read_report
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
command = [
    "optimize",
    str(workloads.digits(0).onnx),
    "--data",
    file,
    "--out",
    folder,
]
done = subprocess.run(
    [sys.executable, "-m", "optguide", *map(str, command), *options],
    capture_output=True,
    text=True,
    check=False,
)
print(done.stdout, done.stderr if done.returncode else "")
done.check_returncode()

# %%
# What the labels decided
# -----------------------
#
# A few hundred samples leave an interval of some points around a loss. A precision
# whose loss may be larger than the limit does not win, however fast it is; the
# report says so, and more samples or ``--allow-unproven`` are the way on.

outcome = read_report(folder / "report.json")
for artifact in outcome.state.artifacts:
    if artifact.quality is not None and artifact.quality.loss is not None:
        loss = artifact.quality.loss
        within = f"{loss.value:.1f} points ({loss.low:.1f} to {loss.high:.1f})"
        print(f"{artifact.precision}: {within}, {artifact.quality.kept}")

# %%
# What is recorded:

record = Recording("tune/optimize_with_labels", declares=("tune.digits.*",))
add_outcome(record, "tune.digits", outcome)
points = figures.points_of(outcome)
record.figure(
    "candidates",
    lambda: plots.frontier(points, chosen=figures.winner_name(outcome)),
    alt=f"Throughput against latency of {len(points)} configurations.",
    caption="Configurations that came farthest; the ring is the winner.",
)
record.publish()
