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


@cache
def data(task: str, count: int, part: int = 0) -> Labelled:
    """``count`` inputs of a task: part 0 is for testing, part 1 for calibration."""
    return packaged_tasks.TASKS[task].data(count, part)


def evaluate(task: str, model: str, count: int, **properties: str) -> list[Any]:
    """What a model answers to ``count`` test inputs, kept like a model: nothing about it is timed.

    :param properties: OpenVINO properties for the CPU.
    """
    folder = cached_artifact(
        answer,
        packages=("openvino", "numpy"),
        task=task,
        model=model,
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


def correct(task: str, answers: Sequence[Any]) -> NDArray[np.bool_]:
    """Whether each answer to the test inputs is right; none that is no finite number is."""
    pairs = zip(answers, data(task, len(answers)).labels, strict=True)
    is_right = packaged_tasks.TASKS[task].is_right
    return np.array([answer is not None and is_right(answer, label) for answer, label in pairs], np.bool_)


def sources() -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Where the models come from: the columns and the rows of a table."""
    rows: list[tuple[str, ...]] = []
    for task in packaged_tasks.TASKS.values():
        packages = dict.fromkeys(f"{file.distribution} {file.version}" for file in task.files)
        rows.append((task.title, task.licence, ", ".join(packages), task.files[0].sha256[:16]))
    return ("Model", "Licence", "Packages", "SHA-256 of the weights begins"), rows
