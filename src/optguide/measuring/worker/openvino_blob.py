"""Compiled models in files: what ``export_model`` wrote, ``import_model`` takes back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from optguide.errors import ModelError
from optguide.measuring.worker.openvino_refusals import telling_line

__all__ = ["SUFFIX", "not_imported", "read"]

SUFFIX = ".blob"


def read(openvino: Any, path: Path, *, mapped: bool) -> Any:
    """The content of a blob, for ``import_model``.

    :param mapped: map the file into memory instead of copying it. The compiled model then uses those pages:
        the tensor has to live as long as the model, and the process crashes if it does not.
    :raises ModelError: the file is missing or empty.
    """
    try:
        if not mapped:
            return path.read_bytes()
        # Copy on write: OpenVINO shares only arrays that can be written, and the file must stay as it is.
        return openvino.Tensor(np.memmap(path, np.uint8, "c"), shared_memory=True)
    except (OSError, ValueError) as error:  # a file of no bytes cannot be mapped
        raise ModelError(
            f"{path.name} cannot be read: {telling_line(error)}", "Check the path, or export the model again."
        ) from error


def not_imported(path: Path, error: RuntimeError) -> ModelError:
    """The error for a blob that OpenVINO refused."""
    return ModelError(
        f"{path.name} cannot be imported: {telling_line(error)}",
        "Export it again, with the same version of OpenVINO and for the same device.",
    )
