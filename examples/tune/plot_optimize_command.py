"""
Optimize a PyTorch model with one command
=========================================

How to hand ``optguide optimize`` a PyTorch module and texts without labels, and
what it leaves: other precisions, a report, and the winner ready to deploy.

Explained in :doc:`/tune/optimize`. Install: ``pip install
"optguide[frameworks,models]"``.
"""

import shutil
import subprocess
import sys

from optguide import Recording
from optguide.guide import profiles
from optguide.guide.workloads import retrieval
from optguide.optimize.report import add_outcome, read_report
from optguide.paths import build_dir

# %%
# What it is given
# ----------------
#
# A function that returns a module, an example of its inputs and which of their
# sizes vary, and a function that returns samples. ``package.module:function`` names
# them. Models from files work as well.

texts = retrieval.texts()
print(len(texts), "texts, the first of", texts[0]["input_ids"].size, "tokens")

# %%
# The call
# --------
#
# Half of the texts calibrate quantization, at most 300. The others judge it:
# without labels, by how far the answers stay those of the 32-bit model.

folder = build_dir() / "tuned" / "sentences"
shutil.rmtree(folder, ignore_errors=True)
budget = "120s" if profiles.full() else "40s"
arguments = f"""
    optimize optguide.guide.workloads.retrieval:encoder
    --data optguide.guide.workloads.retrieval:texts
    --goal throughput --budget {budget} --no-claims --out
""".split()
command = [sys.executable, "-m", "optguide", *arguments, str(folder)]
print(subprocess.check_output(command, text=True))

# %%
# What it leaves
# --------------
#
# ``report.html`` is for people, ``report.json`` for programs. ``deploy.py`` runs
# the winner as it stands:

print(*sorted(path.name for path in folder.iterdir() if path.is_file()), sep="\n")
print((folder / "deploy.py").read_text())

# %%
# What is recorded: the winner's gains, every precision and every candidate.

record = Recording("tune/optimize_command", declares=("tune.sentences.*",))
add_outcome(record, "tune.sentences", read_report(folder / "report.json"))
record.publish()
