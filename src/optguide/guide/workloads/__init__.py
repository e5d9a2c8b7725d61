"""The guide's running models and their inputs, prepared once and kept under ``build/models``.

Every function returns a :class:`Workload`, plain data with the paths a variant needs. The first call builds
the files, later calls only look them up; nothing is downloaded. Which model stands for what:

``resnet50``
    a convolutional network of the usual size with random weights: for speed, never for accuracy.
``sentences``
    all-MiniLM-L6-v2 with its published weights and real text: a transformer whose results mean something.
``digits``
    a small convolutional network that the guide trains by itself, one per fold, with real test accuracy.
``tiny``
    so little work that what surrounds inference becomes visible.
"""

from __future__ import annotations

from optguide.guide.workloads.artifacts import Workload, cached_artifact, cross_validated
from optguide.guide.workloads.digits import digits
from optguide.guide.workloads.minilm import sentences, sentences_dynamic
from optguide.guide.workloads.quantized import resnet50_int8, sentences_int8
from optguide.guide.workloads.resnet50 import resnet50, resnet50_savedmodel, sample_image
from optguide.guide.workloads.tiny import tiny
from optguide.quiet import no_telemetry

__all__ = [
    "Workload",
    "cached_artifact",
    "cross_validated",
    "digits",
    "no_telemetry",
    "resnet50",
    "resnet50_int8",
    "resnet50_savedmodel",
    "sample_image",
    "sentences",
    "sentences_dynamic",
    "sentences_int8",
    "tiny",
]
