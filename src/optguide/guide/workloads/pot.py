"""Running the Post-training Optimization Tool in its environment, from an example."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from optguide.guide import environments
from optguide.guide.workloads.packaged_evaluation import data
from optguide.guide.workloads.packaged_tasks import MAGIKA, file_labels


def run_pot(folder: Path, script: str, algorithm: Mapping[str, Any], count: int) -> None:
    """Quantize the classifier of files with POT: the model gets the algorithm's name in ``folder``.

    :param script: text of ``examples/optimize/pot/quantize.py``.
    :param algorithm: POT's name and parameters of the algorithm.
    :param count: this many of the files that do not test calibrate the model, and validate it where the
        algorithm does that.
    :raises EnvironmentMissing: POT's environment was not created, or the classifier's package is missing.
    :raises Failure: POT failed.
    """
    files, types = data("files", count, part=1), file_labels()
    labels = [types.index(label) for label in files.labels]
    np.savez(folder / "data.npz", inputs=np.stack(files.inputs), labels=labels)
    job = {"model": str(MAGIKA.locate()[0]), "algorithm": algorithm}
    (folder / "job.json").write_text(json.dumps(job), encoding="utf-8")
    (folder / "quantize.py").write_text(script, encoding="utf-8")
    environments.run("pot", folder / "quantize.py", folder)
