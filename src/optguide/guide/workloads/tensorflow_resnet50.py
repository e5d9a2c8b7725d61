"""Write ResNet-50 v1.5 as a SavedModel from the weights of ``transformers``' implementation.

Runs under an interpreter with TensorFlow and nothing of this package:
``python tensorflow_resnet50.py WEIGHTS.npz INPUTS.npz SAVEDMODEL LOGITS.npy``; the last file receives what
the written model, loaded again, computes for the inputs.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import Any

os.environ |= {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": ""}  # read when TensorFlow is imported

import numpy as np
import tensorflow as tf

_EPSILON = 1e-5  # PyTorch's default for batch normalisation
_BLOCKS = (3, 4, 6, 3)


class ResNet50(tf.Module):  # type: ignore[misc]  # tensorflow has no types
    """Inference only: convolutions in NHWC, which TensorFlow prefers on CPU."""

    def __init__(self, weights: Mapping[str, np.ndarray[Any, Any]]) -> None:
        super().__init__()
        self._arrays = {
            # Convolution kernels go from OIHW to HWIO, the classifier's matrix from OI to IO.
            name: tf.Variable(array.transpose(2, 3, 1, 0) if array.ndim == 4 else array.T, trainable=False)
            for name, array in weights.items()
            if not name.endswith("num_batches_tracked")
        }

    @tf.function(input_signature=[tf.TensorSpec([1, 3, 224, 224], tf.float32, name="pixel_values")])  # type: ignore[untyped-decorator]
    def __call__(self, pixel_values: Any) -> dict[str, Any]:
        """Logits of one image in NCHW."""
        x = tf.transpose(pixel_values, (0, 2, 3, 1))
        x = tf.nn.relu(self._convolve(x, "resnet.embedder.embedder", stride=2))
        x = tf.nn.max_pool2d(x, 3, 2, _padding(3))
        for stage, blocks in enumerate(_BLOCKS):
            for block in range(blocks):
                name = f"resnet.encoder.stages.{stage}.layers.{block}"
                x = self._bottleneck(x, name, stride=2 if block == 0 and stage > 0 else 1)
        x = tf.reduce_mean(x, axis=(1, 2))
        return {"logits": x @ self._arrays["classifier.1.weight"] + self._arrays["classifier.1.bias"]}

    def _bottleneck(self, x: Any, name: str, stride: int) -> Any:
        residual = x
        if f"{name}.shortcut.convolution.weight" in self._arrays:
            residual = self._convolve(x, f"{name}.shortcut", stride)
        x = tf.nn.relu(self._convolve(x, f"{name}.layer.0"))
        x = tf.nn.relu(self._convolve(x, f"{name}.layer.1", stride))  # v1.5: the 3x3 one has the stride
        return tf.nn.relu(self._convolve(x, f"{name}.layer.2") + residual)

    def _convolve(self, x: Any, name: str, stride: int = 1) -> Any:
        kernel = self._arrays[f"{name}.convolution.weight"]
        scale, offset, mean, variance = (
            self._arrays[f"{name}.normalization.{part}"]
            for part in ("weight", "bias", "running_mean", "running_var")
        )
        x = tf.nn.conv2d(x, kernel, stride, _padding(kernel.shape[0]))
        normalised, *_ = tf.compat.v1.nn.fused_batch_norm(
            x, scale, offset, mean, variance, epsilon=_EPSILON, is_training=False
        )
        return normalised


def _padding(size: int) -> list[list[int]]:
    """PyTorch's symmetric padding; TensorFlow's ``SAME`` pads one side only where the stride is 2."""
    return [[0, 0], [size // 2] * 2, [size // 2] * 2, [0, 0]]


def main(weights: str, inputs: str, savedmodel: str, logits: str) -> None:
    """Write the model, load it and run it once."""
    with np.load(weights) as arrays:
        network = ResNet50(dict(arrays))
    tf.saved_model.save(network, savedmodel, signatures=network.__call__)
    run = tf.saved_model.load(savedmodel).signatures["serving_default"]
    with np.load(inputs) as arrays:
        np.save(logits, run(pixel_values=tf.constant(arrays["pixel_values"]))["logits"].numpy())


if __name__ == "__main__":
    main(*sys.argv[1:])
