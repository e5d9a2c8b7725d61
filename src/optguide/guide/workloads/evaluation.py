"""What encoders answer to the task of :mod:`optguide.guide.workloads.retrieval`, kept like a model.

Nothing about them is timed, and the same file on the same processor under the same versions answers the same.
So they are made while models are, and an example that is measured again finds them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from optguide.guide.workloads.artifacts import cached_artifact
from optguide.guide.workloads.retrieval import Embeddings, embed, hits, pairs
from optguide.machine import Machine


@dataclass(frozen=True)
class RetrievalAnswers:
    """What an encoder makes of the task.

    :param bodies: embeddings of the bodies, one row each.
    :param hits: for each query, whether it is nearest to its own body.
    """

    bodies: Embeddings
    hits: npt.NDArray[np.bool_]


def evaluate(model: Path, count: int | None, **properties: str | int) -> RetrievalAnswers:
    """The answers of an encoder with dynamic length to ``count`` pairs, or to all.

    :param properties: OpenVINO properties for the CPU; several texts are in flight unless they say otherwise.
    """
    folder = cached_artifact(
        answer,
        packages=("openvino", "numpy"),
        model=str(model),
        count=count,
        properties={"PERFORMANCE_HINT": "THROUGHPUT", **properties},
        processor=Machine.current().cpu,
    )
    with np.load(folder / "answers.npz") as arrays:
        return RetrievalAnswers(arrays["bodies"], arrays["hits"])


def answer(
    folder: Path, model: str, count: int | None, properties: Mapping[str, str | int], processor: str
) -> None:
    """Write the answers into ``folder``; ``processor`` only tells answers of several machines apart."""
    import openvino

    compiled = openvino.Core().compile_model(model, "CPU", dict(properties))
    queries, bodies = (embed(compiled, texts) for texts in zip(*pairs(count), strict=True))
    np.savez(folder / "answers.npz", bodies=bodies, hits=hits(queries, bodies))
