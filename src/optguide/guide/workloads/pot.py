"""Running the Post-training Optimization Tool in its environment, from an example."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from optguide.guide import environments


def run_pot(  # the last two are arrays of one length
    folder: Path,
    script: str,
    model: Path,
    algorithm: Mapping[str, Any],
    images: npt.NDArray[Any],
    labels: npt.NDArray[np.int64],
) -> None:
    """Write the quantized model into ``folder``, as IR under the algorithm's name.

    :param script: text of ``examples/optimize/pot/quantize.py``.
    :param model: an ONNX file.
    :param algorithm: POT's name and parameters of the algorithm.
    :raises EnvironmentMissing: the environment was not created.
    :raises Failure: POT failed.
    """
    np.savez(folder / "data.npz", images=images, labels=labels)
    job = {"model": str(model), "algorithm": algorithm}
    (folder / "job.json").write_text(json.dumps(job), encoding="utf-8")
    (folder / "quantize.py").write_text(script, encoding="utf-8")
    environments.run("pot", folder / "quantize.py", folder)
