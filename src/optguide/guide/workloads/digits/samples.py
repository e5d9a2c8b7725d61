"""Handwritten digits, divided for cross-validation."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from optguide.errors import EnvironmentMissing, InputError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["FOLDS", "DigitsData", "data", "shifted"]

FOLDS = 5
"""Number of parts. Each image is in the test part of exactly one."""

_SEED = 5


@dataclass(frozen=True)
class DigitsData:
    """One division of the images.

    :param train_images: float32, count x 1 x 8 x 8, between 0 and 1.
    :param train_labels: int64, the digit of each image.
    :param test_images: what no training of this fold may see.
    :param test_labels: its digits.
    """

    train_images: NDArray[np.float32]
    train_labels: NDArray[np.int64]
    test_images: NDArray[np.float32]
    test_labels: NDArray[np.int64]


@cache
def data(fold: int = 0) -> DigitsData:
    """The images divided for ``fold``: about 1438 to learn from, 359 to judge by. Not to be written into.

    :raises EnvironmentMissing: scikit-learn is not installed.
    :raises InputError: there is no such fold.
    """
    if fold not in range(FOLDS):
        raise InputError(f"There is no fold {fold!r}.", f"Use one of 0 to {FOLDS - 1}.")
    images, labels = _images()
    held_out = _parts(labels) == fold
    parts = (images[~held_out], labels[~held_out], images[held_out], labels[held_out])
    for part in parts:
        part.flags.writeable = False  # every caller gets the same arrays
    return DigitsData(*parts)


def shifted(
    images: NDArray[np.float32], labels: NDArray[np.int64]
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """The images followed by four copies of all of them, moved by one pixel in each direction."""
    import numpy as np

    framed = np.pad(images, ((0, 0), (0, 0), (1, 1), (1, 1)))
    corners = ((1, 1), (0, 1), (2, 1), (1, 0), (1, 2))
    copies = [framed[:, :, top : top + 8, left : left + 8] for top, left in corners]
    return np.concatenate(copies), np.tile(labels, len(corners))


@cache
def _images() -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    import numpy as np

    try:
        from sklearn.datasets import load_digits
    except ModuleNotFoundError:
        raise EnvironmentMissing(
            "The package scikit-learn is not installed.", 'Run: pip install "optguide[frameworks,models]"'
        ) from None
    pixels, labels = load_digits(return_X_y=True)  # counts of dark dots in cells of 4x4: 0 to 16
    return (pixels / 16).astype(np.float32).reshape(-1, 1, 8, 8), labels.astype(np.int64)


def _parts(labels: NDArray[np.int64]) -> NDArray[np.int64]:
    """The fold that holds each image out: every digit is spread evenly, at random."""
    import numpy as np

    shuffled = np.random.default_rng(_SEED).permutation(len(labels))
    by_digit = shuffled[np.argsort(labels[shuffled], kind="stable")]
    parts = np.empty(len(labels), dtype=np.int64)
    parts[by_digit] = np.arange(len(labels)) % FOLDS
    return parts
