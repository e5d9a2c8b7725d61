"""What models answer to the tasks of :mod:`optguide.guide.workloads.packaged_tasks`, and what of it is right.

As with encoders, nothing about the answers is timed, so they are made while models are and kept like these.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from optguide.guide.workloads import packaged_tasks
from optguide.guide.workloads.artifacts import cached_artifact
from optguide.guide.workloads.packaged import Labelled, digest
from optguide.machine import Machine
from optguide.stats import accuracy
from optguide.stats.estimate import Estimate


@cache
def data(task: str, count: int, part: int = 0) -> Labelled:
    """``count`` inputs of a task: part 0 is for testing, part 1 for calibration."""
    return packaged_tasks.TASKS[task].data(count, part)


def evaluate(task: str, model: Path, count: int, **properties: str) -> list[Any]:
    """What a model answers to ``count`` test inputs, kept like a model: nothing about it is timed.

    :param properties: of the device CPU.
    """
    folder = cached_artifact(
        answer,
        packages=("openvino", "numpy"),
        task=task,
        model=str(model),
        count=count,
        data=digest(data(task, count)),
        properties=properties,
        processor=Machine.current().cpu,
    )
    answers: list[Any] = json.loads((folder / "answers.json").read_text("utf-8"))
    return answers


def answer(
    folder: Path, task: str, model: str, count: int, data: str, properties: dict[str, str], processor: str
) -> None:
    """Write the answers into ``folder``; ``data`` and ``processor`` only tell answers apart."""
    import openvino

    compiled = openvino.Core().compile_model(model, "CPU", properties)
    answers = packaged_tasks.TASKS[task].answers(compiled, packaged_tasks.TASKS[task].data(count, 0).inputs)
    (folder / "answers.json").write_text(json.dumps(answers), "utf-8")


def correct(task: str, answers: Sequence[Any], count: int) -> NDArray[np.bool_]:
    """Whether each of the ``count`` answers to the test inputs is right."""
    pairs = zip(answers, data(task, count).labels, strict=True)
    is_right = packaged_tasks.TASKS[task].is_right
    return np.array([given is not None and is_right(given, label) for given, label in pairs], np.bool_)


def share(task: str, right: NDArray[np.bool_]) -> Estimate:
    """The accuracy of answers to test inputs. Crops of a photograph count as one sample together."""
    groups = np.array(data(task, len(right)).groups)
    if not groups.size or right.all():
        return accuracy.accuracy(right[_first(groups)] if groups.size else right)
    return accuracy.over_groups(right, groups, "share")


def loss(task: str, name_a: str, a: NDArray[np.bool_], name_b: str, b: NDArray[np.bool_]) -> Estimate:
    """What ``b`` loses of the accuracy of ``a``, in percentage points, paired by input or by photograph."""
    groups = np.array(data(task, len(a)).groups)
    if groups.size and (a != b).any():
        return accuracy.over_groups(100 * (a.astype(np.float64) - b), groups, "points")
    if groups.size:  # of samples that do not differ, as many as there are sources tell something
        a, b = a[_first(groups)], b[_first(groups)]
    return accuracy.compare_accuracy(name_a, a, name_b, b).drop


def _first(groups: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.unique(groups, return_index=True)[1]
