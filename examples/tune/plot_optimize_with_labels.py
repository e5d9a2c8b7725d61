"""
optguide optimize on a model with labels
========================================

With labels ``optguide optimize`` judges accuracy itself. The example hands over an ONNX file and an ``.npz``
file with pictures and digits, and looks at what the number of labelled samples decides.
"""

# %%
# The files
# ---------
#
# The array with the samples has the name of the model's input, and ``labels`` holds the right answers. All of
# the pictures are ones that the network was not trained with.

import shutil
import subprocess
import sys

import numpy as np

from optguide import Recording
from optguide.guide import profiles, workloads
from optguide.guide.workloads.digits import data
from optguide.optimize.report import add_outcome, read_report
from optguide.paths import build_dir

model = workloads.digits(0).onnx
samples = data(0)
folder = build_dir() / "tuned" / "digits"
shutil.rmtree(folder, ignore_errors=True)
folder.parent.mkdir(parents=True, exist_ok=True)
file = folder.parent / "digits.npz"
np.savez(file, image=samples.test_images, labels=samples.test_labels)
print(samples.test_images.shape, samples.test_labels[:10])

# %%
# The call
# --------
#
# Half of the samples calibrate and the other half judges, never both. A loss counts as kept within
# ``--max-drop`` if its whole interval is.

full = profiles.current().name == "full"
command = [
    *("optguide", "optimize", str(model), "--data", str(file), "--metric", "top-1", "--max-drop", "1%"),
    *("--budget", "80s" if full else "50s", "--out", str(folder), "--no-claims"),
]
done = subprocess.run([sys.executable, "-m", *command], capture_output=True, text=True, check=False)
if done.returncode:
    raise SystemExit(done.stderr)
print(done.stdout)

# %%
# What the labels decided
# -----------------------
#
# A few hundred samples leave an interval of some points around a loss. A precision whose loss may be larger
# than the limit does not win, however fast it is; the report says so, and more samples or
# ``--allow-unproven`` are the way on.

outcome = read_report(folder / "report.json")
for artifact in outcome.state.artifacts:
    if artifact.quality is not None and artifact.quality.loss is not None:
        loss = artifact.quality.loss
        within = f"{loss.low:.1f} to {loss.high:.1f}"
        print(f"{artifact.precision:15} {loss.value:5.1f} points ({within}): {artifact.quality.kept}")
record = Recording("tune/optimize_with_labels", declares=("tune.digits.*",))
add_outcome(record, "tune.digits", outcome)
record.publish()
