"""Samples of the guide's two tasks, divided for what needs three sets: to calibrate, to validate, to test."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from optguide.guide.workloads import retrieval
from optguide.guide.workloads.digits import data

if TYPE_CHECKING:
    import openvino


class Split(NamedTuple):
    """Inputs to calibrate with, and pairs of an input and its answer to validate and to test with."""

    calibration: list[Any]
    validation: list[tuple[Any, Any]]
    test: list[tuple[Any, Any]]


def digits(fold: int) -> Split:
    """300 images that the network of ``fold`` was trained with, and every second one of those it was not."""
    samples = data(fold)
    held_out = list(zip(samples.test_images, samples.test_labels, strict=True))
    return Split([image[None] for image in samples.train_images[:300]], held_out[::2], held_out[1::2])


def texts() -> Split:
    """300 texts, and 400 first sentences with what follows them, of which every fourth validates."""
    pairs = retrieval.pairs(400)
    test = [pair for index, pair in enumerate(pairs) if index % 4]
    return Split(retrieval.tokens(retrieval.calibration(300)), pairs[::4], test)


def find_texts(model: openvino.CompiledModel, pairs: Sequence[tuple[str, str]]) -> tuple[float, list[float]]:
    """Share of first sentences that find their text among those of ``pairs``, and of each whether it does."""
    queries, bodies = (retrieval.embed(model, side) for side in zip(*pairs, strict=True))
    hits = retrieval.hits(queries, bodies).astype(float)
    return float(hits.mean()), hits.tolist()
