"""
Optimize a PyTorch model with one command
=========================================

``optguide optimize`` takes a PyTorch module and some texts without labels. It makes
the model in other precisions, races ways to run them, and leaves a report and the
files to deploy the winner.

Explained in :doc:`/tune/optimize`. Install: ``pip install
"optguide[frameworks,models]"``.
"""

import shutil
import subprocess
import sys

from optguide import Recording, plots
from optguide.guide import profiles
from optguide.guide.workloads import retrieval
from optguide.optimize.report import add_outcome, figures, read_report
from optguide.paths import build_dir

# %%
# What it is given
# ----------------
#
# A function that returns a module, an example of its inputs and which of their
# sizes vary, and a function that returns samples. Both are a few lines;
# ``package.module:function`` names them. Models from files work as well.

module, example, sizes = retrieval.encoder()
weights = sum(weight.numel() for weight in module.parameters())
print(f"{weights / 1e6:.1f} million weights, inputs and their sizes: {sizes}")
texts = retrieval.texts()
print(len(texts), "texts, the first of", texts[0]["input_ids"].size, "tokens")

# %%
# The call
# --------
#
# Half of the texts calibrate quantization, at most 300. The others judge it:
# without labels, by how far the answers stay those of the 32-bit model. That is a
# proxy for accuracy, and is called one in the report.

folder = build_dir() / "tuned" / "sentences"
shutil.rmtree(folder, ignore_errors=True)
budget = "120s" if profiles.full() else "40s"
arguments = f"""
    optimize optguide.guide.workloads.retrieval:encoder
    --data optguide.guide.workloads.retrieval:texts
    --goal throughput --budget {budget} --no-claims --out
""".split()
done = subprocess.run(
    [sys.executable, "-m", "optguide", *arguments, folder],
    capture_output=True,
    text=True,
    check=False,
)
print(done.stdout, done.stderr if done.returncode else "")
done.check_returncode()

# %%
# What it leaves
# --------------
#
# ``report.html`` is for people, ``report.json`` for programs. ``deploy.py`` runs
# the winner as it stands.

print(*sorted(path.name for path in folder.iterdir() if path.is_file()), sep="\n")
script = [sys.executable, "deploy.py"]
deployed = subprocess.run(
    script, capture_output=True, text=True, check=True, cwd=folder
)
print(deployed.stdout)

# %%
# What is recorded
# ----------------
#
# Every measured speed and accuracy has its interval. The ratios come from the
# confirmation run, in which the winner, the plain configurations and the model's
# own framework took turns; figure and table show each configuration from the last
# session that it took part in.

outcome = read_report(folder / "report.json")
record = Recording("tune/optimize_command", declares=("tune.sentences.*",))
add_outcome(record, "tune.sentences", outcome)
points = figures.points_of(outcome)
record.figure(
    "candidates",
    lambda: plots.frontier(points, chosen=figures.winner_name(outcome)),
    alt=f"Throughput against latency of {len(points)} configurations.",
    caption="Configurations that came farthest; the ring is the winner.",
)
record.publish()
