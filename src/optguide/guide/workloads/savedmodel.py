"""ResNet-50 as a TensorFlow SavedModel, written under an interpreter that has TensorFlow."""

from __future__ import annotations

import os
import subprocess
import tempfile
from dataclasses import replace
from pathlib import Path

from optguide.errors import EnvironmentMissing, Failure, OutputError
from optguide.guide.workloads import resnet50 as residual
from optguide.guide.workloads import store
from optguide.guide.workloads.store import Workload

__all__ = ["resnet50_savedmodel"]

_SCRIPT = Path(__file__).with_name("tensorflow_resnet50.py")
_TOLERANCE = 1e-3  # absolute, of logits with a standard deviation near 1


def resnet50_savedmodel(python: Path) -> Workload:
    """:func:`~optguide.guide.workloads.resnet50` with the same weights as a SavedModel too.

    The signature ``serving_default`` takes ``pixel_values`` in NCHW, so the same inputs fit.

    :param python: interpreter with TensorFlow, see :func:`optguide.guide.environments.python_of`.
    :raises EnvironmentMissing: the interpreter has no TensorFlow, or a package of ``resnet50`` is missing.
    :raises OutputError: TensorFlow's result differs from PyTorch's.
    :raises StorageError: the files cannot be written.
    """
    original = residual.resnet50()
    recipe = store.Recipe(
        "resnet50_savedmodel",
        lambda folder: _make(python, original, folder),
        sources=(Path(__file__), _SCRIPT),
        packages=("numpy",),
        ingredients=(store.key(residual.recipe()), _tensorflow_version(python)),
    )
    return replace(original, savedmodel=store.ensure(recipe) / "savedmodel")


def _make(python: Path, original: Workload, folder: Path) -> None:
    import numpy as np
    import torch

    with np.load(original.inputs) as inputs, torch.inference_mode():
        expected = residual.build()(torch.from_numpy(inputs["pixel_values"])).numpy()
    with tempfile.TemporaryDirectory() as scratch:
        weights, logits = Path(scratch, "weights.npz"), Path(scratch, "logits.npy")
        np.savez(weights, **{name: tensor.numpy() for name, tensor in residual.weights().items()})
        _run(python, _SCRIPT, weights, original.inputs, folder / "savedmodel", logits)
        difference = float(np.abs(np.load(logits) - expected).max())
    if not difference <= _TOLERANCE:
        raise OutputError(
            f"TensorFlow's logits of ResNet-50 differ from PyTorch's by {difference:.2g}.",
            "Report it together with the version of TensorFlow.",
        )


def _tensorflow_version(python: Path) -> str:
    code = (
        "from importlib.metadata import packages_distributions as p, version;"
        "print(version(p()['tensorflow'][0]))"
    )
    return f"tensorflow {_run(python, '-c', code).strip()}"


def _run(python: Path, *arguments: str | Path) -> str:
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": ""}
    try:
        done = subprocess.run(
            [python, "-I", *arguments], env=environment, capture_output=True, text=True, check=True
        )
    except OSError as error:
        raise EnvironmentMissing(
            f"The interpreter {python} cannot be started: {error.strerror}.", "Run: nox -s environments"
        ) from error
    except subprocess.CalledProcessError as error:
        if "KeyError: 'tensorflow'" in error.stderr:
            raise EnvironmentMissing(
                f"The interpreter {python} has no TensorFlow.", "Run: nox -s environments"
            ) from error
        raise Failure(
            "TensorFlow could not write ResNet-50 as a SavedModel.",
            "Run again with --debug to see its message.",
            detail=error.stderr,
        ) from error
    return done.stdout
