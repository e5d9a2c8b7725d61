"""Which images of a fold's test part a model gets right."""

from __future__ import annotations

from typing import TYPE_CHECKING

from optguide.errors import InputError, OutputError
from optguide.guide.workloads.digits.samples import data
from optguide.runtimes.in_flight import infer_all

if TYPE_CHECKING:
    import numpy as np
    import openvino
    import torch
    from numpy.typing import NDArray

__all__ = ["correct", "correct_torch"]


def correct(compiled: openvino.CompiledModel, fold: int = 0) -> NDArray[np.bool_]:
    """For each image of the test part of ``fold``, whether ``compiled`` tells its digit.

    :param compiled: takes images of 1 x 8 x 8, any static or dynamic number, and returns ten logits each.
    :raises InputError: it takes something else.
    :raises OutputError: a logit is not finite.
    """
    import numpy as np
    import openvino

    samples = data(fold)
    shape = compiled.input(0).partial_shape
    if not shape.compatible(openvino.PartialShape([-1, 1, 8, 8])):
        raise InputError(f"The model takes {shape}, no images of 1 x 8 x 8.", "Pass a model of the digits.")
    count = len(samples.test_images)
    size = count if shape[0].is_dynamic else shape[0].get_length()
    filled = np.concatenate([samples.test_images, np.zeros((-count % size, 1, 8, 8), np.float32)])
    batches = filled.reshape(-1, size, 1, 8, 8)
    logits = [outputs[0] for outputs in infer_all(compiled, ({0: batch} for batch in batches))]
    return _right(np.concatenate(logits)[:count], samples.test_labels)


def correct_torch(module: torch.nn.Module, fold: int = 0) -> NDArray[np.bool_]:
    """The same for a PyTorch module, in evaluation mode; it is then in the mode it was.

    :raises OutputError: a logit is not finite.
    """
    import torch

    samples = data(fold)
    training = module.training
    module.eval()
    try:
        with torch.inference_mode():
            logits = module(torch.tensor(samples.test_images)).numpy()
    finally:
        module.train(training)
    return _right(logits, samples.test_labels)


def _right(logits: NDArray[np.float32], labels: NDArray[np.int64]) -> NDArray[np.bool_]:
    import numpy as np

    if not np.isfinite(logits).all():
        raise OutputError("The model returned logits that are not finite.", "Check how it was made.")
    return np.asarray(logits.argmax(axis=1) == labels)
