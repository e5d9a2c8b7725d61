"""A classifier of handwritten digits, trained by the guide itself, with an accuracy that means something.

The 1797 images of 8x8 pixels come with scikit-learn. They are divided into :data:`FOLDS` parts, and the
network of each fold has never seen its part: judged together, the folds test on all 1797 images, enough to
tell a percentage point. ``from optguide.guide.workloads.digits import data, train`` and so on;
``workloads.digits`` is the function that prepares the files.
"""

from __future__ import annotations

from optguide.guide.workloads.digits.accuracy import correct, correct_torch
from optguide.guide.workloads.digits.files import build, digits
from optguide.guide.workloads.digits.network import network, train
from optguide.guide.workloads.digits.samples import FOLDS, DigitsData, data, shifted

__all__ = [
    "FOLDS",
    "DigitsData",
    "build",
    "correct",
    "correct_torch",
    "data",
    "digits",
    "network",
    "shifted",
    "train",
]
